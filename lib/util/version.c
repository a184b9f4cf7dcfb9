/*
 * version.c: the library's version, as a text.
 */
#include "bb_contacts/bb_contacts.h"

const char *bb_version(void)
{
#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)
    return TEXT(BB_VERSION_MAJOR) "." TEXT(BB_VERSION_MINOR) "." TEXT(BB_VERSION_PATCH);
#undef TEXT
#undef TEXT_OF
}

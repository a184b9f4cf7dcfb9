/*
 * error.c: the names and texts of codes, and filling in a bb_error.
 */
#include <stdarg.h>
#include <stdio.h>

#include "util/struct_type.h"

const char *bb_code_name(int32_t code)
{
    switch (code) {
#define XX(name, value, text) \
    case value:               \
        return "BB_" #name;
        BB_CODE_MAP(XX)
#undef XX
    default:
        return "BB_ERR_UNKNOWN";
    }
}

const char *bb_code_text(int32_t code)
{
    switch (code) {
#define XX(name, value, text) \
    case value:               \
        return text;
        BB_CODE_MAP(XX)
#undef XX
    default:
        return "unknown code";
    }
}

int32_t bb_error_set(bb_error *error, int32_t code, const char *format, ...)
{
    va_list args;
    int written;
    size_t len;

    if (error == NULL || !bb_struct_is_known(&bb_error_type, error))
        return code;
    error->code = code;
    va_start(args, format);
    written = vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    if (written < 0)
        error->message[0] = '\0';
    if (written < (int)sizeof error->message)
        return code;
    /* cut: take back a character that was cut in two */
    len = sizeof error->message - 1;
    while (len > 0 && ((unsigned char)error->message[len - 1] & 0xC0) == 0x80)
        len--;
    if (len > 0 && (unsigned char)error->message[len - 1] >= 0xC0)
        len--;
    error->message[len] = '\0';
    return code;
}

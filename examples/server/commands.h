/*
 * commands.h: the commands of the command line, and their options.
 */
#ifndef BB_SERVER_COMMANDS_H
#define BB_SERVER_COMMANDS_H

#include "bb_contacts/bb_contacts.h"

struct options {
    const char *store;
    const char *listen;
    int demo;
    int64_t workers;           /* 0: none */
    int64_t timeout;           /* seconds, for a request or a command */
    int64_t idle;              /* seconds */
    int64_t max_answer;        /* bytes; 0: the library's default */
    int32_t custom_attributes; /* a bb_attributes */
    const char *access_log;    /* NULL: none */
    int64_t workspace;
    int64_t chatbot; /* 0: none */
    int64_t expires; /* Unix seconds; 0: never */
    const char *env; /* of a new key; NULL: the library's default */
    const char *key; /* "-": on standard input */
};

/* Each says on standard error what went wrong, and returns the program's exit status. */
int serve(bb_storage *storage, const struct options *options);
int chatbot_add(bb_storage *storage, const struct options *options);
int chatbot_archive(bb_storage *storage, const struct options *options);
int chatbot_restore(bb_storage *storage, const struct options *options);
int key_add(bb_storage *storage, const struct options *options);
int key_revoke(bb_storage *storage, const struct options *options);
int schema_print(const char *store);

#endif

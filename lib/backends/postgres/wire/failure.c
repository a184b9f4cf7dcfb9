/*
 * failure.c: why there is no connection, or none any more, in words of our own.
 */
#include "backends/postgres/wire/failure.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

enum { SQLSTATE = 5, PHRASE = 100 };

typedef struct number_words {
    int number;
    const char *words;
} number_words;

typedef struct phrase_words {
    const char *phrase;
    const char *words;
} phrase_words;

/* In a URI whose password holds one of these characters as it is, libpq finds another host. */
#define NO_HOST "no such host (in a URI's password @ / : % are %40 %2F %3A %25)"

static const number_words resolver_errors[] = {
    {EAI_NONAME, NO_HOST},
    {EAI_AGAIN, "the host's address can't be found out at this time"},
    {EAI_FAIL, "the host's address can't be found out"},
};

/* libpq's own messages, if they are in English; the exact ones first. */
static const phrase_words phrases[] = {
    {"could not translate host name", NO_HOST},
    {"server closed the connection", "the server closed the connection"},
    {"no password supplied", "the server wants a password"},
    {"does not support SSL", "the server has no TLS, which sslmode asks for"},
    {"certificate", "a certificate is missing or was refused (sslmode, sslrootcert, sslcert)"},
    {"could not match", "host, hostaddr and port are lists of different lengths"},
    {"definition of service", "no such service in the service file"},
    {"service file", "the service file can't be read"},
    {"invalid port number", "the connection string's port is none"},
    {"read-only", "the server only reads, and target_session_attrs asks for another"},
    {"hot standby", "the server is a standby, and target_session_attrs asks for another"},
    {"out of memory", "libpq ran out of memory"},
    {"SSL", "TLS failed"},
    {"GSS", "GSSAPI failed"},
};

/* The system's texts for these errors, with which libpq ends its messages. */
static const number_words system_errors[] = {
    {ECONNREFUSED, "connection refused"},
    {ENOENT, "no such socket"},
    {EACCES, "no permission for the socket"},
    {ETIMEDOUT, "the connection timed out"},
    {EHOSTUNREACH, "no route to the host"},
    {ENETUNREACH, "the network is unreachable"},
    {ECONNRESET, "the connection was reset"},
    {EPIPE, "the connection is closed"},
    {ECONNABORTED, "the connection was aborted"},
    {EMFILE, "this process has too many open files"},
    {ENFILE, "this machine has too many open files"},
};

/* What servers and poolers answer to a client that wants to connect. */
static const phrase_words refusals[] = {
    {"28P01", "wrong password"},
    {"28000", "the server does not let this user in"},
    {"3D000", "no such database"},
    {"42501", "the user may not connect to the database"},
    {"53300", "the server has no connection left"},
    {"57P03", "the server takes no connections at this time"},
};

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static const char *look_up(const phrase_words *table, size_t count, const char *message)
{
    for (size_t i = 0; i < count; i++) {
        if (strstr(message, table[i].phrase) != NULL)
            return table[i].words;
    }
    return NULL;
}

/* What is known about a message; NULL: nothing. */
static const char *words_for(const char *message)
{
    const char *words;
    char name[PHRASE];

    for (size_t i = 0; i < COUNT_OF(resolver_errors); i++) {
        if (strstr(message, gai_strerror(resolver_errors[i].number)) != NULL)
            return resolver_errors[i].words;
    }
    words = look_up(phrases, COUNT_OF(phrases), message);
    for (size_t i = 0; i < COUNT_OF(system_errors) && words == NULL; i++) {
        if (strerror_r(system_errors[i].number, name, sizeof name) == 0 &&
            strstr(message, name) != NULL)
            words = system_errors[i].words;
    }
    return words;
}

/* The option whose value libpq has refused; NULL if the message is about something else. */
static const char *refused_option(const char *message, const bb_pg_hosts *hosts)
{
    char said[2][PHRASE];

    for (const PQconninfoOption *o = hosts->options; o->keyword != NULL; o++) {
        (void)snprintf(said[0], PHRASE, "invalid %s value:", o->keyword);
        (void)snprintf(said[1], PHRASE, "connection option \"%s\"", o->keyword);
        if (strstr(message, said[0]) != NULL || strstr(message, said[1]) != NULL)
            return o->keyword;
    }
    return NULL;
}

/* The SQLSTATE at the end of a message, where PQERRORS_SQLSTATE puts it for the server's
 * messages. */
static int find_sqlstate(const char *message, char sqlstate[SQLSTATE + 1])
{
    size_t len = strlen(message);

    while (len > 0 && (message[len - 1] == '\n' || message[len - 1] == ' '))
        len--;
    if (len < SQLSTATE + 3 || memcmp(message + len - SQLSTATE - 3, ":  ", 3) != 0)
        return 0;
    memcpy(sqlstate, message + len - SQLSTATE, SQLSTATE);
    sqlstate[SQLSTATE] = '\0';
    return strspn(sqlstate, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == SQLSTATE;
}

static void set_sqlstate(bb_error *error, const char *sqlstate)
{
    if (error != NULL)
        (void)snprintf(error->sqlstate, sizeof error->sqlstate, "%s", sqlstate);
}

static int32_t fill(bb_error *error, int32_t code, const bb_pg_hosts *hosts, size_t index,
                    const char *words, const char *detail)
{
    if (hosts->count > 1)
        return bb_error_set(error, code, "no connection to host %zu of %zu: %s%s", index + 1,
                            hosts->count, words, detail);
    return bb_error_set(error, code, "no connection: %s%s", words, detail);
}

int32_t bb_pg_connect_failure(bb_error *error, int32_t code, const PGconn *conn,
                              const bb_pg_hosts *hosts, size_t index, int was_reached)
{
    const char *message = PQerrorMessage(conn);
    const char *option = refused_option(message, hosts);
    const char *words = words_for(message);
    char sqlstate[SQLSTATE + 1];

    set_sqlstate(error, "");
    if (was_reached && find_sqlstate(message, sqlstate)) {
        words = look_up(refusals, COUNT_OF(refusals), sqlstate);
        set_sqlstate(error, sqlstate);
        return fill(error, code, hosts, index,
                    words == NULL ? "the server or pooler refuses it" : words, "");
    }
    if (option != NULL)
        return fill(error, code, hosts, index, "libpq does not take the connection string's ",
                    option);
    if (words == NULL)
        words = "libpq's reason may repeat the password; psql shows it";
    return fill(error, code, hosts, index, words, "");
}

int32_t bb_pg_connection_failure(bb_error *error, int32_t code, const PGconn *conn)
{
    const char *words = words_for(PQerrorMessage(conn));

    set_sqlstate(error, "");
    return bb_error_set(error, code, "%s", words == NULL ? "the connection broke" : words);
}

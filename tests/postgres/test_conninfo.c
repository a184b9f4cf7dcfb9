/*
 * test_conninfo.c: no part of a connection string reaches an error or the log, as it may be a part
 * of a password (A5); yet the line says why there is no connection (E11).
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/check.h"
#include "support/endpoint.h"
#include "support/postgres.h"
#include "support/settings.h"
#include "support/wait.h"

/* All errors and log lines about one connection string. */
typedef struct spoken {
    char text[8000];
    size_t len;
} spoken;

static void note(void *ctx, int32_t level, const char *line, size_t len)
{
    spoken *s = ctx;

    (void)level;
    if (len + 2 > sizeof s->text - s->len)
        len = sizeof s->text - s->len - 2;
    memcpy(s->text + s->len, line, len);
    s->len += len;
    s->text[s->len++] = '\n';
    s->text[s->len] = '\0';
}

static void note_error(spoken *s, const bb_error *error)
{
    note(s, 0, error->message, strlen(error->message));
}

/* Sends one request; its HTTP status. */
static int32_t send_one(bb_storage *storage, spoken *s, bb_error *error)
{
    static const char body[] = "{\"users\":[{}]}";
    test_endpoint endpoint = {{0}, NULL};
    bb_result *result;
    bb_config config;
    int32_t status;

    bb_config_init(&config);
    config.log = note;
    config.log_ctx = s;
    if (test_open_contacts(storage, &config, &endpoint.contacts, error) != BB_OK)
        return 0;
    result = test_send(&endpoint, body, sizeof body - 1);
    status = bb_result_http_status(result);
    bb_result_free(result);
    bb_contacts_close(endpoint.contacts);
    return status;
}

/* Opens, migrates, sends, and collects all messages. Returns the request's status, 0 if there was
 * none. */
static int32_t use(const char *conninfo, spoken *s)
{
    bb_storage_options options;
    bb_storage *storage = NULL;
    int32_t status = 0;
    bb_error error;

    memset(s, 0, sizeof *s);
    bb_error_init(&error);
    bb_storage_options_init(&options);
    options.log = note;
    options.log_ctx = s;
    if (bb_storage_open_postgres(conninfo, strlen(conninfo), &options, &storage, &error) == BB_OK) {
        CHECK(bb_storage_migrate(storage, TEST_PATIENCE_MS, &error) != BB_OK);
        note_error(s, &error);
        status = send_one(storage, s, &error);
    }
    note_error(s, &error);
    bb_storage_close(storage);
    return status;
}

/* -------------------------------------------------------------------------------------- secrets */

/* Connection strings with parts of a password where one may be: Sekr3t, Ge4eim and 50321. */
static const char *const faulty[] = {
    /* characters that a URI takes for the end of the password, and the rest of it */
    "postgresql://me:Sekr3t/Ge4eim@127.0.0.1:1/db",
    "postgresql://me:50321/Sekr3t@127.0.0.1:1/db",
    "postgresql://127.0.0.1:50321/Sekr3t@127.0.0.1:1/db",
    "postgresql://me:Sekr3t@Ge4eim@127.0.0.1:1/db",
    "postgresql://me:Sekr3t@Ge4eim:50321@127.0.0.1:1/db",
    "postgresql://me@example.com:Sekr3t@127.0.0.1:1/db",
    "postgresql://me:@Sekr3t@127.0.0.1:1/db",
    "postgresql://me:/Sekr3t@127.0.0.1:1/db",
    "postgresql://me:Sekr3t:Ge4eim@127.0.0.1:1/db",
    "postgresql://me:Sekr3t?Ge4eim@127.0.0.1:1/db",
    "postgresql://me:Sekr3t#Ge4eim@127.0.0.1:1/db",
    "postgresql://me:Sekr3t&Ge4eim=@127.0.0.1:1/db",
    "postgresql://me:Sekr3t,Ge4eim@127.0.0.1:1/db",
    "postgresql://me:Sekr3t%Ge4eim@127.0.0.1:1/db",
    "postgresql://me:Sekr3t%00Ge4eim@127.0.0.1:1/db",
    "postgresql://me:Sekr3t Ge4eim@127.0.0.1:1/db",
    "postgresql://me:Sekr3t'Ge4eim\"@127.0.0.1:1/db",
    "postgresql://me:Sekr3t\\Ge4eim@127.0.0.1:1/db",
    "postgresql://me:[Sekr3t/Ge4eim@127.0.0.1:1/db",
    "postgresql://me:x@[Sekr3t@127.0.0.1:1/db",
    "postgresql://me:x@[Sekr3t]Ge4eim@127.0.0.1:1/db",
    "postgresql://me:x/y?Sekr3t@127.0.0.1:1/db",
    "postgresql://me:x/y?Sekr3t=Ge4eim@127.0.0.1:1/db",
    "postgresql://me:x/y?host=Sekr3t=Ge4eim@127.0.0.1:1/db",
    /* options whose values libpq repeats when it refuses them */
    "postgresql://127.0.0.1:1/y?port=Sekr3t@127.0.0.1/db",
    "postgresql://127.0.0.1:1/y?port=1,50321",
    "postgresql://127.0.0.1:1/y?host=Sekr3t@127.0.0.1/db",
    "postgresql://127.0.0.1:1/y?host=/Sekr3t",
    "postgresql://127.0.0.1:1/y?hostaddr=Sekr3t@127.0.0.1/db",
    "postgresql://127.0.0.1:1/y?sslmode=Sekr3t@127.0.0.1/db",
    "postgresql://127.0.0.1:1/y?gssencmode=Sekr3t@127.0.0.1/db",
    "postgresql://127.0.0.1:1/y?channel_binding=Sekr3t@127.0.0.1/db",
    "postgresql://127.0.0.1:1/y?target_session_attrs=Sekr3t@127.0.0.1/db",
    "postgresql://127.0.0.1:1/y?ssl_min_protocol_version=Sekr3t@127.0.0.1/db",
    "postgresql://127.0.0.1:1/y?connect_timeout=Sekr3t@127.0.0.1/db",
    "postgresql://127.0.0.1:1/y?keepalives=Sekr3t@127.0.0.1/db",
    "postgresql://127.0.0.1:1/y?client_encoding=Sekr3t@127.0.0.1/db",
    "postgresql://127.0.0.1:1/y?service=Sekr3t@127.0.0.1/db",
    "host=127.0.0.1 port=1 password=Sekr3t Ge4eim",
    "host=127.0.0.1 port=1 password=Sekr3t Ge4eim=x",
    "host=127.0.0.1 port=1 password='Sekr3t' Ge4eim'",
    "host=127.0.0.1 port=1 password='Sekr3t",
    "host=127.0.0.1 port=1 password=x port=Sekr3t",
    "host=127.0.0.1 port=1 password=x host=Sekr3t",
    "host=127.0.0.1 port=1 password = Sekr3t\\",
    "host=127.0.0.1,Sekr3t port=1,Ge4eim,50321",
};

static void check_silence(const char *conninfo)
{
    static const char *const secrets[] = {"ekr3", "e4ei", "50321"};
    spoken s;
    int32_t status = use(conninfo, &s);

    CHECK(status == 0 || status == 503);
    CHECK(s.len > 20);
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        if (!CHECK_MSG(strstr(s.text, secrets[i]) == NULL, "A5: %s\n  is answered with\n%s",
                       conninfo, s.text))
            return;
    }
}

static void test_A5_nothing_of_a_connection_string_is_repeated(void)
{
    for (size_t i = 0; i < sizeof faulty / sizeof faulty[0]; i++)
        check_silence(faulty[i]);
}

/* What the server itself repeats: the names of databases and users. */
static void test_A5_nor_by_the_server(const char *conninfo)
{
    char other[1000];

    snprintf(other, sizeof other, "%s dbname='Sekr3t@127.0.0.1/db'", conninfo);
    check_silence(other);
    snprintf(other, sizeof other, "%s user='Sekr3t'", conninfo);
    check_silence(other);
}

/* --------------------------------------------------------------------------------------- causes */

static void check_cause(const char *conninfo, const char *cause)
{
    spoken s;

    CHECK(use(conninfo, &s) == 503);
    CHECK_MSG(strstr(s.text, cause) != NULL, "E11: %s\n  does not say \"%s\":\n%s", conninfo, cause,
              s.text);
}

static void test_E11_the_log_says_why(const char *conninfo)
{
    char other[1000];

    check_cause("host=127.0.0.1 port=1", "connection refused");
    check_cause("host=/nonexistent", "no such socket");
    check_cause("host=127.0.0.1,127.0.0.1 port=1", "host 2 of 2: connection refused");
    check_cause("host=127.0.0.1 port=x", "port");
    check_cause("host=127.0.0.1 port=70000", "port");
    check_cause("host=127.0.0.1 port=1 sslmode=x", "sslmode");
    snprintf(other, sizeof other, "%s dbname=nowhere", conninfo);
    check_cause(other, "no such database (SQLSTATE 3D000)");
    snprintf(other, sizeof other, "%s user=nobody_such", conninfo);
    check_cause(other, "(SQLSTATE 28000)");
}

int main(void)
{
    char *conninfo;

    if (!test_postgres_is_there()) {
        puts("SKIPPED: BB_TEST_POSTGRES names no server; see tests/postgres.sh");
        return TEST_SKIPPED;
    }
    conninfo = test_postgres_conninfo("postgres");
    if (conninfo == NULL)
        return 1;
    CHECK_TEST(test_A5_nothing_of_a_connection_string_is_repeated());
    CHECK_TEST(test_A5_nor_by_the_server(conninfo));
    CHECK_TEST(test_E11_the_log_says_why(conninfo));
    free(conninfo);
    return check_status();
}

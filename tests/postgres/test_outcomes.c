/*
 * test_outcomes.c: what the host's own triggers, policies and rules make of a request: the right
 * answer, soon, with nothing stored by halves and a line in the log that says why.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bb_contacts/storage.h"
#include "support/endpoint.h"
#include "support/postgres.h"
#include "support/settings.h"
#include "support/wait.h"

static char database[64];
static char *conninfo;
static unsigned problems;

#define CHECK(condition)                                                    \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            problems++;                                                     \
        }                                                                   \
    } while (0)

/* ------------------------------------------------------------------------------- what is shared */

/* What is in the log: all of it, and how many lines. */
typedef struct journal {
    char text[20000];
    size_t len;
    unsigned lines;
} journal;

static journal the_log;

static void note(void *ctx, int32_t level, const char *line, size_t len)
{
    journal *j = ctx;

    j->lines++;
    if (j->len + len + 10 > sizeof j->text)
        return;
    j->len += (size_t)sprintf(j->text + j->len, "%d %.*s\n", (int)level, (int)len, line);
}

static void forget_log(void)
{
    memset(&the_log, 0, sizeof the_log);
}

static int is_logged(const char *text)
{
    if (strstr(the_log.text, text) != NULL)
        return 1;
    fprintf(stderr, "\"%s\" is not in\n%s", text, the_log.text);
    return 0;
}

static int run_sql(const char *sql)
{
    return test_postgres_sql(conninfo, sql, NULL, 0) == 0;
}

/* A schema of its own with chatbots 123 and 124, opened as `place` says. */
static int open_at(test_endpoint *endpoint, const char *place, const char *schema, uint32_t flags)
{
    bb_storage_options common;
    bb_postgres_options options;
    bb_config config;
    bb_error error;
    int32_t code;

    bb_error_init(&error);
    memset(endpoint, 0, sizeof *endpoint);
    bb_storage_options_init(&common);
    common.log = note;
    common.log_ctx = &the_log;
    bb_config_init(&config);
    config.log = note;
    config.log_ctx = &the_log;
    bb_postgres_options_init(&options);
    options.schema = schema;
    options.schema_len = strlen(schema);
    options.flags = flags;
    code = bb_storage_open_postgres_with(place, strlen(place), &common, &options,
                                         &endpoint->store.storage, &error);
    if (code == BB_OK)
        code = bb_storage_migrate(endpoint->store.storage, TEST_PATIENCE_MS, &error);
    for (int64_t chatbot = 123; chatbot < 125 && code == BB_OK; chatbot++)
        code = bb_storage_chatbot_add(endpoint->store.storage, chatbot, 1, 0, &error);
    if (code == BB_OK)
        code = test_open_contacts(endpoint->store.storage, &config, &endpoint->contacts, &error);
    if (code != BB_OK)
        fprintf(stderr, "cannot open: %s: %s\n", bb_code_name(code), error.message);
    forget_log();
    return code == BB_OK;
}

static int open_schema(test_endpoint *endpoint, const char *schema, uint32_t flags)
{
    return open_at(endpoint, conninfo, schema, flags);
}

static void close_endpoint(test_endpoint *endpoint)
{
    bb_contacts_close(endpoint->contacts);
    bb_storage_close(endpoint->store.storage);
}

/* Sends one contact to a chatbot; the HTTP status. The log holds what is said about it alone. */
static int32_t send_to(const test_endpoint *endpoint, const char *chatbot, const char *contact)
{
    bb_principal principal;
    bb_request request;
    bb_result *result;
    char body[1000];
    int32_t status;

    forget_log();
    bb_request_init(&request);
    bb_principal_init(&principal);
    principal.workspace_id = 1;
    request.principal = &principal;
    request.chatbot_id = chatbot;
    request.chatbot_id_len = strlen(chatbot);
    request.body = body;
    request.body_len = (size_t)snprintf(body, sizeof body, "{\"users\":[%s]}", contact);
    result = bb_contacts_upsert(endpoint->contacts, &request);
    status = bb_result_http_status(result);
    bb_result_free(result);
    return status;
}

static int32_t send_one(const test_endpoint *endpoint, const char *contact)
{
    return send_to(endpoint, "123", contact);
}

#define ADA   "{\"external_id\":\"one\",\"name\":\"Ada\"}"
#define GRACE "{\"external_id\":\"one\",\"name\":\"Grace\"}"

/* ------------------------------------------------------------------- SQLSTATEs that mean two
 * things */

/* Has a trigger raise an SQLSTATE for contacts of a name. */
static int make_raise(const char *schema, const char *name, const char *sqlstate)
{
    char sql[500];

    snprintf(sql, sizeof sql,
             "CREATE OR REPLACE FUNCTION %s.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
             " IF NEW.name = '%s' THEN RAISE 'on purpose' USING ERRCODE = '%s'; END IF;"
             " RETURN NEW; END $$;"
             "CREATE OR REPLACE TRIGGER refuse BEFORE INSERT OR UPDATE ON %s.contacts"
             " FOR EACH ROW EXECUTE FUNCTION %s.refuse()",
             schema, name, sqlstate, schema, schema);
    return run_sql(sql);
}

/* What the host raises is no word about a statement, a row or a value of the library's: a 500 at
 * once, and all goes on as before. */
static void check_raised(const char *sqlstate, uint32_t flags)
{
    char schema[64], line[64];
    test_endpoint endpoint;

    snprintf(schema, sizeof schema, "raised_%ld_%u", strtol(sqlstate, NULL, 36), (unsigned)flags);
    snprintf(line, sizeof line, "on purpose (SQLSTATE %s)", sqlstate);
    CHECK(open_schema(&endpoint, schema, flags));
    CHECK(make_raise(schema, "Grace", sqlstate));
    for (int i = 0; i < 3; i++) {
        CHECK(send_one(&endpoint, ADA) == 200);
        CHECK(send_one(&endpoint, GRACE) == 500);
        CHECK(is_logged(line));
        CHECK(the_log.lines <= 4);
        CHECK(strstr(the_log.text, "unnamed") == NULL);
    }
    close_endpoint(&endpoint);
}

static void test_E11_what_the_host_raises_is_a_500_at_once(void)
{
    static const char *const sqlstates[] = {"0A000", "26000", "42P05"};

    for (size_t i = 0; i < sizeof sqlstates / sizeof sqlstates[0]; i++) {
        check_raised(sqlstates[i], 0);
        check_raised(sqlstates[i], BB_POSTGRES_UNNAMED_STATEMENTS);
    }
}

/* -------------------------------------------------------------------------------------- the whole
 */

int main(void)
{
    if (!test_postgres_is_there()) {
        puts("SKIPPED: BB_TEST_POSTGRES names no server; see tests/postgres.sh");
        return TEST_SKIPPED;
    }
    snprintf(database, sizeof database, "bb_test_%ld_outcomes", (long)getpid());
    conninfo = test_postgres_create(database);
    if (conninfo == NULL)
        return 1;
    test_E11_what_the_host_raises_is_a_500_at_once();
    test_postgres_drop(database);
    free(conninfo);
    printf("%u problems\n", problems);
    return problems == 0 ? 0 : 1;
}

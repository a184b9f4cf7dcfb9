/*
 * test_outcomes.c: what the host's own triggers, policies and rules make of a request: the right
 * answer, soon, with all or nothing stored and a line in the log that says why.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bb_contacts/storage.h"
#include "execute/storage.h"
#include "postgres/open.h"
#include "support/check.h"
#include "support/endpoint.h"
#include "support/postgres.h"
#include "support/wait.h"

static test_database database;
static char *conninfo;

/* ------------------------------------------------------------------------------- what is shared */

/* The whole log, and the number of its lines. */
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

static int is_sql(const char *sql, const char *wanted)
{
    return test_postgres_gives(conninfo, sql, wanted);
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

/* Sends one contact to a chatbot. Returns the HTTP status. The log then holds only lines about
 * it. */
static int32_t send_to(const test_endpoint *endpoint, const char *chatbot, const char *contact)
{
    bb_request request;
    bb_result *result;
    char body[1000];
    int32_t status;

    forget_log();
    request = test_request(body, (size_t)snprintf(body, sizeof body, "{\"users\":[%s]}", contact));
    request.chatbot_id = chatbot;
    request.chatbot_id_len = strlen(chatbot);
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

/* -------------------------------------------------------------- SQLSTATEs that mean two things */

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

/* What the host raises says nothing about a statement, a row or a value of the library's: a 500 at
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
    pg_close(&endpoint);
}

static void test_E11_what_the_host_raises_is_a_500_at_once(void)
{
    static const char *const sqlstates[] = {"0A000", "26000", "42P05", "2201F", "2201G", "22012"};

    for (size_t i = 0; i < sizeof sqlstates / sizeof sqlstates[0]; i++) {
        check_raised(sqlstates[i], 0);
        check_raised(sqlstates[i], BB_POSTGRES_UNNAMED_STATEMENTS);
    }
}

/* ---------------------------------------------------------------- connections that are kept */

static int32_t put_nothing(void *ctx, size_t index, int32_t outcome, const bb_contact *contact,
                           const bb_contact *before)
{
    (void)ctx;
    (void)index;
    (void)outcome;
    (void)contact;
    (void)before;
    return BB_OK;
}

/* Writes the contact "one" of this name on a session; whether that went as it should. */
static int write_name(const test_endpoint *endpoint, void *session, const char *name, int32_t code)
{
    const bb_access access = {.size = sizeof access,
                              .workspace_id = 1,
                              .chatbot_id = 123,
                              .now_us = 1700000000000000,
                              .deadline = bb_deadline_in(TEST_PATIENCE_MS)};
    const bb_record record = {.size = sizeof record,
                              .fields = BB_FIELD_NAME,
                              .external_id = {"one", 3},
                              .name = {name, strlen(name)},
                              .stripe_accounts = {"[]", 2},
                              .custom_attributes = {"{}", 2}};
    const bb_record *records[] = {&record};
    const bb_write write = {.size = sizeof write,
                            .access = &access,
                            .records = records,
                            .record_count = 1,
                            .put = put_nothing};
    bb_error error;
    int32_t got;

    bb_error_init(&error);
    got = endpoint->store.storage->vtable.write(session, &write, &error);
    if (got != code)
        fprintf(stderr, "%s: %s\n", bb_code_name(got), error.message);
    return got == code;
}

/* The host's 0A000 leaves the connection as it is. The server's own, for a statement that is stale
 * as a column has another type, is seen by nobody; the connection is made anew. */
static void test_E11_a_host_that_raises_0A000_ends_no_connection(void)
{
    test_endpoint endpoint;
    void *session = NULL;
    const bb_storage_vtable *vtable;

    CHECK(open_schema(&endpoint, "kept", 0));
    vtable = &endpoint.store.storage->vtable;
    CHECK(vtable->session_open(endpoint.store.storage->store, bb_deadline_in(TEST_PATIENCE_MS),
                               &session, NULL) == BB_OK);
    CHECK(make_raise("kept", "Grace", "0A000"));
    CHECK(write_name(&endpoint, session, "Ada", BB_OK));
    CHECK(write_name(&endpoint, session, "Eva", BB_OK));
    forget_log();
    for (int i = 0; i < 3; i++) {
        CHECK(write_name(&endpoint, session, "Grace", BB_ERR_INTERNAL));
        CHECK(write_name(&endpoint, session, i % 2 ? "Ada" : "Eve", BB_OK));
    }
    CHECK(the_log.lines == 0);
    CHECK(run_sql("DROP TRIGGER refuse ON kept.contacts;"
                  "ALTER TABLE kept.contacts ALTER name TYPE varchar"));
    CHECK(write_name(&endpoint, session, "Ida", BB_OK));
    CHECK(write_name(&endpoint, session, "Ivy", BB_OK));
    CHECK(is_logged("connected to PostgreSQL"));
    CHECK(the_log.lines == 1);
    CHECK(is_sql("SELECT name FROM kept.contacts", "Ivy"));
    vtable->session_close(session);
    pg_close(&endpoint);
}

/* ------------------------------------------------------------------- rows that the table skips */

static int make_trigger(const char *schema, const char *when, const char *what)
{
    char sql[600];

    snprintf(sql, sizeof sql,
             "CREATE OR REPLACE FUNCTION %s.act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
             " IF NEW.name = 'Grace' THEN %s; END IF; RETURN NEW; END $$;"
             "CREATE OR REPLACE TRIGGER act BEFORE %s ON %s.contacts"
             " FOR EACH ROW EXECUTE FUNCTION %s.act()",
             schema, what, when, schema, schema);
    return run_sql(sql);
}

#define COUNT_SKIPPED "SELECT count(*) FROM skipped.contacts"
#define LAST_ID       "SELECT last_value FROM skipped.contacts_id_seq"

/* A 500 at once, all or nothing, no more ids than two attempts draw, and one line. */
static void test_E11_a_row_that_a_trigger_skips(void)
{
    test_endpoint endpoint;

    CHECK(open_schema(&endpoint, "skipped", 0));
    CHECK(send_one(&endpoint, ADA) == 200);
    CHECK(is_sql(LAST_ID, "1"));
    CHECK(make_trigger("skipped", "INSERT OR UPDATE", "RETURN NULL"));
    CHECK(send_one(&endpoint, "{\"external_id\":\"a\"},{\"name\":\"Grace\"}") == 500);
    CHECK(is_logged("write failed: postgres: chatbot 123: not stored"));
    CHECK(is_logged("leaves out 1 of 2 contacts"));
    CHECK(the_log.lines == 1);
    CHECK(is_sql(COUNT_SKIPPED, "1"));
    CHECK(is_sql(LAST_ID, "5"));
    CHECK(send_one(&endpoint, "{\"external_id\":\"a\"}," GRACE) == 500);
    CHECK(is_logged("write failed: postgres: chatbot 123: not stored"));
    CHECK(the_log.lines == 1);
    CHECK(is_sql(COUNT_SKIPPED, "1"));
    CHECK(send_one(&endpoint, "{\"external_id\":\"a\"}," ADA) == 200);
    pg_close(&endpoint);
}

static char *as_role; /* a role to which policies apply */

static void test_E11_a_row_that_a_policy_skips(void)
{
    test_endpoint endpoint;
    char sql[500];

    CHECK(open_schema(&endpoint, "policed", 0));
    pg_close(&endpoint);
    snprintf(sql, sizeof sql,
             "GRANT ALL ON SCHEMA policed TO bb_test_%ld; GRANT ALL ON ALL TABLES IN SCHEMA policed"
             " TO bb_test_%ld; ALTER TABLE policed.contacts ENABLE ROW LEVEL SECURITY;"
             "CREATE POLICY see ON policed.contacts FOR SELECT USING (true);"
             "CREATE POLICY make ON policed.contacts FOR INSERT WITH CHECK (true);"
             "CREATE POLICY change ON policed.contacts FOR UPDATE USING (name <> 'Ada')",
             (long)getpid(), (long)getpid());
    CHECK(run_sql(sql));
    CHECK(open_at(&endpoint, as_role, "policed", 0));
    CHECK(send_one(&endpoint, ADA) == 200);
    CHECK(send_one(&endpoint, GRACE) == 500);
    CHECK(is_logged("policy of the table leaves 1 of 1"));
    CHECK(the_log.lines == 1);
    CHECK(is_sql("SELECT name FROM policed.contacts", "Ada"));
    pg_close(&endpoint);
}

/* An expression of the table's fails because of the values. */
static void test_E11_expressions_that_fail(void)
{
    test_endpoint endpoint;

    CHECK(open_schema(&endpoint, "expressed", 0));
    CHECK(run_sql("ALTER TABLE expressed.contacts ADD root double precision GENERATED ALWAYS AS"
                  " (sqrt((custom_attributes->>'ltv')::double precision)) STORED,"
                  " ADD CHECK (width_bucket(0, 0, 1, coalesce((custom_attributes->>'n')::integer,"
                  " 1)) IS NOT NULL)"));
    CHECK(send_one(&endpoint, "{\"custom_attributes\":{\"ltv\":4}}") == 200);
    CHECK(send_one(&endpoint, "{\"custom_attributes\":{\"ltv\":-4}}") == 500);
    CHECK(is_logged("(SQLSTATE 2201F)"));
    CHECK(the_log.lines == 1);
    CHECK(send_one(&endpoint, "{\"custom_attributes\":{\"n\":0}}") == 500);
    CHECK(is_logged("(SQLSTATE 2201G)"));
    CHECK(the_log.lines == 1);
    pg_close(&endpoint);
}

/* ----------------------------------------------------------------- keys that a trigger changes */

/* Noticed before it is stored, whether the contact is created or updated. */
static void test_E2_a_key_that_a_trigger_changes(void)
{
    static const char *const changes[] = {"NEW.external_id := 'x'", "NEW.chatbot_id := 124"};
    test_endpoint endpoint;

    CHECK(open_schema(&endpoint, "moved", 0));
    CHECK(send_one(&endpoint, ADA) == 200);
    for (size_t i = 0; i < 2; i++) {
        CHECK(make_trigger("moved", "INSERT OR UPDATE", changes[i]));
        for (int k = 0; k < 2; k++) {
            CHECK(send_one(&endpoint, "{\"external_id\":\"two\",\"name\":\"Grace\"}") == 500);
            CHECK(is_logged("chatbot 123: not stored: a trigger"));
            CHECK(the_log.lines == 1);
            CHECK(send_one(&endpoint, GRACE) == 500);
            CHECK(is_logged("chatbot 123: not stored: a trigger"));
            CHECK(the_log.lines == 1);
        }
        CHECK(send_one(&endpoint, ADA) == 200);
        CHECK(is_sql("SELECT string_agg(chatbot_id || external_id || name, ',')"
                     " FROM moved.contacts",
                     "123oneAda"));
    }
    pg_close(&endpoint);
}

/* ------------------------------------------------------------------- what is done after a write */

/* Partitioned by chatbot_id, as a host does it. */
static int divide(const char *schema)
{
    char sql[1000];

    snprintf(sql, sizeof sql,
             "SET search_path = %s;"
             " ALTER TABLE contacts DROP CONSTRAINT contacts_id_key, ADD UNIQUE (id, chatbot_id);"
             " CREATE TABLE divided (LIKE contacts INCLUDING ALL) PARTITION BY HASH (chatbot_id);"
             " DROP TABLE contacts;"
             " ALTER TABLE divided RENAME TO contacts;"
             " CREATE TABLE p0 PARTITION OF contacts FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
             " CREATE TABLE p1 PARTITION OF contacts FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
             schema);
    return run_sql(sql);
}

/* A table, and when a trigger acts on it. */
typedef struct after_case {
    const char *schema;
    int is_divided;
    const char *trigger; /* two pieces of its definition */
    const char *each;
} after_case;

static const after_case after_cases[] = {
    {"after_row", 0, "TRIGGER", "FOR EACH ROW"},
    {"after_statement", 0, "TRIGGER", "FOR EACH STATEMENT"},
    {"after_all", 0, "CONSTRAINT TRIGGER", "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"},
    {"after_row_of_part", 1, "TRIGGER", "FOR EACH ROW"},
    {"after_all_of_parts", 1, "CONSTRAINT TRIGGER", "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"},
};

enum { AFTER_CASES = sizeof after_cases / sizeof after_cases[0] };

/* From now on the trigger does `what`, which must come to an end: what it does fires a deferred one
 * again. */
static int make_after(const after_case *c, const char *what)
{
    char sql[1000];

    snprintf(sql, sizeof sql,
             "SET client_min_messages = warning; SET search_path = %s;"
             " DROP TRIGGER IF EXISTS act ON contacts;"
             "CREATE OR REPLACE FUNCTION act() RETURNS trigger LANGUAGE plpgsql"
             " SET search_path FROM CURRENT AS $$ BEGIN"
             " IF pg_trigger_depth() = 1 THEN %s; END IF; RETURN NULL; END $$;"
             "CREATE %s act AFTER INSERT OR UPDATE ON contacts %s EXECUTE FUNCTION act()",
             c->schema, what, c->trigger, c->each);
    return run_sql(sql);
}

/* A fresh one with the contact "one". */
static int open_after(test_endpoint *endpoint, const after_case *c)
{
    char sql[200];
    int is_fresh;

    snprintf(sql, sizeof sql, "SET client_min_messages = warning; DROP SCHEMA IF EXISTS %s CASCADE",
             c->schema);
    is_fresh = run_sql(sql);
    return open_schema(endpoint, c->schema, 0) && is_fresh &&
           (!c->is_divided || divide(c->schema)) && send_one(endpoint, ADA) == 200;
}

/* What is stored, as "123 one Ada, ...". */
static int is_stored(const after_case *c, const char *wanted)
{
    char sql[300];

    snprintf(sql, sizeof sql,
             "SELECT string_agg(concat_ws(' ', chatbot_id, external_id, name), ', '"
             " ORDER BY chatbot_id, external_id) FROM %s.contacts",
             c->schema);
    return is_sql(sql, wanted);
}

/* Sends three contacts, of which the first stays as it is; whether each is answered by the name. */
static int are_answered(const test_endpoint *endpoint, const char *contacts, const char *name)
{
    char text[1000];
    bb_request request;
    bb_result *result;
    json *body;
    const json *data;
    int good;

    request = test_request(text, (size_t)snprintf(text, sizeof text, "{\"users\":[%s]}", contacts));
    result = bb_contacts_upsert(endpoint->contacts, &request);
    data = test_data(result, &body);
    good = json_count(data) == 3 && bb_result_outcome(result, 0) == BB_UNCHANGED &&
           bb_result_outcome(result, 1) == BB_UPDATED && bb_result_outcome(result, 2) == BB_CREATED;
    for (size_t i = 0; i < json_count(data); i++)
        good = good && json_is_text(json_member(json_at(data, i), "name"), name) &&
               json_integer(json_at(data, i), "updated_at", 0) == 7;
    json_free(body);
    bb_result_free(result);
    return good;
}

/* What is answered is what is stored, also for a contact that the request leaves as it is. */
static void test_E2_a_value_that_a_trigger_changes_afterwards(void)
{
    test_endpoint endpoint;

    for (size_t i = 0; i < AFTER_CASES; i++) {
        const after_case *c = &after_cases[i];
        CHECK(open_after(&endpoint, c));
        CHECK(send_one(&endpoint, "{\"external_id\":\"two\"}") == 200);
        CHECK(make_after(c, "UPDATE contacts SET name = 'T', updated_at = to_timestamp(7)"
                            " WHERE name IS DISTINCT FROM 'T'"));
        CHECK_MSG(are_answered(&endpoint,
                               ADA ",{\"external_id\":\"two\",\"name\":\"Grace\"},"
                                   "{\"external_id\":\"three\",\"name\":\"Grace\"}",
                               "T"),
                  "%s", c->schema);
        CHECK(is_stored(c, "123 one T, 123 three T, 123 two T"));
        CHECK(the_log.lines == 0);
        pg_close(&endpoint);
    }
}

/* A contact that is not there under its key in the end: 500, and all is as before. */
static void test_E2_a_contact_that_a_trigger_takes_away_afterwards(void)
{
    static const char *const ways[] = {
        "DELETE FROM contacts WHERE name = 'Grace'",
        "UPDATE contacts SET external_id = 'x' WHERE name = 'Grace' AND external_id <> 'x'",
        "UPDATE contacts SET chatbot_id = 124 WHERE name = 'Grace' AND chatbot_id = 123",
    };
    test_endpoint endpoint;

    for (size_t i = 0; i < AFTER_CASES; i++) {
        const after_case *c = &after_cases[i];
        CHECK(open_after(&endpoint, c));
        for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++) {
            CHECK(make_after(c, ways[way]));
            CHECK_MSG(send_one(&endpoint, GRACE) == 500, "%s: %s", c->schema, ways[way]);
            CHECK(is_logged("write failed: postgres: chatbot 123: not stored: a trigger"));
            CHECK(the_log.lines == 1);
            CHECK(send_one(&endpoint, "{},{\"external_id\":\"two\",\"name\":\"Grace\"}") == 500);
            CHECK(is_logged("leaves 1 of 2 contacts without its key or row"));
            CHECK(the_log.lines == 1);
            CHECK(is_stored(c, "123 one Ada"));
        }
        CHECK(send_one(&endpoint, ADA) == 200);
        pg_close(&endpoint);
    }
}

/* One contact of a group, and what is put for it. */
typedef struct member {
    bb_access access;
    bb_record record;
    const bb_record *records[1];
    bb_write write;
    char put[100]; /* the outcome, the name, and the name before */
} member;

static int32_t put_member(void *ctx, size_t index, int32_t outcome, const bb_contact *contact,
                          const bb_contact *before)
{
    member *m = ctx;
    bb_slice was = {"-", 1};

    (void)index;
    if (before != NULL)
        was = before->name;
    snprintf(m->put, sizeof m->put, "%d %.*s %.*s", (int)outcome, (int)contact->name.len,
             contact->name.data, (int)was.len, was.data);
    return BB_OK;
}

static void make_member(member *m, int64_t workspace, int64_t chatbot, const char *external_id)
{
    m->access = (bb_access){.size = sizeof m->access,
                            .workspace_id = workspace,
                            .chatbot_id = chatbot,
                            .now_us = 1700000000000000,
                            .deadline = bb_deadline_in(TEST_PATIENCE_MS)};
    m->record = (bb_record){.size = sizeof m->record,
                            .fields = BB_FIELD_NAME,
                            .flags = BB_RECORD_WANT_BEFORE,
                            .external_id = {external_id, strlen(external_id)},
                            .name = {"Grace", 5},
                            .stripe_accounts = {"[]", 2},
                            .custom_attributes = {"{}", 2}};
    m->records[0] = &m->record;
    m->write = (bb_write){.size = sizeof m->write,
                          .access = &m->access,
                          .records = m->records,
                          .record_count = 1,
                          .put = put_member,
                          .put_ctx = m};
    m->put[0] = '\0';
}

/* Writes "one" of 123, "two" of 124, and "three" for a stranger, in one transaction. */
static int32_t write_members(const test_endpoint *endpoint, member *members, int32_t *codes)
{
    const bb_storage *storage = endpoint->store.storage;
    const bb_write *writes[] = {&members[0].write, &members[1].write, &members[2].write};
    bb_write_group group = {.size = sizeof group,
                            .writes = writes,
                            .write_count = 3,
                            .codes = codes,
                            .now_us = 1700000000000000,
                            .deadline = bb_deadline_in(TEST_PATIENCE_MS)};
    void *session = NULL;
    bb_error error;
    int32_t code;

    bb_error_init(&error);
    make_member(&members[0], 1, 123, "one");
    make_member(&members[1], 1, 124, "two");
    make_member(&members[2], 2, 123, "three");
    memset(codes, 0, 3 * sizeof *codes);
    code = storage->vtable.session_open(storage->store, group.deadline, &session, &error);
    if (code == BB_OK) {
        code = storage->vtable.write_group(session, &group, &error);
        storage->vtable.session_close(session);
    }
    return code;
}

static void test_E2_what_triggers_do_after_a_group(void)
{
    test_endpoint endpoint;
    member members[3];
    int32_t codes[3];

    for (size_t i = 0; i < AFTER_CASES; i++) {
        const after_case *c = &after_cases[i];
        CHECK(open_after(&endpoint, c));
        CHECK(make_after(c, "DELETE FROM contacts WHERE external_id = 'two'"));
        CHECK_MSG(write_members(&endpoint, members, codes) != BB_OK, "%s", c->schema);
        CHECK(is_stored(c, "123 one Ada"));
        CHECK(make_after(c, "UPDATE contacts SET name = 'T' WHERE name <> 'T'"));
        CHECK(write_members(&endpoint, members, codes) == BB_OK);
        CHECK(codes[0] == BB_OK && codes[1] == BB_OK && codes[2] == BB_ERR_NOT_FOUND);
        CHECK_MSG(strcmp(members[0].put, "1 T Ada") == 0, "%s: %s", c->schema, members[0].put);
        CHECK_MSG(strcmp(members[1].put, "0 T -") == 0, "%s: %s", c->schema, members[1].put);
        CHECK(members[2].put[0] == '\0');
        CHECK(is_stored(c, "123 one T, 124 two T"));
        pg_close(&endpoint);
    }
}

/* ------------------------------------------------------------------------ rules, and ids in use */

/* Only the host's rule makes a 409; the log has its name and no value. */
static void test_E10_a_rule_of_the_hosts(void)
{
    test_endpoint endpoint;

    CHECK(open_schema(&endpoint, "ruled", 0));
    CHECK(run_sql("CREATE UNIQUE INDEX only_once ON ruled.contacts (email)"));
    CHECK(send_one(&endpoint, "{\"external_id\":\"a\",\"email\":\"a@b\"}") == 200);
    CHECK(send_one(&endpoint, "{\"external_id\":\"b\",\"email\":\"a@b\"}") == 409);
    CHECK(is_logged("3 refused: postgres: the uniqueness rule \"only_once\" is broken"));
    CHECK(the_log.lines == 1 && strstr(the_log.text, "a@b") == NULL);
    CHECK(make_raise("ruled", "Grace", "23505"));
    CHECK(send_one(&endpoint, GRACE) == 409);
    CHECK(is_logged("3 refused: postgres: a uniqueness rule without a name is broken"));
    CHECK(the_log.lines == 1);
    pg_close(&endpoint);
}

/* The answer to a dry run. */
static bb_result *send_dry(const test_endpoint *endpoint, const char *contacts)
{
    char body[1000];
    bb_request request =
        test_request(body, (size_t)snprintf(body, sizeof body, "{\"users\":[%s]}", contacts));

    forget_log();
    request.dry_run = 1;
    return bb_contacts_upsert(endpoint->contacts, &request);
}

static int is_dry(const test_endpoint *endpoint, const char *contacts, int32_t status,
                  const char *part)
{
    bb_result *result = send_dry(endpoint, contacts);
    int good = CHECK_MSG(bb_result_http_status(result) == status &&
                             strstr(bb_result_body(result, NULL), part) != NULL,
                         "%s", bb_result_body(result, NULL));

    bb_result_free(result);
    return good;
}

#define TRIED_STATE                                                                 \
    "SELECT string_agg(concat(external_id, email, xmin), ' ' ORDER BY external_id)" \
    " || (SELECT last_value FROM tried.contacts_id_seq) FROM tried.contacts"

/* What the host's rules and triggers say can only be known by trying; no id is drawn by that. */
static void test_A6_a_dry_run_tries_the_hosts_rules(void)
{
    test_endpoint endpoint;
    char before[200];
    char after[200];

    CHECK(open_schema(&endpoint, "tried", 0));
    CHECK(run_sql("CREATE UNIQUE INDEX only_once ON tried.contacts (email)"));
    CHECK(send_one(&endpoint, "{\"external_id\":\"a\",\"email\":\"a@b\"}") == 200);
    CHECK(test_postgres_sql(conninfo, TRIED_STATE, before, sizeof before) == 0);
    CHECK(is_dry(&endpoint, "{\"external_id\":\"b\",\"email\":\"a@b\"}", 409, "Error saving"));
    CHECK(is_logged("3 refused: postgres: the uniqueness rule \"only_once\" is broken"));
    CHECK(is_dry(&endpoint,
                 "{\"external_id\":\"a\",\"email\":\"c@d\"},"
                 "{\"external_id\":\"b\",\"email\":\"a@b\"}",
                 200, "{\"id\":null,\"external_id\":\"b\",\"name\":null,\"email\":\"a@b\""));
    CHECK(make_raise("tried", "Grace", "23505"));
    CHECK(is_dry(&endpoint, GRACE, 409, "Error saving"));
    CHECK(is_dry(&endpoint, ADA, 200, "\"name\":\"Ada\""));
    CHECK(test_postgres_sql(conninfo, TRIED_STATE, after, sizeof after) == 0);
    CHECK_MSG(strcmp(before, after) == 0, "%s, then %s", before, after);
    CHECK(send_one(&endpoint, ADA) == 200);
    CHECK(is_sql("SELECT max(id) FROM tried.contacts", "2"));
    pg_close(&endpoint);
}

/* A role that may not choose ids can't try; then only what can be read decides. */
static void test_A6_a_dry_run_of_a_role_without_rights(void)
{
    test_endpoint endpoint;
    char sql[400];

    CHECK(open_schema(&endpoint, "untried", 0));
    CHECK(run_sql("CREATE UNIQUE INDEX only_once ON untried.contacts (email)"));
    CHECK(send_one(&endpoint, "{\"external_id\":\"a\",\"email\":\"a@b\"}") == 200);
    pg_close(&endpoint);
    snprintf(sql, sizeof sql,
             "GRANT USAGE ON SCHEMA untried TO bb_test_%ld;"
             "GRANT ALL ON ALL TABLES IN SCHEMA untried TO bb_test_%ld;"
             "REVOKE INSERT ON untried.contacts FROM bb_test_%ld;"
             "GRANT INSERT (chatbot_id, external_id, name, email, phonenumber, stripe_accounts,"
             " custom_attributes, created_at, updated_at) ON untried.contacts TO bb_test_%ld",
             (long)getpid(), (long)getpid(), (long)getpid(), (long)getpid());
    CHECK(run_sql(sql));
    CHECK(open_at(&endpoint, as_role, "untried", 0));
    CHECK(is_dry(&endpoint, "{\"external_id\":\"b\",\"email\":\"a@b\"}", 200, "\"id\":null"));
    CHECK(send_one(&endpoint, "{\"external_id\":\"b\",\"email\":\"a@b\"}") == 409);
    pg_close(&endpoint);
}

#define BEHIND "SELECT setval('behind.contacts_id_seq', 1, false)"
#define ARE_UNIQUE                                                           \
    "SELECT count(*) = count(DISTINCT id) AND max(id) <= (SELECT last_value" \
    " FROM behind.contacts_id_seq) FROM behind.contacts"

/* As after a copy of the table without its sequence: no id is given out twice (E3). */
static void test_E3_ids_behind_the_table(void)
{
    static const char moved[] = "2 ids were behind the contacts'";
    test_endpoint endpoint;

    CHECK(open_schema(&endpoint, "behind", 0));
    CHECK(send_one(&endpoint, "{},{},{}") == 200);
    CHECK(run_sql(BEHIND));
    CHECK(send_to(&endpoint, "124", ADA) == 200);
    CHECK(is_logged(moved));
    CHECK(is_sql(ARE_UNIQUE, "t"));
    CHECK(run_sql(BEHIND));
    CHECK(send_one(&endpoint, ADA "," ADA ",{}") == 200);
    CHECK(is_logged(moved));
    CHECK(is_sql(ARE_UNIQUE, "t"));
    CHECK(run_sql(BEHIND));
    forget_log();
    CHECK(bb_storage_migrate(endpoint.store.storage, TEST_PATIENCE_MS, NULL) == BB_OK);
    CHECK(is_logged(moved));
    CHECK(is_sql(ARE_UNIQUE, "t"));
    /* a sequence that is ahead stays so */
    CHECK(run_sql("SELECT setval('behind.contacts_id_seq', 100)"));
    CHECK(bb_storage_migrate(endpoint.store.storage, TEST_PATIENCE_MS, NULL) == BB_OK);
    CHECK(is_sql("SELECT last_value FROM behind.contacts_id_seq", "100"));
    pg_close(&endpoint);
}

/* A role that may not move the sequence says who can. */
static void test_E3_ids_behind_for_a_role_without_rights(void)
{
    test_endpoint endpoint;
    char sql[300];

    CHECK(open_schema(&endpoint, "bound", 0));
    CHECK(send_one(&endpoint, "{},{},{}") == 200);
    pg_close(&endpoint);
    snprintf(sql, sizeof sql,
             "GRANT USAGE ON SCHEMA bound TO bb_test_%ld; GRANT ALL ON ALL TABLES IN SCHEMA bound"
             " TO bb_test_%ld; SELECT setval('bound.contacts_id_seq', 1, false)",
             (long)getpid(), (long)getpid());
    CHECK(run_sql(sql));
    CHECK(open_at(&endpoint, as_role, "bound", 0));
    CHECK(send_to(&endpoint, "124", ADA) == 500);
    CHECK(is_logged("an id that was drawn is another contact's: bb_storage_migrate()"));
    CHECK(the_log.lines <= 2); /* one may be about a connection */
    CHECK(is_sql("SELECT count(*) FROM bound.contacts", "3"));
    pg_close(&endpoint);
}

#define RULES                                                                      \
    "SELECT string_agg(pg_get_constraintdef(oid), ', ' ORDER BY contype, conname)" \
    " FROM pg_constraint WHERE conrelid = 'older.contacts'::regclass AND contype <> 'n'"

/* A table of version 1, in which contacts of several chatbots could share an id. */
static void test_E3_an_older_schema_with_ids_in_use_twice(void)
{
    test_endpoint endpoint;
    bb_error error;

    bb_error_init(&error);
    CHECK(open_schema(&endpoint, "older", 0));
    CHECK(is_sql(RULES, "PRIMARY KEY (chatbot_id, external_id), UNIQUE (id)"));
    CHECK(run_sql("ALTER TABLE older.contacts DROP CONSTRAINT contacts_id_key,"
                  " ADD UNIQUE (id, chatbot_id); UPDATE older.schema_version SET version = 1;"
                  "INSERT INTO older.contacts (chatbot_id, external_id, id, created_at, updated_at)"
                  " SELECT c, c::text, 7, now(), now() FROM generate_series(1, 3) c"));
    CHECK(bb_storage_migrate(endpoint.store.storage, TEST_PATIENCE_MS, &error) == BB_ERR_INTERNAL);
    CHECK(strstr(error.message, "SELECT id FROM older.contacts GROUP BY id") != NULL);
    CHECK(is_sql("SELECT version FROM older.schema_version", "1"));
    CHECK(run_sql("UPDATE older.contacts SET id = 10 + chatbot_id WHERE chatbot_id > 1"));
    CHECK(bb_storage_migrate(endpoint.store.storage, TEST_PATIENCE_MS, &error) == BB_OK);
    CHECK(is_sql(RULES, "PRIMARY KEY (chatbot_id, external_id), UNIQUE (id)"));
    CHECK(is_sql("SELECT last_value FROM older.contacts_id_seq", "13"));
    pg_close(&endpoint);
}

/* An index that the host built before is used, and a constraint that he refers to is kept. */
static void test_E3_an_older_schema_that_is_prepared(void)
{
    test_endpoint endpoint;

    CHECK(open_schema(&endpoint, "older", 0));
    CHECK(run_sql("ALTER TABLE older.contacts DROP CONSTRAINT contacts_id_key,"
                  " ADD UNIQUE (id, chatbot_id); CREATE UNIQUE INDEX ready ON older.contacts (id);"
                  "CREATE TABLE older.notes (id bigint, chatbot_id bigint, FOREIGN KEY"
                  " (id, chatbot_id) REFERENCES older.contacts (id, chatbot_id));"
                  "UPDATE older.schema_version SET version = 1"));
    CHECK(bb_storage_migrate(endpoint.store.storage, TEST_PATIENCE_MS, NULL) == BB_OK);
    CHECK(is_sql(RULES, "PRIMARY KEY (chatbot_id, external_id), UNIQUE (id, chatbot_id)"));
    pg_close(&endpoint);
}

/* ----------------------------------------------------------------------------------- the whole */

/* A database, and a role that has no more than it is given. */
static int set_up(void)
{
    char sql[100];
    char role[40];

    conninfo = database.conninfo;
    snprintf(role, sizeof role, "bb_test_%ld", (long)getpid());
    as_role = test_postgres_as(conninfo, role);
    snprintf(sql, sizeof sql, "CREATE ROLE bb_test_%ld LOGIN", (long)getpid());
    return as_role != NULL && run_sql(sql);
}

static void tear_down(void)
{
    char sql[100];

    test_database_close(&database);
    free(as_role);
    snprintf(sql, sizeof sql, "DROP ROLE bb_test_%ld", (long)getpid());
    CHECK(test_postgres_server_sql(sql) == 0);
}

int main(void)
{
    int status = test_database_open(&database, "outcomes");

    if (status != 0)
        return status;
    if (!set_up())
        return 1;
    CHECK_TEST(test_E11_what_the_host_raises_is_a_500_at_once());
    CHECK_TEST(test_E11_a_host_that_raises_0A000_ends_no_connection());
    CHECK_TEST(test_E11_a_row_that_a_trigger_skips());
    CHECK_TEST(test_E11_a_row_that_a_policy_skips());
    CHECK_TEST(test_E11_expressions_that_fail());
    CHECK_TEST(test_E2_a_key_that_a_trigger_changes());
    CHECK_TEST(test_E2_a_value_that_a_trigger_changes_afterwards());
    CHECK_TEST(test_E2_a_contact_that_a_trigger_takes_away_afterwards());
    CHECK_TEST(test_E2_what_triggers_do_after_a_group());
    CHECK_TEST(test_E10_a_rule_of_the_hosts());
    CHECK_TEST(test_A6_a_dry_run_tries_the_hosts_rules());
    CHECK_TEST(test_A6_a_dry_run_of_a_role_without_rights());
    CHECK_TEST(test_E3_ids_behind_the_table());
    CHECK_TEST(test_E3_ids_behind_for_a_role_without_rights());
    CHECK_TEST(test_E3_an_older_schema_with_ids_in_use_twice());
    CHECK_TEST(test_E3_an_older_schema_that_is_prepared());
    tear_down();
    return check_status();
}

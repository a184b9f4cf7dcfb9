/*
 * test_own_schema.c: the host's own names, tables, roles and policies.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bb_contacts/storage.h"
#include "postgres/open.h"
#include "support/check.h"
#include "support/endpoint.h"
#include "support/postgres.h"
#include "support/wait.h"

static test_database database;
static char role[64];
static char *conninfo; /* of the tables' owner */
static char *as_role;  /* of the role that serves requests */

/* ------------------------------------------------------------------------------- what is shared */

static int run_sql(const char *sql)
{
    return test_postgres_sql(conninfo, sql, NULL, 0) == 0;
}

static int is_sql(const char *sql, const char *wanted)
{
    return test_postgres_gives(conninfo, sql, wanted);
}

/* Whether the role is refused an SQL statement. */
static int is_refused(const char *sql)
{
    int failed;

    fprintf(stderr, "expected: ");
    failed = test_postgres_sql(as_role, sql, NULL, 0) != 0;
    return failed;
}

/* The outcome of a request for one contact, or minus the HTTP status. */
static int32_t outcome_of(bb_result *result)
{
    int32_t status = bb_result_http_status(result);
    int32_t outcome = status == 200 ? bb_result_outcome(result, 0) : -status;

    bb_result_free(result);
    return outcome;
}

static int32_t send_name(const test_endpoint *endpoint, const char *name)
{
    char body[200];
    int len = snprintf(body, sizeof body, "{\"users\":[{\"external_id\":\"one\",\"name\":\"%s\"}]}",
                       name);

    return outcome_of(test_send(endpoint, body, (size_t)len));
}

static int32_t send_with_key(const test_endpoint *endpoint, const char *chatbot, const char *header)
{
    static const char body[] = "{\"users\":[{\"external_id\":\"by key\"}]}";
    bb_request request;

    bb_request_init(&request);
    request.chatbot_id = chatbot;
    request.chatbot_id_len = strlen(chatbot);
    request.authorization = header;
    request.authorization_len = strlen(header);
    request.body = body;
    request.body_len = sizeof body - 1;
    return outcome_of(bb_contacts_upsert(endpoint->contacts, &request));
}

/* Creates, updates and repeats a contact. */
static void check_writes(const test_endpoint *endpoint)
{
    CHECK(send_name(endpoint, "Ada") == BB_CREATED);
    CHECK(send_name(endpoint, "Grace") == BB_UPDATED);
    CHECK(send_name(endpoint, "Grace") == BB_UNCHANGED);
}

/* --------------------------------------------------------------------------------------- names */

static void test_names_of_any_spelling(void)
{
    bb_postgres_options options = pg_options_of("Odd \"schema\"; DROP TABLE x");
    test_endpoint endpoint;

    options.contacts_table = "Das Kontaktbuch";
    options.contacts_table_len = strlen(options.contacts_table);
    options.chatbots_table = "select";
    options.chatbots_table_len = strlen(options.chatbots_table);
    options.api_keys_table = "@contacts";
    options.api_keys_table_len = strlen(options.api_keys_table);
    options.version_table = "v'1";
    options.version_table_len = strlen(options.version_table);
    CHECK(pg_open(&endpoint, conninfo, &options));
    CHECK(bb_storage_migrate(endpoint.store.storage, TEST_PATIENCE_MS, NULL) == BB_OK);
    CHECK(bb_storage_chatbot_add(endpoint.store.storage, 123, 1, TEST_PATIENCE_MS, NULL) == BB_OK);
    check_writes(&endpoint);
    CHECK(is_sql("SELECT string_agg(relname, ',' ORDER BY relname COLLATE \"C\")"
                 " FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
                 " WHERE nspname = 'Odd \"schema\"; DROP TABLE x' AND relkind = 'r'",
                 "@contacts,Das Kontaktbuch,select,v'1"));
    CHECK(is_sql("SELECT name FROM \"Odd \"\"schema\"\"; DROP TABLE x\".\"Das Kontaktbuch\"",
                 "Grace"));
    CHECK(is_sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'bb_contacts'", "0"));
    pg_close(&endpoint);
}

static int32_t open_with(const bb_postgres_options *options)
{
    bb_storage *storage = NULL;
    int32_t code =
        bb_storage_open_postgres_with(conninfo, strlen(conninfo), NULL, options, &storage, NULL);

    bb_storage_close(storage);
    return code;
}

static void test_names_that_are_refused(void)
{
    static const char long_name[] = "1234567890123456789012345678901234567890"
                                    "123456789012345678901234";
    bb_postgres_options options = pg_options_of(long_name);

    CHECK(open_with(&options) == BB_ERR_ARGUMENT);
    options.schema_len = 63;
    CHECK(open_with(&options) == BB_OK);
    options.schema_len = 0;
    CHECK(open_with(&options) == BB_ERR_ARGUMENT);
    options = pg_options_of("a");
    options.contacts_table = "a\0b";
    options.contacts_table_len = 3;
    CHECK(open_with(&options) == BB_ERR_ARGUMENT);
    options = pg_options_of("a");
    options.size = 8;
    CHECK(open_with(&options) == BB_ERR_ARGUMENT);
}

/* Fails one allocation, and counts what is not freed. */
typedef struct short_memory {
    int left; /* allocations until the one that fails */
    int held;
} short_memory;

static void *short_alloc(void *ctx, size_t size)
{
    short_memory *memory = ctx;

    if (memory->left-- == 0)
        return NULL;
    memory->held++;
    return malloc(size);
}

static void *short_realloc(void *ctx, void *ptr, size_t old_size, size_t size)
{
    short_memory *memory = ctx;

    (void)old_size;
    return memory->left-- == 0 ? NULL : realloc(ptr, size);
}

static void short_free(void *ctx, void *ptr)
{
    ((short_memory *)ctx)->held -= ptr != NULL;
    free(ptr);
}

static void test_memory_that_runs_out(void)
{
    bb_postgres_options options = pg_options_of("any");
    short_memory memory = {0, 0};
    const bb_allocator allocator = {&memory, short_alloc, short_realloc, short_free};
    bb_storage_options common;
    bb_storage *storage = NULL;
    int32_t code = BB_ERR_NOMEM;
    int tries = 0;

    bb_storage_options_init(&common);
    common.allocator = &allocator;
    options.role = "somebody";
    options.role_len = 8;
    for (; code == BB_ERR_NOMEM && tries < 1000; tries++) {
        memory.left = tries;
        code = bb_storage_open_postgres_with("", 0, &common, &options, &storage, NULL);
        CHECK(code == BB_OK || memory.held == 0);
    }
    CHECK(code == BB_OK && tries > 10);
    bb_storage_close(storage);
    CHECK(memory.held == 0);
}

/* -------------------------------------------------------------------------------------- access */

/* Keys as hexadecimal text with a state, bots by uuid and a number, members in between. */
static const char host_tables[] =
    "CREATE SCHEMA host;"
    "CREATE TABLE host.tokens (digest text PRIMARY KEY, state text, team text);"
    "CREATE TABLE host.bots (uid uuid PRIMARY KEY DEFAULT gen_random_uuid(), number integer UNIQUE,"
    " team text, gone boolean DEFAULT false);"
    "CREATE TABLE host.teams (team text PRIMARY KEY, tenant integer);"
    "INSERT INTO host.teams VALUES ('blue', 1), ('red', 2);"
    "INSERT INTO host.bots (number, team, gone) VALUES (123, 'blue', false), (124, 'red', false),"
    " (125, 'blue', true);"
    "INSERT INTO host.tokens SELECT encode(sha256(t::bytea), 'hex'), s, 'blue'"
    " FROM (VALUES ('oc_live_good', 'on'), ('oc_live_off', 'off')) v (t, s)";

static const char host_access[] =
    "SELECT CASE WHEN caller.team IS NULL THEN 0"
    " WHEN EXISTS (SELECT FROM host.bots WHERE number = $4 AND team = caller.team AND NOT gone)"
    " THEN 2 ELSE 1 END"
    " FROM (SELECT coalesce("
    "(SELECT team FROM host.tokens WHERE digest = encode($1, 'hex') AND state = 'on'),"
    " (SELECT team FROM host.teams WHERE tenant = $2 AND $1 IS NULL)) AS team) caller"
    " -- ends in a comment";

static void test_access_by_the_hosts_own_tables(void)
{
    bb_postgres_options options = pg_options_of("own_access");
    test_endpoint endpoint;

    options.access_sql = host_access;
    options.access_sql_len = sizeof host_access - 1;
    CHECK(run_sql(host_tables));
    CHECK(pg_open(&endpoint, conninfo, &options));
    check_writes(&endpoint); /* as the principal of workspace 1, so of team blue */
    CHECK(send_with_key(&endpoint, "123", "Bearer oc_live_good") == BB_CREATED);
    CHECK(send_with_key(&endpoint, "123", "Bearer oc_live_off") == -401);
    CHECK(send_with_key(&endpoint, "123", "Bearer oc_live_unknown") == -401);
    CHECK(send_with_key(&endpoint, "124", "Bearer oc_live_good") == -404);
    CHECK(send_with_key(&endpoint, "125", "Bearer oc_live_good") == -404);
    CHECK(send_with_key(&endpoint, "9", "Bearer oc_live_good") == -404);
    CHECK(is_sql("SELECT count(*) FROM own_access.contacts", "2"));
    /* neither made nor filled by the library */
    CHECK(is_sql("SELECT string_agg(tablename, ',' ORDER BY tablename) FROM pg_tables"
                 " WHERE schemaname = 'own_access'",
                 "contacts,schema_version"));
    CHECK(bb_storage_chatbot_add(endpoint.store.storage, 1, 1, TEST_PATIENCE_MS, NULL) ==
          BB_ERR_UNSUPPORTED);
    pg_close(&endpoint);
}

static void check_answer(const char *sql, int32_t expected)
{
    bb_postgres_options options = pg_options_of("answers");
    test_endpoint endpoint;

    options.access_sql = sql;
    options.access_sql_len = strlen(sql);
    CHECK(pg_open(&endpoint, conninfo, &options));
    CHECK(send_name(&endpoint, "Grace") == expected);
    pg_close(&endpoint);
}

static void test_access_of_any_answer(void)
{
    check_answer("SELECT 2", BB_CREATED); /* uses no parameter */
    check_answer("SELECT 2::bigint", BB_UNCHANGED);
    check_answer("SELECT 1", -404);
    check_answer("SELECT 0", -401);
    check_answer("SELECT 3", -401);
    check_answer("SELECT NULL::integer", -401);
    check_answer("SELECT 2 WHERE false", -401);
    check_answer("SELECT nonsense", -500);
    check_answer("SELECT 2); DROP TABLE answers.contacts; SELECT (2", -500);
    CHECK(is_sql("SELECT count(*) FROM answers.contacts", "1"));
}

/* --------------------------------------------------------------------------------------- roles */

/* What \dp shows: who may do what with the tables and with single columns. */
static const char privileges[] =
    "SELECT string_agg(line, ' ' ORDER BY line COLLATE \"C\") FROM ("
    "SELECT relname || '=' || string_agg(privilege_type, ',' ORDER BY privilege_type) AS line"
    " FROM pg_class c, aclexplode(relacl) a WHERE relnamespace = 'narrow'::regnamespace"
    " AND relkind = 'r' AND grantee <> relowner GROUP BY relname"
    " UNION ALL SELECT relname || '.' || attname || '=' ||"
    " string_agg(privilege_type, ',' ORDER BY privilege_type)"
    " FROM pg_class c JOIN pg_attribute t ON attrelid = c.oid, aclexplode(attacl) a"
    " WHERE relnamespace = 'narrow'::regnamespace GROUP BY relname, attname) l";

static void test_least_privilege(void)
{
    bb_postgres_options options = pg_options_of("narrow");
    test_endpoint endpoint;

    options.role = role;
    options.role_len = strlen(role);
    CHECK(pg_open(&endpoint, conninfo, &options));
    CHECK(bb_storage_chatbot_add(endpoint.store.storage, 123, 1, TEST_PATIENCE_MS, NULL) == BB_OK);
    pg_close(&endpoint);
    CHECK(is_sql(privileges,
                 "api_keys=SELECT chatbots=SELECT contacts.chatbot_id=INSERT"
                 " contacts.created_at=INSERT contacts.custom_attributes=INSERT,UPDATE"
                 " contacts.email=INSERT,UPDATE contacts.external_id=INSERT"
                 " contacts.name=INSERT,UPDATE contacts.phonenumber=INSERT,UPDATE"
                 " contacts.stripe_accounts=INSERT,UPDATE contacts.updated_at=INSERT,UPDATE"
                 " contacts=SELECT schema_version=SELECT"));
    CHECK(pg_open(&endpoint, as_role, &options)); /* migrate() finds nothing to do */
    check_writes(&endpoint);
    CHECK(bb_storage_chatbot_add(endpoint.store.storage, 124, 1, TEST_PATIENCE_MS, NULL) ==
          BB_ERR_INTERNAL);
    pg_close(&endpoint);
    CHECK(is_refused("CREATE TABLE narrow.mine ()"));
    CHECK(is_refused("DELETE FROM narrow.contacts"));
    CHECK(is_refused("UPDATE narrow.contacts SET id = 5"));
    CHECK(is_refused("UPDATE narrow.chatbots SET workspace_id = 5"));
}

/* The policy admits only the tenant that the access query names. */
static void test_row_level_security(void)
{
    static const char access[] =
        "SELECT CASE WHEN set_config('host.chatbot', $4::text, true) = '124' THEN 1 ELSE 2 END";
    bb_postgres_options options = pg_options_of("tenants");
    test_endpoint endpoint;

    options.role = role;
    options.role_len = strlen(role);
    options.access_sql = access;
    options.access_sql_len = sizeof access - 1;
    CHECK(pg_open(&endpoint, conninfo, &options));
    pg_close(&endpoint);
    CHECK(run_sql("ALTER TABLE tenants.contacts ENABLE ROW LEVEL SECURITY"));
    CHECK(run_sql("CREATE POLICY tenant ON tenants.contacts"
                  " USING (chatbot_id = current_setting('host.chatbot', true)::bigint)"));
    CHECK(pg_open(&endpoint, as_role, &options));
    check_writes(&endpoint);
    pg_close(&endpoint);
    options.access_sql = "SELECT 2"; /* does not say whose rows */
    options.access_sql_len = strlen(options.access_sql);
    CHECK(pg_open(&endpoint, as_role, &options));
    CHECK(send_name(&endpoint, "Eve") == -500);
    pg_close(&endpoint);
    CHECK(is_sql("SELECT string_agg(name, ',') FROM tenants.contacts", "Grace"));
}

/* ------------------------------------------------------------------------------ printed schema */

/* All that is in a schema, without its name. */
static const char contents[] =
    "SELECT md5(string_agg(line, E'\\n' ORDER BY line)) FROM ("
    "SELECT concat_ws(' ', relname, attname, atttypid::regtype, attnotnull, attidentity,"
    " attcollation, attacl, relacl, reloptions, pg_get_expr(adbin, adrelid)) AS line"
    " FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid"
    " LEFT JOIN pg_attrdef d ON adrelid = c.oid AND adnum = attnum"
    " WHERE relnamespace = '%s'::regnamespace AND attnum > 0"
    " UNION ALL SELECT conrelid::regclass::text || pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = '%s'::regnamespace) l";

static int contents_of(const char *schema, char *found, size_t size)
{
    char sql[1200];

    snprintf(sql, sizeof sql, contents, schema, schema);
    return run_sql("SELECT 1") && test_postgres_sql(conninfo, sql, found, size) == 0;
}

static void test_printed_schema(void)
{
    bb_postgres_options options = pg_options_of("printed");
    char made[64] = "", printed[64] = "";
    test_endpoint endpoint;
    size_t len = 0, again = 0;
    char *script;

    options.role = role;
    options.role_len = strlen(role);
    CHECK(bb_postgres_schema_sql(&options, 0, NULL, 0, &len, NULL) == BB_ERR_ARGUMENT);
    script = malloc(len + 1);
    if (script == NULL || len == 0)
        abort();
    CHECK(bb_postgres_schema_sql(&options, 0, script, len, &again, NULL) == BB_ERR_ARGUMENT);
    CHECK(bb_postgres_schema_sql(&options, 0, script, len + 1, &again, NULL) == BB_OK);
    CHECK(again == len && strlen(script) == len);
    CHECK(pg_open(&endpoint, conninfo, &options));
    pg_close(&endpoint);
    CHECK(contents_of("printed", made, sizeof made));
    CHECK(run_sql("DROP SCHEMA printed CASCADE"));
    CHECK(run_sql(script)); /* the same by hand */
    CHECK(contents_of("printed", printed, sizeof printed));
    CHECK(made[0] != '\0' && strcmp(made, printed) == 0);
    CHECK(pg_open(&endpoint, as_role, &options));
    pg_close(&endpoint);
    CHECK(bb_postgres_schema_sql(&options, 2, script, len + 1, &again, NULL) == BB_OK);
    /* only what Citus may need, should it have come meanwhile */
    CHECK(strncmp(script, "BEGIN;\nDO $bb_citus$", 20) == 0);
    CHECK(strstr(script, "CREATE") == NULL && strstr(script, "INSERT INTO") == NULL);
    CHECK(bb_postgres_schema_sql(&options, 3, script, len + 1, &again, NULL) == BB_ERR_ARGUMENT);
    free(script);
}

/* ------------------------------------------------------------------------------------ triggers */

/* Whether one contact, sent with this name, is answered with this outcome and this text. */
static int is_answered(const test_endpoint *endpoint, const char *id, const char *name,
                       int32_t outcome, const char *text)
{
    char body[200];
    int len = snprintf(body, sizeof body, "{\"users\":[{\"external_id\":\"%s\",\"name\":\"%s\"}]}",
                       id, name);
    bb_result *result = test_send(endpoint, body, (size_t)len);
    int ok = bb_result_http_status(result) == 200 && bb_result_outcome(result, 0) == outcome &&
             strstr(bb_result_body(result, NULL), text) != NULL;

    if (!ok)
        fprintf(stderr, "%s: %s\n", body, bb_result_body(result, NULL));
    bb_result_free(result);
    return ok;
}

/* The answer has the value that a trigger of the host's makes, even if the trigger comes while the
 * store is in use. */
static void test_triggers_that_change_values(void)
{
    bb_postgres_options options = pg_options_of("triggered");
    test_endpoint endpoint;

    CHECK(pg_open(&endpoint, conninfo, &options));
    CHECK(bb_storage_chatbot_add(endpoint.store.storage, 123, 1, TEST_PATIENCE_MS, NULL) == BB_OK);
    CHECK(is_answered(&endpoint, "one", "Ada", BB_CREATED, "\"name\":\"Ada\""));
    CHECK(is_answered(&endpoint, "one", "Ada", BB_UNCHANGED, "\"name\":\"Ada\""));
    CHECK(run_sql("CREATE FUNCTION triggered.shout() RETURNS trigger LANGUAGE plpgsql AS"
                  " $$BEGIN NEW.name := upper(NEW.name); RETURN NEW; END$$;"
                  " CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON triggered.contacts"
                  " FOR EACH ROW EXECUTE FUNCTION triggered.shout()"));
    CHECK(is_answered(&endpoint, "one", "Grace", BB_UPDATED, "\"name\":\"GRACE\""));
    CHECK(is_answered(&endpoint, "one", "GRACE", BB_UNCHANGED, "\"name\":\"GRACE\""));
    CHECK(is_answered(&endpoint, "two", "Mary", BB_CREATED, "\"name\":\"MARY\""));
    CHECK(is_sql("SELECT string_agg(name, ',' ORDER BY id) FROM triggered.contacts", "GRACE,MARY"));
    CHECK(is_sql("SELECT string_agg(id::text, ',' ORDER BY id) FROM triggered.contacts", "1,2"));
    CHECK(run_sql("DROP TRIGGER shout ON triggered.contacts"));
    CHECK(is_answered(&endpoint, "two", "Jane", BB_UPDATED, "\"name\":\"Jane\""));
    pg_close(&endpoint);
}

/* The trigger of one partition, which the partitioned table does not show. */
static void test_triggers_of_a_partition(void)
{
    bb_postgres_options options = pg_options_of("parted");
    test_endpoint endpoint;

    CHECK(pg_open(&endpoint, conninfo, &options));
    CHECK(bb_storage_chatbot_add(endpoint.store.storage, 123, 1, TEST_PATIENCE_MS, NULL) == BB_OK);
    CHECK(run_sql("ALTER TABLE parted.contacts RENAME TO before;"
                  " ALTER TABLE parted.before DROP CONSTRAINT contacts_id_key,"
                  " ADD UNIQUE (id, chatbot_id);"
                  " CREATE TABLE parted.contacts (LIKE parted.before INCLUDING ALL)"
                  " PARTITION BY HASH (chatbot_id);"
                  " CREATE TABLE parted.only PARTITION OF parted.contacts"
                  " FOR VALUES WITH (MODULUS 1, REMAINDER 0);"
                  " CREATE FUNCTION parted.shout() RETURNS trigger LANGUAGE plpgsql AS"
                  " $$BEGIN NEW.name := upper(NEW.name); RETURN NEW; END$$;"
                  " CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON parted.only"
                  " FOR EACH ROW EXECUTE FUNCTION parted.shout()"));
    CHECK(is_answered(&endpoint, "one", "Ada", BB_CREATED, "\"name\":\"ADA\""));
    CHECK(is_answered(&endpoint, "one", "Grace", BB_UPDATED, "\"name\":\"GRACE\""));
    CHECK(is_answered(&endpoint, "one", "GRACE", BB_UNCHANGED, "\"name\":\"GRACE\""));
    pg_close(&endpoint);
}

/* ------------------------------------------------------------------------- rules of the host's */

/* The status of a request whose entries are these. */
static int32_t status_of(const test_endpoint *endpoint, const char *users)
{
    char body[500];
    int len = snprintf(body, sizeof body, "{\"users\":[%s]}", users);
    bb_result *result = test_send(endpoint, body, (size_t)len);
    int32_t status = bb_result_http_status(result);

    bb_result_free(result);
    return status;
}

/* A value that one entry gives up can be taken by a later one, as by a later request, whatever the
 * order of their keys, but not by an earlier one. */
static void test_E1_E10_a_value_is_handed_over(void)
{
    bb_postgres_options options = pg_options_of("handed_over");
    test_endpoint endpoint;

    CHECK(pg_open(&endpoint, conninfo, &options));
    CHECK(bb_storage_chatbot_add(endpoint.store.storage, 123, 1, 0, NULL) == BB_OK);
    CHECK(run_sql("CREATE UNIQUE INDEX ON handed_over.contacts (email)"));
    CHECK(status_of(&endpoint, "{\"external_id\":\"a\"},{\"external_id\":\"b\",\"email\":\"e\"},"
                               "{\"external_id\":\"c\",\"email\":\"f\"}") == 200);
    CHECK(status_of(&endpoint, "{\"external_id\":\"a\",\"email\":\"e\"},"
                               "{\"external_id\":\"b\",\"email\":null}") == 409);
    CHECK(status_of(&endpoint, "{\"external_id\":\"b\",\"email\":null},"
                               "{\"external_id\":\"a\",\"email\":\"e\"}") == 200);
    CHECK(status_of(&endpoint, "{\"external_id\":\"c\",\"email\":\"g\"},"
                               "{\"external_id\":\"b\",\"email\":\"f\"},"
                               "{\"external_id\":\"new\"},"
                               "{\"external_id\":\"a\",\"email\":null},"
                               "{\"external_id\":\"also new\",\"email\":\"e\"}") == 200);
    CHECK(status_of(&endpoint, "{\"external_id\":\"a\",\"email\":\"h\"},"
                               "{\"external_id\":\"b\",\"email\":null},"
                               "{\"external_id\":\"a\",\"email\":\"f\"}") == 200);
    CHECK(status_of(&endpoint, "{\"external_id\":\"b\",\"email\":\"g\"},"
                               "{\"external_id\":\"c\",\"email\":\"g\"}") == 409);
    CHECK(is_sql("SELECT string_agg(external_id || '=' || coalesce(email, ''), ' '"
                 " ORDER BY external_id) FROM handed_over.contacts",
                 "a=f also new=e b= c=g new="));
    pg_close(&endpoint);
}

/* ---------------------------------------------------------------------------------- partitions */

/* Divides a schema's contacts into 64 partitions by a key. A trigger notes how many of them a write
 * has locked, and so how many its plan holds. */
static int divide(const char *schema, const char *key, const char *values)
{
    static const char format[] =
        "SET search_path = %s;"
        " ALTER TABLE contacts RENAME TO before;"
        " ALTER TABLE before DROP CONSTRAINT contacts_id_key, ADD UNIQUE (id, chatbot_id);"
        " CREATE TABLE contacts (LIKE before INCLUDING ALL) PARTITION BY %s;"
        " CREATE TABLE locked (partitions bigint);"
        " DO $$BEGIN FOR i IN 0..63 LOOP"
        " EXECUTE format('CREATE TABLE part_%%s PARTITION OF contacts FOR VALUES %s', i, i, i + 1);"
        " END LOOP; END$$;"
        " CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SET search_path = %s AS"
        " $$BEGIN INSERT INTO locked SELECT count(DISTINCT c.oid) FROM pg_locks l JOIN pg_class c"
        " ON c.oid = l.relation WHERE l.pid = pg_backend_pid() AND starts_with(relname, 'part_')"
        " AND relkind = 'r'; RETURN NEW; END$$;"
        " CREATE TRIGGER note BEFORE UPDATE ON contacts FOR EACH ROW EXECUTE FUNCTION note()";
    char sql[2000];

    snprintf(sql, sizeof sql, format, schema, key, values, schema);
    return run_sql(sql);
}

/* A write locks only the partitions that hold its chatbot, whatever their number, even if the table
 * was divided while the store was in use. */
static void check_partitions(const char *schema, const char *key, const char *values)
{
    bb_postgres_options options = pg_options_of(schema);
    test_endpoint endpoint;
    char sql[100];

    CHECK(pg_open(&endpoint, conninfo, &options));
    CHECK(bb_storage_chatbot_add(endpoint.store.storage, 123, 1, 0, NULL) == BB_OK);
    CHECK(send_name(&endpoint, "Ada") == BB_CREATED);
    CHECK(divide(schema, key, values));
    for (int i = 0; i < 2; i++) {
        check_writes(&endpoint);
        snprintf(sql, sizeof sql, "SELECT string_agg(partitions::text, ',') FROM %s.locked",
                 schema);
        CHECK(is_sql(sql, "1"));
        snprintf(sql, sizeof sql, "TRUNCATE %s.locked, %s.contacts", schema, schema);
        CHECK(run_sql(sql));
    }
    pg_close(&endpoint);
}

static void test_E11_writes_to_one_of_many_partitions(void)
{
    check_partitions("by_hash", "HASH (chatbot_id)", "WITH (MODULUS 64, REMAINDER %s)");
    check_partitions("by_range", "RANGE (chatbot_id)", "FROM (%s * 10) TO (%s * 10)");
}

/* ----------------------------------------------------------------------- columns of the host's */

/* Texts are compared byte by byte, whatever the column's collation takes for equal. */
static void test_a_collation_without_case(void)
{
    bb_postgres_options options = pg_options_of("caseless");
    test_endpoint endpoint;

    CHECK(pg_open(&endpoint, conninfo, &options));
    CHECK(bb_storage_chatbot_add(endpoint.store.storage, 123, 1, TEST_PATIENCE_MS, NULL) == BB_OK);
    CHECK(run_sql("CREATE COLLATION caseless.any (provider = icu, locale = 'und-u-ks-level2',"
                  " deterministic = false);"
                  " ALTER TABLE caseless.contacts ALTER name TYPE text COLLATE caseless.any"));
    CHECK(is_answered(&endpoint, "one", "Ada", BB_CREATED, "\"name\":\"Ada\""));
    CHECK(is_answered(&endpoint, "one", "ADA", BB_UPDATED, "\"name\":\"ADA\""));
    CHECK(is_answered(&endpoint, "one", "ADA", BB_UNCHANGED, "\"name\":\"ADA\""));
    CHECK(is_sql("SELECT name FROM caseless.contacts", "ADA"));
    pg_close(&endpoint);
}

/* Where someone else wrote NULL, the answer has the value of a new contact. */
static void test_json_that_is_missing(void)
{
    bb_postgres_options options = pg_options_of("missing");
    test_endpoint endpoint;

    CHECK(pg_open(&endpoint, conninfo, &options));
    CHECK(bb_storage_chatbot_add(endpoint.store.storage, 123, 1, TEST_PATIENCE_MS, NULL) == BB_OK);
    CHECK(is_answered(&endpoint, "one", "Ada", BB_CREATED, "\"name\":\"Ada\""));
    CHECK(run_sql("ALTER TABLE missing.contacts ALTER stripe_accounts DROP NOT NULL,"
                  " ALTER custom_attributes DROP NOT NULL;"
                  " UPDATE missing.contacts SET stripe_accounts = NULL, custom_attributes = NULL"));
    CHECK(is_answered(&endpoint, "one", "Ada", BB_UNCHANGED,
                      "\"stripe_accounts\":[],\"custom_attributes\":{},"));
    pg_close(&endpoint);
}

/* A query of the host's without an index is not compiled for each request, though its transaction
 * makes sequential scans expensive. */
static void test_access_without_an_index(void)
{
    static const char query[] = "SELECT 2 FROM unindexed.tokens WHERE bot = $4"
                                " AND current_setting('jit') = 'off'";
    bb_postgres_options options = pg_options_of("unindexed");
    test_endpoint endpoint;

    options.access_sql = query;
    options.access_sql_len = sizeof query - 1;
    CHECK(run_sql("CREATE SCHEMA unindexed; CREATE TABLE unindexed.tokens (bot bigint);"
                  " INSERT INTO unindexed.tokens VALUES (123)"));
    CHECK(pg_open(&endpoint, conninfo, &options));
    CHECK(is_answered(&endpoint, "one", "Ada", BB_CREATED, "\"name\":\"Ada\""));
    pg_close(&endpoint);
}

/* ----------------------------------------------------------------------------------- the whole */

static int set_up(void)
{
    char sql[200];

    conninfo = database.conninfo;
    snprintf(role, sizeof role, "bb_test_%ld_Web \"role\"", (long)getpid());
    snprintf(sql, sizeof sql, "CREATE ROLE \"bb_test_%ld_Web \"\"role\"\"\" LOGIN", (long)getpid());
    as_role = test_postgres_as(conninfo, role);
    return as_role != NULL && run_sql(sql);
}

static void tear_down(void)
{
    char sql[200];

    snprintf(sql, sizeof sql, "DROP ROLE \"bb_test_%ld_Web \"\"role\"\"\"", (long)getpid());
    test_database_close(&database);
    CHECK(test_postgres_server_sql(sql) == 0);
    free(as_role);
}

int main(void)
{
    int status = test_database_open(&database, "own");

    if (status != 0)
        return status;
    if (!set_up())
        return 1;
    CHECK_TEST(test_names_of_any_spelling());
    CHECK_TEST(test_names_that_are_refused());
    CHECK_TEST(test_memory_that_runs_out());
    CHECK_TEST(test_access_by_the_hosts_own_tables());
    CHECK_TEST(test_access_of_any_answer());
    CHECK_TEST(test_least_privilege());
    CHECK_TEST(test_row_level_security());
    CHECK_TEST(test_printed_schema());
    CHECK_TEST(test_triggers_that_change_values());
    CHECK_TEST(test_triggers_of_a_partition());
    CHECK_TEST(test_E1_E10_a_value_is_handed_over());
    CHECK_TEST(test_E11_writes_to_one_of_many_partitions());
    CHECK_TEST(test_a_collation_without_case());
    CHECK_TEST(test_json_that_is_missing());
    CHECK_TEST(test_access_without_an_index());
    tear_down();
    return check_status();
}

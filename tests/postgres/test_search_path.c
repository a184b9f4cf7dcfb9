/*
 * test_search_path.c: a schema of someone else's in front in the role's search_path, with
 * functions, operators and types like those of the catalog. The library uses none of them, and the
 * host's own SQL sees the path as it is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backends/postgres/wire/table_kind.h"
#include "bb_contacts/storage.h"
#include "execute/storage.h"
#include "postgres/open.h"
#include "support/check.h"
#include "support/endpoint.h"
#include "support/postgres.h"
#include "support/wait.h"

static test_database database;
static char role[64];
static char *conninfo; /* of the superuser */
static char *as_role;  /* of the role that migrates and serves requests */

/* ----------------------------------------------------------------------------- the evil schema */

/* Every function of the catalog that PL/pgSQL can have, with the same parameters; each counts that
 * it was called, which no rollback undoes, and fails. */
static const char evil_functions[] =
    "SET client_min_messages = warning;"
    "CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC;"
    "CREATE SEQUENCE evil.queries; GRANT ALL ON SEQUENCE evil.queries TO PUBLIC;"
    "CREATE FUNCTION public.make_evil(name text, parameters text, result text) RETURNS void"
    " LANGUAGE plpgsql AS $make$BEGIN"
    " EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s LANGUAGE plpgsql AS $$BEGIN"
    " PERFORM pg_catalog.nextval(''evil.queries''); RAISE EXCEPTION %L; END$$',"
    " name, parameters, result, 'evil.' || name);"
    " EXCEPTION WHEN invalid_function_definition OR feature_not_supported THEN END$make$;"
    "SELECT count(public.make_evil(proname, parameters, result)) FROM ("
    "SELECT proname,"
    " CASE WHEN proretset THEN 'SETOF ' ELSE '' END || prorettype::regtype AS result,"
    " (SELECT coalesce(string_agg(format('pg_catalog.%I', t.typname), ', ' ORDER BY n), '')"
    " FROM unnest(proargtypes) WITH ORDINALITY a (type, n) JOIN pg_type t ON t.oid = a.type)"
    " AS parameters"
    " FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f') f";

/* Functions that fit better than the catalog's, aggregates, operators and types; and a collation
 * that queries two texts the same that are not. */
static const char evil_others[] =
    "SET client_min_messages = warning;"
    "SELECT public.make_evil(name, parameters, 'bigint') FROM (VALUES"
    " ('sqrt', 'integer'), ('sqrt', 'bigint'), ('width_bucket', 'integer, integer, integer, "
    "integer'),"
    " ('generate_subscripts', 'text[], integer'), ('unnest', 'text[]'), ('unnest', 'jsonb[]'),"
    " ('unnest', 'bigint[]'), ('unnest', 'integer[]'), ('regclass_is', 'oid, regclass'),"
    " ('step', 'bigint'), ('step', 'bigint, anyelement'), ('substr', 'text, bigint, integer')"
    ") v (name, parameters);"
    "CREATE AGGREGATE evil.count(*) (SFUNC = evil.step, STYPE = bigint, INITCOND = 0);"
    "CREATE AGGREGATE evil.count(anyelement) (SFUNC = evil.step, STYPE = bigint, INITCOND = 0);"
    "CREATE OPERATOR evil.= (FUNCTION = evil.regclass_is, LEFTARG = oid, RIGHTARG = regclass);"
    "DO $do$DECLARE o record; BEGIN FOR o IN SELECT oprname, proname,"
    " CASE WHEN oprleft <> 0 THEN 'LEFTARG = pg_catalog.' || l.typname || ', ' ELSE '' END"
    " || 'RIGHTARG = pg_catalog.' || quote_ident(r.typname) AS sides"
    " FROM pg_operator LEFT JOIN pg_type l ON l.oid = oprleft JOIN pg_type r ON r.oid = oprright"
    " JOIN pg_proc p ON p.oid = oprcode WHERE oprnamespace = 'pg_catalog'::regnamespace LOOP"
    " BEGIN EXECUTE format('CREATE OPERATOR evil.%s (FUNCTION = evil.%I, %s)', o.oprname, "
    "o.proname,"
    " o.sides); EXCEPTION WHEN undefined_function OR syntax_error OR invalid_function_definition"
    " THEN END; END LOOP; END$do$;"
    "SELECT public.make_evil('is_used', '', 'boolean');"
    "DO $do$DECLARE t name; BEGIN FOR t IN SELECT typname FROM pg_type"
    " WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typelem = 0 LOOP"
    " EXECUTE format('CREATE DOMAIN evil.%I AS pg_catalog.%I CHECK (evil.is_used())', t, t);"
    " END LOOP; END$do$;"
    "CREATE COLLATION evil.\"C\" (provider = icu, locale = 'und-u-ks-level2', deterministic = "
    "false)";

/* What the host queries by names alone; and a function of his that says which path there is. */
static const char host_functions[] =
    "CREATE SCHEMA host; GRANT USAGE ON SCHEMA host TO PUBLIC;"
    "CREATE TABLE host.seen (path pg_catalog.text); GRANT ALL ON host.seen TO PUBLIC;"
    "CREATE FUNCTION host.look() RETURNS integer LANGUAGE sql AS"
    " $$INSERT INTO host.seen SELECT pg_catalog.current_setting('search_path'); SELECT 2$$;"
    "CREATE FUNCTION host.shout() RETURNS trigger LANGUAGE plpgsql AS"
    " $$BEGIN PERFORM look(); NEW.name := pg_catalog.upper(NEW.name); RETURN NEW; END$$";

/* ------------------------------------------------------------------------------- what is shared */

static int run_sql(const char *sql)
{
    return test_postgres_sql(conninfo, sql, NULL, 0) == 0;
}

static int is_sql(const char *sql, const char *wanted)
{
    return test_postgres_gives(conninfo, sql, wanted);
}

static int is_untouched(void)
{
    return is_sql("SELECT is_called FROM evil.queries", "f");
}

static int set_path(const char *path)
{
    char sql[200];

    snprintf(sql, sizeof sql, "ALTER ROLE %s SET search_path = %s", role, path);
    return run_sql(sql);
}

/* The outcome of a request for one contact, or minus the HTTP status. */
static int32_t send_name(const test_endpoint *endpoint, const char *id, const char *name)
{
    char body[200];
    int len = snprintf(body, sizeof body, "{\"users\":[{\"external_id\":\"%s\",\"name\":\"%s\"}]}",
                       id, name);
    bb_result *result = test_send(endpoint, body, (size_t)len);
    int32_t status = bb_result_http_status(result);
    int32_t outcome = status == 200 ? bb_result_outcome(result, 0) : -status;

    bb_result_free(result);
    return outcome;
}

/* ------------------------------------------------------------------------ what the library does */

static int32_t send_key(const test_endpoint *endpoint, const char *key)
{
    static const char body[] = "{\"users\":[{\"external_id\":\"by key\"}]}";
    char header[BB_KEY_SIZE + 10];
    bb_request request;
    bb_result *result;
    int32_t status;

    snprintf(header, sizeof header, "Bearer %s", key);
    bb_request_init(&request);
    request.chatbot_id = "123";
    request.chatbot_id_len = 3;
    request.authorization = header;
    request.authorization_len = strlen(header);
    request.body = body;
    request.body_len = sizeof body - 1;
    result = bb_contacts_upsert(endpoint->contacts, &request);
    status = bb_result_http_status(result);
    bb_result_free(result);
    return status;
}

static void check_administration(const test_endpoint *endpoint)
{
    bb_storage *storage = endpoint->store.storage;
    char key[BB_KEY_SIZE];
    bb_key_options options;

    CHECK(bb_storage_chatbot_add(storage, 123, 1, TEST_PATIENCE_MS, NULL) == BB_OK);
    CHECK(bb_storage_chatbot_add(storage, 123, 2, TEST_PATIENCE_MS, NULL) == BB_ERR_CONFLICT);
    CHECK(bb_storage_chatbot_add(storage, 124, 1, TEST_PATIENCE_MS, NULL) == BB_OK);
    CHECK(bb_storage_chatbot_archive(storage, 124, 1, TEST_PATIENCE_MS, NULL) == BB_OK);
    CHECK(bb_storage_chatbot_archive(storage, 124, 0, TEST_PATIENCE_MS, NULL) == BB_OK);
    bb_key_options_init(&options);
    options.workspace_id = 1;
    options.chatbot_id = 123;
    CHECK(bb_storage_key_add(storage, &options, key, sizeof key, TEST_PATIENCE_MS, NULL) == BB_OK);
    CHECK(send_key(endpoint, key) == 200);
    CHECK(bb_storage_key_revoke(storage, key, strlen(key), TEST_PATIENCE_MS, NULL) == BB_OK);
    CHECK(send_key(endpoint, key) == 401);
}

/* Texts that differ only in case are different. */
static void check_writes(const test_endpoint *endpoint, const char *id)
{
    CHECK(send_name(endpoint, id, "Ada") == BB_CREATED);
    CHECK(send_name(endpoint, id, "Grace") == BB_UPDATED);
    CHECK(send_name(endpoint, id, "GRACE") == BB_UPDATED);
    CHECK(send_name(endpoint, id, "GRACE") == BB_UNCHANGED);
}

static int32_t count_put(void *ctx, size_t index, int32_t outcome, const bb_contact *contact,
                         const bb_contact *before)
{
    (void)index;
    (void)outcome;
    (void)contact;
    (void)before;
    ++*(unsigned *)ctx;
    return BB_OK;
}

/* One contact each of two chatbots in one transaction. */
static void check_group(const bb_storage *storage)
{
    const bb_record record = {.size = sizeof record,
                              .external_id = {"in a group", 10},
                              .stripe_accounts = {"[]", 2},
                              .custom_attributes = {"{}", 2}};
    const bb_record *records[] = {&record};
    int64_t deadline = bb_deadline_in(TEST_PATIENCE_MS);
    bb_access access[2];
    bb_write writes[2];
    const bb_write *pointers[] = {&writes[0], &writes[1]};
    int32_t codes[2] = {BB_ERR_INTERNAL, BB_ERR_INTERNAL};
    const bb_write_group group = {.size = sizeof group,
                                  .writes = pointers,
                                  .write_count = 2,
                                  .codes = codes,
                                  .now_us = 1700000000000000,
                                  .deadline = deadline};
    unsigned puts = 0;
    void *session = NULL;
    bb_error error;

    bb_error_init(&error);
    for (int i = 0; i < 2; i++) {
        access[i] = (bb_access){.size = sizeof access[i],
                                .workspace_id = 1,
                                .chatbot_id = 123 + i,
                                .now_us = group.now_us,
                                .deadline = deadline};
        writes[i] = (bb_write){.size = sizeof writes[i],
                               .access = &access[i],
                               .records = records,
                               .record_count = 1,
                               .put = count_put,
                               .put_ctx = &puts};
    }
    CHECK(storage->vtable.session_open(storage->store, deadline, &session, &error) == BB_OK);
    if (session == NULL)
        return;
    CHECK(storage->vtable.write_group(session, &group, &error) == BB_OK);
    CHECK(codes[0] == BB_OK && codes[1] == BB_OK && puts == 2);
    storage->vtable.session_close(session);
}

/* Writes in every way, all of which work on ordinary tables. */
static void check_table_kinds(const test_endpoint *endpoint)
{
    bb_pg_store *store = endpoint->store.storage->store;

    check_writes(endpoint, "ordinary");
    check_group(endpoint->store.storage);
    atomic_store(&store->table_kind, BB_PG_TABLE_PARTITIONED);
    check_writes(endpoint, "partitioned");
    check_group(endpoint->store.storage);
    atomic_store(&store->table_kind, BB_PG_TABLE_CITUS);
    check_writes(endpoint, "on Citus");
}

static void check_all(const char *schema)
{
    bb_postgres_options options = pg_options_of(schema);
    test_endpoint endpoint;
    char sql[300];

    CHECK(pg_open(&endpoint, as_role, &options));
    if (endpoint.contacts == NULL)
        return;
    check_administration(&endpoint);
    check_table_kinds(&endpoint);
    CHECK(bb_storage_migrate(endpoint.store.storage, TEST_PATIENCE_MS, NULL) == BB_OK);
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM pg_attribute a, pg_type t, pg_class c WHERE a.atttypid = t.oid"
             " AND a.attrelid = c.oid AND c.relnamespace = '%s'::regnamespace AND attnum > 0"
             " AND (t.typnamespace <> 11 OR a.attcollation NOT IN (0, 100, 950))",
             schema);
    CHECK(is_sql(sql, "0"));
    pg_close(&endpoint);
    CHECK(is_untouched());
}

static void test_others_are_in_front(void)
{
    CHECK(set_path("evil, pg_catalog, host"));
    check_all("in_front");
}

/* If the path does not name the catalog, that is searched first; a better fit still wins. */
static void test_others_fit_better(void)
{
    CHECK(set_path("evil, host"));
    check_all("fit_better");
}

/* The script that someone else runs. */
static void test_the_printed_schema(void)
{
    bb_postgres_options options = pg_options_of("printed");
    size_t len;
    char *script = NULL;

    CHECK(set_path("evil, pg_catalog, host"));
    options.role = role;
    options.role_len = strlen(role);
    CHECK(bb_postgres_schema_sql(&options, 0, NULL, 0, &len, NULL) == BB_ERR_ARGUMENT);
    script = malloc(len + 1);
    if (script == NULL)
        return;
    CHECK(bb_postgres_schema_sql(&options, 0, script, len + 1, &len, NULL) == BB_OK);
    CHECK(test_postgres_sql(as_role, script, NULL, 0) == 0);
    CHECK(is_untouched());
    free(script);
}

/* --------------------------------------------------------------------------- what the host does */

static void test_the_host_sees_his_path(void)
{
    static const char access[] = "SELECT look() -- with a table of its own";
    bb_postgres_options options = pg_options_of("hosted");
    test_endpoint endpoint;

    CHECK(set_path("evil, pg_catalog, host"));
    options.access_sql = access;
    options.access_sql_len = sizeof access - 1;
    CHECK(pg_open(&endpoint, as_role, &options));
    CHECK(run_sql("CREATE TRIGGER shout BEFORE INSERT ON hosted.contacts FOR EACH ROW"
                  " EXECUTE FUNCTION host.shout()"));
    CHECK(send_name(&endpoint, "one", "Ada") == BB_CREATED);
    CHECK(is_sql("SELECT name FROM hosted.contacts", "ADA"));
    CHECK(is_sql("SELECT string_agg(DISTINCT path, '; ') || count(*) FROM host.seen",
                 "evil, pg_catalog, host2"));
    pg_close(&endpoint);
}

/* Names in constants, in a database where a backslash begins an escape. */
static void test_a_backslash_in_a_name(void)
{
    bb_postgres_options options = pg_options_of("a\\b'c\\");
    test_endpoint endpoint;
    char sql[200];

    CHECK(set_path("host"));
    snprintf(sql, sizeof sql, "ALTER ROLE %s SET standard_conforming_strings = off", role);
    CHECK(run_sql(sql));
    CHECK(pg_open(&endpoint, as_role, &options));
    CHECK(bb_storage_chatbot_add(endpoint.store.storage, 123, 1, TEST_PATIENCE_MS, NULL) == BB_OK);
    check_writes(&endpoint, "one");
    pg_close(&endpoint);
    snprintf(sql, sizeof sql, "ALTER ROLE %s RESET ALL", role);
    CHECK(run_sql(sql));
    CHECK(pg_open(&endpoint, as_role, &options));
    check_writes(&endpoint, "two");
    pg_close(&endpoint);
}

/* ------------------------------------------------------------------------------------ the whole */

static int set_up(void)
{
    char sql[300];

    conninfo = database.conninfo;
    snprintf(role, sizeof role, "bb_test_%ld_path", (long)getpid());
    snprintf(sql, sizeof sql, "CREATE ROLE %s LOGIN; GRANT CREATE ON DATABASE %s TO %s", role,
             database.name, role);
    as_role = test_postgres_as(conninfo, role);
    return as_role != NULL && run_sql(sql) && run_sql(evil_functions) && run_sql(evil_others) &&
           run_sql(host_functions);
}

static void tear_down(void)
{
    char sql[100];

    snprintf(sql, sizeof sql, "DROP ROLE %s", role);
    test_database_close(&database);
    CHECK(test_postgres_server_sql(sql) == 0);
    free(as_role);
}

int main(void)
{
    int status = test_database_open(&database, "path");

    if (status != 0)
        return status;
    if (!set_up())
        return 1;
    CHECK(is_sql("SELECT (SELECT count(*) FROM pg_proc WHERE pronamespace = 'evil'::regnamespace)"
                 " > 2000 AND (SELECT count(*) FROM pg_operator"
                 " WHERE oprnamespace = 'evil'::regnamespace) > 700",
                 "t"));
    CHECK(is_untouched());
    CHECK_TEST(test_others_are_in_front());
    CHECK_TEST(test_others_fit_better());
    CHECK_TEST(test_the_printed_schema());
    CHECK_TEST(test_the_host_sees_his_path());
    CHECK_TEST(test_a_backslash_in_a_name());
    tear_down();
    return check_status();
}

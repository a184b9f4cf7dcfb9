/*
 * test_citus.c: what can be tested of the writes to Citus on a PostgreSQL without it: the form of
 * the statements, who is asked what, and the schema's steps.
 *
 * Stand-ins of the same names, in the test's own database, replace the catalogs and functions of
 * Citus that these use. Only a superuser can make them.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backends/postgres/sql/operators.h"
#include "backends/postgres/sql/statements.h"
#include "backends/postgres/wire/table_kind.h"
#include "bb_contacts/storage.h"
#include "execute/storage.h"
#include "support/check.h"
#include "support/endpoint.h"
#include "support/postgres.h"
#include "support/settings.h"
#include "support/wait.h"
#include "util/fields.h"

static char *conninfo;
static int is_sql(const char *sql, const char *wanted)
{
    return test_postgres_gives(conninfo, sql, wanted);
}

static int run_sql(const char *sql)
{
    return test_postgres_sql(conninfo, sql, NULL, 0) == 0;
}

/* ------------------------------------------------------------------------------ the statements */

static unsigned count_of(const char *text, const char *part)
{
    unsigned count = 0;

    for (text = strstr(text, part); text != NULL; text = strstr(text + 1, part))
        count++;
    return count;
}

/* The parameters of the fields, which are all texts on the way. */
#define AN_ARRAY(name, NAME, KIND) ", text[]"
#define ARRAYS                     BB_FIELD_MAP(AN_ARRAY)

/* The functions, operators' included, that a statement uses and that are not immutable. */
static int uses(const bb_pg_statement *statement, const char *wanted)
{
    static const char sql[] =
        "BEGIN; CREATE FUNCTION form(bigint, timestamptz, text[], integer[], integer[], "
        "bigint" ARRAYS ") RETURNS void BEGIN ATOMIC %s; END;"
        "SELECT coalesce(string_agg(DISTINCT concat_ws(' ', p.proname, p.provolatile), ', '), '')"
        " FROM pg_proc f, regexp_matches(f.prosqlbody::text, ':(?:op)?funcid (\\d+)', 'g') m"
        " JOIN pg_proc p ON p.oid = m[1]::oid"
        " WHERE f.proname = 'form' AND (p.provolatile <> 'i' OR p.proname = 'unnest')";
    size_t size = sizeof sql + strlen(statement->text);
    char *text = malloc(size);
    int good;

    if (text == NULL)
        return 0;
    snprintf(text, size, sql, statement->text);
    good = is_sql(text, wanted);
    free(text);
    return good;
}

static void check_statements(void)
{
    static const bb_pg_statement_id ids[] = {BB_PG_CITUS_ACCESS, BB_PG_CITUS_FIND,
                                             BB_PG_CITUS_UPDATE, BB_PG_CITUS_INSERT,
                                             BB_PG_CITUS_INSERT_ONE};
    bb_allocator allocator = bb_allocator_or_default(NULL);
    bb_pg_statement statements[BB_PG_STATEMENT_COUNT];
    bb_pg_names names;

    CHECK(bb_pg_names_init(&names, NULL, &allocator, NULL) == BB_OK);
    CHECK(bb_pg_statements_init(statements, &names));
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        const char *text = statements[ids[i]].text;
        unsigned tables = count_of(text, "\"contacts\"");
        /* each mention of the contacts is bound to the one chatbot, or inserts for it */
        CHECK(tables > 0 && tables == count_of(text, "chatbot_id" OP(=) "$") +
                                          (ids[i] >= BB_PG_CITUS_INSERT ? 1 : 0));
        CHECK(count_of(text, "ON CONFLICT") == 0 && count_of(text, "now()") == 0);
        CHECK(count_of(text, "WITH ") == (ids[i] == BB_PG_CITUS_ACCESS ? 1 : 0));
    }
    /* those in SET, WHERE and RETURNING; unnest() is immutable, and shows that this looks */
    CHECK(uses(&statements[BB_PG_CITUS_UPDATE], "unnest i"));
    CHECK(uses(&statements[BB_PG_CITUS_INSERT], "unnest i"));
    CHECK(uses(&statements[BB_PG_CITUS_INSERT_ONE], ""));
    CHECK(uses(&statements[BB_PG_CITUS_FIND], "current_setting s, unnest i"));
    bb_pg_statements_free(statements, &names);
    bb_pg_names_free(&names);
}

/* ---------------------------------------------------------------------------------- the stores */

static bb_storage *open_store(const bb_postgres_options *options)
{
    bb_storage *storage = NULL;
    bb_error error;

    bb_error_init(&error);
    if (bb_storage_open_postgres_with(conninfo, strlen(conninfo), NULL, options, &storage,
                                      &error) != BB_OK)
        fprintf(stderr, "cannot open: %s\n", error.message);
    return storage;
}

static int migrate(bb_storage *storage)
{
    bb_error error;

    bb_error_init(&error);
    if (bb_storage_migrate(storage, TEST_PATIENCE_MS, &error) == BB_OK)
        return 1;
    fprintf(stderr, "migrate: %s\n", error.message);
    return 0;
}

static int table_kind_of(const bb_storage *storage)
{
    bb_pg_store *store = storage->store;

    return atomic_load(&store->table_kind);
}

/* Whether a request for a new contact is answered 200. */
static int writes(bb_storage *storage)
{
    static unsigned number;
    test_endpoint endpoint = {.store = {.storage = storage}};
    char body[100];
    int len = snprintf(body, sizeof body, "{\"users\":[{\"external_id\":\"%u\"}]}", ++number);
    bb_result *result;
    int good;

    if (bb_contacts_open(storage, NULL, &endpoint.contacts, NULL) != BB_OK)
        return 0;
    result = test_send(&endpoint, body, (size_t)len);
    good = bb_result_http_status(result) == 200 && bb_result_outcome(result, 0) == BB_CREATED;
    bb_result_free(result);
    bb_contacts_close(endpoint.contacts);
    return good;
}

/* ---------------------------------------------------------------------------------- the schema */

static const char stand_in[] =
    "SET allow_system_table_mods = on;"
    "CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass, partmethod \"char\","
    " repmodel \"char\", colocationid integer, key text);"
    "CREATE FUNCTION pg_catalog.create_reference_table(t regclass) RETURNS void LANGUAGE sql AS"
    " $$INSERT INTO pg_dist_partition VALUES (t, 'n', 't', 1)$$;"
    "CREATE FUNCTION pg_catalog.create_distributed_table(t regclass, k text) RETURNS void"
    " LANGUAGE sql AS $$INSERT INTO pg_dist_partition VALUES (t, 'h', 's', 2, k)$$;"
    "CREATE FUNCTION pg_catalog.truncate_local_data_after_distributing_table(regclass) RETURNS void"
    " LANGUAGE sql AS '';"
    "INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)"
    " VALUES (1000000, 'citus', 10, 11, false, '0')";

static const char its_tables[] =
    "SELECT string_agg(concat_ws(' ', c.relname, partmethod, repmodel, key), ', ' ORDER BY relname)"
    " FROM pg_dist_partition JOIN pg_class c ON c.oid = logicalrelid"
    " JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = ";

static int are_tables(const char *schema, const char *wanted)
{
    char sql[600];

    snprintf(sql, sizeof sql, "%s'%s'", its_tables, schema);
    return is_sql(sql, wanted);
}

static void *run_migrate(void *arg)
{
    bb_storage *storage = open_store(NULL);

    *(int *)arg = migrate(storage);
    bb_storage_close(storage);
    return NULL;
}

/* Tables that were there before Citus, and two processes' worth of migrations at once. */
static void check_given_to_citus_once(void)
{
    pthread_t threads[4];
    int good[4] = {0};

    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, run_migrate, &good[i]) == 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        CHECK(good[i]);
    }
    CHECK(are_tables("bb_contacts", "api_keys n t, chatbots n t, contacts h s chatbot_id,"
                                    " schema_version n t"));
}

/* Refuses the ordinary write, as Citus does. */
static const char refuse_ordinary_write[] =
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
    " IF current_query() LIKE 'WITH joined%' THEN"
    " RAISE feature_not_supported; END IF; RETURN NEW; END$$;"
    "CREATE TRIGGER refuse BEFORE INSERT ON bb_contacts.contacts"
    " FOR EACH ROW EXECUTE FUNCTION refuse()";

static void check_stores(void)
{
    bb_storage *older = open_store(NULL);
    bb_storage *newer;

    CHECK(migrate(older) && table_kind_of(older) == BB_PG_TABLE_UNKNOWN);
    CHECK(bb_storage_chatbot_add(older, 123, 1, TEST_PATIENCE_MS, NULL) == BB_OK);
    CHECK(writes(older) && table_kind_of(older) == BB_PG_TABLE_ORDINARY);
    CHECK(run_sql(stand_in));
    newer = open_store(NULL); /* the extension is there, but does not have the tables */
    CHECK(writes(newer) && table_kind_of(newer) == BB_PG_TABLE_ORDINARY);
    bb_storage_close(newer);
    check_given_to_citus_once();
    newer = open_store(NULL);
    CHECK(writes(newer) && table_kind_of(newer) == BB_PG_TABLE_CITUS);
    CHECK(migrate(newer) && table_kind_of(newer) == BB_PG_TABLE_CITUS);
    bb_storage_close(newer);
    /* a store that asked before finds out by a refusal, which no request sees */
    CHECK(table_kind_of(older) == BB_PG_TABLE_ORDINARY);
    CHECK(run_sql(refuse_ordinary_write));
    CHECK(writes(older) && table_kind_of(older) == BB_PG_TABLE_CITUS);
    bb_storage_close(older);
}

/* The printed script does the same, whatever the tables are called. */
static void check_script(void)
{
    static char script[20000];
    static const char schema[] = "O'Brien \"& $1";
    bb_postgres_options options;
    bb_storage *storage;
    size_t len = 0;

    bb_postgres_options_init(&options);
    options.schema = schema;
    options.schema_len = sizeof schema - 1;
    options.contacts_table = "it's";
    options.contacts_table_len = 4;
    CHECK(bb_postgres_schema_sql(&options, 0, script, sizeof script, &len, NULL) == BB_OK);
    CHECK(run_sql(script));
    CHECK(are_tables("O''Brien \"& $1", "api_keys n t, chatbots n t, it's h s chatbot_id,"
                                        " schema_version n t"));
    storage = open_store(&options);
    CHECK(migrate(storage));
    CHECK(bb_storage_chatbot_add(storage, 123, 1, TEST_PATIENCE_MS, NULL) == BB_OK);
    CHECK(writes(storage) && table_kind_of(storage) == BB_PG_TABLE_CITUS);
    bb_storage_close(storage);
}

/* One database comes to Citus and stays there. */
static void test_the_way_to_citus(void)
{
    check_stores();
    check_statements();
    check_script();
}

int main(void)
{
    test_database database;
    int status = test_database_open(&database, "citus");

    if (status != 0)
        return status;
    conninfo = database.conninfo;
    if (is_sql("SELECT count(*) FROM pg_extension WHERE extname = 'citus'", "0")) {
        CHECK_TEST(test_the_way_to_citus());
    } else {
        puts("SKIPPED: Citus itself is here");
    }
    test_database_close(&database);
    return check_status();
}

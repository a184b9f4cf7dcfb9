/*
 * schema.c: makes the tables and brings them up to date.
 */
#include "backends/postgres/schema/schema.h"

#include <stdio.h>
#include <string.h>

#include "backends/postgres/schema/citus_schema.h"
#include "backends/postgres/schema/schema_steps.h"
#include "backends/postgres/sql/operators.h"
#include "backends/postgres/wire/ids.h"
#include "backends/postgres/wire/pipeline.h"
#include "backends/postgres/wire/table_kind.h"
#include "util/buffer.h"
#include "util/struct_size.h"

/* "bb_conta" in ASCII: the advisory lock that one migration holds. */
#define LOCK_SQL "SELECT pg_catalog.pg_advisory_xact_lock(7089072208669046881)"

/* $1 the schema, $2 the table of the version. It reads the catalogs themselves: to_regclass() may
 * answer from a cache that was filled before the wait for the lock, and reading a missing table
 * would be an error in the server's log. */
/* clang-format off */
#define EXISTS_SQL                                                    \
    "SELECT (SELECT pg_catalog.count(*) FROM pg_catalog.pg_namespace" \
    " WHERE nspname" OP(=) "$1::pg_catalog.text)::integer,"           \
    " (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c"         \
    " JOIN pg_catalog.pg_namespace n ON n.oid" OP(=) "c.relnamespace" \
    " WHERE n.nspname" OP(=) "$1::pg_catalog.text"                    \
    " AND c.relname" OP(=) "$2::pg_catalog.text)::integer"
/* clang-format on */
#define VERSION_SQL       "SELECT version FROM @version"

#define CREATE_SCHEMA_SQL "CREATE SCHEMA @schema"
#define CREATE_VERSION_SQL                                             \
    "CREATE TABLE @version (\n"                                        \
    "    version integer NOT NULL,\n"                                  \
    "    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row)\n" \
    ")"
#define SET_VERSION_SQL                            \
    "INSERT INTO @version (version) VALUES (%d)\n" \
    "    ON CONFLICT (only_row) DO UPDATE SET version = excluded.version"

static int32_t current_version(void)
{
    int32_t version = 0;

    while (bb_pg_schema_steps[version] != NULL)
        version++;
    return version;
}

enum { MAX_SCRIPT = 1 << 20 };

/* What is there. */
typedef struct state {
    int schema;
    int table;
    int32_t version; /* 0: nothing */
    int citus;       /* the extension is or may be there, and may not have the tables yet */
} state;

static int32_t number_at(const PGresult *result, int column)
{
    return PQntuples(result) == 1 && PQgetlength(result, 0, column) == 4
               ? bb_pg_get_i32(PQgetvalue(result, 0, column))
               : 0;
}

static int32_t read_version(bb_pg_session *session, state *found, int64_t deadline, bb_error *error)
{
    const bb_pg_names *names = &session->store->names;
    char *sql = bb_pg_names_expand(names, VERSION_SQL);
    bb_pg_query query = {.text = sql};
    int32_t code;

    if (sql == NULL)
        return bb_pg_error(error, BB_ERR_NOMEM, NULL, "out of memory for a statement");
    code = bb_pg_run_alone(session, &query, deadline, error);
    if (code == BB_OK)
        found->version = number_at(query.result, 0);
    bb_pg_queries_clear(&query, 1);
    bb_free(&names->allocator, sql);
    /* no library makes one below 0 */
    if (code == BB_OK && (found->version < 0 || found->version > current_version()))
        return bb_error_set(error, BB_ERR_SCHEMA,
                            "the schema has version %d; this library knows up to %d",
                            (int)found->version, (int)current_version());
    return code;
}

static int32_t read_state(bb_pg_session *session, state *found, int64_t deadline, bb_error *error)
{
    const bb_pg_names *names = &session->store->names;
    bb_pg_params params;
    bb_pg_query query = {.text = EXISTS_SQL, .params = &params};
    int32_t code;

    *found = (state){0};
    bb_pg_params_init(&params, &names->allocator);
    bb_pg_params_add_bytes(&params, names->schema, strlen(names->schema));
    bb_pg_params_add_bytes(&params, names->schema_version, strlen(names->schema_version));
    code = bb_pg_run_alone(session, &query, deadline, error);
    if (code == BB_OK) {
        found->schema = number_at(query.result, 0) != 0;
        found->table = number_at(query.result, 1) != 0;
    }
    bb_pg_queries_clear(&query, 1);
    bb_pg_params_free(&params);
    if (code == BB_OK && found->table)
        code = read_version(session, found, deadline, error);
    return code;
}

/* Opens the transaction of the migration, once no other migration runs. */
static int32_t lock(bb_pg_session *session, int64_t deadline, bb_error *error)
{
    bb_pg_params timeouts;
    bb_pg_query queries[] = {
        {.statement = BB_PG_BEGIN},
        {.statement = BB_PG_TIMEOUTS, .params = &timeouts},
        {.text = LOCK_SQL},
    };
    int32_t code;

    bb_pg_params_init(&timeouts, &session->store->allocator);
    bb_pg_params_add_timeouts(&timeouts, deadline);
    code = bb_pg_run(session, queries, 3, deadline, error);
    bb_pg_queries_clear(queries, 3);
    bb_pg_params_free(&timeouts);
    return code;
}

/* --------------------------------------------------------------------------------- the script */

/* Statements one after the other, each ended by a NUL. */
typedef struct script {
    const bb_pg_names *names;
    bb_buffer text;
    size_t count;
} script;

static void add_sql(script *s, const char *sql)
{
    char *expanded = bb_pg_names_expand(s->names, sql);

    if (expanded == NULL)
        s->text.failed = 1;
    else
        bb_buffer_append(&s->text, expanded, strlen(expanded) + 1);
    bb_free(&s->names->allocator, expanded);
    s->count++;
}

static int is_needed(const bb_pg_names *names, const bb_pg_step *step)
{
    return !((step->needs & BB_PG_NEEDS_OWN_ACCESS) != 0 && names->is_access_foreign) &&
           !((step->needs & BB_PG_NEEDS_ROLE) != 0 && names->sql[BB_PG_ROLE] == NULL);
}

static void add_steps(script *s, const bb_pg_step *steps)
{
    for (; steps->sql != NULL; steps++) {
        if (is_needed(s->names, steps))
            add_sql(s, steps->sql);
    }
}

static void add_version(script *s, int32_t version)
{
    char sql[200];

    (void)snprintf(sql, sizeof sql, SET_VERSION_SQL, (int)version);
    add_sql(s, sql);
}

/* The statements that lead from what was found to the current version. */
static void script_init(script *s, const bb_pg_names *names, const state *found)
{
    int32_t current = current_version();

    s->names = names;
    s->count = 0;
    bb_buffer_init(&s->text, &names->allocator, MAX_SCRIPT);
    if (!found->schema)
        add_sql(s, CREATE_SCHEMA_SQL);
    if (!found->table)
        add_sql(s, CREATE_VERSION_SQL);
    for (int32_t from = found->version; from < current; from++)
        add_steps(s, bb_pg_schema_steps[from]);
    if (found->version < current)
        add_version(s, current);
    if (found->citus)
        add_steps(s, bb_pg_citus_steps);
}

static int32_t run_script(bb_pg_session *session, const script *s, int64_t deadline,
                          bb_error *error)
{
    const bb_allocator *allocator = &session->store->allocator;
    const char *sql = s->text.data;
    bb_pg_query *queries;
    int32_t code;

    if (s->text.failed)
        return bb_pg_error(error, BB_ERR_NOMEM, NULL, "out of memory for a schema");
    queries = bb_alloc_array(allocator, s->count + 1, sizeof *queries);
    if (queries == NULL)
        return bb_pg_error(error, BB_ERR_NOMEM, NULL, "out of memory for a schema");
    memset(queries, 0, (s->count + 1) * sizeof *queries);
    for (size_t i = 0; i < s->count; i++, sql += strlen(sql) + 1)
        queries[i].text = sql;
    queries[s->count].text = "COMMIT";
    code = bb_pg_run(session, queries, s->count + 1, deadline, error);
    bb_pg_queries_clear(queries, s->count + 1);
    bb_free(allocator, queries);
    return code;
}

/* Reads the state. Returns whether there is nothing to do. */
static int32_t read_all(bb_pg_session *session, state *found, int64_t deadline, int *is_done,
                        bb_error *error)
{
    int32_t code = read_state(session, found, deadline, error);

    if (code == BB_OK && found->version == current_version())
        code = bb_pg_citus_is_waiting(session, deadline, &found->citus, error);
    else if (code == BB_OK)
        code = bb_pg_has_citus(session, deadline, &found->citus, error);
    *is_done = found->version == current_version() && !found->citus;
    return code;
}

static int32_t upgrade(bb_pg_session *session, int64_t deadline, bb_error *error)
{
    script s;
    state found;
    int is_done;
    int32_t code = read_all(session, &found, deadline, &is_done, error);

    if (code != BB_OK)
        return code;
    script_init(&s, &session->store->names, &found);
    code = run_script(session, &s, deadline, error);
    bb_buffer_free(&s.text);
    if (code == BB_OK && !is_done)
        bb_pg_log(session->store, BB_LOG_INFO, "schema created or brought up to date");
    return code;
}

/* Brings the schema up to date, once no other migration runs. */
static int32_t upgrade_alone(bb_pg_session *session, int64_t deadline, bb_error *error)
{
    int32_t code = lock(session, deadline, error);

    if (code != BB_OK)
        return code;
    code = upgrade(session, deadline, error);
    /* a failure of which the server does not know, such as a newer version, left it open */
    if (code != BB_OK)
        bb_pg_disconnect(session);
    return code;
}

int32_t bb_pg_migrate(void *session, int64_t deadline, bb_error *error)
{
    bb_pg_session *self = session;
    state found;
    int is_done;
    int ids;
    int32_t code = read_all(self, &found, deadline, &is_done, error);

    bb_pg_table_kind_forget(self->store);
    if (code == BB_OK && !is_done)
        code = upgrade_alone(self, deadline, error);
    return code == BB_OK ? bb_pg_ids_catch_up(self, deadline, &ids, error) : code;
}

/* ------------------------------------------------------------------------------ for other hands */

/* The script as text: statements end in semicolons, and all are one transaction. */
static void print_script(const script *s, bb_buffer *to)
{
    const char *sql = s->text.data;

    bb_buffer_append_text(to, "BEGIN;\n");
    for (size_t i = 0; i < s->count; i++, sql += strlen(sql) + 1) {
        bb_buffer_append_text(to, sql);
        bb_buffer_append_text(to, ";\n");
    }
    bb_buffer_append_text(to, "COMMIT;\n");
}

static int32_t give_text(const bb_buffer *text, char *out, size_t out_size, size_t *len,
                         bb_error *error)
{
    if (text->failed)
        return bb_error_set(error, BB_ERR_NOMEM, "out of memory for a schema");
    *len = text->len;
    if (out_size <= text->len)
        return bb_error_set(error, BB_ERR_ARGUMENT, "the script takes %zu bytes", text->len + 1);
    memcpy(out, text->data, text->len);
    out[text->len] = '\0';
    return BB_OK;
}

static int32_t give_script(const bb_pg_names *names, int32_t from_version, char *out,
                           size_t out_size, size_t *len, bb_error *error)
{
    state found = {from_version > 0, from_version > 0, from_version, 1};
    script s;
    bb_buffer text;
    int32_t code;

    script_init(&s, names, &found);
    bb_buffer_init(&text, &names->allocator, MAX_SCRIPT);
    if (s.text.failed)
        text.failed = 1;
    else
        print_script(&s, &text);
    code = give_text(&text, out, out_size, len, error);
    bb_buffer_free(&text);
    bb_buffer_free(&s.text);
    return code;
}

int32_t bb_pg_schema_sql(const bb_postgres_options *given, int32_t from_version, char *out,
                         size_t out_size, size_t *len, bb_error *error)
{
    bb_allocator allocator = bb_allocator_or_default(NULL);
    bb_postgres_options postgres;
    bb_pg_names names;
    int32_t code = BB_OK;

    if (len == NULL || (out == NULL && out_size > 0) || from_version < 0 ||
        from_version > current_version())
        return bb_error_set(error, BB_ERR_ARGUMENT, "invalid argument");
    bb_postgres_options_init(&postgres);
    if (given != NULL)
        code = bb_struct_read(&bb_postgres_options_type, &postgres, given, error);
    if (code == BB_OK)
        code = bb_pg_names_init(&names, &postgres, &allocator, error);
    if (code != BB_OK)
        return code;
    code = give_script(&names, from_version, out, out_size, len, error);
    bb_pg_names_free(&names);
    return code;
}

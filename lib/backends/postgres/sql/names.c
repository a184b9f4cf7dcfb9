/*
 * names.c: the names of tables and role, and SQL with these names filled in.
 */
#include "backends/postgres/sql/names.h"

#include <string.h>

#include "backends/postgres/sql/columns.h"
#include "backends/postgres/sql/operators.h"
#include "util/alloc.h"
#include "util/buffer.h"

/* NAMEDATALEN - 1: the server would cut a longer identifier, and so use another table. */
enum { MAX_IDENTIFIER = 63, MAX_SQL = 1 << 20 };

static const char *const marks[BB_PG_NAME_COUNT] = {
    [BB_PG_SCHEMA] = "@schema",          [BB_PG_CONTACTS] = "@contacts",
    [BB_PG_CHATBOTS] = "@chatbots",      [BB_PG_API_KEYS] = "@api_keys",
    [BB_PG_SCHEMA_VERSION] = "@version", [BB_PG_ROLE] = "@role",
    [BB_PG_ACCESS_DECISION] = "@access",
};

/* B1 to B3; the parameters are those of bb_postgres_options.access_sql. */
/* clang-format off */
static const char access_sql[] =
    "SELECT CASE"
        " WHEN $1 IS NOT NULL AND k.key_hash IS NULL THEN 0"
        " WHEN b.id IS NULL THEN 1"
        " ELSE 2 END"
    " FROM (SELECT) request"
    " LEFT JOIN @api_keys k ON k.key_hash" OP(=) "$1 AND k.revoked_at IS NULL"
        " AND (k.expires_at IS NULL OR k.expires_at" OP(>) "$5)"
    " LEFT JOIN @chatbots b ON b.id" OP(=) "$4 AND b.archived_at IS NULL"
        " AND b.workspace_id" OP(=) "CASE WHEN $1 IS NULL THEN $2 ELSE k.workspace_id END"
        " AND coalesce(k.chatbot_id, CASE WHEN $3" OP(<>) "0 THEN $3 END, $4)" OP(=) "$4";
/* clang-format on */

/* -------------------------------------------------------------------------------- identifiers */

static int is_identifier(const char *name, size_t len)
{
    return len > 0 && len <= MAX_IDENTIFIER && memchr(name, '\0', len) == NULL;
}

static void append_quoted(bb_buffer *to, const char *name, size_t len)
{
    bb_buffer_append_char(to, '"');
    for (size_t i = 0; i < len; i++) {
        if (name[i] == '"')
            bb_buffer_append_char(to, '"');
        bb_buffer_append_char(to, name[i]);
    }
    bb_buffer_append_char(to, '"');
}

/* The buffer's contents as a string of its own; NULL: out of memory. Frees the buffer. */
static char *take_text(bb_buffer *buffer, const bb_allocator *allocator)
{
    char *text = NULL;

    bb_buffer_append_char(buffer, '\0');
    if (!buffer->failed)
        text = bb_strndup(allocator, buffer->data, buffer->len - 1);
    bb_buffer_free(buffer);
    return text;
}

/* A quoted identifier, with its schema before it unless that is NULL. */
static char *quote(const bb_pg_names *names, const char *schema, const char *name, size_t len)
{
    bb_buffer buffer;

    bb_buffer_init(&buffer, &names->allocator, MAX_SQL);
    if (schema != NULL) {
        append_quoted(&buffer, schema, strlen(schema));
        bb_buffer_append_char(&buffer, '.');
    }
    append_quoted(&buffer, name, len);
    return take_text(&buffer, &names->allocator);
}

/* ------------------------------------------------------------------------------- SQL with names */

/* The name whose mark `text` begins with; BB_PG_NAME_COUNT if it begins with none. */
static int find_mark(const char *text)
{
    int name = 0;

    while (name < BB_PG_NAME_COUNT && strncmp(text, marks[name], strlen(marks[name])) != 0)
        name++;
    return name;
}

/* Appends a name as SQL, or, after a quote, as a part of a string constant: one of the form E'',
 * whose meaning no setting of the server changes. */
static void append_name(bb_buffer *to, const char *name, int is_in_constant)
{
    for (; *name != '\0'; name++) {
        if (is_in_constant && (*name == '\'' || *name == '\\'))
            bb_buffer_append_char(to, *name);
        bb_buffer_append_char(to, *name);
    }
}

static char *put_names(const bb_pg_names *names, const char *sql)
{
    const char *start = sql;
    bb_buffer buffer;

    bb_buffer_init(&buffer, &names->allocator, MAX_SQL);
    while (*sql != '\0') {
        size_t plain = strcspn(sql, "@");
        int name;
        bb_buffer_append(&buffer, sql, plain);
        sql += plain;
        if (*sql == '\0')
            break;
        name = find_mark(sql);
        if (name == BB_PG_NAME_COUNT || names->sql[name] == NULL) {
            bb_buffer_append_char(&buffer, *sql++);
        } else {
            append_name(&buffer, names->sql[name], sql > start && sql[-1] == '\'');
            sql += strlen(marks[name]);
        }
    }
    return take_text(&buffer, &names->allocator);
}

/* The columns come first, so that the host's own names and query stay as they are. */
char *bb_pg_names_expand(const bb_pg_names *names, const char *sql)
{
    bb_buffer buffer;
    char *with_columns;
    char *text;

    bb_buffer_init(&buffer, &names->allocator, MAX_SQL);
    bb_pg_columns_expand(&buffer, sql);
    with_columns = take_text(&buffer, &names->allocator);
    if (with_columns == NULL)
        return NULL;
    text = put_names(names, with_columns);
    bb_free(&names->allocator, with_columns);
    return text;
}

/* ------------------------------------------------------------------------------------ the whole */

/* A text of the host's, or its default. */
typedef struct choice {
    const char *text;
    size_t len;
} choice;

static choice choose(const char *text, size_t len, const char *otherwise)
{
    choice chosen = {text, len};

    if (text == NULL) {
        chosen.text = otherwise;
        chosen.len = strlen(otherwise);
    }
    return chosen;
}

typedef struct choices {
    choice schema;
    choice tables[BB_PG_NAME_COUNT];
} choices;

static choices choices_of(const bb_postgres_options *o)
{
    choices c;

    c.schema = choose(o->schema, o->schema_len, "bb_contacts");
    c.tables[BB_PG_CONTACTS] = choose(o->contacts_table, o->contacts_table_len, "contacts");
    c.tables[BB_PG_CHATBOTS] = choose(o->chatbots_table, o->chatbots_table_len, "chatbots");
    c.tables[BB_PG_API_KEYS] = choose(o->api_keys_table, o->api_keys_table_len, "api_keys");
    c.tables[BB_PG_SCHEMA_VERSION] =
        choose(o->version_table, o->version_table_len, "schema_version");
    return c;
}

static int are_valid(const choices *c, const bb_postgres_options *o)
{
    int valid = is_identifier(c->schema.text, c->schema.len);

    for (int i = BB_PG_CONTACTS; i <= BB_PG_SCHEMA_VERSION; i++)
        valid = valid && is_identifier(c->tables[i].text, c->tables[i].len);
    if (o->role != NULL)
        valid = valid && is_identifier(o->role, o->role_len);
    if (o->access_sql != NULL)
        valid = valid && o->access_sql_len > 0 && o->access_sql_len < MAX_SQL / 2 &&
                memchr(o->access_sql, '\0', o->access_sql_len) == NULL;
    return valid;
}

static int fill(bb_pg_names *names, const choices *c, const bb_postgres_options *o)
{
    const choice *version = &c->tables[BB_PG_SCHEMA_VERSION];

    names->schema = bb_strndup(&names->allocator, c->schema.text, c->schema.len);
    names->schema_version = bb_strndup(&names->allocator, version->text, version->len);
    if (names->schema == NULL || names->schema_version == NULL)
        return 0;
    names->sql[BB_PG_SCHEMA] = quote(names, NULL, c->schema.text, c->schema.len);
    for (int i = BB_PG_CONTACTS; i <= BB_PG_SCHEMA_VERSION; i++)
        names->sql[i] = quote(names, names->schema, c->tables[i].text, c->tables[i].len);
    if (o->role != NULL)
        names->sql[BB_PG_ROLE] = quote(names, NULL, o->role, o->role_len);
    names->is_access_foreign = o->access_sql != NULL;
    names->sql[BB_PG_ACCESS_DECISION] =
        names->is_access_foreign ? bb_strndup(&names->allocator, o->access_sql, o->access_sql_len)
                                 : bb_pg_names_expand(names, access_sql);
    for (int i = 0; i < BB_PG_NAME_COUNT; i++) {
        if (names->sql[i] == NULL && (i != BB_PG_ROLE || o->role != NULL))
            return 0;
    }
    return 1;
}

int32_t bb_pg_names_init(bb_pg_names *names, const bb_postgres_options *options,
                         const bb_allocator *allocator, bb_error *error)
{
    bb_postgres_options defaults;
    choices c;

    bb_postgres_options_init(&defaults);
    if (options == NULL)
        options = &defaults;
    memset(names, 0, sizeof *names);
    names->allocator = *allocator;
    c = choices_of(options);
    if (!are_valid(&c, options))
        return bb_error_set(error, BB_ERR_ARGUMENT,
                            "a name is empty, over 63 bytes, or holds a NUL byte");
    if (fill(names, &c, options))
        return BB_OK;
    bb_pg_names_free(names);
    return bb_error_set(error, BB_ERR_NOMEM, "out of memory for a storage");
}

void bb_pg_names_free(bb_pg_names *names)
{
    for (int i = 0; i < BB_PG_NAME_COUNT; i++)
        bb_free(&names->allocator, names->sql[i]);
    bb_free(&names->allocator, names->schema);
    bb_free(&names->allocator, names->schema_version);
    memset(names, 0, sizeof *names); /* so that it may be freed again */
}

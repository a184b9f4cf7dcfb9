/*
 * columns.c: SQL with a part for each field of a contact in util/fields.h.
 */
#include "backends/postgres/sql/columns.h"

#include <string.h>

#include "backends/postgres/sql/record_parameters.h"

/* A mark that is replaced wherever it stands. */
typedef struct number {
    const char *mark;
    int64_t value;
} number;

static const number numbers[] = {
    {"@touch", BB_PG_FLAG_TOUCH},       {"@want_before", BB_PG_FLAG_WANT_BEFORE},
    {"@merge", BB_PG_FLAG_MERGE},       {"@removed", BB_PG_PARAM_REMOVED},
    {"@limit", BB_PG_PARAM_LIMIT},      {"@asker_shift", BB_PG_ASKER_SHIFT},
    {"@frame", BB_CONTACT_FRAME_BYTES},
};

enum { NUMBER_COUNT = sizeof numbers / sizeof numbers[0] };

/* Whether `*sql` begins with a mark; moves it past that. */
static int takes(const char **sql, const char *mark)
{
    size_t len = strlen(mark);

    if (strncmp(*sql, mark, len) != 0)
        return 0;
    *sql += len;
    return 1;
}

/* Appends the next mark, replaced, or the text up to it, and moves past it. */
static void append_next(bb_buffer *to, const char **sql, const bb_field *field)
{
    size_t plain = strcspn(*sql, "@");

    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        if (takes(sql, numbers[i].mark)) {
            bb_buffer_append_i64(to, numbers[i].value);
            return;
        }
    }
    if (field != NULL && takes(sql, "@field")) {
        bb_buffer_append(to, field->name.data, field->name.len);
    } else if (field != NULL && takes(sql, "@bit")) {
        bb_buffer_append_i64(to, field->bit);
    } else if (field != NULL && takes(sql, "@parameter")) {
        bb_buffer_append_i64(to, BB_PG_PARAM_FIELDS + (field - bb_fields));
    } else if (field != NULL && takes(sql, "@initial")) {
        bb_buffer_append(to, field->initial.data, field->initial.len);
    } else {
        size_t len = plain > 0 ? plain : 1; /* a name's mark, which names.c replaces */
        bb_buffer_append(to, *sql, len);
        *sql += len;
    }
}

/* If a part begins at `*sql`, moves past its mark and returns the set of kinds that it is for. */
static unsigned begin_part(const char **sql)
{
    static const struct {
        const char *mark;
        unsigned kinds;
    } parts[] = {{"@each{", ~0u},
                 {"@text{", 1u << BB_FIELD_TEXT},
                 {"@json{", ~(1u << BB_FIELD_TEXT)},
                 {"@others{", ~(1u << BB_FIELD_OBJECT)},
                 {"@array{", 1u << BB_FIELD_ARRAY},
                 {"@object{", 1u << BB_FIELD_OBJECT}};

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (takes(sql, parts[i].mark))
            return parts[i].kinds;
    }
    return 0;
}

/* Returns where the part ends. */
static const char *append_part(bb_buffer *to, const char *sql, unsigned kinds)
{
    const char *end = strstr(sql, "@}");

    for (int i = 0; i < BB_FIELD_COUNT; i++) {
        const char *at = sql;
        while (at < end && (kinds & 1u << bb_fields[i].kind) != 0)
            append_next(to, &at, &bb_fields[i]);
    }
    return end + strlen("@}");
}

void bb_pg_columns_expand(bb_buffer *to, const char *sql)
{
    while (*sql != '\0') {
        unsigned kinds = begin_part(&sql);
        if (kinds != 0)
            sql = append_part(to, sql, kinds);
        else
            append_next(to, &sql, NULL);
    }
}

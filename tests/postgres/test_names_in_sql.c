/*
 * test_names_in_sql.c: whether every name in the backend's SQL is the catalog's, whatever the
 * search_path; see operators.h.
 *
 *     test_names_in_sql OBJECT...
 *
 * It reads the object files, where no statement can be forgotten: at every string that begins as a
 * statement does, with the columns put in (columns.h). Those of other folders than postgres are
 * left out.
 */
#include <ctype.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/postgres/sql/columns.h"
#include "util/alloc.h"

enum { MOST_TOKENS = 8000 };

typedef enum token_kind { WORD, SYMBOL, OTHER } token_kind;

typedef struct token {
    token_kind kind;
    const char *text;
    size_t len;
    int depth; /* of parentheses */
} token;

/* A statement in pieces; before its beginning and after its end there are empty ones. */
typedef struct statement {
    token tokens[MOST_TOKENS];
    size_t count;
} statement;

/* ---------------------------------------------------------------------------------- the tokens */

static const char operator_characters[] = "+-*/<>=~!#%^&|`?";

/* How long a quoted text is; a doubled quote in it is a character. */
static size_t quoted_length(const char *text)
{
    const char *at = text + 1;

    while (*at != '\0' && (at[0] != *text || at[1] == *text))
        at += at[0] == *text ? 2 : 1;
    return (size_t)(at - text) + (*at != '\0');
}

static size_t word_length(const char *text)
{
    size_t len = 1; /* the first may be the @ of a name's mark */

    while (isalnum((unsigned char)text[len]) || text[len] == '_')
        len++;
    return len;
}

/* The token that `text` begins with. */
static token next_token(const char *text)
{
    token t = {SYMBOL, text, 1, 0};

    if (isalpha((unsigned char)*text) || *text == '_' || *text == '@')
        t = (token){WORD, text, word_length(text), 0};
    else if (*text == '"')
        t = (token){WORD, text, quoted_length(text), 0};
    else if (*text == '\'')
        t = (token){OTHER, text, quoted_length(text), 0};
    else if (isdigit((unsigned char)*text) || strncmp(text, "%d", 2) == 0)
        t = (token){OTHER, text, word_length(text), 0};
    else if (*text == '$') /* a parameter, or the quotes of a block */
        t = (token){OTHER, text, word_length(text) + (!isdigit((unsigned char)text[1])), 0};
    else if (strncmp(text, "::", 2) == 0)
        t.len = 2;
    else if (strchr(operator_characters, *text) != NULL)
        t.len = strspn(text, operator_characters);
    return t;
}

static int read_statement(statement *s, const char *text)
{
    int depth = 0;

    memset(s, 0, sizeof *s);
    s->count = 4;
    while (*text != '\0' && s->count < MOST_TOKENS - 4) {
        token t;
        if (isspace((unsigned char)*text)) {
            text++;
            continue;
        }
        t = next_token(text);
        depth -= *text == ')';
        t.depth = depth;
        depth += *text == '(';
        s->tokens[s->count++] = t;
        text += t.len;
    }
    s->count += 4;
    return *text == '\0';
}

static int is(const token *t, const char *text)
{
    return t->text != NULL && t->len == strlen(text) && strncmp(t->text, text, t->len) == 0;
}

static int is_one_of(const token *t, const char *const *texts)
{
    while (*texts != NULL && !is(t, *texts))
        texts++;
    return *texts != NULL;
}

static int is_word(const token *t)
{
    return t->text != NULL && t->kind == WORD;
}

static int is_operator(const token *t)
{
    return t->text != NULL && t->kind == SYMBOL && strchr(operator_characters, *t->text) != NULL;
}

/* ----------------------------------------------------------------------------------- the rules */

/* Types that are words of the grammar, and so the catalog's. */
static int is_type(const token *t)
{
    static const char *const types[] = {"bigint", "boolean", "integer", "smallint", NULL};

    return is_one_of(t, types) || (is(t, "pg_catalog") && is(t + 1, "."));
}

/* Words before a parenthesis that are no function. */
static int is_grammar(const token *t)
{
    static const char *const words[] = {
        "AND",      "ANY",  "AS",       "BY",           "CHECK",  "CONFLICT", "DEFAULT", "ELSE",
        "EXISTS",   "FROM", "IF",       "INSERT",       "KEY",    "LATERAL",  "NOT",     "ON",
        "OPERATOR", "OR",   "SELECT",   "THEN",         "UNIQUE", "UPDATE",   "VALUES",  "WHEN",
        "WHERE",    "WITH", "coalesce", "MATERIALIZED", "ARRAY",  NULL};

    return is_one_of(t, words);
}

/* Whether a call is of a function of the catalog's, or none: a table's or an alias's columns look
 * like one. */
static int is_good_call(const token *t)
{
    if (is(t - 1, "."))
        return is(t - 2, "pg_catalog");
    return is_grammar(t) || *t->text == '@' || is(t - 1, "AS");
}

/* Whether "=" sets a column, whose name comes first in a SET or after a comma in it. */
static int is_assignment(const token *t)
{
    static const char *const other_lists[] = {"FROM",   "RETURNING", "SELECT",
                                              "VALUES", "WHERE",     NULL};
    const token *at = t - 2;

    if (!is(t, "=") || !is_word(t - 1) || (!is(at, "SET") && !is(at, ",")))
        return 0;
    for (; at->text != NULL; at--) {
        if (at->depth == t->depth && is_one_of(at, other_lists))
            return 0;
        if (at->depth == t->depth && is(at, "SET"))
            return 1;
    }
    return 0;
}

static int is_good_operator(const token *t)
{
    if (is(t, "*") && (is(t - 1, "(") || is(t - 1, ".")))
        return 1; /* all rows or columns */
    if (is(t, "=") && is(t - 2, "(") && is(t - 3, "WITH"))
        return 1; /* a table's option */
    return is_assignment(t) ||
           (is(t - 1, ".") && is(t - 2, "pg_catalog") && is(t - 3, "(") && is(t - 4, "OPERATOR"));
}

/* Whether it is a mark that nothing is put in for. */
static int is_unknown_mark(const token *t)
{
    static const char *const names[] = {"@access", "@api_keys", "@chatbots", "@contacts",
                                        "@role",   "@schema",   "@version",  NULL};

    return *t->text == '@' && !is_one_of(t, names);
}

/* Words that look up an operator or a type and leave no place for a schema. */
static int is_without_a_place(const token *t)
{
    static const char *const words[] = {"BETWEEN", "CAST",    "ILIKE",    "IN",
                                        "LIKE",    "NATURAL", "OVERLAPS", "SIMILAR",
                                        "USING",   "nullif",  "NULLIF",   NULL};

    return is_one_of(t, words) || (is(t, "CASE") && !is(t + 1, "WHEN")) ||
           (is(t, "DISTINCT") && (is(t - 1, "IS") || is(t - 1, "NOT")));
}

/* Whether a name is one that the statement gives to a query of its own. */
static int is_own(const statement *s, const token *name)
{
    for (size_t i = 4; i < s->count - 4; i++) {
        const token *t = &s->tokens[i];
        if (t->len == name->len && strncmp(t->text, name->text, t->len) == 0 && is(t + 1, "AS") &&
            (is(t - 1, "WITH") || is(t - 1, ",")))
            return 1;
    }
    return 0;
}

/* Whether it names a table without its schema. */
static int is_bare_table(const statement *s, const token *t)
{
    static const char *const before[] = {"FROM", "INTO", "JOIN", NULL};
    static const char *const no_tables[] = {"LATERAL", "ROWS", NULL};
    int is_table =
        is_one_of(t - 1, before) || (is(t - 1, "UPDATE") && !is(t - 2, "DO") && !is(t, "SET"));

    return is_table && is_word(t) && *t->text != '@' && !is(t, "pg_catalog") &&
           !is_one_of(t, no_tables) && !is_own(s, t);
}

/* Whether it begins the definition of a column whose type has no schema. */
static int is_bad_column(const statement *s, const token *t)
{
    static const char *const constraints[] = {"CHECK", "PRIMARY", "UNIQUE", NULL};

    return is(&s->tokens[4], "CREATE") && is(&s->tokens[5], "TABLE") && t->depth == 1 &&
           is_word(t) && (is(t - 1, "(") || is(t - 1, ",")) && !is(t - 2, "WITH") &&
           !is_one_of(t, constraints) && !is_type(t + 1);
}

/* What is wrong at a token; NULL: nothing. */
static const char *fault_at(const statement *s, const token *t)
{
    if (is_word(t) && is(t + 1, "(") && !is_good_call(t))
        return "a function by its bare name";
    if (is_operator(t) && !is_good_operator(t))
        return "an operator by its bare name";
    if ((is(t, "::") && !is_type(t + 1)) || is_bad_column(s, t))
        return "a type by its bare name";
    if (is(t, "COLLATE") && !is(t + 1, "pg_catalog"))
        return "a collation by its bare name";
    if (is_bare_table(s, t))
        return "a table by its bare name";
    if (is_unknown_mark(t))
        return "a mark that stands for nothing";
    return is_without_a_place(t) ? "what looks for an operator" : NULL;
}

/* The number of faults, each of which is printed. */
static unsigned check(const char *text, int is_silent)
{
    static statement s;
    unsigned faults = 0;

    if (!read_statement(&s, text)) {
        fprintf(stderr, "too long: %.40s\n", text);
        return 1;
    }
    for (const token *t = &s.tokens[4]; t->text != NULL; t++) {
        const char *fault = fault_at(&s, t);
        if (fault != NULL && !is_silent)
            fprintf(stderr, "%s at \"%.40s\" of \"%.40s\"\n", fault, t->text, text);
        faults += fault != NULL;
    }
    return faults;
}

/* Checks the rules themselves. */
static unsigned check_rules(void)
{
    static const char *const bad[] = {
        "SELECT count(a) FROM @contacts",
        "SELECT evil.count(a)",
        "SELECT lower (a)",
        "SELECT a = 1",
        "SELECT a OPERATOR(evil.=) 1",
        "SELECT -a",
        "SELECT a * 2",
        "UPDATE @contacts SET a = 1 WHERE b = 2",
        "UPDATE @contacts SET a = b = 2",
        "UPDATE @contacts SET a = 1, b = (c = 2)",
        "SELECT a::text",
        "SELECT a::text[], b::pg_catalog.text",
        "SELECT CAST (a AS bigint)",
        "CREATE TABLE @contacts (a bigint, b text)",
        "CREATE TABLE @contacts (a bigint CHECK (a > 0))",
        "SELECT a COLLATE \"C\"",
        "SELECT CASE a WHEN 1 THEN 2 END",
        "SELECT nullif(a, b)",
        "SELECT a IS DISTINCT FROM b",
        "SELECT a IS NOT DISTINCT FROM b",
        "SELECT a IN (1, 2)",
        "SELECT a FROM @contacts JOIN @chatbots USING (a)",
        "SELECT a FROM contacts",
        "INSERT INTO contacts VALUES (1)",
        "UPDATE contacts SET a = 1",
        "DO $x$BEGIN PERFORM f('a'); END$x$",
        "SELECT @field FROM @contacts",
    };
    unsigned faults = 0;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (check(bad[i], 1) == 0) {
            fprintf(stderr, "not found out: %s\n", bad[i]);
            faults++;
        }
    }
    return faults;
}

/* ---------------------------------------------------------------------------- the object files */

static int is_statement(const char *text)
{
    static const char *const verbs[] = {"ALTER ",  "CALL ",   "COMMENT ", "CREATE ", "DELETE ",
                                        "DO ",     "DROP ",   "EXECUTE ", "GRANT ",  "INSERT ",
                                        "LOCK ",   "MERGE ",  "REVOKE ",  "SELECT ", "SET ",
                                        "UPDATE ", "VALUES ", "WITH ",    NULL};
    const char *const *verb = verbs;

    while (*verb != NULL && strncmp(text, *verb, strlen(*verb)) != 0)
        verb++;
    return *verb != NULL;
}

/* The faults of a statement as it is sent, apart from the tables' names. */
static unsigned check_template(const char *text)
{
    bb_allocator allocator = bb_allocator_or_default(NULL);
    bb_buffer sql;
    unsigned faults = 1;

    bb_buffer_init(&sql, &allocator, 1 << 20);
    bb_pg_columns_expand(&sql, text);
    bb_buffer_append_char(&sql, '\0');
    if (!sql.failed)
        faults = check(sql.data, 0);
    bb_buffer_free(&sql);
    return faults;
}

/* All strings of a section that are statements. */
static unsigned check_section(const char *data, size_t size, unsigned *statements)
{
    unsigned faults = 0;

    for (size_t at = 0; at < size; at += strlen(data + at) + 1) {
        if (memchr(data + at, '\0', size - at) == NULL)
            break;
        if (!is_statement(data + at))
            continue;
        faults += check_template(data + at);
        ++*statements;
    }
    return faults;
}

/* The sections of an object that hold data; the file is as elf(5) says. */
static unsigned check_object(const char *file, size_t size, unsigned *statements)
{
    ElfW(Ehdr) head;
    unsigned faults = 0;

    if (size < sizeof head || memcmp(file, ELFMAG, SELFMAG) != 0)
        return 1;
    memcpy(&head, file, sizeof head);
    for (size_t i = 0; i < head.e_shnum; i++) {
        ElfW(Shdr) section;
        memcpy(&section, file + head.e_shoff + i * head.e_shentsize, sizeof section);
        if (section.sh_type == SHT_PROGBITS && (section.sh_flags & SHF_ALLOC) != 0 &&
            (section.sh_flags & SHF_EXECINSTR) == 0)
            faults += check_section(file + section.sh_offset, section.sh_size, statements);
    }
    return faults;
}

static unsigned check_file(const char *path, unsigned *statements)
{
    FILE *file = fopen(path, "rb");
    char *data = NULL;
    long size = -1;
    unsigned faults = 1;

    if (file != NULL && fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    if (size > 0)
        data = malloc((size_t)size);
    if (data != NULL && fseek(file, 0, SEEK_SET) == 0 &&
        fread(data, 1, (size_t)size, file) == (size_t)size)
        faults = check_object(data, (size_t)size, statements);
    else
        fprintf(stderr, "%s cannot be read\n", path);
    free(data);
    if (file != NULL)
        fclose(file);
    return faults;
}

int main(int argc, char **argv)
{
    unsigned statements = 0;
    unsigned faults = check_rules();

    for (int i = 1; i < argc; i++) {
        if (strstr(argv[i], "/postgres/") != NULL)
            faults += check_file(argv[i], &statements);
    }
    printf("%u statements, %u faults\n", statements, faults);
    return statements > 30 && faults == 0 ? 0 : 1;
}

/*
 * body.c: the body's bytes become a list of entries, or a refusal with its issues: sections C, D.
 */
#include "body.h"

#include <stdio.h>
#include <string.h>

#include "json_check.h"

enum { MAX_EXTERNAL_ID = 255, FIRST_ENTRIES = 8 };

/* The fields of an entry, in the order of section D. */
enum { EXTERNAL_ID, NAME, EMAIL, PHONENUMBER, STRIPE_ACCOUNTS, CUSTOM_ATTRIBUTES, FIELD_COUNT };

static const char *const field_names[FIELD_COUNT] = {
    "external_id", "name", "email", "phonenumber", "stripe_accounts", "custom_attributes"};

typedef struct reader {
    const bb_body_limits *limits;
    bb_arena *arena;
    bb_issues *issues;
    bb_json_members members; /* of the objects that are being compacted */
    bb_json_facts facts;
    size_t expanded; /* see bb_json_find_faults() */
    int is_out_of_memory;
} reader;

static void add_type_issue(reader *r, const bb_path *path, const char *expected, bb_slice value)
{
    char message[64];

    snprintf(message, sizeof message, "Expected %s, received %s", expected,
             bb_json_type_name(bb_json_type_of(value.data[0])));
    bb_issues_add(r->issues, path, message);
}

/* ------------------------------------------------------------------------------------- fields */

/* A string or null (section D). Returns 0 if there is an issue. */
static int read_text(reader *r, bb_slice value, const bb_path *path, bb_slice *out)
{
    bb_json_type type = bb_json_type_of(value.data[0]);

    out->data = NULL;
    out->len = 0;
    if (type == BB_JSON_NULL)
        return 1;
    if (type != BB_JSON_STRING) {
        add_type_issue(r, path, "string", value);
        return 0;
    }
    if (r->facts.has_nul && bb_json_has_nul(value)) {
        bb_issues_add(r->issues, path, "String must not contain U+0000");
        return 0;
    }
    if (bb_json_decode(r->arena, value, out) != BB_OK)
        r->is_out_of_memory = 1;
    return 1;
}

/* Characters, not bytes: every byte that does not continue a UTF-8 sequence begins one. */
static size_t count_characters(bb_slice text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    return count;
}

static void read_external_id(reader *r, bb_slice value, const bb_path *path, bb_slice *out)
{
    if (!read_text(r, value, path, out) || out->data == NULL)
        return;
    if (out->len == 0)
        bb_issues_add(r->issues, path, "String must contain at least 1 character(s)");
    else if (out->len > MAX_EXTERNAL_ID && count_characters(*out) > MAX_EXTERNAL_ID)
        bb_issues_add(r->issues, path, "String must contain at most 255 character(s)");
}

/* An array or object or null, `empty` for the latter. */
static void read_json(reader *r, bb_slice value, bb_json_type type, const char *empty,
                      const bb_path *path, bb_slice *out)
{
    bb_json_type actual = bb_json_type_of(value.data[0]);
    int is_suspect = 0;

    out->data = empty;
    out->len = strlen(empty);
    if (actual == BB_JSON_NULL)
        return;
    if (actual != type) {
        add_type_issue(r, path, bb_json_type_name(type), value);
        return;
    }
    if (bb_json_compact(&r->members, value, &r->limits->json, out, &is_suspect) != BB_OK)
        r->is_out_of_memory = 1;
    else if (is_suspect)
        bb_json_find_faults(*out, &r->limits->json, path, &r->expanded, r->issues);
}

static void check_stripe_accounts(reader *r, bb_slice value, const bb_path *path)
{
    bb_json_iterator it = bb_json_iterate(value);
    bb_slice element;

    if (bb_json_type_of(value.data[0]) != BB_JSON_ARRAY)
        return;
    for (size_t i = 0; bb_json_next_element(&it, &element); i++) {
        bb_path step = {path, {NULL, 0}, i};
        if (bb_json_type_of(element.data[0]) != BB_JSON_OBJECT)
            add_type_issue(r, &step, "object", element);
    }
}

static void read_field(reader *r, int field, bb_slice value, const bb_path *entry_path,
                       bb_entry *entry)
{
    bb_path path = {entry_path, {field_names[field], strlen(field_names[field])}, 0};

    switch (field) {
    case EXTERNAL_ID:
        read_external_id(r, value, &path, &entry->external_id);
        return;
    case NAME:
        entry->fields |= BB_FIELD_NAME;
        read_text(r, value, &path, &entry->name);
        break;
    case EMAIL:
        entry->fields |= BB_FIELD_EMAIL;
        read_text(r, value, &path, &entry->email);
        break;
    case PHONENUMBER:
        entry->fields |= BB_FIELD_PHONENUMBER;
        read_text(r, value, &path, &entry->phonenumber);
        break;
    case STRIPE_ACCOUNTS:
        entry->fields |= BB_FIELD_STRIPE_ACCOUNTS;
        check_stripe_accounts(r, value, &path);
        read_json(r, value, BB_JSON_ARRAY, "[]", &path, &entry->stripe_accounts);
        break;
    default:
        entry->fields |= BB_FIELD_CUSTOM_ATTRIBUTES;
        read_json(r, value, BB_JSON_OBJECT, "{}", &path, &entry->custom_attributes);
        break;
    }
}

/* ------------------------------------------------------------------------------------ entries */

/* Whether a member's name, in quotes, is one of `names`: its index, or -1. */
static int find_name(reader *r, bb_slice name, const char *const *names, int count)
{
    bb_slice decoded = {name.data + 1, name.len - 2};
    int is_escaped = memchr(name.data, '\\', name.len) != NULL;
    int found = -1;

    if (is_escaped && bb_json_has_nul(name))
        return -1;
    if (is_escaped && bb_json_decode(r->arena, name, &decoded) != BB_OK) {
        r->is_out_of_memory = 1;
        return -1;
    }
    for (int i = 0; i < count && found < 0; i++) {
        if (strlen(names[i]) == decoded.len && memcmp(decoded.data, names[i], decoded.len) == 0)
            found = i;
    }
    if (is_escaped) /* the decoded name is what was allocated last, with a NUL after it */
        bb_arena_trim(r->arena, r->arena->at - (decoded.len + 1));
    return found;
}

static void read_members(reader *r, bb_slice object, const bb_path *path, bb_entry *entry)
{
    bb_slice values[FIELD_COUNT] = {{NULL, 0}};
    bb_json_iterator it = bb_json_iterate(object);
    bb_slice name;
    bb_slice value;

    /* the last of a repeated name counts (C4), so nothing is judged before all are seen */
    while (bb_json_next_member(&it, &name, &value)) {
        int field = find_name(r, name, field_names, FIELD_COUNT);
        if (field >= 0)
            values[field] = value;
    }
    for (int field = 0; field < FIELD_COUNT; field++) {
        if (values[field].data != NULL)
            read_field(r, field, values[field], path, entry);
    }
}

static void read_entry(reader *r, bb_slice text, const bb_path *path, bb_entry *entry)
{
    const bb_body_limits *limits = r->limits;
    char message[64];

    memset(entry, 0, sizeof *entry);
    if (bb_json_type_of(text.data[0]) != BB_JSON_OBJECT) {
        add_type_issue(r, path, "object", text);
        return;
    }
    if (text.len > limits->max_entry_bytes) {
        snprintf(message, sizeof message, "Larger than %zu bytes", limits->max_entry_bytes);
        bb_issues_add(r->issues, path, message);
        return;
    }
    /* the entry's own braces are one level, and are not inside it */
    if (r->facts.depth > limits->max_depth && bb_json_depth(text) > (size_t)limits->max_depth + 1) {
        snprintf(message, sizeof message, "Nested deeper than %u levels",
                 (unsigned)limits->max_depth);
        bb_issues_add(r->issues, path, message);
        return;
    }
    read_members(r, text, path, entry);
}

static int grow(bb_arena *arena, bb_body *body, size_t *capacity)
{
    size_t larger = *capacity == 0 ? FIRST_ENTRIES : *capacity * 4;
    bb_entry *entries;

    if (larger > BB_MAX_CONTACTS)
        larger = BB_MAX_CONTACTS;
    entries = bb_arena_alloc_array(arena, larger, sizeof *entries);
    if (entries == NULL)
        return 0;
    if (body->count > 0)
        memcpy(entries, body->entries, body->count * sizeof *entries);
    body->entries = entries;
    *capacity = larger;
    return 1;
}

static int32_t read_array(reader *r, bb_slice array, bb_body *body)
{
    bb_path root = {NULL, {body->root, strlen(body->root)}, 0};
    bb_json_iterator it = bb_json_iterate(array);
    size_t capacity = 0;
    bb_slice text;

    while (bb_json_next_element(&it, &text)) {
        bb_path path = {&root, {NULL, 0}, body->count};
        if (body->count == BB_MAX_CONTACTS)
            return BB_STATUS_TOO_MANY_CONTACTS;
        if (body->count == capacity && !grow(r->arena, body, &capacity))
            return BB_STATUS_INTERNAL_ERROR;
        read_entry(r, text, &path, &body->entries[body->count]);
        if (r->is_out_of_memory)
            return BB_STATUS_INTERNAL_ERROR;
        body->count++;
    }
    if (body->count == 0 || r->issues->count > 0)
        return BB_STATUS_INVALID_DATA;
    return BB_STATUS_SUCCESS;
}

/* --------------------------------------------------------------------------------------- body */

/* The array of entries (C2); null if there is none. */
static bb_slice find_array(reader *r, bb_slice text, bb_body *body)
{
    static const char *const names[] = {"users", "contacts"};
    const bb_slice nothing = {NULL, 0};
    bb_slice found[2] = {{NULL, 0}};
    const char *start = bb_json_skip_space(text.data, text.data + text.len);
    bb_slice object = {start, text.len - (size_t)(start - text.data)};
    bb_json_iterator it = bb_json_iterate(object);
    bb_slice name;
    bb_slice value;
    int i;

    if (bb_json_type_of(*start) != BB_JSON_OBJECT)
        return nothing;
    while (bb_json_next_member(&it, &name, &value)) {
        i = find_name(r, name, names, 2);
        if (i >= 0)
            found[i] = value;
    }
    i = found[0].data == NULL || bb_json_type_of(found[0].data[0]) == BB_JSON_NULL;
    body->root = names[i];
    if (found[i].data == NULL || bb_json_type_of(found[i].data[0]) != BB_JSON_ARRAY)
        return nothing;
    return found[i];
}

int32_t bb_body_read(bb_slice text, const bb_body_limits *limits, bb_arena *arena,
                     bb_issues *issues, bb_body *body)
{
    reader r = {.limits = limits, .arena = arena, .issues = issues};
    bb_slice array;
    int32_t status;

    memset(body, 0, sizeof *body);
    body->root = "users";
    if (!bb_json_check(&arena->allocator, text.data, text.len, &r.facts))
        return r.facts.is_out_of_memory ? BB_STATUS_INTERNAL_ERROR : BB_STATUS_INVALID_DATA;
    array = find_array(&r, text, body);
    if (r.is_out_of_memory)
        return BB_STATUS_INTERNAL_ERROR;
    if (array.data == NULL)
        return BB_STATUS_INVALID_DATA;
    bb_json_members_init(&r.members, &arena->allocator, arena);
    status = read_array(&r, array, body);
    bb_json_members_free(&r.members);
    return status;
}

/*
 * fixture.c: what the cases share: a store with a session, records, and checks.
 */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SOON_MS = 60000, KEY_HASHES = 8 };

/* -------------------------------------------------------------------------------------- checks */

void case_fail(bb_case *c, const char *file, int line, const char *what)
{
    const char *name = strrchr(file, '/');

    if (c->outcome == BB_CONFORMANCE_FAILED)
        return;
    c->outcome = BB_CONFORMANCE_FAILED;
    snprintf(c->detail, sizeof c->detail, "%s:%d: expected %s", name != NULL ? name + 1 : file,
             line, what);
}

void case_fail_code(bb_case *c, const char *file, int line, const char *what, int32_t code,
                    int32_t expected)
{
    char words[300];

    snprintf(words, sizeof words, "%s from %s, not %s", bb_code_name(expected), what,
             bb_code_name(code));
    case_fail(c, file, line, words);
}

void case_fail_saying(bb_case *c, const char *what)
{
    if (c->outcome == BB_CONFORMANCE_FAILED)
        return;
    c->outcome = BB_CONFORMANCE_FAILED;
    snprintf(c->detail, sizeof c->detail, "%s", what);
}

void case_skip(bb_case *c, const char *why)
{
    if (c->outcome == BB_CONFORMANCE_FAILED)
        return;
    c->outcome = BB_CONFORMANCE_SKIPPED;
    snprintf(c->detail, sizeof c->detail, "%s", why);
}

/* --------------------------------------------------------------------------- store and session */

int64_t soon(void)
{
    return bb_deadline_in(SOON_MS);
}

const uint8_t *key_hash(uint8_t number)
{
    /* with NUL, quotes, a backslash, line ends, and what is no UTF-8 */
    static const uint8_t hashes[KEY_HASHES][BB_KEY_HASH_SIZE] = {
        {0},
        {1},
        {[31] = 1},
        {0xff, 0xfe, 0x80, 0xc0, 0xed, 0xa0, 0x80, 0xf5},
        {'\'', '"', '\\', 0, '\n', '\r', '\t', '%', 's'},
        {0x7f, 0x80, [31] = 0xff},
        {0x7f, 0x80, [31] = 0xfe},
        {0x7f, 0x81, [31] = 0xff},
    };

    return hashes[number % KEY_HASHES];
}

int64_t milliseconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What the kit can't do without. */
static int has_all(const bb_storage_vtable *table)
{
    return table->session_open != NULL && table->session_close != NULL && table->migrate != NULL &&
           table->authorize != NULL && table->write != NULL && table->chatbot_add != NULL &&
           table->chatbot_archive != NULL && table->key_add != NULL && table->key_revoke != NULL;
}

/* Takes the table and opens a session. */
static void begin(bb_case *c)
{
    const bb_storage_vtable *given = c->store.vtable;
    bb_error error;
    int32_t code;

    bb_error_init(&error);
    memset(&c->table, 0, sizeof c->table);
    memcpy(&c->table, given, given->size < sizeof c->table ? given->size : sizeof c->table);
    if (c->table.size > sizeof c->table)
        c->table.size = sizeof c->table;
    c->vtable = &c->table;
    if (!has_all(&c->table)) {
        case_fail(c, __FILE__, __LINE__, "a table with migrate() and the administrative functions");
        return;
    }
    code = c->vtable->session_open(c->store.store, soon(), &c->session, &error);
    c->session_is_open = code == BB_OK;
    if (code != BB_OK)
        case_fail_code(c, __FILE__, __LINE__, error.message, code, BB_OK);
}

void fixture_open_bare(bb_case *c)
{
    int32_t code;

    c->store.size = sizeof c->store;
    c->now_us = START_US;
    code = c->options->open(c->options->ctx, &c->store);
    if (code == BB_OK)
        begin(c);
    else
        case_fail_code(c, __FILE__, __LINE__, "open()", code, BB_OK);
}

void fixture_reopen(bb_case *c)
{
    int32_t code;

    if (c->options->reopen == NULL) {
        case_skip(c, "there is no reopen()");
        return;
    }
    if (c->session_is_open)
        c->vtable->session_close(c->session);
    c->session_is_open = 0;
    code = c->options->reopen(c->options->ctx, &c->store);
    if (code == BB_OK)
        begin(c);
    else
        case_fail_code(c, __FILE__, __LINE__, "reopen()", code, BB_OK);
}

void fixture_open(bb_case *c)
{
    bb_error error;

    bb_error_init(&error);
    fixture_open_bare(c);
    CHECK_GOOD(c);
    CHECK_CODE(c, BB_OK, c->vtable->migrate(c->session, soon(), &error));
    CHECK_CODE(c, BB_OK, add_chatbot(c, CHATBOT, WORKSPACE));
    CHECK_CODE(c, BB_OK, add_chatbot(c, SECOND_CHATBOT, WORKSPACE));
    CHECK_CODE(c, BB_OK, add_chatbot(c, FOREIGN_CHATBOT, OTHER_WORKSPACE));
    CHECK_CODE(c, BB_OK, add_key(c, 1, WORKSPACE, 0, 0));
}

void fixture_close(bb_case *c)
{
    if (c->session_is_open)
        c->vtable->session_close(c->session);
    if (c->vtable != NULL)
        c->options->close(c->options->ctx, &c->store);
}

int32_t add_key(bb_case *c, uint8_t number, int64_t workspace_id, int64_t chatbot_id,
                int64_t expires_at_us)
{
    bb_error error;
    bb_key_record key = {.size = sizeof key,
                         .key_hash = key_hash(number),
                         .workspace_id = workspace_id,
                         .chatbot_id = chatbot_id,
                         .expires_at_us = expires_at_us,
                         .now_us = c->now_us};

    bb_error_init(&error);
    return c->vtable->key_add(c->session, &key, soon(), &error);
}

int32_t add_chatbot(bb_case *c, int64_t chatbot_id, int64_t workspace_id)
{
    bb_error error;

    bb_error_init(&error);
    return c->vtable->chatbot_add(c->session, chatbot_id, workspace_id, c->now_us, soon(), &error);
}

bb_access principal_access(const bb_case *c, int64_t workspace_id, int64_t key_chatbot_id,
                           int64_t chatbot_id)
{
    bb_access access = {.size = sizeof access,
                        .workspace_id = workspace_id,
                        .key_chatbot_id = key_chatbot_id,
                        .chatbot_id = chatbot_id,
                        .now_us = c->now_us,
                        .deadline = soon()};
    return access;
}

bb_access key_access(const bb_case *c, uint8_t number, int64_t chatbot_id)
{
    bb_access access = {.size = sizeof access,
                        .key_hash = key_hash(number),
                        .chatbot_id = chatbot_id,
                        .now_us = c->now_us,
                        .deadline = soon()};
    return access;
}

/* ------------------------------------------------------------------------------------- records */

bb_slice text(const char *string)
{
    bb_slice slice = {string, string != NULL ? strlen(string) : 0};
    return slice;
}

bb_record record_of(const char *external_id)
{
    bb_record record = {.size = sizeof record,
                        .external_id = text(external_id),
                        .stripe_accounts = text("[]"),
                        .custom_attributes = text("{}")};
    return record;
}

void set_name(bb_record *record, const char *value)
{
    record->fields |= BB_FIELD_NAME;
    record->name = text(value);
}

void set_email(bb_record *record, const char *value)
{
    record->fields |= BB_FIELD_EMAIL;
    record->email = text(value);
}

void set_phonenumber(bb_record *record, const char *value)
{
    record->fields |= BB_FIELD_PHONENUMBER;
    record->phonenumber = text(value);
}

void set_stripe_accounts(bb_record *record, const char *json)
{
    record->fields |= BB_FIELD_STRIPE_ACCOUNTS;
    record->stripe_accounts = text(json);
}

void set_custom_attributes(bb_record *record, const char *json)
{
    record->fields |= BB_FIELD_CUSTOM_ATTRIBUTES;
    record->custom_attributes = text(json);
}

int compare_keys(bb_slice a, bb_slice b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = memcmp(a.data, b.data, shorter);

    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

/* ----------------------------------------------------------------------------------- comparing */

int is_text(bb_slice slice, const char *string)
{
    if (string == NULL || slice.data == NULL)
        return string == NULL && slice.data == NULL;
    return slice.len == strlen(string) && memcmp(slice.data, string, slice.len) == 0;
}

static int is_same_json(bb_slice a, bb_slice b)
{
    int32_t equal = 0;

    if (a.data == NULL || b.data == NULL)
        return 0;
    return bb_json_equal(NULL, a, b, &equal) == BB_OK && equal;
}

int is_json(bb_slice slice, const char *json)
{
    return is_same_json(slice, text(json));
}

static int is_same_slice(bb_slice a, bb_slice b)
{
    if (a.data == NULL || b.data == NULL)
        return a.data == b.data;
    return compare_keys(a, b) == 0;
}

int is_same_contact(const bb_contact *a, const bb_contact *b)
{
    return a->id == b->id && a->created_at_us == b->created_at_us &&
           a->updated_at_us == b->updated_at_us && is_same_slice(a->external_id, b->external_id) &&
           is_same_slice(a->name, b->name) && is_same_slice(a->email, b->email) &&
           is_same_slice(a->phonenumber, b->phonenumber) &&
           is_same_json(a->stripe_accounts, b->stripe_accounts) &&
           is_same_json(a->custom_attributes, b->custom_attributes);
}

/*
 * fixture.h: what the cases share: a store with a session, records made by hand, writes that keep
 * what was put, and checks that end a case.
 */
#ifndef BB_CONFORMANCE_FIXTURE_H
#define BB_CONFORMANCE_FIXTURE_H

#include "bb_contacts/conformance.h"

/* Every case begins with these, which fixture_open() adds. */
#define WORKSPACE       7
#define OTHER_WORKSPACE 8
#define CHATBOT         123
#define SECOND_CHATBOT  124 /* of the same workspace */
#define FOREIGN_CHATBOT 900 /* of the other one */

/* The time of the first write, in microseconds; not a whole number of seconds. */
#define START_US INT64_C(1700000000123456)

/* The case that runs. */
typedef struct bb_case {
    const bb_conformance_options *options;
    bb_conformance_store store;
    bb_storage_vtable table;         /* the backend's, as far as it knows the struct */
    const bb_storage_vtable *vtable; /* `table` once the store is open */
    void *session;                   /* may be NULL while it is open */
    int session_is_open;
    int64_t now_us; /* the time of the next write */
    int32_t outcome;
    char detail[1000];
} bb_case;

/* The limit to what merging may come to, of every write here (D3). */
enum { KEPT_MAX_ATTRIBUTES = 4000 };

/* A contact with strings of its own. */
typedef struct kept_contact {
    int present;
    bb_contact contact;
    char *strings;
} kept_contact;

/* A write's outcome: per record what put() said. */
typedef struct kept_write {
    int32_t code;
    bb_error error;
    size_t count;
    size_t puts;
    size_t fail_at; /* the put() that is to fail, from 0; SIZE_MAX: none */
    int32_t *outcomes;
    unsigned *times; /* how often put() was called for each record */
    kept_contact *after;
    kept_contact *before;
} kept_write;

/* Ends the case with a failure, which names the line and what was expected. */
#define CHECK(c, condition)                                 \
    do {                                                    \
        if (!(condition)) {                                 \
            case_fail((c), __FILE__, __LINE__, #condition); \
            return;                                         \
        }                                                   \
    } while (0)

/* The same for a bb_code, which is shown. */
#define CHECK_CODE(c, expected, call)                                          \
    do {                                                                       \
        int32_t code_ = (call);                                                \
        if (code_ != (expected)) {                                             \
            case_fail_code((c), __FILE__, __LINE__, #call, code_, (expected)); \
            return;                                                            \
        }                                                                      \
    } while (0)

/* Ends the case at once if something that it called has failed it. */
#define CHECK_GOOD(c)                              \
    do {                                           \
        if ((c)->outcome == BB_CONFORMANCE_FAILED) \
            return;                                \
    } while (0)

void case_fail(bb_case *c, const char *file, int line, const char *what);
void case_fail_code(bb_case *c, const char *file, int line, const char *what, int32_t code,
                    int32_t expected);
void case_fail_saying(bb_case *c, const char *what); /* in its own words */
void case_skip(bb_case *c, const char *why);

/* Opens an empty store and a session, and makes the schema; with the chatbots above and a key of
 * WORKSPACE, key_hash(1). */
void fixture_open(bb_case *c);
void fixture_open_bare(bb_case *c); /* without schema, chatbots and key */
void fixture_close(bb_case *c);

/* Closes the store and opens it again, with a new session. Skips the case if that can't be done. */
void fixture_reopen(bb_case *c);

/* A deadline by which anything that does not wait is done. */
int64_t soon(void);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t milliseconds_now(void);

/* One of eight key hashes. */
const uint8_t *key_hash(uint8_t number);

/* Adds a key; returns the backend's code. */
int32_t add_key(bb_case *c, uint8_t number, int64_t workspace_id, int64_t chatbot_id,
                int64_t expires_at_us);
int32_t add_chatbot(bb_case *c, int64_t chatbot_id, int64_t workspace_id);

/* WORKSPACE's principal, or the holder of a key, at the case's time. */
bb_access principal_access(const bb_case *c, int64_t workspace_id, int64_t key_chatbot_id,
                           int64_t chatbot_id);
bb_access key_access(const bb_case *c, uint8_t number, int64_t chatbot_id);

/* A record that sets nothing; the setters below set a field, NULL being null. */
bb_slice text(const char *string);
bb_record record_of(const char *external_id);
void set_name(bb_record *record, const char *value);
void set_email(bb_record *record, const char *value);
void set_phonenumber(bb_record *record, const char *value);
void set_stripe_accounts(bb_record *record, const char *json);
void set_custom_attributes(bb_record *record, const char *json);

/* Orders two keys byte by byte, as a write's records must be. */
int compare_keys(bb_slice a, bb_slice b);

/* Sorts records and writes them as `access` asks; the outcome keeps the order given. Repeats the
 * write if the backend asks for that. Freed with kept_write_free(). */
kept_write write_as(void *session, const bb_storage_vtable *vtable, const bb_access *access,
                    const bb_record *records, size_t count, size_t fail_at);

/* The same as a dry run, on the case's session. */
kept_write write_dry(const bb_case *c, const bb_access *access, const bb_record *records,
                     size_t count);

/* write_as() as WORKSPACE's principal to CHATBOT, at the case's time, which then moves on by a
 * second; fails the case unless all was written and each record was put once. */
kept_write write_now(bb_case *c, const bb_record *records, size_t count);

/* The same for one record. */
kept_write write_one(bb_case *c, const bb_record *record);
void kept_write_free(kept_write *kept);

/* One write of a group. */
typedef struct group_member {
    bb_access access;
    const bb_record *records;
    size_t count;
    size_t fail_at; /* as in kept_write */
} group_member;

/* Writes a group, with each member's records sorted, and repeats it if the backend asks for that.
 * Each member's outcome goes to kept[]; free it with kept_writes_free(). Returns write_group()'s
 * code, which is every member's unless it is BB_OK. */
int32_t write_group_as(void *session, const bb_storage_vtable *vtable, const group_member *members,
                       size_t count, kept_write *kept, bb_error *error);
void kept_writes_free(kept_write *kept, size_t count);

/* Whether a stored string is this one; NULL is null. */
int is_text(bb_slice slice, const char *string);

/* Whether stored JSON has this value. */
int is_json(bb_slice slice, const char *json);

/* Whether two contacts are the same in everything. */
int is_same_contact(const bb_contact *a, const bb_contact *b);

#endif

/*
 * storage.h: the interface for authors of storage backends.
 *
 * A backend is a table of functions. The library opens sessions through it and uses each session on
 * one thread at a time, though not always the same one, so the code of a session is plain
 * single-threaded code. Different sessions are used at the same time: what they share through the
 * store needs its own locking, and session_open() and session_close() may run concurrently. The
 * library keeps the rules of the contract; a backend stores.
 *
 * Stability: structs and tables here begin with their size and only ever grow at their end. A
 * backend built against an older header goes on working: the library does without the members that
 * it does not know. A backend that may meet an older library checks a struct's size before it reads
 * a member that came after version 0.1.
 *
 * All strings are UTF-8 without U+0000, given as bytes and length. Times are microseconds since
 * 1970-01-01T00:00:00Z. Deadlines are milliseconds of CLOCK_MONOTONIC; bb_deadline_left() says what
 * is left of one.
 */
#ifndef BB_CONTACTS_STORAGE_H
#define BB_CONTACTS_STORAGE_H

#include "bb_contacts.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this interface. */
#define BB_STORAGE_VERSION 2

/* Bytes of a SHA-256 digest. */
#define BB_KEY_HASH_SIZE 32

/* The longest external_id in bytes: 255 characters of four bytes each. */
#define BB_EXTERNAL_ID_MAX 1020

/* Bytes that someone else owns. `data` NULL means null, or absent. */
typedef struct bb_slice {
    const char *data; /* not NUL-terminated */
    size_t len;       /* how many */
} bb_slice;

/* ------------------------------------------------------------------- what a write asks for */

/* Which fields a record sets; the bits of bb_record.fields. A field that is not set is kept as it
 * is on a known contact. */
#define BB_FIELD_NAME              (1u << 0)
#define BB_FIELD_EMAIL             (1u << 1)
#define BB_FIELD_PHONENUMBER       (1u << 2)
#define BB_FIELD_STRIPE_ACCOUNTS   (1u << 3)
#define BB_FIELD_CUSTOM_ATTRIBUTES (1u << 4)

/* Write the contact and its updated_at even if no value differs in the end: entries of the request
 * changed it there and back (E1). */
#define BB_RECORD_TOUCH (1u << 0)

/* put() must be given the contact as it was before, if there was one. */
#define BB_RECORD_WANT_BEFORE (1u << 1)

/*
 * Merge the custom_attributes of a known contact (D2): set the members that
 * bb_record.custom_attributes has, remove those whose names are in removed_attributes, and keep all
 * others as the store has them then. No name is in both. A record has this flag only if the table's
 * flags have BB_STORAGE_MERGES, and only together with BB_FIELD_CUSTOM_ATTRIBUTES.
 */
#define BB_RECORD_MERGE (1u << 2)

/*
 * One contact to create or update. Its values are those of a new contact: null, "[]" or "{}" where
 * the request says nothing. On a known contact only the fields in `fields` are compared and set.
 */
typedef struct bb_record {
    size_t size;                /* as the library knows the struct */
    uint32_t fields;            /* BB_FIELD_... */
    uint32_t flags;             /* BB_RECORD_... */
    bb_slice external_id;       /* the key, compared byte by byte: 1 to BB_EXTERNAL_ID_MAX bytes */
    bb_slice name;              /* or null */
    bb_slice email;             /* or null */
    bb_slice phonenumber;       /* or null */
    bb_slice stripe_accounts;   /* JSON, an array, without white space or repeated names */
    bb_slice custom_attributes; /* JSON, an object, likewise */
    /* version 0.1 ends here */
    size_t place;                /* where the last of its entries stands in the request, from 0 */
    bb_slice removed_attributes; /* with BB_RECORD_MERGE: JSON, an array of the names, each once */
    size_t entries; /* how many entries of the request name it, so how often the answer has it */
} bb_record;

/* Who asks, for what, and when. */
typedef struct bb_access {
    size_t size;             /* as the library knows the struct */
    const uint8_t *key_hash; /* SHA-256 of the API key, BB_KEY_HASH_SIZE bytes; NULL: a principal */
    int64_t workspace_id;    /* a principal's workspace; 0 with a key */
    int64_t key_chatbot_id;  /* the chatbot that a principal is limited to, or 0; 0 with a key */
    int64_t chatbot_id; /* the chatbot asked for; positive, or, in authorize() alone, 0: one that
                           can't exist, since the key is judged first (A1) */
    int64_t now_us;     /* the time of the request */
    int64_t deadline;   /* when to give up */
    /* version 0.1 ends here */

    int64_t lock_deadline; /* when to give up waiting for what others have locked, with BB_ERR_BUSY;
                              0 or later than `deadline`: at the deadline. See
                              BB_STORAGE_ONE_WRITER */
} bb_access;

/*
 * A stored contact.
 *
 * Its id is positive, unique among the contacts of all chatbots, and never given out again, even if
 * the contact is deleted (E3). Only a contact that is created uses one up (E4): no update, no
 * record that changes nothing, and no write that is refused or authorizes only. A write that is
 * undone after it has created contacts may use up theirs.
 */
typedef struct bb_contact {
    size_t size;                /* sizeof(bb_contact) of the backend */
    int64_t id;                 /* the <n> of contact_<n>; see above */
    int64_t created_at_us;      /* time of creation */
    int64_t updated_at_us;      /* time of the last change */
    bb_slice external_id;       /* the key, as in a record */
    bb_slice name;              /* or null */
    bb_slice email;             /* or null */
    bb_slice phonenumber;       /* or null */
    bb_slice stripe_accounts;   /* JSON, an array */
    bb_slice custom_attributes; /* JSON, an object */
} bb_contact;

/* The bytes that a contact in an answer has besides its values; see bb_write. */
#define BB_CONTACT_FRAME_BYTES 133

/* What put() is given instead of an outcome if merging would make a contact too large; see
 * bb_write. */
#define BB_PUT_OVERSIZED 3

/* A flag of bb_write: put what the write would do, and store nothing (A6); see there. */
#define BB_WRITE_DRY_RUN (1u << 0)

/* A flag of bb_write: nobody will see the contacts (A4), so put() may be given NULL for them. It is
 * given the outcome and the contact as it was, as without this flag; max_bytes then bounds only the
 * contacts as they were. A backend that does not know the flag may hand over contacts: nobody looks
 * at them. */
#define BB_WRITE_OUTCOMES_ONLY (1u << 1)

/*
 * One write: authorize, then store every record or none.
 *
 * Records come sorted by external_id, byte by byte, each key once, so that writers which lock in
 * this order can't deadlock. If that order breaks a uniqueness rule of the host's own and the order
 * of their places would not, as when one contact hands a value over to another, the order of places
 * counts (E1). For each record the backend calls put() once, in any order, with the record's index,
 * what became of it (a bb_outcome), the contact in its final state, and the contact as it was, if
 * the record wants it and there was one (otherwise NULL). The library copies what it needs before
 * put() returns. What was put counts only if write() then returns BB_OK. What is put has the form
 * of records, but its JSON may have any white space; the id is positive; updated_at is
 * access->now_us if the contact was created or updated, otherwise as it was.
 *
 * put() returns BB_OK; BB_ERR_NOMEM; BB_ERR_ARGUMENT for an index that is out of range or was put
 * already, or a contact whose size is that of no version; BB_ERR_TOO_LARGE (A7); or BB_ERR_INTERNAL
 * for a contact that no answer can hold, since someone else has written invalid JSON or UTF-8 to
 * the tables. On any but BB_OK the backend undoes the write, if it still can, and fails with the
 * same code. A backend that commits before it has the rows to put (one round trip does both) can't;
 * the client then gets a 500 and may try again (E9).
 *
 * Such a backend keeps to max_bytes itself: what it puts may not have more bytes in all, each
 * contact counted as often as its record's `entries` says. Otherwise it stores nothing, puts
 * nothing and fails with BB_ERR_TOO_LARGE. A contact's bytes are BB_CONTACT_FRAME_BYTES, the digits
 * of its id and of both times in seconds, its external_id and texts as JSON strings with the
 * shortest escapes (4 for null), and its JSON as it is put. A backend that puts before it commits
 * need not count: put() does. No backend may hold much more than max_bytes of contacts at a time,
 * be it as they are or as they were.
 *
 * Merging may make a contact's custom_attributes larger than before and larger than
 * max_attribute_bytes (D3), as JSON in the store's own form without white space around values. For
 * each record that would do so, the backend puts BB_PUT_OVERSIZED instead of an outcome, with NULL
 * for the contacts, stores nothing, and returns BB_ERR_OVERSIZED. Other records need not be put
 * then.
 *
 * With BB_WRITE_DRY_RUN (A6) the backend authorizes, puts and fails as without this flag, but a
 * contact that would be created has the id 0. It keeps nothing: it stores no row, uses up no id,
 * and writes nothing to the engine's log. It waits for no lock if it can do without. A dry run is
 * never in a group, and is asked for only if the table's flags have BB_STORAGE_DRY_RUNS.
 */
typedef struct bb_write {
    size_t size;                     /* as the library knows the struct */
    const bb_access *access;         /* who and where */
    const bb_record *const *records; /* sorted, unique */
    size_t record_count;             /* 1 or more */
    /* tells the library what became of a record, as said above */
    int32_t (*put)(void *put_ctx, size_t index, int32_t outcome, const bb_contact *contact,
                   const bb_contact *before);
    void *put_ctx; /* first argument of put() */
    /* version 0.1 ends here */
    size_t max_attribute_bytes; /* see above; 0: no limit */
    size_t max_bytes;           /* of contacts in the answer, see above; 0: no bound */
    uint32_t flags;             /* BB_WRITE_... */
} bb_write;

/*
 * The writes of several requests in one transaction, so that small requests share the price of a
 * commit. All their accesses have the now_us and deadline of the group, and the same lock_deadline.
 *
 * Each write is authorized on its own. write_group() returns BB_OK if the transaction went through.
 * Then codes[i], which is BB_OK before the call, tells what became of each write: BB_OK, it is
 * stored, and each of its records was put(); BB_ERR_UNKNOWN_KEY or BB_ERR_NOT_FOUND, it is refused;
 * any other code, it failed alone, as when its put() ran out of memory. All writes have the same
 * max_bytes, which bounds the sum of all of them, too. If write_group() returns any code but BB_OK,
 * nothing is stored, or nobody knows (BB_ERR_LOST), whatever was put; the library then writes
 * smaller groups, or one by one. So a backend may give up at anything out of the ordinary.
 *
 * No two writes name the same external_id of the same chatbot, unless the table's flags have
 * BB_STORAGE_ORDERED_GROUPS: such a backend applies the writes one after the other, so that each
 * sees what those before it did, and puts what the contact was then.
 */
typedef struct bb_write_group {
    size_t size;                   /* as the library knows the struct */
    const bb_write *const *writes; /* in the order of their arrival */
    size_t write_count;            /* 2 or more */
    int32_t *codes;                /* one for each */
    int64_t now_us;                /* the time of all of them */
    int64_t deadline;              /* when to give up */
} bb_write_group;

/* A flag of the table; see bb_write_group. */
#define BB_STORAGE_ORDERED_GROUPS (1u << 0)

/*
 * A flag of the table: one transaction writes at a time, whatever it writes, so all that wait for
 * the store wait for the same. Without this flag a write may wait for what others do not, such as a
 * row that the host has locked. So a write first gets only a share of its request's time for that,
 * as lock_deadline; if it returns BB_ERR_BUSY then, the library calls it again, apart from other
 * requests, as long as the request has time. A backend that waits for locks should heed
 * lock_deadline, so that one such request does not hold up others.
 */
#define BB_STORAGE_ONE_WRITER (1u << 1)

/* A flag of the table: the backend does what BB_RECORD_MERGE says. Without this flag, a request
 * that asks for merging is a 500. */
#define BB_STORAGE_MERGES (1u << 2)

/* A flag of the table: the backend does what BB_WRITE_DRY_RUN says. Without this flag, a request
 * for a dry run is a 500. */
#define BB_STORAGE_DRY_RUNS (1u << 3)

/* ----------------------------------------------------------------------------- administration */

/* A key to be added. */
typedef struct bb_key_record {
    size_t size;             /* as the library knows the struct */
    const uint8_t *key_hash; /* SHA-256 of the key, BB_KEY_HASH_SIZE bytes */
    int64_t workspace_id;    /* positive */
    int64_t chatbot_id;      /* the one chatbot, or 0 */
    int64_t expires_at_us;   /* or 0: never */
    int64_t now_us;          /* time of the call */
} bb_key_record;

/* ----------------------------------------------------------------------------------- the table */

/*
 * The functions of a backend. `store` is what was given to bb_storage_new(); `session` is what
 * session_open() made. Each function returns a bb_code and, unless it is BB_OK or a refusal
 * (BB_ERR_UNKNOWN_KEY, BB_ERR_NOT_FOUND, BB_ERR_CONFLICT), says more in `error`, which is never
 * NULL here. The returned code decides. BB_OK is 0: in a language with exceptions, make sure that a
 * function that raises one returns another code. What the codes mean to the library:
 *
 *     BB_ERR_UNKNOWN_KEY   no key with this hash, or revoked, or expired           401
 *     BB_ERR_NOT_FOUND     B3 says no                                              404
 *     BB_ERR_CONFLICT      a uniqueness rule of the host's own (E10)               409
 *     BB_ERR_OVERSIZED     see bb_write (D3)                                       400
 *     BB_ERR_TOO_LARGE     the answer would be larger than its bound (A7)          413
 *     BB_ERR_RETRY         undone; the session is good; called again until the deadline
 *     BB_ERR_LOST          the session is broken; closed, and tried again on a new one
 *     BB_ERR_BUSY, BB_ERR_UNAVAILABLE                                              503
 *     BB_ERR_SCHEMA, BB_ERR_NOMEM and any other                                    500
 *
 * A key is judged before the chatbot, and write() authorizes in the transaction that stores. After
 * any code but BB_ERR_LOST the session must be ready for the next call.
 *
 * Every function keeps to its deadline, whatever the engine does, and returns BB_ERR_BUSY when it
 * gives up. If the deadline has passed already, it does nothing and returns BB_ERR_BUSY. Only a
 * store that never waits, as one in memory, may ignore deadlines.
 *
 * name, session_open, session_close, authorize and write are required. session_open() must not need
 * the schema, since migrate() runs in a session. As long as there is no schema, all other functions
 * return BB_ERR_SCHEMA, or BB_ERR_UNAVAILABLE where there is nothing yet to have one, such as a
 * file, and make nothing. A store that needs none answers as an empty one. A schema stays: a store
 * that is opened again needs no migrate(), and has all that was stored.
 */
typedef struct bb_storage_vtable {
    size_t size;      /* sizeof(bb_storage_vtable) of the backend */
    uint32_t version; /* BB_STORAGE_VERSION of the backend */
    uint32_t flags;   /* BB_STORAGE_..., or 0 */
    const char *name; /* NUL-terminated, for logs; copied by reference, so static */

    /* Digits that a number in stored JSON may have before and after the decimal point when written
     * without exponent, with zeros at its end; 0: no limit. The library refuses larger numbers
     * (C6), and, if there is a limit, zeros with an exponent above 1000000000. */
    uint32_t max_integer_digits;
    uint32_t max_fraction_digits;

    /* Frees the store; all sessions are closed by then. Optional. */
    void (*close)(void *store);

    /* `*session` may become NULL if a session has no state. */
    int32_t (*session_open)(void *store, int64_t deadline, void **session, bb_error *error);
    void (*session_close)(void *session);

    /* Creates the schema or brings it up to date; see bb_storage_migrate(). Optional. */
    int32_t (*migrate)(void *session, int64_t deadline, bb_error *error);

    /* B1 to B3 alone. */
    int32_t (*authorize)(void *session, const bb_access *access, bb_error *error);

    /* The same, and the records. */
    int32_t (*write)(void *session, const bb_write *write, bb_error *error);

    /* See bb_storage_chatbot_add() and the functions after it. Optional: a backend over tables that
     * someone else manages leaves them out; then those return BB_ERR_UNSUPPORTED. */
    int32_t (*chatbot_add)(void *session, int64_t chatbot_id, int64_t workspace_id, int64_t now_us,
                           int64_t deadline, bb_error *error);
    int32_t (*chatbot_archive)(void *session, int64_t chatbot_id, int32_t archived, int64_t now_us,
                               int64_t deadline, bb_error *error);
    int32_t (*key_add)(void *session, const bb_key_record *key, int64_t deadline, bb_error *error);
    int32_t (*key_revoke)(void *session, const uint8_t *key_hash, int64_t now_us, int64_t deadline,
                          bb_error *error);
    /* version 1 ends here */

    /* See bb_write_group. Optional: without it each request is written by write(). */
    int32_t (*write_group)(void *session, const bb_write_group *group, bb_error *error);
    /* version 2 ends here */
} bb_storage_vtable;

/*
 * Makes a storage of a backend. The table is checked and copied; `store` is passed to its functions
 * and closed by bb_storage_close(). On failure (BB_ERR_ARGUMENT: a required function is missing, or
 * the size or version is of no known table; BB_ERR_NOMEM) the store stays the caller's, and `*out`
 * is NULL. Of a version later than its own, the library uses what it knows. `allocator` NULL:
 * malloc.
 */
BB_API int32_t bb_storage_new(const bb_storage_vtable *vtable, void *store,
                              const bb_allocator *allocator, bb_storage **out, bb_error *error);

/* ------------------------------------------------------------------------------------- helpers */

/* Milliseconds until a deadline; 0 if it has passed. At most INT32_MAX. */
BB_API int32_t bb_deadline_left(int64_t deadline);

/* The deadline that lies `timeout_ms` from now. */
BB_API int64_t bb_deadline_in(int64_t timeout_ms);

/* Fills `error` from a printf format, cut to fit at the end of a character. Returns `code`, so that
 * a backend can `return bb_error_set(...)`. `error` may be NULL. */
BB_API int32_t bb_error_set(bb_error *error, int32_t code, const char *format, ...)
#if defined(__GNUC__) && !defined(BB_DECLARATIONS_ONLY)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

/*
 * What a record makes of a contact, for backends that compare in C; see bb_record_apply(). Begin
 * with bb_change_init().
 */
typedef struct bb_change {
    size_t size;                   /* sizeof(bb_change); set by the init function below */
    const bb_record *record;       /* what is asked for */
    const bb_contact *before;      /* the contact that has its key, or NULL: there is none */
    int64_t now_us;                /* the write's access->now_us */
    size_t max_attribute_bytes;    /* the write's; 0: no limit (D3) */
    const bb_allocator *allocator; /* NULL: malloc */
    bb_contact *after;             /* where the contact is written, as far as its size goes */
    void *memory;                  /* written: what strings of `after` lie in, or NULL */
    int32_t outcome;               /* written: BB_CREATED, BB_UPDATED or BB_UNCHANGED */
    uint32_t reserved;             /* 0 */
} bb_change;

#ifndef BB_DECLARATIONS_ONLY
static inline void bb_change_init(bb_change *change)
{
    memset(change, 0, sizeof *change);
    change->size = sizeof *change;
}
#endif

/*
 * Works out what change->record makes of change->before. Writes the contact in its final state to
 * *change->after, whose size must be set, and what became of it to change->outcome (E5, E6): what
 * put() wants to know. The times are the final ones; the id of a contact that is created is 0, for
 * the backend to draw. If the outcome is BB_UNCHANGED, nothing needs to be written. The strings of
 * *change->after are those of the record and of `before`; or, where the record merges (D2), they
 * lie in memory that bb_change_free() frees, which may be called in any case.
 *
 * BB_ERR_NOMEM if it ran out of memory. BB_ERR_OVERSIZED if merging makes custom_attributes larger
 * than they were and than max_attribute_bytes. BB_ERR_INTERNAL if the record merges and the stored
 * object is no valid JSON in UTF-8. BB_ERR_ARGUMENT for a size of no version.
 */
BB_API int32_t bb_record_apply(bb_change *change, bb_error *error);

/* Frees what bb_record_apply() has taken for the strings of *change->after. NULL does nothing. */
BB_API void bb_change_free(bb_change *change);

/*
 * Whether two JSON texts are the same value, for backends that store text: members in any order,
 * numbers by exact value whatever their spelling, strings by their characters. Both must be valid
 * JSON without repeated names, as records are; any bytes are safe. `allocator` NULL: malloc.
 * Writes 1 or 0 to `*equal`; BB_ERR_NOMEM if it ran out of memory.
 */
BB_API int32_t bb_json_equal(const bb_allocator *allocator, bb_slice a, bb_slice b, int32_t *equal);

/*
 * Merges into a JSON object, for backends that store text (D2): the members of `set` take the place
 * of those of the same name, those whose names are in the array `removed` are removed, and all
 * others stay as they are. A member that has its new value already keeps its spelling. If nothing
 * changes, `*merged` is `object` and `*memory` is NULL. Otherwise the text is at `*memory`, which
 * the caller frees with `allocator`; NULL: malloc. `set` and `removed` are those of a record,
 * without white space. BB_ERR_ARGUMENT if `object` is no JSON object; BB_ERR_NOMEM.
 */
BB_API int32_t bb_json_merge(const bb_allocator *allocator, bb_slice object, bb_slice set,
                             bb_slice removed, bb_slice *merged, void **memory);

#ifdef __cplusplus
}
#endif

#endif

/*
 * bb_contacts.h: the public API; POST /api/v1/chatbots/:chatbotId/contacts as a function.
 *
 * A host hands over what arrived (path segment, Authorization header, body) and gets back what to
 * send (status, JSON body), plus what became of each entry. The library opens no port, starts no
 * threads unless asked to (bb_config.workers), writes to no stream and keeps no state outside its
 * handles.
 *
 *     bb_storage *storage;             where contacts live: memory, SQLite, PostgreSQL, or yours
 *     bb_contacts *contacts;           the endpoint: limits, clock, allocator, pool of sessions
 *     bb_result *result = bb_contacts_upsert(contacts, &request);
 *
 * Conventions, which hold for every function unless its comment says otherwise:
 *
 *  - Strings are bytes and a length, never expected to end in NUL, and only read during the call.
 *  - A struct that the caller fills in begins with its size; set it with the init function beside
 *    it. Structs only grow, at their end, and the size says which members the caller knows. Members
 *    that an older program does not know have their defaults, and results are filled in only as far
 *    as it knows them. Members that a newer program knows and this library does not must be zero:
 *    otherwise the struct is refused, and the error or the log names it. (bb_allocator is complete,
 *    and has no size.)
 *  - Handles (bb_storage, bb_contacts, bb_completions) may be used from any number of threads at
 *    once. A bb_result belongs to the caller and is not locked.
 *  - Closing and freeing functions accept NULL. Other functions given NULL where a handle or an
 *    output is needed return BB_ERR_ARGUMENT and change nothing. Functions that open something set
 *    it to NULL when they fail.
 *  - Open handles after fork(), in the process that uses them. A child has its parent's handles,
 *    but not the threads that work for them, and the connections are the parent's. There, every use
 *    of them is answered at once: a request is a 500 with a line in the log, all else
 *    BB_ERR_ARGUMENT. Closing them there only frees memory; connections and store are left alone.
 *    If the host forks in a callback, the child must not return from it.
 *  - Nothing aborts. Errors come back by value, in the caller's memory.
 *
 * Rule numbers (A1, E6, ...) in comments are those of the contract, tests/contract/contract.md in
 * the source tree.
 */
#ifndef BB_CONTACTS_BB_CONTACTS_H
#define BB_CONTACTS_BB_CONTACTS_H

/* For tools that read C but do not compile it, such as those that make bindings: with this macro
 * defined, cpp -P leaves only what such a tool needs, without system headers, attributes or
 * function bodies. See lib/FFI.md in the source tree. */
#ifndef BB_DECLARATIONS_ONLY
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Marks what the shared library exports. */
#if defined(__GNUC__) && !defined(BB_DECLARATIONS_ONLY)
#define BB_API __attribute__((visibility("default")))
#else
#define BB_API
#endif

/* The version of these headers. */
#define BB_VERSION_MAJOR 0
#define BB_VERSION_MINOR 1
#define BB_VERSION_PATCH 0

/* The version of the library that is loaded, as "major.minor.patch". Static, NUL-terminated. */
BB_API const char *bb_version(void);

/*
 * Prepares a struct of these headers, for languages that cannot call the inline init functions. It
 * does what those do: it sets all members to 0, and the struct's size to `size`, which is the
 * caller's sizeof. So it is right whatever version of the struct the caller knows. It does nothing
 * if `given` is NULL, or if `size` is less than that of a size_t.
 */
BB_API void bb_struct_init(void *given, size_t size);

/* ---------------------------------------------------------------- errors of the functions below */

/* The codes of the functions below: XX(NAME, value, text). */
#define BB_CODE_MAP(XX)                                                          \
    XX(OK, 0, "success")                                                         \
    XX(ERR_ARGUMENT, 1, "invalid argument")                                      \
    XX(ERR_NOMEM, 2, "out of memory")                                            \
    XX(ERR_UNKNOWN_KEY, 3, "no such live key")                                   \
    XX(ERR_NOT_FOUND, 4, "not found, or out of scope")                           \
    XX(ERR_CONFLICT, 5, "a uniqueness rule of the store was violated")           \
    XX(ERR_BUSY, 6, "the store was busy past the deadline")                      \
    XX(ERR_UNAVAILABLE, 7, "the store cannot be reached or cannot write now")    \
    XX(ERR_RETRY, 8, "the store undid the work; it may be tried again at once")  \
    XX(ERR_LOST, 9, "the session broke; the work may or may not have been kept") \
    XX(ERR_SCHEMA, 10, "the schema is missing or of another version")            \
    XX(ERR_UNSUPPORTED, 11, "not built in, or not supported by this store")      \
    XX(ERR_INTERNAL, 12, "unexpected failure")                                   \
    XX(ERR_DEADLINE, 13, "the deadline passed before the request was done")      \
    XX(ERR_CANCELLED, 14, "cancelled")                                           \
    XX(ERR_QUEUE_FULL, 15, "too many requests wait already")                     \
    XX(ERR_CLOSED, 16, "the handle is being closed")                             \
    XX(ERR_OTHER_PROCESS, 17, "opened in another process")                       \
    XX(ERR_OVERSIZED, 18, "merging would make a contact too large")              \
    XX(ERR_TOO_LARGE, 19, "the answer would be larger than its bound")

/* What functions other than bb_contacts_upsert() return, what storage backends answer, and why a
 * result is what it is: see bb_result_code(). BB_ERR_RETRY and BB_ERR_LOST are between backend and
 * library: callers never see them. */
typedef enum bb_code {
#define XX(name, value, text) BB_##name = (value),
    BB_CODE_MAP(XX)
#undef XX
} bb_code;

/* The code's name, such as "BB_ERR_BUSY", and its text. Static, NUL-terminated; for an unknown
 * code "BB_ERR_UNKNOWN" and "unknown code". */
BB_API const char *bb_code_name(int32_t code);
BB_API const char *bb_code_text(int32_t code);

/*
 * Details of a failure, for logs. Where a function takes a bb_error pointer it may be NULL; the
 * function fills it in only when it fails, and only if its size is set. The text is NUL-terminated,
 * cut to fit, and may repeat what the storage engine said: log it, do not send it to clients (A5).
 * It never holds a key.
 */
typedef struct bb_error {
    size_t size;       /* sizeof(bb_error); set by bb_error_init() */
    int32_t code;      /* a bb_code */
    int32_t reserved;  /* 0 */
    char sqlstate[6];  /* PostgreSQL's SQLSTATE, or "" */
    char message[250]; /* what happened */
} bb_error;

#ifndef BB_DECLARATIONS_ONLY
static inline void bb_error_init(bb_error *error)
{
    memset(error, 0, sizeof *error);
    error->size = sizeof *error;
}
#endif

/* ---------------------------------------------------------------------- what the host provides */

/*
 * The functions that give the library its memory. All three are required, must be callable from
 * several threads at once, and follow malloc, realloc and free: NULL for failure, alignment for any
 * type. `old_size` is the size last asked for at `ptr`, for allocators that keep no sizes. cJSON,
 * libpq and SQLite take some memory of their own from malloc.
 */
typedef struct bb_allocator {
    void *ctx;                                                            /* passed to all three */
    void *(*alloc)(void *ctx, size_t size);                               /* as malloc */
    void *(*realloc)(void *ctx, void *ptr, size_t old_size, size_t size); /* as realloc */
    void (*free)(void *ctx, void *ptr);                                   /* as free */
} bb_allocator;

/* Severity of a log line. */
typedef enum bb_log_level {
    BB_LOG_ERROR = 1, /* a request failed for a reason that is not the client's: 500, 503 */
    BB_LOG_WARN = 2,  /* something was retried or replaced, and the request went on */
    BB_LOG_INFO = 3   /* rare events: schema created, sessions opened */
} bb_log_level;

/* Receives one log line, without newline, not NUL-terminated. It is called on any thread that calls
 * the library, and on those that the library has started, so on several at once. It must not call
 * back into the library. Lines never hold keys (A5). A line about a request with an id ends in
 * " [request ID]". A line about several requests, such as a group that failed, ends in
 * " [request ID, ID]"; ids for which it has no room follow in further lines. A handle uses this and
 * the next functions until it is closed; a storage uses its log function until it and the last
 * handle on it are closed. */
typedef void (*bb_log_fn)(void *ctx, int32_t level, const char *line, size_t len);

/* Room for any log line of a handle, with a NUL. */
#define BB_LOG_LINE_SIZE 768

/* The wall clock: microseconds since 1970-01-01T00:00:00Z, positive. With 0 or less, which is what
 * a callback that raises an exception returns in some languages, the request is a 500. */
typedef int64_t (*bb_clock_fn)(void *ctx);

/* Fills `out` with `len` bytes that nobody can guess, and returns how many it made: `len`. With
 * anything else, or if all bytes are 0, the request is a 500. */
typedef size_t (*bb_random_bytes_fn)(void *ctx, void *out, size_t len);

/* The first form of bb_random_bytes_fn, which returns 0 for success: not for callbacks that may
 * raise an exception. Bytes that are all 0 are a 500 here, too. */
typedef int32_t (*bb_random_fn)(void *ctx, void *out, size_t len);

/* A timeout for callers whose own deadline has passed: there is no time left. A request is then a
 * 503, unless a check that needs no store refuses it first. Any other number that is not positive
 * stands for a default; in bb_completions_take(), any other negative number, for no end. */
enum { BB_TIMEOUT_NONE_LEFT = -2147483647 - 1 };

/* ------------------------------------------------------------------------------------- storage */

/* A place where contacts, chatbots and keys are kept. Opened by one of the functions of
 * backends.h, or made from a vtable of your own with storage.h. */
typedef struct bb_storage bb_storage;

/* Closes a storage, which its caller must not use any more. Handles that are open on it keep it
 * alive: they work as before, and closing the last one frees it. NULL does nothing. */
BB_API void bb_storage_close(bb_storage *storage);

/* The backend's name: "memory", "sqlite", "postgres", or what an author chose. Valid while the
 * storage is open; "" for NULL. */
BB_API const char *bb_storage_name(const bb_storage *storage);

/*
 * Creates the schema, or brings it up to this library's version. It may run again, and in several
 * processes at once. The openers don't do it, as a program's database role may not be allowed to
 * create tables. Without it requests are 500 and the log says why. On PostgreSQL it also moves the
 * sequence of ids past the highest id in the table, if the sequence is behind (as after a copy of
 * the table without it) and the role may do so. If contacts of a schema of version 1 share an id,
 * it fails with a message that says how to find them.
 *
 * `timeout_ms` here and below bounds the whole call, in milliseconds. 0 or less means 10 seconds,
 * but with BB_TIMEOUT_NONE_LEFT the call returns BB_ERR_BUSY at once. Each of these functions opens
 * and closes a session of its own and reads the system's clock. Any thread may call them.
 */
BB_API int32_t bb_storage_migrate(bb_storage *storage, int64_t timeout_ms, bb_error *error);

/* Adds a chatbot, live, to a workspace; both numbers are positive. If it is there already, archived
 * or not: BB_OK without a change in the same workspace, BB_ERR_CONFLICT in another. */
BB_API int32_t bb_storage_chatbot_add(bb_storage *storage, int64_t chatbot_id, int64_t workspace_id,
                                      int64_t timeout_ms, bb_error *error);

/* Archives a chatbot (requests to it answer 404, B3; nothing is deleted) or, with `archived` 0,
 * brings it back. BB_ERR_NOT_FOUND if there is none. */
BB_API int32_t bb_storage_chatbot_archive(bb_storage *storage, int64_t chatbot_id, int32_t archived,
                                          int64_t timeout_ms, bb_error *error);

/* What a new key may do, and until when. */
typedef struct bb_key_options {
    size_t size;          /* sizeof(bb_key_options); set by bb_key_options_init() */
    int64_t workspace_id; /* whose key it is; positive */
    int64_t chatbot_id;   /* the one chatbot that it is limited to, or 0: all of the workspace's */
    int64_t expires_at;   /* Unix seconds from which it is no longer valid, or 0: never */
    const char *env;      /* the <env> of oc_<env>_<random>: letters and digits; NULL: "live" */
    size_t env_len;       /* its length, at most 32 */
    const char *token;    /* an existing key to register: at most 512 bytes, its <random> in the
                             characters of RFC 6750's b64token; NULL: make one */
    size_t token_len;     /* its length */
    bb_random_fn random;  /* makes the key's random part; NULL: the operating system */
    void *random_ctx;     /* passed to random and random_bytes */
    /* version 0.1 ends here */
    bb_random_bytes_fn random_bytes; /* used in place of random; NULL: random is used */
} bb_key_options;

#ifndef BB_DECLARATIONS_ONLY
static inline void bb_key_options_init(bb_key_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}
#endif

/* Room for any key that bb_storage_key_add() makes, with its NUL. */
#define BB_KEY_SIZE 128

/*
 * Adds an API key and writes it to `out`, NUL-terminated. `out_size` is the room there: BB_KEY_SIZE
 * is enough for a made key, token_len + 1 for a `token`. With less, returns BB_ERR_ARGUMENT and
 * adds nothing. Only the key's SHA-256 is stored (B2), so nobody can ask for the key later. `out`
 * may be NULL if a `token` is given. BB_ERR_CONFLICT if the token exists with another scope or is
 * revoked; if it exists with the same scope, BB_OK, and it keeps its time of expiry.
 * BB_ERR_NOT_FOUND if the one chatbot is not in the workspace. BB_ERR_ARGUMENT for a token without
 * the form of B1.
 */
BB_API int32_t bb_storage_key_add(bb_storage *storage, const bb_key_options *options, char *out,
                                  size_t out_size, int64_t timeout_ms, bb_error *error);

/* Revokes a key for good; BB_OK if it was revoked already, BB_ERR_NOT_FOUND if it was never
 * added. */
BB_API int32_t bb_storage_key_revoke(bb_storage *storage, const char *key, size_t key_len,
                                     int64_t timeout_ms, bb_error *error);

/* ---------------------------------------------------------------------------------- the handle */

/* The endpoint over one storage: limits, clock, allocator and a pool of storage sessions. */
typedef struct bb_contacts bb_contacts;

/* What becomes of the custom_attributes that an entry sends (section D). */
typedef enum bb_attributes {
    BB_ATTRIBUTES_DEFAULT = 0, /* in a request: what its handle says; in a handle: replace */
    BB_ATTRIBUTES_REPLACE = 1, /* the contact has what was sent, and nothing else */
    BB_ATTRIBUTES_MERGE = 2    /* members are set one by one, or removed by null (D2) */
} bb_attributes;

/* Options of bb_contacts_open(); 0 or NULL in a member means its default. */
typedef struct bb_config {
    size_t size;                   /* sizeof(bb_config); set by bb_config_init() */
    const bb_allocator *allocator; /* copied; default: malloc, realloc, free */
    bb_clock_fn clock;             /* default: the system's clock */
    void *clock_ctx;               /* passed to clock */
    bb_random_fn random;           /* default: the operating system's getentropy */
    void *random_ctx;              /* passed to random and random_bytes */
    bb_log_fn log;                 /* default: nothing is logged */
    void *log_ctx;                 /* passed to log */
    size_t max_body_bytes;         /* C7; default 16 MiB; at most 1 GiB */
    size_t max_entry_bytes;        /* C7; default 1 MiB; at most 1 GiB. Where the store writes
                                      numbers without exponents (PostgreSQL), also the length of all
                                      numbers of a request, written so */
    uint32_t max_depth;            /* C7; levels of arrays and objects inside an entry; default 64;
                                      at most 512 */
    uint32_t max_sessions;         /* storage sessions at once, each opened when needed and used by
                                      one request or group at a time; a request that finds all busy
                                      waits until its deadline; default 16; at most 10000; with
                                      workers, always at least workers + 2. Without workers, callers
                                      use up to 4 for groups, 4 for requests that have waited for a
                                      share of their time, and the rest for requests of 128 contacts
                                      or more. Where the store has one writer, they use up to 2 for
                                      groups, and none for large requests alone */
    int64_t timeout_ms;            /* how long a request may take in all; 0 or less: 10 seconds */
    int64_t idle_timeout_ms;       /* a storage session that was idle for this long is closed when
                                      the handle is next used; default 5 minutes */
    uint32_t workers;              /* for bb_contacts_submit(): the most groups of requests that
                                      are written at once. As many threads are started, and three
                                      more: one watches deadlines; two go on with requests that have
                                      waited for a share of their time, as for a row that someone
                                      has locked, so that these hold no worker. Each has a stack of
                                      1 MiB. While a group is being written, another one of a few
                                      requests waits for at most 2 ms. Default 0: no threads, and no
                                      bb_contacts_submit(); callers of bb_contacts_upsert() share
                                      transactions all the same. At most 256 */
    uint32_t max_queued;         /* requests that may wait for a worker; one more is a 503 at once.
                                    A chatbot may have as many there as there are free places, so at
                                    most half: the rest is for others. Without workers, any number
                                    of callers may wait. Default 4096; at most 1000000 */
    size_t max_queued_bytes;     /* likewise, the bytes of their bodies; default 64 MiB */
    uint32_t max_group_requests; /* requests in one transaction; default 128; 1: each alone, and
                                    without workers none waits for another but for a session; at
                                    most 1000 */
    uint32_t max_group_contacts; /* contacts in them, unless a single request has more; default
                                    1000; at most 10000 */
    size_t max_group_bytes;      /* bytes of their bodies, likewise; default 4 MiB */
    /* version 0.1 ends here */
    int32_t custom_attributes; /* a bb_attributes, for requests that do not say */
    size_t max_answer_bytes;   /* A7; a request whose answer would be larger is a 413 and stores
                                  nothing; default 64 MiB; at most 16 GiB. It bounds the sum of a
                                  group's answers, too: what does not fit is written in smaller
                                  groups */
    bb_random_bytes_fn random_bytes; /* used in place of random; default: random is used */
} bb_config;

#ifndef BB_DECLARATIONS_ONLY
static inline void bb_config_init(bb_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
}
#endif

/*
 * Makes a handle on `storage`. The handle keeps the storage alive until it is closed itself, even
 * if bb_storage_close() is called before that. One storage may have several handles. `config` may
 * be NULL. Opens no session: the database may be down until the first request comes. Returns
 * BB_ERR_ARGUMENT for a limit out of its bounds. BB_ERR_NOMEM if memory ran out. BB_ERR_INTERNAL if
 * a thread can't be started, or if there are no random bytes.
 */
BB_API int32_t bb_contacts_open(bb_storage *storage, const bb_config *config, bb_contacts **out,
                                bb_error *error);

/* Closes a handle and its sessions. No other call on it may be under way or come later, except from
 * callbacks of bb_contacts_submit(): queued requests are written first, each until its deadline,
 * and each callback is called; what a callback submits meanwhile is a 503. Such a callback must not
 * call this. Completion queues on it may be used at the same time and stay open; see below. NULL
 * does nothing. */
BB_API void bb_contacts_close(bb_contacts *contacts);

/* The body limit in force (C7), for a host that wants to stop reading there. 0 for NULL. */
BB_API size_t bb_contacts_max_body(const bb_contacts *contacts);

/* --------------------------------------------------------------------------------- one request */

/* A caller whom the host has authenticated itself (B4). Scope is still checked. */
typedef struct bb_principal {
    size_t size;          /* sizeof(bb_principal); set by bb_principal_init() */
    int64_t workspace_id; /* the workspace that it acts for; if not positive, every request is a
                             404 */
    int64_t chatbot_id;   /* the one chatbot that it is limited to, or 0 */
} bb_principal;

#ifndef BB_DECLARATIONS_ONLY
static inline void bb_principal_init(bb_principal *principal)
{
    memset(principal, 0, sizeof *principal);
    principal->size = sizeof *principal;
}
#endif

/* A flag of bb_request: the body's bytes stay as they are until the request is answered, so that
 * bb_contacts_submit() need not copy them. The request is answered when its answer is returned,
 * when `done` is called, or when its completion is taken. If its completion queue is closed before
 * that, the bytes must stay until the handle is closed. */
#define BB_REQUEST_BODY_STAYS (1u << 0)

/* What a 200 holds (A4). */
typedef enum bb_answer {
    BB_ANSWER_FULL = 0,   /* the contacts */
    BB_ANSWER_MINIMAL = 1 /* the message alone; no contact is read back for it. The result has
                             outcomes and counts all the same */
} bb_answer;

/* The most characters of a request's id (A5). */
#define BB_MAX_REQUEST_ID 128

/*
 * Copies what counts of a request's id, for a host that answers with it or logs it: its printable
 * ASCII characters, the first BB_MAX_REQUEST_ID of them, as far as there is room, and a NUL.
 * `out_size` is the room at `out`: BB_MAX_REQUEST_ID + 1 is enough. `given` NULL is an empty id.
 * Returns how many characters were copied; 0 for `out` NULL or no room. Any thread may call it.
 */
BB_API size_t bb_request_id_clean(const char *given, size_t len, char *out, size_t out_size);

/* A request, as it arrived. */
typedef struct bb_request {
    size_t size;                   /* sizeof(bb_request); set by bb_request_init() */
    const char *chatbot_id;        /* the path segment, percent-decoded */
    size_t chatbot_id_len;         /* bytes */
    const char *authorization;     /* the Authorization header's value; NULL: no header */
    size_t authorization_len;      /* bytes */
    const bb_principal *principal; /* instead of the header, which is then ignored */
    const char *body;              /* the request's body; NULL is an empty one */
    size_t body_len;               /* bytes; over the limit: 413, and the body is not read */
    const char *idempotency_key;   /* E9; any bytes; NULL or empty: none. One key, one body: entries
                                      without external_id get the ids that the same places of an
                                      earlier body with this key got, however long ago */
    size_t idempotency_key_len;    /* bytes; over 255: 400 */
    int64_t timeout_ms;            /* for this request; 0 or less: the handle's;
                                      BB_TIMEOUT_NONE_LEFT: none */
    /* version 0.1 ends here */
    uint32_t flags;            /* BB_REQUEST_BODY_STAYS, or 0; any other: 500 */
    int32_t answer;            /* a bb_answer; any other: 500 */
    int32_t custom_attributes; /* a bb_attributes; any other value: 400, so that a host can set one
                                  for what it could not read */
    int32_t dry_run; /* A6: 1: makes every check and answers as for the request itself, but stores
                        nothing and uses up no id; a contact that would be created has "id": null.
                        Any value but 0 and 1: 400 */
    const char *request_id; /* A5; the host's own id of the request, which every log line about it
                               has; NULL or empty: none. Its first BB_MAX_REQUEST_ID printable ASCII
                               characters are used, and all else is left out */
    size_t request_id_len;  /* bytes */
} bb_request;

#ifndef BB_DECLARATIONS_ONLY
static inline void bb_request_init(bb_request *request)
{
    memset(request, 0, sizeof *request);
    request->size = sizeof *request;
}
#endif

/* The outcomes of a request: XX(NAME, number, HTTP status, message). The message is the one in the
 * JSON body. */
#define BB_STATUS_MAP(XX)                                                                      \
    XX(SUCCESS, 0, 200, "Success")                                                             \
    XX(INVALID_DATA, 1, 400, "Invalid request data")                                           \
    XX(TOO_MANY_CONTACTS, 2, 400, "Maximum 1000 contacts per request")                         \
    XX(NO_KEY, 3, 401, "No API key provided.")                                                 \
    XX(INVALID_KEY, 4, 401, "Invalid API key.")                                                \
    XX(NOT_FOUND, 5, 404, "Resource not found")                                                \
    XX(CONFLICT, 6, 409, "Error saving chatbot contact. External ID or email already exists.") \
    XX(PAYLOAD_TOO_LARGE, 7, 413, "Payload too large")                                         \
    XX(INTERNAL_ERROR, 8, 500, "Internal server error")                                        \
    XX(UNAVAILABLE, 9, 503, "Service unavailable")

/* The outcome of a request, each of which has one HTTP status. */
typedef enum bb_status {
#define XX(name, number, http, message) BB_STATUS_##name = (number),
    BB_STATUS_MAP(XX)
#undef XX
} bb_status;

/* What became of an entry (E6). */
typedef enum bb_outcome {
    BB_CREATED = 0,  /* there was no such contact */
    BB_UPDATED = 1,  /* there was, and the entry changed it */
    BB_UNCHANGED = 2 /* there was, with the same values: nothing was written (E5) */
} bb_outcome;

/* The most contacts that one request may hold (C2). */
#define BB_MAX_CONTACTS 1000

/* The outcome of one request. */
typedef struct bb_result bb_result;

/*
 * The endpoint: authorizes, validates and stores one request, all of it or nothing (A2), and says
 * what to answer. Blocks until the store has answered or the deadline has passed. Never NULL; the
 * result is freed with bb_result_free(). The result is a 500 for NULL arguments, and for a request
 * or principal whose size is that of no version or that sets members which this library does not
 * know.
 *
 * Calls on several threads share transactions, if max_group_requests allows it and the storage can.
 * Without workers, one of the threads that wait writes a whole group, its own request among them,
 * and then returns. So the log and the allocator may be called on a thread for another thread's
 * request. A request that is alone is written at once. Requests that are written together keep
 * their own outcomes, as if they had come one after the other (E7), and their own deadlines.
 */
BB_API bb_result *bb_contacts_upsert(bb_contacts *contacts, const bb_request *request);

/* Receives the answer of a submitted request; see bb_contacts_submit(). */
typedef void (*bb_done_fn)(void *done_ctx, bb_result *result);

/*
 * bb_contacts_upsert() without waiting, for an event loop; needs workers (bb_config). Checks what
 * needs no store, queues the request and returns. Exactly one of two things happens:
 *
 *  - The answer is known at once (a 401 for a malformed key, a 503 because the queue is full): it
 *    is returned, and `done` is never called.
 *  - NULL is returned, and `done` is called once, with the answer, which it then owns. That happens
 *    on one of the handle's threads, perhaps before this function has returned, or inside a call of
 *    bb_contacts_cancel(). It should be brief, since it holds up other answers: typically it hands
 *    the result over to its event loop. It may call every function here except bb_contacts_upsert()
 *    and bb_contacts_authorize(), which would wait for their own thread, and bb_contacts_close().
 *
 * The request is copied, its body too (but see BB_REQUEST_BODY_STAYS). Its time runs from this
 * call, time in the queue included; a request that is still queued at its deadline is a 503.
 * `ticket` may be NULL; it is set before `done` can be called. A handle without workers answers
 * 500.
 */
BB_API bb_result *bb_contacts_submit(bb_contacts *contacts, const bb_request *request,
                                     bb_done_fn done, void *done_ctx, uint64_t *ticket);

/* bb_contacts_authorize() without waiting, as bb_contacts_submit() does it. */
BB_API bb_result *bb_contacts_submit_authorize(bb_contacts *contacts, const bb_request *request,
                                               bb_done_fn done, void *done_ctx, uint64_t *ticket);

/*
 * Takes a submitted request out of the queue, for example because its client has gone: `done` is
 * called with a 503 before this returns BB_OK, and nothing is stored. BB_ERR_NOT_FOUND if the
 * request is being written or has been answered: then `done` has been or will be called with the
 * answer. Tickets are never used twice, so an old one does no harm.
 */
BB_API int32_t bb_contacts_cancel(bb_contacts *contacts, uint64_t ticket);

/*
 * Checks only whether the caller may write (A1: key, then chatbot and scope), for a host that wants
 * to refuse a body before it reads it. The result is a 200 without data if the caller may write,
 * otherwise the answer of bb_contacts_upsert(). Body and idempotency key are ignored.
 */
BB_API bb_result *bb_contacts_authorize(bb_contacts *contacts, const bb_request *request);

/* Frees a result and its body, on any thread. A result may outlive its handle; it needs only the
 * allocator. NULL does nothing. */
BB_API void bb_result_free(bb_result *result);

/* Frees `count` results at once. Any of them may be NULL, and so may `results`. The array itself
 * stays the caller's. */
BB_API void bb_results_free(bb_result *const *results, size_t count);

/* The outcome as a bb_status, and as the HTTP status to send. All functions that read a result take
 * NULL for a 500 without entries. */
BB_API int32_t bb_result_status(const bb_result *result);
BB_API int32_t bb_result_http_status(const bb_result *result);

/*
 * Why the result is what it is, a bb_code; most of all, why it is a 500 or a 503, which the JSON
 * body does not say (A5):
 *
 *     200   BB_OK
 *     400, 413   BB_ERR_ARGUMENT
 *     401   BB_ERR_UNKNOWN_KEY
 *     404   BB_ERR_NOT_FOUND
 *     409   BB_ERR_CONFLICT
 *     503   BB_ERR_DEADLINE      its time was over: in the queue, or while the store was busy
 *           BB_ERR_UNAVAILABLE   the store cannot be reached, or cannot write now
 *           BB_ERR_QUEUE_FULL    too many requests wait (bb_config.max_queued and others)
 *           BB_ERR_CANCELLED     by bb_contacts_cancel()
 *           BB_ERR_CLOSED        it came while the handle was being closed
 *     500   BB_ERR_ARGUMENT      the host's mistake: NULL, a struct of no version, no workers
 *           BB_ERR_OTHER_PROCESS after fork(), a handle of the parent's
 *           BB_ERR_NOMEM         memory ran out
 *           BB_ERR_SCHEMA, BB_ERR_UNSUPPORTED   said by the store; see the log
 *           BB_ERR_INTERNAL      anything else; see the log
 *
 * After BB_ERR_DEADLINE, BB_ERR_UNAVAILABLE, and any 500 but one with BB_ERR_ARGUMENT or
 * BB_ERR_OTHER_PROCESS, the request may have been stored all the same, and may be sent again (E9).
 * Later versions may tell more codes apart.
 */
BB_API int32_t bb_result_code(const bb_result *result);

/* The response body: `*len` bytes of JSON, Content-Type application/json (A3), with a NUL after the
 * last. Valid until the result is freed. `len` may be NULL. */
BB_API const char *bb_result_body(const bb_result *result, size_t *len);

/* How many entries the request had, if it was stored or, after a dry run, would have been stored;
 * otherwise 0. */
BB_API size_t bb_result_entries(const bb_result *result);

/* What became of entry `index`, a bb_outcome; -1 if there is no such entry (E6). */
BB_API int32_t bb_result_outcome(const bb_result *result, size_t index);

/* How many entries of the request had this outcome. */
BB_API size_t bb_result_count(const bb_result *result, int32_t outcome);

/* All of a result at once, for callers to whom each call is dear, such as bindings. */
typedef struct bb_result_view {
    size_t size;             /* sizeof(bb_result_view); set by bb_result_view_init() */
    int32_t code;            /* bb_result_code() */
    int32_t status;          /* a bb_status */
    int32_t http_status;     /* the one to send */
    int32_t reserved;        /* 0 */
    const char *body;        /* JSON, with a NUL after it; valid until the result is freed */
    size_t body_len;         /* bytes, without the NUL */
    const uint8_t *outcomes; /* for each entry a bb_outcome; valid until the result is freed; NULL
                                if there are no entries */
    size_t entries;          /* bb_result_entries() */
    size_t created;          /* of them, those with the outcome BB_CREATED */
    size_t updated;          /* BB_UPDATED */
    size_t unchanged;        /* BB_UNCHANGED */
} bb_result_view;

#ifndef BB_DECLARATIONS_ONLY
static inline void bb_result_view_init(bb_result_view *view)
{
    memset(view, 0, sizeof *view);
    view->size = sizeof *view;
}
#endif

/* Reads all of a result. A NULL result reads as a 500. BB_ERR_ARGUMENT if `view` is NULL, or its
 * size is that of no version. */
BB_API int32_t bb_result_read(const bb_result *result, bb_result_view *view);

/* --------------------------------------------------------------------------- completion queues */

/*
 * Answers of submitted requests without callbacks, for event loops and for other languages. Unless
 * the host has an allocator, a log function or a backend of its own, none of its code runs on the
 * library's threads. A completion queue keeps what has been answered until the host takes it, and
 * has a file descriptor that says when something is there:
 *
 *     bb_completions_open(contacts, NULL, &completions, NULL);   one for each event loop, say
 *     bb_completions_submit(completions, &request, tag, NULL);   the tag tells requests apart
 *     ... when bb_completions_fd(completions) is readable ...
 *     bb_completions_take(completions, array, count, 0, &taken);
 *
 * Every submitted request comes out of its queue exactly once, whatever becomes of it: answered,
 * refused at once, cancelled, or past its deadline. Its place in the queue is taken when it is
 * submitted, so this cannot fail later. Until a completion is taken, it holds its result and about
 * a kilobyte more.
 *
 * Any number of threads may submit, take and cancel at once. Handle and queues are closed in any
 * order, and in different threads if need be:
 *
 *  - The handle first: bb_contacts_close() finishes all that was submitted, and does not wait until
 *    somebody takes it. From its beginning on, submitting is BB_ERR_CLOSED. Completions that are
 *    left can be taken afterwards, with valid results; after the last, taking is BB_ERR_CLOSED.
 *  - The queue first: its requests are finished all the same, and their answers are freed; see
 *    bb_completions_stop().
 *
 * The handle's allocator and log function must last until both are closed. In a child of fork() all
 * of these functions return BB_ERR_ARGUMENT. Closing there only frees memory and closes the child's
 * copy of the file descriptor.
 */
typedef struct bb_completions bb_completions;

/* Options of bb_completions_open(); 0 in a member means its default. */
typedef struct bb_completions_options {
    size_t size;        /* sizeof(bb_completions_options); set by bb_completions_options_init() */
    uint32_t max_lines; /* how many log lines may wait in this queue; default 0: it gets none.
                           Otherwise each log line of the handle comes through it, as through every
                           other queue that takes lines, and goes to bb_config.log if that is set. A
                           line that finds so many waiting is dropped and counted. The memory for
                           all is taken when the queue is opened, 808 bytes a line. At most 65536 */
    uint32_t reserved;  /* 0 */
} bb_completions_options;

#ifndef BB_DECLARATIONS_ONLY
static inline void bb_completions_options_init(bb_completions_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}
#endif

/* What comes out of a completion queue: an answer, or a log line. */
typedef struct bb_completion {
    size_t size;                 /* sizeof(bb_completion); set by bb_completion_init() */
    uint64_t tag;                /* of the request; 0 with a log line */
    bb_result *result;           /* the request's answer, now the caller's, who frees it with
                                    bb_result_free(); NULL: this is a log line */
    uint64_t lines_dropped;      /* how many log lines this queue has dropped since it was opened */
    int32_t level;               /* of the log line, a bb_log_level; 0 with an answer */
    uint32_t line_len;           /* the line's length in bytes; 0 with an answer */
    char line[BB_LOG_LINE_SIZE]; /* its text, with a NUL after it; "" with an answer */
} bb_completion;

#ifndef BB_DECLARATIONS_ONLY
static inline void bb_completion_init(bb_completion *completion)
{
    memset(completion, 0, sizeof *completion);
    completion->size = sizeof *completion;
}
#endif

/*
 * Opens a completion queue on a handle with workers (bb_config); there may be several. `options`
 * may be NULL. BB_ERR_ARGUMENT for a handle without workers; BB_ERR_CLOSED for one that is being
 * closed; BB_ERR_NOMEM; BB_ERR_INTERNAL if there is no file descriptor left.
 */
BB_API int32_t bb_completions_open(bb_contacts *contacts, const bb_completions_options *options,
                                   bb_completions **out, bb_error *error);

/*
 * Stops a completion queue: from now on, taking, waiting and submitting return BB_ERR_CLOSED, also
 * in calls that are waiting already. If threads take in a loop: stop the queue, join the threads,
 * close the queue. Requests that are not answered yet are finished all the same, unless they are
 * cancelled, and their answers are freed. NULL does nothing.
 */
BB_API void bb_completions_stop(bb_completions *completions);

/*
 * Closes a completion queue. Other calls on it must be over, except bb_completions_take(): this
 * stops the queue and returns when no thread is left in there; none may begin to take meanwhile. It
 * does not wait for requests. Answers that were not taken are freed. NULL does nothing.
 */
BB_API void bb_completions_close(bb_completions *completions);

/*
 * A file descriptor that is readable exactly while there is something to take, for poll(), epoll
 * and the like. Whoever watches it edge-triggered takes until nothing is left. It belongs to the
 * queue: do not read from it or close it; it is closed with the queue. That the handle is closed
 * does not make it readable. -1 for NULL.
 */
BB_API int32_t bb_completions_fd(bb_completions *completions);

/*
 * Submits a request, or asks for its authorization alone, with the answer coming out of this queue.
 * These are bb_contacts_submit() and bb_contacts_submit_authorize(), except that the answer comes
 * that way even if it is known at once. The tag is any number; it comes back with the answer, which
 * another thread may have taken before this returns. `ticket`, for bb_contacts_cancel(), may be
 * NULL; it is 0 if the answer was known at once.
 *
 * No completion comes for a request for which this returns another code than BB_OK. BB_ERR_ARGUMENT
 * for NULL, and for a request or principal whose size is that of no version or that sets members
 * which this library does not know (a line in the log names it). BB_ERR_NOMEM if memory ran out.
 * BB_ERR_CLOSED if the queue is stopped or the handle is being closed.
 */
BB_API int32_t bb_completions_submit(bb_completions *completions, const bb_request *request,
                                     uint64_t tag, uint64_t *ticket);
BB_API int32_t bb_completions_submit_authorize(bb_completions *completions,
                                               const bb_request *request, uint64_t tag,
                                               uint64_t *ticket);

/*
 * Takes at most `max` completions from the queue, the oldest first. `array` has room for so many;
 * the caller sets the size of the first, and the others get the same. Waits up to `timeout_ms`
 * milliseconds until something is there; 0 or BB_TIMEOUT_NONE_LEFT: not at all; any other negative
 * number: without an end. `*taken` is how many were taken.
 *
 * Returns BB_OK, with `*taken` 0 if nothing came in time. BB_ERR_CLOSED if the queue is stopped or
 * being closed, or if the handle is closed and nothing is left. BB_ERR_ARGUMENT for NULL, a `max`
 * of 0, or a size that is of no version.
 */
BB_API int32_t bb_completions_take(bb_completions *completions, bb_completion *array, size_t max,
                                   int64_t timeout_ms, size_t *taken);

/* ---------------------------------------------------------------------------------- statistics */

/* Room for the members of the maps above, and for more to come. */
#define BB_STATS_STATUSES 16
#define BB_STATS_OUTCOMES 4

/* How many bounds the histograms have. */
#define BB_STATS_BUCKETS 16

/* What a handle has done since it was opened, and how it stands now. Counters only grow. */
typedef struct bb_stats {
    size_t size;                           /* sizeof(bb_stats); set by bb_stats_init() */
    uint64_t requests[BB_STATS_STATUSES];  /* answered, by bb_status; refused bodies and full queues
                                              count, bb_contacts_authorize() does not */
    uint64_t contacts[BB_STATS_OUTCOMES];  /* entries stored, by bb_outcome */
    uint64_t writes;                       /* transactions that stored something */
    uint64_t grouped_requests;             /* requests that shared a transaction with others */
    uint64_t ungrouped_requests;           /* requests whose shared transaction failed, so that each
                                              was written again alone */
    uint64_t retries;                      /* attempts after the first, of writes and of checks */
    uint64_t cancelled;                    /* by bb_contacts_cancel() */
    uint64_t latency[BB_STATS_BUCKETS];    /* requests by the time from call to answer: at most
                                              bb_stats_latency_bound_us(i), more than the bound
                                              before */
    uint64_t latency_sum_us;               /* microseconds, the sum of all */
    uint64_t group_size[BB_STATS_BUCKETS]; /* transactions by how many requests they stored: at most
                                              2 to the power of i, more than half of that */
    uint32_t queued;                       /* requests that wait to be written, now */
    uint32_t sessions_open;                /* storage sessions, now */
    uint32_t sessions_idle;                /* those of them that nobody uses */
    uint32_t reserved;                     /* 0 */
    uint64_t queued_bytes;                 /* of the bodies of those that wait */
} bb_stats;

#ifndef BB_DECLARATIONS_ONLY
static inline void bb_stats_init(bb_stats *stats)
{
    memset(stats, 0, sizeof *stats);
    stats->size = sizeof *stats;
}
#endif

/* Reads the statistics of a handle. Each number is right, though not all are of one instant.
 * BB_ERR_ARGUMENT for NULL, or a size that is of no version. */
BB_API int32_t bb_contacts_stats(bb_contacts *contacts, bb_stats *stats);

/* The upper bound of a bucket of bb_stats.latency in microseconds; INT64_MAX for the last one and
 * beyond. */
BB_API int64_t bb_stats_latency_bound_us(size_t bucket);

#ifdef __cplusplus
}
#endif

#endif

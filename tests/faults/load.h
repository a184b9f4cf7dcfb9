/*
 * load.h: threads that write through one handle while something breaks, and the comparison of what
 * was answered with what is stored (A2, E8).
 */
#ifndef BB_TEST_LOAD_H
#define BB_TEST_LOAD_H

#include "bb_contacts/bb_contacts.h"

/* An opened storage with a chatbot and a key, and a handle on it. */
typedef struct load_target {
    char conninfo[400]; /* of the handle */
    bb_storage *storage;
    bb_contacts *contacts;
    int64_t timeout_ms; /* of a request */
    char key[BB_KEY_SIZE];
} load_target;

/* Opens all on an empty or a used database; 0 for success. `max_sessions` 0: the library's default.
 * Prints the first few errors that the library logs. */
int load_target_open(load_target *target, const char *conninfo, int64_t timeout_ms,
                     uint32_t max_sessions);
void load_target_close(load_target *target);

/* Sends one request; the result is freed by the caller. */
bb_result *load_target_send(const load_target *target, const char *body, size_t len);

/* Sends one contact, with the target's timeout or another one. Returns the HTTP status, or -1 if
 * the request took longer than allowed. Writes its duration to `*took_ms`, unless that is NULL. */
int32_t load_target_send_one(const load_target *target, const char *external_id, const char *name,
                             int64_t *took_ms);
int32_t load_target_send_within(const load_target *target, const char *external_id,
                                const char *name, int64_t timeout_ms, int64_t *took_ms);

typedef struct load load;

/* How strict load_check() is. */
typedef enum load_order {
    /* a later request's values are never replaced by an earlier one's */
    LOAD_ORDERED,
    /* the server may still do a request for which nobody waits any more, at any time */
    LOAD_LATE_WRITES
} load_order;

/* Prepares `threads` writers, which number their requests across runs; NULL on failure. */
load *load_new(const load_target *target, uint32_t threads);
void load_free(load *l);

/* Starts and stops the writers. Each request writes one token to contacts of the thread's own, to
 * contacts that all threads share, and to new ones. 0 for success. */
int load_start(load *l);
void load_stop(load *l);

/* Waits until every writer has been answered 200 to a request that began after now. Returns how
 * many milliseconds that took, or -1 if it took longer than TEST_PATIENCE_MS. */
int64_t load_wait_for_success(load *l);

/* Waits until every writer has been answered 503 after now; 0 if that took longer. */
int load_wait_for_failure(load *l);

/* Whether all answers so far were 200 or 503, and within the deadline; prints what was not. */
int load_check_answers(const load *l);

/* Compares the tables of the database with the answers: of the last run, or of all runs. 0 if
 * every contact of every request answered 200 is there and no request is half there. */
int load_check_tables(const load *l, const char *conninfo, load_order order, int is_all);

/* Requests answered so far with this HTTP status. */
uint64_t load_count(const load *l, int32_t http_status);

/* One line about all that was answered. */
void load_print(const load *l, const char *what);

#endif

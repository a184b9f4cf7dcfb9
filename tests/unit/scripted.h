/*
 * scripted.h: a storage backend that answers what the test says, and records its calls.
 */
#ifndef BB_TESTS_SCRIPTED_H
#define BB_TESTS_SCRIPTED_H

#include <pthread.h>

#include "unit.h"

enum { SCRIPT_STEPS = 8, SCRIPT_GROUPS = 64 };

/* What write() does wrong besides its answer. */
typedef enum script_fault {
    PUTS_ALL,
    PUTS_NONE,
    PUTS_ALL_BUT_THE_LAST,
    PUTS_THE_FIRST_TWICE,
    PUTS_PAST_THE_END,
    PUTS_NO_CONTACT,
    PUTS_A_CONTACT_OF_NO_SIZE,
    PUTS_A_CONTACT_THAT_WAS_OF_NO_SIZE,
    PUTS_NO_OUTCOME,
    PUTS_TOO_HIGH_AN_OUTCOME
} script_fault;

typedef struct script {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int32_t open_codes[SCRIPT_STEPS]; /* what session_open() answers, call by call; then BB_OK */
    int32_t open_always;              /* if not BB_OK, what session_open() answers always */
    int32_t codes[SCRIPT_STEPS];      /* what everything else answers, likewise */
    int32_t always;                   /* if not BB_OK, what everything else answers always */
    const char *message;              /* said with every code but BB_OK; NULL: nothing */
    const char *sqlstate;             /* likewise */
    script_fault fault;
    const bb_contact *read; /* puts this contact's values; NULL: the record's */
    int ignores_put;        /* write() answers BB_OK whatever put() answered */
    int32_t put_code;       /* put()'s last answer */
    int has_no_session;     /* sessions are NULL */
    int is_held;            /* authorize() and write() wait until it is 0 */
    size_t held_calls;      /* only this many of the first calls; 0: all */
    size_t passes;          /* this many more calls go through though it is held */
    size_t held_open; /* the call of session_open() with this number waits until this changes */
    size_t opens;     /* calls of session_open() */
    size_t opened;    /* sessions that it made */
    size_t closed;    /* and those that were closed */
    size_t calls;     /* of everything else */
    size_t inside;    /* calls under way */
    size_t most_inside;
    size_t shared; /* calls on a session that had one under way */
    size_t store_closed;
    size_t last_session; /* the number of the session of the last call */
    bb_access access;    /* of the last call, and its key */
    uint8_t key_hash[BB_KEY_HASH_SIZE];
    size_t record_count;
    const char *last_call;
    int64_t numbers[3]; /* the last administrative call's arguments */
    bb_key_record key;
    int64_t refused_chatbot_id; /* a write to it is BB_ERR_NOT_FOUND, alone or in a group */
    const char *faulty_key;     /* a write or group that names it is `fault_code` */
    int32_t fault_code;
    const char *locked_key; /* a write or group that names it waits until this changes, or is
                               BB_ERR_BUSY at its deadline */
    size_t lock_waiters;
    const char *first_message;         /* replaces `message` with the first code other than BB_OK */
    size_t groups;                     /* calls of write_group() */
    size_t group_sizes[SCRIPT_GROUPS]; /* and how many writes they had */
    int64_t group_now_us;              /* of the last one */
    int64_t group_deadline;
    int64_t group_lock_deadline;
    int32_t member_code; /* if not BB_OK, the code of a group's first write */
    pthread_t last_thread;
} script;

typedef struct script_session {
    script *owner;
    size_t number; /* from 1 on */
    int is_busy;
} script_session;

static inline void script_init(script *s)
{
    pthread_condattr_t attributes;

    memset(s, 0, sizeof *s);
    if (pthread_condattr_init(&attributes) != 0 ||
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) != 0 || /* as deadlines are */
        pthread_mutex_init(&s->mutex, NULL) != 0 ||
        pthread_cond_init(&s->changed, &attributes) != 0)
        abort();
    pthread_condattr_destroy(&attributes);
}

static inline void script_destroy(script *s)
{
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->mutex);
}

/* Sets the answers from the next call on; the rest of them is BB_OK. */
static inline void script_answers(script *s, const int32_t *codes, size_t count)
{
    s->calls = 0;
    memset(s->codes, 0, sizeof s->codes);
    if (count > 0)
        memcpy(s->codes, codes, count * sizeof *codes);
}

static inline int32_t script_say(script *s, int32_t code, bb_error *error)
{
    const char *message = s->message;

    if (code == BB_OK || message == NULL)
        return code;
    pthread_mutex_lock(&s->mutex);
    if (s->first_message != NULL)
        message = s->first_message;
    s->first_message = NULL;
    pthread_mutex_unlock(&s->mutex);
    if (s->sqlstate != NULL)
        snprintf(error->sqlstate, sizeof error->sqlstate, "%s", s->sqlstate);
    return bb_error_set(error, code, "%s", message);
}

static inline int32_t script_open(void *store, int64_t deadline, void **session, bb_error *error)
{
    script *s = store;
    script_session *made = NULL;
    size_t call;
    int32_t code;

    (void)deadline;
    pthread_mutex_lock(&s->mutex);
    code = s->opens < SCRIPT_STEPS ? s->open_codes[s->opens] : BB_OK;
    if (s->open_always != BB_OK)
        code = s->open_always;
    call = ++s->opens;
    pthread_cond_broadcast(&s->changed);
    while (s->held_open == call)
        pthread_cond_wait(&s->changed, &s->mutex);
    if (code == BB_OK)
        s->opened++;
    if (code == BB_OK && !s->has_no_session) {
        made = must_alloc(sizeof *made);
        made->owner = s;
        made->number = s->opened;
        made->is_busy = 0;
    }
    pthread_mutex_unlock(&s->mutex);
    if (code == BB_OK)
        *session = made;
    return script_say(s, code, error);
}

static inline void script_close_session(void *session)
{
    script_session *made = session;

    if (made == NULL)
        return;
    pthread_mutex_lock(&made->owner->mutex);
    made->owner->closed++;
    pthread_mutex_unlock(&made->owner->mutex);
    free(made);
}

static inline void script_close(void *store)
{
    ((script *)store)->store_closed++;
}

/* A call on a session: counts it, waits while the script is held, and returns the answer. */
static inline int32_t script_enter(script_session *session, const char *name)
{
    script *s = session->owner;
    size_t call;
    int32_t code;

    pthread_mutex_lock(&s->mutex);
    s->shared += (size_t)session->is_busy;
    session->is_busy = 1;
    s->last_session = session->number;
    s->last_call = name;
    s->last_thread = pthread_self();
    code = s->calls < SCRIPT_STEPS ? s->codes[s->calls] : BB_OK;
    if (s->always != BB_OK)
        code = s->always;
    call = s->calls++;
    s->inside++;
    if (s->inside > s->most_inside)
        s->most_inside = s->inside;
    pthread_cond_broadcast(&s->changed);
    while (s->is_held && s->passes == 0 && (s->held_calls == 0 || call < s->held_calls))
        pthread_cond_wait(&s->changed, &s->mutex);
    if (s->is_held && s->passes > 0)
        s->passes--;
    s->inside--;
    session->is_busy = 0;
    pthread_mutex_unlock(&s->mutex);
    return code;
}

static inline void script_keep_access(script *s, const bb_access *access)
{
    pthread_mutex_lock(&s->mutex);
    s->access = *access;
    if (access->key_hash != NULL)
        memcpy(s->key_hash, access->key_hash, BB_KEY_HASH_SIZE);
    pthread_mutex_unlock(&s->mutex);
}

static inline int32_t script_authorize(void *session, const bb_access *access, bb_error *error)
{
    script_session *made = session;

    script_keep_access(made->owner, access);
    return script_say(made->owner, script_enter(made, "authorize"), error);
}

static inline int32_t script_put(const script *s, const bb_write *write, size_t index)
{
    const bb_record *record = write->records[index];
    bb_contact contact = {.size = sizeof contact,
                          .id = (int64_t)index + 1,
                          .external_id = record->external_id,
                          .name = record->name,
                          .email = record->email,
                          .phonenumber = record->phonenumber,
                          .stripe_accounts = record->stripe_accounts,
                          .custom_attributes = record->custom_attributes};
    bb_contact before = {.size = 0};
    int32_t outcome = BB_CREATED;

    if (s->fault == PUTS_A_CONTACT_OF_NO_SIZE)
        contact.size = 0;
    if (s->read != NULL) {
        contact.name = s->read->name;
        contact.email = s->read->email;
        contact.phonenumber = s->read->phonenumber;
        contact.stripe_accounts = s->read->stripe_accounts;
        contact.custom_attributes = s->read->custom_attributes;
    }
    if (s->fault == PUTS_NO_OUTCOME)
        outcome = -1;
    if (s->fault == PUTS_TOO_HIGH_AN_OUTCOME)
        outcome = 3;
    return write->put(write->put_ctx, index, outcome, s->fault == PUTS_NO_CONTACT ? NULL : &contact,
                      s->fault == PUTS_A_CONTACT_THAT_WAS_OF_NO_SIZE ? &before : NULL);
}

/* All the puts of a write; what put() answered if that was an error. */
static inline int32_t script_put_all(const script *s, const bb_write *write)
{
    size_t count = write->record_count;
    int32_t code = BB_OK;

    if (s->fault == PUTS_NONE)
        count = 0;
    if (s->fault == PUTS_ALL_BUT_THE_LAST)
        count--;
    for (size_t i = count; i-- > 0 && code == BB_OK;)
        code = script_put(s, write, i);
    if (s->fault == PUTS_THE_FIRST_TWICE && code == BB_OK)
        code = script_put(s, write, 0);
    if (s->fault == PUTS_PAST_THE_END) {
        bb_contact contact = {.size = sizeof contact, .id = 1};
        code = write->put(write->put_ctx, write->record_count, BB_CREATED, &contact, NULL);
    }
    return code;
}

static inline int script_names(const bb_write *write, const char *key)
{
    for (size_t i = 0; key != NULL && i < write->record_count; i++) {
        if (slice_is(write->records[i]->external_id, key))
            return 1;
    }
    return 0;
}

static inline int script_is_faulty(const script *s, const bb_write *write)
{
    return script_names(write, s->faulty_key);
}

/* Waits as for a row that someone has locked. */
static inline int32_t script_wait_for_lock(script *s, const bb_write *write, int64_t deadline)
{
    const struct timespec until = {(time_t)(deadline / 1000), (long)(deadline % 1000) * 1000000};
    int32_t code = BB_OK;

    pthread_mutex_lock(&s->mutex);
    while (code == BB_OK && script_names(write, s->locked_key)) {
        s->lock_waiters++;
        pthread_cond_broadcast(&s->changed);
        if (pthread_cond_timedwait(&s->changed, &s->mutex, &until) != 0)
            code = BB_ERR_BUSY;
        s->lock_waiters--;
    }
    pthread_mutex_unlock(&s->mutex);
    return code;
}

/* For the tables that have groups; see script_group_table. */
static inline int32_t script_write_group(void *session, const bb_write_group *group,
                                         bb_error *error)
{
    script_session *made = session;
    script *s = made->owner;
    int32_t code = script_enter(made, "write_group");
    int32_t put_code = BB_OK;

    for (size_t i = 0; i < group->write_count; i++) {
        const bb_write *write = group->writes[i];
        if (write->access->chatbot_id == s->refused_chatbot_id)
            group->codes[i] = BB_ERR_NOT_FOUND;
        else if (i == 0 && s->member_code != BB_OK)
            group->codes[i] = s->member_code;
        else
            put_code = script_put_all(s, write);
        if (code == BB_OK && script_is_faulty(s, write))
            code = s->fault_code;
        if (code == BB_OK)
            code = script_wait_for_lock(s, write, write->access->lock_deadline);
        if (code == BB_OK && put_code != BB_OK && !s->ignores_put)
            code = put_code;
    }
    pthread_mutex_lock(&s->mutex);
    if (s->groups < SCRIPT_GROUPS)
        s->group_sizes[s->groups] = group->write_count;
    s->groups++;
    s->group_now_us = group->now_us;
    s->group_deadline = group->deadline;
    s->group_lock_deadline = group->writes[0]->access->lock_deadline;
    pthread_mutex_unlock(&s->mutex);
    return script_say(s, code, error);
}

static inline int32_t script_write(void *session, const bb_write *write, bb_error *error)
{
    script_session *made = session;
    script *s = made->owner;
    int32_t code = script_enter(made, "write");
    int32_t put_code;

    script_keep_access(s, write->access);
    put_code = script_put_all(s, write);
    pthread_mutex_lock(&s->mutex);
    s->record_count = write->record_count;
    s->put_code = put_code;
    pthread_mutex_unlock(&s->mutex);
    if (code == BB_OK && put_code != BB_OK && !s->ignores_put)
        return put_code;
    if (code == BB_OK && write->access->chatbot_id == s->refused_chatbot_id)
        return BB_ERR_NOT_FOUND;
    if (code == BB_OK && script_is_faulty(s, write))
        code = s->fault_code;
    if (code == BB_OK)
        code = script_wait_for_lock(s, write, write->access->lock_deadline);
    return script_say(s, code, error);
}

static inline int32_t script_migrate(void *session, int64_t deadline, bb_error *error)
{
    script_session *made = session;

    (void)deadline;
    return script_say(made->owner, script_enter(made, "migrate"), error);
}

static inline int32_t script_chatbot_add(void *session, int64_t chatbot_id, int64_t workspace_id,
                                         int64_t now_us, int64_t deadline, bb_error *error)
{
    script_session *made = session;

    (void)deadline;
    made->owner->numbers[0] = chatbot_id;
    made->owner->numbers[1] = workspace_id;
    made->owner->numbers[2] = now_us;
    return script_say(made->owner, script_enter(made, "chatbot_add"), error);
}

static inline int32_t script_chatbot_archive(void *session, int64_t chatbot_id, int32_t archived,
                                             int64_t now_us, int64_t deadline, bb_error *error)
{
    script_session *made = session;

    (void)deadline;
    made->owner->numbers[0] = chatbot_id;
    made->owner->numbers[1] = archived;
    made->owner->numbers[2] = now_us;
    return script_say(made->owner, script_enter(made, "chatbot_archive"), error);
}

static inline int32_t script_key_add(void *session, const bb_key_record *key, int64_t deadline,
                                     bb_error *error)
{
    script_session *made = session;

    (void)deadline;
    made->owner->key = *key;
    memcpy(made->owner->key_hash, key->key_hash, BB_KEY_HASH_SIZE);
    return script_say(made->owner, script_enter(made, "key_add"), error);
}

static inline int32_t script_key_revoke(void *session, const uint8_t *key_hash, int64_t now_us,
                                        int64_t deadline, bb_error *error)
{
    script_session *made = session;

    (void)deadline;
    memcpy(made->owner->key_hash, key_hash, BB_KEY_HASH_SIZE);
    made->owner->numbers[2] = now_us;
    return script_say(made->owner, script_enter(made, "key_revoke"), error);
}

static const bb_storage_vtable script_table = {
    .size = sizeof(bb_storage_vtable),
    .version = BB_STORAGE_VERSION,
    .name = "scripted",
    .close = script_close,
    .session_open = script_open,
    .session_close = script_close_session,
    .migrate = script_migrate,
    .authorize = script_authorize,
    .write = script_write,
    .chatbot_add = script_chatbot_add,
    .chatbot_archive = script_chatbot_archive,
    .key_add = script_key_add,
    .key_revoke = script_key_revoke,
};

/* Waits until this many calls are under way. */
static inline void script_wait_inside(script *s, size_t count)
{
    pthread_mutex_lock(&s->mutex);
    while (s->inside < count)
        pthread_cond_wait(&s->changed, &s->mutex);
    pthread_mutex_unlock(&s->mutex);
}

/* Locks a contact, or none if `key` is NULL. */
static inline void script_lock(script *s, const char *key)
{
    pthread_mutex_lock(&s->mutex);
    s->locked_key = key;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

/* Waits until this many calls have come to a lock. */
static inline void script_wait_waiters(script *s, size_t count)
{
    pthread_mutex_lock(&s->mutex);
    while (s->lock_waiters < count)
        pthread_cond_wait(&s->changed, &s->mutex);
    pthread_mutex_unlock(&s->mutex);
}

/* Waits until session_open() has been called this many times. */
static inline void script_wait_opens(script *s, size_t count)
{
    pthread_mutex_lock(&s->mutex);
    while (s->opens < count)
        pthread_cond_wait(&s->changed, &s->mutex);
    pthread_mutex_unlock(&s->mutex);
}

/* Releases the call of session_open() that `held_open` holds. */
static inline void script_release_open(script *s)
{
    pthread_mutex_lock(&s->mutex);
    s->held_open = 0;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

static inline void script_hold(script *s, int is_held)
{
    pthread_mutex_lock(&s->mutex);
    s->is_held = is_held;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

/* Lets one call through, and waits until another, the one with this number, is held instead. */
static inline void script_pass_to(script *s, size_t call)
{
    pthread_mutex_lock(&s->mutex);
    s->passes = 1;
    pthread_cond_broadcast(&s->changed);
    while (s->calls < call || s->passes > 0)
        pthread_cond_wait(&s->changed, &s->mutex);
    pthread_mutex_unlock(&s->mutex);
}

/* ------------------------------------------------------------------------------------- the log */

/* The logged lines, each after its level. For one thread. */
typedef struct kept_log {
    test_text lines;
    size_t count;
    size_t levels[4];
    size_t with_newline;
} kept_log;

static inline void keep_line(void *ctx, int32_t level, const char *line, size_t len)
{
    kept_log *log = ctx;

    log->count++;
    if (level >= BB_LOG_ERROR && level <= BB_LOG_INFO)
        log->levels[level]++;
    if (memchr(line, '\n', len) != NULL)
        log->with_newline++;
    test_append_bytes(&log->lines, line, len);
    test_append_text(&log->lines, "\n");
}

#endif

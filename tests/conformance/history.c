/*
 * history.c: runs writes in threads and finds the serial order that explains what they answered.
 */
#include "history.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIELDS = 3, KEY_SIZE = 40, VALUE_SIZE = 16, UNSET = -1 };

/* No write's time: the contact was not there. */
#define NO_WRITE (-1)

/* A contact's fields as numbers: value n is the text "n", UNSET is null or {}. */
typedef struct state {
    int32_t values[FIELDS]; /* name, email, and the member of custom_attributes */
    int32_t writer;         /* the write that left it so, or NO_WRITE */
} state;

/* One record of one write: what it asks for, and what was answered. */
typedef struct operation {
    uint32_t key;
    uint32_t fields; /* bit i: values[i] is set */
    int32_t values[FIELDS];
    int32_t outcome;
    state before;
    state after;
} operation;

typedef struct write_entry {
    operation *operations;
    uint32_t count;
} write_entry;

typedef struct history {
    const history_plan *plan;
    bb_case *c;
    const bb_storage_vtable *vtable;
    int64_t base_us; /* write i happens at base_us + i */
    uint32_t write_count;
    write_entry *writes;
    operation *operations;
    int32_t *next;      /* [key][writer + 1]: the write that changed what `writer` left */
    uint32_t *indegree; /* per write, while ordering */
    uint32_t *order;    /* the serial order */
    state *model;       /* per key, while replaying */
} history;

/* ------------------------------------------------------------------------------- what is done */

/* xorshift64*, see Vigna, "An experimental exploration of Marsaglia's xorshift generators". */
static uint32_t next_random(uint64_t *state_, uint32_t below)
{
    uint64_t x = *state_;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state_ = x;
    return (uint32_t)((x * UINT64_C(2685821657736338717)) >> 33) % below;
}

/* Chooses the records of one write: different keys, some fields each. */
static void plan_write(const history_plan *plan, write_entry *entry, uint64_t *random)
{
    uint32_t wanted = entry->count;
    uint32_t left = plan->keys;
    uint32_t made = 0;

    for (uint32_t key = 0; key < plan->keys && made < wanted; key++, left--) {
        operation *op = &entry->operations[made];
        if (next_random(random, left) >= wanted - made)
            continue; /* so that each set of keys is as likely */
        op->key = key;
        op->fields = next_random(random, 8);
        for (int i = 0; i < FIELDS; i++)
            op->values[i] = (int32_t)next_random(random, plan->values + 1) - 1;
        made++;
    }
}

static int plan_all(history *h)
{
    const history_plan *plan = h->plan;
    uint64_t random = plan->seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    size_t total = 0;

    h->write_count = plan->threads * plan->writes;
    h->writes = calloc(h->write_count, sizeof *h->writes);
    h->next = malloc(((size_t)h->write_count + 1) * plan->keys * sizeof *h->next);
    h->indegree = calloc(h->write_count, sizeof *h->indegree);
    h->order = calloc(h->write_count, sizeof *h->order);
    h->model = calloc(plan->keys, sizeof *h->model);
    if (h->writes == NULL || h->next == NULL || h->indegree == NULL || h->order == NULL ||
        h->model == NULL)
        return -1;
    for (uint32_t i = 0; i < h->write_count; i++) {
        h->writes[i].count =
            plan->batch_min + next_random(&random, plan->batch_max - plan->batch_min + 1);
        total += h->writes[i].count;
    }
    h->operations = calloc(total, sizeof *h->operations);
    if (h->operations == NULL)
        return -1;
    total = 0;
    for (uint32_t i = 0; i < h->write_count; i++) {
        h->writes[i].operations = h->operations + total;
        total += h->writes[i].count;
        plan_write(plan, &h->writes[i], &random);
    }
    return 0;
}

static void free_history(history *h)
{
    free(h->writes);
    free(h->operations);
    free(h->next);
    free(h->indegree);
    free(h->order);
    free(h->model);
}

/* ---------------------------------------------------------------- from numbers to text and back */

typedef struct record_text {
    char key[KEY_SIZE];
    char values[FIELDS][VALUE_SIZE];
} record_text;

static bb_record make_record(const history *h, const operation *op, record_text *strings)
{
    bb_record record;

    snprintf(strings->key, sizeof strings->key, "%s%u", h->plan->prefix, op->key);
    for (int i = 0; i < FIELDS; i++) {
        snprintf(strings->values[i], VALUE_SIZE, i == 2 ? "{\"v\":%d}" : "%d", op->values[i]);
        if (op->values[i] == UNSET && i == 2)
            snprintf(strings->values[i], VALUE_SIZE, "{}");
    }
    record = record_of(strings->key);
    record.flags = BB_RECORD_WANT_BEFORE;
    if (op->fields & 1)
        set_name(&record, op->values[0] == UNSET ? NULL : strings->values[0]);
    if (op->fields & 2)
        set_email(&record, op->values[1] == UNSET ? NULL : strings->values[1]);
    if (op->fields & 4)
        set_custom_attributes(&record, strings->values[2]);
    return record;
}

/* The digits in a value; UNSET if there are none. */
static int32_t read_number(bb_slice slice)
{
    int32_t number = UNSET;

    for (size_t i = 0; i < slice.len; i++) {
        if (slice.data[i] >= '0' && slice.data[i] <= '9')
            number = (number == UNSET ? 0 : number * 10) + (slice.data[i] - '0');
    }
    return number;
}

static state read_state(const history *h, const kept_contact *kept)
{
    state result = {{UNSET, UNSET, UNSET}, NO_WRITE};

    if (!kept->present)
        return result;
    result.values[0] = read_number(kept->contact.name);
    result.values[1] = read_number(kept->contact.email);
    result.values[2] = read_number(kept->contact.custom_attributes);
    result.writer = (int32_t)(kept->contact.updated_at_us - h->base_us);
    return result;
}

static int is_same_state(const state *a, const state *b)
{
    return memcmp(a->values, b->values, sizeof a->values) == 0 && a->writer == b->writer;
}

/* ---------------------------------------------------------------------------------- the threads */

/* Holds the threads back until all are ready. */
typedef struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint32_t waiting;
    int open;
} gate;

typedef struct worker {
    history *h;
    gate *start;
    uint32_t number;
    int32_t code;
    bb_error error;
} worker;

/* Notes what was answered about one record. */
static void note(const history *h, operation *op, const kept_write *kept, uint32_t i)
{
    op->outcome = kept->times[i] == 1 ? kept->outcomes[i] : UNSET;
    op->before = read_state(h, &kept->before[i]);
    op->after = read_state(h, &kept->after[i]);
}

static int32_t write_alone(const history *h, void *session, write_entry *entry,
                           const bb_access *access, const bb_record *records, bb_error *error)
{
    kept_write kept = write_as(session, h->vtable, access, records, entry->count, SIZE_MAX);
    int32_t code = kept.code;

    *error = kept.error;
    for (uint32_t i = 0; code == BB_OK && i < entry->count; i++)
        note(h, &entry->operations[i], &kept, i);
    kept_write_free(&kept);
    return code;
}

/* The same with each record in a request of its own, in the opposite order. The history counts a
 * group as one write, as its requests have one time and are one transaction. */
static int32_t write_in_group(const history *h, void *session, write_entry *entry,
                              const bb_access *access, const bb_record *records, bb_error *error)
{
    uint32_t count = entry->count;
    group_member *members = calloc(count, sizeof *members);
    kept_write *kept = calloc(count, sizeof *kept);
    int32_t code = BB_ERR_NOMEM;

    for (uint32_t i = 0; members != NULL && i < count; i++)
        members[i] = (group_member){*access, &records[count - 1 - i], 1, SIZE_MAX};
    if (members != NULL && kept != NULL) {
        code = write_group_as(session, h->vtable, members, count, kept, error);
        for (uint32_t i = 0; code == BB_OK && i < count; i++) {
            if (kept[i].code != BB_OK)
                code = kept[i].code;
            else
                note(h, &entry->operations[count - 1 - i], &kept[i], 0);
        }
        kept_writes_free(kept, count);
    }
    free(members);
    free(kept);
    return code;
}

/* Does write `index` on a session and notes the answer. A group that the backend gives up is
 * written as one request, which also stores all of it or nothing. */
static int32_t do_write(history *h, void *session, uint32_t index, bb_error *error)
{
    write_entry *entry = &h->writes[index];
    record_text *strings = calloc(entry->count, sizeof *strings);
    bb_record *records = calloc(entry->count, sizeof *records);
    bb_access access = principal_access(h->c, WORKSPACE, 0, CHATBOT);
    int32_t code = BB_ERR_NOMEM;

    access.now_us = h->base_us + index;
    if (strings != NULL && records != NULL) {
        for (uint32_t i = 0; i < entry->count; i++)
            records[i] = make_record(h, &entry->operations[i], &strings[i]);
        code = BB_ERR_UNSUPPORTED;
        if (h->plan->groups && index % 3 != 0 && entry->count > 1)
            code = write_in_group(h, session, entry, &access, records, error);
        if (code == BB_ERR_UNSUPPORTED || code == BB_ERR_RETRY)
            code = write_alone(h, session, entry, &access, records, error);
    }
    free(records);
    free(strings);
    return code;
}

static void wait_at(gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->waiting++;
    pthread_cond_broadcast(&g->changed);
    while (!g->open)
        pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

/* Opens a gate once `count` threads wait at it. */
static void open_for(gate *g, uint32_t count)
{
    pthread_mutex_lock(&g->lock);
    while (g->waiting < count)
        pthread_cond_wait(&g->changed, &g->lock);
    g->open = 1;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

static void *work(void *arg)
{
    worker *w = arg;
    history *h = w->h;
    void *session = NULL;

    bb_error_init(&w->error);
    w->code = h->vtable->session_open(h->c->store.store, soon(), &session, &w->error);
    wait_at(w->start);
    if (w->code != BB_OK)
        return NULL;
    for (uint32_t i = 0; i < h->plan->writes && w->code == BB_OK; i++)
        w->code = do_write(h, session, w->number * h->plan->writes + i, &w->error);
    h->vtable->session_close(session);
    return NULL;
}

static void run_threads(history *h)
{
    gate start = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    pthread_t *threads = calloc(h->plan->threads, sizeof *threads);
    worker *workers = calloc(h->plan->threads, sizeof *workers);
    uint32_t started = 0;

    while (threads != NULL && workers != NULL && started < h->plan->threads) {
        workers[started] = (worker){.h = h, .start = &start, .number = started};
        if (pthread_create(&threads[started], NULL, work, &workers[started]) != 0)
            break;
        started++;
    }
    if (started < h->plan->threads)
        case_fail(h->c, __FILE__, __LINE__, "as many threads as were asked for");
    open_for(&start, started);
    for (uint32_t i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
        if (workers[i].code != BB_OK)
            case_fail_code(h->c, __FILE__, __LINE__, workers[i].error.message, workers[i].code,
                           BB_OK);
    }
    free(threads);
    free(workers);
}

/* -------------------------------------------------------------------------- the order on a key */

/* Where the write after `writer` on a key is kept. */
static int32_t *next_of(const history *h, uint32_t key, int32_t writer)
{
    return &h->next[(size_t)key * (h->write_count + 1) + (size_t)(writer + 1)];
}

/* Whether an answer makes sense by itself and names existing writes. */
static int is_plausible(const history *h, const operation *op, int32_t self)
{
    if (op->after.writer < 0 || op->after.writer >= (int32_t)h->write_count ||
        op->before.writer < NO_WRITE || op->before.writer >= (int32_t)h->write_count)
        return 0;
    switch (op->outcome) {
    case BB_CREATED:
        return op->before.writer == NO_WRITE && op->after.writer == self;
    case BB_UPDATED:
        return op->before.writer != NO_WRITE && op->before.writer != self &&
               op->after.writer == self;
    case BB_UNCHANGED:
        return op->before.writer != NO_WRITE && is_same_state(&op->before, &op->after);
    default:
        return 0;
    }
}

/* Notes for each key which write changed the state that which other write had left. Two that
 * changed the same state would be a lost update. */
static int link_changes(history *h)
{
    for (size_t i = 0; i < ((size_t)h->write_count + 1) * h->plan->keys; i++)
        h->next[i] = NO_WRITE;
    for (uint32_t w = 0; w < h->write_count; w++) {
        for (uint32_t i = 0; i < h->writes[w].count; i++) {
            const operation *op = &h->writes[w].operations[i];
            int32_t *next;
            if (!is_plausible(h, op, (int32_t)w)) {
                case_fail(h->c, __FILE__, __LINE__, "answers that fit their writes");
                return -1;
            }
            if (op->outcome == BB_UNCHANGED)
                continue;
            next = next_of(h, op->key, op->before.writer);
            if (*next != NO_WRITE) {
                case_fail(h->c, __FILE__, __LINE__, "no update to be lost");
                return -1;
            }
            *next = (int32_t)w;
        }
    }
    return 0;
}

/* `from` comes before `to`: `to` saw what `from` left, or `to` was the next to change what `from`
 * saw or left. */
typedef struct edge {
    uint32_t from;
    uint32_t to;
} edge;

static int compare_edges(const void *a, const void *b)
{
    const edge *left = a, *right = b;

    return (left->from > right->from) - (left->from < right->from);
}

static edge *make_edges(history *h, size_t *count)
{
    size_t total = 0, used = 0;
    edge *edges;

    for (uint32_t w = 0; w < h->write_count; w++)
        total += 2 * (size_t)h->writes[w].count;
    edges = calloc(total + 1, sizeof *edges);
    for (uint32_t w = 0; edges != NULL && w < h->write_count; w++) {
        for (uint32_t i = 0; i < h->writes[w].count; i++) {
            const operation *op = &h->writes[w].operations[i];
            int32_t next = *next_of(h, op->key, op->after.writer);
            if (op->before.writer != NO_WRITE && op->before.writer != (int32_t)w)
                edges[used++] = (edge){(uint32_t)op->before.writer, w};
            if (next != NO_WRITE && next != (int32_t)w)
                edges[used++] = (edge){w, (uint32_t)next};
        }
    }
    *count = used;
    if (edges != NULL)
        qsort(edges, used, sizeof *edges, compare_edges);
    return edges;
}

/* Kahn's algorithm: takes writes that no remaining one must precede. Returns how many it could
 * take; if not all, the rest is in a cycle. first[w] is where the edges from w begin. */
static uint32_t take_in_order(history *h, const edge *edges, const size_t *first)
{
    uint32_t done = 0, ready = 0;

    for (uint32_t w = 0; w < h->write_count; w++) {
        if (h->indegree[w] == 0)
            h->order[ready++] = w;
    }
    for (; done < ready; done++) {
        uint32_t w = h->order[done];
        for (size_t i = first[w]; i < first[w + 1]; i++) {
            if (--h->indegree[edges[i].to] == 0)
                h->order[ready++] = edges[i].to;
        }
    }
    return done;
}

static int find_order(history *h)
{
    size_t count = 0;
    edge *edges = make_edges(h, &count);
    size_t *first = calloc((size_t)h->write_count + 1, sizeof *first);
    int found = 0;

    if (edges == NULL || first == NULL) {
        case_fail(h->c, __FILE__, __LINE__, "memory for the order");
    } else {
        for (size_t i = 0; i < count; i++) {
            first[edges[i].from + 1]++;
            h->indegree[edges[i].to]++;
        }
        for (uint32_t w = 0; w < h->write_count; w++)
            first[w + 1] += first[w];
        found = take_in_order(h, edges, first) == h->write_count;
        if (!found)
            case_fail(h->c, __FILE__, __LINE__, "a serial order, where there is a cycle");
    }
    free(edges);
    free(first);
    return found ? 0 : -1;
}

/* --------------------------------------------------------------------------------- the replay */

/* Applies a record as the contract says. */
static int32_t apply(state *model, const operation *op, int32_t self)
{
    int32_t outcome = model->writer == NO_WRITE ? BB_CREATED : BB_UNCHANGED;

    for (int i = 0; i < FIELDS; i++) {
        if (!(op->fields & (1u << i)) || model->values[i] == op->values[i])
            continue;
        model->values[i] = op->values[i];
        if (outcome == BB_UNCHANGED)
            outcome = BB_UPDATED;
    }
    if (outcome != BB_UNCHANGED)
        model->writer = self;
    return outcome;
}

static void replay(history *h)
{
    for (uint32_t key = 0; key < h->plan->keys; key++)
        h->model[key] = (state){{UNSET, UNSET, UNSET}, NO_WRITE};
    for (uint32_t done = 0; done < h->write_count; done++) {
        uint32_t w = h->order[done];
        for (uint32_t i = 0; i < h->writes[w].count; i++) {
            const operation *op = &h->writes[w].operations[i];
            state *model = &h->model[op->key];
            int ok = is_same_state(&op->before, model);
            ok = apply(model, op, (int32_t)w) == op->outcome && ok;
            if (!ok || !is_same_state(&op->after, model)) {
                case_fail(h->c, __FILE__, __LINE__, "the answers of the serial order");
                return;
            }
        }
    }
}

/* Reads every key that was written and compares it with the model. */
static void check_stored(history *h)
{
    for (uint32_t key = 0; key < h->plan->keys; key++) {
        operation nothing = {.key = key};
        record_text strings;
        bb_record record = make_record(h, &nothing, &strings);
        kept_write kept;
        state stored;
        if (h->model[key].writer == NO_WRITE)
            continue;
        kept = write_one(h->c, &record);
        CHECK_GOOD(h->c);
        stored = read_state(h, &kept.after[0]);
        CHECK(h->c, kept.outcomes[0] == BB_UNCHANGED);
        CHECK(h->c, is_same_state(&stored, &h->model[key]));
        kept_write_free(&kept);
    }
}

void history_run(bb_case *c, const history_plan *plan)
{
    history h = {.plan = plan, .c = c, .vtable = c->vtable, .base_us = c->now_us};

    if (plan_all(&h) != 0)
        case_fail(c, __FILE__, __LINE__, "memory for the plan");
    if (c->outcome != BB_CONFORMANCE_FAILED)
        run_threads(&h);
    if (c->outcome != BB_CONFORMANCE_FAILED && link_changes(&h) == 0 && find_order(&h) == 0)
        replay(&h);
    c->now_us += h.write_count;
    if (c->outcome != BB_CONFORMANCE_FAILED)
        check_stored(&h);
    free_history(&h);
}

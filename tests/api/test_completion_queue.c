/*
 * test_completion_queue.c: completion queues while everything happens at once, over one backend.
 *
 *     test_completion_queue BACKEND [--seconds N]
 *
 * In each round, threads submit, cancel and let requests expire, others take, queues are stopped,
 * closed and opened anew, children are forked, and at last handle and queues are closed, in one
 * order or the other or both at once. No answer may be lost, come twice, come late, or come from
 * another queue; what was answered 200 is in the store, and what was cancelled is not (A1, E7, E8,
 * E11). Rounds with 1, 2 and 8 workers take turns: one of each, or as many as the seconds allow.
 */
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check.h"
#include "support/endpoint.h"
#include "support/settings.h"
#include "support/wait.h"

enum {
    SLOTS = 3,
    LIVES = 40, /* of all slots */
    SUBMITTERS = 4,
    TAKERS = 2, /* of each queue */
    EACH = 400,
    BURST = 6,
    ALL = SUBMITTERS * EACH,
    MOST_TAKEN = 16,
    LINES = 8,
    CHILDREN = 3,
    SHORT_MS = 1
};

/* What a request asks for. */
typedef enum request_kind { CREATES, SHARES, AUTHORIZES, IS_MALFORMED, HAS_NO_KEY } request_kind;

struct round_of;

/* A queue, from its opening to its closing. */
typedef struct life {
    struct round_of *round;
    bb_completions *completions;
    pthread_t takers[TAKERS];
    int is_dropped; /* closed before all was taken */
    uint64_t random;
} life;

/* A request. Its index is its tag. */
typedef struct sent {
    request_kind kind;
    int is_accepted;
    int is_cancelled; /* bb_contacts_cancel() said so */
    const life *life; /* the queue that it was submitted to */
    int64_t due_ms;   /* its deadline */
    atomic_uint times;
    atomic_int status; /* HTTP */
} sent;

/* Where a queue is, for those who submit. */
typedef struct slot {
    pthread_rwlock_t lock;
    life *life;
} slot;

typedef struct round_of {
    test_endpoint endpoint;
    pthread_rwlock_t handle; /* for calls on the handle itself */
    int is_closing;          /* under it: no more of these */
    slot slots[SLOTS];
    life lives[LIVES];
    size_t life_count;
    sent sent[ALL];
    atomic_size_t lines;
    atomic_size_t submitted;
    uint64_t random;
} round_of;

typedef struct submitter {
    pthread_t thread;
    round_of *round;
    size_t first;
    uint64_t random;
} submitter;

static struct {
    size_t rounds, accepted, came, refused, cancelled, expired, dropped, lines, children;
} sums;

/* -------------------------------------------------------------------------------------- memory */

static atomic_int is_child; /* where another thread may have had the allocator's lock */

static void *take_memory(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void *take_more(void *ctx, void *ptr, size_t old_size, size_t size)
{
    (void)ctx;
    (void)old_size;
    return realloc(ptr, size);
}

static void give_back(void *ctx, void *ptr)
{
    (void)ctx;
    if (!atomic_load(&is_child))
        free(ptr);
}

/* -------------------------------------------------------------------------------------- taking */

static int is_possible(request_kind kind, int32_t status)
{
    if (kind == HAS_NO_KEY)
        return status == 401;
    return status == 503 || status == (kind == IS_MALFORMED ? 400 : 200);
}

static void note_answer(const life *l, const bb_completion *completion)
{
    sent *s = &l->round->sent[completion->tag];
    int32_t status = bb_result_http_status(completion->result);
    int64_t late_ms;

    if (!CHECK_MSG(completion->tag < ALL, "tag %llu", (unsigned long long)completion->tag))
        return;
    late_ms = test_now_ms() - s->due_ms;
    CHECK_MSG(atomic_fetch_add(&s->times, 1) == 0, "request %zu came twice",
              (size_t)completion->tag);
    CHECK_MSG(s->life == l, "request %zu came out of another queue", (size_t)completion->tag);
    CHECK_MSG(late_ms < TEST_PATIENCE_MS, "request %zu came %lld ms late", (size_t)completion->tag,
              (long long)late_ms);
    CHECK_MSG(is_possible(s->kind, status), "request %zu of kind %d: %d", (size_t)completion->tag,
              (int)s->kind, (int)status);
    CHECK(completion->level == 0 && completion->line_len == 0);
    atomic_store(&s->status, status);
}

static void note(const life *l, const bb_completion *completion)
{
    if (completion->result != NULL) {
        note_answer(l, completion);
        bb_result_free(completion->result);
        return;
    }
    CHECK(completion->level >= BB_LOG_ERROR && completion->level <= BB_LOG_INFO);
    CHECK(completion->line_len > 0 && strlen(completion->line) == completion->line_len);
    atomic_fetch_add(&l->round->lines, 1);
}

/* Waits inside the library, or as an event loop does, or not at all. */
static int64_t wait_before(const life *l, uint64_t *random)
{
    struct pollfd watched = {.fd = bb_completions_fd(l->completions), .events = POLLIN};

    switch (test_random(random, 4)) {
    case 0:
        return -1;
    case 1:
        return test_random(random, 20);
    case 2:
        poll(&watched, 1, 20);
        return 0;
    default:
        return 0;
    }
}

static void *run_taker(void *life_)
{
    const life *l = life_;
    bb_completion completions[MOST_TAKEN];
    uint64_t random = l->random;
    size_t taken = 0;
    int32_t code;

    bb_completion_init(&completions[0]);
    do {
        int64_t timeout_ms = wait_before(l, &random);
        size_t most = 1 + test_random(&random, MOST_TAKEN);
        code = bb_completions_take(l->completions, completions, most, timeout_ms, &taken);
        for (size_t i = 0; i < taken; i++)
            note(l, &completions[i]);
    } while (code == BB_OK);
    CHECK_MSG(code == BB_ERR_CLOSED && taken == 0, "%s", bb_code_name(code));
    return NULL;
}

/* ---------------------------------------------------------------------------------- the queues */

/* Opens a queue and starts its takers, while nobody else uses the slot. */
static int open_life(round_of *r, slot *s)
{
    bb_completions_options options;
    life *l = &r->lives[r->life_count++];

    bb_completions_options_init(&options);
    options.max_lines = test_random(&r->random, 2) == 0 ? 0 : LINES;
    *l = (life){.round = r, .random = 1 + test_random(&r->random, 1000000)};
    if (!CHECK(bb_completions_open(r->endpoint.contacts, &options, &l->completions, NULL) == BB_OK))
        return 0;
    for (size_t i = 0; i < TAKERS; i++) {
        if (pthread_create(&l->takers[i], NULL, run_taker, l) != 0)
            abort();
    }
    s->life = l;
    return 1;
}

static void join_takers(life *l)
{
    for (size_t i = 0; i < TAKERS; i++)
        pthread_join(l->takers[i], NULL);
}

static void drop_life(life *l)
{
    l->is_dropped = 1;
    bb_completions_stop(l->completions);
    join_takers(l);
    bb_completions_close(l->completions);
}

/* Closes a queue in the middle of everything, and opens another in its place. */
static void replace_one(round_of *r)
{
    slot *s = &r->slots[test_random(&r->random, SLOTS)];

    if (r->life_count == LIVES)
        return;
    pthread_rwlock_wrlock(&s->lock);
    drop_life(s->life);
    open_life(r, s);
    pthread_rwlock_unlock(&s->lock);
}

/* ---------------------------------------------------------------------------------- submitting */

static request_kind choose_kind(uint64_t *random)
{
    static const request_kind kinds[] = {CREATES, CREATES, CREATES, CREATES,    CREATES,
                                         CREATES, SHARES,  SHARES,  AUTHORIZES, IS_MALFORMED};
    uint32_t choice = test_random(random, 20);

    return choice == 0 ? HAS_NO_KEY : kinds[choice / 2];
}

static size_t write_body(char *body, size_t room, request_kind kind, size_t tag)
{
    static const char *const around[][2] = {
        [CREATES] = {"{\"users\":[{\"external_id\":\"c", "\",\"name\":\"N\"}]}"},
        [SHARES] = {"{\"users\":[{\"external_id\":\"shared\",\"name\":\"", "\"}]}"},
        [AUTHORIZES] = {"", ""},
        [IS_MALFORMED] = {"[", "]"},
        [HAS_NO_KEY] = {"{\"users\":[{\"name\":\"", "\"}]}"}};

    return (size_t)snprintf(body, room, "%s%zu%s", around[kind][0], tag, around[kind][1]);
}

static int32_t submit_one(slot *to, sent *s, const bb_request *request, size_t tag,
                          uint64_t *ticket)
{
    int32_t code;

    pthread_rwlock_rdlock(&to->lock);
    s->life = to->life;
    code = s->kind == AUTHORIZES
               ? bb_completions_submit_authorize(to->life->completions, request, tag, ticket)
               : bb_completions_submit(to->life->completions, request, tag, ticket);
    pthread_rwlock_unlock(&to->lock);
    return code;
}

static void cancel(round_of *r, sent *s, uint64_t ticket)
{
    pthread_rwlock_rdlock(&r->handle);
    if (!r->is_closing)
        s->is_cancelled = bb_contacts_cancel(r->endpoint.contacts, ticket) == BB_OK;
    pthread_rwlock_unlock(&r->handle);
}

/* Returns 0 when the handle is being closed. */
static int send_one(submitter *by, size_t tag)
{
    round_of *r = by->round;
    sent *s = &r->sent[tag];
    char body[100];
    bb_request request;
    uint64_t ticket = 0;
    int32_t code;

    s->kind = choose_kind(&by->random);
    request = test_request(body, write_body(body, sizeof body, s->kind, tag));
    if (s->kind == HAS_NO_KEY)
        request.principal = NULL;
    request.timeout_ms = test_random(&by->random, 8) == 0 ? SHORT_MS : TEST_PATIENCE_MS;
    s->due_ms = test_now_ms() + request.timeout_ms;
    code = submit_one(&r->slots[test_random(&by->random, SLOTS)], s, &request, tag, &ticket);
    s->is_accepted = code == BB_OK;
    CHECK_MSG(code == BB_OK || code == BB_ERR_CLOSED, "%s", bb_code_name(code));
    CHECK(s->kind != HAS_NO_KEY || ticket == 0);
    atomic_fetch_add(&r->submitted, 1);
    if (code == BB_OK && test_random(&by->random, 4) == 0)
        cancel(r, s, ticket);
    return code == BB_OK;
}

static void *run_submitter(void *submitter_)
{
    submitter *by = submitter_;

    for (size_t i = 0; i < EACH && send_one(by, by->first + i); i++) {
        if (i % BURST == 0)
            test_pause_ms(1); /* so that most find room among those that wait */
    }
    return NULL;
}

/* ---------------------------------------------------------------------------------- children */

/* Ends the child with the line of what is wrong. */
#define EXPECT(condition)          \
    do {                           \
        if (!(condition))          \
            _exit(__LINE__ % 255); \
    } while (0)

_Noreturn static void run_child(const round_of *r)
{
    static const char body[] = "{\"users\":[{\"external_id\":\"child\"}]}";
    bb_request request = test_request(body, sizeof body - 1);
    bb_completions *refused = NULL;
    bb_completion completion;
    size_t taken = 0;

    atomic_store(&is_child, 1);
    bb_completion_init(&completion);
    for (size_t i = 0; i < SLOTS; i++) {
        bb_completions *completions = r->slots[i].life->completions;
        EXPECT(bb_completions_submit(completions, &request, 0, NULL) == BB_ERR_ARGUMENT);
        EXPECT(bb_completions_take(completions, &completion, 1, -1, &taken) == BB_ERR_ARGUMENT);
        EXPECT(bb_completions_fd(completions) == -1);
        bb_completions_stop(completions);
    }
    EXPECT(bb_completions_open(r->endpoint.contacts, NULL, &refused, NULL) == BB_ERR_ARGUMENT);
    EXPECT(bb_contacts_cancel(r->endpoint.contacts, 1) == BB_ERR_ARGUMENT);
    for (size_t i = 0; i < SLOTS; i++)
        bb_completions_close(r->slots[i].life->completions);
    bb_contacts_close(r->endpoint.contacts);
    _exit(0);
}

typedef struct child {
    pid_t id;
    int status;
} child;

static int has_ended(void *child_)
{
    child *c = child_;

    return waitpid(c->id, &c->status, WNOHANG) == c->id;
}

/* On the thread that replaces queues, so that the child has whole ones. */
static void fork_one(const round_of *r)
{
    child c = {.status = -1};

    fflush(NULL);
    c.id = fork();
    if (!CHECK(c.id >= 0))
        return;
    if (c.id == 0)
        run_child(r);
    if (!CHECK_MSG(test_wait_until(has_ended, &c), "a child does not end")) {
        kill(c.id, SIGKILL);
        waitpid(c.id, &c.status, 0);
    }
    CHECK_MSG(WIFEXITED(c.status) && WEXITSTATUS(c.status) == 0, "child: status 0x%x",
              (unsigned)c.status);
    sums.children++;
}

/* ---------------------------------------------------------------------------------- the end */

static void *close_handle(void *round_)
{
    round_of *r = round_;

    pthread_rwlock_wrlock(&r->handle);
    r->is_closing = 1;
    pthread_rwlock_unlock(&r->handle);
    bb_contacts_close(r->endpoint.contacts);
    r->endpoint.contacts = NULL;
    return NULL;
}

static void join_submitters(submitter *submitters)
{
    for (size_t i = 0; i < SUBMITTERS; i++)
        pthread_join(submitters[i].thread, NULL);
}

static void drop_all(round_of *r)
{
    for (size_t i = 0; i < SLOTS; i++)
        drop_life(r->slots[i].life);
}

/* Those who submit are told, those who take come to the end by themselves, and all has come out. */
static void end_with_handle(round_of *r, submitter *submitters)
{
    close_handle(r);
    join_submitters(submitters);
    for (size_t i = 0; i < SLOTS; i++) {
        join_takers(r->slots[i].life);
        bb_completions_close(r->slots[i].life->completions);
    }
}

static void end_with_queues(round_of *r, submitter *submitters)
{
    join_submitters(submitters);
    drop_all(r);
    close_handle(r);
}

static void end_at_once(round_of *r, submitter *submitters)
{
    pthread_t closer;

    join_submitters(submitters);
    if (pthread_create(&closer, NULL, close_handle, r) != 0)
        abort();
    drop_all(r);
    pthread_join(closer, NULL);
}

/* ---------------------------------------------------------------------------------- judgement */

static void judge(const round_of *r)
{
    for (size_t tag = 0; tag < ALL; tag++) {
        const sent *s = &r->sent[tag];
        unsigned times = atomic_load(&s->times);
        CHECK_MSG(times == 0 || s->is_accepted, "request %zu was refused, and came", tag);
        CHECK_MSG(times == 1 || !s->is_accepted || s->life->is_dropped, "request %zu is lost", tag);
        CHECK_MSG(times == 0 || !s->is_cancelled || atomic_load(&s->status) == 503,
                  "request %zu was cancelled, and %d", tag, atomic_load(&s->status));
        sums.accepted += s->is_accepted != 0;
        sums.refused += !s->is_accepted;
        sums.came += times;
        sums.cancelled += s->is_cancelled != 0;
        sums.expired += times == 1 && atomic_load(&s->status) == 503 && !s->is_cancelled;
        sums.dropped += s->is_accepted && times == 0;
    }
    sums.rounds++;
    sums.lines += atomic_load(&r->lines);
}

/* Whether what a request would create must be there, must not, or may be. */
static int32_t outcome_of_another(const sent *s)
{
    if (s->kind == CREATES && atomic_load(&s->status) == 200)
        return BB_UNCHANGED;
    return s->kind == CREATES && s->is_cancelled ? BB_CREATED : -1;
}

/* Creates again what should be there, or what should not. */
static void judge_store(const round_of *r, int32_t outcome)
{
    size_t tag = 0;

    while (tag < ALL) {
        test_text body = {0};
        size_t count = 0;
        size_t found;
        bb_result *result;
        test_append(&body, "{\"users\":[");
        for (; tag < ALL && count < BB_MAX_CONTACTS; tag++) {
            if (outcome_of_another(&r->sent[tag]) == outcome)
                test_append(&body, "%s{\"external_id\":\"c%zu\",\"name\":\"N\"}",
                            count++ > 0 ? "," : "", tag);
        }
        test_append(&body, "]}");
        result = count > 0 ? test_send(&r->endpoint, body.data, body.len) : NULL;
        found = bb_result_count(result, outcome);
        CHECK_MSG(found == count, "%zu of %zu contacts are as they were answered: %d", found, count,
                  (int)outcome);
        bb_result_free(result);
        free(body.data);
    }
}

/* ------------------------------------------------------------------------------------- rounds */

static void open_round(round_of *r, uint32_t workers)
{
    bb_allocator allocator = {NULL, take_memory, take_more, give_back};
    bb_config config;

    bb_config_init(&config);
    config.allocator = &allocator;
    config.workers = workers;
    config.max_queued = test_random(&r->random, 2) == 0 ? 0 : 40; /* some are too many */
    bb_contacts_close(r->endpoint.contacts);
    if (!CHECK(test_open_contacts(r->endpoint.store.storage, &config, &r->endpoint.contacts,
                                  NULL) == BB_OK))
        abort();
    pthread_rwlock_init(&r->handle, NULL);
    for (size_t i = 0; i < SLOTS; i++) {
        pthread_rwlock_init(&r->slots[i].lock, NULL);
        if (!open_life(r, &r->slots[i]))
            abort();
    }
}

static void start_submitters(round_of *r, submitter *submitters)
{
    for (size_t i = 0; i < SUBMITTERS; i++) {
        submitters[i] = (submitter){
            .round = r, .first = i * EACH, .random = 1 + test_random(&r->random, 1000000)};
        if (pthread_create(&submitters[i].thread, NULL, run_submitter, &submitters[i]) != 0)
            abort();
    }
}

/* Until most of the requests have been submitted, so that the end comes in the middle of them. */
static void disturb(round_of *r)
{
    size_t until = ALL / 2 + test_random(&r->random, ALL / 2);

    for (size_t i = 0; i < CHILDREN; i++)
        fork_one(r);
    while (atomic_load(&r->submitted) < until) {
        replace_one(r);
        test_pause_ms(1);
    }
}

/* Each number of workers with each end, in the course of nine rounds. */
static void test_A1_E7_E8_E11_nothing_is_lost_or_comes_twice(const char *backend, size_t number)
{
    static void (*const ends[])(round_of *, submitter *) = {end_with_handle, end_with_queues,
                                                            end_at_once};
    static const uint32_t workers[] = {1, 2, 8};
    round_of *r = calloc(1, sizeof *r);
    submitter submitters[SUBMITTERS];
    bb_error error;

    bb_error_init(&error);
    if (r == NULL || !CHECK(test_endpoint_open(&r->endpoint, backend, NULL) == 0))
        abort();
    r->random = test_seed() + number;
    open_round(r, workers[number % 3]);
    start_submitters(r, submitters);
    disturb(r);
    ends[(number + number / 3) % 3](r, submitters);
    judge(r);
    if (CHECK(test_open_contacts(r->endpoint.store.storage, NULL, &r->endpoint.contacts, NULL) ==
              BB_OK)) {
        judge_store(r, BB_UNCHANGED);
        judge_store(r, BB_CREATED);
    }
    test_endpoint_close(&r->endpoint);
    for (size_t i = 0; i < SLOTS; i++)
        pthread_rwlock_destroy(&r->slots[i].lock);
    pthread_rwlock_destroy(&r->handle);
    free(r);
}

static int64_t read_seconds(int argc, char **argv)
{
    static const struct option options[] = {{"seconds", required_argument, NULL, 's'},
                                            {NULL, 0, NULL, 0}};
    int64_t seconds = 0;
    int option;

    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option != 's')
            exit(2); // NOLINT(concurrency-mt-unsafe)
        seconds = strtoll(optarg, NULL, 10);
    }
    return seconds;
}

int main(int argc, char **argv)
{
    int64_t end = test_now_ms() + 1000 * read_seconds(argc, argv);
    const char *backend = optind < argc ? argv[optind] : "memory";
    test_store probe;
    int status = test_store_open(&probe, backend);
    size_t number = 0;

    if (status != 0)
        return status;
    test_store_close(&probe);
    do {
        test_A1_E7_E8_E11_nothing_is_lost_or_comes_twice(backend, number++);
    } while ((number < 3 || test_now_ms() < end) && check_failures() == 0);
    printf(
        "%s: %zu rounds: %zu requests submitted, %zu answers taken, %zu cancelled, %zu other 503,"
        " %zu dropped with their queue, %zu refused at the end, %zu log lines, %zu children\n",
        backend, sums.rounds, sums.accepted, sums.came, sums.cancelled, sums.expired, sums.dropped,
        sums.refused, sums.lines, sums.children);
    return check_status();
}

/*
 * test_faulty_session.c: whole requests on sessions that fail their n-th operation with each kind
 * of error, once and from then on, before the work, in the middle of it and after it (A2, E9, E11).
 *
 * The sessions are those of the memory backend; a layer above them fails.
 */
#include "unit.h"

#include "bb_contacts/backends.h"
#include "execute/storage.h"
#include "support/request.h"

#ifdef BB_WITH_MEMORY

/* When the n-th operation fails. */
typedef enum moment {
    BEFORE, /* nothing was done */
    HALF,   /* some records were put, and then all was undone */
    AFTER,  /* all was done and kept, but the answer says otherwise */
    MOMENTS
} moment;

typedef struct faulty {
    bb_storage *inner;
    int32_t code;
    size_t fail_at; /* the operation that fails, from 1 on; 0: none */
    int fails_on;   /* and all that come later */
    moment when;
    size_t operations;
    size_t open; /* sessions */
} faulty;

typedef struct session {
    faulty *owner;
    void *inner;
} session;

static int fails(faulty *f)
{
    f->operations++;
    return f->operations == f->fail_at ||
           (f->fails_on && f->fail_at != 0 && f->operations > f->fail_at);
}

static int32_t open_session(void *store, int64_t deadline, void **out, bb_error *error)
{
    faulty *f = store;
    session *made;

    if (fails(f))
        return f->code;
    made = must_alloc(sizeof *made);
    made->owner = f;
    f->open++;
    *out = made;
    return f->inner->vtable.session_open(f->inner->store, deadline, &made->inner, error);
}

static void close_session(void *session_)
{
    session *s = session_;

    s->owner->open--;
    s->owner->inner->vtable.session_close(s->inner);
    free(s);
}

static int32_t authorize(void *session_, const bb_access *access, bb_error *error)
{
    session *s = session_;

    if (fails(s->owner))
        return s->owner->code;
    return s->owner->inner->vtable.authorize(s->inner, access, error);
}

/* put() of a write that will fail half way: takes only the first record. */
typedef struct half_put {
    const bb_write *write;
    size_t count;
} half_put;

static int32_t put_half(void *ctx, size_t index, int32_t outcome, const bb_contact *contact,
                        const bb_contact *before)
{
    half_put *half = ctx;

    if (half->count++ > 0)
        return BB_ERR_NOMEM;
    return half->write->put(half->write->put_ctx, index, outcome, contact, before);
}

static int32_t write_records(void *session_, const bb_write *write, bb_error *error)
{
    session *s = session_;
    faulty *f = s->owner;
    half_put half = {write, 0};
    bb_write halved = *write;

    if (!fails(f))
        return f->inner->vtable.write(s->inner, write, error);
    if (f->when == AFTER)
        f->inner->vtable.write(s->inner, write, error);
    halved.put = put_half;
    halved.put_ctx = &half;
    if (f->when == HALF)
        f->inner->vtable.write(s->inner, &halved, error);
    return f->code;
}

static const bb_storage_vtable table = {
    .size = sizeof(bb_storage_vtable),
    .version = BB_STORAGE_VERSION,
    .name = "faulty",
    .session_open = open_session,
    .session_close = close_session,
    .authorize = authorize,
    .write = write_records,
};

/* ------------------------------------------------------------------------------------- hosts */

/* How long a success may take; and, at first, an attempt in vain. */
enum { PATIENCE_MS = 60000, IN_VAIN_MS = 20 };

typedef struct host {
    unit_memory memory;
    faulty faulty;
    bb_storage *storage;
    bb_contacts *contacts;
} host;

static void open_host(host *h)
{
    bb_storage_options options;
    bb_config config;

    memset(h, 0, sizeof *h);
    unit_memory_init(&h->memory);
    bb_storage_options_init(&options);
    options.allocator = &h->memory.allocator;
    assert_int_equal(bb_storage_open_memory(&options, &h->faulty.inner, NULL), BB_OK);
    assert_int_equal(bb_storage_chatbot_add(h->faulty.inner, 123, 1, 0, NULL), BB_OK);
    assert_int_equal(bb_storage_new(&table, &h->faulty, NULL, &h->storage, NULL), BB_OK);
    bb_config_init(&config);
    config.allocator = &h->memory.allocator;
    config.timeout_ms = PATIENCE_MS;
    assert_int_equal(bb_contacts_open(h->storage, &config, &h->contacts, NULL), BB_OK);
}

static void close_host(host *h)
{
    bb_contacts_close(h->contacts);
    bb_storage_close(h->storage);
    bb_storage_close(h->faulty.inner);
    assert_int_equal(h->faulty.open, 0);
    unit_memory_check(&h->memory);
}

static bb_result *send(host *h, const char *body, int64_t timeout_ms)
{
    bb_request request = test_request(body, strlen(body));

    request.idempotency_key = "retry";
    request.idempotency_key_len = 5;
    request.timeout_ms = timeout_ms;
    return bb_contacts_upsert(h->contacts, &request);
}

static const char write_body[] =
    "{\"users\":[{\"external_id\":\"a\",\"name\":\"1\"},{},"
    "{\"external_id\":\"b\"},{\"external_id\":\"a\",\"email\":\"2\"}]}";
enum { ENTRIES = 4, CONTACTS = 3 };

/* The contract's answer to a code that stays. */
static int32_t expected_status(int32_t code)
{
    switch (code) {
    case BB_ERR_UNKNOWN_KEY:
        return 401;
    case BB_ERR_NOT_FOUND:
        return 404;
    case BB_ERR_CONFLICT:
        return 409;
    case BB_ERR_TOO_LARGE:
        return 413;
    case BB_ERR_BUSY:
    case BB_ERR_UNAVAILABLE:
    case BB_ERR_RETRY:
    case BB_ERR_LOST:
        return 503;
    default:
        return 500;
    }
}

/* BB_ERR_RETRY and BB_ERR_LOST are tried again. So is BB_ERR_UNAVAILABLE while a lost session is
 * being replaced, but a single fault never causes that. */
static int is_tried_again(int32_t code)
{
    return code == BB_ERR_RETRY || code == BB_ERR_LOST;
}

/* The fault is gone: the handle serves again, and the request is stored once and whole, whatever
 * came of it before. */
static void check_afterwards(host *h, int32_t status, moment when, size_t reached)
{
    bb_result *result;
    size_t created;

    h->faulty.fail_at = 0;
    result = send(h, write_body, 0);
    created = bb_result_count(result, BB_CREATED);
    assert_int_equal(bb_result_http_status(result), 200);
    assert_int_equal(bb_result_entries(result), ENTRIES);
    if (status == 200) {
        assert_int_equal(created, 0);
    } else if (created != CONTACTS) { /* all or nothing, and all only if the work was done */
        assert_int_equal(created, 0);
        assert_true(when == AFTER && reached);
    }
    bb_result_free(result);
}

/* Returns whether the n-th operation was reached; -1 if the time was over before. */
static int run_within(int64_t timeout_ms, int32_t code, size_t n, int on, moment when)
{
    bb_result *result;
    int32_t status;
    int32_t expected;
    int reached;
    size_t live;
    host h;

    open_host(&h);
    live = h.memory.live;
    h.faulty.code = code;
    h.faulty.fail_at = n;
    h.faulty.fails_on = on;
    h.faulty.when = when;
    result = send(&h, write_body, timeout_ms);
    status = bb_result_http_status(result);
    reached = h.faulty.operations >= n;
    if (!reached && status == 503 && timeout_ms > 0) {
        bb_result_free(result);
        close_host(&h);
        return -1;
    }
    expected = !reached || (is_tried_again(code) && !on) ? 200 : expected_status(code);
    if (status != expected)
        fail_msg("%s at operation %zu, moment %d: %d", bb_code_name(code), n, (int)when, status);
    assert_int_equal(bb_result_entries(result), status == 200 ? ENTRIES : 0);
    bb_result_free(result);
    if (status != 200 && when != AFTER)
        assert_int_equal(h.memory.live, live);
    check_afterwards(&h, status, when, (size_t)reached);
    close_host(&h);
    return reached;
}

/* Returns whether the n-th operation was reached. Attempts in vain end with their time, of which a
 * slow machine gets more. */
static int run(int32_t code, size_t n, int on, moment when)
{
    int reached = -1;

    if (!on || !is_tried_again(code))
        return run_within(0, code, n, on, when);
    for (int64_t ms = IN_VAIN_MS; reached < 0 && ms < PATIENCE_MS; ms *= 4)
        reached = run_within(ms, code, n, on, when);
    assert_true(reached >= 0);
    return reached;
}

static void test_E11_every_code_at_every_operation(void **state)
{
    static const int32_t codes[] = {BB_ERR_ARGUMENT,
                                    BB_ERR_NOMEM,
                                    BB_ERR_UNKNOWN_KEY,
                                    BB_ERR_NOT_FOUND,
                                    BB_ERR_CONFLICT,
                                    BB_ERR_BUSY,
                                    BB_ERR_UNAVAILABLE,
                                    BB_ERR_RETRY,
                                    BB_ERR_LOST,
                                    BB_ERR_SCHEMA,
                                    BB_ERR_UNSUPPORTED,
                                    BB_ERR_INTERNAL,
                                    13,
                                    INT32_MAX,
                                    INT32_MIN,
                                    -1};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        for (int on = 0; on < 2; on++) {
            for (int when = BEFORE; when < MOMENTS; when++) {
                size_t n = 1;
                while (run(codes[i], n, on, (moment)when))
                    n++;
                assert_int_equal(n, 3); /* opening a session, and the write */
            }
        }
    }
}

/* A body that is refused is authorized first, and a fault of that is the answer (A1). */
static void test_A1_every_code_while_refusing(void **state)
{
    (void)state;
    for (int32_t code = BB_ERR_ARGUMENT; code <= BB_ERR_INTERNAL; code++) {
        for (size_t n = 1; n <= 2; n++) {
            bb_result *result;
            host h;
            open_host(&h);
            h.faulty.code = code;
            h.faulty.fail_at = n;
            h.faulty.fails_on = 1;
            result = send(&h, "{\"users\":[{\"name\":1}]}", is_tried_again(code) ? IN_VAIN_MS : 0);
            assert_int_equal(bb_result_http_status(result), expected_status(code));
            assert_null(strstr(bb_result_body(result, NULL), "issues"));
            bb_result_free(result);
            h.faulty.fail_at = 0;
            result = send(&h, "{\"users\":[{\"name\":1}]}", 0);
            assert_int_equal(bb_result_http_status(result), 400);
            bb_result_free(result);
            close_host(&h);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_E11_every_code_at_every_operation),
        cmocka_unit_test(test_A1_every_code_while_refusing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    return 77; /* skipped: there is no memory backend in this build */
}

#endif

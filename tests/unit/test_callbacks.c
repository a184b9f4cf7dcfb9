/*
 * test_callbacks.c: what a host's callback leaves behind when it fails never means success.
 *
 * Where callbacks can raise an exception, the library gets 0 for it, and whatever the callback had
 * written by then.
 */
#include "scripted.h"

/* How a callback for random bytes ends. */
typedef struct ending {
    size_t written;     /* so many bytes are; the rest is not touched */
    unsigned char byte; /* with this value */
    size_t returned;    /* what random_bytes returns, or random as far as it can */
    size_t calls;
} ending;

static size_t end_counted(void *ctx, void *out, size_t len)
{
    ending *e = ctx;

    e->calls++;
    memset(out, e->byte, e->written < len ? e->written : len);
    return e->returned;
}

static int32_t end_first_form(void *ctx, void *out, size_t len)
{
    return (int32_t)end_counted(ctx, out, len);
}

static int32_t never_asked(void *ctx, void *out, size_t len)
{
    (void)ctx;
    (void)out;
    (void)len;
    fail();
    return -1;
}

typedef struct host {
    script script;
    kept_log log;
    bb_storage *storage;
    bb_contacts *contacts;
    bb_config config;
} host;

static void init_host(host *h)
{
    memset(h, 0, sizeof *h);
    script_init(&h->script);
    assert_int_equal(bb_storage_new(&script_table, &h->script, NULL, &h->storage, NULL), BB_OK);
    bb_config_init(&h->config);
    h->config.log = keep_line;
    h->config.log_ctx = &h->log;
    h->config.timeout_ms = 60000;
}

static void open_host(host *h)
{
    assert_int_equal(bb_contacts_open(h->storage, &h->config, &h->contacts, NULL), BB_OK);
}

static void close_host(host *h)
{
    bb_contacts_close(h->contacts);
    bb_storage_close(h->storage);
    script_destroy(&h->script);
    free(h->log.lines.data);
}

static int32_t send(host *h, const char *body)
{
    bb_principal principal;
    bb_request request;
    bb_result *result;
    int32_t status;

    bb_principal_init(&principal);
    principal.workspace_id = 7;
    bb_request_init(&request);
    request.chatbot_id = "42";
    request.chatbot_id_len = 2;
    request.principal = &principal;
    request.body = body;
    request.body_len = strlen(body);
    result = bb_contacts_upsert(h->contacts, &request);
    status = bb_result_http_status(result);
    assert_int_equal(bb_result_code(result), status == 200 ? BB_OK : BB_ERR_INTERNAL);
    bb_result_free(result);
    return status;
}

/* A key made with these options. */
static int32_t add_key(host *h, bb_key_options *options)
{
    char out[BB_KEY_SIZE] = "as it was";
    int32_t code;

    options->workspace_id = 7;
    code = bb_storage_key_add(h->storage, options, out, sizeof out, 0, NULL);
    if (code != BB_OK)
        assert_string_equal(out, "as it was");
    return code;
}

/* -------------------------------------------------------------------------------- random bytes */

enum { UUID = 16, KEY = 32, ALL = 64 };

/* What must not count, by bb_config.random_bytes and by bb_key_options.random_bytes. */
static const ending failures[] = {
    {0, 0, 0, 0},      /* raised at once */
    {5, 0xA7, 0, 0},   /* on its way */
    {ALL, 0xA7, 0, 0}, /* at its end */
    {ALL, 0xA7, UUID - 1, 0},
    {ALL, 0xA7, KEY + 1, 0},
    {ALL, 0xA7, SIZE_MAX, 0}, /* -1 */
    {0, 0, UUID, 0},          /* nothing was written */
    {0, 0, KEY, 0},
    {ALL, 0, UUID, 0},
    {ALL, 0, KEY, 0},
};

static void test_D_an_id_takes_as_many_bytes_as_it_has(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(failures); i++) {
        ending e = failures[i];
        host h;
        init_host(&h);
        h.config.random_bytes = end_counted;
        h.config.random_ctx = &e;
        open_host(&h);
        if (send(&h, "{\"users\":[{}]}") != 500)
            fail_msg("failure %zu made an id", i);
        assert_int_equal(e.calls, 1);
        assert_int_equal(h.log.levels[BB_LOG_ERROR], 1);
        assert_non_null(strstr(h.log.lines.data, "random bytes are not available"));
        assert_int_equal(send(&h, "{\"users\":[{\"external_id\":\"a\"}]}"), 200);
        assert_int_equal(e.calls, 1); /* not needed */
        e = (ending){.written = ALL, .byte = 0xA7, .returned = UUID};
        assert_int_equal(send(&h, "{\"users\":[{}]}"), 200);
        close_host(&h);
    }
}

static void test_B1_a_key_takes_as_many_bytes_as_it_has(void **state)
{
    host h;

    (void)state;
    init_host(&h);
    for (size_t i = 0; i < COUNT_OF(failures); i++) {
        ending e = failures[i];
        bb_key_options options;
        bb_key_options_init(&options);
        options.random_bytes = end_counted;
        options.random_ctx = &e;
        if (add_key(&h, &options) != BB_ERR_INTERNAL)
            fail_msg("failure %zu made a key", i);
        assert_int_equal(h.script.opens, 0);
        assert_int_equal(e.calls, 1);
    }
    close_host(&h);
}

static void test_E11_workers_do_not_start_without_random_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(failures); i++) {
        ending e = failures[i];
        host h;
        if (e.returned == UUID && e.byte != 0)
            continue;
        init_host(&h);
        h.config.workers = 1;
        h.config.random_bytes = end_counted;
        h.config.random_ctx = &e;
        assert_int_equal(bb_contacts_open(h.storage, &h.config, &h.contacts, NULL),
                         BB_ERR_INTERNAL);
        assert_int_equal(e.calls, 1);
        close_host(&h);
    }
}

/* The first form cannot tell half of the bytes from all of them, but none. */
static void test_D_an_untouched_buffer_of_the_first_form(void **state)
{
    ending e = {0};
    bb_key_options options;
    host h;

    (void)state;
    init_host(&h);
    h.config.random = end_first_form;
    h.config.random_ctx = &e;
    open_host(&h);
    bb_key_options_init(&options);
    options.random = end_first_form;
    options.random_ctx = &e;
    assert_int_equal(send(&h, "{\"users\":[{}]}"), 500);
    assert_int_equal(add_key(&h, &options), BB_ERR_INTERNAL);
    assert_int_equal(e.calls, 2);
    e = (ending){.written = ALL, .byte = 0xA7};
    assert_int_equal(send(&h, "{\"users\":[{}]}"), 200);
    assert_int_equal(add_key(&h, &options), BB_OK);
    close_host(&h);
}

static void test_D_the_form_that_counts_comes_first(void **state)
{
    ending e = {.written = ALL, .byte = 0xA7, .returned = UUID};
    bb_key_options options;
    host h;

    (void)state;
    init_host(&h);
    h.config.random = never_asked;
    h.config.random_bytes = end_counted;
    h.config.random_ctx = &e;
    open_host(&h);
    assert_int_equal(send(&h, "{\"users\":[{}]}"), 200);
    bb_key_options_init(&options);
    options.random = never_asked;
    options.random_bytes = end_counted;
    options.random_ctx = &e;
    e.returned = KEY;
    assert_int_equal(add_key(&h, &options), BB_OK);
    close_host(&h);
}

/* ----------------------------------------------------------------------------------- the clock */

static int64_t say(void *ctx)
{
    return *(const int64_t *)ctx;
}

static void test_E11_a_clock_that_says_no_time_is_a_500(void **state)
{
    static const int64_t times[] = {0, -1, INT64_MIN};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        int64_t now = times[i];
        host h;
        init_host(&h);
        h.config.clock = say;
        h.config.clock_ctx = &now;
        open_host(&h);
        assert_int_equal(send(&h, "{\"users\":[{\"external_id\":\"a\"}]}"), 500);
        assert_int_equal(h.script.opens, 0);
        assert_string_equal(h.log.lines.data,
                            "request refused: scripted: the clock says no time\n");
        assert_int_equal(h.log.levels[BB_LOG_ERROR], 1);
        now = 1;
        assert_int_equal(send(&h, "{\"users\":[{\"external_id\":\"a\"}]}"), 200);
        assert_int_equal(h.script.access.now_us, 1);
        close_host(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_D_an_id_takes_as_many_bytes_as_it_has),
        cmocka_unit_test(test_B1_a_key_takes_as_many_bytes_as_it_has),
        cmocka_unit_test(test_E11_workers_do_not_start_without_random_bytes),
        cmocka_unit_test(test_D_an_untouched_buffer_of_the_first_form),
        cmocka_unit_test(test_D_the_form_that_counts_comes_first),
        cmocka_unit_test(test_E11_a_clock_that_says_no_time_is_a_500),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

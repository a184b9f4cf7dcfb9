/*
 * test_request_id.c: the host's ids of requests, in the lines of its log (A5).
 */
#include "scripted.h"

#include "support/request.h"

enum { REQUESTS = 40 };

typedef struct host {
    script script;
    bb_storage *storage;
    bb_contacts *contacts;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t answers;
    kept_log log; /* under the mutex */
} host;

static void keep_line_of_many(void *ctx, int32_t level, const char *line, size_t len)
{
    host *h = ctx;

    pthread_mutex_lock(&h->mutex);
    keep_line(&h->log, level, line, len);
    pthread_mutex_unlock(&h->mutex);
}

static void open_host(host *h, uint32_t workers)
{
    bb_storage_vtable table = script_table;
    bb_config config;

    memset(h, 0, sizeof *h);
    script_init(&h->script);
    assert_int_equal(pthread_mutex_init(&h->mutex, NULL), 0);
    assert_int_equal(pthread_cond_init(&h->changed, NULL), 0);
    table.write_group = script_write_group;
    assert_int_equal(bb_storage_new(&table, &h->script, NULL, &h->storage, NULL), BB_OK);
    bb_config_init(&config);
    config.log = keep_line_of_many;
    config.log_ctx = h;
    config.timeout_ms = 60000;
    config.workers = workers;
    assert_int_equal(bb_contacts_open(h->storage, &config, &h->contacts, NULL), BB_OK);
}

static void close_host(host *h)
{
    bb_contacts_close(h->contacts);
    bb_storage_close(h->storage);
    script_destroy(&h->script);
    free(h->log.lines.data);
    pthread_cond_destroy(&h->changed);
    pthread_mutex_destroy(&h->mutex);
}

static bb_request request_with(const char *body, const char *id)
{
    bb_request request = test_request(body, strlen(body));

    request.request_id = id;
    request.request_id_len = id != NULL ? strlen(id) : 0;
    return request;
}

static int32_t send(host *h, const char *id)
{
    bb_request request = request_with("{\"users\":[{\"external_id\":\"a\"}]}", id);
    bb_result *result = bb_contacts_upsert(h->contacts, &request);
    int32_t status = bb_result_http_status(result);

    bb_result_free(result);
    return status;
}

/* The lines so far, which are forgotten then. */
static void expect_lines(host *h, const char *lines)
{
    assert_string_equal(h->log.lines.data, lines);
    h->log.lines.len = 0;
}

static void test_A5_each_line_about_a_request_bears_its_id(void **state)
{
    static const int32_t codes[] = {BB_ERR_RETRY, BB_ERR_INTERNAL};
    static const int32_t conflict = BB_ERR_CONFLICT;
    host h;

    (void)state;
    open_host(&h, 0);
    h.script.message = "why";
    script_answers(&h.script, codes, COUNT_OF(codes));
    assert_int_equal(send(&h, "id-1"), 500);
    assert_non_null(strstr(h.log.lines.data, "trying again: scripted: why [request id-1]\n"));
    assert_non_null(strstr(h.log.lines.data, " ms: scripted: why [request id-1]\n"));
    h.log.lines.len = 0;
    script_answers(&h.script, &conflict, 1);
    assert_int_equal(send(&h, "id 2"), 409);
    expect_lines(&h, "refused: scripted: why [request id 2]\n");
    script_answers(&h.script, &conflict, 1);
    assert_int_equal(send(&h, NULL), 409);
    expect_lines(&h, "refused: scripted: why\n");
    close_host(&h);
}

static void test_A5_an_id_is_printable_and_bounded(void **state)
{
    static const int32_t conflict = BB_ERR_CONFLICT;
    char id[200], wanted[300];
    host h;

    (void)state;
    open_host(&h, 0);
    h.script.message = "why";
    script_answers(&h.script, &conflict, 1);
    assert_int_equal(send(&h, "\na\r\x01 b\x7f~\xc3\xa9!\t"), 409);
    expect_lines(&h, "refused: scripted: why [request a b~!]\n");
    script_answers(&h.script, &conflict, 1);
    assert_int_equal(send(&h, "\n\x80\xff"), 409);
    expect_lines(&h, "refused: scripted: why\n");
    memset(id, 'x', sizeof id);
    id[sizeof id - 1] = '\0';
    script_answers(&h.script, &conflict, 1);
    assert_int_equal(send(&h, id), 409);
    snprintf(wanted, sizeof wanted, "refused: scripted: why [request %.128s]\n", id);
    expect_lines(&h, wanted);
    close_host(&h);
}

/* However long the storage's own text is. */
static void test_A5_the_id_is_never_cut(void **state)
{
    static const int32_t conflict = BB_ERR_CONFLICT;
    char text[sizeof((bb_error *)NULL)->message];
    char id[129];
    host h;

    (void)state;
    memset(text, 't', sizeof text);
    text[sizeof text - 1] = '\0';
    memset(id, 'x', sizeof id);
    id[sizeof id - 1] = '\0';
    open_host(&h, 0);
    h.script.message = text;
    script_answers(&h.script, &conflict, 1);
    assert_int_equal(send(&h, id), 409);
    assert_int_equal(h.log.count, 1);
    assert_non_null(strstr(h.log.lines.data, id));
    assert_string_equal(h.log.lines.data + h.log.lines.len - 2, "]\n");
    close_host(&h);
}

/* A struct that can't be used, and a principal that can't. */
static void test_A5_a_request_that_is_refused(void **state)
{
    bb_request request = request_with("{\"users\":[{}]}", "id-3");
    bb_principal principal;
    host h;

    (void)state;
    open_host(&h, 0);
    bb_principal_init(&principal);
    principal.size = 1;
    request.principal = &principal;
    bb_result_free(bb_contacts_upsert(h.contacts, &request));
    assert_int_equal(h.log.count, 1);
    assert_non_null(strstr(h.log.lines.data, " [request id-3]\n"));
    close_host(&h);
}

static void on_answer(void *ctx, bb_result *result)
{
    host *h = ctx;

    bb_result_free(result);
    pthread_mutex_lock(&h->mutex);
    h->answers++;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->mutex);
}

static void submit(host *h, const char *key, const char *id)
{
    char body[100];
    bb_request request;

    snprintf(body, sizeof body, "{\"users\":[{\"external_id\":\"%s\"}]}", key);
    request = request_with(body, id);
    assert_null(bb_contacts_submit(h->contacts, &request, on_answer, h, NULL));
}

/* Submits a group: the worker is held at a request before. */
static void fail_a_group(host *h)
{
    char key[20], id[20];

    open_host(h, 1);
    h->script.message = "why";
    h->script.codes[1] = BB_ERR_UNAVAILABLE; /* of the group; then all is well */
    script_hold(&h->script, 1);
    submit(h, "first", "before");
    script_wait_inside(&h->script, 1);
    for (int i = 0; i < REQUESTS; i++) {
        snprintf(key, sizeof key, "k%d", i);
        snprintf(id, sizeof id, "request-number-%d", i);
        submit(h, key, i == 7 ? NULL : id);
    }
    script_hold(&h->script, 0);
    pthread_mutex_lock(&h->mutex);
    while (h->answers < REQUESTS + 1)
        pthread_cond_wait(&h->changed, &h->mutex);
    pthread_mutex_unlock(&h->mutex);
}

/* Each id of the group stands in one of its lines, whole. */
static void test_A5_a_group_that_fails_names_its_requests(void **state)
{
    static const char begin[] = "a group of requests failed: scripted: why [request ";
    const char *line;
    size_t lines = 0;
    host h;

    (void)state;
    fail_a_group(&h);
    for (line = h.log.lines.data; (line = strstr(line, begin)) != NULL; line++) {
        lines++;
        assert_true(strcspn(line, "\n") < 1000);
    }
    assert_in_range(lines, 2, 4);
    for (int i = 0; i < REQUESTS; i++) {
        char among[40], last[40];
        snprintf(among, sizeof among, "request-number-%d, ", i);
        snprintf(last, sizeof last, "request-number-%d]\n", i);
        assert_int_equal(i != 7, strstr(h.log.lines.data, among) != NULL ||
                                     strstr(h.log.lines.data, last) != NULL);
    }
    assert_null(strstr(h.log.lines.data, "before"));
    close_host(&h);
}

static void test_A5_what_counts_of_an_id(void **state)
{
    static const char mixed[] = "a\tb \x7f\r\n~\xc3\xa4";
    char out[BB_MAX_REQUEST_ID + 1];
    char *longer = repeat("x", BB_MAX_REQUEST_ID + 1);

    (void)state;
    assert_int_equal(bb_request_id_clean(mixed, sizeof mixed - 1, out, sizeof out), 4);
    assert_string_equal(out, "ab ~");
    assert_int_equal(bb_request_id_clean(mixed, sizeof mixed - 1, out, 3), 2);
    assert_string_equal(out, "ab");
    assert_int_equal(bb_request_id_clean(longer, strlen(longer), out, sizeof out),
                     BB_MAX_REQUEST_ID);
    assert_int_equal(bb_request_id_clean(NULL, 5, out, sizeof out), 0);
    assert_string_equal(out, "");
    assert_int_equal(bb_request_id_clean(mixed, 1, out, 0), 0);
    assert_int_equal(bb_request_id_clean(mixed, 1, NULL, 5), 0);
    free(longer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_A5_what_counts_of_an_id),
        cmocka_unit_test(test_A5_each_line_about_a_request_bears_its_id),
        cmocka_unit_test(test_A5_an_id_is_printable_and_bounded),
        cmocka_unit_test(test_A5_the_id_is_never_cut),
        cmocka_unit_test(test_A5_a_request_that_is_refused),
        cmocka_unit_test(test_A5_a_group_that_fails_names_its_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

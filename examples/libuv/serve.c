/*
 * serve.c: the event loop: begins to listen, serves, and ends after a signal.
 */
#include "serve.h"

#include "command_line.h"
#include "connection.h"
#include "exchange.h"
#include "limits.h"
#include "log.h"
#include "server.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

/* How often timeouts are looked at. */
enum { TICK_MS = 250 };

/* Open files that are not connections: the store's, the loop's, the standard ones. */
enum { OTHER_FILES = 64 };

enum { MIN_CONNECTIONS = 16, MAX_CONNECTIONS = 100000 };

/* -------------------------------------------------------------------------------- connections */

/* Accepts the connection that has arrived, if there may be one more. Until then libuv leaves the
 * others in the kernel's queue. */
static void accept_one(struct server *server)
{
    server->is_accepting =
        server->connections < server->max_connections && connection_accept(server);
}

static void on_connection(uv_stream_t *listener, int status)
{
    if (status == 0)
        accept_one(listener->data);
}

void server_connection_gone(struct server *server)
{
    server->connections--;
    if (!server->is_accepting && !server->is_stopping)
        accept_one(server);
    server_end_if_over(server);
}

void server_end_if_over(struct server *server)
{
    if (server->is_stopping && server->connections == 0)
        uv_stop(&server->loop);
}

/* ---------------------------------------------------------------------------------------- time */

static void set_date(struct server *server)
{
    time_t now = time(NULL);
    struct tm utc;

    gmtime_r(&now, &utc);
    strftime(server->date, sizeof server->date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
}

static void on_tick(uv_timer_t *tick)
{
    struct server *server = tick->data;

    set_date(server);
    for (int kind = 0; kind < TIMEOUT_KINDS; kind++) {
        struct timeout *expired;
        while ((expired = timeouts_expired(&server->timeouts, (enum timeout_kind)kind,
                                           uv_now(&server->loop))) != NULL)
            connection_expired(expired, (enum timeout_kind)kind);
    }
    if (!server->is_accepting && !server->is_stopping) /* perhaps there is memory now */
        accept_one(server);
}

/* ------------------------------------------------------------------------------------- the end */

static struct connection *connection_of(uv_handle_t *handle, const struct server *server)
{
    return handle->type == UV_TCP && handle != (const uv_handle_t *)&server->listener ? handle->data
                                                                                      : NULL;
}

static void close_if_idle(uv_handle_t *handle, void *server)
{
    struct connection *connection = connection_of(handle, server);

    if (connection != NULL && connection_is_idle(connection))
        connection_close(connection);
}

static void close_any(uv_handle_t *handle, void *server)
{
    struct connection *connection = connection_of(handle, server);

    if (connection != NULL)
        connection_close(connection);
}

/* Cuts off idle connections after the first step, in which the loop reads requests that the kernel
 * has already, and all others after the last. */
static void on_drain(uv_timer_t *drain)
{
    struct server *server = drain->data;

    uv_walk(&server->loop, uv_now(&server->loop) < server->stop_at ? close_if_idle : close_any,
            server);
    server_end_if_over(server);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct server *server = handle->data;

    (void)number;
    if (server->is_stopping)
        return;
    server->is_stopping = 1;
    server->stop_at = uv_now(&server->loop) + server->drain_ms;
    uv_close((uv_handle_t *)&server->listener, NULL); /* clients should go elsewhere now */
    uv_timer_start(&server->drain, on_drain, DRAIN_STEP_MS, DRAIN_STEP_MS);
}

/* ------------------------------------------------------------------------------------ beginning */

static void on_answered(uv_poll_t *answered, int status, int events)
{
    (void)status;
    (void)events;
    exchange_take_answers(answered->data);
}

/* Has the loop's thread take what the library answers; see start(). */
static int watch_answers(struct server *server)
{
    int32_t code = bb_completions_open(server->contacts, NULL, &server->completions, NULL);
    int status;

    if (code != BB_OK)
        return code == BB_ERR_NOMEM ? UV_ENOMEM : UV_EMFILE;
    bb_completion_init(server->answers);
    server->answered.data = server;
    status = uv_poll_init(&server->loop, &server->answered, bb_completions_fd(server->completions));
    return status != 0 ? status : uv_poll_start(&server->answered, UV_READABLE, on_answered);
}

/* Makes all handles. Returns 0, or an error code of libuv's; then the process must end. */
static int start(struct server *server, int listener)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    uv_stream_t *stream = (uv_stream_t *)&server->listener;
    int status = uv_loop_init(&server->loop);

    if (status != 0 || (status = watch_answers(server)) != 0 ||
        (status = pool_open(&server->pool, &server->loop, exchange_hand_over,
                            exchange_handed_over)) != 0 ||
        (status = uv_timer_init(&server->loop, &server->tick)) != 0 ||
        (status = uv_timer_init(&server->loop, &server->drain)) != 0 ||
        (status = uv_tcp_init(&server->loop, &server->listener)) != 0)
        return status;
    server->tick.data = server->drain.data = server->listener.data = server;
    uv_timer_start(&server->tick, on_tick, TICK_MS, TICK_MS);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if ((status = uv_signal_init(&server->loop, &server->signals[i])) != 0 ||
            (status = uv_signal_start(&server->signals[i], on_signal, numbers[i])) != 0)
            return status;
        server->signals[i].data = server;
    }
    status = uv_tcp_open(&server->listener, listener);
    return status != 0 ? status : uv_listen(stream, SOMAXCONN, on_connection);
}

/* The loop has ended: waits for what the library still writes for clients that are gone, and frees
 * everything. */
static void finish(struct server *server)
{
    pool_close(&server->pool);
    bb_contacts_close(server->contacts);
    while (exchange_take_answers(server) > 0)
        continue;
    uv_close((uv_handle_t *)&server->answered, NULL);
    uv_close((uv_handle_t *)&server->tick, NULL);
    uv_close((uv_handle_t *)&server->drain, NULL);
    for (size_t i = 0; i < sizeof server->signals / sizeof server->signals[0]; i++)
        uv_close((uv_handle_t *)&server->signals[i], NULL);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    uv_loop_close(&server->loop);
    bb_completions_close(server->completions);
}

/* The usual limit of 1024 is for programs that use select(), which this one does not. */
uint32_t serve_allow_connections(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return 1024 - OTHER_FILES;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < MIN_CONNECTIONS + OTHER_FILES)
        return MIN_CONNECTIONS;
    if (files.rlim_cur > MAX_CONNECTIONS + OTHER_FILES) /* it may be infinite */
        return MAX_CONNECTIONS;
    return (uint32_t)files.rlim_cur - OTHER_FILES;
}

int serve(bb_contacts *contacts, int listener, const char *address,
          const struct serve_limits *limits)
{
    static struct server server; /* too large for a stack, and there is only one */
    int status;

    server.contacts = contacts;
    server.max_connections = limits->connections;
    server.is_accepting = 1;
    server.drain_ms = limits->drain_ms;
    timeouts_init(&server.timeouts);
    server.timeouts.durations[TIMEOUT_IDLE] = limits->idle_ms;
    server.timeouts.durations[TIMEOUT_HEAD] = limits->head_ms;
    server.timeouts.durations[TIMEOUT_BODY] = limits->body_ms;
    set_date(&server);
    signal(SIGPIPE, SIG_IGN); /* libuv reports it */
    status = start(&server, listener);
    if (status != 0) {
        log_say("could not start the event loop: %s", uv_strerror(status));
        bb_contacts_close(contacts);
        return EXIT_FAILURE;
    }
    print_line("listening on http://", address);
    uv_run(&server.loop, UV_RUN_DEFAULT);
    finish(&server);
    return EXIT_SUCCESS;
}

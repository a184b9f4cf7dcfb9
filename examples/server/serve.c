/*
 * serve.c: the `serve` command: starts the HTTP server, waits for a signal, and ends it.
 */
#include "access_log.h"
#include "commands.h"
#include "complaint.h"
#include "demo.h"
#include "limits.h"
#include "listen.h"
#include "log.h"
#include "request.h"
#include "server.h"
#include "store.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * A thread per connection, because bb_contacts_upsert() waits for the database: in a pool of event
 * loops each such wait would hold up every other connection of its loop. The cost of slow clients
 * is bounded: a connection on which nothing moves for a while is closed, and past 512 connections
 * new ones wait to be accepted, so that they and the store's files fit into the usual limit of 1024
 * open files. (A server that faces the internet also has a proxy in front.)
 *
 * It uses select(), which can watch that many. With poll(), libmicrohttpd 0.9.75 goes on accepting
 * past the limit and closes those connections, and it keeps a core busy when no more files can be
 * opened.
 */
static struct MHD_Daemon *start(int listener, struct server *server, int64_t idle)
{
    return MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_ITC |
            MHD_USE_ERROR_LOG,
        0, NULL, NULL, request_handle, server, MHD_OPTION_LISTEN_SOCKET, listener,
        MHD_OPTION_NOTIFY_COMPLETED, request_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
        request_connection, NULL, MHD_OPTION_URI_LOG_CALLBACK, request_new, NULL,
        MHD_OPTION_UNESCAPE_CALLBACK, request_keep_escapes, NULL, MHD_OPTION_EXTERNAL_LOGGER,
        complaint_log, NULL, MHD_OPTION_CONNECTION_LIMIT, 512U, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)idle, MHD_OPTION_END);
}

/* Takes no new connections, lets requests that have begun be answered, and stops. Idle connections
 * and requests that never arrive whole are cut off. */
static void stop(struct MHD_Daemon *daemon, struct server *server, int64_t timeout)
{
    const struct timespec step = {.tv_nsec = DRAIN_STEP_MS * 1000000L};
    int64_t drain_ms = timeout * 1000 + DRAIN_MORE_MS;
    int listener = MHD_quiesce_daemon(daemon);

    /* It may be closed only after the daemon has stopped, but clients should go elsewhere now. */
    shutdown(listener, SHUT_RDWR);
    atomic_store(&server->stopping, 1);
    /* The first step is for requests that the kernel has and the daemon has not yet read. */
    for (int64_t waited = 0;
         waited == 0 || (waited < drain_ms && atomic_load(&server->in_flight) > 0);
         waited += DRAIN_STEP_MS)
        nanosleep(&step, NULL);
    MHD_stop_daemon(daemon);
    close(listener);
}

/* sigwait() takes the signals in this thread. All later threads inherit the mask. */
static void block_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int run(int listener, const char *address, struct server *server,
               const struct options *options)
{
    struct MHD_Daemon *daemon;
    sigset_t signals;
    int signal_number;

    block_signals(&signals);
    daemon = start(listener, server, options->idle);
    if (daemon == NULL) {
        log_say("could not start the HTTP server");
        close(listener);
        return EXIT_FAILURE;
    }
    printf("listening on http://%s\n", address);
    fflush(stdout);
    sigwait(&signals, &signal_number);
    stop(daemon, server, options->timeout);
    return EXIT_SUCCESS;
}

int serve(bb_storage *storage, const struct options *options)
{
    struct server server = {.contacts = NULL};
    char address[300];
    int listener, status;

    listener = listen_open(options->listen, address, sizeof address);
    if (listener < 0)
        return -listener;
    status = options->demo ? demo_prepare(storage, options->timeout * 1000) : EXIT_SUCCESS;
    if (status == EXIT_SUCCESS)
        status = access_log_open(options->access_log);
    if (status == EXIT_SUCCESS)
        status =
            endpoint_open(storage, (uint32_t)options->workers, 0, options->max_answer,
                          options->custom_attributes, options->timeout * 1000, &server.contacts);
    if (status != EXIT_SUCCESS) {
        close(listener);
        return status;
    }
    status = run(listener, address, &server, options);
    bb_contacts_close(server.contacts);
    return status;
}

/*
 * access_log.c: one line of JSON for each request (--access-log).
 */
#include "access_log.h"

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* A line is shorter than PIPE_BUF of every system, so that a pipe takes it whole. */
enum { LINE_SIZE = 500 };

static int log_fd = -1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned long long dropped; /* lines since the last one that was written; under the mutex */

int access_log_open(const char *path)
{
    if (path == NULL)
        return EXIT_SUCCESS;
    log_fd = strcmp(path, "-") == 0
                 ? STDOUT_FILENO
                 : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
    if (log_fd >= 0)
        return EXIT_SUCCESS;
    log_say("cannot open the access log: %s: %s", path, strerror(errno));
    return EXIT_FAILURE;
}

/* RFC 3339. */
static void write_time(char *to, size_t size)
{
    struct timespec now;
    struct tm utc;
    size_t len;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    len = strftime(to, size, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(to + len, size - len, ".%03ldZ", now.tv_nsec / 1000000);
}

/* The id is printable ASCII, so only two characters need an escape. */
static void write_id(char *to, const char *id)
{
    for (; *id != '\0'; id++) {
        if (*id == '"' || *id == '\\')
            *to++ = '\\';
        *to++ = *id;
    }
    *to = '\0';
}

/* While there is room, a line is written without waiting: POLLOUT of a pipe means PIPE_BUF bytes,
 * and the mutex keeps other threads from taking them. */
static int try_line(const char *line, size_t len)
{
    struct pollfd writable = {.fd = log_fd, .events = POLLOUT};

    return poll(&writable, 1, 0) == 1 && (writable.revents & POLLOUT) != 0 &&
           write(log_fd, line, len) == (ssize_t)len;
}

static void write_line(const char *time, const char *line, size_t len)
{
    char about[100];

    pthread_mutex_lock(&mutex);
    if (dropped > 0) {
        int about_len =
            snprintf(about, sizeof about, "{\"time\":\"%s\",\"dropped\":%llu}\n", time, dropped);
        if (try_line(about, (size_t)about_len))
            dropped = 0;
    }
    if (dropped > 0 || !try_line(line, len))
        dropped++;
    pthread_mutex_unlock(&mutex);
}

void access_log_write(const struct reply *reply)
{
    char line[LINE_SIZE], time[40], id[2 * BB_MAX_REQUEST_ID + 1];
    int64_t us;
    int len;

    if (log_fd < 0 || reply->trace == NULL)
        return;
    us = trace_elapsed_us(reply->trace);
    write_time(time, sizeof time);
    write_id(id, reply->trace->id);
    len = snprintf(line, sizeof line,
                   "{\"time\":\"%s\",\"id\":\"%s\",\"status\":%u,\"entries\":%zu,\"created\":%zu,"
                   "\"updated\":%zu,\"unchanged\":%zu,\"bytes\":%zu,\"ms\":%lld.%03d}\n",
                   time, id, reply->status, reply->entries, reply->counts[BB_CREATED],
                   reply->counts[BB_UPDATED], reply->counts[BB_UNCHANGED], reply->len,
                   (long long)(us / 1000), (int)(us % 1000));
    write_line(time, line, (size_t)len);
}

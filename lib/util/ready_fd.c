/*
 * ready_fd.c: a file descriptor that is readable while it is set, for event loops to watch.
 */
#include "util/ready_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#if defined(__has_include)
#if __has_include(<sys/eventfd.h>)
#include <sys/eventfd.h>
#endif
#endif

static int open_event_fd(void)
{
#ifdef EFD_CLOEXEC
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
#else
    return -1;
#endif
}

int bb_ready_fd_open(bb_ready_fd *ready)
{
    int fd = open_event_fd();

    if (fd < 0) /* an emulator of a kernel may have the header, and not the call */
        return bb_ready_fd_open_pipe(ready);
    *ready = (bb_ready_fd){.fd = fd, .write_fd = fd};
    return 1;
}

static int prepare(int fd)
{
    return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

int bb_ready_fd_open_pipe(bb_ready_fd *ready)
{
    int ends[2];

    if (pipe(ends) != 0)
        return 0;
    *ready = (bb_ready_fd){.fd = ends[0], .write_fd = ends[1]};
    if (prepare(ends[0]) && prepare(ends[1]))
        return 1;
    bb_ready_fd_close(ready);
    return 0;
}

void bb_ready_fd_close(bb_ready_fd *ready)
{
    if (ready->write_fd != ready->fd)
        close(ready->write_fd);
    close(ready->fd);
}

/* An eventfd takes and gives eight bytes, and a pipe is content with as many. There is always room
 * for them, as none are written before those of the last time have been read. */
void bb_ready_fd_set(bb_ready_fd *ready, int is_set)
{
    uint64_t token = 1;

    if (is_set == ready->is_set)
        return;
    ready->is_set = is_set;
    if (is_set) {
        while (write(ready->write_fd, &token, sizeof token) < 0 && errno == EINTR)
            continue;
    } else {
        while (read(ready->fd, &token, sizeof token) < 0 && errno == EINTR)
            continue;
    }
}

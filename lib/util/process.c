/*
 * process.c: tells a process from its children by fork().
 *
 * getpid() alone would nearly do. But a process may get the id of one that has ended, or the same
 * id in another namespace, and it costs a system call for each request. Linux 4.14 and later clear
 * a page in the child if asked to; see MADV_WIPEONFORK in madvise(2).
 */
#include "util/process.h"

#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef MADV_WIPEONFORK

enum { UNKNOWN_ADVICE = -1 };

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* An emulator of a kernel may accept any advice and follow none. So this first tries advice that
 * does not exist. */
static int is_wiped_on_fork(void *page)
{
    return madvise(page, page_size(), UNKNOWN_ADVICE) != 0 &&
           madvise(page, page_size(), MADV_WIPEONFORK) == 0;
}

static int *map_mark(void)
{
    void *page =
        mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return NULL;
    if (is_wiped_on_fork(page))
        return page;
    munmap(page, page_size());
    return NULL;
}

static void unmap_mark(int *mark)
{
    if (mark != NULL)
        munmap(mark, page_size());
}

#else

static int *map_mark(void)
{
    return NULL;
}

static void unmap_mark(int *mark)
{
    (void)mark;
}

#endif

void bb_process_remember(bb_process *process)
{
    process->id = getpid();
    process->mark = map_mark();
    if (process->mark != NULL)
        *process->mark = 1;
}

int bb_process_is_this(const bb_process *process)
{
    return process->mark != NULL ? *process->mark : process->id == getpid();
}

void bb_process_forget(bb_process *process)
{
    unmap_mark(process->mark);
    process->mark = NULL;
}

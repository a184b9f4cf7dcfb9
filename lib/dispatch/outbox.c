/*
 * outbox.c: the answers of submitted requests, and log lines, until the host takes them.
 *
 * Many put, many take, and both hold the mutex for a few instructions only: what is taken is a
 * piece of the list, which is handed out afterwards. So the threads of the library never wait for a
 * host that is slow.
 *
 * The answers of a group come one after the other. The host is woken for the last of them only:
 * woken for the first, it would take that one alone, wait again, and be woken again, for two system
 * calls an answer.
 */
#include "dispatch/outbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "bb_contacts/storage.h"
#include "util/alloc.h"
#include "util/condition.h"
#include "util/struct_size.h"

/* A log line in its place. */
typedef struct line_entry {
    bb_outbox_entry entry; /* first, so that an entry's address is its line's */
    int32_t level;
    uint32_t len;
    char text[BB_LOG_LINE_SIZE];
} line_entry;

struct bb_outbox {
    bb_allocator allocator;
    atomic_size_t owners;   /* the host, until it closes; and each answer that is expected */
    line_entry *lines;      /* all places; NULL: it takes no lines */
    pthread_mutex_t mutex;  /* guards the rest */
    pthread_cond_t arrived; /* an entry, or the end */
    pthread_cond_t left;    /* the last taker, after bb_outbox_stop() */
    bb_outbox_entry *first;
    bb_outbox_entry *last;       /* only if `first` is not NULL */
    bb_outbox_entry *free_lines; /* places that hold no line */
    uint64_t lines_dropped;
    bb_ready_fd ready; /* set while there is a first entry, if the host watches it */
    int is_watched;
    size_t takers;  /* threads in bb_outbox_take() */
    int is_over;    /* nothing more comes */
    int is_stopped; /* by the host */
};

/* ------------------------------------------------------------------------------------ the list */

/* Shows the host, with the mutex held, whether there is something. */
static void show(bb_outbox *box)
{
    if (box->is_watched)
        bb_ready_fd_set(&box->ready, box->first != NULL);
}

/* The same, and wakes one who waits for it. */
static void wake(bb_outbox *box)
{
    show(box);
    if (box->first != NULL)
        pthread_cond_signal(&box->arrived);
}

static void append(bb_outbox *box, bb_outbox_entry *entry)
{
    entry->next = NULL;
    if (box->first == NULL)
        box->first = entry;
    else
        box->last->next = entry;
    box->last = entry;
}

/* Takes at most so many from the front, as a list of their own. What is left is for others who
 * wait: several may have come for one call of wake(). */
static bb_outbox_entry *detach(bb_outbox *box, size_t max)
{
    bb_outbox_entry *list = box->first;
    bb_outbox_entry **end = &box->first;

    while (*end != NULL && max-- > 0)
        end = &(*end)->next;
    if (end == &box->first)
        return NULL;
    box->first = *end;
    *end = NULL;
    wake(box);
    return list;
}

static void give_line_back(bb_outbox *box, bb_outbox_entry *line)
{
    line->next = box->free_lines;
    box->free_lines = line;
}

/* ------------------------------------------------------------------------- opening and closing */

static int32_t init(bb_outbox *box, uint32_t max_lines, bb_ready_fd_open_fn open_fd)
{
    if (max_lines > 0) {
        box->lines = bb_alloc_array(&box->allocator, max_lines, sizeof *box->lines);
        if (box->lines == NULL)
            return BB_ERR_NOMEM;
    }
    for (uint32_t i = max_lines; i-- > 0;) {
        box->lines[i].entry = (bb_outbox_entry){.block = NULL};
        give_line_back(box, &box->lines[i].entry);
    }
    if (!open_fd(&box->ready))
        return BB_ERR_INTERNAL;
    if (bb_condition_init(&box->arrived) != 0) {
        bb_ready_fd_close(&box->ready);
        return BB_ERR_INTERNAL;
    }
    pthread_cond_init(&box->left, NULL);
    pthread_mutex_init(&box->mutex, NULL);
    return BB_OK;
}

static void free_memory(bb_outbox *box)
{
    bb_allocator allocator = box->allocator;

    bb_free(&allocator, box->lines);
    bb_free(&allocator, box);
}

int32_t bb_outbox_open(const bb_allocator *allocator, uint32_t max_lines,
                       bb_ready_fd_open_fn open_fd, bb_outbox **out)
{
    bb_outbox *box = bb_zalloc(allocator, sizeof *box);
    int32_t code;

    if (box == NULL)
        return BB_ERR_NOMEM;
    box->allocator = *allocator;
    atomic_init(&box->owners, 1);
    code = init(box, max_lines, open_fd);
    if (code == BB_OK)
        *out = box;
    else
        free_memory(box);
    return code;
}

static void disown(bb_outbox *box)
{
    if (atomic_fetch_sub(&box->owners, 1) > 1)
        return;
    pthread_mutex_destroy(&box->mutex);
    pthread_cond_destroy(&box->left);
    pthread_cond_destroy(&box->arrived);
    free_memory(box);
}

/* Frees answers that nobody takes. */
static void discard(const bb_allocator *allocator, bb_outbox_entry *list)
{
    while (list != NULL) {
        bb_outbox_entry *next = list->next;
        if (list->block != NULL) {
            bb_result_free(list->result);
            bb_free(allocator, list->block);
        }
        list = next;
    }
}

void bb_outbox_stop(bb_outbox *box)
{
    pthread_mutex_lock(&box->mutex);
    box->is_stopped = 1;
    pthread_cond_broadcast(&box->arrived);
    pthread_mutex_unlock(&box->mutex);
}

void bb_outbox_close(bb_outbox *box)
{
    bb_outbox_entry *list;

    bb_outbox_stop(box);
    pthread_mutex_lock(&box->mutex);
    while (box->takers > 0)
        pthread_cond_wait(&box->left, &box->mutex);
    list = box->first;
    box->first = NULL;
    pthread_mutex_unlock(&box->mutex);
    bb_ready_fd_close(&box->ready); /* nobody sets it any more */
    discard(&box->allocator, list);
    disown(box);
}

void bb_outbox_abandon(bb_outbox *box)
{
    bb_ready_fd_close(&box->ready);
    free_memory(box);
}

void bb_outbox_end(bb_outbox *box)
{
    pthread_mutex_lock(&box->mutex);
    box->is_over = 1;
    pthread_cond_broadcast(&box->arrived);
    pthread_mutex_unlock(&box->mutex);
}

/* ---------------------------------------------------------------------------------- putting in */

int bb_outbox_expect(bb_outbox *box)
{
    int is_stopped;

    pthread_mutex_lock(&box->mutex);
    is_stopped = box->is_stopped;
    pthread_mutex_unlock(&box->mutex);
    if (!is_stopped)
        atomic_fetch_add(&box->owners, 1);
    return !is_stopped;
}

void bb_outbox_put(bb_outbox *box, bb_outbox_entry *entry, bb_result *result, int is_followed)
{
    int is_stopped;

    entry->result = result;
    entry->next = NULL;
    pthread_mutex_lock(&box->mutex);
    is_stopped = box->is_stopped;
    if (!is_stopped)
        append(box, entry);
    if (!is_stopped && !is_followed)
        wake(box);
    pthread_mutex_unlock(&box->mutex);
    if (is_stopped)
        discard(&box->allocator, entry);
    disown(box);
}

void bb_outbox_put_line(bb_outbox *box, int32_t level, const char *line, size_t len)
{
    line_entry *place;

    if (box->lines == NULL)
        return;
    pthread_mutex_lock(&box->mutex);
    place = (line_entry *)box->free_lines;
    if (place != NULL && !box->is_over) {
        box->free_lines = place->entry.next;
        place->level = level;
        place->len = (uint32_t)(len < sizeof place->text ? len : sizeof place->text - 1);
        memcpy(place->text, line, place->len);
        append(box, &place->entry);
        wake(box);
    } else if (!box->is_over) {
        box->lines_dropped++;
    }
    pthread_mutex_unlock(&box->mutex);
}

/* -------------------------------------------------------------------------------------- taking */

int32_t bb_outbox_fd(bb_outbox *box)
{
    pthread_mutex_lock(&box->mutex);
    box->is_watched = 1; /* those who never ask save two system calls for each burst of answers */
    show(box);
    pthread_mutex_unlock(&box->mutex);
    return box->ready.fd;
}

/* Waits, with the mutex held, until there is an entry or the time is over. BB_ERR_CLOSED if none
 * will ever come. */
static int32_t wait_for_entry(bb_outbox *box, int64_t timeout_ms)
{
    int64_t deadline = bb_deadline_in(timeout_ms);
    int has_time = timeout_ms != 0;

    while (!box->is_stopped && box->first == NULL && !box->is_over && has_time) {
        if (timeout_ms < 0)
            pthread_cond_wait(&box->arrived, &box->mutex);
        else
            has_time = bb_condition_wait(&box->arrived, &box->mutex, deadline);
    }
    return box->is_stopped || (box->is_over && box->first == NULL) ? BB_ERR_CLOSED : BB_OK;
}

/* One of the caller's array, which is of his size. */
static bb_completion *at(bb_completion *completions, size_t size, size_t index)
{
    return (bb_completion *)(void *)((char *)completions + index * size);
}

static void describe(const bb_outbox_entry *entry, bb_completion *completion)
{
    const line_entry *line = (const line_entry *)entry;

    completion->tag = entry->tag;
    completion->result = entry->result;
    completion->level = 0;
    completion->line_len = 0;
    completion->line[0] = '\0';
    if (entry->block != NULL)
        return;
    completion->level = line->level;
    completion->line_len = line->len;
    memcpy(completion->line, line->text, line->len);
    completion->line[line->len] = '\0';
}

/* Fills in the caller's array, and frees what the answers came in. Returns how many there were; the
 * places of lines become `*lines`. */
static size_t hand_out(bb_outbox *box, bb_outbox_entry *list, uint64_t lines_dropped,
                       bb_completion *completions, bb_outbox_entry **lines)
{
    size_t size = completions->size;
    size_t count = 0;

    while (list != NULL) {
        bb_outbox_entry *next = list->next;
        bb_completion *completion = at(completions, size, count++);
        completion->size = size;
        completion->lines_dropped = lines_dropped;
        describe(list, completion);
        if (list->block != NULL) {
            bb_free(&box->allocator, list->block);
        } else {
            list->next = *lines;
            *lines = list;
        }
        list = next;
    }
    return count;
}

/* Ends a thread's taking, with the mutex held. */
static void leave(bb_outbox *box, bb_outbox_entry *lines)
{
    while (lines != NULL) {
        bb_outbox_entry *next = lines->next;
        give_line_back(box, lines);
        lines = next;
    }
    box->takers--;
    if (box->takers == 0 && box->is_stopped)
        pthread_cond_signal(&box->left);
}

int32_t bb_outbox_take(bb_outbox *box, bb_completion *completions, size_t max, int64_t timeout_ms,
                       size_t *taken)
{
    bb_outbox_entry *list = NULL;
    bb_outbox_entry *lines = NULL;
    uint64_t lines_dropped;
    int32_t code;

    pthread_mutex_lock(&box->mutex);
    box->takers++;
    code = wait_for_entry(box, timeout_ms);
    if (code == BB_OK)
        list = detach(box, max);
    lines_dropped = box->lines_dropped;
    pthread_mutex_unlock(&box->mutex);
    *taken = hand_out(box, list, lines_dropped, completions, &lines);
    pthread_mutex_lock(&box->mutex);
    leave(box, lines);
    pthread_mutex_unlock(&box->mutex);
    return code;
}

/*
 * handle.c: opens and closes the handle, and settles its limits.
 */
#include "api/handle.h"

#include <string.h>

#include "dispatch/dispatcher.h"
#include "dispatch/outboxes.h"
#include "util/alloc.h"
#include "util/clock.h"
#include "util/struct_size.h"

enum {
    DEFAULT_BODY = 16 * 1024 * 1024,
    DEFAULT_ENTRY = 1024 * 1024,
    MOST_BYTES = 1024 * 1024 * 1024,
    DEFAULT_DEPTH = 64,
    MOST_DEPTH = 512,
    DEFAULT_SESSIONS = 16,
    MOST_SESSIONS = 10000,
    DEFAULT_TIMEOUT_MS = 10000,
    DEFAULT_IDLE_TIMEOUT_MS = 300000,
    MOST_WORKERS = 256,
    DEFAULT_QUEUED = 4096,
    MOST_QUEUED = 1000000,
    DEFAULT_QUEUED_BYTES = 64 * 1024 * 1024,
    DEFAULT_GROUP_REQUESTS = 128,
    MOST_GROUP_REQUESTS = 1000,
    DEFAULT_GROUP_CONTACTS = 1000,
    MOST_GROUP_CONTACTS = 10000,
    DEFAULT_GROUP_BYTES = 4 * 1024 * 1024,
    DEFAULT_ANSWER = 64 * 1024 * 1024
};

static const uint64_t most_answer = (uint64_t)16 * 1024 * 1024 * 1024;

static int64_t system_clock(void *ctx)
{
    (void)ctx;
    return bb_wall_clock_us();
}

int bb_contacts_is_usable(const bb_contacts *contacts)
{
    return bb_process_is_this(&contacts->executor.storage->opener);
}

static void fill_in(uint32_t *member, uint32_t value)
{
    if (*member == 0)
        *member = value;
}

static void fill_in_size(size_t *member, size_t value)
{
    if (*member == 0)
        *member = value;
}

static void fill_up(uint32_t *member, uint32_t least)
{
    if (*member < least)
        *member = least;
}

static void fill_in_defaults(bb_config *config)
{
    if (config->clock == NULL)
        config->clock = system_clock;
    fill_in_size(&config->max_body_bytes, DEFAULT_BODY);
    fill_in_size(&config->max_entry_bytes, DEFAULT_ENTRY);
    fill_in(&config->max_depth, DEFAULT_DEPTH);
    fill_in(&config->max_sessions, DEFAULT_SESSIONS);
    if (config->timeout_ms <= 0)
        config->timeout_ms = DEFAULT_TIMEOUT_MS;
    if (config->idle_timeout_ms == 0)
        config->idle_timeout_ms = DEFAULT_IDLE_TIMEOUT_MS;
    fill_in(&config->max_queued, DEFAULT_QUEUED);
    fill_in_size(&config->max_queued_bytes, DEFAULT_QUEUED_BYTES);
    fill_in(&config->max_group_requests, DEFAULT_GROUP_REQUESTS);
    fill_in(&config->max_group_contacts, DEFAULT_GROUP_CONTACTS);
    fill_in_size(&config->max_group_bytes, DEFAULT_GROUP_BYTES);
    fill_in_size(&config->max_answer_bytes, DEFAULT_ANSWER);
    if (config->workers > 0) /* each writes on a session of its own */
        fill_up(&config->max_sessions, config->workers + BB_QUARANTINE_WORKERS);
}

static int is_within_bounds(const bb_config *config)
{
    return config->max_body_bytes <= MOST_BYTES && config->max_entry_bytes <= MOST_BYTES &&
           config->max_depth <= MOST_DEPTH && config->max_sessions <= MOST_SESSIONS &&
           config->idle_timeout_ms > 0 && config->workers <= MOST_WORKERS &&
           config->max_queued <= MOST_QUEUED && config->max_group_requests <= MOST_GROUP_REQUESTS &&
           config->max_group_contacts <= MOST_GROUP_CONTACTS &&
           config->custom_attributes >= BB_ATTRIBUTES_DEFAULT &&
           config->custom_attributes <= BB_ATTRIBUTES_MERGE &&
           config->max_answer_bytes <= most_answer &&
           (config->allocator == NULL || bb_allocator_is_valid(config->allocator));
}

/* The configuration as this version knows it, with defaults. */
static int32_t read_config(const bb_config *given, bb_config *config, bb_error *error)
{
    int32_t code = BB_OK;

    bb_config_init(config);
    if (given != NULL)
        code = bb_struct_read(&bb_config_type, config, given, error);
    if (code != BB_OK)
        return code;
    fill_in_defaults(config);
    return is_within_bounds(config)
               ? BB_OK
               : bb_error_set(error, BB_ERR_ARGUMENT, "a limit is out of its bounds");
}

/* A bb_log_fn that logs to the host's and to the completion queues. A child of fork() may still log
 * that it can do nothing, but must not take the queues' locks. */
static void log_to_all(void *contacts_, int32_t level, const char *line, size_t len)
{
    bb_contacts *contacts = contacts_;

    if (contacts->log != NULL)
        contacts->log(contacts->log_ctx, level, line, len);
    if (bb_contacts_is_usable(contacts))
        bb_outboxes_log(contacts->outboxes, level, line, len);
}

static int32_t prepare_outboxes(bb_contacts *contacts)
{
    bb_executor *executor = &contacts->executor;

    contacts->outboxes = bb_outboxes_new(&executor->allocator);
    if (contacts->outboxes == NULL)
        return BB_ERR_NOMEM;
    contacts->log = executor->log;
    contacts->log_ctx = executor->log_ctx;
    executor->log = log_to_all;
    executor->log_ctx = contacts;
    return BB_OK;
}

static int32_t open_dispatcher(bb_contacts *contacts, const bb_config *config, bb_error *error)
{
    const bb_storage_vtable *table = &contacts->executor.storage->vtable;
    bb_queue_limits limits = {.max_queued = config->max_queued,
                              .max_queued_bytes = config->max_queued_bytes,
                              .max_group_requests =
                                  table->write_group != NULL ? config->max_group_requests : 1,
                              .max_group_contacts = config->max_group_contacts,
                              .max_group_bytes = config->max_group_bytes,
                              .is_ordered = (table->flags & BB_STORAGE_ORDERED_GROUPS) != 0,
                              .is_unbounded = config->workers == 0};
    /* Without workers a handle opens whatever the host's function says before an id is needed. */
    bb_random_fn random = config->workers > 0 ? contacts->random : NULL;
    int32_t code;

    if (config->workers == 0 && limits.max_group_requests == 1)
        return BB_OK; /* nothing to share */
    code = config->workers > 0 ? prepare_outboxes(contacts) : BB_OK;
    if (code == BB_OK)
        code = bb_dispatcher_open(&contacts->executor, config->workers, &limits, random,
                                  contacts->random_ctx, &contacts->dispatcher);
    return code == BB_OK ? BB_OK : bb_error_set(error, code, "the workers cannot be started");
}

static void copy_config(bb_contacts *contacts, const bb_config *config)
{
    contacts->clock = config->clock;
    contacts->clock_ctx = config->clock_ctx;
    contacts->random = config->random;
    contacts->random_ctx = config->random_ctx;
    if (config->random_bytes != NULL) {
        contacts->random_bytes = (bb_random_bytes){config->random_bytes, config->random_ctx};
        contacts->random = bb_random_counted;
        contacts->random_ctx = &contacts->random_bytes;
    }
    contacts->executor.log = config->log;
    contacts->executor.log_ctx = config->log_ctx;
    contacts->executor.max_answer_bytes = config->max_answer_bytes;
    contacts->max_body_bytes = config->max_body_bytes;
    contacts->max_entry_bytes = config->max_entry_bytes;
    contacts->max_depth = config->max_depth;
    contacts->timeout_ms = config->timeout_ms;
    contacts->custom_attributes = config->custom_attributes;
}

int32_t bb_contacts_open(bb_storage *storage, const bb_config *given, bb_contacts **out,
                         bb_error *error)
{
    bb_config config;
    bb_allocator memory;
    bb_contacts *contacts;
    int32_t code;

    if (out != NULL)
        *out = NULL;
    if (storage == NULL || out == NULL)
        return bb_error_set(error, BB_ERR_ARGUMENT, "no storage, or nowhere to put the handle");
    if (!bb_process_is_this(&storage->opener))
        return bb_error_set(error, BB_ERR_ARGUMENT, "the storage was " BB_OTHER_PROCESS);
    code = read_config(given, &config, error);
    if (code != BB_OK)
        return code;
    memory = bb_allocator_or_default(config.allocator);
    contacts = bb_zalloc(&memory, sizeof *contacts);
    if (contacts == NULL)
        return bb_error_set(error, BB_ERR_NOMEM, "out of memory");
    contacts->executor.allocator = memory;
    contacts->executor.storage = storage;
    bb_storage_retain(storage);
    copy_config(contacts, &config);
    if (bb_session_pool_init(&contacts->executor.pool, storage, &memory, config.max_sessions) !=
        BB_OK) {
        bb_storage_release(storage);
        bb_free(&memory, contacts);
        return bb_error_set(error, BB_ERR_NOMEM, "out of memory");
    }
    contacts->executor.pool.idle_ms = config.idle_timeout_ms;
    code = open_dispatcher(contacts, &config, error);
    if (code == BB_OK)
        *out = contacts;
    else
        bb_contacts_close(contacts);
    return code;
}

/* What is submitted through completion queues ends first, and they are told last. */
static void close_parts(bb_contacts *contacts)
{
    if (contacts->outboxes != NULL)
        bb_outboxes_shut(contacts->outboxes);
    bb_dispatcher_close(contacts->dispatcher);
    bb_session_pool_close(&contacts->executor.pool);
    if (contacts->outboxes != NULL)
        bb_outboxes_end(contacts->outboxes);
}

static void abandon_parts(bb_contacts *contacts)
{
    bb_dispatcher_abandon(contacts->dispatcher);
    bb_session_pool_abandon(&contacts->executor.pool);
    if (contacts->outboxes != NULL)
        bb_outboxes_abandon(contacts->outboxes);
}

void bb_contacts_close(bb_contacts *contacts)
{
    bb_allocator memory;

    if (contacts == NULL)
        return;
    memory = contacts->executor.allocator;
    if (bb_contacts_is_usable(contacts))
        close_parts(contacts);
    else
        abandon_parts(contacts);
    bb_storage_release(contacts->executor.storage);
    bb_free(&memory, contacts);
}

size_t bb_contacts_max_body(const bb_contacts *contacts)
{
    return contacts != NULL ? contacts->max_body_bytes : 0;
}

int32_t bb_contacts_stats(bb_contacts *contacts, bb_stats *stats)
{
    size_t queued = 0;
    size_t queued_bytes = 0;
    bb_stats now;

    if (contacts == NULL || stats == NULL || !bb_contacts_is_usable(contacts))
        return BB_ERR_ARGUMENT;
    bb_stats_init(&now);
    bb_counters_read(&contacts->executor.counters, &now);
    if (contacts->dispatcher != NULL)
        bb_dispatcher_load(contacts->dispatcher, &queued, &queued_bytes);
    now.queued = (uint32_t)queued;
    now.queued_bytes = queued_bytes;
    bb_session_pool_load(&contacts->executor.pool, &now.sessions_open, &now.sessions_idle);
    return bb_struct_fill(&bb_stats_type, stats, &now) ? BB_OK : BB_ERR_ARGUMENT;
}

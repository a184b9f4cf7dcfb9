/*
 * ordinary_write.c: stores the records of one or several requests, all or none, in one round trip.
 *
 * Five statements are sent at once: begin, settings, access and locks, write, commit. Each sees
 * what was committed when it began (read committed), so the write sees all changes by those for
 * which it waited. If several ask, there is an access statement for each of them, and one more that
 * takes the locks once it is known who is allowed.
 *
 * If the write fails with the error by which it undoes itself, it is sent again as a careful write,
 * as are all writes to a table that has triggers or partitions. Three statements follow a careful
 * write, in the same round trip. The first does what is deferred to the commit. The second reads
 * the contacts back as they are now, whatever triggers have made of them. The third is a check that
 * fails if the write must be undone, which tells the library's errors from the host's.
 *
 * A dry run (A6) has another statement in place of the write, which only reads, takes no locks, and
 * ends with a rollback.
 */
#include "backends/postgres/write/ordinary_write.h"

#include <stdio.h>
#include <string.h>

#include "backends/postgres/marshal/access.h"
#include "backends/postgres/marshal/group.h"
#include "backends/postgres/marshal/locks.h"
#include "backends/postgres/marshal/records.h"
#include "backends/postgres/marshal/rows.h"
#include "backends/postgres/wire/sqlstate.h"
#include "backends/postgres/wire/table_kind.h"
#include "backends/postgres/write/conflict.h"

/* What is sent: begin, settings, an access statement for each asker, the locks if there are several
 * askers, how to plan if the table is partitioned, write, what follows a careful one, commit. */
enum { QUERY_BEGIN, QUERY_SETTINGS, QUERY_ACCESS };

/* What follows a careful write, counted from it. */
enum { AFTER_READ = 2, AFTER_CHECK = 3 };

/* How often a write of one request is tried when rows are not as they should be. Others who change
 * rows without the locks get in the way once, seldom twice; a trigger or policy does each time. */
enum { MOST_TRIES = 5 };

/* Why an attempt came to nothing, if the table is the cause. */
typedef enum setback {
    SETBACK_NONE,
    SETBACK_DOUBTFUL,  /* one of the others, or may be; a table with triggers; the host's error */
    SETBACK_LEFT_OUT,  /* a contact that should be created was not */
    SETBACK_STAYED,    /* one that should be updated is as it was */
    SETBACK_GONE,      /* one was not there, or not under its key, when it was read back */
    SETBACK_OVERSIZED, /* merging would make one too large (D3) */
    SETBACK_TOO_LARGE, /* none of these: the answer would be larger than its bound */
    SETBACK_UNTRIED    /* a dry run has not tried the host's rules, or was not allowed to */
} setback;

/* A write on its way. */
typedef struct ordinary_write {
    bb_pg_session *session;
    const bb_write_group *given;
    bb_pg_group group;
    bb_pg_params *access; /* of each asker */
    bb_pg_params locks;
    bb_pg_params records;
    bb_pg_params keys; /* the first of these, which hold them */
    bb_pg_query *queries;
    size_t query_count; /* the last is commit */
    size_t write_query; /* where the write is */
    int is_careful;     /* see ordinary_statements.c */
    int is_trial;       /* a dry run that writes and rolls back */
    int is_untriable;   /* the role may not write such */
    int is_partitioned; /* the table of contacts, as far as is known */
    int has_shown;      /* there may be values to hand back that the records do not have */
    int64_t room;       /* bytes that these may have in a plain write */
    setback setback;    /* of the last attempt */
    unsigned tries;
    unsigned conflicts; /* that were met */
    bb_pg_rule rule;    /* of the last one */
} ordinary_write;

/* ----------------------------------------------------------------------------- the parameters */

static void add_askers(bb_pg_params *params, const bb_pg_lock_list *list)
{
    bb_pg_params_begin_array(params, BB_PG_INT4, list->count);
    for (size_t i = 0; i < list->count; i++)
        bb_pg_params_element_i32(params, (int32_t)list->locks[i].asker + 1);
    bb_pg_params_end_array(params);
}

/* A single asker's access statement takes its locks. */
static int32_t add_own_locks(ordinary_write *w, const bb_pg_locks *locks, bb_error *error)
{
    bb_pg_params *params = &w->access[0];
    int32_t code = bb_pg_params_reserve(
        params, bb_pg_lock_list_size(&locks->shared) + bb_pg_lock_list_size(&locks->exclusive),
        error);

    if (code != BB_OK)
        return code;
    bb_pg_params_add_locks(params, &locks->shared);
    bb_pg_params_add_locks(params, &locks->exclusive);
    return BB_OK;
}

static int32_t add_all_locks(ordinary_write *w, const bb_pg_locks *locks, bb_error *error)
{
    int32_t code = bb_pg_params_reserve(
        &w->locks,
        2 * (bb_pg_lock_list_size(&locks->shared) + bb_pg_lock_list_size(&locks->exclusive)),
        error);

    if (code != BB_OK)
        return code;
    bb_pg_params_add_locks(&w->locks, &locks->shared);
    add_askers(&w->locks, &locks->shared);
    bb_pg_params_add_locks(&w->locks, &locks->exclusive);
    add_askers(&w->locks, &locks->exclusive);
    bb_pg_params_add_no_locks(&w->access[0]);
    return BB_OK;
}

static int32_t add_locks(ordinary_write *w, bb_error *error)
{
    bb_pg_locks locks;
    int32_t code = bb_pg_locks_init(&locks, &w->group, error);

    if (code != BB_OK)
        return code;
    return w->group.asker_count == 1 ? add_own_locks(w, &locks, error)
                                     : add_all_locks(w, &locks, error);
}

static int32_t add_access(ordinary_write *w, bb_error *error)
{
    for (size_t i = 0; i < w->group.asker_count; i++)
        bb_pg_params_add_access(&w->access[i], w->group.askers[i]);
    if (!w->group.is_dry_run)
        return add_locks(w, error);
    bb_pg_params_add_no_locks(&w->access[0]);
    return BB_OK;
}

static void add_query(ordinary_write *w, bb_pg_statement_id statement, const bb_pg_params *params)
{
    w->queries[w->query_count++] = (bb_pg_query){.statement = statement, .params = params};
}

/* Whether the contacts are read after they were written. */
static int is_read_back(const ordinary_write *w)
{
    return w->is_careful && (w->is_trial || !w->group.is_dry_run);
}

/* The statement that writes. */
static bb_pg_statement_id write_statement(const ordinary_write *w)
{
    if (w->is_trial)
        return w->is_partitioned ? BB_PG_TRIAL_IN_PARTITIONS : BB_PG_TRIAL;
    if (w->group.is_dry_run)
        return w->is_partitioned ? BB_PG_DRY_WRITE_TO_PARTITIONS : BB_PG_DRY_WRITE;
    if (w->group.merges)
        return w->is_partitioned ? BB_PG_MERGE_PARTITIONS : BB_PG_MERGE;
    if (w->is_partitioned)
        return BB_PG_WRITE_TO_PARTITIONS;
    if (w->is_careful)
        return BB_PG_CAREFUL_WRITE;
    return w->group.is_seen ? BB_PG_WRITE : BB_PG_WRITE_UNSEEN;
}

/* The statement that reads the contacts after a careful write. */
static bb_pg_statement_id read_statement(const ordinary_write *w)
{
    if (w->is_partitioned)
        return w->group.is_seen ? BB_PG_READ_PARTITIONS : BB_PG_LOOK_AT_PARTITIONS;
    return w->group.is_seen ? BB_PG_READ : BB_PG_LOOK;
}

/* Adds the write and what follows, in place of earlier ones. */
static void add_write(ordinary_write *w)
{
    w->query_count = w->write_query;
    add_query(w, write_statement(w), &w->records);
    if (is_read_back(w)) {
        add_query(w, BB_PG_DEFERRED, NULL);
        add_query(w, read_statement(w), &w->keys);
        add_query(w, BB_PG_CHECK, NULL);
    }
    add_query(w, w->group.is_dry_run ? BB_PG_ROLLBACK : BB_PG_COMMIT, NULL);
}

static int32_t add_queries(ordinary_write *w, bb_error *error)
{
    const bb_allocator *allocator = &w->session->store->allocator;
    size_t askers = w->group.asker_count;

    w->access = bb_alloc_array(allocator, askers, sizeof *w->access);
    w->queries = bb_alloc_array(allocator, askers + 9, sizeof *w->queries);
    for (size_t i = 0; w->access != NULL && i < askers; i++)
        bb_pg_params_init(&w->access[i], allocator);
    if (w->access == NULL || w->queries == NULL)
        return bb_pg_error(error, BB_ERR_NOMEM, NULL, "out of memory for a write");
    add_query(w, BB_PG_BEGIN, NULL);
    add_query(w, BB_PG_SETTINGS, NULL);
    for (size_t i = 0; i < askers; i++)
        add_query(w, i == 0 ? BB_PG_ACCESS : BB_PG_NEXT_ACCESS, &w->access[i]);
    if (askers > 1)
        add_query(w, BB_PG_LOCKS, &w->locks);
    if (w->is_partitioned)
        add_query(w, BB_PG_PLAN_ANEW, NULL);
    w->write_query = w->query_count;
    add_write(w);
    return BB_OK;
}

/* The bytes that a contact has in the answer, at most, as far as its record tells: what is not set
 * counts as on a new contact. No escape is longer than six bytes, no number than 20 digits. */
static size_t known_bytes(const bb_record *record)
{
    size_t bytes = BB_CONTACT_FRAME_BYTES + 3 * 20 + 6 * record->external_id.len + 2;

    for (int i = 0; i < BB_FIELD_COUNT; i++) {
        size_t len = bb_record_value(record, &bb_fields[i]).len;
        bytes += bb_fields[i].kind == BB_FIELD_TEXT ? 6 * len + 4 : len;
    }
    return bytes;
}

/* Whether the write may hand back values that its record does not have. */
static int is_shown(const bb_record *record)
{
    return (record->fields & BB_FIELD_ALL) != BB_FIELD_ALL ||
           (record->flags & BB_RECORD_WANT_BEFORE);
}

/*
 * Works out what a plain write may hand back (A7), so that the server has nothing to add up in most
 * writes. Returns 0 if the records alone may be too large for the answer: then a careful write,
 * which counts exactly, is due.
 */
static int measure(ordinary_write *w)
{
    size_t max = w->given->writes[0]->max_bytes;
    size_t left = max;

    if (!w->group.is_seen)
        return 1;
    for (size_t i = 0; max > 0 && i < w->group.item_count; i++) {
        const bb_record *record = w->group.items[i].record;
        size_t bytes = known_bytes(record);
        size_t entries = bb_pg_record_entries(record);
        if (bytes > left / entries)
            return 0;
        left -= bytes * entries;
        w->has_shown |= is_shown(record);
    }
    w->room = left > INT64_MAX ? INT64_MAX : (int64_t)left;
    return 1;
}

/* Tells the statements how many bytes they may hand back. A plain write has room for what the
 * server may add; or, if nobody will see the contacts, for the contacts as they were. All others
 * have room for a whole answer. NULL: there is no bound, or nothing to hand back. */
static void set_room(ordinary_write *w)
{
    size_t max = w->given->writes[0]->max_bytes;
    int64_t bound = max > INT64_MAX ? INT64_MAX : (int64_t)max;
    const int64_t *whole = max > 0 ? &bound : NULL;
    const int64_t *room = whole;

    if (w->group.is_dry_run || w->is_careful)
        room = whole;
    else if (w->group.is_seen)
        room = w->has_shown && max > 0 ? &w->room : NULL;
    else if (!w->group.wants_before)
        room = NULL;
    bb_pg_params_set_i64(&w->records, BB_PG_PARAM_ROOM, room);
    bb_pg_params_set_i64(&w->keys, BB_PG_PARAM_ROOM, whole);
}

static int32_t add_records(ordinary_write *w, bb_error *error)
{
    int32_t code;

    bb_pg_params_free(&w->records);
    bb_pg_params_init(&w->records, &w->session->store->allocator);
    code = bb_pg_params_add_records(&w->records, &w->group, w->given->now_us, error);
    w->keys = w->records;
    w->keys.count = BB_PG_PARAM_ROOM;
    set_room(w);
    return code;
}

/* All memory is taken before anything is sent, since running out of it after the commit could not
 * undo that. */
static int32_t ordinary_write_init(ordinary_write *w, bb_pg_session *session,
                                   const bb_write_group *given, bb_error *error)
{
    const bb_allocator *allocator = &session->store->allocator;
    int32_t code;

    memset(w, 0, sizeof *w);
    w->session = session;
    w->given = given;
    w->is_partitioned = atomic_load(&session->store->table_kind) == BB_PG_TABLE_PARTITIONED;
    w->is_careful = w->is_partitioned || atomic_load(&session->store->has_triggers) != 0;
    bb_pg_params_init(&w->locks, allocator);
    bb_pg_params_init(&w->records, allocator);
    code = bb_pg_group_init(&w->group, allocator, given->writes, given->write_count, error);
    w->is_careful |= w->group.merges || (code == BB_OK && !measure(w));
    w->group.has_all_values = w->is_careful; /* as a careful write reads all values back */
    if (code == BB_OK)
        code = add_queries(w, error);
    if (code == BB_OK)
        code = add_access(w, error);
    if (code == BB_OK)
        code = add_records(w, error);
    return code;
}

static void ordinary_write_free(ordinary_write *w)
{
    const bb_allocator *allocator = &w->session->store->allocator;

    for (size_t i = 0; w->access != NULL && i < w->group.asker_count; i++)
        bb_pg_params_free(&w->access[i]);
    bb_free(allocator, w->access);
    bb_free(allocator, w->queries);
    bb_pg_params_free(&w->records);
    bb_pg_params_free(&w->locks);
    bb_pg_group_free(&w->group);
}

/* ---------------------------------------------------------------------------------- the whole */

/* Sets the code of each write, as far as the decisions came; writes to `*wanted` how many records
 * may be written. */
static int32_t judge(const ordinary_write *w, size_t *wanted, bb_error *error)
{
    *wanted = 0;
    for (size_t i = 0; i < w->given->write_count; i++) {
        const PGresult *access = w->queries[QUERY_ACCESS + w->group.asker_of[i]].result;
        int32_t decision = BB_OK;
        if (PQresultStatus(access) == PGRES_TUPLES_OK)
            decision = bb_pg_decision(access, error);
        if (decision == BB_ERR_INTERNAL)
            return decision;
        w->given->codes[i] = decision;
        if (decision == BB_OK)
            *wanted += w->given->writes[i]->record_count;
    }
    return BB_OK;
}

/* Whether a write or its check failed with the error that undoes a write, and why. */
static setback find_setback(const ordinary_write *w, bb_pg_verdict *verdict)
{
    const bb_pg_query *write = &w->queries[w->write_query];
    const bb_pg_query *failed = w->is_careful ? write + AFTER_CHECK : write;
    const char *sqlstate = PQresultErrorField(failed->result, PG_DIAG_SQLSTATE);

    if (sqlstate == NULL || strcmp(sqlstate, BB_PG_SQLSTATE_UNDO) != 0)
        return SETBACK_NONE;
    if (!w->is_careful)
        return SETBACK_DOUBTFUL;
    bb_pg_read_verdict(write[0].result, write[AFTER_READ].result, verdict);
    if (verdict->oversized > 0)
        return SETBACK_OVERSIZED;
    if (verdict->not_inserted > 0)
        return SETBACK_LEFT_OUT;
    if (verdict->not_updated > 0)
        return SETBACK_STAYED;
    if (verdict->gone > 0)
        return SETBACK_GONE;
    return verdict->is_too_large ? SETBACK_TOO_LARGE : SETBACK_NONE;
}

/* What a setback means, in a line that says what was not stored. */
static int32_t tell_setback(const ordinary_write *w, const bb_pg_verdict *verdict, size_t wanted,
                            bb_error *error)
{
    char whose[40] = "";

    if (w->group.asker_count == 1)
        (void)snprintf(whose, sizeof whose,
                       "chatbot %lld: ", (long long)w->group.askers[0]->chatbot_id);
    bb_pg_error(error, BB_OK, NULL, "");
    switch (w->setback) {
    case SETBACK_LEFT_OUT:
        return bb_error_set(error, BB_ERR_INTERNAL,
                            "%snot stored: a trigger, rule or policy of the table leaves out %lld"
                            " of %zu contacts",
                            whose, (long long)verdict->not_inserted, wanted);
    case SETBACK_STAYED:
        return bb_error_set(error, BB_ERR_RETRY,
                            "%snot stored: a trigger, rule or policy of the table leaves %lld of"
                            " %zu contacts as they were, or others change them all the time",
                            whose, (long long)verdict->not_updated, wanted);
    case SETBACK_GONE:
        return bb_error_set(error, BB_ERR_RETRY,
                            "%snot stored: a trigger of the table leaves %lld of %zu contacts"
                            " without its key or row, or others delete them all the time",
                            whose, (long long)verdict->gone, wanted);
    case SETBACK_TOO_LARGE:
        return bb_error_set(error, BB_ERR_TOO_LARGE,
                            "%snot stored: the answer would be larger than its bound", whose);
    case SETBACK_NONE:
    case SETBACK_DOUBTFUL:
    case SETBACK_OVERSIZED:
    case SETBACK_UNTRIED:
        break;
    }
    return bb_error_set(error, BB_ERR_RETRY, "%snot yet stored", whose);
}

/* Says which records merging would make too large. */
static int32_t refuse_oversized(ordinary_write *w, bb_error *error)
{
    int32_t code = bb_pg_put_oversized(&w->group, w->queries[w->write_query].result);

    if (code == BB_OK)
        code = BB_ERR_OVERSIZED;
    bb_pg_error(error, BB_OK, NULL, "");
    return bb_error_set(error, code, "%s", bb_code_text(code));
}

/* Keeps for the next write whether the table has triggers or the like. */
static void note_triggers(const ordinary_write *w, const PGresult *check)
{
    bb_pg_store *store = w->session->store;
    int has_triggers = bb_pg_needs_care(check);
    int had_triggers = atomic_exchange(&store->has_triggers, has_triggers);

    if (has_triggers && !had_triggers && !w->is_partitioned)
        bb_pg_table_kind_forget(store); /* it may have been partitioned, too */
}

/* Whether a trial failed because the role may not choose ids. */
static int is_not_let(const bb_error *error)
{
    return strcmp(error->sqlstate, BB_PG_SQLSTATE_NO_PRIVILEGE) == 0 ||
           strcmp(error->sqlstate, BB_PG_SQLSTATE_GENERATED_ALWAYS) == 0;
}

/* What a dry run has found. */
static int32_t conclude_dry_run(ordinary_write *w, size_t wanted, bb_error *error)
{
    const PGresult *rows = w->queries[w->write_query].result;
    bb_pg_verdict verdict;

    bb_pg_read_verdict(rows, NULL, &verdict);
    if (verdict.oversized > 0)
        return refuse_oversized(w, error);
    if (verdict.is_too_large)
        return bb_error_set(error, BB_ERR_TOO_LARGE, "%s", bb_code_text(BB_ERR_TOO_LARGE));
    if (verdict.has_host_rules && !w->is_untriable) {
        w->setback = SETBACK_UNTRIED;
        return bb_error_set(error, BB_ERR_RETRY, "not yet tried");
    }
    return bb_pg_put_rows(&w->group, rows, NULL, wanted, w->given->codes, error);
}

/* What all results together mean; `code` is what running them returned. */
static int32_t conclude(ordinary_write *w, int32_t code, bb_error *error)
{
    const bb_pg_query *write = &w->queries[w->write_query];
    const bb_pg_query *commit = &w->queries[w->query_count - 1];
    bb_pg_verdict verdict;
    size_t wanted;
    int32_t judged = judge(w, &wanted, error);

    /* Refusals stand even if what came after them failed, as the write does on a standby (A1). */
    w->setback = SETBACK_NONE;
    if (judged != BB_OK || wanted == 0)
        return judged;
    if (w->group.is_dry_run && !w->is_trial)
        return code == BB_OK ? conclude_dry_run(w, wanted, error) : code;
    if (w->is_trial && is_not_let(error)) {
        w->setback = SETBACK_UNTRIED;
        return code;
    }
    if (code != BB_OK) {
        w->setback = find_setback(w, &verdict);
        if (w->setback == SETBACK_OVERSIZED)
            return refuse_oversized(w, error);
        return w->setback == SETBACK_NONE ? code : tell_setback(w, &verdict, wanted, error);
    }
    if (!w->is_trial && strcmp(PQcmdStatus(commit->result), "COMMIT") != 0)
        return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "the transaction was rolled back");
    w->session->has_written |= !w->is_trial;
    if (w->is_careful)
        note_triggers(w, write[AFTER_CHECK].result);
    return bb_pg_put_rows(&w->group, write->result, w->is_careful ? write[AFTER_READ].result : NULL,
                          wanted, w->given->codes, error);
}

/* One attempt with parameters that are ready. */
static int32_t attempt(ordinary_write *w, bb_error *error)
{
    int64_t deadline = w->given->deadline;
    bb_pg_params timeouts;
    int32_t code;

    bb_pg_params_init(&timeouts, &w->session->store->allocator);
    bb_pg_params_add_access_timeouts(&timeouts, w->given->writes[0]->access);
    w->queries[QUERY_SETTINGS].params = &timeouts;
    code = bb_pg_run(w->session, w->queries, w->query_count, deadline, error);
    code = conclude(w, code, error);
    if (code == BB_ERR_CONFLICT)
        bb_pg_rule_read(&w->rule, w->queries, w->query_count);
    bb_pg_queries_clear(w->queries, w->query_count);
    bb_pg_params_free(&timeouts);
    return code;
}

/* Has the records sent again in the order of the entries. Then a value that one entry gives up is
 * free before a later one takes it (E1). */
static int send_by_place(ordinary_write *w, int32_t *code, bb_error *error)
{
    int32_t ready = bb_pg_group_send_by_place(&w->group, error);

    if (ready == BB_OK)
        ready = add_records(w, error);
    if (ready != BB_OK)
        *code = ready;
    return ready == BB_OK;
}

/* Whether another attempt may succeed after a conflict; if it can't be made, `*code` says why. A
 * key that a writer without the locks has just added is there at the second one; any other rule is
 * broken again. */
static int is_worth_another_key(ordinary_write *w, int32_t *code, bb_error *error)
{
    int is_mended;

    if (++w->conflicts == 1)
        return send_by_place(w, code, error);
    *code = bb_pg_rule_judge(w->session, &w->rule, w->given->deadline, &is_mended, error);
    return is_mended && w->conflicts < MOST_TRIES;
}

/* Has a dry run try the rules of the host's, or, if the role may not, only read. */
static void try_rules(ordinary_write *w)
{
    w->is_untriable = w->is_trial;
    w->is_trial = !w->is_trial;
    w->is_careful |= w->is_trial;
    set_room(w);
    add_write(w);
}

/* Whether another attempt may succeed; if not, `*code` becomes the code to return. If others get in
 * the way of a group, the library writes it one by one instead. */
static int is_worth_another(ordinary_write *w, int32_t *code, bb_error *error)
{
    int is_alone = w->given->write_count == 1;

    if (w->setback == SETBACK_UNTRIED) {
        try_rules(w);
        return 1;
    }
    if (w->setback == SETBACK_DOUBTFUL) {
        w->is_careful = 1;
        set_room(w);
        add_write(w);
        return 1;
    }
    if ((w->setback == SETBACK_STAYED || w->setback == SETBACK_GONE) && is_alone) {
        *code = BB_ERR_INTERNAL;
        return ++w->tries < MOST_TRIES;
    }
    return *code == BB_ERR_CONFLICT && is_alone && is_worth_another_key(w, code, error);
}

int32_t bb_pg_ordinary_write(bb_pg_session *session, const bb_write_group *given, bb_error *error)
{
    ordinary_write w;
    int32_t code = ordinary_write_init(&w, session, given, error);

    if (code == BB_OK)
        code = attempt(&w, error);
    while (code != BB_OK && is_worth_another(&w, &code, error)) {
        bb_pg_error(error, BB_OK, NULL, "");
        code = attempt(&w, error);
    }
    if (code == BB_ERR_UNAVAILABLE && strcmp(error->sqlstate, BB_PG_SQLSTATE_READ_ONLY) == 0)
        code = bb_pg_leave_reader(session);
    /* Planning for all of many partitions takes longer than a request has. */
    if (code == BB_ERR_BUSY)
        bb_pg_table_kind_forget(session->store);
    ordinary_write_free(&w);
    return code;
}

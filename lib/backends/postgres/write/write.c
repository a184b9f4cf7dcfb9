/*
 * write.c: stores the records of one or several requests, all or none, in one round trip.
 *
 * Five statements are sent at once: begin, settings, access and locks, write, commit. Each sees
 * what was committed when it began (read committed), so that the write sees all that was written
 * by those it had to wait for. If several ask, there is an access statement for each of them, and
 * one more that takes the locks once it is known who is allowed. If the write fails as it does when
 * it is not to be committed, it is sent again with care, and a check behind it that tells the
 * library's errors from the host's.
 */
#include "backends/postgres/write/write.h"

#include <stdio.h>
#include <string.h>

#include "backends/postgres/marshal/access.h"
#include "backends/postgres/marshal/combine.h"
#include "backends/postgres/marshal/locks.h"
#include "backends/postgres/marshal/records.h"
#include "backends/postgres/marshal/rows.h"
#include "backends/postgres/wire/engine.h"
#include "backends/postgres/wire/sqlstate.h"
#include "backends/postgres/write/citus_write.h"
#include "backends/postgres/write/conflict.h"

/* What is sent: begin, settings, an access statement for each asker, the locks if there are several
 * askers, how to plan if the table is partitioned, write, the check if there is a doubt, commit. */
enum { CALL_BEGIN, CALL_SETTINGS, CALL_ACCESS };

/* How often a write of one request is tried when rows stay as they were. Others who change them
 * without the locks get in the way once, seldom twice; a trigger or policy does each time. */
enum { MOST_TRIES = 5 };

/* Why an attempt came to nothing, if that is the table's doing. */
typedef enum setback {
    SETBACK_NONE,
    SETBACK_DOUBTFUL,   /* it may be one of the others, or an error of the host's */
    SETBACK_LEFT_OUT,   /* a contact that was to be created is not there */
    SETBACK_STAYED,     /* one that was to be updated is as it was */
    SETBACK_MOVED,      /* one has another key */
    SETBACK_MAY_DIFFER, /* values may have been changed, and were not asked for */
} setback;

typedef struct batch {
    bb_pg_session *session;
    const bb_write_group *group;
    bb_pg_merge merge;
    bb_pg_params *access; /* of each asker */
    bb_pg_params locks;
    bb_pg_params records;
    bb_pg_call *calls;
    size_t call_count;  /* the last is commit */
    size_t write_call;  /* where the write is */
    char wants_values;  /* all of them; see ordinary_statements.c */
    int is_careful;     /* likewise */
    int is_partitioned; /* the table of contacts, as far as is known */
    setback setback;    /* of the last attempt */
    unsigned tries;
    unsigned conflicts; /* that were met */
    bb_pg_rule rule;    /* of the last one */
} batch;

/* ----------------------------------------------------------------------------- the parameters */

static void add_askers(bb_pg_params *params, const bb_pg_lock_list *list)
{
    bb_pg_params_begin_array(params, BB_PG_INT4, list->count);
    for (size_t i = 0; i < list->count; i++)
        bb_pg_params_element_i32(params, (int32_t)list->locks[i].asker + 1);
    bb_pg_params_end_array(params);
}

/* The locks of a single asker are taken by its access statement. */
static int32_t add_own_locks(batch *b, const bb_pg_locks *locks, bb_error *error)
{
    bb_pg_params *params = &b->access[0];
    int32_t code = bb_pg_params_reserve(
        params, bb_pg_lock_list_size(&locks->shared) + bb_pg_lock_list_size(&locks->exclusive),
        error);

    if (code != BB_OK)
        return code;
    bb_pg_params_add_locks(params, &locks->shared);
    bb_pg_params_add_locks(params, &locks->exclusive);
    return BB_OK;
}

static int32_t add_all_locks(batch *b, const bb_pg_locks *locks, bb_error *error)
{
    /* as the binary format has it: no dimensions, no nulls, the element type */
    static const char none[12] = {[11] = BB_PG_INT8};
    int32_t code = bb_pg_params_reserve(
        &b->locks,
        2 * (bb_pg_lock_list_size(&locks->shared) + bb_pg_lock_list_size(&locks->exclusive)),
        error);

    if (code != BB_OK)
        return code;
    bb_pg_params_add_locks(&b->locks, &locks->shared);
    add_askers(&b->locks, &locks->shared);
    bb_pg_params_add_locks(&b->locks, &locks->exclusive);
    add_askers(&b->locks, &locks->exclusive);
    bb_pg_params_add_bytes(&b->access[0], none, sizeof none);
    bb_pg_params_add_bytes(&b->access[0], none, sizeof none);
    return BB_OK;
}

static int32_t add_access(batch *b, bb_error *error)
{
    bb_pg_locks locks;
    int32_t code = bb_pg_locks_init(&locks, &b->merge, error);

    if (code != BB_OK)
        return code;
    for (size_t i = 0; i < b->merge.asker_count; i++)
        bb_pg_params_add_access(&b->access[i], b->merge.askers[i]);
    return b->merge.asker_count == 1 ? add_own_locks(b, &locks, error)
                                     : add_all_locks(b, &locks, error);
}

static void add_call(batch *b, bb_pg_statement_id statement, const bb_pg_params *params)
{
    b->calls[b->call_count++] = (bb_pg_call){.statement = statement, .params = params};
}

/* The write and what follows, in place of those that are there. */
static void add_write(batch *b)
{
    b->call_count = b->write_call;
    if (b->is_partitioned)
        add_call(b, BB_PG_WRITE_TO_PARTITIONS, &b->records);
    else
        add_call(b, b->is_careful ? BB_PG_CAREFUL_WRITE : BB_PG_WRITE, &b->records);
    if (b->is_careful)
        add_call(b, BB_PG_CHECK, NULL);
    add_call(b, BB_PG_COMMIT, NULL);
}

static int32_t add_calls(batch *b, bb_error *error)
{
    const bb_allocator *allocator = &b->session->store->allocator;
    size_t askers = b->merge.asker_count;

    b->access = bb_alloc_array(allocator, askers, sizeof *b->access);
    b->calls = bb_alloc_array(allocator, askers + 7, sizeof *b->calls);
    for (size_t i = 0; b->access != NULL && i < askers; i++)
        bb_pg_params_init(&b->access[i], allocator);
    if (b->access == NULL || b->calls == NULL)
        return bb_pg_error(error, BB_ERR_NOMEM, NULL, "out of memory for a write");
    add_call(b, BB_PG_BEGIN, NULL);
    add_call(b, BB_PG_SETTINGS, NULL);
    for (size_t i = 0; i < askers; i++)
        add_call(b, i == 0 ? BB_PG_ACCESS : BB_PG_NEXT_ACCESS, &b->access[i]);
    if (askers > 1)
        add_call(b, BB_PG_LOCKS, &b->locks);
    if (b->is_partitioned)
        add_call(b, BB_PG_PLAN_ANEW, NULL);
    b->write_call = b->call_count;
    add_write(b);
    return BB_OK;
}

static int32_t add_records(batch *b, bb_error *error)
{
    bb_pg_params_free(&b->records);
    bb_pg_params_init(&b->records, &b->session->store->allocator);
    return bb_pg_params_add_records(&b->records, &b->merge, b->group->now_us, &b->wants_values,
                                    error);
}

/* All memory is had before anything is sent, as running out of it after the commit could not undo
 * that. */
static int32_t batch_init(batch *b, bb_pg_session *session, const bb_write_group *group,
                          bb_error *error)
{
    const bb_allocator *allocator = &session->store->allocator;
    int32_t code;

    memset(b, 0, sizeof *b);
    b->session = session;
    b->group = group;
    b->is_partitioned = atomic_load(&session->store->engine) == BB_PG_ENGINE_PARTITIONED;
    b->wants_values = b->is_partitioned || atomic_load(&session->store->has_triggers) != 0;
    b->is_careful = b->wants_values;
    bb_pg_params_init(&b->locks, allocator);
    bb_pg_params_init(&b->records, allocator);
    code = bb_pg_merge_init(&b->merge, allocator, group->writes, group->write_count, error);
    if (code == BB_OK)
        code = add_calls(b, error);
    if (code == BB_OK)
        code = add_access(b, error);
    if (code == BB_OK)
        code = add_records(b, error);
    return code;
}

static void batch_free(batch *b)
{
    const bb_allocator *allocator = &b->session->store->allocator;

    for (size_t i = 0; b->access != NULL && i < b->merge.asker_count; i++)
        bb_pg_params_free(&b->access[i]);
    bb_free(allocator, b->access);
    bb_free(allocator, b->calls);
    bb_pg_params_free(&b->records);
    bb_pg_params_free(&b->locks);
    bb_pg_merge_free(&b->merge);
}

/* ---------------------------------------------------------------------------------- the whole */

/* The code of each write, as far as the decisions came; how many records may be written goes to
 * `*wanted`. */
static int32_t judge(const batch *b, size_t *wanted, bb_error *error)
{
    *wanted = 0;
    for (size_t i = 0; i < b->group->write_count; i++) {
        const PGresult *access = b->calls[CALL_ACCESS + b->merge.asker_of[i]].result;
        int32_t decision = BB_OK;
        if (PQresultStatus(access) == PGRES_TUPLES_OK)
            decision = bb_pg_decision(access, error);
        if (decision == BB_ERR_INTERNAL)
            return decision;
        b->group->codes[i] = decision;
        if (decision == BB_OK)
            *wanted += b->group->writes[i]->record_count;
    }
    return BB_OK;
}

/* Whether a write or its check has failed as a write does that is to be undone, and why. */
static setback find_setback(const batch *b, bb_pg_verdict *verdict)
{
    const bb_pg_call *write = &b->calls[b->write_call];
    const bb_pg_call *failed = b->is_careful ? write + 1 : write;
    const char *sqlstate = PQresultErrorField(failed->result, PG_DIAG_SQLSTATE);

    if (sqlstate == NULL || strcmp(sqlstate, BB_PG_SQLSTATE_UNDO) != 0)
        return SETBACK_NONE;
    if (!b->is_careful)
        return SETBACK_DOUBTFUL;
    if (!bb_pg_read_verdict(write->result, verdict))
        return SETBACK_NONE;
    if (verdict->not_inserted > 0)
        return SETBACK_LEFT_OUT;
    if (verdict->not_updated > 0)
        return SETBACK_STAYED;
    return b->wants_values ? SETBACK_MOVED : SETBACK_MAY_DIFFER;
}

/* What a setback means, in a line that says what was not stored. */
static int32_t tell_setback(const batch *b, const bb_pg_verdict *verdict, size_t wanted,
                            bb_error *error)
{
    char whose[40] = "";

    if (b->merge.asker_count == 1)
        (void)snprintf(whose, sizeof whose,
                       "chatbot %lld: ", (long long)b->merge.askers[0]->chatbot_id);
    bb_pg_error(error, BB_OK, NULL, "");
    switch (b->setback) {
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
    case SETBACK_MOVED:
        return bb_error_set(error, BB_ERR_INTERNAL,
                            "%snot stored: a trigger of the table changes the key of a contact",
                            whose);
    case SETBACK_NONE:
    case SETBACK_DOUBTFUL:
    case SETBACK_MAY_DIFFER:
        break;
    }
    return bb_error_set(error, BB_ERR_RETRY, "%snot yet stored", whose);
}

/* What all results together mean; `code` is what running them returned. */
static int32_t conclude(batch *b, int32_t code, bb_error *error)
{
    const bb_pg_call *commit = &b->calls[b->call_count - 1];
    bb_pg_verdict verdict = {0, 0};
    size_t wanted;
    int32_t judged = judge(b, &wanted, error);

    /* Refusals stand even if what came after them failed, as the write does on a standby (A1). */
    b->setback = SETBACK_NONE;
    if (judged != BB_OK || wanted == 0)
        return judged;
    if (code != BB_OK) {
        b->setback = find_setback(b, &verdict);
        return b->setback == SETBACK_NONE ? code : tell_setback(b, &verdict, wanted, error);
    }
    if (strcmp(PQcmdStatus(commit->result), "COMMIT") != 0)
        return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "the transaction was rolled back");
    b->session->has_written = 1;
    return bb_pg_put_rows(&b->merge, b->calls[b->write_call].result, b->wants_values, wanted,
                          b->group->codes, error);
}

/* One attempt with parameters that are ready. */
static int32_t attempt(batch *b, bb_error *error)
{
    int64_t deadline = b->group->deadline;
    bb_pg_params timeouts;
    int32_t code;

    bb_pg_params_init(&timeouts, &b->session->store->allocator);
    bb_pg_params_add_access_timeouts(&timeouts, b->group->writes[0]->access);
    b->calls[CALL_SETTINGS].params = &timeouts;
    code = bb_pg_run(b->session, b->calls, b->call_count, deadline, error);
    code = conclude(b, code, error);
    if (code == BB_ERR_CONFLICT)
        bb_pg_rule_read(&b->rule, b->calls, b->call_count);
    bb_pg_calls_clear(b->calls, b->call_count);
    bb_pg_params_free(&timeouts);
    return code;
}

/* Sends the records again in the order of the entries. Then a value that one contact hands over to
 * another is free before it is taken (E1), if the entries stand so. */
static int send_by_place(batch *b, int32_t *code, bb_error *error)
{
    int32_t ready = bb_pg_merge_send_by_place(&b->merge, error);

    if (ready == BB_OK)
        ready = add_records(b, error);
    if (ready != BB_OK)
        *code = ready;
    return ready == BB_OK;
}

/* Whether another attempt may come to something after a conflict; if it can't be made, `*code` says
 * why. A key that a writer without the locks has just added is there at the second one; another
 * rule is broken again. */
static int is_worth_another_key(batch *b, int32_t *code, bb_error *error)
{
    int is_mended;

    if (++b->conflicts == 1)
        return send_by_place(b, code, error);
    *code = bb_pg_rule_judge(b->session, &b->rule, b->group->deadline, &is_mended, error);
    return is_mended && b->conflicts < MOST_TRIES;
}

/* Whether another attempt may come to something; if not, `*code` becomes what is to be returned. A
 * group that others get in the way of is rather written one by one, which the library sees to. */
static int is_worth_another(batch *b, int32_t *code, bb_error *error)
{
    bb_pg_store *store = b->session->store;
    int is_alone = b->group->write_count == 1;

    if (b->setback == SETBACK_DOUBTFUL) {
        b->is_careful = 1;
        add_write(b);
        return 1;
    }
    /* The table may change values, and from now on that is known. */
    if (b->setback == SETBACK_MAY_DIFFER) {
        atomic_store(&store->has_triggers, 1);
        bb_pg_engine_forget(store); /* it may have been partitioned, too */
        b->wants_values = 1;
        return 1;
    }
    if (b->setback == SETBACK_STAYED && is_alone) {
        *code = BB_ERR_INTERNAL;
        return ++b->tries < MOST_TRIES;
    }
    return *code == BB_ERR_CONFLICT && is_alone && is_worth_another_key(b, code, error);
}

static int32_t run(bb_pg_session *session, const bb_write_group *group, bb_error *error)
{
    batch b;
    int32_t code = batch_init(&b, session, group, error);

    if (code == BB_OK)
        code = attempt(&b, error);
    while (code != BB_OK && is_worth_another(&b, &code, error)) {
        bb_pg_error(error, BB_OK, NULL, "");
        code = attempt(&b, error);
    }
    if (code == BB_ERR_UNAVAILABLE && strcmp(error->sqlstate, BB_PG_SQLSTATE_READ_ONLY) == 0)
        code = bb_pg_leave_reader(session);
    /* A plan for all of many partitions takes longer to make than a request has. */
    if (code == BB_ERR_BUSY)
        bb_pg_engine_forget(session->store);
    batch_free(&b);
    return code;
}

static int32_t write_ordinarily(bb_pg_session *session, const bb_write *write, bb_error *error)
{
    int32_t own = BB_OK;
    const bb_write_group group = {.size = sizeof group,
                                  .writes = &write,
                                  .write_count = 1,
                                  .codes = &own,
                                  .now_us = write->access->now_us,
                                  .deadline = write->access->deadline};
    int32_t code = run(session, &group, error);

    if (code != BB_OK)
        return code;
    if (own == BB_ERR_NOMEM || own == BB_ERR_ARGUMENT)
        return bb_pg_error(error, own, NULL, "a result was not taken");
    return own;
}

int32_t bb_pg_write(void *session, const bb_write *write, bb_error *error)
{
    return bb_pg_engine_write(session, write, write_ordinarily, bb_pg_citus_write, error);
}

/* On Citus each request is written by itself, as it may be for another shard. */
int32_t bb_pg_write_group(void *session, const bb_write_group *group, bb_error *error)
{
    int engine;
    int32_t code = bb_pg_engine_find_out(session, group->deadline, &engine, error);

    if (code != BB_OK)
        return code;
    if (engine == BB_PG_ENGINE_CITUS)
        return bb_error_set(error, BB_ERR_UNSUPPORTED, "Citus writes no groups");
    return run(session, group, error);
}

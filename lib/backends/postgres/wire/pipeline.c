/*
 * pipeline.c: runs several statements in one round trip, with libpq's pipeline mode (chapter 34.5
 * of PostgreSQL's manual).
 */
#include "backends/postgres/wire/pipeline.h"

#include <poll.h>
#include <string.h>

#include "backends/postgres/wire/failure.h"
#include "backends/postgres/wire/sqlstate.h"

/* How long the synchronization point is waited for once all results are there. The server sends it
 * with the last of them; but libpq, if it has no memory for it, says nothing and goes on waiting.
 */
enum { SYNC_MS = 500 };

/* The statements of a run that are prepared in it, as a set like bb_pg_session.prepared. */
typedef uint32_t statement_set;

static statement_set set_of(bb_pg_statement_id statement)
{
    return (statement_set)1 << statement;
}

static const bb_pg_statement *statement_of(const bb_pg_session *session, const bb_pg_call *call)
{
    return &session->store->statements[call->statement];
}

static int send_call(bb_pg_session *session, const bb_pg_call *call)
{
    const bb_pg_statement *statement = statement_of(session, call);
    const bb_pg_params *params = call->params;
    int count = params == NULL ? 0 : params->count;
    const char *const *values = params == NULL ? NULL : params->values;
    const int *lengths = params == NULL ? NULL : params->lengths;
    const int *formats = params == NULL ? NULL : params->formats;

    if (call->text != NULL)
        return PQsendQueryParams(session->conn, call->text, count, NULL, values, lengths, formats,
                                 1);
    if (session->is_unnamed)
        return PQsendQueryParams(session->conn, statement->text, count, statement->types, values,
                                 lengths, formats, 1);
    return PQsendQueryPrepared(session->conn, statement->name, count, values, lengths, formats, 1);
}

static int is_prepared(const bb_pg_session *session, const bb_pg_call *call,
                       statement_set preparing)
{
    return call->text != NULL || session->is_unnamed ||
           ((session->prepared | preparing) & set_of(call->statement)) != 0;
}

/* Puts everything into libpq's buffer, which begins to send it. */
static int send_all(bb_pg_session *session, const bb_pg_call *calls, size_t count,
                    statement_set *preparing)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_prepared(session, &calls[i], *preparing)) {
            const bb_pg_statement *statement = statement_of(session, &calls[i]);
            *preparing |= set_of(calls[i].statement);
            if (!PQsendPrepare(session->conn, statement->name, statement->text,
                               statement->type_count, statement->types))
                return 0;
        }
        if (!send_call(session, &calls[i]))
            return 0;
    }
    return PQpipelineSync(session->conn);
}

/* The next result; BB_ERR_LOST, or BB_ERR_BUSY when the deadline passed. Reads while it still has
 * to write, as the server may not read on before it could write. */
static int32_t next_result(bb_pg_session *session, int64_t deadline, PGresult **result)
{
    PGconn *conn = session->conn;
    int ends = 0;

    for (;;) {
        int unsent = PQflush(conn);
        if (PQisBusy(conn)) {
            int32_t code = bb_pg_wait(conn, unsent > 0 ? POLLIN | POLLOUT : POLLIN, deadline);
            if (code != BB_OK)
                return code;
            if (!PQconsumeInput(conn) && PQisBusy(conn))
                return BB_ERR_LOST;
            continue;
        }
        *result = PQgetResult(conn);
        if (*result != NULL)
            return BB_OK;
        /* one NULL ends each call's results, so that two in a row mean that there are no more */
        if (++ends == 2)
            return BB_ERR_LOST;
    }
}

/* How the calls of a run came out, and what became of the connection. */
typedef struct progress {
    size_t next;             /* the call whose result comes next */
    statement_set preparing; /* what is prepared in this run */
    statement_set prepared;  /* what of that has been */
    int32_t outcome;         /* of the first call that failed, or BB_OK */
    int32_t transport;       /* BB_OK when the synchronization point was reached */
    int lost_a_name;         /* a prepared statement was not there, or there already */
    int speaks_of_names;     /* so says the SQLSTATE, which may be the host's own */
    int is_refused;          /* by a pooler, it seems, which has closed the connection */
} progress;

/* Whether the next result answers the preparation of the call. */
static int is_preparation(const bb_pg_call *call, const progress *run)
{
    return call != NULL && call->text == NULL &&
           (run->preparing & ~run->prepared & set_of(call->statement)) != 0;
}

/* Whether the call's statement was prepared before this run; it may have become stale since. */
static int is_from_before(const bb_pg_session *session, const bb_pg_call *call, const progress *run)
{
    return call != NULL && call->text == NULL && !session->is_unnamed &&
           !(run->preparing & set_of(call->statement));
}

/*
 * What a call's SQLSTATE means. A few of them tell of a prepared statement that is of no use any
 * more, which a new session prepares anew; but only where that can be: triggers and functions of
 * the host's may raise the same ones.
 */
static int32_t code_of(const bb_pg_session *session, const bb_pg_call *call, progress *run,
                       const char *sqlstate)
{
    int is_old = is_from_before(session, call, run);
    int is_gone = strcmp(sqlstate, BB_PG_SQLSTATE_NO_STATEMENT) == 0;
    int is_there = strcmp(sqlstate, BB_PG_SQLSTATE_TWO_STATEMENTS) == 0;

    run->speaks_of_names = is_gone || is_there;
    run->is_refused = strcmp(sqlstate, BB_PG_SQLSTATE_PROTOCOL) == 0;
    run->lost_a_name = (is_old && is_gone) || (is_preparation(call, run) && is_there);
    if (run->lost_a_name || (is_old && strcmp(sqlstate, BB_PG_SQLSTATE_UNSUPPORTED) == 0))
        return BB_ERR_LOST;
    return bb_pg_sqlstate_code(sqlstate);
}

/* If a result is the first of a run that failed, its error becomes the run's. */
static void check(const bb_pg_session *session, const bb_pg_call *call, progress *run,
                  const PGresult *result, bb_error *error)
{
    ExecStatusType status = PQresultStatus(result);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (run->outcome != BB_OK || status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return;
    if (sqlstate != NULL)
        run->outcome = bb_pg_error(error, code_of(session, call, run, sqlstate), sqlstate,
                                   PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    else if (PQstatus(session->conn) == CONNECTION_BAD)
        run->transport = BB_ERR_LOST;
    else
        run->outcome = bb_pg_error(error, BB_ERR_NOMEM, NULL, "libpq has no memory for a result");
}

/* Until when the next result of a run is waited for. */
static int64_t patience(const progress *run, size_t count, int64_t deadline)
{
    return run->next == count && bb_deadline_left(deadline) > SYNC_MS ? bb_deadline_in(SYNC_MS)
                                                                      : deadline;
}

/* Takes all results up to the synchronization point. */
static void receive_all(bb_pg_session *session, bb_pg_call *calls, size_t count, progress *run,
                        int64_t deadline, bb_error *error)
{
    PGresult *result = NULL;

    while (run->transport == BB_OK) {
        const bb_pg_call *call = run->next < count ? &calls[run->next] : NULL;
        statement_set bit = call != NULL && call->text == NULL ? set_of(call->statement) : 0;
        run->transport = next_result(session, patience(run, count, deadline), &result);
        if (run->transport != BB_OK)
            return;
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            return;
        }
        check(session, call, run, result, error);
        if (run->outcome == BB_ERR_NOMEM) /* see SYNC_MS */
            run->transport = BB_ERR_NOMEM;
        if (run->transport != BB_OK) {
            /* libpq's own, in place of the result that never came */
            PQclear(result);
            return;
        }
        if (is_preparation(call, run)) {
            run->prepared |= bit;
            if (run->outcome == BB_OK)
                session->prepared |= bit;
            PQclear(result);
        } else if (call != NULL) {
            calls[run->next++].result = result;
        } else {
            PQclear(result);
        }
    }
}

/* Ends a transaction block that an error left open. */
static int roll_back(bb_pg_session *session, int64_t deadline)
{
    bb_pg_call call = {.text = "ROLLBACK"};
    progress run = {0};

    if (!send_all(session, &call, 1, &run.preparing))
        return 0;
    receive_all(session, &call, 1, &run, deadline, NULL);
    PQclear(call.result);
    return run.transport == BB_OK && PQtransactionStatus(session->conn) == PQTRANS_IDLE;
}

/* The connection is of no more use. What the calls did counts all the same if all results came:
 * the last is that of COMMIT. */
static int32_t give_up(bb_pg_session *session, const progress *run, size_t count, bb_error *error)
{
    int32_t code = run->transport;

    if (run->outcome != BB_OK)
        code = code == BB_ERR_LOST ? code : run->outcome;
    else if (run->next == count)
        code = BB_OK;
    else if (code == BB_ERR_BUSY)
        bb_pg_error(error, code, NULL, "the server did not answer before the deadline");
    else
        bb_pg_connection_failure(error, code, session->conn);
    bb_pg_disconnect(session);
    return code;
}

/* Sends all, takes all results, and leaves no transaction open that failed. */
static int32_t run_connected(bb_pg_session *session, bb_pg_call *calls, size_t count, progress *run,
                             int64_t deadline, bb_error *error)
{
    int64_t sent_at = bb_deadline_in(0);
    int32_t code;

    if (!send_all(session, calls, count, &run->preparing)) {
        code = PQstatus(session->conn) == CONNECTION_BAD ? BB_ERR_LOST : BB_ERR_NOMEM;
        bb_pg_connection_failure(error, code, session->conn);
        bb_pg_disconnect(session);
        return code;
    }
    receive_all(session, calls, count, run, deadline, error);
    if (run->transport == BB_ERR_BUSY)
        atomic_store(&session->store->silent_from, sent_at);
    if (run->transport != BB_OK)
        return give_up(session, run, count, error);
    session->heard_at = bb_deadline_in(0);
    if (run->outcome != BB_OK && PQtransactionStatus(session->conn) != PQTRANS_IDLE &&
        !roll_back(session, deadline))
        bb_pg_disconnect(session);
    return run->outcome;
}

/*
 * Behind a pooler that hands out a server connection for one transaction, a statement that one
 * connection has prepared is missing from the next, or there already. So the calls, of which none
 * was done, are sent once more without names. If that fails alike it was the host who spoke so;
 * otherwise statements go without names from now on, here and on connections to come.
 */
static int32_t run_unnamed(bb_pg_session *session, bb_pg_call *calls, size_t count,
                           int64_t deadline, bb_error *error)
{
    progress run = {0};
    int32_t code;

    session->is_unnamed = 1;
    bb_pg_calls_clear(calls, count);
    bb_pg_error(error, BB_OK, NULL, "");
    code = run_connected(session, calls, count, &run, deadline, error);
    if (run.speaks_of_names || session->conn == NULL) {
        session->is_unnamed = 0;
        return code;
    }
    session->prepared = 0;
    if (!atomic_exchange(&session->store->is_pooled, 1))
        bb_pg_log(session->store, BB_LOG_WARN,
                  "prepared statements do not last: sending them unnamed from now on");
    return code;
}

/* One round trip for this. */
static int32_t try_calls(bb_pg_session *session, bb_pg_call *calls, size_t count, int *is_refused,
                         int64_t deadline, bb_error *error)
{
    progress run = {0};
    int32_t code = bb_pg_connect(session, deadline, error);

    *is_refused = 0;
    if (code != BB_OK)
        return code;
    code = run_connected(session, calls, count, &run, deadline, error);
    *is_refused = run.is_refused;
    bb_pg_calls_clear(calls, count);
    return code;
}

/*
 * A pooler that hands out a server connection for one statement closes the client's when a round
 * trip leaves a transaction open, as each one does that fails. Often the client is not told then
 * what it failed for. That is found out once, before anything is asked of the server: whether a
 * transaction can be left open; and if not, whether one can be had at all.
 */
static int32_t refuse_statement_mode(bb_pg_session *session, int64_t deadline, bb_error *error)
{
    bb_pg_call calls[] = {{.text = "BEGIN"}, {.text = "ROLLBACK"}};
    int is_refused;
    int32_t code = try_calls(session, &calls[0], 1, &is_refused, deadline, error);

    if (code == BB_OK)
        code = try_calls(session, &calls[1], 1, &is_refused, deadline, error);
    else if (is_refused && try_calls(session, calls, 2, &is_refused, deadline, error) == BB_OK)
        code = bb_pg_error(error, BB_ERR_UNSUPPORTED, NULL,
                           "a pooler in statement mode, which can't tell why a write failed: "
                           "session and transaction mode will do");
    if (code == BB_OK)
        atomic_store(&session->store->keeps_transactions, 1);
    return code;
}

/* Connects if need be. */
static int32_t get_ready(bb_pg_session *session, int64_t deadline, bb_error *error)
{
    int32_t code = bb_pg_connect(session, deadline, error);

    if (code == BB_OK && !atomic_load(&session->store->keeps_transactions))
        code = refuse_statement_mode(session, deadline, error);
    /* a session that can't be had again is broken */
    return code == BB_ERR_UNAVAILABLE ? BB_ERR_LOST : code;
}

int32_t bb_pg_run(bb_pg_session *session, bb_pg_call *calls, size_t count, int64_t deadline,
                  bb_error *error)
{
    progress run = {0};
    int32_t code;
    int is_idle;

    /* what is sent may be done even if nobody waits for it, so nothing is sent too late */
    if (bb_deadline_left(deadline) == 0)
        return bb_pg_error(error, BB_ERR_BUSY, NULL, "the deadline had passed already");
    code = get_ready(session, deadline, error);
    if (code != BB_OK)
        return code;
    is_idle = PQtransactionStatus(session->conn) == PQTRANS_IDLE;
    code = run_connected(session, calls, count, &run, deadline, error);
    /* what began here can be begun again; the rest needs a new session */
    if (run.lost_a_name && session->conn != NULL && is_idle)
        code = run_unnamed(session, calls, count, deadline, error);
    if (code == BB_ERR_LOST)
        bb_pg_disconnect(session);
    return code;
}

int32_t bb_pg_run_alone(bb_pg_session *session, bb_pg_call *call, int64_t deadline, bb_error *error)
{
    bb_pg_call calls[] = {{.statement = BB_PG_BEGIN}, *call, {.statement = BB_PG_COMMIT}};
    int32_t code;

    if (session->conn != NULL && PQtransactionStatus(session->conn) == PQTRANS_INTRANS)
        return bb_pg_run(session, call, 1, deadline, error);
    code = bb_pg_run(session, calls, 3, deadline, error);
    call->result = calls[1].result;
    calls[1].result = NULL;
    bb_pg_calls_clear(calls, 3);
    return code;
}

void bb_pg_calls_clear(bb_pg_call *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        PQclear(calls[i].result);
        calls[i].result = NULL;
    }
}

/* The server gives up on a lock before the deadline, so that the connection can be kept. It must
 * not cancel a statement before the client has given up: a COMMIT that waits for a synchronous
 * standby would, canceled, report success. */
static void add_timeouts(bb_pg_params *params, int64_t left, int64_t left_for_locks)
{
    int64_t most = left - left / 10;

    if (left_for_locks < 1) /* 0 would be no timeout at all */
        left_for_locks = 1;
    bb_pg_params_add_milliseconds(params, left_for_locks < most ? left_for_locks : most);
    bb_pg_params_add_milliseconds(params, left + 1);
}

void bb_pg_params_add_timeouts(bb_pg_params *params, int64_t deadline)
{
    int64_t left = bb_deadline_left(deadline);

    add_timeouts(params, left, left);
}

void bb_pg_params_add_access_timeouts(bb_pg_params *params, const bb_access *access)
{
    int64_t for_locks = access->lock_deadline != 0 ? access->lock_deadline : access->deadline;

    add_timeouts(params, bb_deadline_left(access->deadline), bb_deadline_left(for_locks));
}

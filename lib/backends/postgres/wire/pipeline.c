/*
 * pipeline.c: runs several statements in one round trip, with libpq's pipeline mode (chapter 34.5
 * of PostgreSQL's manual).
 */
#include "backends/postgres/wire/pipeline.h"

#include <poll.h>
#include <string.h>

#include "backends/postgres/wire/failure.h"
#include "backends/postgres/wire/sqlstate.h"

/* How long to wait for the synchronization point once all results are there. The server sends it
 * with the last of them; but if libpq has no memory for it, it says nothing and goes on waiting. */
enum { SYNC_MS = 500 };

/* The statements that a round trip prepares, as a set like bb_pg_session.prepared. */
typedef uint64_t statement_set;

_Static_assert(BB_PG_STATEMENT_COUNT <= 64, "a set has a bit for each statement");

static statement_set set_of(bb_pg_statement_id statement)
{
    return (statement_set)1 << statement;
}

static const bb_pg_statement *statement_of(const bb_pg_session *session, const bb_pg_query *query)
{
    return &session->store->statements[query->statement];
}

static int send_query(bb_pg_session *session, const bb_pg_query *query)
{
    const bb_pg_statement *statement = statement_of(session, query);
    const bb_pg_params *params = query->params;
    int count = params == NULL ? 0 : params->count;
    const char *const *values = params == NULL ? NULL : params->values;
    const int *lengths = params == NULL ? NULL : params->lengths;
    const int *formats = params == NULL ? NULL : params->formats;

    if (query->text != NULL)
        return PQsendQueryParams(session->conn, query->text, count, NULL, values, lengths, formats,
                                 1);
    if (session->is_unnamed)
        return PQsendQueryParams(session->conn, statement->text, count, statement->types, values,
                                 lengths, formats, 1);
    return PQsendQueryPrepared(session->conn, statement->name, count, values, lengths, formats, 1);
}

static int is_prepared(const bb_pg_session *session, const bb_pg_query *query,
                       statement_set preparing)
{
    return query->text != NULL || session->is_unnamed ||
           ((session->prepared | preparing) & set_of(query->statement)) != 0;
}

/* Puts everything into libpq's buffer, which begins to send it. */
static int send_all(bb_pg_session *session, const bb_pg_query *queries, size_t count,
                    statement_set *preparing)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_prepared(session, &queries[i], *preparing)) {
            const bb_pg_statement *statement = statement_of(session, &queries[i]);
            *preparing |= set_of(queries[i].statement);
            if (!PQsendPrepare(session->conn, statement->name, statement->text,
                               statement->type_count, statement->types))
                return 0;
        }
        if (!send_query(session, &queries[i]))
            return 0;
    }
    return PQpipelineSync(session->conn);
}

/* The next result; BB_ERR_LOST, or BB_ERR_BUSY when the deadline passed. It reads even while it
 * still has to write, as the server may not read on before it could write. */
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
        /* one NULL ends each query's results, so two in a row mean that there are no more */
        if (++ends == 2)
            return BB_ERR_LOST;
    }
}

/* What became of the queries that were sent at once, and of the connection. */
typedef struct round_trip {
    size_t next;             /* the query whose result comes next */
    statement_set preparing; /* what is prepared in this one */
    statement_set prepared;  /* what of that has been */
    int32_t outcome;         /* of the first query that failed, or BB_OK */
    int32_t transport;       /* BB_OK when the synchronization point was reached */
    int lost_a_name;         /* a prepared statement was not there, or there already */
    int speaks_of_names;     /* by the SQLSTATE, which may be the host's own */
    int may_be_stale;        /* a prepared statement, likewise */
    int is_refused;          /* by a pooler, it seems, that has closed the connection */
} round_trip;

/* Whether the next result answers the preparation of the query. */
static int is_preparation(const bb_pg_query *query, const round_trip *trip)
{
    return query != NULL && query->text == NULL &&
           (trip->preparing & ~trip->prepared & set_of(query->statement)) != 0;
}

/* Whether the query's statement was prepared before; it may have become stale since, as when a
 * column has got another type. */
static int is_from_before(const bb_pg_session *session, const bb_pg_query *query,
                          const round_trip *trip)
{
    return query != NULL && query->text == NULL && !session->is_unnamed &&
           !(trip->preparing & set_of(query->statement));
}

/*
 * What a query's SQLSTATE means. A few may tell of a prepared statement that is of no use any more,
 * which a new session prepares anew, unless a repeat without names shows otherwise; but only where
 * that is possible, since triggers and functions of the host's may raise the same ones.
 */
static int32_t code_of(const bb_pg_session *session, const bb_pg_query *query, round_trip *trip,
                       const char *sqlstate)
{
    int is_old = is_from_before(session, query, trip);
    int is_gone = strcmp(sqlstate, BB_PG_SQLSTATE_NO_STATEMENT) == 0;
    int is_there = strcmp(sqlstate, BB_PG_SQLSTATE_TWO_STATEMENTS) == 0;

    trip->speaks_of_names = is_gone || is_there;
    trip->is_refused = strcmp(sqlstate, BB_PG_SQLSTATE_PROTOCOL) == 0;
    trip->may_be_stale = strcmp(sqlstate, BB_PG_SQLSTATE_UNSUPPORTED) == 0;
    trip->lost_a_name = (is_old && is_gone) || (is_preparation(query, trip) && is_there);
    if (trip->lost_a_name || (is_old && trip->may_be_stale))
        return BB_ERR_LOST;
    return bb_pg_sqlstate_code(sqlstate);
}

/* If a result is the first that failed, its error becomes the round trip's. */
static void check(const bb_pg_session *session, const bb_pg_query *query, round_trip *trip,
                  const PGresult *result, bb_error *error)
{
    ExecStatusType status = PQresultStatus(result);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (trip->outcome != BB_OK || status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return;
    if (sqlstate != NULL)
        trip->outcome = bb_pg_error(error, code_of(session, query, trip, sqlstate), sqlstate,
                                    PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    else if (PQstatus(session->conn) == CONNECTION_BAD)
        trip->transport = BB_ERR_LOST;
    else
        trip->outcome = bb_pg_error(error, BB_ERR_NOMEM, NULL, "libpq has no memory for a result");
}

/* Until when to wait for the next result. */
static int64_t patience(const round_trip *trip, size_t count, int64_t deadline)
{
    return trip->next == count && bb_deadline_left(deadline) > SYNC_MS ? bb_deadline_in(SYNC_MS)
                                                                       : deadline;
}

/* Takes all results up to the synchronization point. */
static void receive_all(bb_pg_session *session, bb_pg_query *queries, size_t count,
                        round_trip *trip, int64_t deadline, bb_error *error)
{
    PGresult *result = NULL;

    while (trip->transport == BB_OK) {
        const bb_pg_query *query = trip->next < count ? &queries[trip->next] : NULL;
        statement_set bit = query != NULL && query->text == NULL ? set_of(query->statement) : 0;
        trip->transport = next_result(session, patience(trip, count, deadline), &result);
        if (trip->transport != BB_OK)
            return;
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            return;
        }
        check(session, query, trip, result, error);
        if (trip->outcome == BB_ERR_NOMEM) /* see SYNC_MS */
            trip->transport = BB_ERR_NOMEM;
        if (trip->transport != BB_OK) {
            /* libpq's own error, in place of the result that never came */
            PQclear(result);
            return;
        }
        if (is_preparation(query, trip)) {
            trip->prepared |= bit;
            if (trip->outcome == BB_OK)
                session->prepared |= bit;
            PQclear(result);
        } else if (query != NULL) {
            queries[trip->next++].result = result;
        } else {
            PQclear(result);
        }
    }
}

/* Ends a transaction block that an error left open. */
static int roll_back(bb_pg_session *session, int64_t deadline)
{
    bb_pg_query query = {.text = "ROLLBACK"};
    round_trip trip = {0};

    if (!send_all(session, &query, 1, &trip.preparing))
        return 0;
    receive_all(session, &query, 1, &trip, deadline, NULL);
    PQclear(query.result);
    return trip.transport == BB_OK && PQtransactionStatus(session->conn) == PQTRANS_IDLE;
}

/* The connection is of no more use. If all results came, the queries' work counts all the same: the
 * last result is that of COMMIT. */
static int32_t give_up(bb_pg_session *session, const round_trip *trip, size_t count,
                       bb_error *error)
{
    int32_t code = trip->transport;

    if (trip->outcome != BB_OK)
        code = code == BB_ERR_LOST ? code : trip->outcome;
    else if (trip->next == count)
        code = BB_OK;
    else if (code == BB_ERR_BUSY)
        bb_pg_error(error, code, NULL, "the server did not answer before the deadline");
    else
        bb_pg_connection_failure(error, code, session->conn);
    bb_pg_disconnect(session);
    return code;
}

/* Sends all, takes all results, and leaves no failed transaction open. */
static int32_t exchange(bb_pg_session *session, bb_pg_query *queries, size_t count,
                        round_trip *trip, int64_t deadline, bb_error *error)
{
    int64_t sent_at = bb_deadline_in(0);
    int32_t code;

    if (!send_all(session, queries, count, &trip->preparing)) {
        code = PQstatus(session->conn) == CONNECTION_BAD ? BB_ERR_LOST : BB_ERR_NOMEM;
        bb_pg_connection_failure(error, code, session->conn);
        bb_pg_disconnect(session);
        return code;
    }
    receive_all(session, queries, count, trip, deadline, error);
    if (trip->transport == BB_ERR_BUSY)
        atomic_store(&session->store->silent_from, sent_at);
    if (trip->transport != BB_OK)
        return give_up(session, trip, count, error);
    session->heard_at = bb_deadline_in(0);
    if (trip->outcome != BB_OK && PQtransactionStatus(session->conn) != PQTRANS_IDLE &&
        !roll_back(session, deadline))
        bb_pg_disconnect(session);
    return trip->outcome;
}

/* Sends the queries, of which none was done, once more without names. */
static int32_t repeat_unnamed(bb_pg_session *session, bb_pg_query *queries, size_t count,
                              round_trip *trip, int64_t deadline, bb_error *error)
{
    memset(trip, 0, sizeof *trip);
    session->is_unnamed = 1;
    bb_pg_queries_clear(queries, count);
    bb_pg_error(error, BB_OK, NULL, "");
    return exchange(session, queries, count, trip, deadline, error);
}

/* If the repeat fails in the same way, the error was the host's own. Otherwise the statements that
 * are prepared on this connection are stale, as may be what the host's functions keep there, so the
 * session gets a new connection. */
static int32_t repeat_stale(bb_pg_session *session, bb_pg_query *queries, size_t count,
                            int64_t deadline, bb_error *error)
{
    round_trip trip;
    int32_t code = repeat_unnamed(session, queries, count, &trip, deadline, error);

    session->is_unnamed = 0;
    if (trip.may_be_stale)
        return code;
    bb_pg_disconnect(session);
    return code == BB_OK ? BB_OK : BB_ERR_LOST;
}

/*
 * Behind a pooler in transaction mode, a statement that was prepared on one server connection may
 * be missing on the next, or be there already. If the repeat fails in the same way, the error was
 * the host's own; otherwise statements have no names from now on, here and on connections to come.
 */
static int32_t repeat_lost(bb_pg_session *session, bb_pg_query *queries, size_t count,
                           int64_t deadline, bb_error *error)
{
    round_trip trip;
    int32_t code = repeat_unnamed(session, queries, count, &trip, deadline, error);

    if (trip.speaks_of_names || session->conn == NULL) {
        session->is_unnamed = 0;
        return code;
    }
    session->prepared = 0;
    if (!atomic_exchange(&session->store->is_pooled, 1))
        bb_pg_log(session->store, BB_LOG_WARN,
                  "prepared statements do not last: sending them unnamed from now on");
    return code;
}

/* Runs the queries in one round trip. */
static int32_t try_queries(bb_pg_session *session, bb_pg_query *queries, size_t count,
                           int *is_refused, int64_t deadline, bb_error *error)
{
    round_trip trip = {0};
    int32_t code = bb_pg_connect(session, deadline, error);

    *is_refused = 0;
    if (code != BB_OK)
        return code;
    code = exchange(session, queries, count, &trip, deadline, error);
    *is_refused = trip.is_refused;
    bb_pg_queries_clear(queries, count);
    return code;
}

/*
 * A pooler in statement mode closes the client's connection when a round trip leaves a transaction
 * open, as each failing one does. The client often does not learn then why it failed. So each store
 * finds out once, before its first query, whether a transaction can be left open; and if not,
 * whether transactions work at all.
 */
static int32_t refuse_statement_mode(bb_pg_session *session, int64_t deadline, bb_error *error)
{
    bb_pg_query queries[] = {{.text = "BEGIN"}, {.text = "ROLLBACK"}};
    int is_refused;
    int32_t code = try_queries(session, &queries[0], 1, &is_refused, deadline, error);

    if (code == BB_OK)
        code = try_queries(session, &queries[1], 1, &is_refused, deadline, error);
    else if (is_refused && try_queries(session, queries, 2, &is_refused, deadline, error) == BB_OK)
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
    /* a session that can't connect again is broken */
    return code == BB_ERR_UNAVAILABLE ? BB_ERR_LOST : code;
}

int32_t bb_pg_run(bb_pg_session *session, bb_pg_query *queries, size_t count, int64_t deadline,
                  bb_error *error)
{
    round_trip trip = {0};
    int32_t code;
    int is_idle;

    /* the server may do what it gets even if nobody waits for it, so nothing is sent too late */
    if (bb_deadline_left(deadline) == 0)
        return bb_pg_error(error, BB_ERR_BUSY, NULL, "the deadline had passed already");
    code = get_ready(session, deadline, error);
    if (code != BB_OK)
        return code;
    is_idle = PQtransactionStatus(session->conn) == PQTRANS_IDLE;
    code = exchange(session, queries, count, &trip, deadline, error);
    /* work that began here can be repeated; the rest needs a new session */
    if (code == BB_ERR_LOST && session->conn != NULL && is_idle) {
        if (trip.lost_a_name)
            code = repeat_lost(session, queries, count, deadline, error);
        else if (trip.may_be_stale)
            code = repeat_stale(session, queries, count, deadline, error);
    }
    if (code == BB_ERR_LOST)
        bb_pg_disconnect(session);
    return code;
}

int32_t bb_pg_run_alone(bb_pg_session *session, bb_pg_query *query, int64_t deadline,
                        bb_error *error)
{
    bb_pg_query queries[] = {{.statement = BB_PG_BEGIN}, *query, {.statement = BB_PG_COMMIT}};
    int32_t code;

    if (session->conn != NULL && PQtransactionStatus(session->conn) == PQTRANS_INTRANS)
        return bb_pg_run(session, query, 1, deadline, error);
    code = bb_pg_run(session, queries, 3, deadline, error);
    query->result = queries[1].result;
    queries[1].result = NULL;
    bb_pg_queries_clear(queries, 3);
    return code;
}

void bb_pg_queries_clear(bb_pg_query *queries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        PQclear(queries[i].result);
        queries[i].result = NULL;
    }
}

/* The server gives up on a lock before the deadline, so that the connection can be kept. It must
 * not cancel a statement before the client has given up: a canceled COMMIT that waits for a
 * synchronous standby would report success. */
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

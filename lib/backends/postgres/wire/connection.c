/*
 * connection.c: a session's connection to the server, made and waited for without blocking past a
 * deadline.
 */
#include "backends/postgres/wire/connection.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "backends/postgres/wire/failure.h"
#include "backends/postgres/wire/hosts.h"

enum { OLDEST_SERVER = 150000 };

/* Copies `message` as one line, without white space at its end; returns its length. */
static size_t one_line(char *to, size_t size, const char *message)
{
    size_t len = 0;

    for (; len < size - 1 && message[len] != '\0'; len++)
        to[len] = (unsigned char)message[len] < 0x20 ? ' ' : message[len];
    while (len > 0 && to[len - 1] == ' ')
        len--;
    to[len] = '\0';
    return len;
}

int32_t bb_pg_error(bb_error *error, int32_t code, const char *sqlstate, const char *message)
{
    char line[512];

    one_line(line, sizeof line, message == NULL ? "" : message);
    bb_error_set(error, code, "%s", line);
    if (error == NULL)
        return code;
    memset(error->sqlstate, 0, sizeof error->sqlstate);
    if (sqlstate != NULL && strlen(sqlstate) < sizeof error->sqlstate)
        memcpy(error->sqlstate, sqlstate, strlen(sqlstate));
    return code;
}

void bb_pg_log(const bb_pg_store *store, int32_t level, const char *message)
{
    char line[512];
    size_t len;

    if (store->log == NULL)
        return;
    len = one_line(line, sizeof line, message);
    store->log(store->log_ctx, level, line, len);
}

/* libpq would write notices to standard error. */
static void receive_notice(void *arg, const PGresult *result)
{
    const bb_pg_session *session = arg;
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    int32_t level = BB_LOG_WARN;

    if (severity != NULL && (strcmp(severity, "NOTICE") == 0 || strcmp(severity, "INFO") == 0 ||
                             strcmp(severity, "LOG") == 0 || strcmp(severity, "DEBUG") == 0))
        level = BB_LOG_INFO;
    if (message != NULL)
        bb_pg_log(session->store, level, message);
}

int32_t bb_pg_wait(PGconn *conn, short events, int64_t deadline)
{
    struct pollfd ready = {.fd = PQsocket(conn), .events = events};
    int found;

    if (ready.fd < 0)
        return BB_ERR_LOST;
    do {
        int32_t left = bb_deadline_left(deadline);
        if (left == 0)
            return BB_ERR_BUSY;
        found = poll(&ready, 1, left);
    } while (found == 0 || (found < 0 && errno == EINTR));
    return found < 0 ? BB_ERR_LOST : BB_OK;
}

void bb_pg_disconnect(bb_pg_session *session)
{
    PQfinish(session->conn);
    session->conn = NULL;
    session->prepared = 0;
    session->has_written = 0;
}

int32_t bb_pg_leave_reader(bb_pg_session *session)
{
    int32_t code = session->has_written ? BB_ERR_LOST : BB_ERR_UNAVAILABLE;

    atomic_store(&session->store->good_host, 0);
    bb_pg_disconnect(session);
    return code;
}

/* Goes through libpq's steps of connecting. BB_ERR_UNAVAILABLE if they fail; `*was_reached` says
 * whether anything had been sent to the server by then. */
static int32_t finish_connecting(PGconn *conn, int64_t deadline, int *was_reached, bb_error *error)
{
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;

    *was_reached = 0;
    while (PQstatus(conn) != CONNECTION_BAD && step != PGRES_POLLING_OK) {
        short events = step == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        int32_t code = bb_pg_wait(conn, events, deadline);
        if (code == BB_ERR_BUSY)
            return bb_error_set(error, code, "no connection to the server before the deadline");
        if (code != BB_OK)
            break;
        *was_reached = PQstatus(conn) != CONNECTION_STARTED;
        step = PQconnectPoll(conn);
    }
    return PQstatus(conn) == CONNECTION_OK ? BB_OK : BB_ERR_UNAVAILABLE;
}

/* What the statements need of a server: a version, an encoding that holds every character (C5),
 * and no blocking from libpq. */
static int32_t prepare_connection(PGconn *conn, bb_error *error)
{
    const char *encoding = PQparameterStatus(conn, "server_encoding");

    if (PQserverVersion(conn) < OLDEST_SERVER)
        return bb_error_set(error, BB_ERR_UNSUPPORTED, "server version %d is older than 15",
                            PQserverVersion(conn));
    if (encoding != NULL && strcmp(encoding, "UTF8") != 0)
        return bb_error_set(error, BB_ERR_UNSUPPORTED, "the database's encoding is %s, not UTF8",
                            encoding);
    if (PQsetnonblocking(conn, 1) != 0 || PQenterPipelineMode(conn) != 1)
        return bb_pg_connection_failure(error, BB_ERR_INTERNAL, conn);
    return BB_OK;
}

/* One host. */
static int32_t connect_to(bb_pg_session *session, const bb_pg_hosts *hosts, size_t index,
                          int64_t deadline, bb_error *error)
{
    int was_reached;
    int32_t code;

    session->conn = bb_pg_hosts_start(hosts, index);
    if (session->conn == NULL)
        return bb_error_set(error, BB_ERR_NOMEM, "out of memory for a connection");
    PQsetNoticeReceiver(session->conn, receive_notice, session);
    PQsetErrorVerbosity(session->conn, PQERRORS_SQLSTATE); /* for failure.c */
    session->is_unnamed = atomic_load(&session->store->is_pooled);
    code = finish_connecting(session->conn, deadline, &was_reached, error);
    if (code == BB_ERR_UNAVAILABLE)
        bb_pg_connect_failure(error, code, session->conn, hosts, index, was_reached);
    if (code == BB_OK)
        code = prepare_connection(session->conn, error);
    if (code != BB_OK)
        bb_pg_disconnect(session);
    return code;
}

/* Tries one host after the other, beginning with the last one that worked. */
static int32_t connect_to_any(bb_pg_session *session, const bb_pg_hosts *hosts, int64_t deadline,
                              bb_error *error)
{
    size_t first = atomic_load(&session->store->good_host);
    int32_t code = BB_ERR_UNAVAILABLE;

    for (size_t i = 0; i < hosts->count && code == BB_ERR_UNAVAILABLE; i++) {
        size_t index = (first + i) % hosts->count;
        code = connect_to(session, hosts, index,
                          bb_pg_hosts_deadline(hosts, hosts->count - i, deadline), error);
        if (code == BB_OK)
            atomic_store(&session->store->good_host, (unsigned)index);
        else if (code == BB_ERR_BUSY && bb_deadline_left(deadline) > 0)
            code = BB_ERR_UNAVAILABLE; /* only this host's time was over */
    }
    return code;
}

/* Whether a connection may lead to a server that has fallen silent: a request on another connection
 * got no answer, and nothing has come on this one since. Finding out would cost one more request
 * its time. */
static int is_doubtful(const bb_pg_session *session)
{
    return session->heard_at <= atomic_load(&session->store->silent_from) &&
           PQtransactionStatus(session->conn) == PQTRANS_IDLE;
}

int32_t bb_pg_connect(bb_pg_session *session, int64_t deadline, bb_error *error)
{
    bb_pg_hosts hosts;
    int32_t code;

    if (session->conn != NULL && PQstatus(session->conn) == CONNECTION_OK && !is_doubtful(session))
        return BB_OK;
    bb_pg_disconnect(session);
    if (!bb_pg_hosts_read(&hosts, session->store->conninfo))
        return bb_error_set(error, BB_ERR_NOMEM, "out of memory for a connection");
    code = connect_to_any(session, &hosts, deadline, error);
    bb_pg_hosts_free(&hosts);
    if (code == BB_OK) {
        session->heard_at = bb_deadline_in(0);
        bb_pg_log(session->store, BB_LOG_INFO, "connected to PostgreSQL");
    }
    return code;
}

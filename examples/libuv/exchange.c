/*
 * exchange.c: what becomes of a request, from its headers to its answer.
 *
 * The library answers for everything under the endpoint's path. Only its functions that do not wait
 * are called; its answers come back through its completion queue. A request is its own tag there.
 */
#include "exchange.h"

#include "answer.h"
#include "framing.h"
#include "limits.h"
#include "server.h"

/* --------------------------------------------------------------------------------- the library */

static void receive_body(struct connection *connection)
{
    connection_await_body(connection);
    answer_continue(connection);
}

/* The caller may send the body. */
static void go_on_receiving(struct connection *connection)
{
    connection->request->is_authorizing = 0;
    receive_body(connection);
    connection_resume(connection);
}

/* The library has answered; the client may be gone by now. */
static void take_result(struct request *request)
{
    struct connection *connection = request->connection;
    bb_result *result = request->result;

    request->result = NULL;
    request->is_answered = 0;
    if (connection == NULL) {
        bb_result_free(result);
        request_free(request);
    } else if (request->is_authorizing && bb_result_http_status(result) == 200) {
        bb_result_free(result);
        if (request_is_encoded(request))
            answer_refuse(connection, reply_encoded_body());
        else
            go_on_receiving(connection);
    } else {
        request_free_body(request);
        request->is_refused |= request->is_authorizing;
        request->reply = reply_from_result(result);
        answer_send(connection);
    }
}

size_t exchange_take_answers(struct server *server)
{
    bb_completion *answers = server->answers;
    size_t taken;

    bb_completions_take(server->completions, answers, MAX_ANSWERS, 0, &taken);
    for (size_t i = 0; i < taken; i++) {
        // NOLINTNEXTLINE(performance-no-int-to-ptr): a tag has to be a number
        struct request *request = (struct request *)(uintptr_t)answers[i].tag;
        request->result = answers[i].result;
        request->is_answered = 1;
        if (!request->is_handing_over) /* otherwise exchange_handed_over() goes on */
            take_result(request);
    }
    return taken;
}

/* Hands over the whole body, or only the length of one that is too large. It stays where it is
 * until it is answered, as a copy of a large one would cost a page fault for each of its pages. */
void exchange_hand_over(struct request *request)
{
    bb_request to = request_for_library(request);

    to.body = request->body;
    to.body_len = request->body_len;
    to.flags = BB_REQUEST_BODY_STAYS;
    if (bb_completions_submit(request->server->completions, &to, (uintptr_t)request,
                              &request->ticket) != BB_OK)
        request->is_answered = 1; /* without a result, which is a 500 */
}

void exchange_handed_over(struct request *request)
{
    request->is_handing_over = 0;
    request_end_body(request);
    if (request->is_answered)
        take_result(request);
    else if (request->connection == NULL)
        exchange_cancel(request);
}

/* The library reads a body before it queues the request. For a large one that takes milliseconds,
 * in which all other connections would wait for this thread. */
static void submit(struct connection *connection)
{
    struct request *request = connection->request;

    connection_await_answer(connection);
    request->is_handing_over = 1;
    if (request->body_capacity > SMALL_BODY) {
        pool_put(&request->server->pool, request);
    } else {
        exchange_hand_over(request);
        exchange_handed_over(request);
    }
}

void exchange_cancel(struct request *request)
{
    if (!request->is_handing_over)
        bb_contacts_cancel(request->server->contacts, request->ticket);
}

/* Asks whether the caller may send a large body. */
static void authorize(struct connection *connection)
{
    struct request *request = connection->request;
    bb_request to = request_for_library(request);

    connection_await_answer(connection);
    request->is_authorizing = 1;
    if (bb_completions_submit_authorize(request->server->completions, &to, (uintptr_t)request,
                                        &request->ticket) != BB_OK)
        take_result(request);
}

/* ----------------------------------------------------------------------------------- decisions */

/* Whether the body may come before the caller is known, since asking costs a round trip to the
 * store: it must be small, and all such bodies together too. An encoded body is of no use, but only
 * callers who may write are told so (A1). */
static int may_come_unasked(struct request *request, uint64_t declared, uint64_t max)
{
    if (declared > SMALL_BODY || declared > max)
        return 0;
    if (!request->is_for_library)
        return 1;
    return (declared == 0 || !request_is_encoded(request)) &&
           request_reserve(request, (size_t)declared);
}

/* The headers have arrived; the body, if there is one, has not. */
static void begin(struct connection *connection)
{
    struct request *request = connection->request;
    bb_contacts *contacts = connection->server->contacts;
    uint64_t declared = framing_declared_length(&connection->parser);
    uint64_t max = bb_contacts_max_body(contacts);

    request->is_for_library =
        route_is_for_library(request->route, request->method, contacts, &request->reply);
    if (may_come_unasked(request, declared, max)) {
        receive_body(connection);
    } else if (!request->is_for_library) {
        request->is_refused = 1;
        answer_send(connection);
    } else if (declared > max && declared != UINT64_MAX) {
        request->is_refused = 1;
        request->body_len = (size_t)declared;
        submit(connection);
    } else {
        authorize(connection);
    }
}

/* The answer to a request of which too little has arrived to ask the library. */
static struct reply refusal(enum request_event event)
{
    switch ((int)event) {
    case NO_ROOM:
        return reply_from_text(503, "{\"message\":\"Service unavailable\"}", NULL);
    case OUT_OF_MEMORY:
        return reply_from_text(500, "{\"message\":\"Internal server error\"}", NULL);
    case HEAD_TOO_LARGE:
        return reply_from_text(431, "{\"message\":\"Request header fields too large\"}", NULL);
    case CODING_UNKNOWN:
        return reply_from_text(501, "{\"message\":\"Transfer coding not supported\"}", NULL);
    case VERSION_UNKNOWN:
        return reply_from_text(505, "{\"message\":\"HTTP version not supported\"}", NULL);
    default:
        return reply_bad_request();
    }
}

void exchange_go_on(struct connection *connection)
{
    struct request *request = connection->request;

    switch ((int)request->event) {
    case HEAD_ARRIVED:
        begin(connection);
        break;
    case BODY_ARRIVED:
        if (request->is_for_library)
            submit(connection);
        else
            answer_send(connection);
        break;
    case BODY_TOO_LARGE:
        request->is_refused = 1;
        request_free_body(request); /* its length alone is enough */
        submit(connection);
        break;
    default:
        answer_refuse(connection, refusal(request->event));
    }
}

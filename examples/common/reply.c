/*
 * reply.c: what is answered to a request, whichever HTTP library sends it.
 */
#include "reply.h"

#include "metrics.h"

#include <stdio.h>
#include <stdlib.h>

static void free_result(void *result)
{
    bb_result_free(result);
}

struct reply reply_from_result(bb_result *result)
{
    struct reply reply = {.status = (unsigned)bb_result_http_status(result),
                          .type = "application/json",
                          .owned = result,
                          .release = free_result};

    reply.body = bb_result_body(result, &reply.len);
    reply.entries = bb_result_entries(result);
    for (int32_t i = BB_CREATED; i <= BB_UNCHANGED; i++)
        reply.counts[i] = bb_result_count(result, i);
    return reply;
}

struct reply reply_from_text(unsigned status, const char *body, const char *allow)
{
    struct reply reply = {.status = status,
                          .type = "application/json",
                          .body = body,
                          .len = strlen(body),
                          .allow = allow};

    return reply;
}

struct reply reply_bad_request(void)
{
    return reply_from_text(400, "{\"message\":\"Bad request\"}", NULL);
}

struct reply reply_encoded_body(void)
{
    return reply_from_text(415, "{\"message\":\"Content-Encoding is not supported\"}", NULL);
}

struct reply reply_from_metrics(bb_contacts *contacts)
{
    struct reply reply = {.status = 200, .type = "text/plain; version=0.0.4", .release = free};
    char *text = metrics_text(contacts, &reply.len);

    if (text == NULL)
        return reply_from_text(500, "{\"message\":\"Internal server error\"}", NULL);
    reply.body = text;
    reply.owned = text;
    return reply;
}

void reply_free(struct reply *reply)
{
    if (reply->owned != NULL)
        reply->release(reply->owned);
    reply->owned = NULL;
}

/* What the body has no place for: what became of the entries. */
static size_t count_headers(const struct reply *reply, struct reply_header *headers)
{
    static const char *const names[] = {[BB_CREATED] = "Bb-Contacts-Created",
                                        [BB_UPDATED] = "Bb-Contacts-Updated",
                                        [BB_UNCHANGED] = "Bb-Contacts-Unchanged"};
    size_t count = 0;

    for (int i = BB_CREATED; i <= BB_UNCHANGED; i++, count++) {
        headers[count].name = names[i];
        headers[count].value = headers[count].number;
        snprintf(headers[count].number, sizeof headers[count].number, "%u",
                 (unsigned)reply->counts[i]);
    }
    return count;
}

size_t reply_headers(const struct reply *reply, struct reply_header *headers)
{
    size_t count = 0;

    headers[count++] = (struct reply_header){.name = "Content-Type", .value = reply->type};
    if (reply->trace != NULL && reply->trace->id[0] != '\0')
        headers[count++] = (struct reply_header){.name = "X-Request-Id", .value = reply->trace->id};
    if (reply->entries > 0)
        count += count_headers(reply, headers + count);
    if (reply->entries > 0 && reply->trace != NULL && reply->trace->prefer.is_minimal)
        headers[count++] =
            (struct reply_header){.name = "Preference-Applied", .value = "return=minimal"};
    if (reply->status == 401)
        headers[count++] = (struct reply_header){.name = "WWW-Authenticate", .value = "Bearer"};
    if (reply->status == 415) /* the coding that is supported (RFC 9110, 15.5.16) */
        headers[count++] = (struct reply_header){.name = "Accept-Encoding", .value = "identity"};
    if (reply->status == 503)
        headers[count++] = (struct reply_header){.name = "Retry-After", .value = "1"};
    if (reply->allow != NULL)
        headers[count++] = (struct reply_header){.name = "Allow", .value = reply->allow};
    return count;
}

size_t reply_head(const struct reply *reply, const char *reason, const char *more, char *out,
                  size_t size)
{
    struct reply_header headers[REPLY_MAX_HEADERS];
    size_t count = reply_headers(reply, headers);
    int len = snprintf(out, size, "HTTP/1.1 %u %s\r\n", reply->status, reason);

    for (size_t i = 0; i < count; i++)
        len += snprintf(out + len, size - (size_t)len, "%s: %s\r\n", headers[i].name,
                        headers[i].value);
    len +=
        snprintf(out + len, size - (size_t)len, "Content-Length: %zu\r\n%s\r\n", reply->len, more);
    return (size_t)len;
}

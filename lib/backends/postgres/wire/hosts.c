/*
 * hosts.c: the hosts that a connection string names, each of which gets a share of the time.
 *
 * libpq tries the hosts in turn, but leaves one that never answers only after connect_timeout,
 * which it ignores when it may not block (PQconnectPoll in chapter 34.1 of PostgreSQL's manual). So
 * it gets one host at a time. Hosts that the environment or a service file names are left to libpq.
 */
#include "backends/postgres/wire/hosts.h"

#include <stdlib.h>
#include <string.h>

#include "bb_contacts/storage.h"

enum { MAX_KEYWORDS = 64, MAX_HOST = 256, MOST_SECONDS = 1000000 };

static const char *value_of(const bb_pg_hosts *hosts, const char *keyword)
{
    for (const PQconninfoOption *o = hosts->options; o->keyword != NULL; o++) {
        if (strcmp(o->keyword, keyword) == 0 && o->val != NULL && o->val[0] != '\0')
            return o->val;
    }
    return NULL;
}

static size_t count_items(const char *list)
{
    size_t count = 1;

    for (; *list != '\0'; list++)
        count += *list == ',';
    return count;
}

/* Copies an item of a list; a list of one item holds for all. 0 if it does not fit. */
static int copy_item(char *to, size_t size, const char *list, size_t index)
{
    size_t len;

    if (count_items(list) == 1)
        index = 0;
    for (; index > 0; index--)
        list += strcspn(list, ",") + 1;
    len = strcspn(list, ",");
    if (len >= size)
        return 0;
    memcpy(to, list, len);
    to[len] = '\0';
    return 1;
}

/* Whether a list has an item of ordinary length for each host. Any other list is left to libpq,
 * which says what is wrong. */
static int is_in_order(const char *list, size_t count)
{
    char item[MAX_HOST];

    if (list == NULL)
        return 1;
    if (count_items(list) != count && count_items(list) != 1)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (!copy_item(item, sizeof item, list, i))
            return 0;
    }
    return 1;
}

static size_t count_hosts(const bb_pg_hosts *hosts)
{
    const char *name = value_of(hosts, "host");
    const char *address = value_of(hosts, "hostaddr");
    const char *list = address != NULL ? address : name;
    size_t count = list == NULL ? 1 : count_items(list);

    if ((name != NULL && count_items(name) != count) || !is_in_order(name, count) ||
        !is_in_order(address, count) || !is_in_order(value_of(hosts, "port"), count))
        return 1;
    return count;
}

int bb_pg_hosts_read(bb_pg_hosts *hosts, const char *conninfo)
{
    const char *timeout;
    long seconds;

    hosts->options = PQconninfoParse(conninfo, NULL);
    if (hosts->options == NULL)
        return 0;
    hosts->count = count_hosts(hosts);
    timeout = value_of(hosts, "connect_timeout");
    seconds = timeout == NULL ? 0 : strtol(timeout, NULL, 10);
    if (seconds > MOST_SECONDS) /* so that milliseconds do not overflow */
        seconds = MOST_SECONDS;
    /* as in libpq: 0 or less means none, and 1 means 2 */
    hosts->connect_timeout_ms = seconds <= 0 ? 0 : seconds < 2 ? 2000 : (int64_t)seconds * 1000;
    return 1;
}

void bb_pg_hosts_free(bb_pg_hosts *hosts)
{
    PQconninfoFree(hosts->options);
    hosts->options = NULL;
}

static int is_list(const char *keyword)
{
    return strcmp(keyword, "host") == 0 || strcmp(keyword, "hostaddr") == 0 ||
           strcmp(keyword, "port") == 0;
}

PGconn *bb_pg_hosts_start(const bb_pg_hosts *hosts, size_t index)
{
    const char *keywords[MAX_KEYWORDS] = {"fallback_application_name"};
    const char *values[MAX_KEYWORDS] = {"bb_contacts"};
    char items[3][MAX_HOST];
    size_t lists = 0;
    size_t count = 1;

    for (const PQconninfoOption *o = hosts->options; o->keyword != NULL; o++) {
        if (o->val == NULL || count + 2 >= MAX_KEYWORDS)
            continue;
        keywords[count] = o->keyword;
        values[count] = o->val;
        if (hosts->count > 1 && is_list(o->keyword) && lists < 3) {
            if (!copy_item(items[lists], MAX_HOST, o->val, index))
                items[lists][0] = '\0';
            values[count] = items[lists++];
        }
        count++;
    }
    /* a later keyword overrides an earlier one */
    keywords[count] = "client_encoding";
    values[count] = "UTF8";
    return PQconnectStartParams(keywords, values, 0);
}

int64_t bb_pg_hosts_deadline(const bb_pg_hosts *hosts, size_t left, int64_t deadline)
{
    int64_t time = bb_deadline_left(deadline);

    /* leave some time for the request itself, whichever host it is */
    if (hosts->count > 1)
        time /= (int64_t)left + 1;
    if (hosts->connect_timeout_ms > 0 && hosts->connect_timeout_ms < time)
        time = hosts->connect_timeout_ms;
    else if (hosts->count == 1)
        return deadline;
    return bb_deadline_in(time);
}

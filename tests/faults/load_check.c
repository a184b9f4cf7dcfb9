/*
 * load_check.c: compares the tables with what a load was answered (A2, E8).
 */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faults/load_internal.h"

enum { MAX_COMPLAINTS = 10 };

/* The contacts of one group, all of which one request has written last. */
typedef struct group {
    uint32_t count;
    uint32_t thread;  /* of that request */
    uint32_t request; /* its number */
    int is_mixed;
} group;

typedef struct tables {
    const load *load;
    group own[LOAD_MAX_THREADS][LOAD_OWN_GROUPS];
    group shared[LOAD_SHARED_GROUPS];
    unsigned char *fresh[LOAD_MAX_THREADS]; /* how many contacts of each request are there */
    uint32_t complaints;
} tables;

static void complain(tables *t, const char *what, uint32_t thread, uint32_t request)
{
    if (t->complaints++ < MAX_COMPLAINTS)
        fprintf(stderr, "%s: thread %u, request %u\n", what, thread, request);
}

/* -------------------------------------------------------------------------------- reading */

static const load_request *find_request(const load *l, uint32_t thread, uint32_t request)
{
    if (thread >= l->threads || request >= l->writers[thread].count)
        return NULL;
    return &l->writers[thread].requests[request];
}

static void add_to_group(group *g, uint32_t thread, uint32_t request)
{
    if (g->count++ == 0) {
        g->thread = thread;
        g->request = request;
    } else if (g->thread != thread || g->request != request) {
        g->is_mixed = 1;
    }
}

/* The numbers of a text such as "f3.1.20.4" after its letter; returns how many. */
static int read_numbers(const char *text, uint32_t numbers[4])
{
    int count = 0;

    while (count < 4) {
        char *end;
        numbers[count] = (uint32_t)strtoul(text, &end, 10);
        if (end == text)
            break;
        count++;
        if (*end != '.')
            break;
        text = end + 1;
    }
    return count;
}

static void read_row(tables *t, const char *external_id, const char *token)
{
    const load *l = t->load;
    uint32_t id[4] = {0};
    uint32_t by[4] = {0};
    int has_run = external_id[0] == 'f';
    int numbers = read_numbers(external_id + (has_run ? 1 : 2), id);

    if (read_numbers(token, by) != 2 || find_request(l, by[0], by[1]) == NULL)
        complain(t, "a contact that nobody wrote so", by[0], by[1]);
    else if (has_run && numbers == 4 && find_request(l, id[1], id[2]) != NULL && by[0] == id[1] &&
             by[1] == id[2] && l->writers[id[1]].requests[id[2]].run == id[0])
        t->fresh[id[1]][id[2]]++;
    else if (external_id[0] == 'o' && numbers == 3 && id[0] < l->threads &&
             id[1] < LOAD_OWN_GROUPS && by[0] == id[0] && by[1] % LOAD_OWN_GROUPS == id[1])
        add_to_group(&t->own[id[0]][id[1]], by[0], by[1]);
    else if (external_id[0] == 's' && numbers == 3 && id[1] < LOAD_SHARED_GROUPS)
        add_to_group(&t->shared[id[1]], by[0], by[1]);
    else
        complain(t, "a contact that should not be", by[0], by[1]);
}

static int read_rows(tables *t, PGconn *connection, int is_all)
{
    char sql[400];
    char run[16] = "";
    PGresult *rows;
    int failed;

    if (!is_all)
        snprintf(run, sizeof run, "%u.", t->load->run);
    snprintf(sql, sizeof sql,
             "SELECT external_id, CASE WHEN name = email AND name = custom_attributes->>'token'"
             " THEN name ELSE '' END FROM bb_contacts.contacts WHERE chatbot_id = 123"
             " AND (left(external_id, 2) IN ('o.', 's.') OR external_id LIKE 'f%s%%')",
             run);
    rows = PQexec(connection, sql);
    failed = PQresultStatus(rows) != PGRES_TUPLES_OK;
    if (failed)
        fprintf(stderr, "PostgreSQL: %s", PQerrorMessage(connection));
    for (int i = 0; i < PQntuples(rows); i++)
        read_row(t, PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1));
    PQclear(rows);
    return failed;
}

/* Every id belongs to one contact (E3). */
static int read_ids(tables *t, PGconn *connection)
{
    PGresult *rows = PQexec(connection, "SELECT count(*) - count(DISTINCT id)"
                                        " FROM bb_contacts.contacts WHERE chatbot_id = 123");
    int ok = PQntuples(rows) == 1 && strcmp(PQgetvalue(rows, 0, 0), "0") == 0;

    PQclear(rows);
    if (!ok)
        complain(t, "E3: an id that two contacts have", 0, 0);
    return 0;
}

/* ------------------------------------------------------------------------------ comparing */

static void check_fresh(tables *t, int is_all)
{
    const load *l = t->load;

    for (uint32_t i = 0; i < l->threads; i++) {
        for (uint32_t k = 0; k < l->writers[i].count; k++) {
            const load_request *r = &l->writers[i].requests[k];
            if (!is_all && r->run != l->run)
                continue;
            if (t->fresh[i][k] != 0 && t->fresh[i][k] != LOAD_FRESH)
                complain(t, "A2: half of a request's new contacts", i, k);
            if (r->status == 200 && t->fresh[i][k] == 0)
                complain(t, "E8: answered 200 and lost", i, k);
        }
    }
}

/* The contacts that one thread alone writes to, one request after the other. */
static void check_own(tables *t, uint32_t thread, uint32_t number, load_order order)
{
    const group *g = &t->own[thread][number];
    const load_writer *w = &t->load->writers[thread];
    int64_t last = -1;

    for (size_t k = number; k < w->count; k += LOAD_OWN_GROUPS) {
        if (w->requests[k].status == 200)
            last = (int64_t)k;
    }
    if (g->is_mixed || (g->count != 0 && g->count != LOAD_OWN))
        complain(t, "A2: half of a request's own contacts", thread, g->request);
    else if (g->count == 0 && last >= 0)
        complain(t, "E8: answered 200 and lost", thread, (uint32_t)last);
    else if (order == LOAD_ORDERED && (int64_t)g->request < last)
        complain(t, "E8: answered 200 and undone", thread, (uint32_t)last);
}

/* The contacts that all write to: no answered request began after the last writer's had ended. */
static void check_shared(tables *t, uint32_t number, load_order order)
{
    const load *l = t->load;
    const group *g = &t->shared[number];
    const load_request *last = find_request(l, g->thread, g->request);

    if (g->count == 0)
        return;
    if (g->is_mixed || g->count != LOAD_SHARED || last == NULL) {
        complain(t, "A2: half of a request's shared contacts", g->thread, g->request);
        return;
    }
    for (uint32_t i = 0; i < l->threads && order == LOAD_ORDERED; i++) {
        for (uint32_t k = 0; k < l->writers[i].count; k++) {
            const load_request *r = &l->writers[i].requests[k];
            if ((k + i) % LOAD_SHARED_GROUPS == number && r->status == 200 && last->status == 200 &&
                r->begin_ms > last->end_ms)
                complain(t, "E7: answered 200 and overwritten by an earlier one", i, k);
        }
    }
}

/* A request is there in all of its parts, or in none. */
static void check_parts(tables *t)
{
    for (uint32_t i = 0; i < t->load->threads; i++) {
        for (uint32_t k = 0; k < LOAD_OWN_GROUPS; k++) {
            const group *g = &t->own[i][k];
            const load_request *r = find_request(t->load, i, g->request);
            if (g->count > 0 && r != NULL && r->run == t->load->run &&
                t->fresh[i][g->request] != LOAD_FRESH)
                complain(t, "A2: half of a request", i, g->request);
        }
    }
    for (uint32_t k = 0; k < LOAD_SHARED_GROUPS; k++) {
        const group *g = &t->shared[k];
        const load_request *r = find_request(t->load, g->thread, g->request);
        if (g->count > 0 && r != NULL && r->run == t->load->run &&
            t->fresh[g->thread][g->request] != LOAD_FRESH)
            complain(t, "A2: half of a request", g->thread, g->request);
    }
}

static int compare(tables *t, const char *conninfo, load_order order, int is_all)
{
    PGconn *connection = PQconnectdb(conninfo);
    int failed = PQstatus(connection) != CONNECTION_OK;

    if (failed)
        fprintf(stderr, "PostgreSQL: %s", PQerrorMessage(connection));
    else
        failed = read_rows(t, connection, is_all) || read_ids(t, connection);
    PQfinish(connection);
    if (failed)
        return 1;
    check_fresh(t, is_all);
    check_parts(t);
    for (uint32_t i = 0; i < t->load->threads; i++) {
        for (uint32_t k = 0; k < LOAD_OWN_GROUPS; k++)
            check_own(t, i, k, order);
    }
    for (uint32_t k = 0; k < LOAD_SHARED_GROUPS; k++)
        check_shared(t, k, order);
    if (t->complaints > 0)
        fprintf(stderr, "%u differences between the answers and the tables\n", t->complaints);
    return t->complaints > 0;
}

int load_check_tables(const load *l, const char *conninfo, load_order order, int is_all)
{
    tables *t = calloc(1, sizeof *t);
    int failed = t == NULL;

    if (!failed)
        t->load = l;
    for (uint32_t i = 0; !failed && i < l->threads; i++) {
        t->fresh[i] = calloc(l->writers[i].count + 1, 1);
        failed = t->fresh[i] == NULL;
    }
    if (!failed)
        failed = compare(t, conninfo, order, is_all);
    for (uint32_t i = 0; t != NULL && i < l->threads; i++)
        free(t->fresh[i]);
    free(t);
    return failed;
}

/*
 * kept_write.c: does writes, alone or in a group, and keeps what was put.
 */
#include <stdlib.h>

#include "fixture.h"

/* A record and its place in the caller's order. */
typedef struct placed_record {
    const bb_record *record;
    size_t place;
} placed_record;

/* What put() is given. */
typedef struct put_state {
    kept_write *kept;
    const placed_record *sorted;
} put_state;

static char *copy_slice(bb_slice *slice, char *to)
{
    if (slice->data == NULL)
        return to;
    memcpy(to, slice->data, slice->len);
    slice->data = to;
    return to + slice->len;
}

static int keep_contact(kept_contact *kept, const bb_contact *contact)
{
    size_t size = 1 + contact->external_id.len + contact->name.len + contact->email.len +
                  contact->phonenumber.len + contact->stripe_accounts.len +
                  contact->custom_attributes.len;
    char *to = malloc(size);

    if (to == NULL)
        return -1;
    free(kept->strings);
    kept->strings = to;
    kept->present = 1;
    kept->contact = *contact;
    to = copy_slice(&kept->contact.external_id, to);
    to = copy_slice(&kept->contact.name, to);
    to = copy_slice(&kept->contact.email, to);
    to = copy_slice(&kept->contact.phonenumber, to);
    to = copy_slice(&kept->contact.stripe_accounts, to);
    copy_slice(&kept->contact.custom_attributes, to);
    return 0;
}

static int32_t keep_put(void *ctx, size_t index, int32_t outcome, const bb_contact *contact,
                        const bb_contact *before)
{
    put_state *state = ctx;
    kept_write *kept = state->kept;
    size_t place;

    if (kept->puts++ == kept->fail_at || index >= kept->count)
        return BB_ERR_NOMEM;
    place = state->sorted[index].place;
    kept->times[place]++;
    kept->outcomes[place] = outcome;
    if (outcome == BB_PUT_OVERSIZED)
        return BB_OK;
    if (contact == NULL || keep_contact(&kept->after[place], contact) != 0)
        return BB_ERR_NOMEM;
    if (before != NULL && keep_contact(&kept->before[place], before) != 0)
        return BB_ERR_NOMEM;
    return BB_OK;
}

static int compare_placed(const void *a, const void *b)
{
    return compare_keys(((const placed_record *)a)->record->external_id,
                        ((const placed_record *)b)->record->external_id);
}

void kept_write_free(kept_write *kept)
{
    for (size_t i = 0; i < kept->count; i++) {
        if (kept->after != NULL)
            free(kept->after[i].strings);
        if (kept->before != NULL)
            free(kept->before[i].strings);
    }
    free(kept->after);
    free(kept->before);
    free(kept->outcomes);
    free(kept->times);
    memset(kept, 0, sizeof *kept);
}

/* ------------------------------------------------------------------- what the backend is given */

/* A write that is ready, and what belongs to it. */
typedef struct prepared {
    placed_record *sorted;
    const bb_record **pointers;
    put_state state;
    bb_write write;
} prepared;

static int reserve(prepared *p, kept_write *kept)
{
    p->sorted = calloc(kept->count, sizeof *p->sorted);
    p->pointers = calloc(kept->count, sizeof *p->pointers);
    kept->outcomes = calloc(kept->count, sizeof *kept->outcomes);
    kept->times = calloc(kept->count, sizeof *kept->times);
    kept->after = calloc(kept->count, sizeof *kept->after);
    kept->before = calloc(kept->count, sizeof *kept->before);
    return p->sorted != NULL && p->pointers != NULL && kept->outcomes != NULL &&
           kept->times != NULL && kept->after != NULL && kept->before != NULL;
}

/* `kept` and `access` must outlive it; unprepare() frees it, whatever is returned. */
static int prepare(prepared *p, kept_write *kept, const bb_access *access, const bb_record *records,
                   size_t count, size_t fail_at)
{
    *kept = (kept_write){.code = BB_ERR_NOMEM, .count = count, .fail_at = fail_at};
    bb_error_init(&kept->error);
    memset(p, 0, sizeof *p);
    if (!reserve(p, kept))
        return 0;
    for (size_t i = 0; i < count; i++) {
        p->sorted[i].record = &records[i];
        p->sorted[i].place = i;
    }
    qsort(p->sorted, count, sizeof *p->sorted, compare_placed);
    for (size_t i = 0; i < count; i++)
        p->pointers[i] = p->sorted[i].record;
    p->state = (put_state){kept, p->sorted};
    p->write = (bb_write){.size = sizeof p->write,
                          .access = access,
                          .records = p->pointers,
                          .record_count = count,
                          .put = keep_put,
                          .put_ctx = &p->state,
                          .max_attribute_bytes = KEPT_MAX_ATTRIBUTES};
    return 1;
}

static void unprepare(const prepared *p)
{
    free(p->sorted);
    free(p->pointers);
}

/* What was put before a retry does not count. */
static void forget_puts(kept_write *kept)
{
    kept->puts = 0;
    memset(kept->times, 0, kept->count * sizeof *kept->times);
    for (size_t i = 0; i < kept->count; i++) {
        kept->after[i].present = 0;
        kept->before[i].present = 0;
    }
}

static kept_write write_with(void *session, const bb_storage_vtable *vtable,
                             const bb_access *access, const bb_record *records, size_t count,
                             size_t fail_at, uint32_t flags)
{
    kept_write kept;
    prepared p;

    if (prepare(&p, &kept, access, records, count, fail_at)) {
        p.write.flags = flags;
        do {
            forget_puts(&kept);
            bb_error_init(&kept.error);
            kept.code = vtable->write(session, &p.write, &kept.error);
        } while (kept.code == BB_ERR_RETRY && bb_deadline_left(access->deadline) > 0);
    }
    unprepare(&p);
    return kept;
}

kept_write write_as(void *session, const bb_storage_vtable *vtable, const bb_access *access,
                    const bb_record *records, size_t count, size_t fail_at)
{
    return write_with(session, vtable, access, records, count, fail_at, 0);
}

kept_write write_dry(const bb_case *c, const bb_access *access, const bb_record *records,
                     size_t count)
{
    return write_with(c->session, c->vtable, access, records, count, SIZE_MAX, BB_WRITE_DRY_RUN);
}

/* -------------------------------------------------------------------------------------- groups */

static int prepare_all(prepared *p, const group_member *members, size_t count, kept_write *kept)
{
    int ok = 1;

    for (size_t i = 0; i < count; i++)
        ok = prepare(&p[i], &kept[i], &members[i].access, members[i].records, members[i].count,
                     members[i].fail_at) &&
             ok;
    return ok;
}

static int32_t run_group(void *session, const bb_storage_vtable *vtable, prepared *p, size_t count,
                         bb_error *error)
{
    const bb_write **writes = calloc(count, sizeof *writes);
    int32_t *codes = calloc(count, sizeof *codes);
    bb_write_group group = {.size = sizeof group,
                            .writes = writes,
                            .write_count = count,
                            .codes = codes,
                            .now_us = p[0].write.access->now_us,
                            .deadline = p[0].write.access->deadline};
    int32_t code = BB_ERR_NOMEM;

    for (size_t i = 0; writes != NULL && i < count; i++)
        writes[i] = &p[i].write;
    while (writes != NULL && codes != NULL) {
        for (size_t i = 0; i < count; i++) {
            forget_puts(p[i].state.kept);
            codes[i] = BB_OK;
        }
        bb_error_init(error);
        code = vtable->write_group(session, &group, error);
        if (code != BB_ERR_RETRY || bb_deadline_left(group.deadline) == 0)
            break;
    }
    for (size_t i = 0; codes != NULL && i < count; i++)
        p[i].state.kept->code = code == BB_OK ? codes[i] : code;
    free(writes);
    free(codes);
    return code;
}

int32_t write_group_as(void *session, const bb_storage_vtable *vtable, const group_member *members,
                       size_t count, kept_write *kept, bb_error *error)
{
    prepared *p = calloc(count, sizeof *p);
    int32_t code = BB_ERR_NOMEM;

    bb_error_init(error);
    memset(kept, 0, count * sizeof *kept);
    if (p != NULL && prepare_all(p, members, count, kept))
        code = run_group(session, vtable, p, count, error);
    for (size_t i = 0; p != NULL && i < count; i++)
        unprepare(&p[i]);
    free(p);
    return code;
}

void kept_writes_free(kept_write *kept, size_t count)
{
    for (size_t i = 0; i < count; i++)
        kept_write_free(&kept[i]);
}

/* --------------------------------------------------------------------------- the ordinary way */

kept_write write_now(bb_case *c, const bb_record *records, size_t count)
{
    bb_access access = principal_access(c, WORKSPACE, 0, CHATBOT);
    kept_write kept = write_as(c->session, c->vtable, &access, records, count, SIZE_MAX);

    c->now_us += 1000000;
    if (kept.code != BB_OK)
        case_fail_code(c, __FILE__, __LINE__,
                       kept.error.message[0] != '\0' ? kept.error.message : "write()", kept.code,
                       BB_OK);
    for (size_t i = 0; i < kept.count && kept.code == BB_OK; i++) {
        if (kept.times[i] != 1)
            case_fail(c, __FILE__, __LINE__, "one put() for each record");
    }
    return kept;
}

kept_write write_one(bb_case *c, const bb_record *record)
{
    return write_now(c, record, 1);
}

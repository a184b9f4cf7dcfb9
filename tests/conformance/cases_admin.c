/*
 * cases_admin.c: the schema, and the functions that administer chatbots and keys.
 */
#include <pthread.h>

#include "cases.h"

static int32_t revoke(bb_case *c, uint8_t number)
{
    bb_error error;

    bb_error_init(&error);
    return c->vtable->key_revoke(c->session, key_hash(number), c->now_us, soon(), &error);
}

static int32_t archive(bb_case *c, int64_t chatbot_id, int32_t archived)
{
    bb_error error;

    bb_error_init(&error);
    return c->vtable->chatbot_archive(c->session, chatbot_id, archived, c->now_us, soon(), &error);
}

static int32_t authorize(bb_case *c, bb_access access)
{
    bb_error error;

    bb_error_init(&error);
    return c->vtable->authorize(c->session, &access, &error);
}

void case_admin(bb_case *c)
{
    fixture_open(c);
    CHECK_GOOD(c);
    CHECK_CODE(c, BB_OK, add_chatbot(c, CHATBOT, WORKSPACE));
    CHECK_CODE(c, BB_ERR_CONFLICT, add_chatbot(c, CHATBOT, OTHER_WORKSPACE));
    CHECK_CODE(c, BB_OK, add_key(c, 1, WORKSPACE, 0, 0));
    CHECK_CODE(c, BB_ERR_CONFLICT, add_key(c, 1, OTHER_WORKSPACE, 0, 0));
    CHECK_CODE(c, BB_ERR_CONFLICT, add_key(c, 1, WORKSPACE, CHATBOT, 0));
    CHECK_CODE(c, BB_OK, add_key(c, 2, WORKSPACE, CHATBOT, 0));
    CHECK_CODE(c, BB_OK, add_key(c, 2, WORKSPACE, CHATBOT, 0));
    CHECK_CODE(c, BB_ERR_CONFLICT, add_key(c, 2, WORKSPACE, SECOND_CHATBOT, 0));
    CHECK_CODE(c, BB_ERR_CONFLICT, add_key(c, 2, WORKSPACE, 0, 0));
    /* none of the refused ones changed what was there */
    CHECK_CODE(c, BB_OK, authorize(c, key_access(c, 1, SECOND_CHATBOT)));
    CHECK_CODE(c, BB_OK, authorize(c, key_access(c, 2, CHATBOT)));
    CHECK_CODE(c, BB_ERR_NOT_FOUND, authorize(c, key_access(c, 2, SECOND_CHATBOT)));
    CHECK_CODE(c, BB_ERR_NOT_FOUND, authorize(c, key_access(c, 1, FOREIGN_CHATBOT)));
}

void case_revoked_for_good(bb_case *c)
{
    fixture_open(c);
    CHECK_GOOD(c);
    CHECK_CODE(c, BB_ERR_NOT_FOUND, revoke(c, 2));
    CHECK_CODE(c, BB_OK, revoke(c, 1));
    CHECK_CODE(c, BB_OK, revoke(c, 1));
    CHECK_CODE(c, BB_ERR_CONFLICT, add_key(c, 1, WORKSPACE, 0, 0));
    CHECK_CODE(c, BB_ERR_UNKNOWN_KEY, authorize(c, key_access(c, 1, CHATBOT)));
}

void case_archive(bb_case *c)
{
    fixture_open(c);
    CHECK_GOOD(c);
    CHECK_CODE(c, BB_ERR_NOT_FOUND, archive(c, 1, 1));
    CHECK_CODE(c, BB_ERR_NOT_FOUND, archive(c, 1, 0));
    CHECK_CODE(c, BB_OK, archive(c, CHATBOT, 1));
    CHECK_CODE(c, BB_OK, archive(c, CHATBOT, 1));
    CHECK_CODE(c, BB_OK, add_chatbot(c, CHATBOT, WORKSPACE));
    CHECK_CODE(c, BB_ERR_NOT_FOUND, authorize(c, key_access(c, 1, CHATBOT)));
    CHECK_CODE(c, BB_OK, archive(c, CHATBOT, 0));
    CHECK_CODE(c, BB_OK, authorize(c, key_access(c, 1, CHATBOT)));
}

void case_migrate_twice(bb_case *c)
{
    bb_record record = record_of("kept");
    bb_error error;
    kept_write kept;

    bb_error_init(&error);
    fixture_open(c);
    CHECK_GOOD(c);
    kept = write_one(c, &record);
    kept_write_free(&kept);
    CHECK_GOOD(c);
    CHECK_CODE(c, BB_OK, c->vtable->migrate(c->session, soon(), &error));
    CHECK_CODE(c, BB_OK, authorize(c, key_access(c, 1, CHATBOT)));
    kept = write_one(c, &record);
    CHECK_GOOD(c);
    CHECK(c, kept.outcomes[0] == BB_UNCHANGED);
    kept_write_free(&kept);
}

typedef struct migration {
    bb_case *c;
    int32_t code;
    bb_error error;
} migration;

static void *migrate_on_own_session(void *arg)
{
    migration *m = arg;
    const bb_storage_vtable *vtable = m->c->vtable;
    void *session = NULL;

    bb_error_init(&m->error);
    m->code = vtable->session_open(m->c->store.store, soon(), &session, &m->error);
    if (m->code != BB_OK)
        return NULL;
    do {
        m->code = vtable->migrate(session, soon(), &m->error);
    } while (m->code == BB_ERR_RETRY);
    vtable->session_close(session);
    return NULL;
}

void case_migrate_together(bb_case *c)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    migration migrations[THREADS];
    int started = 0;

    fixture_open_bare(c);
    CHECK_GOOD(c);
    while (started < THREADS) {
        migrations[started].c = c;
        if (pthread_create(&threads[started], NULL, migrate_on_own_session, &migrations[started]) !=
            0)
            break;
        started++;
    }
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    CHECK(c, started == THREADS);
    for (int i = 0; i < THREADS; i++) {
        if (migrations[i].code != BB_OK)
            case_fail_code(c, __FILE__, __LINE__, migrations[i].error.message, migrations[i].code,
                           BB_OK);
    }
    CHECK_GOOD(c);
    CHECK_CODE(c, BB_OK, add_chatbot(c, CHATBOT, WORKSPACE));
}

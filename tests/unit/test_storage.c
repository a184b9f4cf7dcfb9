/*
 * test_storage.c: making a storage of a table, and opening one by its URI.
 */
#include "scripted.h"

#include "bb_contacts/backends.h"
#include "execute/storage.h"

/* ---------------------------------------------------------------------------------- the table */

static void expect_refused(const bb_storage_vtable *table)
{
    bb_storage *storage;
    bb_storage *before;
    unit_memory memory;
    bb_error error;
    script s;

    script_init(&s);
    assert_int_equal(bb_storage_new(&script_table, &s, NULL, &before, NULL), BB_OK);
    storage = before;
    unit_memory_init(&memory);
    bb_error_init(&error);
    assert_int_equal(bb_storage_new(table, &s, &memory.allocator, &storage, &error),
                     BB_ERR_ARGUMENT);
    assert_int_equal(error.code, BB_ERR_ARGUMENT);
    assert_true(error.message[0] != '\0');
    assert_null(storage);
    assert_int_equal(s.store_closed, 0); /* still the caller's */
    unit_memory_check(&memory);
    assert_int_equal(bb_storage_new(table, &s, NULL, &storage, NULL), BB_ERR_ARGUMENT);
    bb_storage_close(before);
    script_destroy(&s);
}

static void test_vtable_required_functions_must_be_there(void **state)
{
    bb_storage_vtable tables[5];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(tables); i++)
        tables[i] = script_table;
    tables[0].session_open = NULL;
    tables[1].session_close = NULL;
    tables[2].authorize = NULL;
    tables[3].write = NULL;
    tables[4].name = NULL;
    for (size_t i = 0; i < COUNT_OF(tables); i++)
        expect_refused(&tables[i]);
    expect_refused(NULL);
}

static void test_vtable_size_and_version_must_be_known(void **state)
{
    bb_storage_vtable table = script_table;

    (void)state;
    table.version = 0;
    expect_refused(&table);
    table = script_table;
    for (size_t size = 0; size < offsetof(bb_storage_vtable, write_group); size++) {
        table.size = size;
        expect_refused(&table);
    }
}

static int32_t never_called(void *session, const bb_write_group *group, bb_error *error)
{
    (void)session;
    (void)group;
    (void)error;
    fail();
    return BB_ERR_INTERNAL;
}

/* A table of version 1 ends before write_group(): the bytes there are not the backend's. */
static void test_vtable_of_version_1_has_no_groups(void **state)
{
    bb_storage_vtable table = script_table;
    bb_storage *storage;
    script s;

    (void)state;
    script_init(&s);
    table.size = offsetof(bb_storage_vtable, write_group);
    table.version = 1;
    table.write_group = never_called;
    assert_int_equal(bb_storage_new(&table, &s, NULL, &storage, NULL), BB_OK);
    assert_null(storage->vtable.write_group);
    bb_storage_close(storage);
    script_destroy(&s);
}

/* There is no version between two: half a pointer is not the backend's. */
static void test_vtable_is_cut_where_a_version_ends(void **state)
{
    bb_storage_vtable table = script_table;
    bb_storage *storage;
    script s;

    (void)state;
    script_init(&s);
    table.write_group = never_called;
    table.size = offsetof(bb_storage_vtable, write_group) + 4;
    assert_int_equal(bb_storage_new(&table, &s, NULL, &storage, NULL), BB_OK);
    assert_null(storage->vtable.write_group);
    bb_storage_close(storage);
    script_destroy(&s);
}

/* A table of a version to come: larger, with members unknown here. */
static void test_vtable_of_a_newer_author_is_cut(void **state)
{
    struct {
        bb_storage_vtable table;
        unsigned char tail[256];
    } newer;
    bb_storage *storage;
    script s;

    (void)state;
    script_init(&s);
    memset(&newer, 0xEE, sizeof newer);
    newer.table = script_table;
    newer.table.size = sizeof newer;
    newer.table.version = BB_STORAGE_VERSION + 1;
    assert_int_equal(bb_storage_new(&newer.table, &s, NULL, &storage, NULL), BB_OK);
    memset(&newer, 0xDD, sizeof newer); /* it was copied */
    assert_string_equal(bb_storage_name(storage), "scripted");
    assert_int_equal(bb_storage_migrate(storage, 0, NULL), BB_OK);
    assert_string_equal(s.last_call, "migrate");
    bb_storage_close(storage);
    assert_int_equal(s.store_closed, 1);
    script_destroy(&s);
}

static void test_vtable_arguments_are_checked(void **state)
{
    bb_allocator broken = {NULL, NULL, NULL, NULL};
    bb_storage *storage = NULL;
    unit_memory memory;
    bb_error error;
    script s;

    (void)state;
    script_init(&s);
    unit_memory_init(&memory);
    bb_error_init(&error);
    assert_int_equal(bb_storage_new(&script_table, &s, NULL, NULL, &error), BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_new(&script_table, &s, &broken, &storage, &error), BB_ERR_ARGUMENT);
    unit_memory_fail(&memory, 1, 0);
    assert_int_equal(bb_storage_new(&script_table, &s, &memory.allocator, &storage, &error),
                     BB_ERR_NOMEM);
    assert_int_equal(error.code, BB_ERR_NOMEM);
    assert_null(storage);
    assert_int_equal(s.store_closed, 0);
    unit_memory_check(&memory);
    bb_storage_close(NULL);
    assert_string_equal(bb_storage_name(NULL), "");
    script_destroy(&s);
}

static void test_vtable_what_is_left_out_is_unsupported(void **state)
{
    bb_storage_vtable table = script_table;
    bb_key_options options;
    char out[BB_KEY_SIZE] = "as it was";
    bb_storage *storage;
    bb_error error;
    script s;

    (void)state;
    script_init(&s);
    bb_error_init(&error);
    table.close = NULL;
    table.migrate = NULL;
    table.chatbot_add = NULL;
    table.chatbot_archive = NULL;
    table.key_add = NULL;
    table.key_revoke = NULL;
    assert_int_equal(bb_storage_new(&table, &s, NULL, &storage, NULL), BB_OK);
    assert_int_equal(bb_storage_migrate(storage, 0, NULL), BB_OK); /* nothing to bring up to date */
    assert_int_equal(bb_storage_chatbot_add(storage, 1, 1, 0, &error), BB_ERR_UNSUPPORTED);
    assert_int_equal(error.code, BB_ERR_UNSUPPORTED);
    assert_true(error.message[0] != '\0');
    assert_int_equal(bb_storage_chatbot_archive(storage, 1, 1, 0, NULL), BB_ERR_UNSUPPORTED);
    bb_key_options_init(&options);
    options.workspace_id = 1;
    assert_int_equal(bb_storage_key_add(storage, &options, out, sizeof out, 0, NULL),
                     BB_ERR_UNSUPPORTED);
    assert_string_equal(out, "as it was");
    assert_int_equal(bb_storage_key_revoke(storage, "oc_a_b", 6, 0, NULL), BB_ERR_UNSUPPORTED);
    bb_storage_close(storage);
    script_destroy(&s);
}

/* ------------------------------------------------------------------------------------- openers */

static void test_open_URIs_name_their_backend(void **state)
{
    static const char *const bad[] = {"",
                                      "memory",
                                      "memory:x",
                                      "Memory:",
                                      "sqlite",
                                      "file:secret.db",
                                      "postgres:secret",
                                      "postgresql:/secret",
                                      "mysql://u:secret@h/d",
                                      " memory:"};
    bb_storage *storage = NULL;
    bb_error error;

    (void)state;
    bb_error_init(&error);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(bb_storage_open(bad[i], strlen(bad[i]), NULL, &storage, &error),
                         BB_ERR_ARGUMENT);
        assert_null(storage);
        assert_null(strstr(error.message, "secret"));
    }
    assert_int_equal(bb_storage_open(NULL, 0, NULL, &storage, &error), BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_open("memory:", 7, NULL, NULL, &error), BB_ERR_ARGUMENT);
#ifdef BB_WITH_MEMORY
    assert_int_equal(bb_storage_open("memory:x", 7, NULL, &storage, &error), BB_OK);
    assert_string_equal(bb_storage_name(storage), "memory");
    bb_storage_close(storage);
#else
    assert_int_equal(bb_storage_open("memory:", 7, NULL, &storage, &error), BB_ERR_UNSUPPORTED);
#endif
}

/* Each opener with something that it refuses. */
static int32_t open_new(bb_storage **out)
{
    return bb_storage_new(NULL, NULL, NULL, out, NULL);
}

static int32_t open_nothing(bb_storage **out)
{
    return bb_storage_open(NULL, 0, NULL, out, NULL);
}

static int32_t open_unknown(bb_storage **out)
{
    return bb_storage_open("mysql:", 6, NULL, out, NULL);
}

static int32_t open_bad_memory(bb_storage **out)
{
    bb_storage_options options = {.size = 1};

    return bb_storage_open_memory(&options, out, NULL);
}

static int32_t open_bad_sqlite(bb_storage **out)
{
    return bb_storage_open_sqlite("", 0, NULL, out, NULL);
}

static int32_t open_bad_sqlite_uri(bb_storage **out)
{
    return bb_storage_open("sqlite:", 7, NULL, out, NULL);
}

static int32_t open_bad_postgres(bb_storage **out)
{
    return bb_storage_open_postgres(NULL, 1, NULL, out, NULL);
}

static int32_t open_bad_postgres_options(bb_storage **out)
{
    bb_postgres_options options = {.size = 1};

    return bb_storage_open_postgres_with("", 0, NULL, &options, out, NULL);
}

static int32_t open_bad_postgres_conninfo(bb_storage **out)
{
    return bb_storage_open_postgres_with("host='", 6, NULL, NULL, out, NULL);
}

static int32_t open_bad_postgres_uri(bb_storage **out)
{
    return bb_storage_open("postgres://[", 12, NULL, out, NULL);
}

/* A host may close `*out` after any failure, whatever it was before. */
static void test_open_sets_its_output_to_NULL_when_it_fails(void **state)
{
    static int32_t (*const openers[])(bb_storage * *out) = {open_new,
                                                            open_nothing,
                                                            open_unknown,
                                                            open_bad_memory,
                                                            open_bad_sqlite,
                                                            open_bad_sqlite_uri,
                                                            open_bad_postgres,
                                                            open_bad_postgres_options,
                                                            open_bad_postgres_conninfo,
                                                            open_bad_postgres_uri};
    max_align_t room;
    bb_contacts *contacts = (bb_contacts *)&room; /* not NULL, for the openers to change */
    bb_config config = {.size = 1};
    bb_storage *good;
    script s;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(openers); i++) {
        bb_storage *storage = (bb_storage *)&room;
        assert_int_not_equal(openers[i](&storage), BB_OK);
        if (storage != NULL)
            fail_msg("opener %zu", i);
        assert_int_not_equal(openers[i](NULL), BB_OK);
    }
    script_init(&s);
    assert_int_equal(bb_storage_new(&script_table, &s, NULL, &good, NULL), BB_OK);
    assert_int_not_equal(bb_contacts_open(NULL, NULL, &contacts, NULL), BB_OK);
    assert_null(contacts);
    contacts = (bb_contacts *)&room;
    assert_int_not_equal(bb_contacts_open(good, &config, &contacts, NULL), BB_OK);
    assert_null(contacts);
    bb_storage_close(good);
    script_destroy(&s);
}

#ifdef BB_WITH_MEMORY

static void test_open_memory_options_are_checked(void **state)
{
    bb_allocator partial = {NULL, NULL, NULL, NULL};
    bb_storage_options options;
    bb_storage *storage = NULL;

    (void)state;
    bb_storage_options_init(&options);
    options.allocator = &partial;
    assert_int_equal(bb_storage_open_memory(&options, &storage, NULL), BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_open_memory(NULL, NULL, NULL), BB_ERR_ARGUMENT);
    bb_storage_options_init(&options);
    options.size--;
    assert_int_equal(bb_storage_open_memory(&options, &storage, NULL), BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_open("memory:", 7, &options, &storage, NULL), BB_ERR_ARGUMENT);
    assert_null(storage);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef BB_WITH_MEMORY
        cmocka_unit_test(test_open_memory_options_are_checked),
#endif
        cmocka_unit_test(test_vtable_required_functions_must_be_there),
        cmocka_unit_test(test_vtable_size_and_version_must_be_known),
        cmocka_unit_test(test_vtable_of_version_1_has_no_groups),
        cmocka_unit_test(test_vtable_is_cut_where_a_version_ends),
        cmocka_unit_test(test_vtable_of_a_newer_author_is_cut),
        cmocka_unit_test(test_vtable_arguments_are_checked),
        cmocka_unit_test(test_vtable_what_is_left_out_is_unsupported),
        cmocka_unit_test(test_open_URIs_name_their_backend),
        cmocka_unit_test(test_open_sets_its_output_to_NULL_when_it_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

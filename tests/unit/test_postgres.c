/*
 * test_postgres.c: the PostgreSQL backend by those parts that need no server: locks, parameters,
 * hosts, SQLSTATEs, and what is refused before anything is sent (E7, E11, A5).
 */
#include "unit.h"

#include "bb_contacts/backends.h"

#ifdef BB_WITH_POSTGRES

#include "backends/postgres/marshal/access.h"
#include "backends/postgres/marshal/locks.h"
#include "backends/postgres/wire/connection.h"
#include "backends/postgres/wire/hosts.h"
#include "backends/postgres/wire/sqlstate.h"
#include "util/alloc.h"

/* ------------------------------------------------------------------------------------- opening */

static int32_t open_with(const char *conninfo, size_t len, bb_error *error)
{
    bb_storage *storage = NULL;
    int32_t code = bb_storage_open_postgres(conninfo, len, NULL, &storage, error);

    if (code != BB_OK)
        assert_null(storage);
    bb_storage_close(storage);
    return code;
}

static void test_A5_a_faulty_connection_string_is_not_repeated(void **state)
{
    static const char *const bad[] = {"host=x passwort=secret", "postgresql://u:secret@[::1",
                                      "password='secret", "postgresql://u:secret@h/d?secret=1"};
    bb_error error;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        bb_error_init(&error);
        assert_int_equal(open_with(bad[i], strlen(bad[i]), &error), BB_ERR_ARGUMENT);
        assert_null(strstr(error.message, "secret"));
    }
}

static void test_open_arguments_are_checked(void **state)
{
    bb_storage *storage = NULL;
    bb_allocator partial = {NULL, NULL, NULL, NULL};
    bb_storage_options options;
    bb_postgres_options postgres;
    bb_error error;

    (void)state;
    bb_error_init(&error);
    assert_int_equal(open_with("host=a\0b", 8, &error), BB_ERR_ARGUMENT);
    assert_int_equal(open_with(NULL, 1, &error), BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_open_postgres("", 0, NULL, NULL, &error), BB_ERR_ARGUMENT);
    bb_storage_options_init(&options);
    options.allocator = &partial;
    assert_int_equal(bb_storage_open_postgres("", 0, &options, &storage, &error), BB_ERR_ARGUMENT);
    bb_storage_options_init(&options);
    options.size--;
    assert_int_equal(bb_storage_open_postgres("", 0, &options, &storage, &error), BB_ERR_ARGUMENT);
    bb_postgres_options_init(&postgres);
    postgres.size--;
    assert_int_equal(bb_storage_open_postgres_with("", 0, NULL, &postgres, &storage, &error),
                     BB_ERR_ARGUMENT);
    assert_null(storage);
}

/* Each name is put into SQL in quotes, and one that is no name is refused. */
static void test_open_names_are_checked(void **state)
{
    char out[20000];
    char long_name[65];
    bb_postgres_options options;
    size_t len;

    (void)state;
    memset(long_name, 'a', sizeof long_name);
    for (size_t name_len = 63; name_len <= 64; name_len++) {
        bb_postgres_options_init(&options);
        options.contacts_table = long_name;
        options.contacts_table_len = name_len;
        assert_int_equal(bb_postgres_schema_sql(&options, 0, out, sizeof out, &len, NULL),
                         name_len == 63 ? BB_OK : BB_ERR_ARGUMENT);
    }
    bb_postgres_options_init(&options);
    options.schema = "a\";DROP TABLE x;--";
    options.schema_len = strlen(options.schema);
    assert_int_equal(bb_postgres_schema_sql(&options, 0, out, sizeof out, &len, NULL), BB_OK);
    assert_non_null(strstr(out, "CREATE SCHEMA \"a\"\";DROP TABLE x;--\";"));
    options.schema_len = 0;
    assert_int_equal(bb_postgres_schema_sql(&options, 0, out, sizeof out, &len, NULL),
                     BB_ERR_ARGUMENT);
    options.schema = "a\0b";
    options.schema_len = 3;
    assert_int_equal(bb_postgres_schema_sql(&options, 0, out, sizeof out, &len, NULL),
                     BB_ERR_ARGUMENT);
}

static void test_A2_opening_while_memory_fails(void **state)
{
    unit_memory memory;
    bb_storage_options options;
    bb_storage *storage = NULL;
    int32_t code = BB_ERR_NOMEM;
    size_t n = 0;

    (void)state;
    unit_memory_init(&memory);
    bb_storage_options_init(&options);
    options.allocator = &memory.allocator;
    for (; code != BB_OK; code = bb_storage_open_postgres("", 0, &options, &storage, NULL)) {
        assert_int_equal(code, BB_ERR_NOMEM);
        assert_null(storage);
        assert_int_equal(memory.live, 0);
        unit_memory_fail(&memory, ++n, 0);
    }
    assert_in_range(n, 10, 400);
    bb_storage_close(storage);
    unit_memory_check(&memory);
}

/* ------------------------------------------------------------------------------------- hosts */

static size_t count_hosts(const char *conninfo)
{
    bb_pg_hosts hosts;
    size_t count;

    assert_int_equal(bb_pg_hosts_read(&hosts, conninfo), 1);
    count = hosts.count;
    bb_pg_hosts_free(&hosts);
    return count;
}

static void test_E11_host_lists_out_of_order_are_libpqs(void **state)
{
    char *name = repeat("h", 300);
    char conninfo[700];
    bb_pg_hosts hosts;

    (void)state;
    assert_int_equal(bb_pg_hosts_read(&hosts, "host="), 1);
    bb_pg_hosts_free(&hosts);
    assert_int_equal(bb_pg_hosts_read(&hosts, "nonsense"), 0);
    snprintf(conninfo, sizeof conninfo, "host=a,%s", name);
    assert_int_equal(count_hosts(conninfo), 1);
    snprintf(conninfo, sizeof conninfo, "host=%s,b port=1,2", name);
    assert_int_equal(count_hosts(conninfo), 1);
    assert_int_equal(count_hosts("host=a,b,c port=1,2"), 1);
    assert_int_equal(count_hosts("host=a,,c"), 3);
    free(name);
}

/* ------------------------------------------------------------------------- locks, parameters */

static void find_locks(const bb_write *write, bb_pg_locks *locks)
{
    bb_allocator allocator = bb_allocator_or_default(NULL);
    bb_pg_group group;

    assert_int_equal(bb_pg_group_init(&group, &allocator, &write, 1, NULL), BB_OK);
    assert_int_equal(bb_pg_locks_init(locks, &group, NULL), BB_OK);
    bb_pg_group_free(&group);
}

static void test_E7_locks_are_sorted_and_told_once(void **state)
{
    const char *const keys[] = {"a", "a", "b", "b", "c"};
    bb_record records[COUNT_OF(keys)];
    const bb_record *pointers[COUNT_OF(keys)];
    bb_access access = {.size = sizeof access, .chatbot_id = 1};
    bb_write write = {.size = sizeof write,
                      .access = &access,
                      .records = pointers,
                      .record_count = COUNT_OF(keys)};
    bb_pg_locks locks;
    bb_pg_locks others;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        records[i] = (bb_record){.size = sizeof records[i], .external_id = slice_of(keys[i])};
        pointers[i] = &records[i];
    }
    find_locks(&write, &locks);
    assert_int_equal(locks.shared.count, 1);
    assert_int_equal(locks.exclusive.count, 3);
    for (size_t i = 1; i < locks.exclusive.count; i++)
        assert_true(locks.exclusive.locks[i - 1].number < locks.exclusive.locks[i].number);
    access.chatbot_id = 2;
    find_locks(&write, &others);
    assert_true(others.shared.locks[0].number != locks.shared.locks[0].number);
    for (size_t i = 0; i < others.exclusive.count; i++)
        assert_true(others.exclusive.locks[i].number != locks.exclusive.locks[i].number);
}

static void test_E11_a_message_that_the_server_would_refuse_is_not_made(void **state)
{
    bb_allocator allocator;
    unit_memory memory;
    bb_pg_params params;
    bb_error error;

    (void)state;
    unit_memory_init(&memory);
    allocator = memory.allocator;
    bb_error_init(&error);
    bb_pg_params_init(&params, &allocator);
    assert_int_equal(bb_pg_params_reserve(&params, (size_t)1 << 30, &error), BB_ERR_INTERNAL);
    assert_int_equal(memory.calls, 0);
    unit_memory_fail(&memory, 1, 0);
    assert_int_equal(bb_pg_params_reserve(&params, 100, &error), BB_ERR_NOMEM);
    bb_pg_params_free(&params);
    unit_memory_check(&memory);
}

static void test_E3_times_are_bounded(void **state)
{
    char bytes[8] = {0x7F, -1, -1, -1, -1, -1, -1, -1};

    (void)state;
    assert_true(bb_pg_get_time(bytes) == INT64_MAX); /* "infinity" */
    memset(bytes, 0, sizeof bytes);
    assert_true(bb_pg_get_time(bytes) == INT64_C(946684800000000));
}

/* ------------------------------------------------------------------------------------- errors */

static void test_E11_sqlstates(void **state)
{
    static const struct {
        const char *sqlstate;
        int32_t code;
    } expectations[] = {
        {"23505", BB_ERR_CONFLICT},    {"23502", BB_ERR_INTERNAL},    {"40001", BB_ERR_RETRY},
        {"40P01", BB_ERR_RETRY},       {"40003", BB_ERR_LOST},        {"55P03", BB_ERR_BUSY},
        {"57014", BB_ERR_BUSY},        {"57P01", BB_ERR_LOST},        {"57P03", BB_ERR_UNAVAILABLE},
        {"53100", BB_ERR_UNAVAILABLE}, {"53300", BB_ERR_UNAVAILABLE}, {"25006", BB_ERR_UNAVAILABLE},
        {"08006", BB_ERR_UNAVAILABLE}, {"28P01", BB_ERR_UNAVAILABLE}, {"42P01", BB_ERR_SCHEMA},
        {"42501", BB_ERR_INTERNAL},    {"XX000", BB_ERR_INTERNAL},    {"", BB_ERR_INTERNAL},
        {"5", BB_ERR_INTERNAL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(expectations); i++)
        assert_int_equal(bb_pg_sqlstate_code(expectations[i].sqlstate), expectations[i].code);
}

static void test_A5_messages_are_one_line(void **state)
{
    bb_error error;

    (void)state;
    bb_error_init(&error);
    assert_int_equal(bb_pg_error(&error, BB_ERR_LOST, "57P01", "one\n\ttwo \r\n"), BB_ERR_LOST);
    assert_string_equal(error.message, "one  two");
    assert_string_equal(error.sqlstate, "57P01");
    assert_int_equal(bb_pg_error(&error, BB_ERR_LOST, "of another length", NULL), BB_ERR_LOST);
    assert_string_equal(error.message, "");
    assert_string_equal(error.sqlstate, "");
    assert_int_equal(bb_pg_error(NULL, BB_ERR_LOST, "57P01", "x"), BB_ERR_LOST);
}

/* A result that is no decision lets nobody in. */
static void test_B3_a_result_that_is_none_is_no_access(void **state)
{
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    bb_error error;

    (void)state;
    bb_error_init(&error);
    assert_int_equal(bb_pg_decision(result, &error), BB_ERR_INTERNAL);
    PQclear(result);
}

static void test_E11_a_connection_without_a_socket_is_lost(void **state)
{
    PGconn *conn = PQconnectStart("nonsense");

    (void)state;
    assert_non_null(conn);
    assert_int_equal(bb_pg_wait(conn, 0, bb_deadline_in(60000)), BB_ERR_LOST);
    PQfinish(conn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_A5_a_faulty_connection_string_is_not_repeated),
        cmocka_unit_test(test_open_arguments_are_checked),
        cmocka_unit_test(test_open_names_are_checked),
        cmocka_unit_test(test_A2_opening_while_memory_fails),
        cmocka_unit_test(test_E11_host_lists_out_of_order_are_libpqs),
        cmocka_unit_test(test_E7_locks_are_sorted_and_told_once),
        cmocka_unit_test(test_E11_a_message_that_the_server_would_refuse_is_not_made),
        cmocka_unit_test(test_E3_times_are_bounded),
        cmocka_unit_test(test_E11_sqlstates),
        cmocka_unit_test(test_A5_messages_are_one_line),
        cmocka_unit_test(test_B3_a_result_that_is_none_is_no_access),
        cmocka_unit_test(test_E11_a_connection_without_a_socket_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    return 77; /* skipped: there is no PostgreSQL backend in this build */
}

#endif

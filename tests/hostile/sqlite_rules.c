/*
 * sqlite_rules.c: a host has made triggers and unique indexes on the contacts, or has written to
 * them itself: answers say what is stored, or are errors that the log explains (A2, A3, E1, E2,
 * E10, E11).
 */
#include "hostile/sqlite_host.h"

/* Sends a body; the answer has this status and, in this order, these texts. */
static void expect_texts(const host *h, const char *body, int32_t wanted, const char *const *texts)
{
    bb_result *result = host_send(h, body, TEST_PATIENCE_MS);
    int32_t status = bb_result_http_status(result);
    const char *answer = bb_result_body(result, NULL);
    const char *at = answer;

    CHECK_MSG(status == wanted, "%s: %d", body, status);
    for (size_t i = 0; texts[i] != NULL && at != NULL; i++) {
        at = strstr(at, texts[i]);
        CHECK_MSG(at != NULL, "%s: %s misses %s", body, answer, texts[i]);
    }
    bb_result_free(result);
}

#define EXPECT(h, body, status, ...) \
    expect_texts(h, body, status, (const char *const[]){__VA_ARGS__, NULL})

static int64_t count(const host *h, const char *condition)
{
    char sql[200];

    snprintf(sql, sizeof sql, "SELECT count(*) FROM bb_contacts WHERE %s", condition);
    return host_ask(h->path, sql);
}

/* ------------------------------------------------------------------------------------ triggers */

static void test_E11_a_trigger_that_skips_an_insert(void)
{
    host h;

    host_open(&h);
    host_run(&h, "CREATE TRIGGER skip BEFORE INSERT ON bb_contacts WHEN NEW.name = 'no'"
                 " BEGIN SELECT RAISE(IGNORE); END");
    EXPECT(&h, "{\"users\":[{\"external_id\":\"x\"},{\"external_id\":\"y\",\"name\":\"no\"}]}", 500,
           "Internal server error");
    CHECK_MSG(host_was_told(&h, "of chatbot 123 from being stored: y"), "the log says which");
    CHECK_MSG(count(&h, "external_id IN ('x', 'y')") == 0, "A2: nothing is stored");
    EXPECT(&h, "{\"users\":[{\"external_id\":\"x\"}]}", 200, "\"external_id\":\"x\"");
    host_close(&h);
}

static void test_E11_a_trigger_that_skips_an_update(void)
{
    host h;

    host_open(&h);
    host_run(&h, "CREATE TRIGGER skip BEFORE UPDATE ON bb_contacts WHEN NEW.name = 'no'"
                 " BEGIN SELECT RAISE(IGNORE); END");
    EXPECT(&h, "{\"users\":[{\"external_id\":\"a\",\"name\":\"no\"}]}", 500, "Internal");
    CHECK_MSG(host_was_told(&h, "of chatbot 123 from being stored: a"), "the log says which");
    EXPECT(&h, "{\"users\":[{\"external_id\":\"a\",\"name\":\"yes\"}]}", 200, "\"name\":\"yes\"");
    host_close(&h);
}

static void test_E2_triggers_that_change_what_was_written(void)
{
    host h;

    host_open(&h);
    host_run(&h, "CREATE TRIGGER made AFTER INSERT ON bb_contacts BEGIN"
                 " UPDATE bb_contacts SET email = lower(email) WHERE id = NEW.id;"
                 " UPDATE bb_contacts SET email = NULL WHERE email = lower(NEW.email)"
                 " AND id <> NEW.id; END;"
                 "CREATE TRIGGER changed AFTER UPDATE OF name ON bb_contacts BEGIN"
                 " UPDATE bb_contacts SET phonenumber = upper(NEW.name) WHERE id = NEW.id; END");
    /* the second takes the first one's address away */
    EXPECT(&h,
           "{\"users\":[{\"external_id\":\"x\",\"email\":\"M@X\"},"
           "{\"external_id\":\"y\",\"email\":\"m@X\"}]}",
           200, "\"x\"", "\"email\":null", "\"y\"", "\"email\":\"m@x\"");
    EXPECT(&h, "{\"users\":[{\"external_id\":\"y\",\"name\":\"yes\"}]}", 200, "\"name\":\"yes\"",
           "\"phonenumber\":\"YES\"");
    /* two entries that change nothing between them: outcomes need the contact as it was */
    EXPECT(&h,
           "{\"users\":[{\"external_id\":\"y\",\"name\":\"no\"},"
           "{\"external_id\":\"y\",\"name\":\"yes\"},{\"external_id\":\"x\"}]}",
           200, "\"name\":\"yes\"", "\"name\":\"yes\"", "\"x\"");
    CHECK_MSG(count(&h, "external_id = 'y' AND email = 'm@x' AND phonenumber = 'YES'") == 1,
              "stored");
    host_run(&h, "DROP TRIGGER made; DROP TRIGGER changed");
    EXPECT(&h, "{\"users\":[{\"external_id\":\"z\",\"email\":\"M@X\"}]}", 200, "\"M@X\"");
    host_close(&h);
}

static void test_E11_a_trigger_that_changes_the_key(void)
{
    host h;

    host_open(&h);
    host_run(&h, "CREATE TRIGGER renames AFTER INSERT ON bb_contacts BEGIN"
                 " UPDATE bb_contacts SET external_id = 'other-' || external_id WHERE id = NEW.id;"
                 " END");
    EXPECT(&h, "{\"users\":[{\"external_id\":\"x\"}]}", 500, "Internal server error");
    CHECK_MSG(host_was_told(&h, "of chatbot 123 from being stored: x"), "the log says which");
    CHECK_MSG(count(&h, "external_id LIKE '%x'") == 0, "A2: nothing is stored");
    host_close(&h);
}

/* A trigger's refusal is an error of the host's, even one that undoes all. */
static void test_E11_triggers_that_refuse(void)
{
    static const char *const ways[] = {"ABORT", "FAIL", "ROLLBACK"};
    char sql[200];
    host h;

    host_open(&h);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        snprintf(sql, sizeof sql,
                 "CREATE TRIGGER refuses BEFORE INSERT ON bb_contacts WHEN NEW.name = 'no'"
                 " BEGIN SELECT RAISE(%s, 'no such names'); END",
                 ways[i]);
        host_run(&h, sql);
        EXPECT(&h, "{\"users\":[{\"external_id\":\"x\"},{\"external_id\":\"y\",\"name\":\"no\"}]}",
               500, "Internal server error");
        CHECK_MSG(host_was_told(&h, "no such names"), "the log says why");
        CHECK_MSG(count(&h, "external_id IN ('x', 'y')") == 0, "A2: nothing is stored");
        host_run(&h, "DROP TRIGGER refuses");
    }
    EXPECT(&h, "{\"users\":[{\"external_id\":\"x\"}]}", 200, "\"external_id\":\"x\"");
    host_close(&h);
}

/* -------------------------------------------------------------------------- values handed over */

static void test_E1_a_value_that_is_handed_over(void)
{
    host h;

    host_open(&h);
    host_run(&h, "CREATE UNIQUE INDEX host_email ON bb_contacts (chatbot_id, email)");
    EXPECT(&h, "{\"users\":[{\"external_id\":\"b\",\"email\":\"e\"}]}", 200, "\"email\":\"e\"");
    EXPECT(&h,
           "{\"users\":[{\"external_id\":\"b\",\"email\":null},"
           "{\"external_id\":\"a\",\"email\":\"e\"}]}",
           200, "\"b\"", "\"email\":null", "\"a\"", "\"email\":\"e\"");
    /* a chain, each link of which comes too early in the order of keys, and a new contact */
    EXPECT(&h,
           "{\"users\":[{\"external_id\":\"b\",\"email\":\"f\"},"
           "{\"external_id\":\"c\",\"email\":\"g\"}]}",
           200, "\"f\"", "\"g\"");
    EXPECT(&h,
           "{\"users\":[{\"external_id\":\"c\",\"email\":\"h\"},"
           "{\"external_id\":\"b\",\"email\":\"g\"},{\"external_id\":\"a\",\"email\":\"f\"},"
           "{\"external_id\":\"0\",\"email\":\"e\"}]}",
           200, "\"h\"", "\"g\"", "\"f\"", "\"e\"");
    /* a rule that stays broken is a refusal, and nothing is stored */
    EXPECT(&h,
           "{\"users\":[{\"external_id\":\"c\",\"email\":null},"
           "{\"external_id\":\"a\",\"email\":\"h\"},{\"external_id\":\"d\",\"email\":\"g\"}]}",
           409, "External ID or email already exists.");
    CHECK_MSG(count(&h, "external_id = 'a' AND email = 'f'") == 1, "A2: nothing is stored");
    CHECK_MSG(host_ask(h.path, "SELECT seq - (SELECT max(id) FROM bb_contacts) FROM sqlite_sequence"
                               " WHERE name = 'bb_contacts'") == 0,
              "E4: no id is used up");
    host_close(&h);
}

/* -------------------------------------------------------- what the host wrote into the columns */

static void test_A3_columns_that_no_answer_can_hold(void)
{
    static const char *const values[] = {
        "custom_attributes = 'NaN'",      "custom_attributes = ''",
        "custom_attributes = '[]'",       "custom_attributes = '{}}'",
        "custom_attributes = '{\"a\":1'", "custom_attributes = x'FF'",
        "stripe_accounts = '{}'",         "stripe_accounts = '[],\"x\":[]'",
        "name = CAST(x'61FF' AS TEXT)",   "email = CAST(x'EDA080' AS TEXT)",
    };
    char sql[200];
    host h;

    host_open(&h);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        snprintf(sql, sizeof sql, "UPDATE bb_contacts SET %s WHERE external_id = 'a'", values[i]);
        host_run(&h, sql);
        EXPECT(&h, "{\"users\":[{\"external_id\":\"a\"},{\"external_id\":\"0\"}]}", 500,
               "Internal");
        CHECK_MSG(host_was_told(&h, "contact_1 of chatbot 123 "), "%s: the log says which",
                  values[i]);
        CHECK_MSG(count(&h, "external_id = '0'") == 0, "A2: nothing is stored");
        EXPECT(&h, "{\"users\":[{\"external_id\":\"first-1\"}]}", 200, "first-1");
        EXPECT(&h,
               "{\"users\":[{\"external_id\":\"a\",\"name\":null,\"email\":\"e\","
               "\"stripe_accounts\":[],\"custom_attributes\":{}}]}",
               200, "\"custom_attributes\":{}");
    }
    /* in any spelling, and beyond the limits of a request */
    host_run(&h, "UPDATE bb_contacts SET custom_attributes = ' { \"a\" : 1e999 } ',"
                 " stripe_accounts = replace(hex(zeroblob(300)), '0', '[') ||"
                 " replace(hex(zeroblob(300)), '0', ']') WHERE external_id = 'a'");
    EXPECT(&h, "{\"users\":[{\"external_id\":\"a\"}]}", 200, "[[[[", "1e999");
    host_close(&h);
}

int main(void)
{
    CHECK_TEST(test_E11_a_trigger_that_skips_an_insert());
    CHECK_TEST(test_E11_a_trigger_that_skips_an_update());
    CHECK_TEST(test_E2_triggers_that_change_what_was_written());
    CHECK_TEST(test_E11_a_trigger_that_changes_the_key());
    CHECK_TEST(test_E11_triggers_that_refuse());
    CHECK_TEST(test_E1_a_value_that_is_handed_over());
    CHECK_TEST(test_A3_columns_that_no_answer_can_hold());
    return check_status();
}

/*
 * cases_authorize.c: who may write where (B1 to B4), asked of authorize() and of write() alike.
 */
#include "cases.h"

/* The answer to a write of one record, which is made only for this. */
static int32_t write_code(bb_case *c, const bb_access *access)
{
    bb_record record = record_of("authorize");
    kept_write kept = write_as(c->session, c->vtable, access, &record, 1, SIZE_MAX);
    int32_t code = kept.code;

    if (code != BB_OK && kept.puts != 0)
        case_fail(c, __FILE__, __LINE__, "no put() from a write that is refused");
    kept_write_free(&kept);
    return code;
}

/* Fails the case unless both functions answer `expected`. */
static void expect(bb_case *c, int line, const bb_access *access, int32_t expected)
{
    bb_error error;
    int32_t code;

    bb_error_init(&error);
    code = c->vtable->authorize(c->session, access, &error);
    if (code != expected)
        case_fail_code(c, __FILE__, line, "authorize()", code, expected);
    code = write_code(c, access);
    if (code != expected)
        case_fail_code(c, __FILE__, line, "write()", code, expected);
}

#define EXPECT(c, expected, make_access)             \
    do {                                             \
        bb_access access_ = make_access;             \
        expect((c), __LINE__, &access_, (expected)); \
        CHECK_GOOD(c);                               \
    } while (0)

void case_dead_keys(bb_case *c)
{
    bb_error error;

    bb_error_init(&error);
    fixture_open(c);
    CHECK_GOOD(c);
    EXPECT(c, BB_OK, key_access(c, 1, CHATBOT));
    EXPECT(c, BB_ERR_UNKNOWN_KEY, key_access(c, 2, CHATBOT));
    CHECK_CODE(c, BB_OK, add_key(c, 2, WORKSPACE, 0, 0));
    EXPECT(c, BB_OK, key_access(c, 2, CHATBOT));
    CHECK_CODE(c, BB_OK, c->vtable->key_revoke(c->session, key_hash(2), c->now_us, soon(), &error));
    EXPECT(c, BB_ERR_UNKNOWN_KEY, key_access(c, 2, CHATBOT));
    EXPECT(c, BB_OK, key_access(c, 1, CHATBOT));
    CHECK_CODE(c, BB_OK, add_key(c, 3, WORKSPACE, 0, c->now_us - 1));
    EXPECT(c, BB_ERR_UNKNOWN_KEY, key_access(c, 3, CHATBOT));
}

void case_expiry(bb_case *c)
{
    int64_t expires_at_us = START_US + 5000001;

    fixture_open(c);
    CHECK_GOOD(c);
    CHECK_CODE(c, BB_OK, add_key(c, 2, WORKSPACE, 0, expires_at_us));
    c->now_us = expires_at_us - 1;
    EXPECT(c, BB_OK, key_access(c, 2, CHATBOT));
    c->now_us = expires_at_us;
    EXPECT(c, BB_ERR_UNKNOWN_KEY, key_access(c, 2, CHATBOT));
    c->now_us = expires_at_us + 1;
    EXPECT(c, BB_ERR_UNKNOWN_KEY, key_access(c, 2, CHATBOT));
    /* the request's time decides, not the store's clock, which is years ahead of START_US */
    c->now_us = START_US;
    EXPECT(c, BB_OK, key_access(c, 2, CHATBOT));
}

void case_key_hash_bytes(bb_case *c)
{
    uint8_t hash[BB_KEY_HASH_SIZE];

    fixture_open(c);
    CHECK_GOOD(c);
    for (uint8_t number = 2; number < 8; number++) {
        EXPECT(c, BB_ERR_UNKNOWN_KEY, key_access(c, number, CHATBOT));
        CHECK_CODE(c, BB_OK, add_key(c, number, WORKSPACE, 0, 0));
        EXPECT(c, BB_OK, key_access(c, number, CHATBOT));
    }
    for (size_t i = 0; i < sizeof hash; i++) {
        bb_access access = key_access(c, 4, CHATBOT);
        memcpy(hash, key_hash(4), sizeof hash);
        hash[i] ^= 0x20; /* a letter's other case */
        access.key_hash = hash;
        expect(c, __LINE__, &access, BB_ERR_UNKNOWN_KEY);
        CHECK_GOOD(c);
    }
}

void case_scope(bb_case *c)
{
    bb_error error;

    bb_error_init(&error);
    fixture_open(c);
    CHECK_GOOD(c);
    CHECK_CODE(c, BB_OK, add_key(c, 2, WORKSPACE, CHATBOT, 0));
    EXPECT(c, BB_OK, key_access(c, 1, CHATBOT));
    EXPECT(c, BB_OK, key_access(c, 1, SECOND_CHATBOT));
    EXPECT(c, BB_OK, key_access(c, 2, CHATBOT));
    EXPECT(c, BB_ERR_NOT_FOUND, key_access(c, 2, SECOND_CHATBOT));
    EXPECT(c, BB_ERR_NOT_FOUND, key_access(c, 2, FOREIGN_CHATBOT));
    EXPECT(c, BB_ERR_NOT_FOUND, key_access(c, 1, FOREIGN_CHATBOT));
    EXPECT(c, BB_ERR_NOT_FOUND, key_access(c, 1, 1));
    EXPECT(c, BB_ERR_NOT_FOUND, key_access(c, 1, INT64_MAX));
    CHECK_CODE(c, BB_OK,
               c->vtable->chatbot_archive(c->session, CHATBOT, 1, c->now_us, soon(), &error));
    EXPECT(c, BB_ERR_NOT_FOUND, key_access(c, 1, CHATBOT));
    EXPECT(c, BB_ERR_NOT_FOUND, key_access(c, 2, CHATBOT));
    EXPECT(c, BB_OK, key_access(c, 1, SECOND_CHATBOT));
}

void case_principal_scope(bb_case *c)
{
    bb_error error;

    bb_error_init(&error);
    fixture_open(c);
    CHECK_GOOD(c);
    CHECK_CODE(c, BB_OK, add_chatbot(c, INT64_MAX, INT64_MAX));
    EXPECT(c, BB_OK, principal_access(c, WORKSPACE, 0, CHATBOT));
    EXPECT(c, BB_OK, principal_access(c, WORKSPACE, CHATBOT, CHATBOT));
    EXPECT(c, BB_OK, principal_access(c, INT64_MAX, INT64_MAX, INT64_MAX));
    EXPECT(c, BB_ERR_NOT_FOUND, principal_access(c, WORKSPACE, CHATBOT, SECOND_CHATBOT));
    EXPECT(c, BB_ERR_NOT_FOUND, principal_access(c, WORKSPACE, 0, FOREIGN_CHATBOT));
    EXPECT(c, BB_ERR_NOT_FOUND, principal_access(c, OTHER_WORKSPACE, 0, CHATBOT));
    EXPECT(c, BB_ERR_NOT_FOUND, principal_access(c, OTHER_WORKSPACE, CHATBOT, CHATBOT));
    EXPECT(c, BB_ERR_NOT_FOUND, principal_access(c, WORKSPACE, 0, 1));
    EXPECT(c, BB_ERR_NOT_FOUND, principal_access(c, 99, 0, CHATBOT));
    CHECK_CODE(c, BB_OK,
               c->vtable->chatbot_archive(c->session, CHATBOT, 1, c->now_us, soon(), &error));
    EXPECT(c, BB_ERR_NOT_FOUND, principal_access(c, WORKSPACE, 0, CHATBOT));
}

void case_key_before_chatbot(bb_case *c)
{
    bb_access access;
    bb_error error;

    bb_error_init(&error);
    fixture_open(c);
    CHECK_GOOD(c);
    EXPECT(c, BB_ERR_UNKNOWN_KEY, key_access(c, 2, 1));
    EXPECT(c, BB_ERR_UNKNOWN_KEY, key_access(c, 2, FOREIGN_CHATBOT));
    /* 0 stands for a chatbot that can't exist; only authorize() is asked about it */
    access = key_access(c, 2, 0);
    CHECK_CODE(c, BB_ERR_UNKNOWN_KEY, c->vtable->authorize(c->session, &access, &error));
    access = key_access(c, 1, 0);
    CHECK_CODE(c, BB_ERR_NOT_FOUND, c->vtable->authorize(c->session, &access, &error));
    access = principal_access(c, WORKSPACE, 0, 0);
    CHECK_CODE(c, BB_ERR_NOT_FOUND, c->vtable->authorize(c->session, &access, &error));
}

void case_refused_write_stores_nothing(bb_case *c)
{
    bb_record records[2] = {record_of("a"), record_of("b")};
    bb_access refused[3];
    kept_write kept;

    fixture_open(c);
    CHECK_GOOD(c);
    set_name(&records[0], "known");
    kept = write_one(c, &records[0]);
    kept_write_free(&kept);
    set_name(&records[0], "changed by a stranger");
    refused[0] = key_access(c, 2, CHATBOT);
    refused[1] = principal_access(c, OTHER_WORKSPACE, 0, CHATBOT);
    refused[2] = principal_access(c, WORKSPACE, SECOND_CHATBOT, CHATBOT);
    for (size_t i = 0; i < 3; i++) {
        kept = write_as(c->session, c->vtable, &refused[i], records, 2, SIZE_MAX);
        CHECK(c, kept.code == BB_ERR_UNKNOWN_KEY || kept.code == BB_ERR_NOT_FOUND);
        kept_write_free(&kept);
    }
    records[0].fields = 0;
    kept = write_now(c, records, 2);
    CHECK_GOOD(c);
    CHECK(c, kept.outcomes[0] == BB_UNCHANGED);
    CHECK(c, is_text(kept.after[0].contact.name, "known"));
    CHECK(c, kept.outcomes[1] == BB_CREATED);
    kept_write_free(&kept);
}

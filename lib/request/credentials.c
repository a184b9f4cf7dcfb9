/*
 * credentials.c: who asks, and for which chatbot: section B as far as it needs no storage.
 */
#include "request/credentials.h"

#include <sodium.h>

static int is_letter_or_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The characters of a bearer token: RFC 6750, section 2.1. */
static int is_token_character(char c)
{
    return is_letter_or_digit(c) || c == '-' || c == '.' || c == '_' || c == '~' || c == '+' ||
           c == '/' || c == '=';
}

int bb_key_is_well_formed(bb_slice key)
{
    size_t env = 3; /* where <env> begins */
    size_t at = env;

    if (key.len > BB_MAX_KEY || key.len < 3 || memcmp(key.data, "oc_", 3) != 0)
        return 0;
    while (at < key.len && is_letter_or_digit(key.data[at]))
        at++;
    if (at == env || at == key.len || key.data[at] != '_' || at + 1 == key.len)
        return 0;
    for (at++; at < key.len; at++) {
        if (!is_token_character(key.data[at]))
            return 0;
    }
    return 1;
}

void bb_key_hash(bb_slice key, uint8_t hash[BB_KEY_HASH_SIZE])
{
    crypto_hash_sha256_state state;

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const unsigned char *)key.data, key.len);
    crypto_hash_sha256_final(&state, hash);
    sodium_memzero(&state, sizeof state);
}

/* White space around a header's value is not part of it: RFC 9110, section 5.5. */
static bb_slice trim(bb_slice value)
{
    while (value.len > 0 && (value.data[0] == ' ' || value.data[0] == '\t')) {
        value.data++;
        value.len--;
    }
    while (value.len > 0 && (value.data[value.len - 1] == ' ' || value.data[value.len - 1] == '\t'))
        value.len--;
    return value;
}

/* What follows "Bearer" and one or more spaces; null if the value does not begin so. */
static bb_slice bearer_token(bb_slice value)
{
    static const char scheme[] = "bearer";
    bb_slice token = {NULL, 0};
    size_t at = 0;

    for (; at < sizeof scheme - 1; at++) {
        if (at == value.len || (value.data[at] | 0x20) != scheme[at])
            return token;
    }
    if (at == value.len || value.data[at] != ' ')
        return token;
    while (at < value.len && value.data[at] == ' ')
        at++;
    token.data = value.data + at;
    token.len = value.len - at;
    return token;
}

int32_t bb_authorization_read(bb_slice header, uint8_t hash[BB_KEY_HASH_SIZE])
{
    bb_slice token;

    if (header.data != NULL)
        header = trim(header);
    if (header.data == NULL || header.len == 0)
        return BB_STATUS_NO_KEY;
    token = bearer_token(header);
    if (token.data == NULL || !bb_key_is_well_formed(token))
        return BB_STATUS_INVALID_KEY;
    bb_key_hash(token, hash);
    return BB_STATUS_SUCCESS;
}

int64_t bb_chatbot_id_read(bb_slice segment)
{
    int64_t id = 0;

    for (size_t i = 0; i < segment.len; i++) {
        int digit = segment.data[i] - '0';
        if (digit < 0 || digit > 9 || id > (INT64_MAX - digit) / 10)
            return 0;
        id = id * 10 + digit;
    }
    return id;
}

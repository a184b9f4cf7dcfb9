/*
 * fuzz_authorization.c: the Authorization header against a second reading of rule B1.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "fuzz.h"
#include "request/credentials.h"

/* B1 once more, as naive as possible: cuts a NUL-terminated copy into scheme, spaces and token. */
static int naive_status(char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    char token_characters[80];
    size_t len = strlen(text);
    char *token;
    size_t env;

    snprintf(token_characters, sizeof token_characters, "%s-._~+/=", letters);
    while (len > 0 && strchr(" \t", text[len - 1]) != NULL)
        text[--len] = '\0';
    text += strspn(text, " \t");
    if (*text == '\0')
        return BB_STATUS_NO_KEY;
    if (strncasecmp(text, "Bearer ", 7) != 0)
        return BB_STATUS_INVALID_KEY;
    token = text + 7 + strspn(text + 7, " ");
    if (strlen(token) > BB_MAX_KEY || strncmp(token, "oc_", 3) != 0)
        return BB_STATUS_INVALID_KEY;
    env = strspn(token + 3, letters);
    if (env == 0 || token[3 + env] != '_' || token[4 + env] == '\0')
        return BB_STATUS_INVALID_KEY;
    token += 4 + env;
    return token[strspn(token, token_characters)] == '\0' ? BB_STATUS_SUCCESS
                                                          : BB_STATUS_INVALID_KEY;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t hash[BB_KEY_HASH_SIZE];
    bb_slice header = {(const char *)data, size};
    char *copy = malloc(size + 1);
    int32_t status = bb_authorization_read(header, hash);

    CHECK(copy != NULL);
    memcpy(copy, data, size);
    copy[size] = '\0';
    if (memchr(data, '\0', size) != NULL)
        CHECK(status == BB_STATUS_INVALID_KEY);
    else
        CHECK(status == naive_status(copy));
    free(copy);
    CHECK(bb_chatbot_id_read(header) >= 0);
    return 0;
}

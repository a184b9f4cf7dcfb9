/*
 * fuzz_json.c: all that comes after the JSON check can rely on it.
 */
#include <cjson/cJSON.h>
#include <string.h>

#include "fuzz.h"
#include "json/check.h"
#include "json/compact.h"
#include "json/walk.h"

/* Accepted text is a subset of what cJSON accepts, up to its limit on nesting. */
static void compare_with_cjson(const char *text, size_t size, const bb_json_facts *facts)
{
    cJSON *tree;

    if (facts->depth >= CJSON_NESTING_LIMIT || facts->has_nul)
        return;
    tree = cJSON_ParseWithLength(text, size);
    CHECK(tree != NULL);
    cJSON_Delete(tree);
}

/* A compact copy is JSON and not longer. Compacting it changes nothing, and it has the same value
 * if no name was repeated. */
static void check_compaction(bb_arena *arena, bb_slice value, const bb_json_facts *facts)
{
    bb_allocator allocator = bb_allocator_or_default(NULL);
    bb_json_members members;
    bb_json_facts again;
    bb_slice once = {NULL, 0};
    bb_slice twice = {NULL, 0};
    int32_t equal = 0;
    int32_t reverse = 0;
    int is_suspect = 0;
    const bb_json_limits limits = {131072, 16383, 1 << 20};

    bb_json_members_init(&members, &allocator, arena);
    CHECK(bb_json_compact(&members, value, &limits, &once, &is_suspect) == BB_OK);
    CHECK(once.len <= value.len);
    CHECK(bb_json_check(&allocator, once.data, once.len, &again));
    CHECK(again.depth <= facts->depth && again.has_nul <= facts->has_nul);
    CHECK(!again.has_nul || is_suspect);
    CHECK(bb_json_compact(&members, once, &limits, &twice, &is_suspect) == BB_OK);
    CHECK(twice.len == once.len && memcmp(once.data, twice.data, once.len) == 0);
    CHECK(bb_json_equal(NULL, once, twice, &equal) == BB_OK && equal);
    CHECK(bb_json_equal(NULL, once, value, &equal) == BB_OK);
    CHECK(bb_json_equal(NULL, value, once, &reverse) == BB_OK && reverse == equal);
    bb_json_members_free(&members);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bb_allocator allocator = bb_allocator_or_default(NULL);
    const char *text = (const char *)data;
    bb_json_facts facts;
    bb_arena arena;
    bb_slice value;
    int32_t equal = 0;

    if (!bb_json_check(&allocator, text, size, &facts))
        return 0;
    compare_with_cjson(text, size, &facts);
    value.data = bb_json_skip_space(text, text + size);
    value.len = (size_t)(bb_json_skip_value(value.data, text + size) - value.data);
    CHECK(bb_json_skip_space(value.data + value.len, text + size) == text + size);
    CHECK(bb_json_depth(value) == facts.depth);
    CHECK(bb_json_equal(NULL, value, value, &equal) == BB_OK && equal);
    if (facts.depth > 512)
        return 0;
    bb_arena_init(&arena, &allocator);
    check_compaction(&arena, value, &facts);
    bb_arena_free(&arena);
    return 0;
}

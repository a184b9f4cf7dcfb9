/*
 * request_file.c: files of requests and responses, run through the public API.
 */
#include "support/request_file.h"

#include <dirent.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/match.h"

enum { MAX_FILES = 500, MAX_KEYS = 16 };

/* Whether a condition holds; if not, the run's problem is this text, unless it has one already. */
#define EXPECT(r, condition, ...) ((condition) ? 1 : complain((r), __VA_ARGS__))

/* ---------------------------------------------------------------------------------------- a run */

typedef struct named_key {
    const char *name;
    char text[BB_KEY_SIZE];
} named_key;

/* One file while it runs. */
typedef struct run {
    const json *file;
    const request_place *place;
    test_text *why;
    bb_contacts *contacts;
    named_key keys[MAX_KEYS];
    size_t key_count;
    _Atomic int64_t now; /* Unix seconds */
    match_memory memory;
    pthread_mutex_t mutex;
    test_text log;   /* under the mutex: every line, to be searched for keys */
    size_t step_log; /* where that of the step begins */
} run;

static int complain(const run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int complain(const run *r, const char *format, ...)
{
    char text[1200];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (r->why->len == 0)
        test_append_text(r->why, text);
    return 0;
}

/* ------------------------------------------------------------------------------ what is set up */

static int64_t clock_of_run(void *ctx)
{
    return ((const run *)ctx)->now * 1000000;
}

static void log_of_run(void *ctx, int32_t level, const char *line, size_t len)
{
    run *r = ctx;

    (void)level;
    pthread_mutex_lock(&r->mutex);
    test_append_bytes(&r->log, line, len);
    test_append_text(&r->log, "\n");
    pthread_mutex_unlock(&r->mutex);
}

static int add_chatbots(run *r)
{
    static const char one[] = "[{\"id\":123,\"workspace\":1}]";
    json *otherwise = json_parse(one, sizeof one - 1, NULL);
    const json *chatbots = json_member(r->file, "chatbots");
    int ok = 1;

    for (const json *at = (chatbots != NULL ? chatbots : otherwise)->child; at != NULL;
         at = at->next) {
        int64_t id = json_integer(at, "id", 0);
        bb_error error;
        bb_error_init(&error);
        ok &= EXPECT(r,
                     bb_storage_chatbot_add(r->place->storage, id, json_integer(at, "workspace", 0),
                                            r->place->timeout_ms, &error) == BB_OK,
                     "%s", error.message);
        if (json_member(at, "archived") != NULL)
            ok &= EXPECT(r,
                         bb_storage_chatbot_archive(r->place->storage, id, 1, r->place->timeout_ms,
                                                    &error) == BB_OK,
                         "%s", error.message);
    }
    json_free(otherwise);
    return ok;
}

static int add_key(run *r, const json *spec)
{
    named_key *key = &r->keys[r->key_count];
    bb_key_options options;
    bb_error error;

    if (!EXPECT(r, r->key_count < MAX_KEYS, "more than %d keys", MAX_KEYS))
        return 0;
    bb_error_init(&error);
    bb_key_options_init(&options);
    options.workspace_id = json_integer(spec, "workspace", 0);
    options.chatbot_id = json_integer(spec, "chatbot", 0);
    options.expires_at = json_integer(spec, "expires_at", 0);
    options.env = json_text(spec, "env", NULL);
    options.env_len = options.env != NULL ? strlen(options.env) : 0;
    key->name = spec->name;
    if (!EXPECT(r,
                bb_storage_key_add(r->place->storage, &options, key->text, sizeof key->text,
                                   r->place->timeout_ms, &error) == BB_OK,
                "%s", error.message))
        return 0;
    r->key_count++;
    return json_member(spec, "revoked") == NULL ||
           EXPECT(r,
                  bb_storage_key_revoke(r->place->storage, key->text, strlen(key->text),
                                        r->place->timeout_ms, &error) == BB_OK,
                  "%s", error.message);
}

static int add_keys(run *r)
{
    static const char one[] = "{\"KEY\":{\"workspace\":1}}";
    json *otherwise = json_parse(one, sizeof one - 1, NULL);
    const json *keys = json_member(r->file, "keys");
    int ok = 1;

    for (const json *at = (keys != NULL ? keys : otherwise)->child; ok && at != NULL; at = at->next)
        ok = add_key(r, at);
    if (keys == NULL && r->key_count == 1)
        r->keys[0].name = "KEY"; /* the other one is about to be freed */
    json_free(otherwise);
    return ok;
}

/*
 * Options that came after version 0.1, whose headers this is compiled with, too. A program of that
 * version passes over files that need them.
 */
#ifdef BB_TEST_VERSION_0_1
static const int knows_options = 0;

static void set_config_options(const json *file, bb_config *config)
{
    (void)file;
    (void)config;
}

static void set_request_options(const json *spec, bb_request *request)
{
    (void)spec;
    (void)request;
}
#else
static const int knows_options = 1;

/* What becomes of custom_attributes: "replace", "merge", or, for any other text, no mode. */
static int32_t attributes_mode(const json *holder)
{
    const json *mode = json_member(holder, "custom_attributes");

    if (mode == NULL)
        return BB_ATTRIBUTES_DEFAULT;
    if (json_is_text(mode, "merge"))
        return BB_ATTRIBUTES_MERGE;
    return json_is_text(mode, "replace") ? (int32_t)BB_ATTRIBUTES_REPLACE : -1;
}

static void set_config_options(const json *file, bb_config *config)
{
    const json *limits = json_member(file, "limits");

    config->custom_attributes = attributes_mode(file);
    config->max_answer_bytes = (size_t)json_integer(limits, "max_answer_bytes", 0);
}

static void set_request_options(const json *spec, bb_request *request)
{
    const json *id = json_member(spec, "request_id");

    if (json_is_text(json_member(spec, "answer"), "minimal"))
        request->answer = BB_ANSWER_MINIMAL;
    request->request_id = id != NULL ? id->text : NULL;
    request->request_id_len = id != NULL ? id->len : 0;
    request->custom_attributes = attributes_mode(spec);
    request->dry_run = (int32_t)json_integer(spec, "dry_run", 0);
}
#endif

/* Whether a part of some step of a file, "request" or "response", has a member of this name. */
static int steps_have(const json *file, const char *part, const char *name)
{
    const json *steps = json_member(file, "steps");

    for (const json *step = steps != NULL ? steps->child : NULL; step != NULL; step = step->next) {
        if (json_member(json_member(step, part), name) != NULL)
            return 1;
    }
    return 0;
}

static int requests_have(const json *file, const char *name)
{
    return steps_have(file, "request", name);
}

/* Whether a file has requests that merge, or that say that they do not. */
static int has_modes(const json *file)
{
    return json_member(file, "custom_attributes") != NULL ||
           requests_have(file, "custom_attributes");
}

static int needs_options(const json *file)
{
    return has_modes(file) || requests_have(file, "dry_run") || requests_have(file, "answer") ||
           requests_have(file, "request_id") || steps_have(file, "response", "log") ||
           json_member(json_member(file, "limits"), "max_answer_bytes") != NULL;
}

static int open_endpoint(run *r)
{
    const json *limits = json_member(r->file, "limits");
    const json *sql = json_member(json_member(r->file, "sql"), r->place->backend);
    bb_config config;
    bb_error error;

    bb_error_init(&error);
    bb_config_init(&config);
    config.clock = clock_of_run;
    config.clock_ctx = r;
    config.log = log_of_run;
    config.log_ctx = r;
    config.max_body_bytes = (size_t)json_integer(limits, "max_body_bytes", 0);
    config.max_entry_bytes = (size_t)json_integer(limits, "max_entry_bytes", 0);
    config.max_depth = (uint32_t)json_integer(limits, "max_depth", 0);
    set_config_options(r->file, &config);
    config.workers = r->place->workers;
    config.timeout_ms = r->place->timeout_ms;
    if (sql != NULL && !EXPECT(r, r->place->host(r->place->host_ctx, sql->text) == 0,
                               "the host's part failed: %s", sql->text))
        return 0;
    return EXPECT(r, bb_contacts_open(r->place->storage, &config, &r->contacts, &error) == BB_OK,
                  "%s", error.message);
}

/* ------------------------------------------------------------------------------- what is sent */

/* Text with each $NAME of a key replaced by that key. */
static void expand_keys(const run *r, const char *text, size_t len, test_text *to)
{
    for (size_t i = 0; i < len; i++) {
        size_t best = MAX_KEYS, best_len = 0;
        for (size_t k = 0; text[i] == '$' && k < r->key_count; k++) {
            size_t name_len = strlen(r->keys[k].name);
            if (name_len > best_len && name_len < len - i &&
                memcmp(text + i + 1, r->keys[k].name, name_len) == 0) {
                best = k;
                best_len = name_len;
            }
        }
        if (best == MAX_KEYS) {
            test_append_bytes(to, text + i, 1);
        } else {
            test_append_bytes(to, r->keys[best].text, strlen(r->keys[best].text));
            i += best_len;
        }
    }
}

/* {"repeat": TEXT, "times": N, "separator": TEXT}: TEXT, N times, with $i for the number of
 * each. */
static void append_repeated(const json *part, test_text *to)
{
    const char *text = json_text(part, "repeat", "");
    const char *separator = json_text(part, "separator", "");
    int64_t times = json_integer(part, "times", 1);
    const char *place = strstr(text, "$i");
    test_text one = {0};
    char number[24];

    test_append_bytes(&one, text, place != NULL ? (size_t)(place - text) : strlen(text));
    for (int64_t i = 0; i < times; i++) {
        if (i > 0)
            test_append_bytes(to, separator, strlen(separator));
        test_append_bytes(to, one.data, one.len);
        if (place != NULL) {
            test_append_bytes(to, number,
                              (size_t)snprintf(number, sizeof number, "%lld", (long long)i));
            test_append_bytes(to, place + 2, strlen(place + 2));
        }
    }
    free(one.data);
}

static void append_hex(const json *hex, test_text *to)
{
    for (size_t i = 0; i + 1 < hex->len; i += 2) {
        char digits[3] = {hex->text[i], hex->text[i + 1], '\0'};
        char byte = (char)(unsigned char)strtoul(digits, NULL, 16);
        test_append_bytes(to, &byte, 1);
    }
}

/* The body that a request asks for: text as it stands, a value printed, or parts put together. */
static void make_body(const json *request, test_text *to)
{
    const json *body = json_member(request, "body");
    const json *parts = json_member(request, "body_parts");
    const json *hex = json_member(request, "body_hex");

    if (hex != NULL)
        append_hex(hex, to);
    for (const json *at = parts != NULL ? parts->child : NULL; at != NULL; at = at->next) {
        if (at->kind == JSON_STRING)
            test_append_bytes(to, at->text, at->len);
        else
            append_repeated(at, to);
    }
    if (body != NULL && body->kind == JSON_STRING)
        test_append_bytes(to, body->text, body->len);
    else if (body != NULL) {
        size_t size = json_print(body, NULL, 0);
        char *text = malloc(size);
        if (text != NULL) {
            json_print(body, text, size);
            test_append_bytes(to, text, size);
        }
        to->failed |= text == NULL;
        free(text);
    }
}

typedef struct prepared {
    bb_request request;
    bb_principal principal;
    test_text authorization;
    test_text body;
} prepared;

static void prepare(const run *r, const json *spec, prepared *p)
{
    static const char by_default[] = "Bearer $KEY";
    const json *chatbot = json_member(spec, "chatbot_id");
    const json *header = json_member(spec, "authorization");
    const json *principal = json_member(spec, "principal");
    const json *idempotency_key = json_member(spec, "idempotency_key");

    memset(p, 0, sizeof *p);
    bb_request_init(&p->request);
    p->request.chatbot_id = chatbot != NULL ? chatbot->text : "123";
    p->request.chatbot_id_len = chatbot != NULL ? chatbot->len : 3;
    if (header == NULL && principal == NULL)
        expand_keys(r, by_default, sizeof by_default - 1, &p->authorization);
    else if (header != NULL && header->kind == JSON_STRING) {
        test_append_bytes(&p->authorization, "", 0);
        expand_keys(r, header->text, header->len, &p->authorization);
    }
    p->request.authorization = p->authorization.data;
    p->request.authorization_len = p->authorization.len;
    if (principal != NULL) {
        bb_principal_init(&p->principal);
        p->principal.workspace_id = json_integer(principal, "workspace", 0);
        p->principal.chatbot_id = json_integer(principal, "chatbot", 0);
        p->request.principal = &p->principal;
    }
    make_body(spec, &p->body);
    p->request.body = p->body.data;
    p->request.body_len = p->body.len;
    set_request_options(spec, &p->request);
    if (idempotency_key != NULL) {
        p->request.idempotency_key = idempotency_key->text;
        p->request.idempotency_key_len = idempotency_key->len;
    }
}

/* ---------------------------------------------------------------------------- what comes back */

static int check_body(run *r, const bb_result *result, const json *expected)
{
    size_t len = 0;
    const char *text = bb_result_body(result, &len);
    const json *wanted = json_member(expected, "body");
    const json *contains = json_member(expected, "contains");
    json *body = json_parse(text, len, NULL);
    char problem[1000] = "";
    int ok = EXPECT(r,
                    body != NULL && body->kind == JSON_OBJECT && body->child != NULL &&
                        strcmp(body->child->name, "message") == 0 &&
                        body->child->kind == JSON_STRING && text[len] == '\0',
                    "A3: no JSON object with a message first, and a NUL after it: %.200s", text);

    if (ok && wanted != NULL)
        ok = EXPECT(r, match(&r->memory, wanted, body, problem, sizeof problem), "%s", problem);
    for (const json *at = contains != NULL ? contains->child : NULL; ok && at != NULL;
         at = at->next)
        ok = EXPECT(r, strstr(text, at->text) != NULL, "%s is not in the body: %.400s", at->text,
                    text);
    for (size_t k = 0; ok && k < r->key_count; k++)
        ok = EXPECT(r, strstr(text, r->keys[k].text) == NULL, "A5: the body holds a key");
    json_free(body);
    return ok;
}

static int check_outcomes(const run *r, const bb_result *result, const json *expected)
{
    static const char *const words[] = {"created", "updated", "unchanged"};
    const json *wanted = json_member(expected, "outcomes");
    size_t entries = bb_result_entries(result);
    size_t counts[3] = {0};
    int ok = EXPECT(r, bb_result_http_status(result) == 200 || entries == 0,
                    "%zu outcomes of a request that failed", entries) &&
             EXPECT(r, bb_result_outcome(result, entries) == -1, "an outcome past the last") &&
             EXPECT(r, wanted == NULL || json_count(wanted) == entries, "E6: %zu entries", entries);

    for (size_t i = 0; ok && i < entries; i++) {
        int32_t outcome = bb_result_outcome(result, i);
        if (!EXPECT(r, outcome >= 0 && outcome <= 2, "entry %zu: %d", i, (int)outcome))
            return 0;
        counts[outcome]++;
        ok = EXPECT(r, wanted == NULL || json_is_text(json_at(wanted, i), words[outcome]),
                    "E6: entry %zu was %s", i, words[outcome]);
    }
    for (int32_t i = 0; ok && i < 3; i++)
        ok = EXPECT(r, bb_result_count(result, i) == counts[i], "E6: %s", words[i]);
    return ok;
}

/* Wherever bb_contacts_authorize() says no, it says the same as bb_contacts_upsert(). */
static int check_authorize(const run *r, const prepared *p, const bb_result *result)
{
    request_way way = r->place->authorize != NULL ? r->place->authorize : bb_contacts_authorize;
    bb_result *alone = way(r->contacts, &p->request);
    int32_t status = bb_result_http_status(alone), whole = bb_result_http_status(result);
    int ok = status == 200
                 ? EXPECT(r, whole != 401 && whole != 404, "A1: %d", (int)whole)
                 : EXPECT(r,
                          status == whole && strcmp(bb_result_body(alone, NULL),
                                                    bb_result_body(result, NULL)) == 0,
                          "A1: authorizing alone is %d, the whole %d", (int)status, (int)whole);

    bb_result_free(alone);
    return ok;
}

/* A line of the log that the request has left must end in this. */
static int check_step_log(run *r, const json *expected)
{
    const json *ending = json_member(expected, "log");
    char line[200];
    int is_there;

    if (ending == NULL)
        return 1;
    snprintf(line, sizeof line, "%s\n", ending->text);
    pthread_mutex_lock(&r->mutex);
    is_there = r->log.len > r->step_log && strstr(r->log.data + r->step_log, line) != NULL;
    pthread_mutex_unlock(&r->mutex);
    return EXPECT(r, is_there, "no line of the log ends in \"%s\"", ending->text);
}

static int run_step(run *r, const json *step)
{
    const json *expected = json_member(step, "response");
    int64_t wanted = json_integer(expected, "status", 200);
    request_way way = r->place->upsert != NULL ? r->place->upsert : bb_contacts_upsert;
    prepared p;
    bb_result *result;
    int ok;

    r->now = json_integer(step, "now", r->now);
    prepare(r, json_member(step, "request"), &p);
    pthread_mutex_lock(&r->mutex);
    r->step_log = r->log.len;
    pthread_mutex_unlock(&r->mutex);
    result = way(r->contacts, &p.request);
    ok = EXPECT(r, !p.body.failed && !p.authorization.failed && !r->log.failed, "no memory") &&
         EXPECT(r, bb_result_http_status(result) == wanted, "%d: %.300s",
                (int)bb_result_http_status(result), bb_result_body(result, NULL)) &&
         check_step_log(r, expected) && check_body(r, result, expected) &&
         check_outcomes(r, result, expected) && check_authorize(r, &p, result);
    bb_result_free(result);
    free(p.authorization.data);
    free(p.body.data);
    return ok;
}

/* -------------------------------------------------------------------------------------- a file */

int request_file_is_for(const json *file, const request_place *place)
{
    const json *backends = json_member(file, "backends");
    const json *words = json_member(json_member(file, "sql"), place->backend);

    if ((words != NULL && place->host == NULL) || (has_modes(file) && !place->merges) ||
        (requests_have(file, "dry_run") && !place->dry_runs) ||
        (needs_options(file) && !knows_options))
        return 0;
    for (const json *at = backends != NULL ? backends->child : NULL; at != NULL; at = at->next) {
        if (json_is_text(at, place->backend))
            return 1;
    }
    return backends == NULL;
}

static int check_log(const run *r)
{
    int ok = 1;

    for (size_t k = 0; r->log.data != NULL && k < r->key_count; k++)
        ok &= EXPECT(r, strstr(r->log.data, r->keys[k].text) == NULL, "A5: a log line holds a key");
    return ok;
}

static int run_steps(run *r)
{
    const json *steps = json_member(r->file, "steps");
    size_t number = 0;

    if (!EXPECT(r, json_count(steps) > 0, "no steps"))
        return 0;
    for (const json *step = steps->child; step != NULL; step = step->next) {
        number++;
        if (!run_step(r, step)) {
            test_append(r->why, " (step %zu)", number);
            return 0;
        }
    }
    return 1;
}

/* With what the place has going on meanwhile. */
static int run_steps_beside(run *r)
{
    const request_place *place = r->place;
    int is_alone = place->begin == NULL || json_member(r->file, "alone") != NULL;
    int ok;

    if (!is_alone && !EXPECT(r, place->begin(place->begin_ctx, r->contacts), "cannot begin"))
        return 0;
    ok = run_steps(r);
    if (!is_alone)
        place->end(place->begin_ctx);
    return ok;
}

int request_file_run(const json *file, const request_place *place, test_text *why)
{
    run *r = calloc(1, sizeof *r);
    int ok;

    if (r == NULL)
        return 0;
    r->file = file;
    r->place = place;
    r->why = why;
    r->now = json_integer(file, "now", 1700000000);
    if (pthread_mutex_init(&r->mutex, NULL) != 0) {
        free(r);
        return 0;
    }
    ok = add_chatbots(r) && add_keys(r) && open_endpoint(r) && run_steps_beside(r) && check_log(r);
    bb_contacts_close(r->contacts);
    pthread_mutex_destroy(&r->mutex);
    match_memory_free(&r->memory);
    free(r->log.data);
    free(r);
    return ok;
}

/* ------------------------------------------------------------------------------------- a folder */

json *request_file_read(const char *folder, const char *name, size_t *error_at)
{
    char path[1024];
    char block[4096];
    test_text text = {0};
    json *file = NULL;
    size_t got;
    FILE *stream;

    *error_at = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    stream = fopen(path, "rb");
    if (stream == NULL)
        return NULL;
    while ((got = fread(block, 1, sizeof block, stream)) > 0)
        test_append_bytes(&text, block, got);
    fclose(stream);
    if (text.data != NULL)
        file = json_parse(text.data, text.len, error_at);
    free(text.data);
    return file;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int is_wanted(const char *name, const char *part)
{
    size_t len = strlen(name);

    return len > 5 && strcmp(name + len - 5, ".json") == 0 && strstr(name, part) != NULL;
}

char **request_file_names(const char *folder, const char *part, size_t *count)
{
    DIR *dir = opendir(folder);
    char **names = dir != NULL ? calloc(MAX_FILES, sizeof *names) : NULL;

    *count = 0;
    for (struct dirent *entry; names != NULL && *count < MAX_FILES;) {
        entry = readdir(dir); // NOLINT(concurrency-mt-unsafe): a folder that one thread reads
        if (entry == NULL)
            break;
        if (is_wanted(entry->d_name, part) && (names[*count] = strdup(entry->d_name)) != NULL)
            ++*count;
    }
    if (dir != NULL)
        closedir(dir);
    if (names != NULL)
        qsort(names, *count, sizeof *names, compare_names);
    return names;
}

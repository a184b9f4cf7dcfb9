/*
 * conformance.c: the list of cases, and what runs them one by one.
 */
#include "bb_contacts/conformance.h"

#include <stdio.h>
#include <stdlib.h>

#include "cases.h"
#include "options.h"
#include "request_case.h"
#include "support/request_file.h"
#include "tap.h"

enum { DEFAULT_THREADS = 16, DEFAULT_WRITES = 200, DEFAULT_LATE_MS = 30000 };

typedef struct case_entry {
    const char *name; /* begins with the contract's rule */
    void (*run)(bb_case *c);
} case_entry;

static const case_entry cases[] = {
    {"B1: a key that was never added, was revoked or has expired", case_dead_keys},
    {"B1: a key is valid up to the microsecond before it expires", case_expiry},
    {"B2: a key is found by all 32 bytes of its hash", case_key_hash_bytes},
    {"B3: chatbots unknown, of another workspace, archived, or not the key's own", case_scope},
    {"B4: a principal's workspace and chatbot are checked as a key's are", case_principal_scope},
    {"A1: the key is judged before the chatbot", case_key_before_chatbot},
    {"A2: a refused write stores nothing", case_refused_write_stores_nothing},
    {"A2: a put() that fails undoes the whole write", case_failed_put_undoes},
    {"B1: chatbots and keys can be added again, and their conflicts are seen", case_admin},
    {"B1: a revoked key stays revoked", case_revoked_for_good},
    {"B3: an archived chatbot can be brought back", case_archive},
    {"E11: migrate() twice changes nothing", case_migrate_twice},
    {"E11: migrate() from two threads at once", case_migrate_together},
    {"E11: a store without a schema says so, or answers as an empty one", case_no_schema},
    {"E8: what was stored is there when the store is opened again, without migrate()",
     case_reopened},
    {"E3: no id is given out again when the store is opened again", case_ids_after_reopen},
    {"E6: created, updated and unchanged are told apart", case_outcomes},
    {"E5: an unchanged contact keeps its time", case_unchanged},
    {"E1: a record with BB_RECORD_TOUCH is written though no value differs", case_touch},
    {"E1: before is given where wanted, as the contact was", case_before},
    {"E3: created_at and updated_at are the times of the writes", case_times},
    {"E3: ids are positive, unique across chatbots, and never reused", case_ids},
    {"E4: neither updates nor unchanged records use up an id", case_no_id_burnt},
    {"E2: 1000 records, half of them known", case_thousand},
    {"D external_id: compared byte by byte, in any alphabet", case_external_ids},
    {"D external_id: ids that agree in their first 480 bytes are different",
     case_long_external_ids},
    {"D external_id: one per chatbot, the same in two chatbots is two contacts", case_two_chatbots},
    {"D name: omitted is kept, null clears, a value is set", case_name},
    {"D email: omitted is kept, null clears, a value is set", case_email},
    {"D phonenumber: omitted is kept, null clears, a value is set", case_phonenumber},
    {"D stripe_accounts: omitted is kept, [] resets, a value replaces", case_stripe_accounts},
    {"D custom_attributes: omitted is kept, {} resets, a value replaces", case_custom_attributes},
    {"C5: every Unicode character comes back byte for byte", case_unicode},
    {"C6: numbers come back with exactly their value", case_numbers},
    {"C6: numbers are compared by exact value", case_number_changes},
    {"C7: values of a megabyte", case_large_values},
    {"A6: a dry run puts what the write would, and stores nothing", case_dry_run},
    {"A6: a dry run uses up no id", case_dry_run_ids},
    {"A6: a dry run is refused as the write would be", case_dry_run_refused},
    {"D2: members are set, removed, or kept; what changes nothing is unchanged", case_merge},
    {"D2: merging records beside others, with the contact as it was", case_merge_among_others},
    {"D2: merging keeps numbers to the last digit", case_merge_numbers},
    {"D2: concurrent merges of different members all survive", case_merge_concurrently},
    {"D2: a group's requests merge", case_merge_group},
    {"D3: what merging makes too large is told, and nothing is stored", case_merge_oversized},
    {"E7: overlapping writes end as some serial order of them would", case_serial},
    {"E7: writes that partly change nothing end so too", case_serial_skew},
    {"E7: one key created by all threads at once is one contact", case_create_race},
    {"E11: a deadline that has passed is BB_ERR_BUSY at once", case_deadline_passed},
    {"E11: a write that waits for another keeps to its deadline", case_deadline_behind_writer},
    {"E6: the requests of a group each have their outcomes, times and former contacts",
     case_group_outcomes},
    {"E4: neither updates nor unchanged records of a group use up an id", case_group_ids},
    {"A2: a group's refused requests store nothing, those beside them do (B1 to B4)",
     case_group_refusals},
    {"B3: one group writes to several chatbots, in several names", case_group_chatbots},
    {"E2: 128 requests in a group, of one record and of 20", case_group_many},
    {"E1: a group names a contact several times", case_group_ordered},
    {"A2: a put() that fails fails its own request of a group", case_group_failed_put},
    {"E11: a group whose deadline has passed", case_group_deadline},
    {"E7: overlapping groups and writes end as some serial order of them would", case_group_serial},
    {"E7: groups that partly change nothing end so too", case_group_serial_skew},
    {"E7: groups of up to 250 requests end so too", case_group_serial_large},
};

/* The run of all cases. */
typedef struct kit_run {
    bb_conformance_options options; /* with all defaults */
    uint32_t cases;
    int32_t failed;
} kit_run;

static int is_wanted(const kit_run *run, const char *name)
{
    return run->options.only == NULL || strstr(name, run->options.only) != NULL;
}

/* Closes a case and tells its result. */
static void end_case(kit_run *run, const char *name, bb_case *c)
{
    const bb_conformance_options *options = &run->options;

    fixture_close(c);
    run->cases++;
    run->failed += c->outcome == BB_CONFORMANCE_FAILED;
    if (options->report != NULL)
        options->report(options->ctx, name, c->outcome, c->detail);
    tap_result(options, run->cases, name, c->outcome, c->detail);
}

static void run_cases(kit_run *run)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bb_case c = {.options = &run->options};
        if (!is_wanted(run, cases[i].name))
            continue;
        cases[i].run(&c);
        end_case(run, cases[i].name, &c);
    }
}

/* A file is a case whose name is that of the file, and its title. */
static void run_request_file(kit_run *run, const char *file_name)
{
    bb_case c = {.options = &run->options};
    size_t error_at;
    json *file = request_file_read(run->options.requests, file_name, &error_at);
    char name[300];

    snprintf(name, sizeof name, "%.*s: %s", (int)(strlen(file_name) - strlen(".json")), file_name,
             file != NULL ? json_text(file, "title", "") : "can't be read");
    if (is_wanted(run, name)) {
        if (file != NULL)
            case_request_file(&c, file);
        else
            case_fail(&c, __FILE__, __LINE__, "a file of JSON");
        end_case(run, name, &c);
    }
    json_free(file);
}

/* 0: there is no such folder. */
static int run_request_files(kit_run *run)
{
    size_t count;
    char **names = request_file_names(run->options.requests, "", &count);

    for (size_t i = 0; i < count; i++) {
        run_request_file(run, names[i]);
        free(names[i]);
    }
    free(names);
    return count > 0;
}

/* The size in the first version; later members are added behind. */
#define FIRST_SIZE \
    (offsetof(bb_conformance_options, host) + sizeof(((bb_conformance_options *)0)->host))

int options_read(const bb_conformance_options *given, bb_conformance_options *options)
{
    bb_conformance_options_init(options);
    if (given == NULL || given->size < FIRST_SIZE)
        return 0;
    memcpy(options, given, given->size < sizeof *options ? given->size : sizeof *options);
    options->size = sizeof *options;
    return 1;
}

static int fill_in(bb_conformance_options *options)
{
    if (options->threads == 0)
        options->threads = DEFAULT_THREADS;
    if (options->writes == 0)
        options->writes = DEFAULT_WRITES;
    if (options->late_ms == 0)
        options->late_ms = DEFAULT_LATE_MS;
    if (options->seed == 0)
        options->seed = 1;
    return options->open != NULL && options->close != NULL &&
           (options->report != NULL || options->tap != NULL);
}

int32_t bb_conformance_run(const bb_conformance_options *options)
{
    kit_run run = {.cases = 0};

    if (!options_read(options, &run.options) || !fill_in(&run.options))
        return -1;
    tap_begin(&run.options);
    run_cases(&run);
    if (run.options.requests != NULL && !run_request_files(&run))
        return -1;
    tap_end(&run.options, run.cases);
    return run.cases > 0 ? run.failed : -1;
}

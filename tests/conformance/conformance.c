/*
 * conformance.c: the list of cases, and what runs them one by one.
 */
#include "conformance.h"

#include "cases.h"

enum { DEFAULT_THREADS = 16, DEFAULT_WRITES = 200 };

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
    {"E6: created, updated and unchanged are told apart", case_outcomes},
    {"E5: an unchanged contact keeps its time", case_unchanged},
    {"E1: a record with BB_RECORD_TOUCH is written though no value differs", case_touch},
    {"E1: before is given where wanted, as the contact was", case_before},
    {"E3: created_at and updated_at are the times of the writes", case_times},
    {"E3: ids are positive, unique across chatbots, and never reused", case_ids},
    {"E4: neither updates nor unchanged records use up an id", case_no_id_burnt},
    {"E2: 1000 records, half of them known", case_thousand},
    {"D external_id: compared byte by byte, in any alphabet", case_external_ids},
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
    {"E7: overlapping writes end as some serial order of them would", case_serial},
    {"E7: writes that partly change nothing end so too", case_serial_skew},
    {"E7: one key created by all threads at once is one contact", case_create_race},
    {"E11: a deadline that has passed is answered at once", case_deadline_passed},
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

static void run_case(const bb_conformance_options *options, const case_entry *entry,
                     int32_t *outcome)
{
    bb_case c = {.options = options};

    entry->run(&c);
    fixture_close(&c);
    options->report(options->ctx, entry->name, c.outcome, c.detail);
    *outcome = c.outcome;
}

/* The size in the first version; later members are added behind. */
#define FIRST_SIZE \
    (offsetof(bb_conformance_options, report) + sizeof(((bb_conformance_options *)0)->report))

/* The options as this version knows them. 0: they are unusable. */
static int read_options(const bb_conformance_options *given, bb_conformance_options *options)
{
    bb_conformance_options_init(options);
    if (given == NULL || given->size < FIRST_SIZE)
        return 0;
    memcpy(options, given, given->size < sizeof *options ? given->size : sizeof *options);
    return options->open != NULL && options->close != NULL && options->report != NULL;
}

int bb_conformance_run(const bb_conformance_options *options)
{
    bb_conformance_options run;
    int failures = 0;

    if (!read_options(options, &run))
        return -1;
    if (run.threads == 0)
        run.threads = DEFAULT_THREADS;
    if (run.writes == 0)
        run.writes = DEFAULT_WRITES;
    if (run.seed == 0)
        run.seed = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int32_t outcome;
        if (run.only != NULL && strstr(cases[i].name, run.only) == NULL)
            continue;
        run_case(&run, &cases[i], &outcome);
        failures += outcome == BB_CONFORMANCE_FAILED;
    }
    return failures;
}

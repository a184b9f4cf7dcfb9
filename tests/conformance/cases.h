/*
 * cases.h: the suite's cases, listed with their names in conformance.c.
 */
#ifndef BB_CONFORMANCE_CASES_H
#define BB_CONFORMANCE_CASES_H

#include "fixture.h"

void case_dead_keys(bb_case *c);
void case_expiry(bb_case *c);
void case_key_hash_bytes(bb_case *c);
void case_scope(bb_case *c);
void case_principal_scope(bb_case *c);
void case_key_before_chatbot(bb_case *c);
void case_refused_write_stores_nothing(bb_case *c);
void case_failed_put_undoes(bb_case *c);
void case_admin(bb_case *c);
void case_revoked_for_good(bb_case *c);
void case_archive(bb_case *c);
void case_migrate_twice(bb_case *c);
void case_migrate_together(bb_case *c);
void case_no_schema(bb_case *c);
void case_reopened(bb_case *c);
void case_ids_after_reopen(bb_case *c);
void case_outcomes(bb_case *c);
void case_unchanged(bb_case *c);
void case_touch(bb_case *c);
void case_before(bb_case *c);
void case_times(bb_case *c);
void case_ids(bb_case *c);
void case_no_id_burnt(bb_case *c);
void case_thousand(bb_case *c);
void case_external_ids(bb_case *c);
void case_long_external_ids(bb_case *c);
void case_two_chatbots(bb_case *c);
void case_name(bb_case *c);
void case_email(bb_case *c);
void case_phonenumber(bb_case *c);
void case_stripe_accounts(bb_case *c);
void case_custom_attributes(bb_case *c);
void case_unicode(bb_case *c);
void case_numbers(bb_case *c);
void case_number_changes(bb_case *c);
void case_large_values(bb_case *c);
void case_dry_run(bb_case *c);
void case_dry_run_ids(bb_case *c);
void case_dry_run_refused(bb_case *c);
void case_merge(bb_case *c);
void case_merge_among_others(bb_case *c);
void case_merge_numbers(bb_case *c);
void case_merge_oversized(bb_case *c);
void case_merge_concurrently(bb_case *c);
void case_merge_group(bb_case *c);
void case_serial(bb_case *c);
void case_serial_skew(bb_case *c);
void case_create_race(bb_case *c);
void case_deadline_passed(bb_case *c);
void case_deadline_behind_writer(bb_case *c);
void case_group_outcomes(bb_case *c);
void case_group_ids(bb_case *c);
void case_group_refusals(bb_case *c);
void case_group_chatbots(bb_case *c);
void case_group_many(bb_case *c);
void case_group_ordered(bb_case *c);
void case_group_failed_put(bb_case *c);
void case_group_deadline(bb_case *c);
void case_group_serial(bb_case *c);
void case_group_serial_skew(bb_case *c);
void case_group_serial_large(bb_case *c);

#endif

/*
 * sqlstate.c: what a SQLSTATE means to the library; the codes are those of appendix A of
 * PostgreSQL's manual.
 */
#include "backends/postgres/wire/sqlstate.h"

#include <stddef.h>
#include <string.h>

#include "bb_contacts/storage.h"

typedef struct meaning {
    const char *sqlstate; /* a whole code, or a class of two characters */
    int32_t code;
} meaning;

static const meaning meanings[] = {
    {"23505", BB_ERR_CONFLICT},                     /* unique_violation */
    {"23P01", BB_ERR_CONFLICT},                     /* exclusion_violation */
    {"40001", BB_ERR_RETRY},                        /* serialization_failure */
    {"40P01", BB_ERR_RETRY},                        /* deadlock_detected */
    {"55P03", BB_ERR_BUSY},                         /* lock_not_available: lock_timeout */
    {"57014", BB_ERR_BUSY},                         /* query_canceled: statement_timeout */
    {"40003", BB_ERR_LOST},                         /* statement_completion_unknown */
    {"25P03", BB_ERR_LOST},                         /* idle_in_transaction_session_timeout */
    {"57P01", BB_ERR_LOST},                         /* admin_shutdown */
    {"57P02", BB_ERR_LOST},                         /* crash_shutdown */
    {"57P05", BB_ERR_LOST},                         /* idle_session_timeout */
    {BB_PG_SQLSTATE_READ_ONLY, BB_ERR_UNAVAILABLE}, /* a standby */
    {"3D000", BB_ERR_UNAVAILABLE},                  /* invalid_catalog_name: no such database */
    {"3F000", BB_ERR_SCHEMA},                       /* invalid_schema_name */
    {"42P01", BB_ERR_SCHEMA},                       /* undefined_table */
    {"42703", BB_ERR_SCHEMA},                       /* undefined_column */
    {"08", BB_ERR_UNAVAILABLE},                     /* connection exception: of another node */
    {"28", BB_ERR_UNAVAILABLE},                     /* invalid authorization specification */
    {"53", BB_ERR_UNAVAILABLE},                     /* insufficient resources: disk, connections */
    {"57", BB_ERR_UNAVAILABLE},                     /* operator intervention: starting up */
    {"58", BB_ERR_UNAVAILABLE},                     /* system error: input and output */
};

static int32_t find(const char *sqlstate, size_t len)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (strlen(meanings[i].sqlstate) == len &&
            strncmp(meanings[i].sqlstate, sqlstate, len) == 0)
            return meanings[i].code;
    }
    return BB_OK;
}

int32_t bb_pg_sqlstate_code(const char *sqlstate)
{
    int32_t code = find(sqlstate, 5);

    if (code == BB_OK)
        code = find(sqlstate, 2);
    return code == BB_OK ? BB_ERR_INTERNAL : code;
}

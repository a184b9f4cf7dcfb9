/*
 * module.h: what the PostgreSQL backend's own library exports.
 */
#ifndef BB_POSTGRES_MODULE_H
#define BB_POSTGRES_MODULE_H

#include "backends/open_postgres.h"

BB_API extern const bb_postgres_module bb_contacts_postgres;

#endif

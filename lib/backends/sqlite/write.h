/*
 * write.h: stores the contacts of one write, or of several together, in SQLite.
 */
#ifndef BB_SQLITE_WRITE_H
#define BB_SQLITE_WRITE_H

#include "backends/sqlite/session.h"

/* write() and write_group() of the vtable. */
int32_t bb_sqlite_write(void *session, const bb_write *write, bb_error *error);
int32_t bb_sqlite_write_group(void *session, const bb_write_group *group, bb_error *error);

#endif

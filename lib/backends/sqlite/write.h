/*
 * write.h: stores the contacts of one write in SQLite.
 */
#ifndef BB_SQLITE_WRITE_H
#define BB_SQLITE_WRITE_H

#include "backends/sqlite/session.h"

/* write() of the vtable. */
int32_t bb_sqlite_write(void *session, const bb_write *write, bb_error *error);

#endif

/*
 * write.h: writes of contacts: the functions of the table.
 */
#ifndef LMDB_WRITE_H
#define LMDB_WRITE_H

#include "session.h"

int32_t lmdb_write(void *session, const bb_write *write, bb_error *error);
int32_t lmdb_write_group(void *session, const bb_write_group *group, bb_error *error);

#endif

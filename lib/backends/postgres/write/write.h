/*
 * write.h: stores the records of one or several requests, all or none.
 */
#ifndef BB_POSTGRES_WRITE_H
#define BB_POSTGRES_WRITE_H

#include "bb_contacts/storage.h"

/* bb_storage_vtable.write */
int32_t bb_pg_write(void *session, const bb_write *write, bb_error *error);

/* bb_storage_vtable.write_group */
int32_t bb_pg_write_group(void *session, const bb_write_group *group, bb_error *error);

#endif

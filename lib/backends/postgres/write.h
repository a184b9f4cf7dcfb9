/*
 * write.h: stores the records of a request, all or none.
 */
#ifndef BB_POSTGRES_WRITE_H
#define BB_POSTGRES_WRITE_H

#include "bb_contacts/storage.h"

/* bb_storage_vtable.write */
int32_t bb_pg_write(void *session, const bb_write *write, bb_error *error);

#endif

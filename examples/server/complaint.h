/*
 * complaint.h: answers what libmicrohttpd refuses by itself.
 */
#ifndef BB_SERVER_COMPLAINT_H
#define BB_SERVER_COMPLAINT_H

#include <microhttpd.h>

#include <stdarg.h>

/* Tells whose requests this thread reads: a thread has one connection, as long as it lives. */
void complaint_expect(struct MHD_Connection *connection);

/* For MHD_OPTION_EXTERNAL_LOGGER: if libmicrohttpd says that it will refuse a request, answers it
 * first, and leaves nothing of the connection that it could be answered on again. */
void complaint_log(void *cls, const char *format, va_list args);

#endif

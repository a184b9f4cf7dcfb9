/*
 * complaint.h: answers what libmicrohttpd refuses by itself.
 */
#ifndef BB_SERVER_COMPLAINT_H
#define BB_SERVER_COMPLAINT_H

#include <microhttpd.h>

#include <stdarg.h>

/* Says whose requests this thread reads. A thread has the same connection all its life. */
void complaint_expect(struct MHD_Connection *connection);

/* For MHD_OPTION_EXTERNAL_LOGGER. If libmicrohttpd says that it will refuse a request, answers it
 * first and shuts the connection down, so that libmicrohttpd's own answer reaches nobody. */
void complaint_log(void *cls, const char *format, va_list args);

#endif

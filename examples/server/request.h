/*
 * request.h: one HTTP request, from its headers to its answer; callbacks for libmicrohttpd.
 */
#ifndef BB_SERVER_REQUEST_H
#define BB_SERVER_REQUEST_H

#include <microhttpd.h>

/* For MHD_OPTION_URI_LOG_CALLBACK: the request line has been read, and `target` is as it was sent.
 * Returns the access handler's context; NULL if there is no memory. */
void *request_new(void *cls, const char *target, struct MHD_Connection *connection);

/* The MHD_AccessHandlerCallback; `cls` is the server. */
enum MHD_Result request_handle(void *cls, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload_data,
                               size_t *upload_data_size, void **context);

/* For MHD_OPTION_NOTIFY_COMPLETED: answered or cut off, the request is over. */
void request_completed(void *cls, struct MHD_Connection *connection, void **context,
                       enum MHD_RequestTerminationCode code);

/* For MHD_OPTION_NOTIFY_CONNECTION: a connection begins or has ended. */
void request_connection(void *cls, struct MHD_Connection *connection, void **context,
                        enum MHD_ConnectionNotificationCode code);

/* For MHD_OPTION_UNESCAPE_CALLBACK: leaves the target as it was sent. */
size_t request_keep_escapes(void *cls, struct MHD_Connection *connection, char *text);

#endif

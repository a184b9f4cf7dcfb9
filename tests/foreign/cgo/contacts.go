// contacts.go: the library as a Go binding would wrap it; lib/FFI.md says why it is so.
package main

/*
#include <bb_contacts/backends.h>

// What is not a pointer in a request, so that Go may keep it in memory of its own.
typedef struct request_shape {
	size_t chatbot_id_len;
	size_t body_len;
	int64_t workspace_id;
	int64_t timeout_ms;
} request_shape;

// Go may not pass C a struct of its own that points to other memory of its own. So the pointers are
// arguments, and the struct that holds them is here, on C's stack.
static bb_request request_of(const request_shape *shape, bb_principal *principal, const char *chatbot_id,
			     const char *body)
{
	bb_request request;

	bb_principal_init(principal);
	principal->workspace_id = shape->workspace_id;
	bb_request_init(&request);
	request.chatbot_id = chatbot_id;
	request.chatbot_id_len = shape->chatbot_id_len;
	request.principal = principal;
	request.body = body;
	request.body_len = shape->body_len;
	request.timeout_ms = shape->timeout_ms;
	return request;
}

static bb_result *upsert(bb_contacts *contacts, const request_shape *shape, const char *chatbot_id,
			 const char *body, bb_result_view *view)
{
	bb_principal principal;
	bb_request request = request_of(shape, &principal, chatbot_id, body);
	bb_result *result = bb_contacts_upsert(contacts, &request);

	bb_result_view_init(view);
	bb_result_read(result, view);
	return result;
}

extern void goDone(void *ctx, bb_result *result);

// The context is a number that Go knows its channel by, and no pointer.
static bb_result *submit(bb_contacts *contacts, const request_shape *shape, const char *chatbot_id,
			 const char *body, uintptr_t handle)
{
	bb_principal principal;
	bb_request request = request_of(shape, &principal, chatbot_id, body);

	return bb_contacts_submit(contacts, &request, goDone, (void *)handle, NULL);
}

static int32_t open_handle(bb_storage *storage, uint32_t workers, bb_contacts **out)
{
	bb_config config;

	bb_config_init(&config);
	config.workers = workers;
	config.timeout_ms = 60000;
	return bb_contacts_open(storage, &config, out, NULL);
}
*/
import "C"

import (
	"fmt"
	"runtime/cgo"
	"unsafe"
)

type contacts struct{ handle *C.bb_contacts }

type answer struct {
	status   int
	code     int32
	outcomes []byte
	body     []byte
}

// open makes an endpoint in memory, or in an SQLite file if the library has no memory backend.
func open(path string, workers uint32) (*contacts, error) {
	var storage *C.bb_storage
	var opened contacts

	code := C.bb_storage_open_memory(nil, &storage, nil)
	if code == C.BB_ERR_UNSUPPORTED {
		code = C.bb_storage_open_sqlite(pointer([]byte(path)), C.size_t(len(path)), nil, &storage, nil)
	}
	if code == C.BB_OK {
		code = C.bb_storage_migrate(storage, 0, nil)
	}
	if code == C.BB_OK {
		code = C.bb_storage_chatbot_add(storage, 123, 1, 0, nil)
	}
	if code == C.BB_OK {
		code = C.open_handle(storage, C.uint32_t(workers), &opened.handle)
	}
	C.bb_storage_close(storage) // the handle keeps it
	if code != C.BB_OK {
		return nil, fmt.Errorf("%s", C.GoString(C.bb_code_text(code)))
	}
	return &opened, nil
}

func (c *contacts) close() { C.bb_contacts_close(c.handle) }

func pointer(bytes []byte) *C.char { return (*C.char)(unsafe.Pointer(unsafe.SliceData(bytes))) }

func shapeOf(chatbot, body []byte) C.request_shape {
	return C.request_shape{chatbot_id_len: C.size_t(len(chatbot)), body_len: C.size_t(len(body)), workspace_id: 1}
}

// take copies what Go needs of a result, and frees it.
func take(result *C.bb_result, view *C.bb_result_view) answer {
	defer C.bb_result_free(result)
	return answer{
		status:   int(view.http_status),
		code:     int32(view.code),
		outcomes: C.GoBytes(unsafe.Pointer(view.outcomes), C.int(view.entries)),
		body:     C.GoBytes(unsafe.Pointer(view.body), C.int(view.body_len)),
	}
}

func (c *contacts) upsert(chatbot, body []byte) answer {
	var view C.bb_result_view

	shape := shapeOf(chatbot, body)
	return take(C.upsert(c.handle, &shape, pointer(chatbot), pointer(body), &view), &view)
}

func (c *contacts) submit(chatbot, body []byte) answer {
	shape := shapeOf(chatbot, body)
	answers := make(chan *C.bb_result, 1)
	handle := cgo.NewHandle(answers)
	result := C.submit(c.handle, &shape, pointer(chatbot), pointer(body), C.uintptr_t(handle))
	if result == nil {
		result = <-answers
	}
	handle.Delete()
	return read(result)
}

func read(result *C.bb_result) answer {
	var view C.bb_result_view

	C.bb_struct_init(unsafe.Pointer(&view), C.sizeof_bb_result_view)
	C.bb_result_read(result, &view)
	return take(result, &view)
}

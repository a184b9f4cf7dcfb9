// done.go: the callback that hands an answer over to the goroutine that waits for it.
package main

// #include <bb_contacts/bb_contacts.h>
import "C"

import (
	"runtime/cgo"
	"unsafe"
)

//export goDone
func goDone(ctx unsafe.Pointer, result *C.bb_result) {
	cgo.Handle(uintptr(ctx)).Value().(chan *C.bb_result) <- result
}

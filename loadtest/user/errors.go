package user

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// refused is a join whose answer is not what it must be.
func refused(topic, outcome string) error { return fmt.Errorf("join refused: %s: %s", topic, outcome) }

// kind returns the text that is the same for all users' errors with one cause: without
// addresses.
func kind(err error) string {
	var errno syscall.Errno
	var op *net.OpError
	var call *os.SyscallError
	switch {
	case errors.As(err, &errno) && errors.As(err, &op):
		return op.Op + ": " + errno.Error()
	case errors.As(err, &call):
		return call.Error()
	case errors.As(err, &op):
		return op.Op + ": " + op.Err.Error()
	}
	return err.Error()
}

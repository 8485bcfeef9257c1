// Package panics makes errors of panics.
package panics

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
)

// An Error is a panic. Logs have its stack apart from its text, which may be cut.
type Error struct{ value, stack string }

// New makes an error of the value that recover has returned. Its stack is the caller's,
// which should be the deferred function that called recover.
func New(recovered any) error { return &Error{Text("%v", recovered), string(debug.Stack())} }

// Text is what fmt makes of a value. fmt survives a method of it that panics, unless the
// panic's own value has such a method; Text survives that, too.
func Text(format string, v any) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("%T, whose text panics", v)
		}
	}()
	return fmt.Sprintf(format, v)
}

func (e *Error) text() string  { return "panic: " + e.value }
func (e *Error) Error() string { return e.text() + "\n" + e.stack }

// LogValue is the text and the stack.
func (e *Error) LogValue() slog.Value {
	return slog.GroupValue(slog.String("text", e.text()), slog.String("stack", e.stack))
}

// ErrExit is what Contain returns for a function that has called runtime.Goexit.
var ErrExit = errors.New("it has called runtime.Goexit")

// Contain calls do, and returns its panic as an error, or ErrExit. do has a goroutine
// of its own, since nothing else survives runtime.Goexit: for callers whose own
// goroutine serves others. It costs half a microsecond.
func Contain(do func()) error {
	result := make(chan error, 1)
	go func() {
		err := ErrExit
		defer func() {
			if r := recover(); r != nil {
				err = New(r)
			}
			result <- err
		}()
		do()
		err = nil
	}()
	return <-result
}

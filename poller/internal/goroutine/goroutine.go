// Package goroutine tells goroutines apart, for checks of who calls in programs
// that are built with the race detector. As in package http2 (gotrack.go), they are
// known by the number that their stack begins with.
package goroutine

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
)

// Wrong ends the program, as a panic that no callback's recover can hide: what is by
// some rule for one goroutine was called on another.
func Wrong(rule string) {
	stack := debug.Stack()
	go panic(fmt.Sprintf("%s, but called on another goroutine:\n%s", rule, stack))
	select {}
}

// ID is the number of the goroutine that calls.
func ID() uint64 {
	var space [64]byte
	stack := space[:runtime.Stack(space[:], false)] // "goroutine 4707 [running]: …"
	digits, _, _ := bytes.Cut(bytes.TrimPrefix(stack, []byte("goroutine ")), []byte(" "))
	n, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("no goroutine's number in %q: %v", stack, err))
	}
	return n
}

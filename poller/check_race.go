//go:build race

package poller

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"

	"github.com/cloudwego/netpoll"
)

// What is said to be for the loop or for the turn only is checked in programs that
// are built with the race detector. The detector itself finds only what no lock
// happened to order. As in package http2 (gotrack.go), goroutines are told by the
// number that their stack begins with. Nothing of it is kept in a Conn or a Lane:
// they have the same size in all programs.

var (
	runningLoops sync.Map // netpoll's loops → the goroutines that they run on
	runningTurns sync.Map // goroutines → the lanes whose turn they run
)

// enter is check where netpoll calls, which tells the goroutine of a loop.
func (l *loop) enter() {
	runningLoops.LoadOrStore(l.poll, goroutine())
	l.check()
}

// check ends the program unless the loop's goroutine calls.
func (l *loop) check() {
	if l.poll == netpoll.Poll(nil) { // a test's
		return
	}
	if on, _ := runningLoops.Load(l.poll); on != goroutine() {
		wrongGoroutine("loop only")
	}
}

// CheckLoop ends the program unless the connection's loop calls.
func (c *Conn) CheckLoop() { c.loop.check() }

// begin says that the goroutine runs a turn of the lane, until finish.
func (l *Lane[J]) begin() { runningTurns.Store(goroutine(), l) }

func (l *Lane[J]) finish() { runningTurns.Delete(goroutine()) }

// CheckTurn ends the program unless a job of the lane calls.
func (l *Lane[J]) CheckTurn() {
	if of, _ := runningTurns.Load(goroutine()); of != any(l) {
		wrongGoroutine("turn only")
	}
}

// wrongGoroutine ends the program, as a panic that no callback's recover can hide.
func wrongGoroutine(rule string) {
	stack := debug.Stack()
	go panic(fmt.Sprintf("%s, but called on another goroutine:\n%s", rule, stack))
	select {}
}

// goroutine is the number of the one that calls.
func goroutine() uint64 {
	var space [64]byte
	stack := space[:runtime.Stack(space[:], false)] // "goroutine 4707 [running]: …"
	digits, _, _ := bytes.Cut(bytes.TrimPrefix(stack, []byte("goroutine ")), []byte(" "))
	n, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("no goroutine's number in %q: %v", stack, err))
	}
	return n
}

//go:build race

package poller

import (
	"sync"

	"github.com/roost-rt/roost/poller/internal/goroutine"
)

// What is said to be for the loop only is checked in programs that are built with the
// race detector, which itself finds only what no lock happened to order. Nothing of
// it is kept in a Conn: it has the same size in all programs.

// runningLoops leads from netpoll's loops to the goroutines that they run on.
var runningLoops sync.Map

// enter is check where netpoll calls, which tells the goroutine of a loop.
func (l *loop) enter() {
	runningLoops.LoadOrStore(l.set, goroutine.ID())
	l.check()
}

// moves tells that the loop will have another goroutine.
func (s *set) moves() { runningLoops.Delete(s) }

// check ends the program unless the loop's goroutine calls.
func (l *loop) check() {
	if l.set == nil { // a test's
		return
	}
	if on, _ := runningLoops.Load(l.set); on != goroutine.ID() {
		goroutine.Wrong("loop only")
	}
}

// CheckLoop ends the program unless the connection's loop calls.
func (c *Conn) CheckLoop() { c.loop.check() }

//go:build race

package lane

import (
	"sync"

	"github.com/roost-rt/roost/poller/internal/goroutine"
)

// What is said to be for the turn only is checked in programs that are built with the
// race detector, which itself finds only what no lock happened to order. Nothing of
// it is kept in a Lane: it has the same size in all programs.

// runningTurns leads from goroutines to the lanes whose turn they run.
var runningTurns sync.Map

// begin says that the goroutine runs a turn of the lane, until finish.
func (l *Lane[J]) begin() { runningTurns.Store(goroutine.ID(), l) }

func (l *Lane[J]) finish() { runningTurns.Delete(goroutine.ID()) }

// CheckTurn ends the program unless a job of the lane calls.
func (l *Lane[J]) CheckTurn() {
	if of, _ := runningTurns.Load(goroutine.ID()); of != any(l) {
		goroutine.Wrong("turn only")
	}
}

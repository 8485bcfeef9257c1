//go:build !race

package lane

// What is said to be for the turn only is checked in programs that are built with the
// race detector; see check_race.go. Here, nothing is left of it.

func (l *Lane[J]) begin() {}

func (l *Lane[J]) finish() {}

// CheckTurn is for functions that only a job of the lane may call, on the goroutine
// of the turn that does it. In programs built with the race detector (go test -race)
// it ends the program if another goroutine does; in others it does nothing and costs
// nothing.
func (l *Lane[J]) CheckTurn() {}

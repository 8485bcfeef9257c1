//go:build !race

package poller

// What is said to be for the loop or for the turn only is checked in programs that
// are built with the race detector; see check_race.go. Here, nothing is left of it.

func (l *loop) enter() {}

func (l *loop) check() {}

// CheckLoop is for functions that only the connection's loop may call. In programs
// built with the race detector (go test -race) it ends the program if another
// goroutine does; in others it does nothing and costs nothing.
func (c *Conn) CheckLoop() {}

func (l *Lane[J]) begin() {}

func (l *Lane[J]) finish() {}

// CheckTurn is for functions that only a job of the lane may call, on the goroutine
// of the turn that does it; else it is like [Conn.CheckLoop].
func (l *Lane[J]) CheckTurn() {}

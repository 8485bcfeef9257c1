//go:build !race

package poller

// What is said to be for the loop only is checked in programs that are built with the
// race detector; see check_race.go. Here, nothing is left of it.

func (l *loop) enter() {}

func (l *loop) check() {}

// CheckLoop is for functions that only the connection's loop may call. In programs
// built with the race detector (go test -race) it ends the program if another
// goroutine does; in others it does nothing and costs nothing.
func (c *Conn) CheckLoop() {}

func (s *set) moves() {}

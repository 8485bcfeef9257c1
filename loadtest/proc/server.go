package proc

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Patience is how long a process has to start, to collect its garbage, or to
// end.
const Patience = 30 * time.Second

// A Server is one server process.
type Server struct {
	*Child
	Addr      string        // where it listens
	Collected chan struct{} // one for each garbage collection; buffered
	Deaf      bool          // it does not collect when asked, as the caller found: Collect asks no more

	leaves atomic.Bool  // its end is meant
	memory atomic.Value // string: the last line that a collection wrote
}

// StartServer starts a server with the given number of processors to run Go on, 0
// for all. It returns once the server listens. The calling thread must stay, as for
// Start.
func StartServer(ctx context.Context, number int, command []string, procs int) (*Server, error) {
	s := &Server{Collected: make(chan struct{}, 1)}
	c, stdout, err := Start(fmt.Sprintf("server process %d", number), command, procs, s.log)
	if err != nil {
		return nil, err
	}
	s.Child = c
	addr := make(chan string, 1)
	go func() { // ends with the process
		defer stdout.Close()
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if a, found := strings.CutPrefix(lines.Text(), "listening on "); found && len(addr) == 0 {
				addr <- a
			}
		}
		_, _ = io.Copy(io.Discard, stdout) // a line too long must not block it
	}()
	timer := time.NewTimer(Patience)
	defer timer.Stop()
	select {
	case s.Addr = <-addr:
		return s, nil
	case <-s.Exited:
		return nil, s.Failure()
	case <-timer.C:
		err = fmt.Errorf("%s: it does not listen after %s%s", s.Name, Patience, s.said)
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.End(0)
	return nil, err
}

// log sees each line of the server's log.
func (s *Server) log(line string) {
	if !strings.Contains(line, "msg=memory") {
		return
	}
	s.memory.Store(line)
	select {
	case s.Collected <- struct{}{}:
	default:
	}
}

// Leave has the server end of its own will. It does not wait.
func (s *Server) Leave() {
	s.leaves.Store(true)
	s.Stdin.Close()
}

// Kill ends the server. It does not wait.
func (s *Server) Kill() {
	s.leaves.Store(true)
	_ = s.cmd.Process.Kill() // if it has ended, Exited says so
}

// Leaving says that its end is meant.
func (s *Server) Leaving() bool { return s.leaves.Load() }

// Garbage is the line that the server wrote at its last collection, "" before the
// first.
func (s *Server) Garbage() string {
	line, _ := s.memory.Load().(string)
	return line
}

// Collect asks for a garbage collection; Collected says when it is done. It
// reports false if there is no use in asking: who does not expect the signal
// would die of it.
func (s *Server) Collect() bool {
	if s.Deaf || !catches(s.PID(), syscall.SIGUSR1) {
		return false
	}
	select {
	case <-s.Collected: // of an earlier one that no one waited for
	default:
	}
	_ = s.cmd.Process.Signal(syscall.SIGUSR1) // if it has ended, Exited says so
	return true
}

package swarm

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

// patience is how long a process has to start, to collect its garbage, or to
// end.
const patience = 30 * time.Second

// A server is one server process.
type server struct {
	*child
	addr      string        // where it listens
	collected chan struct{} // one for each garbage collection; buffered
	deaf      bool          // it does not collect when asked; the coordinator's

	leaves atomic.Bool  // its end is meant
	memory atomic.Value // string: the last line that a collection wrote
}

// startServer returns once the server listens.
func startServer(ctx context.Context, number int, command []string, procs int) (*server, error) {
	s := &server{collected: make(chan struct{}, 1)}
	c, stdout, err := start(fmt.Sprintf("server process %d", number), command, procs, s.log)
	if err != nil {
		return nil, err
	}
	s.child = c
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
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case s.addr = <-addr:
		return s, nil
	case <-s.exited:
		return nil, s.failure()
	case <-timer.C:
		err = fmt.Errorf("%s: it does not listen after %s%s", s.name, patience, s.said)
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.end(0)
	return nil, err
}

// log sees each line of the server's log.
func (s *server) log(line string) {
	if !strings.Contains(line, "msg=memory") {
		return
	}
	s.memory.Store(line)
	select {
	case s.collected <- struct{}{}:
	default:
	}
}

// leave has the server end of its own will. It does not wait.
func (s *server) leave() {
	s.leaves.Store(true)
	s.stdin.Close()
}

// kill ends the server. It does not wait.
func (s *server) kill() {
	s.leaves.Store(true)
	_ = s.cmd.Process.Kill() // if it has ended, exited says so
}

// leaving says that its end is meant.
func (s *server) leaving() bool { return s.leaves.Load() }

// garbage is the line that the server wrote at its last collection, "" before the
// first.
func (s *server) garbage() string {
	line, _ := s.memory.Load().(string)
	return line
}

// collect asks for a garbage collection; collected says when it is done. It
// reports false if there is no use in asking: who does not expect the signal
// would die of it.
func (s *server) collect() bool {
	if s.deaf || !catches(s.cmd.Process.Pid, syscall.SIGUSR1) {
		return false
	}
	select {
	case <-s.collected: // of an earlier one that nobody waited for
	default:
	}
	_ = s.cmd.Process.Signal(syscall.SIGUSR1) // if it has ended, exited says so
	return true
}

package agent

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// A Process is a process of an agent, and the standard input of it. It is made by
// Start.
type Process struct {
	agent  *Agent
	number int
	events *io.PipeWriter // what it told

	once   sync.Once
	exited chan struct{} // closed once it has ended
	err    error         // how; after exited
}

// Write sends one command: an encoder makes one call for each.
func (p *Process) Write(text []byte) (int, error) {
	if err := p.agent.ask(request{Tell: &line{Process: p.number, Text: text}}); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Close ends the commands.
func (p *Process) Close() error {
	return p.agent.ask(request{End: &processOf{Number: p.number}})
}

func (p *Process) finish(err error) {
	p.once.Do(func() {
		p.err = err
		close(p.exited)
		p.events.Close()
	})
}

// End asks the process to go, and gives it up if it has not gone in time.
func (p *Process) End(patience time.Duration) {
	_ = p.Close() // without a connection it has ended
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.exited:
	case <-timer.C:
		p.finish(fmt.Errorf("agent %s: client process %d does not end", p.agent.Addr, p.number))
	}
}

// Failure says how the process ended, after End.
func (p *Process) Failure() error { return p.err }

// PID is 0: no process of this host has it.
func (p *Process) PID() int { return 0 }

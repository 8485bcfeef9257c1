package conduct

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/proc"
	"github.com/roost-rt/roost/loadtest/swarm"
)

// A worker is one process of clients, seen from the coordinator. Its commands
// and events are the same wherever it is.
type worker struct {
	number   int
	process  process
	stdin    io.WriteCloser
	commands *json.Encoder
	done     chan struct{} // closed after its last event

	// What it told.
	progress  order.Counts
	used      order.Usage
	strain    order.Strain
	link      order.Link    // since the start of the run
	joined    map[int]int64 // by room; nil until all have joined or failed
	collected bool
	answer    *order.Progress // to the last inquiry; nil until it comes
	halted    *order.Halted   // since quieten
	followed  *order.Followed // nil until its users have done
	missing   *int64          // receipts that they are owed; nil until that is known
	totals    *order.Totals
	gone      bool // nothing more will come
	hung      bool // nothing more is waited for
}

// A process is where a worker is: a child of ours or of an agent's, or here.
type process interface {
	// End asks it to go, and makes it go when it has not by then.
	End(patience time.Duration)

	// Failure says how it ended, after End.
	Failure() error

	// PID is 0 for one that this host does not know.
	PID() int
}

// here is this process.
type here struct{ stdin io.Closer }

func (h here) End(time.Duration) { h.stdin.Close() }
func (h here) Failure() error    { return errors.New("clients of this process: they ended by themselves") }
func (h here) PID() int          { return os.Getpid() }

// A letter goes from a worker into the inbox: an event, or why no more come.
type letter struct {
	from  *worker
	event order.Event
	err   error
}

// startWorker starts a process of clients, or with no command serves them
// here. Its events go to inbox until quit is closed.
func startWorker(number int, command []string, procs int, inbox chan<- letter, quit <-chan struct{}) (*worker, error) {
	if len(command) > 0 {
		c, stdout, err := proc.Start(fmt.Sprintf("client process %d", number), command, procs, nil)
		if err != nil {
			return nil, err
		}
		return newWorker(number, c, c.Stdin, stdout, inbox, quit), nil
	}
	in, stdin := io.Pipe()
	stdout, events := io.Pipe()
	go func() { // read sees its end
		events.CloseWithError(swarm.Serve(in, events))
		in.Close()
	}()
	return newWorker(number, here{stdin}, stdin, stdout, inbox, quit), nil
}

func newWorker(number int, p process, stdin io.WriteCloser, stdout io.ReadCloser, inbox chan<- letter, quit <-chan struct{}) *worker {
	w := &worker{number: number, process: p, stdin: stdin, commands: json.NewEncoder(stdin), done: make(chan struct{})}
	go w.read(stdout, inbox, quit) // end waits for it
	return w
}

// read puts the worker's events into inbox.
func (w *worker) read(stdout io.ReadCloser, inbox chan<- letter, quit <-chan struct{}) {
	defer close(w.done)
	defer stdout.Close()
	events := json.NewDecoder(bufio.NewReader(stdout))
	for {
		l := letter{from: w}
		l.err = events.Decode(&l.event)
		select {
		case inbox <- l:
		case <-quit:
			_, _ = io.Copy(io.Discard, stdout) // so that it can end
			return
		}
		if l.err != nil {
			return
		}
	}
}

// tell sends a command.
func (w *worker) tell(c order.Command) error {
	if err := w.commands.Encode(c); err != nil {
		return fmt.Errorf("client process %d: %w", w.number, err)
	}
	return nil
}

// failure says why the worker's events ended.
func (w *worker) failure(err error) error {
	if errors.Is(err, io.EOF) {
		w.process.End(proc.Patience)
		return w.process.Failure()
	}
	return fmt.Errorf("client process %d: %w", w.number, err)
}

// end waits until the worker is gone. quit must be closed.
func (w *worker) end() {
	limit := proc.Patience
	if w.hung {
		limit = 0
	}
	w.process.End(limit)
	<-w.done
}

// ended says that the worker has told all that it will.
func (w *worker) ended() bool { return w.totals != nil || w.gone }

// quiet says that the worker sends nothing more.
func (w *worker) quiet() bool { return w.halted != nil || w.gone }

// usage returns the usage of the process: the present one if it is on this host, else
// the last that it told, also if it has ended.
func (w *worker) usage() order.Usage {
	switch pid := w.process.PID(); {
	case w.gone:
		return order.Usage{CPUNs: w.used.CPUNs}
	case pid != 0:
		return proc.Measure(pid)
	}
	return w.used
}

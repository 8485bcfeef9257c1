package swarm

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// A worker is one process of clients, seen from the coordinator.
type worker struct {
	number   int
	child    *child // nil if it is this process
	stdin    io.WriteCloser
	commands *json.Encoder
	done     chan struct{} // closed after its last event

	// What it told.
	progress  counts
	joined    map[int]int64 // by room; nil until all have joined or failed
	collected bool
	halted    *halted // since quieten
	totals    *totals
	gone      bool // nothing more will come
}

// A letter is what workers put into the inbox: an event, or why no more come.
type letter struct {
	from  *worker
	event event
	err   error
}

// startWorker starts a process of clients, or with no command serves them
// here. Its events go to inbox until quit is closed.
func startWorker(number int, command []string, procs int, inbox chan<- letter, quit <-chan struct{}) (*worker, error) {
	w := &worker{number: number, done: make(chan struct{})}
	var stdout io.ReadCloser
	if len(command) == 0 {
		in, stdin := io.Pipe()
		out, events := io.Pipe()
		w.stdin, stdout = stdin, out
		go func() { // read sees its end
			events.CloseWithError(Serve(in, events))
			in.Close()
		}()
	} else {
		c, out, err := start(fmt.Sprintf("client process %d", number), command, procs, nil)
		if err != nil {
			return nil, err
		}
		w.child, w.stdin, stdout = c, c.stdin, out
	}
	w.commands = json.NewEncoder(w.stdin)
	go w.read(stdout, inbox, quit) // end waits for it
	return w, nil
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
func (w *worker) tell(c command) error {
	if err := w.commands.Encode(c); err != nil {
		return fmt.Errorf("client process %d: %w", w.number, err)
	}
	return nil
}

// failure says why the worker's events ended.
func (w *worker) failure(err error) error {
	if w.child == nil {
		return fmt.Errorf("clients: %w", err)
	}
	if errors.Is(err, io.EOF) {
		w.child.end(patience)
		return w.child.failure()
	}
	return fmt.Errorf("%s: %w", w.child.name, err)
}

// end waits until the worker is gone. quit must be closed.
func (w *worker) end() {
	if w.child != nil {
		w.child.end(patience)
	} else {
		w.stdin.Close()
	}
	<-w.done
}

// ended says that the worker has told all that it will.
func (w *worker) ended() bool { return w.totals != nil || w.gone }

// quiet says that the worker sends nothing more.
func (w *worker) quiet() bool { return w.halted != nil || w.gone }

func (w *worker) pid() int {
	if w.child != nil {
		return w.child.cmd.Process.Pid
	}
	return os.Getpid()
}

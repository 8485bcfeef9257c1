package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
)

// An Agent is another load machine, seen from the coordinator: a connection to
// its Serve. It is made by Dial and used by one Run at a time.
type Agent struct {
	Addr   string        // as it was asked for
	Host   kernel.Host   // its machine
	From   order.Sources // what its clients connect from; none leaves it to the kernel
	TCP    order.TCP     // of its clients; "" is KernelTCP
	Commit string        // of its program
	Clock  ClockOffset   // as measured by Dial

	conn  net.Conn
	pings int // sent
	pongs chan timedPong
	lost  chan struct{} // closed when the connection has ended

	writing sync.Mutex // guards out; held while a line is written
	out     *json.Encoder

	mu        sync.Mutex // guards the rest; never held during a system call
	processes map[int]*Process
	err       error // why the connection ended
}

// A timedPong is a pong and when it came.
type timedPong struct {
	pong
	received int64 // monotonic nanoseconds
}

// Dial connects to all agents and compares their clocks with ours. It fails, naming
// each, if any is unreachable or refuses. [Close] ends them.
func Dial(ctx context.Context, addrs []string, token string) ([]*Agent, error) {
	agents, errs := make([]*Agent, len(addrs)), make([]error, len(addrs))
	var dialing sync.WaitGroup
	for i, addr := range addrs {
		dialing.Go(func() { agents[i], errs[i] = dial(ctx, addr, token) })
	}
	dialing.Wait()
	err := errors.Join(errs...)
	for _, a := range agents {
		if err == nil { // one by one, or they delay each other
			a.Clock, err = a.CompareClocks(ctx)
		}
	}
	if err != nil {
		Close(agents)
		return nil, err
	}
	return agents, nil
}

// Close ends the connections, and with them whatever still runs there.
func Close(agents []*Agent) {
	for _, a := range agents {
		if a != nil {
			a.conn.Close()
			<-a.lost
		}
	}
}

func dial(ctx context.Context, addr, token string) (*Agent, error) {
	dialer := net.Dialer{Timeout: greetingTime}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("agent %s: %w", addr, err)
	}
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })()
	noticeDeath(conn)
	_ = conn.SetDeadline(time.Now().Add(greetingTime)) // it fails on closed connections, as the next write does
	a := &Agent{
		Addr: addr, conn: conn, pongs: make(chan timedPong, 1), lost: make(chan struct{}),
		out: json.NewEncoder(conn), processes: make(map[int]*Process),
	}
	in := json.NewDecoder(bufio.NewReader(conn))
	if err := a.greet(in, token); err != nil {
		conn.Close()
		return nil, fmt.Errorf("agent %s: %w", addr, err)
	}
	_ = conn.SetDeadline(time.Time{})
	go a.read(in) // ends with the connection; Close waits for it
	return a, nil
}

func (a *Agent) greet(in *json.Decoder, token string) error {
	if err := a.out.Encode(greeting{Agent: version, Token: token}); err != nil {
		return err
	}
	var h hello
	switch err := in.Decode(&h); {
	case err != nil:
		return fmt.Errorf("it does not answer like an agent: %w", err)
	case h.Refused != "":
		return errors.New("it refuses: " + h.Refused)
	case h.Agent != version:
		return fmt.Errorf("it speaks version %d of the protocol, this program version %d: use the same program on both", h.Agent, version)
	}
	a.Host, a.Commit, a.From, a.TCP = h.Host, h.Commit, h.From, h.TCP
	return nil
}

// ask sends a request.
func (a *Agent) ask(r request) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	if err := a.out.Encode(r); err != nil {
		return fmt.Errorf("agent %s: %w", a.Addr, err)
	}
	return nil
}

// read takes the answers until the connection ends.
func (a *Agent) read(in *json.Decoder) {
	defer close(a.lost)
	for {
		var what answer
		if err := in.Decode(&what); err != nil {
			a.lose(err)
			return
		}
		switch {
		case what.Pong != nil:
			select {
			case a.pongs <- timedPong{*what.Pong, order.Now()}:
			default: // no one waits for it
			}
		case what.Told != nil:
			if p := a.find(what.Told.Process); p != nil {
				_, _ = p.events.Write(what.Told.Text) // it fails when the worker has given up
			}
		case what.Ended != nil:
			if p := a.find(what.Ended.Process); p != nil {
				p.finish(fmt.Errorf("agent %s: %s", a.Addr, what.Ended.Why))
			}
		}
	}
}

// lose ends all processes of an agent whose connection ended.
func (a *Agent) lose(err error) {
	if errors.Is(err, io.EOF) {
		err = errors.New("it closed the connection: was it stopped?")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err = fmt.Errorf("agent %s: %w", a.Addr, err)
	for _, p := range a.processes {
		p.finish(a.err)
	}
}

// IsLost reports whether the connection has ended.
func (a *Agent) IsLost() bool {
	select {
	case <-a.lost:
		return true
	default:
		return false
	}
}

func (a *Agent) find(number int) *Process {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.processes[number]
}

// Start starts a process of clients there, with so many processors to run Go on, 0
// for all. Its output comes out of stdout, which the caller reads to its end.
func (a *Agent) Start(number, procs int) (p *Process, stdout io.ReadCloser, err error) {
	stdout, events := io.Pipe()
	p = &Process{agent: a, number: number, events: events, exited: make(chan struct{})}
	if err := a.add(p); err != nil {
		return nil, nil, err
	}
	if err := a.ask(request{Start: &processOf{Number: number, Procs: procs}}); err != nil {
		return nil, nil, err
	}
	return p, stdout, nil
}

func (a *Agent) add(p *Process) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil { // else nothing would end it
		a.processes[p.number] = p
	}
	return a.err
}

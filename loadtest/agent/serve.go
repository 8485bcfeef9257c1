package agent

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/proc"
)

// ErrNoToken: whoever reaches an agent can have it connect to any server.
var ErrNoToken = errors.New("an agent that other hosts can reach needs a token")

// A Config says how to serve coordinators.
type Config struct {
	// Token is the secret that a coordinator must know. It crosses the network in the
	// clear, as everything does. Empty lets everybody in, and needs a loopback address.
	Token string

	// Command starts a process that calls swarm.Serve on its standard input and output.
	Command []string

	// Commit names this program. Coordinators show it where it is not theirs.
	Commit string

	// From are the addresses of this host that clients connect from, by turns. None
	// leaves it to the kernel, which takes one.
	From order.Sources

	// TCP says whose TCP clients use: KernelTCP, the default, or TUN. TUN takes a prefix
	// for From that is routed to this host, and a host that forwards.
	TCP order.TCP

	// Log takes a line for people when the agent listens, and at each coming and
	// going. Nil means none.
	Log func(line string)
}

// Serve is the agent of a load machine: it starts processes of clients here
// for the coordinators that connect to ln, one coordinator at a time. Whatever
// a coordinator started ends with its connection. Serve closes ln and
// returns once all has ended: with nil when ctx did, else when ln fails.
func Serve(ctx context.Context, ln net.Listener, cfg Config) error {
	defer ln.Close()
	if addr, ok := ln.Addr().(*net.TCPAddr); cfg.Token == "" && (!ok || !addr.IP.IsLoopback()) {
		return fmt.Errorf("listen on %s: %w", ln.Addr(), ErrNoToken)
	}
	s := &server{config: cfg}
	s.log("listening on %s", ln.Addr())
	defer s.visits.Wait()
	serving, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(serving, func() { ln.Close() })()
	for {
		conn, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("agent: %w", err)
		}
		s.visits.Go(func() { s.visit(serving, conn) })
	}
}

type server struct {
	config Config
	busy   sync.Mutex // held while a coordinator is served
	visits sync.WaitGroup
}

// A visitor has to greet within this time, and on one line of this many bytes.
const (
	greetingTime  = 10 * time.Second
	greetingBytes = 4096
)

// visit serves one connection.
func (s *server) visit(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	noticeDeath(conn)
	_ = conn.SetDeadline(time.Now().Add(greetingTime)) // it fails on closed connections, as the next read does
	in := bufio.NewReaderSize(conn, greetingBytes)
	out := json.NewEncoder(conn)
	text, err := in.ReadSlice('\n')
	if err != nil {
		return
	}
	h := hello{Agent: version}
	if err := s.admit(text); err != nil {
		h.Refused = err.Error()
		s.log("refused %s: %v", conn.RemoteAddr(), err)
		_ = out.Encode(h) // it need not listen
		return
	}
	defer s.busy.Unlock()
	h.Commit = s.config.Commit
	h.From, h.TCP = s.config.From, s.config.TCP
	if h.Host, err = kernel.Here(); err != nil {
		h.Refused = err.Error()
	}
	if out.Encode(h) != nil || h.Refused != "" {
		return
	}
	_ = conn.SetDeadline(time.Time{})
	s.log("serving %s", conn.RemoteAddr())
	a := &session{
		command: s.config.Command, conn: conn, in: json.NewDecoder(in), out: out, processes: make(map[int]*proc.Child),
	}
	a.run()
	s.log("done with %s", conn.RemoteAddr())
}

// admit locks busy, or says why not.
func (s *server) admit(text []byte) error {
	var g greeting
	switch err := json.Unmarshal(text, &g); {
	case err != nil || g.Agent == 0:
		return errors.New("not a greeting of a coordinator")
	case g.Agent != version:
		return fmt.Errorf("the coordinator speaks version %d of the protocol, this agent version %d (commit %s): use the same program on both",
			g.Agent, version, cmp.Or(s.config.Commit, "unknown"))
	case !same(g.Token, s.config.Token):
		return errors.New("wrong token")
	case !s.busy.TryLock():
		return errors.New("it already serves another coordinator")
	}
	return nil
}

// same compares in a time that tells nothing, not even of the length.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func (s *server) log(format string, args ...any) {
	if s.config.Log != nil {
		s.config.Log(fmt.Sprintf(format, args...))
	}
}

// A session serves one coordinator.
type session struct {
	command   []string
	conn      net.Conn
	in        *json.Decoder
	processes map[int]*proc.Child // by the coordinator's number
	followers sync.WaitGroup

	mu  sync.Mutex // guards out
	out *json.Encoder
}

// run does what is asked for until the connection ends, and the processes with
// it.
func (a *session) run() {
	runtime.LockOSThread() // the parent of the processes: see proc.Start
	defer runtime.UnlockOSThread()
	defer a.end()
	for {
		var r request
		if a.in.Decode(&r) != nil {
			return
		}
		switch {
		case r.Ping != 0:
			a.tell(answer{Pong: &pong{Number: r.Ping, At: order.Now()}})
		case r.Start != nil:
			a.start(*r.Start)
		case r.Tell != nil:
			if c := a.processes[r.Tell.Process]; c != nil {
				_, _ = c.Stdin.Write(append(r.Tell.Text, '\n')) // of one that is dead, Ended tells
			}
		case r.End != nil:
			if c := a.processes[r.End.Number]; c != nil {
				c.Stdin.Close()
			}
		}
	}
}

func (a *session) start(p processOf) {
	if a.processes[p.Number] != nil {
		a.tell(answer{Ended: &ending{Process: p.Number, Why: fmt.Sprintf("client process %d was started before", p.Number)}})
		return
	}
	c, stdout, err := proc.Start(fmt.Sprintf("client process %d", p.Number), a.command, p.Procs, nil)
	if err != nil {
		a.tell(answer{Ended: &ending{Process: p.Number, Why: err.Error()}})
		return
	}
	a.processes[p.Number] = c
	a.followers.Go(func() {
		defer stdout.Close()
		events := json.NewDecoder(bufio.NewReader(stdout))
		for {
			l := line{Process: p.Number}
			if events.Decode(&l.Text) != nil {
				break
			}
			a.tell(answer{Told: &l})
		}
		c.End(proc.Patience)
		a.tell(answer{Ended: &ending{Process: p.Number, Why: c.Failure().Error()}})
	})
}

// tell answers. That the coordinator is gone is found by reading from it.
func (a *session) tell(what answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_ = a.out.Encode(what)
}

func (a *session) end() {
	a.conn.Close() // no one waits in tell after this
	for _, c := range a.processes {
		a.followers.Go(func() { c.End(proc.Patience) })
	}
	a.followers.Wait()
}

// deathTime is after how long without a sign of the other machine a connection
// ends.
const deathTime = 20 * time.Second

// noticeDeath has a connection end when the other machine does not answer: with
// bytes under way, and without.
func noticeDeath(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	// These fail on closed connections, as the next read does.
	_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: deathTime / 4, Interval: deathTime / 4, Count: 3})
	raw, err := tcp.SyscallConn()
	if err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(deathTime.Milliseconds()))
		})
	}
}

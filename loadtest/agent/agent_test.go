package agent_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roost-rt/roost/loadtest/agent"
	"github.com/roost-rt/roost/loadtest/order"
)

// serveAgent serves until the test ends. What it logs is in the Go channel.
func serveAgent(t *testing.T, cfg agent.Config) (addr string, logged chan string) {
	t.Helper()
	logged = make(chan string, 100)
	cfg.Log = func(line string) { logged <- line }
	ln := listen(t, "127.0.0.1:0")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- agent.Serve(ctx, ln, cfg) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve() = %v, want nil", err)
		}
	})
	return ln.Addr().String(), logged
}

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// A caller speaks to an agent in literal bytes.
type caller struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func call(t *testing.T, addr string) caller {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	return caller{t, conn, bufio.NewReader(conn)}
}

func (c caller) say(text string) {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.conn, text); err != nil {
		c.t.Fatal(err)
	}
}

func (c caller) hear() string {
	c.t.Helper()
	text, err := c.in.ReadString('\n')
	if err != nil {
		c.t.Fatalf("no answer: %v", err)
	}
	return strings.TrimSuffix(text, "\n")
}

func (c caller) want(part string) {
	c.t.Helper()
	if text := c.hear(); !strings.Contains(text, part) {
		c.t.Fatalf("the agent says %s, want %s in it", text, part)
	}
}

func TestAgentAdmits(t *testing.T) {
	t.Parallel()
	addr, _ := serveAgent(t, agent.Config{Token: "s3cret", Commit: "c0ffee"})
	for _, test := range []struct{ greeting, want string }{
		{`{"agent":5,"token":"s3cret"}`, `"commit":"c0ffee","host":{"FilesSoft":`},
		{`{"agent":5,"token":"s3cre"}`, `"refused":"wrong token"`},
		{`{"agent":5}`, `"refused":"wrong token"`},
		{`{"agent":1,"token":"s3cret"}`, `"refused":"the coordinator speaks version 1 of the protocol, this agent version 5 (commit c0ffee): use the same program on both"`},
		{`{"token":"s3cret"}`, `"refused":"not a greeting of a coordinator"`},
		{`GET / HTTP/1.1`, `"refused":"not a greeting of a coordinator"`},
	} {
		t.Run(test.greeting, func(t *testing.T) {
			c := call(t, addr)
			c.say(test.greeting)
			c.want(test.want)
		})
	}
}

func TestAgentServesOneAtATime(t *testing.T) {
	t.Parallel()
	addr, logged := serveAgent(t, agent.Config{})
	first := call(t, addr)
	first.say(`{"agent":5}`)
	first.want(`"host"`)
	second := call(t, addr)
	second.say(`{"agent":5}`)
	second.want(`"refused":"it already serves another coordinator"`)
	first.conn.Close()
	await(t, logged, "done with")
	third := call(t, addr)
	third.say(`{"agent":5}`)
	third.want(`"host"`)
}

// await waits for a line of the agent's log.
func await(t *testing.T, logged chan string, part string) {
	t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		select {
		case line := <-logged:
			if strings.Contains(line, part) {
				return
			}
		case <-timeout:
			t.Fatalf("the agent does not log %q", part)
		}
	}
}

// The process says its number and repeats what it is told.
var parrot = []string{"sh", "-c", `echo "{\"pid\":$$}"; exec cat`}

func TestAgentProcesses(t *testing.T) {
	t.Parallel()
	addr, logged := serveAgent(t, agent.Config{Command: parrot})
	c := call(t, addr)
	c.say(`{"agent":5}`)
	c.hear()
	start := func(number int) (pid int) {
		c.say(fmt.Sprintf(`{"start":{"number":%d,"procs":1}}`, number))
		var a struct {
			Told struct {
				Process int
				Text    struct{ PID int }
			}
		}
		if text := c.hear(); json.Unmarshal([]byte(text), &a) != nil || a.Told.Process != number || a.Told.Text.PID == 0 {
			t.Fatalf("after the start of process %d the agent says %s, want what the process did", number, text)
		}
		return a.Told.Text.PID
	}
	start(3)
	other := start(4)
	c.say(`{"tell":{"process":3,"text":{"halt":true}}}`)
	c.want(`{"told":{"process":3,"text":{"halt":true}}}`)
	c.say(`{"ping":7}`)
	c.want(`{"pong":{"number":7,"at":`)
	c.say(`{"tell":{"process":5,"text":{"halt":true}}}`) // there is none
	c.say(`{"end":{"number":3}}`)
	c.want(`{"ended":{"process":3,"why":"client process 3 (pid `)
	c.say(`{"start":{"number":4}}`)
	c.want(`{"ended":{"process":4,"why":"client process 4 was started before"}}`)

	// Without the coordinator, whatever is left ends.
	c.conn.Close()
	await(t, logged, "done with")
	if err := syscall.Kill(other, 0); err != syscall.ESRCH {
		t.Errorf("process 4 after the end of the connection: %v, want it gone", err)
	}
}

func TestAgentCannotStartProcess(t *testing.T) {
	t.Parallel()
	addr, _ := serveAgent(t, agent.Config{Command: []string{"/no/such/program"}})
	c := call(t, addr)
	c.say(`{"agent":5}`)
	c.hear()
	c.say(`{"start":{"number":0}}`)
	c.want(`{"ended":{"process":0,"why":"start client process 0: fork/exec /no/such/program: no such file or directory"}}`)
}

func TestAgentThatOthersReachNeedsToken(t *testing.T) {
	t.Parallel()
	local, err := net.Listen("unix", filepath.Join(t.TempDir(), "agent")) // who may reach it is not known
	if err != nil {
		t.Fatal(err)
	}
	for _, ln := range []net.Listener{listen(t, "0.0.0.0:0"), local} {
		if err := agent.Serve(t.Context(), ln, agent.Config{}); !errors.Is(err, agent.ErrNoToken) || !strings.Contains(err.Error(), ln.Addr().String()) {
			t.Errorf("Serve(%s) = %v, want %v", ln.Addr(), err, agent.ErrNoToken)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	var said []string
	if err := agent.Serve(ended, listen(t, "0.0.0.0:0"), agent.Config{Token: "x", Log: func(line string) { said = append(said, line) }}); err != nil || len(said) != 1 || !strings.HasPrefix(said[0], "listening on ") {
		t.Errorf("with a token: %v, it logs %q, want it to listen", err, said)
	}
}

// Clients of an agent have its addresses and its TCP, which the coordinator is told.
func TestAgentTellsWhatItsClientsHave(t *testing.T) {
	t.Parallel()
	from, err := order.ParseSources("10.64.0.0/16")
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := serveAgent(t, agent.Config{From: from, TCP: order.TUN})
	if a := dialOne(t, addr); a.From.String() != "10.64.0.0/16" || a.TCP != order.TUN {
		t.Errorf("clients are from %s with TCP %s", a.From, a.TCP)
	}
}

// fakeAgent answers the greeting, and pings by a clock that is ahead.
func fakeAgent(t *testing.T, hello string, ahead time.Duration) (addr string) {
	t.Helper()
	ln := listen(t, "127.0.0.1:0")
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewScanner(conn)
		in.Scan()
		fmt.Fprintln(conn, hello)
		for in.Scan() {
			var r struct{ Ping int }
			var now unix.Timespec
			if json.Unmarshal(in.Bytes(), &r) == nil && unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) == nil {
				fmt.Fprintf(conn, `{"pong":{"number":%d,"at":%d}}`+"\n", r.Ping, now.Nano()+int64(ahead))
			}
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String()
}

func TestDialAgents(t *testing.T) {
	t.Parallel()
	hello := `{"agent":5,"commit":"c0ffee","host":{"FilesHard":1234,"Cores":5}}`
	ahead, behind := fakeAgent(t, hello, 5*time.Second), fakeAgent(t, hello, -72*time.Hour)
	agents, err := agent.Dial(t.Context(), []string{ahead, behind}, "")
	if err != nil {
		t.Fatalf("DialAgents() = %v", err)
	}
	defer agent.Close(agents)
	for i, want := range []time.Duration{5 * time.Second, -72 * time.Hour} {
		a := agents[i]
		if off := (a.Clock.Ahead - want).Abs(); off > a.Clock.Within || a.Clock.Within <= 0 || a.Clock.Within > time.Second {
			t.Errorf("clock of agent %d is ahead by %v, want %v within that", i, a.Clock, want)
		}
		if a.Host.FilesHard != 1234 || a.Host.Cores != 5 || a.Commit != "c0ffee" {
			t.Errorf("agent %d has limits %+v and commit %s, want those it told", i, a.Host, a.Commit)
		}
	}
}

func TestDialAgentsNamesWhoFails(t *testing.T) {
	t.Parallel()
	good, logged := serveAgent(t, agent.Config{Token: "s3cret"})
	for _, test := range []struct{ name, addr, token, want string }{
		{"nobody", "127.0.0.1:1", "s3cret", "agent 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused"},
		{"token", good, "secret", "agent " + good + ": it refuses: wrong token"},
		{"version", fakeAgent(t, `{"agent":9}`, 0), "s3cret", "it speaks version 9 of the protocol, this program version 5: use the same program on both"},
		{"web server", fakeAgent(t, "HTTP/1.1 400 Bad Request", 0), "s3cret", "it does not answer like an agent: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := agent.Dial(t.Context(), []string{good, test.addr}, test.token)
			if err == nil || !strings.Contains(err.Error(), "agent "+test.addr+": ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("DialAgents(%q) = %v, want %s", test.addr, err, test.want)
			}
			if test.token == "s3cret" {
				await(t, logged, "done with") // the one that did not fail
			}
		})
	}
}

func TestClosestExchangeCounts(t *testing.T) {
	for _, test := range []struct {
		name          string
		list          []agent.Exchange
		ahead, within time.Duration
	}{
		{"one", []agent.Exchange{agent.NewExchange(100, 1150, 200)}, 1000, 50},
		{"behind", []agent.Exchange{agent.NewExchange(1100, 150, 1200)}, -1000, 50},
		{"odd", []agent.Exchange{agent.NewExchange(100, 1150, 201)}, 1000, 51},
		// The second waited on its way there, the third on its way back.
		{"delays", []agent.Exchange{agent.NewExchange(0, 1010, 20), agent.NewExchange(100, 1510, 520), agent.NewExchange(600, 1610, 1000)}, 1000, 10},
		{"shortest last", []agent.Exchange{agent.NewExchange(100, 1510, 520), agent.NewExchange(600, 1601, 602)}, 1000, 1},
	} {
		if got := agent.Closest(test.list); got.Ahead != test.ahead || got.Within != test.within {
			t.Errorf("%s: Closest(%v) = %d ± %d ns, want %d ± %d", test.name, test.list, got.Ahead, got.Within, test.ahead, test.within)
		}
	}
}

// Whoever ends the wait for agents is not held up by one that says nothing, and all
// that failed are named; connections to the others end.
func TestDialIsGivenUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	silent := listen(t, "127.0.0.1:0")
	good, logged := serveAgent(t, agent.Config{})
	go func() {
		conn, err := silent.Accept()
		if err == nil {
			defer conn.Close()
			_, _ = bufio.NewReader(conn).ReadString('\n') // its greeting
		}
		for line := ""; !strings.HasPrefix(line, "serving "); {
			select {
			case line = <-logged:
			case <-t.Context().Done():
				return
			}
		}
		cancel()
		<-t.Context().Done()
	}()
	_, err := agent.Dial(ctx, []string{silent.Addr().String(), good, "127.0.0.1:1"}, "")
	if err == nil || !strings.Contains(err.Error(), "agent "+silent.Addr().String()+": ") || !strings.Contains(err.Error(), "agent 127.0.0.1:1: ") {
		t.Errorf("Dial = %v, want the two that failed", err)
	}
	await(t, logged, "done with")
}

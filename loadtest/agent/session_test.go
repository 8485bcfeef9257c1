package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// newAgent is an agent without a connection: what it is asked is in the buffer.
func newAgent() (*Agent, *bytes.Buffer) {
	asked := new(bytes.Buffer)
	return &Agent{Addr: "h:1", pongs: make(chan timedPong, 1), lost: make(chan struct{}), out: json.NewEncoder(asked), processes: make(map[int]*Process)}, asked
}

// What an agent says of itself is taken, and whoever does not speak the protocol, or
// refuses, is an error that says what to do.
func TestGreet(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ token, answer, want string }{
		{"s3cret", `{"agent":5,"commit":"c0ffee","host":{"Cores":3},"from":["10.64.0.0/16"],"tcp":"tun"}`, ""},
		{"", `{"agent":5,"refused":"wrong token"}`, "it refuses: wrong token"},
		{"", `{"agent":4,"refused":"the coordinator speaks version 5"}`, "it refuses: the coordinator speaks version 5"}, // its own words are better
		{"", `{"agent":4}`, "it speaks version 4 of the protocol, this program version 5: use the same program on both"},
		{"", `{}`, "it speaks version 0 of the protocol, this program version 5: "},
		{"", "SSH-2.0-OpenSSH_9.6", "it does not answer like an agent: invalid character 'S'"},
		{"", `{"agent":"five"}`, "it does not answer like an agent: json: cannot unmarshal string"},
		{"", "", "it does not answer like an agent: EOF"},
	} {
		a, asked := newAgent()
		err := a.greet(json.NewDecoder(strings.NewReader(tt.answer)), tt.token)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.answer, err, tt.want)
		}
		greeting := `{"agent":5}`
		if tt.token != "" {
			greeting = `{"agent":5,"token":"s3cret"}`
			if a.Commit != "c0ffee" || a.Host.Cores != 3 || a.From.String() != "10.64.0.0/16" || a.TCP != "tun" {
				t.Errorf("the agent is %s, %+v, from %s, %s", a.Commit, a.Host, a.From, a.TCP)
			}
		}
		if got := strings.TrimSpace(asked.String()); got != greeting {
			t.Errorf("it is greeted with %s, want %s", got, greeting)
		}
	}
}

// Events and ends go to the process of that number, and to no other; when the
// connection ends all others end with it, and say why.
func TestAnswersFindTheirProcess(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ rest, why string }{
		{"", "agent h:1: it closed the connection: was it stopped?"},
		{"nonsense", "agent h:1: invalid character 'o'"},
		{`{"told":{"process":"one"}}`, "agent h:1: json: cannot unmarshal string"},
	} {
		a, asked := newAgent()
		var outputs []io.ReadCloser
		var processes []*Process
		for number := range 3 {
			p, stdout, err := a.Start(number, 7)
			if err != nil {
				t.Fatal(err)
			}
			outputs, processes = append(outputs, stdout), append(processes, p)
		}
		if want := `{"start":{"number":0,"procs":7}}` + "\n" + `{"start":{"number":1,"procs":7}}` + "\n"; !strings.HasPrefix(asked.String(), want) {
			t.Errorf("asked for %s", asked)
		}
		told := make(chan string, 3)
		for _, stdout := range outputs {
			go func() {
				text, _ := io.ReadAll(stdout) // to its end, however that comes
				told <- string(text)
			}()
		}
		a.read(json.NewDecoder(strings.NewReader(`{"told":{"process":1,"text":{"a":1}}} {"told":{"process":9,"text":{"b":1}}} {"pong":{"number":1,"at":5}} {"pong":{"number":2,"at":6}}
			{} {"ended":{"process":1,"why":"exit status 3"}} {"ended":{"process":9,"why":"nobody"}} {"told":{"process":1,"text":{"late":1}}} ` + tt.rest)))
		if got := []string{<-told, <-told, <-told}; len(slices.DeleteFunc(got, func(s string) bool { return s == "" })) != 1 || !slices.Contains(got, `{"a":1}`) {
			t.Errorf("the processes tell %q, want one event of one of them", got)
		}
		for i, p := range processes {
			want := tt.why
			if i == 1 {
				want = "agent h:1: exit status 3"
			}
			if <-p.exited; p.Failure() == nil || !strings.HasPrefix(p.Failure().Error(), want) {
				t.Errorf("process %d ended with %v, want %s", i, p.Failure(), want)
			}
		}
		if pong := <-a.pongs; pong.Number != 1 || pong.At != 5 || !a.IsLost() {
			t.Errorf("pong %+v, lost: %v, want the first pong and the agent lost", pong, a.IsLost())
		}
		if _, _, err := a.Start(4, 0); err == nil || !strings.HasPrefix(err.Error(), tt.why) {
			t.Errorf("a process is started without a connection: %v, want %s", err, tt.why)
		}
	}
}

// Commands arrive word for word as they were written; a command that is not JSON is not sent.
func TestCommandsOfAProcess(t *testing.T) {
	t.Parallel()
	a, asked := newAgent()
	p, _, err := a.Start(3, 0)
	if err != nil {
		t.Fatal(err)
	}
	asked.Reset()
	if n, err := p.Write([]byte(`{"go":[1, 2]}` + "\n")); n != 14 || err != nil {
		t.Errorf("Write = %d, %v, want all 14 bytes", n, err)
	}
	if n, err := p.Write([]byte("no JSON\n")); n != 0 || err == nil || !strings.HasPrefix(err.Error(), "agent h:1: ") {
		t.Errorf("Write of no JSON = %d, %v, want an error of the agent", n, err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if want := `{"tell":{"process":3,"text":{"go":[1,2]}}}` + "\n" + `{"end":{"number":3}}` + "\n"; asked.String() != want {
		t.Errorf("asked for %s, want %s", asked, want)
	}
}

// A process that goes in time is not given up, and says how it went.
func TestPatienceWithAProcess(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]string{
		9 * time.Second:  "it went",
		11 * time.Second: "agent h:1: client process 3 does not end",
	} {
		synctest.Test(t, func(t *testing.T) {
			a, _ := newAgent()
			p, _, err := a.Start(3, 0)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				time.Sleep(after)
				p.finish(errors.New("it went"))
			}()
			begun := time.Now()
			p.End(10 * time.Second)
			if took := time.Since(begun); took != min(after, 10*time.Second) || p.Failure().Error() != want {
				t.Errorf("after %v it ended with %v, want %q", took, p.Failure(), want)
			}
			time.Sleep(5 * time.Second) // what comes later changes nothing
			synctest.Wait()
			if p.Failure().Error() != want {
				t.Errorf("later it ended with %v, want %q", p.Failure(), want)
			}
		})
	}
}

// A ping takes the pong of its number, waits five seconds for it, and not for one of a
// connection that has ended.
func TestPing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		agent func(a *Agent, cancel func())
		takes time.Duration
		want  string // the error; "" for none
	}{
		{"answers", func(a *Agent, _ func()) {
			time.Sleep(time.Second)
			a.pongs <- timedPong{pong{Number: 5, At: 77}, 1} // of a ping before
			a.pongs <- timedPong{pong{Number: 6, At: 88}, 2}
		}, time.Second, ""},
		{"is silent", func(*Agent, func()) {}, 5 * time.Second, "no answer in 5s"},
		{"answers something else", func(a *Agent, _ func()) { a.pongs <- timedPong{pong{Number: 7}, 1} }, 5 * time.Second, "no answer in 5s"},
		{"goes", func(a *Agent, _ func()) { time.Sleep(time.Second); close(a.lost) }, time.Second, "the connection ended"},
		{"is left", func(_ *Agent, cancel func()) { time.Sleep(time.Second); cancel() }, time.Second, "context canceled"},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			a, asked := newAgent()
			a.pongs = make(chan timedPong, 1) // of this bubble
			a.pings = 5
			go tt.agent(a, cancel)
			begun := time.Now()
			e, err := a.ping(ctx)
			if took := time.Since(begun); took != tt.takes || tt.want == "" && (err != nil || e.at != 88 || e.received != 2) || tt.want != "" && (err == nil || err.Error() != tt.want) {
				t.Errorf("%s: %+v, %v after %v, want %q after %v", tt.name, e, err, took, tt.want, tt.takes)
			}
			if asked.String() != `{"ping":6}`+"\n" {
				t.Errorf("%s: asked %s", tt.name, asked)
			}
		})
	}
}

// An agent that cannot be pinged fails the comparison of clocks, by its name.
func TestClocksOfASilentAgent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, asked := newAgent()
		if _, err := a.CompareClocks(t.Context()); err == nil || err.Error() != "agent h:1: compare clocks: no answer in 5s" || strings.Count(asked.String(), "ping") != 1 {
			t.Errorf("%v after %q", err, asked)
		}
	})
}

// A coordinator may ask for anything in any order: what has no process is passed over, a
// ping is answered at once, and what is no request ends the session.
func TestSessionWithoutProcesses(t *testing.T) {
	t.Parallel()
	here, there := net.Pipe()
	s := &session{command: []string{"/no/such/program"}, conn: there, in: json.NewDecoder(there), out: json.NewEncoder(there)}
	ended := make(chan struct{})
	go func() { defer close(ended); s.run() }()
	answers := json.NewDecoder(here)
	for _, tt := range []struct{ ask, want string }{
		{`{"tell":{"process":1,"text":{}}} {"end":{"number":1}} {} {"unknown":true} {"ping":1}`, `{"pong":{"number":1,`},
		{`{"ping":-7}`, `{"pong":{"number":-7,`},
		{`{"start":{"number":2}}`, `{"ended":{"process":2,"why":"start client process 2: fork/exec /no/such/program: no such file or directory"}}`},
		{`{"start":{"number":2}}`, `{"ended":{"process":2,"why":"start client process 2: `}, // it may be tried again
	} {
		if _, err := io.WriteString(here, tt.ask); err != nil {
			t.Fatal(err)
		}
		var answer json.RawMessage
		if err := answers.Decode(&answer); err != nil || !strings.HasPrefix(string(answer), tt.want) {
			t.Errorf("%s is answered %s, %v, want %s", tt.ask, answer, err, tt.want)
		}
	}
	if _, err := io.WriteString(here, "nonsense"); err != nil {
		t.Fatal(err)
	}
	<-ended
	if err := answers.Decode(new(json.RawMessage)); !errors.Is(err, io.EOF) {
		t.Errorf("after nonsense: %v, want the connection closed", err)
	}
}

// A connection whose other end is dead ends after 20 s: with bytes under way, and
// without, when three probes are not answered.
func TestDeathIsNoticed(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	noticeDeath(conn)
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		for name, o := range map[string][3]int{
			"user timeout":       {unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 20_000},
			"probes":             {unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
			"time to the first":  {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 5},
			"time between them":  {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 5},
			"probes to the last": {unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 3},
		} {
			if got, err := unix.GetsockoptInt(int(fd), o[0], o[1]); err != nil || got != o[2] {
				t.Errorf("%s: %d, %v, want %d", name, got, err, o[2])
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	here, there := net.Pipe() // is no such connection, and is let be
	defer here.Close()
	defer there.Close()
	noticeDeath(here)
}

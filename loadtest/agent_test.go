package main_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/server/phx"
)

// A service is a process that says where it listens, and more line by line.
type service struct {
	*exec.Cmd
	addr  string
	lines chan string
}

// serve starts a service until the test ends.
func serve(t *testing.T, command ...string) *service {
	t.Helper()
	c := exec.Command(command[0], command[1:]...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // unshare passes no signal on
	stdin, err := c.StdinPipe()                         // a server ends with it
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	s := &service{Cmd: c, lines: make(chan string, 100)}
	go func() { // ends with the process
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			s.lines <- lines.Text()
		}
		close(s.lines)
	}()
	t.Cleanup(func() {
		stdin.Close()
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGTERM) // it may have ended
		for range s.lines {
		}
		_ = c.Wait() // the signal is its error
	})
	s.addr = strings.TrimPrefix(s.await(t, "listening on "), "listening on ")
	return s
}

// await returns the next line that begins so.
func (s *service) await(t *testing.T, begin string) string {
	t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		select {
		case line, ok := <-s.lines:
			if !ok {
				t.Fatalf("%v ended before it said %q", s.Args, begin)
			}
			if strings.HasPrefix(line, begin) {
				return line
			}
		case <-timeout:
			t.Fatalf("%v does not say %q", s.Args, begin)
		}
	}
}

// An outing is what a run through agents recorded.
type outing struct {
	notes      []string
	ticks      []*record.Tick
	bills      []*record.Memory
	activities []*record.Activity
	broadcasts []*record.Broadcast
	end        *record.End
}

func readOuting(t *testing.T, folder string) (o outing) {
	t.Helper()
	file, err := os.Open(filepath.Join(folder, "records.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	err = record.Read(file, func(r record.Record) error {
		if r.Note != nil {
			o.notes = append(o.notes, r.Note.Level+": "+r.Note.Message)
		}
		switch {
		case r.Tick != nil:
			o.ticks = append(o.ticks, r.Tick)
		case r.Memory != nil:
			o.bills = append(o.bills, r.Memory)
		case r.Activity != nil:
			o.activities = append(o.activities, r.Activity)
		case r.Broadcast != nil:
			o.broadcasts = append(o.broadcasts, r.Broadcast)
		}
		o.end = r.End
		return nil
	})
	if err != nil || o.end == nil {
		t.Fatalf("records: error %v, end %v", err, o.end)
	}
	return o
}

// note finds one that begins so.
func (o outing) note(t *testing.T, begin string) string {
	t.Helper()
	i := slices.IndexFunc(o.notes, func(n string) bool { return strings.HasPrefix(n, begin) })
	if i < 0 {
		t.Fatalf("notes:\n%s\nwant one that begins with %q", strings.Join(o.notes, "\n"), begin)
	}
	return o.notes[i]
}

// delivered fails unless all clients got all messages, in a plausible time.
func (o outing) delivered(t *testing.T, clients, messages int64) {
	t.Helper()
	e := o.end
	if e.Joined != clients || e.Delivered != clients*messages || e.Lost+e.Duplicated+e.Reordered != 0 || len(e.Errors) > 0 || e.ClientProcs != 2 {
		t.Errorf("end %+v, want %d clients in 2 processes, %d messages to each and no faults", *e, clients, messages)
	}
	if e.ConnectMs <= 0 || e.ConnectMs > 4000 || e.BroadcastMs <= 0 || e.BroadcastMs > 4000 {
		t.Errorf("connect %d ms, broadcast %d ms, want 1 to 4000: the moments are of one clock", e.ConnectMs, e.BroadcastMs)
	}
	h, err := hdrhistogram.Decode(e.RawLatency)
	if err != nil {
		t.Fatal(err)
	}
	// Of a clock that is off by 5 s half of the latencies would be 0, or 5 s.
	if h.TotalCount() != clients*messages || h.ValueAtPercentile(10) < 10 || h.Max() > 4_000_000 {
		t.Errorf("%d latencies from %d µs (10 %%) to %d µs, want %d from 10 µs to 4 s",
			h.TotalCount(), h.ValueAtPercentile(10), h.Max(), clients*messages)
	}
	for _, b := range o.broadcasts {
		if b.FirstUs < 0 || b.LastUs > 4_000_000 {
			t.Errorf("broadcast %d reaches the first after %d µs and the last after %d µs, want 0 to 4 s", b.Seq, b.FirstUs, b.LastUs)
		}
	}
}

// measured fails unless the memory and CPU time of so many processes of clients
// are recorded. One takes more than 4 MB.
func (o outing) measured(t *testing.T, processes int64) {
	t.Helper()
	least := processes * 4 << 20
	for _, b := range o.bills {
		if b.ClientRSS < least || b.ClientRSS > 50*least {
			t.Errorf("clients have %d bytes when %s, want at least %d", b.ClientRSS, b.When, least)
		}
	}
	i := slices.IndexFunc(o.ticks, func(t *record.Tick) bool { return t.Phase == "broadcast" || t.Phase == "echo" })
	if i < 0 {
		t.Fatalf("no tick of a broadcast or echo in %d", len(o.ticks))
	}
	if tick := o.ticks[i]; tick.ClientRSS < least || tick.ClientCPUNs == 0 {
		t.Errorf("at %d ms clients have %d bytes and %d ns of CPU time, want at least %d and some", tick.AtMs, tick.ClientRSS, tick.ClientCPUNs, least)
	}
	for _, a := range o.activities {
		if a.ClientCPUNs == 0 {
			t.Errorf("activity %s took clients no CPU time, want some", a.Name)
		}
	}
}

func TestEchoThroughAgents(t *testing.T) {
	server := serve(t, program, "internal-server")
	one, two := serve(t, program, "agent", "-listen", "127.0.0.1:0"), serve(t, program, "agent", "-listen", "127.0.0.1:0")
	c, out := start(t, "echo", "-url", "ws://"+server.addr, "-agents", one.addr+","+two.addr, "-clients", "20", "-for", "2s", "-out", "run")
	if code := exitCode(t, c.Wait()); code != 0 {
		t.Fatalf("exit code %d, want 0:\n%s", code, out)
	}
	o := readOuting(t, filepath.Join(c.Dir, "run"))
	if len(o.activities) != 1 || o.activities[0].Count == 0 {
		t.Fatalf("activities %v, want an echo with replies", o.activities)
	}
	o.measured(t, 2)
}

func TestRunThroughAgents(t *testing.T) {
	server := serve(t, program, "internal-server")
	one, two := serve(t, program, "agent", "-listen", "127.0.0.1:0"), serve(t, program, "agent", "-listen", "127.0.0.1:0")
	for range 2 { // agents serve one run after the other
		c, out := start(t, "-url", "ws://"+server.addr, "-agents", one.addr+","+two.addr,
			"-clients", "400", "-messages", "15", "-rate", "10", "-out", "run")
		if code := exitCode(t, c.Wait()); code != 0 {
			t.Fatalf("exit code %d, want 0:\n%s", code, out)
		}
		o := readOuting(t, filepath.Join(c.Dir, "run"))
		o.delivered(t, 400, 15)
		o.measured(t, 2)
		for _, a := range []*service{one, two} {
			o.note(t, "info: agent "+a.addr+": clock offset ")
			a.await(t, "done with")
		}
	}
}

// Users of a scenario file at two machines are owed each other's messages, and have
// rows of one table.
func TestScenarioFileThroughAgents(t *testing.T) {
	t.Parallel()
	one, two := serve(t, program, "agent", "-listen", "127.0.0.1:0"), serve(t, program, "agent", "-listen", "127.0.0.1:0")
	agents := one.addr + "," + two.addr
	chat := briefly(t, "chat.yaml", brief)
	o := tryOut(t, chat, application(t, phx.Mount{Routes: lobby()}), "-agents", agents)
	o.allDelivered(t, 50)
	if sent := o.steps["push new_msg: push"].OK; sent != 150 || o.end.ClientProcs != 2 {
		t.Errorf("%d messages of users in %d processes, want 150 and 2", sent, o.end.ClientProcs)
	}
	logins := map[string]string{"for: 30s": "rounds: 2", "200ms..400ms": "1ms", "within: 2s": "within: 60s"}
	o = tryOut(t, briefly(t, "login.yaml", logins), application(t, loginApp()), "-agents", agents)
	if notes := o.steps["push note: broadcast"]; notes.OK != 6 || len(notes.Failed) > 0 {
		t.Errorf("%d notes, %v failed, want 6", notes.OK, notes.Failed)
	}

	// The first user is the coordinator's, unless only the agents reach the application.
	logins["token: \"{{user.join_token}}\""] = "token: wrong"
	for _, test := range []struct{ file, url, want string }{
		{briefly(t, "login.yaml", logins), application(t, loginApp()), "the first user does not get through:\njoin refused: me: error: unauthorized"},
		{chat, "ws://127.0.0.1:1", "No user tried the steps first, because this host cannot reach the application: ws://127.0.0.1:1"},
	} {
		c, out := start(t, test.file, "-url", test.url, "-agents", agents, "-out", "run")
		if code := exitCode(t, c.Wait()); code == 0 || !strings.Contains(out.String(), test.want) {
			t.Errorf("exit code %d, want another than 0 and %q:\n%s", code, test.want, out)
		}
	}
}

// The clock of the second agent and of its clients is 5 s ahead, by a time
// namespace of its own.
func TestAgentClockOffsetIsCorrected(t *testing.T) {
	shift := []string{"unshare", "--user", "--map-root-user", "--time", "--monotonic", "5", "--fork", "--kill-child=SIGTERM"}
	if out, err := exec.Command(shift[0], append(shift[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("no time namespace can be had here: %v: %s", err, out)
	}
	server := serve(t, program, "internal-server")
	one := serve(t, program, "agent", "-listen", "127.0.0.1:0")
	two := serve(t, append(shift, program, "agent", "-listen", "127.0.0.1:0")...)
	for _, agents := range []string{one.addr + "," + two.addr, two.addr + "," + one.addr} { // the writer is at the first
		c, out := start(t, "-url", "ws://"+server.addr, "-agents", agents, "-clients", "400", "-messages", "5", "-rate", "10", "-out", "run")
		if code := exitCode(t, c.Wait()); code != 0 {
			t.Fatalf("exit code %d, want 0:\n%s", code, out)
		}
		o := readOuting(t, filepath.Join(c.Dir, "run"))
		o.delivered(t, 400, 5)
		var ahead, within float64
		note := o.note(t, "info: agent "+two.addr)
		_, text, _ := strings.Cut(note, "clock offset ")
		if _, err := fmt.Sscanf(text, "%f ms ± %f ms", &ahead, &within); err != nil || ahead < 5000-within || ahead > 5000+within || within > 1000 {
			t.Errorf("note %q, want an offset of 5000 ms (error %v)", note, err)
		}
		one.await(t, "done with")
		two.await(t, "done with")
	}
}

func TestAgentsRefuse(t *testing.T) {
	one := serve(t, program, "agent", "-listen", "127.0.0.1:0", "-token", "s3cret")
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-url", "ws://127.0.0.1:1", "-agents", one.addr}, 1, "agent " + one.addr + ": it refuses: wrong token"},
		{[]string{"-url", "ws://127.0.0.1:1", "-agents", "127.0.0.1:1"}, 1, "agent 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused"},
		{[]string{"-agents", one.addr}, 2, "give its -url"},
		{[]string{"agent", "-listen", "0.0.0.0:0"}, 2, "needs a token: set -token or ROOST_AGENT_TOKEN"},
		{[]string{"agent", "-listen", one.addr}, 1, "address already in use"},
		{[]string{"agent", "-help"}, 0, "usage: loadtest agent"},
	} {
		c, out := start(t, test.args...)
		if code := exitCode(t, c.Wait()); code != test.code || !strings.Contains(out.String(), test.want) || strings.Contains(out.String(), "listening") {
			t.Errorf("loadtest %q = %d, want %d and %q:\n%s", test.args, code, test.code, test.want, out)
		}
	}
}

// startLong starts a run of a minute through two agents, and returns once
// something has reached everybody.
func startLong(t *testing.T, server string, one, two *service) (*exec.Cmd, *strings.Builder) {
	t.Helper()
	c, out := start(t, "-url", "ws://"+server, "-agents", one.addr+","+two.addr,
		"-clients", "400", "-messages", "600", "-rate", "10", "-out", "run")
	waitFor(t, "a message", func() bool {
		records, err := os.ReadFile(filepath.Join(c.Dir, "run", "records.jsonl"))
		return err == nil && strings.Contains(string(records), `{"broadcast":`)
	})
	return c, out
}

func TestAgentKilledAmid(t *testing.T) {
	server := serve(t, program, "internal-server")
	one, two := serve(t, program, "agent", "-listen", "127.0.0.1:0"), serve(t, program, "agent", "-listen", "127.0.0.1:0")
	c, out := startLong(t, server.addr, one, two)
	if err := two.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(t, c.Wait()); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if want := "agent " + two.addr + ": "; !strings.Contains(out.String(), want) {
		t.Errorf("output:\n%s\nwant %q in it", out, want)
	}
	o := readOuting(t, filepath.Join(c.Dir, "run"))
	o.note(t, "error: agent "+two.addr+": ")
	if !o.end.Interrupted || o.end.Delivered == 0 {
		t.Errorf("end %+v, want what was done until then", *o.end)
	}
	one.await(t, "done with")
}

// However the coordinator ends, the clients do.
func TestAgentsOutliveCoordinator(t *testing.T) {
	for _, test := range []struct {
		signal syscall.Signal
		code   int
	}{{syscall.SIGINT, 130}, {syscall.SIGKILL, -1}} {
		t.Run(test.signal.String(), func(t *testing.T) {
			server := serve(t, program, "internal-server")
			one, two := serve(t, program, "agent", "-listen", "127.0.0.1:0"), serve(t, program, "agent", "-listen", "127.0.0.1:0")
			c, _ := startLong(t, server.addr, one, two)
			clients := append(children(one.Cmd), children(two.Cmd)...)
			if len(clients) != 2 {
				t.Fatalf("client processes %q, want one at each agent", clients)
			}
			if err := c.Process.Signal(test.signal); err != nil {
				t.Fatal(err)
			}
			if code := exitCode(t, c.Wait()); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			one.await(t, "done with")
			two.await(t, "done with")
			for _, pid := range clients {
				if alive(pid) {
					t.Errorf("client process %s is left behind", pid)
				}
			}
		})
	}
}

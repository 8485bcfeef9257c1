package agent_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/agent"
)

// dialOne connects to one agent.
func dialOne(t *testing.T, addr string) *agent.Agent {
	t.Helper()
	agents, err := agent.Dial(t.Context(), []string{addr}, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { agent.Close(agents) })
	return agents[0]
}

// next is one event of a process.
func next(t *testing.T, events *json.Decoder) (text string) {
	t.Helper()
	var raw json.RawMessage
	if err := events.Decode(&raw); err != nil {
		t.Fatalf("no event: %v", err)
	}
	return string(raw)
}

// A process of an agent is written to and read from as one of this host is: each gets
// its own, and ends alone.
func TestProcessElsewhere(t *testing.T) {
	t.Parallel()
	addr, _ := serveAgent(t, agent.Config{Command: parrot})
	a := dialOne(t, addr)
	var processes []*agent.Process
	var outputs []chan string // each is read by somebody, as the agent's connection is one
	for number := range 3 {
		p, stdout, err := a.Start(10+number, 1)
		if err != nil {
			t.Fatal(err)
		}
		output := make(chan string, 100)
		go func() {
			defer close(output)
			events := json.NewDecoder(stdout)
			for text := json.RawMessage(nil); events.Decode(&text) == nil; {
				output <- string(text)
			}
		}()
		processes, outputs = append(processes, p), append(outputs, output)
		if text := <-output; !strings.HasPrefix(text, `{"pid":`) || p.PID() != 0 {
			t.Errorf("process %d says %s first, and has number %d here", number, text, p.PID())
		}
	}
	for round := range 3 {
		for i, p := range processes {
			command := fmt.Sprintf(`{"round":%d,"to":%d}`, round, i)
			if n, err := p.Write([]byte(command + "\n")); err != nil || n != len(command)+1 {
				t.Fatalf("write %d bytes, %v", n, err)
			}
		}
		for i := range processes {
			if got, want := <-outputs[i], fmt.Sprintf(`{"round":%d,"to":%d}`, round, i); got != want {
				t.Errorf("process %d is told %s, want %s", i, got, want)
			}
		}
	}
	processes[1].End(time.Minute)
	if err := processes[1].Failure(); err == nil || !strings.HasPrefix(err.Error(), "agent "+addr+": client process 11 (pid ") {
		t.Errorf("it ended with %v, want which process of which agent", err)
	}
	for text := range outputs[1] {
		t.Errorf("after its end it says %s", text)
	}
	if _, err := processes[0].Write([]byte(`{"still":"there"}` + "\n")); err != nil {
		t.Fatal(err)
	}
	if got := <-outputs[0]; got != `{"still":"there"}` {
		t.Errorf("the others end, too: %s", got)
	}
	if a.IsLost() {
		t.Error("the agent counts as lost")
	}
}

// With its agent each process is gone, and says which agent that was; no other is
// started.
func TestAgentIsLost(t *testing.T) {
	t.Parallel()
	ln := listen(t, "127.0.0.1:0")
	conns := make(chan net.Conn, 1)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		in := bufio.NewScanner(conn)
		in.Scan()
		fmt.Fprintln(conn, `{"agent":5}`)
		for in.Scan() {
			var r struct{ Ping int }
			if json.Unmarshal(in.Bytes(), &r) == nil && r.Ping > 0 {
				fmt.Fprintf(conn, `{"pong":{"number":%d,"at":1}}`+"\n", r.Ping)
			}
			if strings.Contains(in.Text(), `"start"`) {
				conns <- conn
			}
		}
	}()
	a := dialOne(t, ln.Addr().String())
	p, stdout, err := a.Start(1, 0)
	if err != nil {
		t.Fatal(err)
	}
	conn := <-conns
	fmt.Fprintln(conn, `{"told":{"process":9,"text":{"nobody":"has it"}}}`)
	fmt.Fprintln(conn, `{"ended":{"process":9,"why":"nobody knows it"}}`)
	fmt.Fprintln(conn, `{"pong":{"number":99,"at":1}}`) // nobody waits for it
	fmt.Fprintln(conn, `{"told":{"process":1,"text":{"last":true}}}`)
	if got := next(t, json.NewDecoder(stdout)); got != `{"last":true}` {
		t.Errorf("it is told %s", got)
	}
	conn.Close()
	if rest, err := io.ReadAll(stdout); err != nil || len(rest) > 1 {
		t.Errorf("its output ends with %q, %v", rest, err)
	}
	p.End(time.Minute)
	want := "agent " + ln.Addr().String() + ": it closed the connection: was it stopped?"
	if err := p.Failure(); err == nil || err.Error() != want {
		t.Errorf("the process ended with %v, want %s", err, want)
	}
	if _, _, err := a.Start(2, 0); err == nil || err.Error() != want {
		t.Errorf("another is started: %v, want %s", err, want)
	}
	if !a.IsLost() {
		t.Error("the agent does not count as lost")
	}
	if _, err := a.CompareClocks(t.Context()); err == nil {
		t.Error("its clock is compared without a connection")
	}
}

// A process that does not end is given up, and that is said.
func TestProcessThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	addr := fakeAgent(t, `{"agent":5}`, 0)
	a := dialOne(t, addr)
	p, stdout, err := a.Start(7, 0)
	if err != nil {
		t.Fatal(err)
	}
	p.End(time.Millisecond)
	if err, want := p.Failure(), "agent "+addr+": client process 7 does not end"; err == nil || err.Error() != want {
		t.Errorf("it ends with %v, want %s", err, want)
	}
	if rest, err := io.ReadAll(stdout); err != nil || len(rest) > 0 {
		t.Errorf("its output ends with %q, %v", rest, err)
	}
}

// Who greets otherwise, says too much or nothing is not served, and keeps nobody
// from it.
func TestStrangersAtAnAgent(t *testing.T) {
	t.Parallel()
	addr, logged := serveAgent(t, agent.Config{Command: parrot, Commit: "c0ffee"})
	for greeting, want := range map[string]string{
		`{"agent":5,"token":"x"}`: "wrong token",
		`{"agent":3}`:             "the coordinator speaks version 3 of the protocol, this agent version 5 (commit c0ffee): use the same program on both",
		`{"agent":5,"token":"` + strings.Repeat("x", 4000) + `"}`: "wrong token",
		`{"agent":5,"token":7}`:                                   "not a greeting of a coordinator",
		`{}`:                                                      "not a greeting of a coordinator",
		`GET / HTTP/1.1`:                                          "not a greeting of a coordinator",
		`[]`:                                                      "not a greeting of a coordinator",
	} {
		c := call(t, addr)
		c.say(greeting)
		var h struct{ Refused string }
		if text := c.hear(); json.Unmarshal([]byte(text), &h) != nil || h.Refused != want {
			t.Errorf("%s is answered %s, want that it is refused: %s", greeting, text, want)
		}
		await(t, logged, want)
	}
	silent := call(t, addr) // it stays, and says nothing
	defer silent.conn.Close()
	long := call(t, addr)
	long.say(`{"agent":5,"token":"` + strings.Repeat("x", 4100) + `"}`)
	if _, err := long.in.ReadString('\n'); err == nil {
		t.Error("a greeting of more than 4,096 bytes is answered")
	}
	if a := dialOne(t, addr); a.Commit != "c0ffee" || a.Host.Cores < 1 {
		t.Errorf("the next is told commit %q and %d processors", a.Commit, a.Host.Cores)
	}
}

// How far a clock is ahead is for people.
func TestClockOffsetString(t *testing.T) {
	t.Parallel()
	for offset, want := range map[agent.ClockOffset]string{
		{}: "0.000 ms ± 0.000 ms",
		{Ahead: 1500 * time.Microsecond, Within: 20 * time.Microsecond}: "1.500 ms ± 0.020 ms",
		{Ahead: -time.Second, Within: time.Millisecond}:                 "-1000.000 ms ± 1.000 ms",
		{Ahead: -200, Within: 400}:                                      "0.000 ms ± 0.000 ms",
	} {
		if got := offset.String(); got != want {
			t.Errorf("%d, %d is %q, want %q", offset.Ahead, offset.Within, got, want)
		}
	}
}

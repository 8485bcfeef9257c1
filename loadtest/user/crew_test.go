package user

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/script"
)

// The moments of a ramp are found to the microsecond, and end with it.
func TestDueRound(t *testing.T) {
	src := script.Source{Text: []byte("target: {url: ws://h}\ntopics: [{topic: a}]\nsteps: [{push: a}]\nstages:\n  - {for: 10s, users: 1, rate: 20}\n  - {for: 1s, users: 1, rate: 20}\n")}
	s, err := src.Script()
	if err != nil {
		t.Fatal(err)
	}
	c := crew{script: s}
	for n, want := range map[float64]time.Duration{
		0: 0, 25: 5 * time.Second, 100: 10 * time.Second, 110: 10500 * time.Millisecond, 120: -1, 1000: -1,
	} {
		if got := c.dueRound(n, 0); (got - want).Abs() > time.Millisecond {
			t.Errorf("round %v is due at %v, want %v", n, got, want)
		}
	}
}

func TestPathFor(t *testing.T) {
	for path, want := range map[string]string{
		"": "/socket/websocket", "/": "/socket/websocket", "/live": "/live/websocket", "/live/": "/live/websocket",
		"/live/websocket": "/live/websocket", "/live/longpoll": "/live/websocket",
	} {
		if got := pathFor(path, script.WebSocket); got != want {
			t.Errorf("pathFor(%q) = %q, want %q", path, got, want)
		}
	}
}

// Errors of one cause are of one kind, whatever the addresses are.
func TestKind(t *testing.T) {
	for want, err := range map[string]error{
		"dial: connection refused":                   &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{Port: 1}, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
		"read: other":                                &net.OpError{Op: "read", Net: "tcp", Addr: &net.TCPAddr{Port: 2}, Err: errors.New("other")},
		"connection closed by the server: 1011 oops": &closing{1011, "oops"},
		"upgrade: HTTP 503 Service Unavailable":      &refusal{status: 503},
	} {
		if got := kind(err); got != want {
			t.Errorf("kind(%v) = %q, want %q", err, got, want)
		}
	}
}

// There are many kinds of errors at most, however many an application makes up.
func TestMeterIsBounded(t *testing.T) {
	var m meter
	for n := range 3 * maxKinds {
		m.observe(string(rune('a'+n)), 1000)
	}
	m.observe("", 2000)
	r := m.reading()
	if len(r.Failed) != maxKinds+1 || r.Failed[otherKinds] != 2*maxKinds || r.OK != 1 || len(r.Latency) == 0 {
		t.Errorf("%d kinds, %d others, %d ok", len(r.Failed), r.Failed[otherKinds], r.OK)
	}
}

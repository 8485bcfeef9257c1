package phx_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/phx"
)

// echoRaw sends back what comes.
func echoRaw(s *phx.RawSocket, data []byte, binary bool) error { return s.Push(data, binary) }

func startRaw(t *testing.T, m phx.Mount) *phx.Endpoint {
	t.Helper()
	m.Path = "/raw"
	return startConfig(t, phx.Config{Mounts: []phx.Mount{m}})
}

// Messages of a raw socket come whole, in order and with their kind, whatever
// their size (rows 45 and 31 of spec §13).
func TestRawEcho(t *testing.T) {
	ep := startRaw(t, phx.Mount{Raw: &phx.RawType{In: echoRaw}, MaxMessage: 16<<20 + 1, MaxFrame: 17 << 20})
	c := dialAt(t, ep, "/raw/websocket")
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20, 16 << 20} {
		if testing.Short() && size > 1<<20 {
			continue
		}
		want := bytes.Repeat([]byte("x"), size)
		c.send(ws.OpBinary, want)
		if f := c.next(); f.Op != ws.OpBinary || !bytes.Equal(f.Payload, want) {
			t.Fatalf("echo of %d bytes: opcode %#x and %d bytes", size, f.Op, len(f.Payload))
		}
	}
	for i := range 100 {
		c.send(ws.OpText, fmt.Append(nil, i))
	}
	for i := range 100 {
		if got := c.message(); got != fmt.Sprint(i) {
			t.Fatalf("message %d is %s", i, got)
		}
	}
}

// The callbacks of a socket, in their order, to the last (rows 45 and 46).
func TestRawCallbacks(t *testing.T) {
	t.Parallel()
	var calls []string // one at a time: no lock
	said := make(chan []string)
	record := func(format string, args ...any) { calls = append(calls, fmt.Sprintf(format, args...)) }
	ep := startRaw(t, phx.Mount{Raw: &phx.RawType{
		Open: func(s *phx.RawSocket) error {
			record("open %v", s.Value("x"))
			return errors.Join(s.Push([]byte("hello"), false), s.Send("a note"))
		},
		In: func(s *phx.RawSocket, data []byte, binary bool) error { record("in %s %v", data, binary); return nil },
		Control: func(s *phx.RawSocket, ping bool, payload []byte) error {
			record("ping %v %s", ping, payload)
			return nil
		},
		Info:      func(s *phx.RawSocket, msg any) error { record("info %v", msg); return nil },
		Terminate: func(s *phx.RawSocket, why phx.Reason) { record("end %s", why); said <- calls },
	}})
	c := dialAt(t, ep, "/raw/websocket")
	if got := c.message(); got != "hello" {
		t.Fatalf("got %q, want hello", got)
	}
	c.send(ws.OpPing, []byte("p1"))
	if f := c.next(); f.Op != ws.OpPong || string(f.Payload) != "p1" {
		t.Fatalf("got %#x %q, want the pong", f.Op, f.Payload)
	}
	c.send(ws.OpPong, []byte("p2"))
	c.send(ws.OpText, []byte("t"))
	c.send(ws.OpBinary, []byte("b"))
	c.send(ws.OpClose, closeFrame(1000))
	c.wantClosed(1000)
	want := []string{"open <nil>", "info a note", "ping true p1", "ping false p2", "in t false", "in b true", "end closed"}
	got := within(t, "Terminate", said)
	// A note and what the client sends race.
	slices.Sort(got[1:3])
	slices.Sort(want[1:3])
	if !slices.Equal(got, want) {
		t.Errorf("callbacks %q, want %q", got, want)
	}
}

// What a callback returns closes the connection, and nothing else.
func TestRawErrors(t *testing.T) {
	ep := startRaw(t, phx.Mount{Raw: &phx.RawType{In: func(s *phx.RawSocket, data []byte, binary bool) error {
		switch string(data) {
		case "panic":
			panic("as told")
		case "error":
			return errors.New("no")
		case "4001":
			return fmt.Errorf("wrapped: %w", &phx.CloseError{Code: 4001, Reason: "enough"})
		case "close":
			s.CloseWith(3000, "")
		}
		return nil
	}}})
	other := dialAt(t, ep, "/raw/websocket")
	for say, want := range map[string]ws.StatusCode{"panic": 1011, "error": 1011, "4001": 4001, "close": 3000} {
		c := dialAt(t, ep, "/raw/websocket")
		c.send(ws.OpText, []byte(say))
		f := c.next()
		if code, reason := frame.ParseClose(f.Payload); f.Op != ws.OpClose || code != want || want == 4001 && reason != "enough" {
			t.Errorf("%s: got %#x, %d %q, want Close with %d", say, f.Op, code, reason, want)
		}
	}
	other.send(ws.OpPing, nil)
	if f := other.next(); f.Op != ws.OpPong {
		t.Errorf("another connection got %#x, want a pong", f.Op)
	}
}

// More messages than a mailbox holds close the connection: one that is left out
// in silence would be a gap in the stream.
func TestRawOverload(t *testing.T) {
	release := make(chan struct{})
	ep := startRaw(t, phx.Mount{MailboxMax: 3, Raw: &phx.RawType{In: func(*phx.RawSocket, []byte, bool) error { <-release; return nil }}})
	defer close(release)
	c := dialAt(t, ep, "/raw/websocket")
	for range 10 {
		c.send(ws.OpText, nil)
	}
	c.wantClosed(1008)
}

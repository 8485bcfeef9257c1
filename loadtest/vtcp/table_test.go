package vtcp_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/vtcp"
)

var server = netip.MustParseAddrPort("10.0.0.1:4000")

const irs = 5000 // the server's initial sequence number

// A bench is a stack whose packets a test reads.
type bench struct {
	t *testing.T
	*vtcp.Stack
	records []vtcp.Record
	sent    []vtcp.Segment
}

func newBench(t *testing.T, c vtcp.Config, clients int) *bench {
	t.Helper()
	b := &bench{t: t, records: make([]vtcp.Record, clients)}
	c.Records, c.MTU = b.records, 65000
	c.Send = func(packet []byte) {
		s, ok := vtcp.Parse(packet)
		if !ok {
			t.Errorf("sent % x: not a segment", packet)
		}
		s.Data = []byte(string(s.Data))
		b.sent = append(b.sent, s)
	}
	s, err := vtcp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	b.Stack = s
	return b
}

// take has the stack take a segment of the server's for client 0, whose sequence
// numbers count from the SYNs.
func (b *bench) take(s vtcp.Segment) vtcp.Event {
	s.From, s.To, s.Window = server, b.Addr(0), 1000
	s.Seq += irs
	if s.Flags&vtcp.ACK != 0 {
		s.Ack += b.iss()
	}
	e := b.Take(s.Bytes(), false)
	b.Settle(e.Client, true)
	return e
}

// iss is the client's initial sequence number.
func (b *bench) iss() uint32 { return 1 << 28 }

// flush returns what was sent, as text.
func (b *bench) flush() string {
	var all []string
	for _, s := range b.sent {
		var flags strings.Builder
		for i, name := range []string{"F", "S", "R", "P", "A"} {
			if s.Flags>>i&1 != 0 {
				flags.WriteString(name)
			}
		}
		text := fmt.Sprintf("%s%d", flags.String(), s.Seq-b.iss())
		if s.Flags&vtcp.ACK != 0 {
			text += fmt.Sprintf(":%d", s.Ack-irs)
		}
		if len(s.Data) > 0 {
			text += "=" + string(s.Data)
		}
		if s.Window == 0 && s.Flags&vtcp.RST == 0 {
			text += " full"
		}
		all = append(all, text)
	}
	b.sent = nil
	return strings.Join(all, ", ")
}

// reach brings client 0 into a state; its sequence number is 1 then, and so is
// the server's. It is 2 where a FIN was sent.
func (b *bench) reach(s vtcp.State) {
	if s == vtcp.Closed {
		return
	}
	if err := b.Dial(0, server); err != nil {
		b.t.Fatal(err)
	}
	if s > vtcp.SynSent {
		b.take(vtcp.Segment{Flags: vtcp.SYN | vtcp.ACK, Ack: 1, MSS: 64960})
	}
	switch s {
	case vtcp.FinWait:
		b.Close(0)
	case vtcp.LastAck:
		b.take(vtcp.Segment{Flags: vtcp.FIN | vtcp.ACK, Seq: 1, Ack: 1})
	}
	if b.records[0].State != s {
		b.t.Fatalf("state %v, want %v", b.records[0].State, s)
	}
	b.flush()
}

const (
	fa = vtcp.FIN | vtcp.ACK
	ra = vtcp.RST | vtcp.ACK
	sa = vtcp.SYN | vtcp.ACK
)

// TestStates is the table of the stack's states: what a segment makes of each. A
// segment is written as its flags, sequence number, acknowledgement after a colon
// and data after an equals sign.
func TestStates(t *testing.T) {
	type seg = vtcp.Segment
	for _, row := range []struct {
		state vtcp.State
		in    seg
		then  vtcp.State
		sent  string
		data  string
		ended error // io.EOF stands for an end without error
	}{
		{vtcp.Closed, seg{Flags: vtcp.SYN, Seq: 7}, vtcp.Closed, "RA-268435456:8", "", nil},
		{vtcp.Closed, seg{Flags: vtcp.ACK, Seq: 7, Ack: 9, Data: []byte("x")}, vtcp.Closed, "R9", "", nil},
		{vtcp.Closed, seg{Flags: vtcp.RST, Seq: 7}, vtcp.Closed, "", "", nil},

		{vtcp.SynSent, seg{Flags: sa, Ack: 1}, vtcp.Established, "A1:1", "", nil},
		{vtcp.SynSent, seg{Flags: sa, Ack: 2}, vtcp.SynSent, "R2", "", nil}, // of the connection before
		{vtcp.SynSent, seg{Flags: ra, Ack: 1}, vtcp.Closed, "", "", syscall.ECONNREFUSED},
		{vtcp.SynSent, seg{Flags: ra, Ack: 2}, vtcp.SynSent, "", "", nil},
		{vtcp.SynSent, seg{Flags: vtcp.RST}, vtcp.SynSent, "", "", nil},
		{vtcp.SynSent, seg{Flags: vtcp.SYN}, vtcp.SynSent, "", "", nil}, // simultaneous open: servers do not
		{vtcp.SynSent, seg{Flags: vtcp.ACK, Ack: 1}, vtcp.SynSent, "", "", nil},

		{vtcp.Established, seg{Flags: vtcp.ACK, Seq: 1, Ack: 1}, vtcp.Established, "", "", nil},
		{vtcp.Established, seg{Flags: vtcp.ACK, Seq: 1, Ack: 1, Data: []byte("abc")}, vtcp.Established, "A1:4", "abc", nil},
		{vtcp.Established, seg{Flags: vtcp.ACK, Seq: 2, Ack: 1, Data: []byte("bc")}, vtcp.Established, "A1:1", "", nil},
		{vtcp.Established, seg{Flags: vtcp.ACK, Seq: 0, Ack: 1}, vtcp.Established, "A1:1", "", nil}, // keepalive
		{vtcp.Established, seg{Flags: vtcp.ACK, Seq: 1, Ack: 2}, vtcp.Established, "A1:1", "", nil}, // of what was never sent
		{vtcp.Established, seg{Flags: vtcp.ACK, Seq: 70000, Ack: 1, Data: []byte("x")}, vtcp.Established, "A1:1", "", nil},
		{vtcp.Established, seg{Seq: 1, Data: []byte("abc")}, vtcp.Established, "", "", nil},
		{vtcp.Established, seg{Flags: sa, Ack: 1}, vtcp.Established, "A1:1", "", nil}, // our ACK was lost
		{vtcp.Established, seg{Flags: vtcp.RST, Seq: 1}, vtcp.Closed, "", "", syscall.ECONNRESET},
		{vtcp.Established, seg{Flags: vtcp.RST, Seq: 2}, vtcp.Established, "A1:1", "", nil},
		{vtcp.Established, seg{Flags: vtcp.RST, Seq: 0}, vtcp.Established, "", "", nil},
		{vtcp.Established, seg{Flags: fa, Seq: 1, Ack: 1}, vtcp.LastAck, "FA1:2", "", errEOF},
		{vtcp.Established, seg{Flags: fa, Seq: 1, Ack: 1, Data: []byte("abc")}, vtcp.LastAck, "FA1:5", "abc", errEOF},
		{vtcp.Established, seg{Flags: fa, Seq: 2, Ack: 1}, vtcp.Established, "A1:1", "", nil},

		{vtcp.FinWait, seg{Flags: vtcp.ACK, Seq: 1, Ack: 2}, vtcp.FinWait, "", "", nil},
		{vtcp.FinWait, seg{Flags: vtcp.ACK, Seq: 1, Ack: 2, Data: []byte("abc")}, vtcp.FinWait, "A2:4", "", nil},
		{vtcp.FinWait, seg{Flags: fa, Seq: 1, Ack: 2}, vtcp.Closed, "A2:2", "", errEOF},
		{vtcp.FinWait, seg{Flags: fa, Seq: 1, Ack: 1}, vtcp.LastAck, "A2:2", "", errEOF}, // both at once
		{vtcp.FinWait, seg{Flags: vtcp.RST, Seq: 1}, vtcp.Closed, "", "", syscall.ECONNRESET},

		{vtcp.LastAck, seg{Flags: vtcp.ACK, Seq: 2, Ack: 2}, vtcp.Closed, "", "", nil},
		{vtcp.LastAck, seg{Flags: fa, Seq: 1, Ack: 1}, vtcp.LastAck, "A2:2", "", nil}, // our ACK was lost
		{vtcp.LastAck, seg{Flags: vtcp.RST, Seq: 2}, vtcp.Closed, "", "", nil},
	} {
		b := newBench(t, vtcp.Config{}, 1)
		b.reach(row.state)
		e := b.take(row.in)
		name := fmt.Sprintf("%v takes flags %05b, seq %d, ack %d, %q", row.state, row.in.Flags, row.in.Seq, row.in.Ack, row.in.Data)
		if got := b.records[0].State; got != row.then {
			t.Errorf("%s: then %v, want %v", name, got, row.then)
		}
		if got := strings.ReplaceAll(b.flush(), "4026531840", "-268435456"); got != row.sent {
			t.Errorf("%s: sent %q, want %q", name, got, row.sent)
		}
		if string(e.Data) != row.data {
			t.Errorf("%s: data %q, want %q", name, e.Data, row.data)
		}
		if want := row.ended; e.Closed != (want != nil) || want != errEOF && !errors.Is(e.Err, want) {
			t.Errorf("%s: closed %v with %v, want %v", name, e.Closed, e.Err, want)
		}
	}
}

var errEOF = errors.New("the server has closed")

// TestSend sends before the connection stands, in one segment with the ACK, and
// again what is not acknowledged.
func TestSend(t *testing.T) {
	b := newBench(t, vtcp.Config{}, 1)
	step := func(what, want string) {
		t.Helper()
		if got := b.flush(); got != want {
			t.Errorf("%s: sent %q, want %q", what, got, want)
		}
	}
	if err := b.Send(0, []byte("x")); !errors.Is(err, vtcp.ErrClosed) {
		t.Errorf("Send without a connection: %v", err)
	}
	b.reach(vtcp.SynSent)
	if err := b.Send(0, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	step("Send in syn-sent", "")
	b.take(vtcp.Segment{Flags: sa, Ack: 1, MSS: 64960})
	step("SYN|ACK", "PA1:1=hello")
	if b.records[0].Flags&vtcp.Fast != 0 {
		t.Error("fast with an unacknowledged segment")
	}
	b.Advance(2)
	step("0.2 s", "")
	b.Advance(3)
	step("0.3 s", "PA1:1=hello")
	b.Advance(8)
	step("0.8 s", "")
	b.Advance(9)
	step("0.9 s", "PA1:1=hello")
	b.take(vtcp.Segment{Flags: vtcp.ACK, Seq: 1, Ack: 3})
	step("a part acknowledged", "")
	b.Advance(12)
	step("0.3 s later", "PA3:1=llo")
	if err := b.SendShared(0, []byte(" you")); err != nil {
		t.Fatal(err)
	}
	step("more", "PA6:1= you")
	b.take(vtcp.Segment{Flags: vtcp.ACK, Seq: 1, Ack: 10, Data: []byte("hi")})
	step("all acknowledged", "A10:3")
	if b.records[0].Flags&vtcp.Fast == 0 || b.Waiting(0) != 0 {
		t.Errorf("flags %b, %d bytes wait, want fast and none", b.records[0].Flags, b.Waiting(0))
	}
	if got := b.Counts().Retransmitted; got != 3 {
		t.Errorf("%d retransmitted, want 3", got)
	}
	b.Abort(0)
	step("Abort", "RA10:3")
	b.reach(vtcp.Closed)
	if err := b.Dial(0, server); err != nil {
		t.Fatal(err)
	}
	step("another connection begins later", "S65546")
}

// TestPatience sends again after the time that the stack was told, within bounds.
func TestPatience(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		patience time.Duration
		again    uint32 // in ticks
	}{{0, 3}, {time.Millisecond, 3}, {2 * time.Second, 20}, {time.Hour, 600}} {
		b := newBench(t, vtcp.Config{Patience: test.patience}, 1)
		b.reach(vtcp.Established)
		if err := b.Send(0, []byte("x")); err != nil {
			t.Fatal(err)
		}
		b.flush()
		if b.Advance(test.again - 1); len(b.sent) > 0 {
			t.Errorf("patience %v: %s before tick %d", test.patience, b.flush(), test.again)
		}
		if b.Advance(test.again); b.flush() != "PA1:1=x" {
			t.Errorf("patience %v: nothing was sent again at tick %d", test.patience, test.again)
		}
	}
}

// TestGivenUp ends a connection whose server answers no more.
func TestGivenUp(t *testing.T) {
	b := newBench(t, vtcp.Config{}, 1)
	b.reach(vtcp.Established)
	b.SetDeadline(0, time.Hour)
	if err := b.Send(0, []byte("x")); err != nil {
		t.Fatal(err)
	}
	for now := uint32(1); now < 2560; now++ {
		if b.Advance(now); b.records[0].State == vtcp.Closed {
			break
		}
	}
	e, ok := b.Next()
	if !ok || !e.Closed || e.Err != syscall.ETIMEDOUT || b.records[0].State != vtcp.Closed {
		t.Errorf("after 4 min: %+v, %v in %v", e, ok, b.records[0].State)
	}
	if e, ok := b.Next(); ok {
		t.Errorf("then %+v", e)
	}
}

// TestWindow sends no more than the server takes, and asks a full one with one
// byte at a time, without giving up.
func TestWindow(t *testing.T) {
	b := newBench(t, vtcp.Config{}, 1)
	b.reach(vtcp.Established)
	if err := b.Send(0, []byte("0")); err != nil {
		t.Fatal(err)
	}
	window := func(ack uint32, size uint16) string {
		b.flush()
		s := vtcp.Segment{From: server, To: b.Addr(0), Seq: irs + 1, Ack: b.iss() + ack, Flags: vtcp.ACK, Window: size}
		e := b.Take(s.Bytes(), false)
		b.Settle(e.Client, true)
		return b.flush()
	}
	if got := window(1, 0); got != "" {
		t.Errorf("a full server: sent %q", got)
	}
	if err := b.Send(0, []byte("123456789")); err != nil {
		t.Fatal(err)
	}
	for now := uint32(1); now < 3000; now++ {
		if b.Advance(now); len(b.sent) > 0 {
			if got := b.flush(); got != "PA1:1=0" {
				t.Fatalf("asked with %q", got)
			}
			window(1, 0)
		}
	}
	if got := window(1, 4); got != "PA1:1=0123" {
		t.Errorf("room for 4: sent %q", got)
	}
	if got := window(5, 100); got != "PA5:1=456789" {
		t.Errorf("room for 100: sent %q", got)
	}
}

// TestStall has a client whose window is 0 drop data, answer probes and take the
// end of the connection.
func TestStall(t *testing.T) {
	b := newBench(t, vtcp.Config{}, 1)
	b.reach(vtcp.Established)
	b.Stall(0)
	if got := b.flush(); got != "A1:1 full" {
		t.Errorf("Stall: sent %q", got)
	}
	if e := b.take(vtcp.Segment{Flags: vtcp.ACK, Seq: 1, Ack: 1, Data: []byte("abc")}); e.Data != nil || b.flush() != "A1:1 full" {
		t.Errorf("data: %+v", e)
	}
	if b.take(vtcp.Segment{Flags: vtcp.ACK, Seq: 0, Ack: 1}); b.flush() != "A1:1 full" {
		t.Error("a probe is not answered")
	}
	if b.records[0].Flags&vtcp.Fast != 0 {
		t.Error("fast while stalled")
	}
	if err := b.Send(0, []byte("x")); err != nil || b.flush() != "PA1:1=x full" {
		t.Errorf("Send: %v", err)
	}
	b.Resume(0)
	if got := b.flush(); got != "A2:1" {
		t.Errorf("Resume: sent %q", got)
	}
	if e := b.take(vtcp.Segment{Flags: vtcp.ACK, Seq: 1, Ack: 2, Data: []byte("abc")}); string(e.Data) != "abc" || b.flush() != "A2:4" {
		t.Errorf("data after Resume: %+v", e)
	}
	b.Stall(0)
	if e := b.take(vtcp.Segment{Flags: fa, Seq: 4, Ack: 2}); !e.Closed {
		t.Errorf("FIN: %+v", e)
	}
}

// TestTimestamps offers the option only where it is asked for, and answers with
// the server's.
func TestTimestamps(t *testing.T) {
	for _, want := range []bool{false, true} {
		b := newBench(t, vtcp.Config{Timestamps: want}, 1)
		if err := b.Dial(0, server); err != nil {
			t.Fatal(err)
		}
		b.take(vtcp.Segment{Flags: sa, Ack: 1, MSS: 64960, Stamp: 77, Stamped: true})
		b.take(vtcp.Segment{Flags: vtcp.ACK, Seq: 1, Ack: 1, Stamp: 78, Stamped: true, Data: []byte("x")})
		for _, s := range b.sent {
			if s.Stamped != want {
				t.Errorf("timestamps %v: sent %+v", want, s)
			}
		}
		if got := b.records[0].Flags&vtcp.Stamped != 0; got != want {
			t.Errorf("timestamps %v: negotiated %v", want, got)
		}
	}
}

// TestAddresses gives each client its own, and finds it by that alone.
func TestAddresses(t *testing.T) {
	b := newBench(t, vtcp.Config{}, 70000)
	for i, want := range map[int]string{0: "10.64.0.1:16384", 32767: "10.64.0.1:49151", 32768: "10.64.0.2:16384", 69999: "10.64.0.3:20847"} {
		if got := b.Addr(i).String(); got != want {
			t.Errorf("client %d has %s, want %s", i, got, want)
		}
		if err := b.Dial(i, server); err != nil {
			t.Fatal(err)
		}
		syn := b.sent[len(b.sent)-1]
		s := vtcp.Segment{From: server, To: syn.From, Seq: irs, Ack: syn.Seq + 1, Flags: sa}
		if e := b.Take(s.Bytes(), false); e.Client != i {
			t.Errorf("answer to %d came to %d", i, e.Client)
		}
	}
	for _, to := range []string{"10.64.0.0:16384", "10.64.0.1:16383", "10.64.0.1:49152", "10.64.0.3:20848", "10.64.0.4:16384", "9.9.9.9:20000"} {
		s := vtcp.Segment{From: server, To: netip.MustParseAddrPort(to), Flags: vtcp.ACK}
		if e := b.Take(s.Bytes(), false); e.Client != -1 {
			t.Errorf("%s is client %d", to, e.Client)
		}
	}
	s := vtcp.Segment{From: netip.MustParseAddrPort("10.0.0.1:4001"), To: b.Addr(0), Flags: vtcp.ACK}
	if e := b.Take(s.Bytes(), false); e.Client != -1 {
		t.Errorf("another server's segment came to %d", e.Client)
	}
}

// TestConfig names the field that is wrong.
func TestConfig(t *testing.T) {
	send := func([]byte) {}
	for want, c := range map[string]vtcp.Config{
		"Network": {Send: send, Network: netip.MustParseAddr("::1")},
		"MTU":     {Send: send, MTU: 100},
		"Send":    {},
	} {
		if _, err := vtcp.New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want an error that names %s", c, err, want)
		}
	}
	if s, err := vtcp.New(vtcp.Config{Send: send, Records: make([]vtcp.Record, 1)}); err != nil || s.Dial(0, netip.MustParseAddrPort("[::1]:80")) == nil {
		t.Errorf("Dial to IPv6: no error, or New: %v", err)
	}
}

// TestClaim has a fast path that is taking three bytes when the stack takes the
// record from it: whatever the stack was about to do, it does after that.
func TestClaim(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(b *bench)
		sent string
	}{
		{"a segment with the same bytes", func(b *bench) {
			if e := b.take(vtcp.Segment{Flags: vtcp.ACK, Seq: 1, Ack: 1, Data: []byte("abc")}); e.Data != nil || b.Counts().Repeated != 1 {
				t.Errorf("they come twice: %+v, %+v", e, b.Counts())
			}
		}, "A1:4"},
		{"the next segment", func(b *bench) {
			if e := b.take(vtcp.Segment{Flags: vtcp.ACK, Seq: 4, Ack: 1, Data: []byte("de")}); string(e.Data) != "de" {
				t.Errorf("it has %q", e.Data)
			}
		}, "A1:6"},
		{"Send", func(b *bench) { _ = b.Send(0, []byte("x")) }, "PA1:4=x"},
		{"Close", func(b *bench) { b.Close(0) }, "FA1:4"},
		{"Abort", func(b *bench) { b.Abort(0) }, "RA1:4"},
		{"Stall", func(b *bench) { b.Stall(0) }, "A1:4 full"},
		{"Dial", func(b *bench) { _ = b.Dial(0, server) }, "S65537"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b *bench
			claims := 0
			b = newBench(t, vtcp.Config{Claim: func() {
				claims++
				if b.records[0].Flags&vtcp.Fast != 0 {
					t.Error("the fast path still has the record")
				}
				b.records[0].RcvNxt += 3
				b.records[0].Received++
			}}, 1)
			b.reach(vtcp.Established)
			if claims != 0 || b.records[0].Flags&vtcp.Fast == 0 {
				t.Fatalf("before: %d claims, record %+v", claims, b.records[0])
			}
			b.flush()
			if c.do(b); claims != 1 || b.records[0].Received != 1 {
				t.Errorf("%d claims, record %+v", claims, b.records[0])
			}
			if got := b.flush(); got != c.sent {
				t.Errorf("sent %q, want %q", got, c.sent)
			}
		})
	}
}

package vtcp_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/roost-rt/roost/loadtest/vtcp"
)

// packetOf is one with options of TCP, and data "x".
func packetOf(to netip.AddrPort, options ...byte) []byte {
	plain := vtcp.Segment{From: server, To: to, Seq: irs + 1, Ack: 1<<28 + 1, Flags: vtcp.ACK, Data: []byte("x")}.Bytes()
	p := slices.Concat(plain[:40], options, plain[40:])
	p[32] = byte((20 + len(options)) / 4 << 4)
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	return p
}

// What is no TCP segment over IPv4 is dropped and counted; what is one has its data,
// whatever else is in it.
func TestOddPackets(t *testing.T) {
	t.Parallel()
	at := func(i int, v byte) func([]byte) []byte { return func(p []byte) []byte { p[i] = v; return p } }
	for _, test := range []struct {
		name    string
		options []byte
		change  func([]byte) []byte
		ok      bool
	}{
		{"whole", nil, nil, true},
		{"nothing", nil, func([]byte) []byte { return nil }, false},
		{"shorter than its headers", nil, func(p []byte) []byte { return p[:39] }, false},
		{"IPv6", nil, at(0, 0x65), false},
		{"an IP header of 16 bytes", nil, at(0, 0x44), false},
		{"an IP header that leaves no room", nil, at(0, 0x4f), false},
		{"UDP", nil, at(9, 17), false},
		{"more fragments follow", nil, at(6, 0x20), false},
		{"a later fragment", nil, at(7, 1), false},
		{"it may be fragmented", nil, at(6, 0), true},
		{"a length below its headers", nil, at(3, 39), false},
		{"a length beyond the packet", nil, at(3, 42), false},
		{"bytes behind it", nil, func(p []byte) []byte { return append(p, 7, 7, 7) }, true},
		{"a TCP header of 16 bytes", nil, at(32, 0x40), false},
		{"a TCP header beyond the packet", nil, at(32, 0x60), false},
		{"options of IP", nil, func(p []byte) []byte {
			p = slices.Concat(p[:20], []byte{1, 1, 1, 1}, p[20:])
			p[0], p[3] = 0x46, byte(len(p))
			return p
		}, true},
		{"no-operations", []byte{1, 1, 1, 1}, nil, true},
		{"the end of options, and nonsense", []byte{0, 2, 200, 9}, nil, true},
		{"an unknown option", []byte{254, 4, 1, 2}, nil, true},
		{"an option without a length", []byte{1, 1, 1, 2}, nil, false},
		{"an option of length 0", []byte{8, 0, 1, 1}, nil, false},
		{"an option of length 1", []byte{8, 1, 1, 1}, nil, false},
		{"an option that is cut off", []byte{1, 1, 2, 4}, nil, false},
		{"an MSS of another length", []byte{2, 3, 5, 1}, nil, true},
	} {
		b := newBench(t, vtcp.Config{}, 1)
		b.reach(vtcp.Established)
		before := b.Counts()
		p := packetOf(b.Addr(0), test.options...)
		if test.change != nil {
			p = test.change(p)
		}
		e := b.Take(p, true)
		after := b.Counts()
		if got := string(e.Data) == "x"; got != test.ok || (after.Malformed == before.Malformed) != test.ok || after.Taken != before.Taken+1 || !test.ok && e.Client != -1 {
			t.Errorf("%s: %+v, %d malformed, want it taken: %t", test.name, e, after.Malformed-before.Malformed, test.ok)
		}
		spoilt := bytes.Clone(p)
		if test.ok {
			spoilt[len(packetOf(b.Addr(0), test.options...))-1] ^= 1
			if e := b.Take(spoilt, false); e.Client != -1 {
				t.Errorf("%s: taken with a wrong checksum", test.name)
			}
		}
	}
}

// Segments are no longer than the server takes them: 536 bytes if it does not say, RFC
// 9293 §3.7.1, and with timestamps there is room for these.
func TestSizesOfSegments(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		mss    int
		stamps bool
		want   string
	}{
		{"it does not say", 0, false, "[536 464]"},
		{"300", 300, false, "[300 300 300 100]"},
		{"as many as there are", 1000, false, "[1000]"},
		{"one less", 999, false, "[999 1]"},
		{"so few that it cannot be", 10, false, "[64 64 64 64 64 64 64 64 64 64 64 64 64 64 64 40]"},
		{"with timestamps", 300, true, "[288 288 288 136]"},
	} {
		b := newBench(t, vtcp.Config{Timestamps: test.stamps}, 1)
		if err := b.Dial(0, server); err != nil {
			t.Fatal(err)
		}
		b.take(vtcp.Segment{Flags: sa, Ack: 1, MSS: test.mss, Stamped: test.stamps, Stamp: 5})
		b.sent = nil
		if err := b.Send(0, bytes.Repeat([]byte("y"), 1000)); err != nil {
			t.Fatal(err)
		}
		var sizes []int
		for _, s := range b.sent {
			sizes = append(sizes, len(s.Data))
		}
		if got := fmt.Sprint(sizes); got != test.want {
			t.Errorf("%s: segments of %s bytes, want %s", test.name, got, test.want)
		}
	}
}

// A SYN is sent again after one second, two, four and so on up to a minute, and given up
// after seven times. A server that answers late is answered with RST.
func TestSYNIsSentAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, vtcp.Config{}, 1)
	if err := b.Dial(0, server); err != nil {
		t.Fatal(err)
	}
	b.flush()
	var ticks []uint32
	for now := uint32(1); now <= 2000; now++ {
		if b.Advance(now); len(b.sent) > 0 {
			if got := b.flush(); got != "S0" {
				t.Fatalf("tick %d: sent %q, want the SYN", now, got)
			}
			ticks = append(ticks, now)
		}
		if b.records[0].State == vtcp.Closed {
			ticks = append(ticks, now)
			break
		}
	}
	if got, want := fmt.Sprint(ticks), "[10 30 70 150 310 630 1230 1830]"; got != want {
		t.Errorf("sent again, and given up, at ticks %s, want %s", got, want)
	}
	if e, ok := b.Next(); !ok || !e.Closed || !errors.Is(e.Err, syscall.ETIMEDOUT) || b.Counts().GivenUp != 1 || b.Counts().Retransmitted != 7 {
		t.Errorf("%+v, %t, counts %+v, want that it is given up", e, ok, b.Counts())
	}
	if b.take(vtcp.Segment{Flags: sa, Ack: 1}); b.flush() != "R1" {
		t.Error("a late answer is not refused")
	}
}

// FIN follows all data, is sent again with what of that is not acknowledged, and alone
// once all is.
func TestFINIsSentAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, vtcp.Config{}, 1)
	b.reach(vtcp.Established)
	if err := b.Send(0, []byte("ab")); err != nil {
		t.Fatal(err)
	}
	now := uint32(0)
	step := func(what, want string) {
		t.Helper()
		if got := b.flush(); got != want {
			t.Errorf("%s: sent %q, want %q", what, got, want)
		}
	}
	wait := func(ticks uint32) {
		now += ticks
		b.Advance(now)
	}
	b.Close(0)
	step("Close", "PA1:1=ab, FA3:1")
	b.Close(0)
	step("Close once more", "")
	if err := b.Send(0, []byte("c")); !errors.Is(err, vtcp.ErrClosed) {
		t.Errorf("Send after Close: %v", err)
	}
	wait(3)
	step("0.3 s", "PA1:1=ab, FA3:1")
	b.take(vtcp.Segment{Flags: vtcp.ACK, Seq: 1, Ack: 2})
	wait(3)
	step("a byte acknowledged", "PA2:1=b, FA3:1")
	b.take(vtcp.Segment{Flags: vtcp.ACK, Seq: 1, Ack: 3})
	wait(3)
	step("all data acknowledged", "FA3:1")
	b.take(vtcp.Segment{Flags: vtcp.ACK, Seq: 1, Ack: 4})
	wait(1000)
	step("FIN acknowledged", "")
	if b.records[0].State != vtcp.FinWait || b.Waiting(0) != 0 {
		t.Errorf("state %v with %d bytes waiting, want that the server has still to close", b.records[0].State, b.Waiting(0))
	}
}

// A connection whose server has closed, and acknowledges our FIN no more, is forgotten
// in the end without another word: its end was told.
func TestLastAckIsGivenUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, vtcp.Config{}, 1)
	b.reach(vtcp.LastAck)
	again := 0
	for now := uint32(1); now < 3000 && b.records[0].State == vtcp.LastAck; now++ {
		if b.Advance(now); len(b.sent) > 0 && b.records[0].State == vtcp.LastAck {
			again++
			if got := b.flush(); got != "FA1:2" {
				t.Fatalf("sent %q, want FIN", got)
			}
		}
	}
	if e, ok := b.Next(); ok || b.records[0].State != vtcp.Closed || again != 7 || b.Counts().GivenUp != 1 {
		t.Errorf("%+v, %t in %v after FIN was sent again %d times", e, ok, b.records[0].State, again)
	}
}

// Who closes while it connects says nothing: a server that answers gets RST.
func TestCloseWhileConnecting(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*bench){"Close": func(b *bench) { b.Close(0) }, "Abort": func(b *bench) { b.Abort(0) }} {
		b := newBench(t, vtcp.Config{}, 1)
		b.reach(vtcp.SynSent)
		end(b)
		if got := b.flush(); got != "" || b.records[0].State != vtcp.Closed {
			t.Errorf("%s: sent %q in %v", name, got, b.records[0].State)
		}
		b.Advance(100)
		if got := b.flush(); got != "" {
			t.Errorf("%s: later sent %q", name, got)
		}
		if e := b.take(vtcp.Segment{Flags: sa, Ack: 1}); e.Client != -1 || b.flush() != "R1" {
			t.Errorf("%s: the answer is %+v", name, e)
		}
		b.Abort(0)
		if got := b.flush(); got != "" {
			t.Errorf("%s: Abort of no connection sent %q", name, got)
		}
	}
}

// Clients of one stack talk to servers of their own, and a segment of another server is
// nobody's.
func TestServersApart(t *testing.T) {
	t.Parallel()
	b := newBench(t, vtcp.Config{}, 3)
	servers := []netip.AddrPort{server, netip.MustParseAddrPort("10.0.0.1:4001"), netip.MustParseAddrPort("10.0.0.2:4000")}
	for i, to := range servers {
		if err := b.Dial(i, to); err != nil {
			t.Fatal(err)
		}
		if syn := b.sent[i]; syn.To != to || syn.From != b.Addr(i) {
			t.Errorf("client %d sent its SYN from %s to %s", i, syn.From, syn.To)
		}
	}
	for i, syn := range b.sent {
		for j, from := range servers {
			if i == j {
				continue
			}
			s := vtcp.Segment{From: from, To: b.Addr(i), Seq: irs, Ack: syn.Seq + 1, Flags: sa}
			if e := b.Take(s.Bytes(), false); e.Client != -1 {
				t.Errorf("server %d's answer came to client %d of server %d", j, i, i)
			}
		}
	}
	if n := b.Counts().Stray; n != 6 {
		t.Errorf("%d strays, want 6", n)
	}
	if err := b.Dial(1, server); err != nil || b.sent[len(b.sent)-1].To != server {
		t.Errorf("another connection goes to %s, %v, want the other server", b.sent[len(b.sent)-1].To, err)
	}
}

// Faults of the link are counted, each under its name.
func TestCounts(t *testing.T) {
	t.Parallel()
	ack := func(seq uint32, data string) vtcp.Segment {
		return vtcp.Segment{Flags: vtcp.ACK, Seq: seq, Ack: 1, Data: []byte(data)}
	}
	for _, test := range []struct {
		name string
		in   []vtcp.Segment
		want vtcp.Counts // without packets
		got  string
	}{
		{"in order", []vtcp.Segment{ack(1, "ab"), ack(3, "c")}, vtcp.Counts{}, "abc"},
		{"early", []vtcp.Segment{ack(3, "c"), ack(1, "ab"), ack(3, "c")}, vtcp.Counts{Early: 1}, "abc"},
		{"repeated", []vtcp.Segment{ack(1, "ab"), ack(1, "ab")}, vtcp.Counts{Repeated: 1}, "ab"},
		{"repeated in part", []vtcp.Segment{ack(1, "ab"), ack(2, "bc")}, vtcp.Counts{}, "abc"},
		{"repeated by a shorter one", []vtcp.Segment{ack(1, "abc"), ack(1, "a")}, vtcp.Counts{Repeated: 1}, "abc"},
		{"with a FIN that is new", []vtcp.Segment{ack(1, "ab"), {Flags: fa, Seq: 1, Ack: 1, Data: []byte("ab")}}, vtcp.Counts{}, "ab"},
		{"acknowledgements alone", []vtcp.Segment{ack(1, ""), ack(1, "")}, vtcp.Counts{}, ""},
	} {
		b := newBench(t, vtcp.Config{}, 1)
		b.reach(vtcp.Established)
		var got strings.Builder
		for _, s := range test.in {
			got.Write(b.take(s).Data)
		}
		counts := b.Counts()
		counts.Sent, counts.Taken = 0, 0
		if counts != test.want || got.String() != test.got {
			t.Errorf("%s: counts %+v, data %q, want %+v and %q", test.name, counts, got.String(), test.want, test.got)
		}
	}
}

// A network has room for as many clients as it has addresses, but those of itself, its
// device and the broadcast.
func TestMost(t *testing.T) {
	t.Parallel()
	for network, want := range map[string]int{"10.64.0.0/16": 65533 << 15, "10.0.0.0/29": 5 << 15, "10.0.0.0/30": 1 << 15, "10.0.0.0/31": 0, "10.0.0.0/32": 0} {
		if got := vtcp.Most(netip.MustParsePrefix(network)); got != want {
			t.Errorf("Most(%s) = %d, want %d", network, got, want)
		}
	}
}

// States have the names of RFC 9293.
func TestStateNames(t *testing.T) {
	t.Parallel()
	for s, want := range map[vtcp.State]string{vtcp.Closed: "closed", vtcp.SynSent: "syn-sent", vtcp.Established: "established", vtcp.FinWait: "fin-wait", vtcp.LastAck: "last-ack"} {
		if s.String() != want {
			t.Errorf("%d is %s, want %s", s, s, want)
		}
	}
}

// rawStack is a stack with one client, and the packets that it sends as they are.
func rawStack(t *testing.T, c vtcp.Config) (s *vtcp.Stack, packets *[][]byte) {
	t.Helper()
	packets = new([][]byte)
	c.Records = make([]vtcp.Record, 1)
	c.Send = func(p []byte) { *packets = append(*packets, bytes.Clone(p)) }
	s, err := vtcp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s, packets
}

// A SYN offers the largest segment that fits a packet, RFC 9293 §3.7.1, and timestamps
// where they are wanted; these echo the last of the server that was in order, RFC 7323 §4.3.
func TestOptionsOfSegments(t *testing.T) {
	t.Parallel()
	options := func(p []byte) string { return fmt.Sprintf("% x", p[40:20+int(p[32]>>4)*4]) }
	for _, test := range []struct {
		name string
		c    vtcp.Config
		want string
	}{
		{"usual", vtcp.Config{}, "02 04 05 b4"},                                                                     // 1,460
		{"large packets", vtcp.Config{MTU: 65535}, "02 04 ff d7"},                                                   // 65,495
		{"timestamps", vtcp.Config{MTU: 1500, Timestamps: true}, "02 04 05 b4 01 01 08 0a 00 00 00 01 00 00 00 00"}, // of tick 0
	} {
		s, packets := rawStack(t, test.c)
		if err := s.Dial(0, server); err != nil {
			t.Fatal(err)
		}
		if got := options((*packets)[0]); got != test.want {
			t.Errorf("%s: options %s, want %s", test.name, got, test.want)
		}
	}
	s, packets := rawStack(t, vtcp.Config{Timestamps: true})
	if err := s.Dial(0, server); err != nil {
		t.Fatal(err)
	}
	syn, _ := vtcp.Parse((*packets)[0])
	take := func(seq uint32, flags uint8, stamp uint32, data string) {
		in := vtcp.Segment{From: server, To: syn.From, Seq: irs + seq, Ack: syn.Seq + 1, Flags: flags, Stamp: stamp, Stamped: stamp > 0, Data: []byte(data)}
		e := s.Take(in.Bytes(), false)
		s.Settle(e.Client, true)
	}
	last := func() string { return options((*packets)[len(*packets)-1]) }
	for _, step := range []struct {
		name   string
		do     func()
		stamps string // TSval and TSecr of what is sent then
	}{
		{"SYN|ACK", func() { take(0, sa, 70, "") }, "00 00 00 01 00 00 00 46"},
		{"data", func() { take(1, vtcp.ACK, 71, "a") }, "00 00 00 01 00 00 00 47"},
		{"data of an older time", func() { take(1, vtcp.ACK, 60, "ab") }, "00 00 00 01 00 00 00 47"},
		{"data that comes early", func() { take(9, vtcp.ACK, 99, "x") }, "00 00 00 01 00 00 00 47"},
		{"data without", func() { take(3, vtcp.ACK, 0, "c") }, "00 00 00 01 00 00 00 47"},
		{"ten ticks later", func() { s.Advance(10); take(4, vtcp.ACK, 72, "d") }, "00 00 00 0b 00 00 00 48"},
	} {
		step.do()
		if got, want := last(), "01 01 08 0a "+step.stamps; got != want {
			t.Errorf("%s: options %s, want %s", step.name, got, want)
		}
	}
	s, packets = rawStack(t, vtcp.Config{Timestamps: true})
	if err := s.Dial(0, server); err != nil {
		t.Fatal(err)
	}
	syn, _ = vtcp.Parse((*packets)[0])
	take(0, sa, 0, "")
	if got := last(); got != "" {
		t.Errorf("a server without timestamps gets options %s", got)
	}
}

// What somebody else completes has the checksum of the pseudo header alone.
func TestPartialChecksum(t *testing.T) {
	t.Parallel()
	s, packets := rawStack(t, vtcp.Config{Partial: true})
	if err := s.Dial(0, server); err != nil {
		t.Fatal(err)
	}
	p := (*packets)[0]
	if _, ok := vtcp.Parse(p); ok {
		t.Error("the checksum is whole")
	}
	sum := uint32(6) + uint32(len(p)-20) // RFC 9293 §3.1: protocol and length
	for i := 12; i < 20; i += 2 {        // and addresses
		sum += uint32(binary.BigEndian.Uint16(p[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	if got := binary.BigEndian.Uint16(p[36:]); got != uint16(sum) {
		t.Errorf("checksum %04x, want %04x of the pseudo header", got, sum)
	}
}

// A stranger is answered from where it knocked, and a RST of its is not answered.
func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	stranger := netip.MustParseAddrPort("9.9.9.9:999")
	for _, test := range []struct {
		in   vtcp.Segment
		want string
	}{
		{vtcp.Segment{Flags: vtcp.SYN, Seq: 41}, "RA 0 42"},
		{vtcp.Segment{Flags: vtcp.SYN | vtcp.FIN, Seq: 41, Data: []byte("ab")}, "RA 0 45"},
		{vtcp.Segment{Flags: vtcp.ACK, Seq: 41, Ack: 7}, "R 7 0"},
		{vtcp.Segment{Flags: vtcp.RST, Seq: 41}, ""},
		{vtcp.Segment{Flags: ra, Seq: 41, Ack: 7}, ""},
	} {
		b := newBench(t, vtcp.Config{}, 1)
		test.in.From, test.in.To = stranger, b.Addr(0)
		b.Take(test.in.Bytes(), false)
		got := ""
		for _, s := range b.sent {
			flags := map[uint8]string{vtcp.RST: "R", ra: "RA"}[s.Flags]
			got = fmt.Sprint(flags, " ", s.Seq, " ", s.Ack)
			if s.From != b.Addr(0) || s.To != stranger {
				t.Errorf("%+v: answered from %s to %s", test.in, s.From, s.To)
			}
		}
		if got != test.want || b.Counts().Stray != 1 {
			t.Errorf("%+v: answered %q, want %q", test.in, got, test.want)
		}
	}
}

// What is further ahead than the window is answered, or, if it is a RST, not believed.
func TestEdgesOfTheWindow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		in    vtcp.Segment
		sent  string
		early int64
	}{
		{"data at its end", vtcp.Segment{Flags: vtcp.ACK, Seq: 1 + vtcp.Window, Ack: 1, Data: []byte("x")}, "A1:1", 1},
		{"data beyond", vtcp.Segment{Flags: vtcp.ACK, Seq: 2 + vtcp.Window, Ack: 1, Data: []byte("x")}, "A1:1", 0},
		{"RST at its end", vtcp.Segment{Flags: vtcp.RST, Seq: 1 + vtcp.Window}, "A1:1", 0},
		{"RST beyond", vtcp.Segment{Flags: vtcp.RST, Seq: 2 + vtcp.Window}, "", 0},
	} {
		b := newBench(t, vtcp.Config{}, 1)
		b.reach(vtcp.Established)
		b.take(test.in)
		if got := b.flush(); got != test.sent || b.Counts().Early != test.early || b.records[0].State != vtcp.Established {
			t.Errorf("%s: sent %q in %v, %d early, want %q, %d", test.name, got, b.records[0].State, b.Counts().Early, test.sent, test.early)
		}
	}
}

// A server's largest segment is the least that it ever said; a deadline ends with the
// connection; a record that is claimed is not the fast path's.
func TestConnectionsAfterOthers(t *testing.T) {
	t.Parallel()
	b := newBench(t, vtcp.Config{}, 2)
	for i, mss := range []int{300, 1000} {
		if err := b.Dial(i, server); err != nil {
			t.Fatal(err)
		}
		in := vtcp.Segment{From: server, To: b.Addr(i), Seq: irs, Ack: b.sent[len(b.sent)-1].Seq + 1, Flags: sa, MSS: mss, Window: 2000}
		e := b.Take(in.Bytes(), false)
		b.Settle(e.Client, true)
	}
	b.sent = nil
	if err := b.Send(1, make([]byte, 500)); err != nil || len(b.sent) != 2 || len(b.sent[0].Data) != 300 {
		t.Errorf("%d segments, %v, want two: the first connection was told 300", len(b.sent), err)
	}
	if b.records[0].Flags&vtcp.Fast == 0 {
		t.Fatal("client 0 is not the fast path's")
	}
	if b.Claim(0); b.records[0].Flags&vtcp.Fast != 0 {
		t.Error("it is still the fast path's")
	}
	ended := newBench(t, vtcp.Config{}, 1)
	ended.reach(vtcp.Established)
	ended.SetDeadline(0, vtcp.Tick)
	ended.take(vtcp.Segment{Flags: fa, Seq: 1, Ack: 1})
	ended.Advance(2)
	if e, ok := ended.Next(); ok {
		t.Errorf("after the end %+v", e)
	}
	if ended.take(vtcp.Segment{Flags: vtcp.ACK, Seq: 2, Ack: 2, Data: []byte("more")}); ended.records[0].State != vtcp.Closed {
		t.Errorf("state %v, want the acknowledgement of our FIN to end it", ended.records[0].State)
	}
}

package fast_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"unsafe"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/vtcp"
	"github.com/roost-rt/roost/loadtest/vtcp/fast"
)

// Verdicts of a program at a device.
const (
	pass     = 0
	redirect = 7
)

func load(t testing.TB, clients int) *fast.Path {
	t.Helper()
	p, err := fast.Load(clients, netip.Addr{})
	if err != nil {
		t.Fatalf("%v\nThis test runs a program in the kernel: run it as root (sudo env \"PATH=$PATH\" go test …), as CI does.", err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func set(t testing.TB, p *fast.Path, slot int, m fast.Message) {
	t.Helper()
	if err := p.Set(slot, m); err != nil {
		t.Fatal(err)
	}
}

func run(t testing.TB, p *fast.Path, packet []byte) (verdict uint32, out []byte) {
	t.Helper()
	verdict, out, err := p.Run(packet)
	if err != nil {
		t.Fatal(err)
	}
	return verdict, out
}

// A client, its packet, and what is to become of them.
type trial struct {
	packet packet
	record vtcp.Record
	edit   func(b []byte) []byte // the packet's bytes, if not nil
}

// trialClient has an address that is not the first.
const trialClient = 1<<15 + 700

func newTrial() *trial {
	return &trial{
		packet: packet{client: trialClient, seq: 5000, ack: 1000, flags: ack | psh, payload: text(7, 167)},
		record: vtcp.Record{SndNxt: 1000, RcvNxt: 5000, Received: 6, Timer: 99, Room: 3, State: vtcp.Established, Flags: vtcp.Fast, Peer: 4},
	}
}

func (c *trial) bytes() []byte {
	b := c.packet.bytes()
	if c.edit != nil {
		b = c.edit(b)
	}
	return b
}

// prepare makes three messages of the trial's room current, and some that are none of
// its business.
func prepare(t *testing.T) *fast.Path {
	p := load(t, 2<<15)
	sent := order.Now()
	set(t, p, 7, fast.Message{Frame: text(7, 167), Room: 3, Number: 7, Sent: sent})
	set(t, p, 0, fast.Message{Frame: text(8, 167), Room: 3, Number: 8, Sent: sent})
	set(t, p, 4, fast.Message{Frame: text(9, fast.MaxFrame), Room: 3, Number: 9, Sent: sent})
	set(t, p, 1, fast.Message{Frame: text(6, 167), Room: 3, Number: 6, Sent: sent})
	set(t, p, 2, fast.Message{Frame: text(77, 167), Room: 4, Number: 7, Sent: sent})
	set(t, p, 3, fast.Message{Frame: []byte{0x81, 0}, Room: 5, Number: 0, Sent: sent})
	return p
}

var slots = map[uint32]int{6: 1, 7: 7, 8: 0, 9: 4}

// TestTakes has the program take what it may.
func TestTakes(t *testing.T) {
	p := prepare(t)
	for _, c := range []struct {
		name  string
		edit  func(*trial)
		taken []uint32 // numbers; nil: 7
	}{
		{name: "a broadcast"},
		{name: "without PSH", edit: func(c *trial) { c.packet.flags = ack }},
		{name: "another ACK and window", edit: func(c *trial) {
			c.packet.ack = 999
			c.edit = func(b []byte) []byte { b[34]++; return b }
		}},
		{name: "another TOS, identification and TTL", edit: func(c *trial) {
			c.edit = func(b []byte) []byte { b[1], b[4], b[5], b[8] = 0x10, 0xab, 0xcd, 3; return b }
		}},
		{name: "a checksum that the device is to complete", edit: func(c *trial) {
			c.edit = func(b []byte) []byte { b[36], b[37] = 0, 1; return b }
		}},
		{name: "timestamps", edit: func(c *trial) { c.packet.options = stamps(123, 456) }},
		{name: "first client", edit: func(c *trial) { c.packet.client = 0 }},
		{name: "last client of an address", edit: func(c *trial) { c.packet.client = 1<<15 - 1 }},
		{name: "last client", edit: func(c *trial) { c.packet.client = 2<<15 - 1 }},
		{name: "sequence numbers wrap", edit: func(c *trial) { c.packet.seq, c.record.RcvNxt = 1<<32-5, 1<<32-5 }},
		{name: "broadcast numbers wrap", edit: func(c *trial) {
			c.record.Room, c.record.Received, c.packet.payload = 5, 1<<32-1, []byte{0x81, 0}
		}, taken: []uint32{0}},
		{name: "two at once", edit: func(c *trial) { c.packet.payload = slices.Concat(text(7, 167), text(8, 167)) }, taken: []uint32{7, 8}},
		{name: "four at once, of different length", edit: func(c *trial) {
			c.record.Received = 5
			c.packet.payload = slices.Concat(text(6, 167), text(7, 167), text(8, 167), text(9, fast.MaxFrame))
		}, taken: []uint32{6, 7, 8, 9}},
		{name: "the longest", edit: func(c *trial) { c.record.Received, c.packet.payload = 8, text(9, fast.MaxFrame) }, taken: []uint32{9}},
	} {
		t.Run(c.name, func(t *testing.T) {
			trial := newTrial()
			if c.edit != nil {
				c.edit(trial)
			}
			if c.taken == nil {
				c.taken = []uint32{7}
			}
			trial.taken(t, p, c.taken)
		})
	}
}

func (c *trial) taken(t *testing.T, p *fast.Path, numbers []uint32) {
	t.Helper()
	slot := func(number uint32) int {
		if c.record.Room == 5 {
			return 3
		}
		return slots[number]
	}
	before := make([]fast.Counts, fast.Slots)
	for s := range before {
		before[s] = p.Counts(s)
	}
	i := c.packet.client
	p.Records()[i] = c.record
	p.Stamp(789)
	start := order.Now()
	verdict, out := run(t, p, c.bytes())
	end := order.Now()
	if verdict != redirect {
		t.Fatalf("verdict %d, want %d", verdict, redirect)
	}

	want := c.record
	want.RcvNxt += uint32(len(c.packet.payload))
	want.Received += uint32(len(numbers))
	if r := p.Records()[i]; r != want {
		t.Errorf("record %+v, want %+v", r, want)
	}
	var options []byte
	if c.packet.options != nil {
		options = stamps(789, 123)
	}
	if ack := answer(i, want.SndNxt, want.RcvNxt, options); !bytes.Equal(out, ack) {
		t.Errorf("the packet became\n%x, want\n%x", out, ack)
	}
	for s := range before {
		n := p.Counts(s)
		if !slices.ContainsFunc(numbers, func(number uint32) bool { return slot(number) == s }) {
			if n.Received != before[s].Received {
				t.Errorf("slot %d has a receipt", s)
			}
			continue
		}
		if before[s].Received == 0 {
			before[s].First = n.First
		}
		if n.Received != before[s].Received+1 || n.First != before[s].First || n.First > end || n.Last < start || n.Last > end {
			t.Errorf("slot %d counts %d, first %d, last %d: want %d, from %d to %d", s, n.Received, n.First, n.Last, before[s].Received+1, start, end)
		}
		if all := p.Received(s); all != n.Received {
			t.Errorf("slot %d: %d latencies of %d receipts", s, n.Received, all)
		}
	}
}

// TestPasses breaks each rule of the program once: the packet goes on as it was, and
// nothing is counted.
func TestPasses(t *testing.T) {
	p := prepare(t)
	bytesOf := func(edit func(b []byte) []byte) func(*trial) { return func(c *trial) { c.edit = edit } }
	flags := func(f uint16) func(*trial) { return func(c *trial) { c.packet.flags = f } }
	payload := func(b ...[]byte) func(*trial) { return func(c *trial) { c.packet.payload = slices.Concat(b...) } }
	for _, c := range []struct {
		name string
		edit func(*trial)
	}{
		{"IPv6", bytesOf(func(b []byte) []byte { b[0] = 0x65; return b })},
		{"IP options", bytesOf(func(b []byte) []byte { b[0] = 0x46; return b })},
		{"UDP", bytesOf(func(b []byte) []byte { b[9] = 17; return b })},
		{"a fragment with more to come", bytesOf(func(b []byte) []byte { b[6] |= 0x20; return b })},
		{"a later fragment", bytesOf(func(b []byte) []byte { b[7] = 1; return b })},
		{"shorter than its header says", bytesOf(func(b []byte) []byte { b[3]++; return b })},
		{"longer than its header says", bytesOf(func(b []byte) []byte { b[3]--; return b })},
		{"cut in TCP's header", bytesOf(func(b []byte) []byte { b[2], b[3] = 0, 39; return b[:39] })},
		{"FIN", flags(ack | psh | 0x01)},
		{"SYN", flags(ack | psh | 0x02)},
		{"RST", flags(ack | psh | 0x04)},
		{"URG", flags(ack | psh | 0x20)},
		{"ECE", flags(ack | psh | 0x40)},
		{"CWR", flags(ack | psh | 0x80)},
		{"a reserved bit", flags(ack | psh | 0x200)},
		{"no ACK", flags(psh)},
		{"other options", func(c *trial) { c.packet.options = []byte{1, 1, 1, 1} }},
		{"SACK beside timestamps", func(c *trial) { c.packet.options = append(stamps(1, 2), 1, 1, 5, 2) }},
		{"twelve bytes of another option", func(c *trial) { c.packet.options = append([]byte{1, 1, 5, 10}, make([]byte, 8)...) }},
		{"a header of four words", bytesOf(func(b []byte) []byte { b[32] = 0x40; return b })},
		{"timestamps that are cut", bytesOf(func(b []byte) []byte { b[2], b[3], b[32] = 0, 45, 0x80; return b[:45] })},
		{"no payload", payload()},
		{"a byte less", payload(text(7, 167)[:166])},
		{"a byte more", payload(text(7, 167), []byte{0x81})},
		{"half of the next behind it", payload(text(7, 167), text(8, 167)[:80])},
		{"another one behind it", payload(text(7, 167), text(9, fast.MaxFrame))},
		{"the same twice", payload(text(7, 167), text(7, 167))},
		{"one before", payload(text(6, 167))},
		{"one too early", payload(text(8, 167))},
		{"one that is not current", func(c *trial) { c.record.Received, c.packet.payload = 9, text(10, 167) }},
		{"bytes of another room's", payload(text(77, 167))},
		{"a client of another room", func(c *trial) { c.record.Room = 4 }},
		{"a client without room", func(c *trial) { c.record.Room = 0 }},
		{"not Fast", func(c *trial) { c.record.Flags = 0 }},
		{"not Fast, but all else", func(c *trial) { c.record.Flags = ^vtcp.Fast }},
		{"an earlier sequence number", func(c *trial) { c.packet.seq-- }},
		{"a later sequence number", func(c *trial) { c.packet.seq++ }},
		{"a retransmission", func(c *trial) { c.record.RcvNxt += 167; c.record.Received++ }},
		{"behind the last client", func(c *trial) { c.packet.client = 2 << 15 }},
		{"below the first port", bytesOf(func(b []byte) []byte { binary.BigEndian.PutUint16(b[22:], 16383); return b })},
		{"above the last port", bytesOf(func(b []byte) []byte { binary.BigEndian.PutUint16(b[22:], 16384+1<<15+700); return b })},
		{"below the first address", bytesOf(func(b []byte) []byte { b[18], b[19] = 0, 0; return b })},
		{"an address whose number wraps", bytesOf(func(b []byte) []byte { b[17] += 2; return b })},
	} {
		t.Run(c.name, func(t *testing.T) {
			trial := newTrial()
			c.edit(trial)
			trial.passed(t, p)
		})
	}
}

func (c *trial) passed(t *testing.T, p *fast.Path) {
	t.Helper()
	if i := c.packet.client; i < len(p.Records()) {
		p.Records()[i] = c.record
	}
	all := unsafe.Slice((*byte)(unsafe.Pointer(&p.Records()[0])), len(p.Records())*int(unsafe.Sizeof(vtcp.Record{})))
	before := bytes.Clone(all)
	b := c.bytes()
	verdict, out := run(t, p, b)
	if verdict != pass || !bytes.Equal(out, b) {
		t.Errorf("verdict %d, want %d; the packet was\n%x, now\n%x", verdict, pass, b, out)
	}
	if !bytes.Equal(all, before) {
		t.Error("a record has changed")
	}
	for s := range fast.Slots {
		if n := p.Counts(s); n.Received > 0 || n.First > 0 || n.Last > 0 || slices.Max(n.Latency) > 0 {
			t.Errorf("slot %d has counted", s)
		}
	}
}

// TestEveryByte has packets that differ from the current message in one bit of one byte.
func TestEveryByte(t *testing.T) {
	p := prepare(t)
	for number, size := range map[uint32]int{7: 167, 9: fast.MaxFrame} {
		trial := newTrial()
		trial.record.Received = number - 1
		for at := range size {
			trial.packet.payload = text(number, size)
			trial.packet.payload[at] ^= 1 << (at % 8)
			p.Records()[trialClient] = trial.record
			if verdict, _ := run(t, p, trial.bytes()); verdict != pass || p.Records()[trialClient] != trial.record {
				t.Errorf("byte %d of %d differs: verdict %d, want %d", at, size, verdict, pass)
			}
		}
	}
}

// TestSlots changes the messages between packets.
func TestSlots(t *testing.T) {
	p := prepare(t)
	newTrial().taken(t, p, []uint32{7})
	set(t, p, 7, fast.Message{})
	if n := p.Counts(7); n.Received != 1 {
		t.Errorf("after its end a message has %d receipts, want 1", n.Received)
	}
	verdict := func(frames ...[]byte) uint32 {
		trial := newTrial()
		p.Records()[trialClient] = trial.record
		trial.packet.payload = slices.Concat(frames...)
		verdict, _ := run(t, p, trial.bytes())
		return verdict
	}
	if v := verdict(text(7, 167)); v != pass {
		t.Errorf("a message that was taken away: verdict %d, want %d", v, pass)
	}
	if err := p.Set(7, fast.Message{Frame: text(7, fast.MaxFrame+1), Room: 3, Number: 7}); !errors.Is(err, fast.ErrFrame) {
		t.Errorf("Set of MaxFrame + 1 bytes: %v, want ErrFrame", err)
	}
	set(t, p, 7, fast.Message{Frame: text(70, 200), Room: 3, Number: 7})
	if n := p.Counts(7); n.Received != 0 {
		t.Errorf("a new message has %d receipts", n.Received)
	}
	if v := verdict(text(70, 200)); v != redirect {
		t.Errorf("a new message: verdict %d, want %d", v, redirect)
	}

	// A slot behind one that had the same message, then all slots at once.
	set(t, p, 0, fast.Message{})
	set(t, p, 5, fast.Message{Frame: text(8, 167), Room: 3, Number: 8})
	if v := verdict(text(70, 200), text(8, 167)); v != redirect {
		t.Errorf("a message in another slot: verdict %d, want %d", v, redirect)
	}
	var all [][]byte
	for s := range fast.Slots {
		number := uint32(7 + s)
		all = append(all, text(number, 100+s))
		set(t, p, (3*s)%fast.Slots, fast.Message{Frame: all[s], Room: 3, Number: number})
	}
	if v := verdict(append(all, []byte{0x81})...); v != pass {
		t.Errorf("all messages and a byte: verdict %d, want %d", v, pass)
	}
	if v := verdict(all...); v != redirect {
		t.Errorf("all messages: verdict %d, want %d", v, redirect)
	}
}

// TestNetwork has clients whose addresses are not the usual ones.
func TestNetwork(t *testing.T) {
	if _, err := fast.Load(0, netip.Addr{}); err == nil {
		t.Error("Load takes 0 clients")
	}
	if _, err := fast.Load(1, netip.IPv6Loopback()); err == nil {
		t.Error("Load takes an IPv6 network")
	}
	p, err := fast.Load(1, netip.MustParseAddr("10.99.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	set(t, p, 0, fast.Message{Frame: text(7, 167), Room: 3, Number: 7})
	for second, want := range map[byte]uint32{64: pass, 99: redirect} {
		trial := newTrial()
		trial.packet.client = 0
		p.Records()[0] = trial.record
		b := trial.bytes()
		b[17] = second
		if verdict, _ := run(t, p, b); verdict != want {
			t.Errorf("client at 10.%d.0.1: verdict %d, want %d", second, verdict, want)
		}
	}
}

package fast_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/vtcp"
	"github.com/roost-rt/roost/loadtest/vtcp/fast"
)

// TestAsTheOracle has the kernel and the oracle do the same with packets that are
// mostly right.
func TestAsTheOracle(t *testing.T) {
	const rounds = 3_000
	g := &generator{Rand: rand.New(rand.NewPCG(1, uint64(order.Now())))}
	o, p := startOracle(t), load(t, oracleClients)
	var taken, counted int
	received := make([]uint64, fast.Slots) // before Set clears them
	for round := range rounds {
		if round%50 == 0 {
			s := round / 50 % fast.Slots
			received[s] += p.Counts(s).Received
			set(t, p, s, g.message())
			o.ask('M', uint32(s), p.Bytes(s))
		}
		i := g.IntN(oracleClients)
		r := g.record()
		b := g.packet(i, r)
		p.Records()[i] = r
		o.set(i, r)

		stamp := g.Uint32()
		p.Stamp(stamp)
		o.ask('s', stamp)

		verdict, out := run(t, p, b)
		wantVerdict, want := o.run(order.Now(), b)
		if verdict != wantVerdict || !bytes.Equal(out, want) {
			t.Fatalf("round %d, record %+v, packet\n%x: verdict %d and\n%x, by the oracle %d and\n%x", round, r, b, verdict, out, wantVerdict, want)
		}
		if got, want := p.Records()[i], o.record(i); got != want {
			t.Fatalf("round %d, record %+v, packet\n%x: now\n%+v, by the oracle\n%+v", round, r, b, got, want)
		}
		if verdict == redirect {
			taken++
			counted += int(p.Records()[i].Received - r.Received)
		}
	}
	for s := range fast.Slots {
		want, _ := o.received(s)
		n := p.Counts(s).Received
		if n != want {
			t.Errorf("slot %d: %d receipts, by the oracle %d", s, n, want)
		}
		counted -= int(received[s] + n)
	}
	if counted != 0 {
		t.Errorf("the records have %d more receipts than the counts", counted)
	}
	if taken < rounds/10 || taken > rounds*9/10 {
		t.Errorf("%d of %d packets were taken: such packets show little", taken, rounds)
	}
}

// A generator makes packets of which most break one rule at most.
type generator struct {
	*rand.Rand
	number   uint32 // of the last message
	messages []fast.Message
}

// message is the next of room 1, as a rule.
func (g *generator) message() fast.Message {
	g.number++
	m := fast.Message{Frame: text(g.number, 60+g.IntN(fast.MaxFrame-59)), Room: 1, Number: g.number, Sent: order.Now() - g.Int64N(1e10)}
	if g.IntN(3) == 0 {
		m.Frame = text(g.number, 60+g.IntN(100))
	}
	if g.IntN(10) == 0 {
		m.Room = 2
	}
	g.messages = append(g.messages, m)
	g.messages = g.messages[max(len(g.messages)-fast.Slots, 0):]
	return m
}

func (g *generator) record() vtcp.Record {
	r := vtcp.Record{
		SndNxt: g.Uint32(), RcvNxt: g.Uint32(), Received: g.number - 1 - g.Uint32N(uint32(fast.Slots)), Timer: g.Uint32(),
		Room: 1, State: vtcp.Established, Flags: vtcp.Fast, Tries: uint8(g.Uint32()), Peer: uint16(g.Uint32()),
	}
	switch g.IntN(20) {
	case 0:
		r.Room = 2
	case 1:
		r.Flags = vtcp.Flags(g.Uint32())
	case 2:
		r.Received = g.Uint32()
	}
	return r
}

// packet has the next one to three messages of a record, and may then be spoiled.
func (g *generator) packet(client int, r vtcp.Record) []byte {
	p := packet{client: client, seq: r.RcvNxt, ack: r.SndNxt, flags: ack | psh}
	for n := range 1 + uint32(g.IntN(3)) {
		at := slices.IndexFunc(g.messages, func(m fast.Message) bool { return m.Number == r.Received+1+n })
		if at >= 0 && len(p.payload)+len(g.messages[at].Frame) < 3000 {
			p.payload = append(p.payload, g.messages[at].Frame...)
		}
	}
	if g.IntN(3) == 0 {
		p.options = stamps(g.Uint32(), g.Uint32())
	}
	b := p.bytes()
	switch g.IntN(8) {
	case 0: // any byte
		b[g.IntN(len(b))] = byte(g.Uint32())
	case 1: // a bit of the headers
		b[g.IntN(52)%len(b)] ^= 1 << g.IntN(8)
	case 2: // another length, which its header has, too
		b = append(b[:max(20, len(b)-g.IntN(50))], make([]byte, g.IntN(50))...)
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	}
	return b
}

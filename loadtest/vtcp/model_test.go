package vtcp_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/vtcp"
)

// A peer is the server's end of one connection, as simple as it can be.
type peer struct {
	send func(vtcp.Segment) // From and To are filled in
	rng  *rand.Rand

	state  vtcp.State // Closed, Established, or LastAck once its FIN has to go
	una    uint32     // of the first byte of out
	out    []byte     // not acknowledged
	next   uint32     // expected
	got    []byte
	window int  // of the client
	hung   bool // the client has
	reset  bool
}

func (p *peer) take(s vtcp.Segment) {
	switch {
	case s.Flags&vtcp.RST != 0:
		p.reset = p.state != vtcp.Closed
		return
	case s.Flags&vtcp.SYN != 0:
		if p.state == vtcp.Closed {
			p.state, p.una, p.next = vtcp.Established, p.rng.Uint32(), s.Seq+1
		}
		if s.Seq+1 == p.next {
			p.send(vtcp.Segment{Flags: sa, Seq: p.una - 1, Ack: p.next, MSS: 300, Window: 2000})
		}
		return
	case p.state == vtcp.Closed:
		return
	}
	if n := int32(s.Ack - p.una); n >= 0 {
		p.window = int(s.Window)
		p.out = p.out[min(int(n), len(p.out)):]
		p.una = s.Ack
	}
	if len(s.Data) > 0 || s.Flags&vtcp.FIN != 0 {
		if old := int32(p.next - s.Seq); old >= 0 && int(old) <= len(s.Data) && !p.hung {
			p.got = append(p.got, s.Data[old:]...)
			p.next += uint32(len(s.Data)) - uint32(old)
			if s.Flags&vtcp.FIN != 0 {
				p.next++
				p.hung = true
			}
		}
		p.ack()
	} else if s.Seq != p.next {
		p.ack()
	}
}

func (p *peer) ack() {
	p.send(vtcp.Segment{Flags: vtcp.ACK, Seq: p.una + uint32(len(p.out)), Ack: p.next, Window: uint16(p.rng.IntN(2000))})
}

// tick sends something of what is not acknowledged, cut anyhow, or a probe.
func (p *peer) tick() {
	from := max(0, p.rng.IntN(1000)-500) // half of the time what is next
	from = min(from, len(p.out))
	to := min(from+p.rng.IntN(400), len(p.out))
	s := vtcp.Segment{Flags: vtcp.ACK, Ack: p.next, Window: uint16(500 + p.rng.IntN(2000))}
	switch {
	case p.state == vtcp.Closed:
		return
	case to > p.window: // full: a probe
		s.Seq = p.una - 1
	default:
		s.Seq, s.Data = p.una+uint32(from), p.out[from:to]
		if p.state == vtcp.LastAck && to == len(p.out) {
			s.Flags |= vtcp.FIN
		}
	}
	p.send(s)
}

// A lossy is a link that loses, doubles, mixes and spoils packets.
type lossy struct {
	rng     *rand.Rand
	healed  bool
	packets [][]byte
}

func (l *lossy) put(packet []byte) {
	packet = bytes.Clone(packet)
	if !l.healed {
		switch l.rng.IntN(10) {
		case 0, 1:
			return
		case 2:
			l.packets = append(l.packets, bytes.Clone(packet))
		case 3:
			packet[l.rng.IntN(len(packet))] ^= 1 << l.rng.IntN(8)
		}
	}
	l.packets = append(l.packets, packet)
}

func (l *lossy) next() []byte {
	if len(l.packets) == 0 {
		return nil
	}
	i := 0
	if !l.healed {
		i = l.rng.IntN(min(4, len(l.packets)))
	}
	p := l.packets[i]
	l.packets = append(l.packets[:i], l.packets[i+1:]...)
	return p
}

// TestLossyLink has a client and a server talk over a link that does everything
// wrong: what each has sent comes to the other, once and in order, whatever is
// stalled in between and whoever closes.
func TestLossyLink(t *testing.T) {
	t.Parallel()
	for seed := range uint64(25) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { converse(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func converse(t *testing.T, rng *rand.Rand) {
	up, down := &lossy{rng: rng}, &lossy{rng: rng}
	records := make([]vtcp.Record, 1)
	s, err := vtcp.New(vtcp.Config{Records: records, MTU: 600, Send: up.put, Timestamps: rng.IntN(2) == 0})
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{rng: rng, window: vtcp.Window}
	p.send = func(out vtcp.Segment) {
		out.From, out.To = server, s.Addr(0)
		down.put(out.Bytes())
	}
	if err := s.Dial(0, server); err != nil {
		t.Fatal(err)
	}
	r := &records[0]
	var said, owed, heard []byte // by the client; by the server; of that, what has come
	var closed bool
	now := uint32(0)
	deliver := func() {
		if b := up.next(); b != nil {
			if in, ok := vtcp.Parse(b); ok && in.From == s.Addr(0) && in.To == server {
				p.take(in)
			}
		}
		b := down.next()
		if b == nil {
			return
		}
		before, snd := r.RcvNxt, r.SndNxt
		was := r.State
		e := s.Take(b, false)
		heard = append(heard, e.Data...)
		closed = closed || e.Closed
		moved := uint32(len(e.Data))
		if e.Closed && e.Err == nil {
			moved++ // FIN
		}
		if was > vtcp.SynSent && r.RcvNxt-before != moved && was != vtcp.FinWait {
			t.Fatalf("RcvNxt moved by %d with %d delivered in %v", r.RcvNxt-before, moved, was)
		}
		s.Settle(e.Client, rng.IntN(2) == 0)
		if int32(r.SndNxt-snd) < 0 {
			t.Fatal("SndNxt went back")
		}
		if r.Flags&vtcp.Fast != 0 && (r.State != vtcp.Established || s.Waiting(0) > 0 || r.Flags&vtcp.Stalled != 0) {
			t.Fatalf("fast in %v with %d bytes waiting, flags %b", r.State, s.Waiting(0), r.Flags)
		}
	}
	pass := func() {
		now++
		s.Advance(now)
		for e, ok := s.Next(); ok; e, ok = s.Next() {
			closed = closed || e.Closed
		}
		p.tick()
	}
	random := func() []byte {
		b := make([]byte, rng.IntN(1000))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	for range 500 {
		switch rng.IntN(12) {
		case 0:
			b := random()
			if rng.IntN(2) == 0 && s.SendShared(0, b) == nil {
				said = append(said, b...)
			} else if s.Send(0, b) == nil {
				said = append(said, b...)
				clear(b) // it is ours again
			}
		case 1:
			if p.state == vtcp.Established {
				b := random()
				owed, p.out = append(owed, b...), append(p.out, b...)
			}
		case 2:
			s.Stall(0)
		case 3, 4:
			s.Resume(0)
		case 5, 6:
			pass()
		default:
			deliver()
		}
	}
	up.healed, down.healed = true, true
	s.Resume(0)
	settle := func(what string, done func() bool) {
		t.Helper()
		for range 20000 {
			if done() {
				return
			}
			pass()
			for range 20 {
				deliver()
			}
		}
		t.Fatalf("%s never came: client %v with %d waiting, said %d, server got %d; owed %d, heard %d, to come %d", what, r.State, s.Waiting(0), len(said), len(p.got), len(owed), len(heard), len(p.out))
	}
	if closed {
		return // the link was so bad that one gave up
	}
	settle("all", func() bool { return bytes.Equal(p.got, said) && bytes.Equal(heard, owed) })
	switch rng.IntN(3) {
	case 0:
		p.state = vtcp.LastAck
		settle("the end by the server", func() bool { return closed && p.hung && r.State == vtcp.Closed })
	case 1:
		s.Close(0)
		settle("FIN of the client", func() bool { return p.hung })
		p.state = vtcp.LastAck
		settle("the end by the client", func() bool { return closed && r.State == vtcp.Closed })
	default:
		s.Abort(0)
		settle("RST", func() bool { return p.reset })
	}
	if !bytes.Equal(p.got, said) || !bytes.Equal(heard, owed) {
		t.Error("what came is not what was sent")
	}
}

// FuzzTake has one client take anything: it never panics, and RcvNxt moves by
// what was delivered alone.
func FuzzTake(f *testing.F) {
	f.Add([]byte{1, sa, 0, 1, 0, 5, vtcp.ACK, 1, 1, 3, 5, fa, 4, 1, 0})
	f.Add([]byte{1, sa, 0, 1, 0, 2, 9, 5, vtcp.ACK, 1, 1, 3, 3, 5, vtcp.RST, 1, 0, 0, 1, 7})
	f.Fuzz(func(t *testing.T, script []byte) {
		script = script[:min(len(script), 1000)]
		b := newBench(t, vtcp.Config{Timestamps: len(script)%2 == 1}, 2)
		r := &b.records[0]
		next := func() byte {
			if len(script) == 0 {
				return 0
			}
			c := script[0]
			script = script[1:]
			return c
		}
		now := uint32(0)
		for len(script) > 0 {
			snd, state := r.SndNxt, r.State
			switch op := next(); op % 8 {
			case 1:
				if err := b.Dial(0, server); err != nil {
					t.Fatal(err)
				}
				continue
			case 2:
				_ = b.Send(0, make([]byte, int(next())*64)) // ErrClosed where there is no connection
			case 3:
				now += uint32(next())
				b.SetDeadline(0, time.Duration(next())*time.Second)
				b.Advance(now)
				for _, ok := b.Next(); ok; _, ok = b.Next() {
				}
			case 4:
				if op&8 != 0 {
					b.Stall(0)
				} else {
					b.Resume(0)
				}
			case 6:
				b.Close(0)
			case 7:
				b.Abort(0)
			default:
				s := vtcp.Segment{From: server, To: b.Addr(0), Flags: next(), Window: uint16(next()) << 4, Stamped: op&8 != 0}
				s.Seq, s.Ack = r.RcvNxt+uint32(int8(next())), r.SndNxt+uint32(int8(next()))
				s.Data = make([]byte, next())
				before := r.RcvNxt
				e := b.Take(s.Bytes(), false)
				moved := uint32(len(e.Data))
				if e.Closed && e.Err == nil {
					moved++
				}
				if state == vtcp.Established && r.RcvNxt-before != moved {
					t.Fatalf("RcvNxt moved by %d with %d delivered", r.RcvNxt-before, moved)
				}
				b.Settle(e.Client, true)
			}
			if int32(r.SndNxt-snd) < 0 {
				t.Fatal("SndNxt went back")
			}
			if r.Flags&vtcp.Fast != 0 && (r.State != vtcp.Established || b.Waiting(0) > 0) {
				t.Fatalf("fast in %v with %d bytes waiting", r.State, b.Waiting(0))
			}
			b.flush()
		}
	})
}

package fast_test

import (
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/vtcp"
	"github.com/roost-rt/roost/loadtest/vtcp/fast"
)

// BenchmarkTake has the program take a broadcast. ns/packet is its own time in the
// kernel, with what it takes to measure one run; ns/op has the system call.
func BenchmarkTake(b *testing.B) {
	for _, size := range []int{167, fast.MaxFrame} {
		for _, options := range [][]byte{nil, stamps(1, 2)} {
			name := map[int]string{167: "167B", fast.MaxFrame: "1024B"}[size]
			if options != nil {
				name += "/timestamps"
			}
			b.Run(name, func(b *testing.B) { take(b, text(1, size), options) })
		}
	}
}

func take(b *testing.B, frame, options []byte) {
	p := load(b, 1)
	set(b, p, fast.Slots-1, fast.Message{Frame: frame, Room: 1, Number: 1, Sent: order.Now()})
	bytes := packet{flags: ack, options: options, payload: frame}.bytes()
	var sum time.Duration
	for b.Loop() {
		p.Records()[0] = vtcp.Record{Room: 1, Flags: vtcp.Fast}
		each, err := p.Time(bytes, 1)
		if err != nil {
			b.Fatal(err)
		}
		sum += each
	}
	if n := p.Counts(fast.Slots - 1).Received; n != uint64(b.N) {
		b.Fatalf("%d of %d packets were taken", n, b.N)
	}
	b.ReportMetric(float64(sum.Nanoseconds())/float64(b.N), "ns/packet")
}

// BenchmarkPass is what the program costs a packet that it does not take, because
// its last byte differs, or because there is nothing to take.
func BenchmarkPass(b *testing.B) {
	for _, c := range []struct {
		name string
		edit func(*packet, *vtcp.Record)
	}{
		{"last byte", func(p *packet, _ *vtcp.Record) { p.payload[len(p.payload)-1] ^= 1 }},
		{"not fast", func(_ *packet, r *vtcp.Record) { r.Flags = 0 }},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := load(b, 1)
			set(b, p, fast.Slots-1, fast.Message{Frame: text(1, 167), Room: 1, Number: 1})
			packet := packet{flags: ack, payload: text(1, 167)}
			p.Records()[0] = vtcp.Record{Room: 1, Flags: vtcp.Fast}
			c.edit(&packet, &p.Records()[0])
			each, err := p.Time(packet.bytes(), max(b.N, 1000))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(each.Nanoseconds()), "ns/packet")
		})
	}
}

// BenchmarkDevice has a kernel's server write to a client behind a TUN device, and
// take its ACK: ns/op is the whole way, on one processor.
func BenchmarkDevice(b *testing.B) {
	device, index := openTUN(b)
	p := load(b, 1)
	if err := p.Attach(index); err != nil {
		b.Fatal(err)
	}
	conn, r := connect(b, device, false)
	frame := text(1, 167)
	set(b, p, 0, fast.Message{Frame: frame, Room: 1, Number: 1, Sent: order.Now()})
	p.Records()[0] = r
	for b.Loop() {
		p.Records()[0].Received = 0
		if _, err := conn.Write(frame); err != nil {
			b.Fatal(err)
		}
	}
	awaitACK(b, conn)
	if n := p.Counts(0).Received; n != uint64(b.N) {
		b.Errorf("%d of %d packets were taken", n, b.N)
	}
}

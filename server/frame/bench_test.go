package frame_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
)

// zeroMask is a mask whose frames may be decoded in place again and again. It
// costs what any mask costs.
var zeroMask [4]byte

// fragmented is a message of n bytes in four frames.
func fragmented(n int) (b []byte) {
	part := []byte(strings.Repeat("x", n/4))
	for _, first := range [4]byte{0x01, 0x00, 0x00, 0x80} { // RFC 6455 §5.4
		start := len(b)
		b = frame.AppendMasked(b, ws.OpText, zeroMask, part)
		b[start] = first
	}
	return b
}

// From the bytes of a read, or of two, to a message.
func BenchmarkDecode(b *testing.B) {
	server, client := &frame.Config{}, &frame.Config{Client: true}
	inflating := &frame.Config{Client: true, Deflate: true}
	payload := []byte(strings.Repeat("x", 1<<20))
	masked := func(n int) []byte { return frame.AppendMasked(nil, ws.OpText, zeroMask, payload[:n]) }
	benchmarks := []struct {
		name  string
		cfg   *frame.Config
		reads [][]byte
	}{
		{"masked-16B", server, [][]byte{masked(16)}},
		{"masked-128B", server, [][]byte{masked(128)}},
		{"masked-16KiB", server, [][]byte{masked(16 << 10)}},
		{"masked-1MiB", server, [][]byte{masked(1 << 20)}},
		{"unmasked-128B", client, [][]byte{frame.Append(nil, ws.OpText, payload[:128])}},
		{"fragmented-128B", server, [][]byte{fragmented(128)}},
		{"fragmented-16KiB", server, [][]byte{fragmented(16 << 10)}},
		{"cut-in-header-128B", server, [][]byte{masked(128)[:1], masked(128)[1:]}},
		{"cut-in-payload-128B", server, [][]byte{masked(128)[:64], masked(128)[64:]}},
		{"deflated-136B", inflating, [][]byte{deflate(b, ws.OpText, []byte(text(136)))}},
		{"ping-16B", server, [][]byte{frame.AppendMasked(nil, ws.OpPing, zeroMask, payload[:16])}},
	}
	for _, bm := range benchmarks {
		b.Run(bm.name, func(b *testing.B) {
			var d frame.Decoder
			size := 0
			for _, data := range bm.reads {
				size += len(data)
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				var ok bool
				var err error
				for _, data := range bm.reads {
					_, ok, err = d.Next(bm.cfg, &data)
				}
				if !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

// From a payload to a frame, into a buffer that has room.
func BenchmarkBuild(b *testing.B) {
	buf := make([]byte, 32<<10)
	dst := buf[:0]
	unmasked := func(payload []byte) { frame.Append(dst, ws.OpText, payload) }
	masked := func(payload []byte) { frame.AppendMasked(dst, ws.OpText, rfcMask, payload) }
	header := func(payload []byte) { frame.PutHeader(buf, ws.OpText, len(payload)) }
	var z frame.Deflater
	deflated := func(payload []byte) {
		if _, err := z.Append(dst, ws.OpText, payload); err != nil {
			b.Fatal(err)
		}
	}
	benchmarks := []struct {
		name  string
		size  int
		build func(payload []byte)
	}{
		{"unmasked-128B", 128, unmasked},
		{"unmasked-16KiB", 16 << 10, unmasked},
		{"masked-128B", 128, masked},
		{"masked-16KiB", 16 << 10, masked},
		{"header-128B", 128, header},
		{"deflated-136B", 136, deflated},
	}
	for _, bm := range benchmarks {
		b.Run(bm.name, func(b *testing.B) {
			payload := []byte(text(bm.size))
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				bm.build(payload)
			}
		})
	}
}

// A block that brings its codes and nothing else is the most expensive per byte.
func BenchmarkInflateBlocks(b *testing.B) {
	const blocks = 1000
	message := masked(0xc1, emptyBlocks(blocks))
	b.ReportAllocs()
	for b.Loop() {
		var d frame.Decoder
		data := bytes.Clone(message)
		if f, ok, err := d.Next(&frame.Config{Deflate: true}, &data); !ok || err != nil || len(f.Payload) > 0 {
			b.Fatal(f, ok, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/blocks, "ns/block")
	b.ReportMetric(float64(len(message))/blocks, "bytes/block")
}

package frame_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
)

// compressed is payload by compress/flate, as from a client that keeps no
// context; end is (*flate.Writer).Flush or Close.
func compressed(tb testing.TB, payload string, level int, end func(*flate.Writer) error) string {
	tb.Helper()
	var b strings.Builder
	w, err := flate.NewWriter(&b, level)
	if err == nil {
		_, err = io.WriteString(w, payload)
	}
	if err == nil {
		err = end(w)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

// flushed is what a client sends for payload: the tail taken off (RFC 7692 §7.2.1).
func flushed(tb testing.TB, payload string, level int) string {
	tb.Helper()
	return strings.TrimSuffix(compressed(tb, payload, level, (*flate.Writer).Flush), "\x00\x00\xff\xff")
}

// messages is n bytes of JSON with as much variety as a chat has.
func messages(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, `["1","%d","room:%d","new_msg",{"body":"n° %d"}]`, i, i*i%97, i*i)
	}
	return strings.ToValidUTF8(b.String()[:n], "?")
}

// noise is n bytes that nothing compresses.
func noise(n int) string {
	r := rand.New(rand.NewPCG(7, 692))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

func TestAutobahnDeflate(t *testing.T) {
	if testing.Short() {
		t.Skip("slow in race builds, and nothing runs beside it")
	}
	levels := []int{flate.HuffmanOnly, flate.NoCompression, flate.BestSpeed, flate.DefaultCompression, flate.BestCompression}
	cfg := &frame.Config{Deflate: true}
	const unfragmented = 1 << 20
	for i, tt := range []struct{ size, fragment int }{
		{0, unfragmented}, {16, unfragmented}, {64, unfragmented}, {256, unfragmented}, {1024, unfragmented}, {4096, unfragmented},
		{8192, unfragmented}, {16384, unfragmented}, {32768, unfragmented}, {65536, unfragmented}, {131072, unfragmented},
		{8192, 256}, {16384, 256}, {32768, 256}, {65536, 256}, {131072, 256}, {131072, 1024}, {131072, 4096}, {131072, 32768},
	} {
		t.Run(fmt.Sprintf("%d bytes in fragments of %d", tt.size, tt.fragment), func(t *testing.T) {
			var frames [][]byte
			var want []string
			twice := strings.Repeat(noise(tt.size/2), 2) // refers back as far as half its size
			for j, payload := range []string{messages(tt.size), noise(tt.size), octets(tt.size), twice} {
				level := levels[(i+j)%len(levels)]
				frames = append(frames, fragments(0x42, flushed(t, payload, level), tt.fragment)...)
				want = append(want, fmt.Sprintf("binary %q", payload))
			}
			// What was negotiated need not be used (RFC 7692 §6).
			frames = append(frames, fragments(0x01, messages(tt.size), tt.fragment)...)
			frames = append(frames, fragments(0x41, flushed(t, messages(tt.size), flate.BestSpeed), tt.fragment)...)
			line := fmt.Sprintf("text %q", messages(tt.size))
			want = append(want, line, line)

			data := join(frames...)
			for _, chop := range []int{len(data), 997} {
				got := received(t, echo(t, cfg, slices.Collect(slices.Chunk(data, chop))...))
				if !slices.Equal(got, want) {
					t.Fatalf("echo of chops of %d = %s, want %s", chop, short(got), short(want))
				}
			}
		})
	}
}

func TestAutobahnDeflateBlocks(t *testing.T) {
	const (
		empty   = "\x00\x00\x00\xff\xff"                         // stored block of no bytes
		stored  = "\x00\x05\x00\xfa\xffHello"                    // BTYPE 00
		fixed   = "\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff" // BTYPE 01, flushed
		final   = "\xf3\x48\xcd\xc9\xc9\x07\x00"                 // BTYPE 01, BFINAL
		storedF = "\x01\x05\x00\xfa\xffHello"                    // BTYPE 00, BFINAL
		end     = "\x00"                                         // of a message that ends with a final or a stored block
	)
	dynamic := flushed(t, messages(2000), flate.BestCompression) // ends a message
	if got := dynamic[0] >> 1 & 3; got != 2 {
		t.Fatalf("BTYPE of the dynamic block is %d, want 2", got)
	}
	tests := []struct {
		name, payload, want string
	}{
		{"stored", stored + end, "Hello"},
		{"stored, final", storedF + end, "Hello"},
		{"fixed", fixed[:7], "Hello"},
		{"fixed, final", final + end, "Hello"},
		{"dynamic", dynamic, messages(2000)},
		{"one of each", stored + fixed + dynamic, "HelloHello" + messages(2000)},
		{"empty blocks among them", empty + stored + empty + empty + fixed + empty + end, "HelloHello"},
		{"three streams", final + storedF + dynamic, "HelloHello" + messages(2000)},
		{"stream after a block", stored + final + stored + end, "HelloHelloHello"},
		{"forty streams", strings.Repeat(final, 40) + end, strings.Repeat("Hello", 40)},
		{"empty message, stored", end, ""},
		{"empty message, fixed", "\x02\x00", ""}, // the flush begins in the second byte
		{"empty message, final", "\x03\x00" + end, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := &frame.Config{Deflate: true}
			want := fmt.Sprintf("text %q", tt.want)
			checkEcho(t, cfg, [][]byte{masked(0xc1, tt.payload)}, want)
			checkEcho(t, cfg, fragments(0x41, tt.payload, 1), want)
			checkEcho(t, cfg, [][]byte{masked(0x41, ""), masked(0x89, ""), masked(0x00, tt.payload), masked(0x80, "")}, `pong ""; `+want)
		})
	}
}

// A window is that of one message, and of one stream in it: nothing refers back
// into what came before.
func TestAutobahnDeflateNoContext(t *testing.T) {
	const (
		first = "\xf2\x48\xcd\xc9\xc9\x07\x00" // Hello
		back  = "\xf2\x00\x11\x00\x00"         // the same, referring to it
		ended = "\xf3\x48\xcd\xc9\xc9\x07\x00" // Hello in a final block
	)
	cfg := &frame.Config{Deflate: true}
	checkEcho(t, cfg, [][]byte{masked(0xc1, first+"\x00\x00\xff\xff"+back)}, `text "HelloHello"`)
	checkEcho(t, cfg, [][]byte{masked(0xc1, first), masked(0xc1, back)}, `text "Hello"; Close 1007 ""`)
	checkEcho(t, cfg, [][]byte{masked(0xc1, ended+back)}, `Close 1007 ""`)
}

// A bomb costs what its limit allows, in one frame, in fragments, in streams.
func TestAutobahnDeflateBomb(t *testing.T) {
	const limit = 200_000
	zeros := flushed(t, strings.Repeat("\x00", 5<<20), flate.BestCompression)
	stream := compressed(t, strings.Repeat("\x00", 10_000), flate.BestCompression, (*flate.Writer).Close)
	cfg := &frame.Config{Deflate: true, MaxMessage: limit, MaxInflateRatio: 1032}
	for _, tt := range []struct {
		name   string
		frames [][]byte
	}{
		{"one frame", [][]byte{masked(0xc2, zeros)}},
		{"fragments", fragments(0x42, zeros, 1000)},
		{"streams", [][]byte{masked(0xc2, strings.Repeat(stream, limit/len(stream)))}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out []byte
			data := join(tt.frames...)
			cost := allocated(func() { out = echo(t, cfg, data) })
			if got := received(t, out); len(got) != 1 || got[0] != `Close 1009 ""` {
				t.Errorf("echo = %s, want Close 1009", short(got))
			}
			if cost > 10*limit {
				t.Errorf("%d bytes allocated %d, limit %d", len(data), cost, limit)
			}
		})
	}
}

// What a Deflater makes, gobwas/ws and compress/flate can read.
func TestAutobahnDeflater(t *testing.T) {
	for _, n := range []int{0, 1, 16, 125, 126, 1024, 65535, 65536, 131072} {
		for _, payload := range []string{text(n), noise(n)} {
			h, body := readFrame(t, bytes.NewReader(deflate(t, ws.OpBinary, []byte(payload))))
			if !h.Fin || h.Rsv != 4 || h.Masked || h.OpCode != ws.OpBinary {
				t.Errorf("header of %d bytes compressed is %+v", n, h)
			}
			// The tail, then the end of the stream (RFC 7692 §7.2.2).
			got, err := io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(body), strings.NewReader("\x00\x00\xff\xff\x03\x00"))))
			if err != nil || string(got) != payload {
				t.Errorf("inflated %d bytes to %d: %v", n, len(got), err)
			}
		}
	}
}

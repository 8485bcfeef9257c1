package frame_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
)

func TestDecodeRFC7692Examples(t *testing.T) { // §7.2.3
	const corrupt = "close 1007: compressed message is corrupt"
	tests := []struct {
		name, hex, want string
	}{
		{"one block", "c1 07 f2 48 cd c9 c9 07 00", `text "Hello"`},
		{"two fragments", "41 03 f2 48 cd 80 04 c9 c9 07 00", `text "Hello"`},
		// It refers to the message before it, which is context takeover.
		{"shared window", "c1 07 f2 48 cd c9 c9 07 00 c1 05 f2 00 11 00 00", `text "Hello"; ` + corrupt},
		{"no compression", "c1 0b 00 05 00 fa ff 48 65 6c 6c 6f 00", `text "Hello"`},
		{"BFINAL", "c1 08 f3 48 cd c9 c9 07 00 00", `text "Hello"`},
		{"two blocks", "c1 0d f2 48 05 00 00 00 ff ff ca c9 c9 07 00", `text "Hello"`},
		{"empty message", "c1 01 00", `text ""`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := &frame.Config{Client: true, Deflate: true}
			checkDecode(t, cfg, fromHex(tt.hex), strings.Split(tt.want, "; ")...)
		})
	}
}

func TestDecodeCompressed(t *testing.T) {
	const (
		corrupt = "close 1007: compressed message is corrupt"
		badText = "close 1007: text is not UTF-8"
	)
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"masked", masked(0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00"), `text "Hello"`},
		{"plain beside it", masked(0x81, "plain"), `text "plain"`},
		{"plain fragments after it", join(masked(0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00"), masked(0x01, "a"), masked(0x80, "b")),
			`text "Hello"; text "ab"`},
		{"ping inside", join(masked(0x41, "\xf2\x48\xcd"), masked(0x89, "p"), masked(0x80, "\xc9\xc9\x07\x00")), `ping "p"; text "Hello"`},
		{"stream after a final block", masked(0xc1, "\x01\x01\x00\xfe\xffa\x00\x01\x00\xfe\xffb\x00"), `text "ab"`},
		{"text not UTF-8", masked(0xc1, "\x00\x01\x00\xfe\xff\xff\x00"), badText},
		{"text not UTF-8, fragments", join(masked(0x41, "\x00\x01\x00\xfe\xff"), masked(0x80, "\xff\x00")), badText},
		{"binary", masked(0xc2, "\x00\x01\x00\xfe\xff\xff\x00"), `binary "\xff"`},
		{"compressed bytes are not text", join(masked(0x41, "\xf2\x48\xcd"), masked(0x00, "\xc9"), masked(0x80, "\xc9\x07\x00")), `text "Hello"`},
		{"block type 3", masked(0xc1, "\x06"), corrupt},
		{"no bytes", masked(0xc1, ""), corrupt},
		{"cut block", masked(0xc1, "\x00\x05\x00\xfa\xffHel"), corrupt},
		{"garbage after a final block", masked(0xc1, "\x03\x00\xff"), corrupt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkDecode(t, &frame.Config{Deflate: true}, tt.data, strings.Split(tt.want, "; ")...)
		})
	}
}

func TestDecodeInflateLimits(t *testing.T) {
	const far = "websocket: close 1009: message inflates too far"
	zeros := func(n int) []byte { return deflate(t, ws.OpBinary, make([]byte, n)) }
	tests := []struct {
		name string
		cfg  frame.Config
		data []byte
		fits bool
	}{
		{"64 KiB at any ratio", frame.Config{MaxInflateRatio: 1}, zeros(64 << 10), true},
		{"beyond the ratio", frame.Config{MaxInflateRatio: 10}, zeros(128 << 10), false},
		{"default ratio", frame.Config{}, zeros(1 << 20), false},
		{"no guard", frame.Config{MaxInflateRatio: math.MaxInt}, zeros(1 << 20), true},
		{"default message", frame.Config{MaxInflateRatio: 1032}, zeros(8_000_000), true},
		{"over the default message", frame.Config{MaxInflateRatio: 1032}, zeros(8_000_001), false},
		{"message", frame.Config{MaxMessage: 1000}, zeros(1000), true},
		{"over the message", frame.Config{MaxMessage: 999}, zeros(1000), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Client, tt.cfg.Deflate = true, true
			size := len(tt.data)
			var d frame.Decoder
			f, ok, err := d.Next(&tt.cfg, &tt.data)
			if ok != tt.fits || !ok && (err == nil || err.Error() != far) {
				t.Errorf("Next(%d compressed bytes) = %d bytes, %v, %v, want it to fit: %v", size, len(f.Payload), ok, err, tt.fits)
			}
		})
	}
}

// deflate compresses one message with a Deflater of its own.
func deflate(tb testing.TB, op ws.OpCode, payload []byte) []byte {
	tb.Helper()
	var z frame.Deflater
	b, err := z.Append(nil, op, payload)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestDeflater(t *testing.T) {
	var z frame.Deflater
	for _, n := range []int{0, 1, 100, 1000, 100_000} {
		payload := text(n)
		got, err := z.Append([]byte("dst"), ws.OpText, []byte(payload))
		if err != nil {
			t.Fatalf("Append(%d bytes): %v", n, err)
		}
		if string(got[:3]) != "dst" || got[3] != 0xc1 {
			t.Errorf("Append(%d bytes) starts with %x, want dst and RSV1 text", n, got[:4])
		}
		if n >= 1000 && len(got) > n/2 {
			t.Errorf("Append(%d bytes) has %d bytes", n, len(got))
		}
		cfg := &frame.Config{Client: true, Deflate: true, MaxInflateRatio: 1032}
		want := fmt.Sprintf("text %q", payload)
		if log := decode(t, cfg, got[3:]); len(log) != 1 || log[0] != want {
			t.Errorf("Decode(Append(%d bytes)) = %s", n, short(log))
		}
	}
}

// text is n bytes of JSON's kind of repetition.
func text(n int) string {
	return strings.Repeat(`["1","2","room:42","new_msg",{"body":"hi"}]`, n/43+1)[:n]
}

// No context takeover: a message has the same bytes whatever came before it.
func TestDeflaterForgets(t *testing.T) {
	var z frame.Deflater
	payload := []byte(text(500))
	want := deflate(t, ws.OpText, payload)
	for range 3 {
		got, err := z.Append(nil, ws.OpText, payload)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("Append(%q) = %x, %v, want %x", payload, got, err, want)
		}
	}
}

func TestDeflaterLevel(t *testing.T) {
	best := frame.Deflater{Level: 9}
	payload := []byte(text(10_000))
	got, err := best.Append(nil, ws.OpText, payload)
	if fast := deflate(t, ws.OpText, payload); err != nil || len(got) >= len(fast) {
		t.Errorf("level 9 has %d bytes (%v), level 1 has %d", len(got), err, len(fast))
	}
	wrong := frame.Deflater{Level: 42}
	if got, err := wrong.Append([]byte("dst"), ws.OpText, payload); err == nil || string(got) != "dst" {
		t.Errorf("Append at level 42 = %q, %v, want dst and an error", got, err)
	}
}

func TestDeflateConcurrently(t *testing.T) {
	var z frame.Deflater
	cfg := &frame.Config{Client: true, Deflate: true}
	var wg sync.WaitGroup
	for i := range 8 {
		payload := text(100 * i)
		wg.Go(func() {
			for range 20 {
				b, err := z.Append(nil, ws.OpText, []byte(payload))
				if err != nil {
					t.Error(err)
				}
				want := fmt.Sprintf("text %q", payload)
				if got := decode(t, cfg, b); len(got) != 1 || got[0] != want {
					t.Errorf("Decode(Append(%q)) = %q", payload, got)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzDeflate(f *testing.F) {
	var z frame.Deflater
	f.Fuzz(func(t *testing.T, payload []byte, cut uint16) {
		b, err := z.Append(nil, ws.OpBinary, payload)
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("binary %q", payload)
		cfg := &frame.Config{Client: true, Deflate: true, MaxInflateRatio: 1032}
		i := min(int(cut), len(b))
		if got := decode(t, cfg, b[:i], b[i:]); len(got) != 1 || got[0] != want {
			t.Errorf("Decode(Deflate(%q)) cut at %d = %q", payload, i, got)
		}
	})
}

// Any bytes as a compressed message: what compress/flate makes of them, within
// the limit.
func FuzzInflate(f *testing.F) {
	f.Fuzz(func(t *testing.T, payload []byte) { checkInflate(t, payload) })
}

// checkInflate compares with a second decoder, which has compress/flate.
func checkInflate(t *testing.T, payload []byte) {
	t.Helper()
	cfg := &frame.Config{Client: true, Deflate: true, MaxMessage: 100_000, MaxBlocks: 1 << 30}
	b := frame.Append(nil, ws.OpBinary, payload)
	b[0] |= 0x40
	want := refDecode(cfg, b)
	if got := withoutReason(decode(t, cfg, b)); !slices.Equal(got, want) {
		t.Errorf("Decode(%x) = %s, want %s", payload, short(got), short(want))
	}
}

// Broken streams of every kind of block fail where compress/flate fails.
func TestInflateBroken(t *testing.T) {
	if testing.Short() {
		t.Skip("slow in race builds, and nothing runs beside it")
	}
	r := rand.New(rand.NewPCG(19, 51))
	var good [][]byte
	for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, flate.BestSpeed, flate.BestCompression} {
		for _, payload := range []string{messages(3000), noise(300), strings.Repeat("a", 1000), "a", octets(600)} {
			good = append(good, []byte(flushed(t, payload, level)),
				[]byte(compressed(t, payload, level, (*flate.Writer).Close)+flushed(t, payload, level)))
		}
	}
	for range 20_000 {
		payload := bytes.Clone(good[r.IntN(len(good))])
		for range r.IntN(4) {
			payload[r.IntN(min(len(payload), 1+r.IntN(200)))] ^= 1 << r.IntN(8)
		}
		checkInflate(t, payload[:len(payload)-r.IntN(2)*r.IntN(len(payload))])
	}
}

// A message is no more work than its bytes, in or out, account for (RFC 1951 lets
// blocks be empty).
func TestInflateBlocks(t *testing.T) {
	const limit = "close 1008: message has too many DEFLATE blocks"
	const (
		bytesPerBlock = 64
		stored        = "\x00\x00\x00\xff\xff"
		final         = "\x03\x00"
	)
	full := "\x00\x40\x00\xbf\xff" + strings.Repeat("x", bytesPerBlock)
	tests := []struct {
		name, payload string
		max           int
		want          string
	}{
		{"8 MB of empty final blocks", strings.Repeat(final, 4_000_000), 0, limit},
		{"8 MB of empty stored blocks", strings.Repeat(stored, 1_600_000), 0, limit},
		{"1,024 empty blocks", strings.Repeat(stored, 1024) + "\x00", 0, `text ""`},
		{"1,025 empty blocks", strings.Repeat(stored, 1025) + "\x00", 0, limit},
		{"ten empty blocks", strings.Repeat(final, 10) + "\x00", 10, `text ""`},
		{"eleven empty blocks", strings.Repeat(final, 11) + "\x00", 10, limit},
		{"20,000 blocks of 64 bytes", strings.Repeat(full, 20_000) + "\x00", 1, fmt.Sprintf("text %q", strings.Repeat("x", 20_000*bytesPerBlock))},
		{"twice as many blocks", strings.Repeat(full+stored, 1000) + "\x00", 10, limit},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := decode(t, &frame.Config{Deflate: true, MaxBlocks: tt.max}, masked(0xc1, tt.payload)); !slices.Equal(got, []string{tt.want}) {
				t.Errorf("Decode(%s) = %s, want %s", short(tt.payload), short(got), short(tt.want))
			}
		})
	}
}

// emptyBlocks is a message of n blocks that bring their codes and nothing else (RFC 1951
// §3.2.7): 92 bits each.
func emptyBlocks(n int) string {
	var b []byte
	used := 0
	put := func(value, bits int) { // its lowest bit first
		for i := range bits {
			if used++; used%8 == 1 {
				b = append(b, 0)
			}
			b[len(b)-1] |= byte(value >> i & 1 << ((used - 1) % 8))
		}
	}
	for range n {
		put(2<<1, 3)
		put(0, 5)  // 257 literals
		put(0, 5)  // one distance
		put(14, 4) // 18 lengths, of the codes 16, 17, 18, 0, 8 …, 14, 1
		for i := range 18 {
			put(map[int]int{2: 1, 3: 2, 17: 2}[i], 3)
		}
		put(0, 1) // 18: 138 times no code
		put(127, 7)
		put(0, 1) // 18: 118 times
		put(107, 7)
		put(3, 2) // 1: one bit for the end of the block
		put(1, 2) // 0: none for the distance
		put(0, 1) // the end
	}
	put(0, 3) // a stored block: the sender takes the rest of it off
	return string(b)
}

// A message of many blocks for its length is large, however short: on the budget it would
// count for no more than that.
func TestManyBlocksAreLarge(t *testing.T) {
	for _, tt := range []struct {
		blocks int
		large  bool
		want   string
	}{{4, false, ""}, {6, true, ""}, {1000, true, ""}, {1100, true, "message has too many DEFLATE blocks"}} {
		cfg := &frame.Config{Deflate: true, Inline: 64 << 10}
		payload, large, err := lastMessage(cfg, masked(0xc1, emptyBlocks(tt.blocks)))
		if (large != nil) != tt.large {
			t.Errorf("%d blocks: large is %v, want %v", tt.blocks, large != nil, tt.large)
		}
		if large != nil {
			payload, err = large.Finish(cfg)
		}
		if len(payload) > 0 || (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%d blocks: %q, %v, want %q", tt.blocks, payload, err, tt.want)
		}
	}
}

// A client may flush after every few bytes.
func TestInflateFlushedOften(t *testing.T) {
	if testing.Short() {
		t.Skip("slow in race builds, and nothing runs beside it")
	}
	const size, each = 1 << 20, 128
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	text := messages(size)
	for i := 0; i < size; i += each {
		if _, err := w.Write([]byte(text[i : i+each])); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	payload := strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
	want := fmt.Sprintf("binary %q", text)
	if got := decode(t, &frame.Config{Deflate: true}, masked(0xc2, payload)); !slices.Equal(got, []string{want}) {
		t.Errorf("a message flushed after every %d bytes = %s", each, short(got))
	}
}

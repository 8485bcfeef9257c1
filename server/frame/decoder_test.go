package frame_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
	"unsafe"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
)

func TestDecodeRFC6455Examples(t *testing.T) { // §5.7
	client := &frame.Config{Client: true}
	server := &frame.Config{}
	zeros256, zeros64K := make([]byte, 256), make([]byte, 65536)
	tests := []struct {
		name string
		cfg  *frame.Config
		data []byte
		want string
	}{
		{"unmasked text", client, fromHex("81 05 48 65 6c 6c 6f"), `text "Hello"`},
		{"masked text", server, fromHex("81 85 37 fa 21 3d 7f 9f 4d 51 58"), `text "Hello"`},
		{"fragmented text", client, fromHex("01 03 48 65 6c 80 02 6c 6f"), `text "Hello"`},
		{"unmasked ping", client, fromHex("89 05 48 65 6c 6c 6f"), `ping "Hello"`},
		{"masked pong", server, fromHex("8a 85 37 fa 21 3d 7f 9f 4d 51 58"), `pong "Hello"`},
		{"256 bytes", client, append(fromHex("82 7e 0100"), zeros256...), fmt.Sprintf("binary %q", zeros256)},
		{"64 KiB", client, append(fromHex("82 7f 0000000000010000"), zeros64K...), fmt.Sprintf("binary %q", zeros64K)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if testing.Short() && len(tt.data) > 1<<16 {
				t.Skip("slow in race builds, and nothing runs beside it")
			}
			checkDecode(t, tt.cfg, tt.data, tt.want)
		})
	}
}

func TestDecodeMessages(t *testing.T) {
	tests := []struct {
		name string
		data []byte
		want []string
	}{
		{"empty text", masked(0x81, ""), []string{`text ""`}},
		{"empty binary", masked(0x82, ""), []string{`binary ""`}},
		{"empty ping", masked(0x89, ""), []string{`ping ""`}},
		{"largest ping", masked(0x89, strings.Repeat("p", 125)), []string{fmt.Sprintf("ping %q", strings.Repeat("p", 125))}},
		{"several", join(masked(0x81, "a"), masked(0x82, "b"), masked(0x8a, "c")), []string{`text "a"`, `binary "b"`, `pong "c"`}},
		{"two-byte length", masked(0x81, strings.Repeat("x", 200)), []string{fmt.Sprintf("text %q", strings.Repeat("x", 200))}},
		{"fragments", join(masked(0x02, "a"), masked(0x00, "b"), masked(0x80, "c")), []string{`binary "abc"`}},
		{"empty fragments", join(masked(0x01, ""), masked(0x00, ""), masked(0x80, "")), []string{`text ""`}},
		{"control between fragments", // RFC 6455 §5.4
			join(masked(0x01, "a"), masked(0x89, "p"), masked(0x00, "b"), masked(0x8a, "q"), masked(0x80, "c")),
			[]string{`ping "p"`, `pong "q"`, `text "abc"`}},
		{"message after message",
			join(masked(0x01, "a"), masked(0x80, "b"), masked(0x02, "c"), masked(0x80, "d"), masked(0x81, "e")),
			[]string{`text "ab"`, `binary "cd"`, `text "e"`}},
		{"nothing after Close", join(masked(0x88, "\x03\xe8bye"), masked(0x81, "late")), []string{`Close "\x03\xe8bye"`}},
		{"Close inside a message", join(masked(0x01, "a"), masked(0x88, ""), masked(0x80, "b")), []string{`Close ""`}},
		{"nothing after an error", join(masked(0x80, ""), masked(0x81, "late")), []string{"close 1002: unexpected continuation data frame"}},
		{"frames before an error", join(masked(0x81, "a"), masked(0x83, "")), []string{`text "a"`, "close 1002: use of reserved op code"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkDecode(t, &frame.Config{}, tt.data, tt.want...) })
	}
}

func TestDecodeProtocolErrors(t *testing.T) {
	const (
		rsv         = "close 1002: non-zero rsv bits with no extension negotiated"
		reserved    = "close 1002: use of reserved op code"
		notMinimal  = "close 1002: payload length is not minimal"
		tooLongCtl  = "close 1002: control frame payload limit exceeded"
		notFinal    = "close 1002: control frame is not final"
		wantCont    = "close 1002: unexpected non-continuation data frame"
		strayCont   = "close 1002: unexpected continuation data frame"
		topBit      = "close 1002: payload length has its top bit set"
		needMask    = "close 1002: frames from client to server must be masked"
		needNoMask  = "close 1002: frames from server to client must be not masked"
		mask        = " 00 00 00 00 "
		sixteenZero = "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
	)
	var (
		plain   = &frame.Config{}
		deflate = &frame.Config{Deflate: true}
		client  = &frame.Config{Client: true}
	)
	tests := []struct {
		name string
		cfg  *frame.Config
		hex  string
		want string
	}{
		{"unmasked at server", plain, "81 01 61", needMask},
		{"unmasked ping at server", plain, "89 00", needMask},
		{"masked at client", client, "81 81" + mask + "61", needNoMask},
		{"RSV1 not negotiated", plain, "c1 80" + mask, rsv},
		{"RSV2", plain, "a1 80" + mask, rsv},
		{"RSV3", plain, "91 80" + mask, rsv},
		{"RSV2 beside deflate", deflate, "a1 80" + mask, rsv},
		{"RSV3 beside deflate", deflate, "91 80" + mask, rsv},
		{"RSV1 and RSV2", deflate, "e1 80" + mask, rsv},
		{"RSV1 on ping", deflate, "c9 80" + mask, rsv},
		{"RSV1 on Close", deflate, "c8 80" + mask, rsv},
		{"RSV1 on continuation", deflate, "41 80" + mask + "c0 80" + mask, rsv},
		{"opcode 3", plain, "83 80" + mask, reserved},
		{"opcode 7", plain, "87 80" + mask, reserved},
		{"opcode b", plain, "8b 80" + mask, reserved},
		{"opcode f", plain, "8f 80" + mask, reserved},
		{"compressed opcode 3", deflate, "c3 80" + mask, reserved},
		{"125 in two bytes", plain, "82 fe 00 7d" + mask, notMinimal},
		{"0 in eight bytes", plain, "82 ff 00 00 00 00 00 00 00 00" + mask, notMinimal},
		{"65535 in eight bytes", plain, "82 ff 00 00 00 00 00 00 ff ff" + mask, notMinimal},
		{"length of 64 bits", plain, "82 ff 80 00 00 00 00 00 00 00" + mask, topBit},
		{"ping of 126 bytes", plain, "89 fe 00 7e" + mask + sixteenZero, tooLongCtl},
		{"Close of 64 KiB", plain, "88 ff 00 00 00 00 00 01 00 00" + mask, tooLongCtl},
		{"fragmented ping", plain, "09 80" + mask, notFinal},
		{"continuation first", plain, "80 80" + mask, strayCont},
		{"unfinished continuation first", plain, "00 81" + mask + "61", strayCont},
		{"continuation after a message", plain, "01 80" + mask + "80 80" + mask + "80 80" + mask, `text ""; ` + strayCont},
		{"text inside a message", plain, "01 80" + mask + "81 80" + mask, wantCont},
		{"binary inside a message", plain, "01 80" + mask + "02 80" + mask, wantCont},
		{"compressed inside a message", deflate, "01 80" + mask + "c1 80" + mask, wantCont},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkDecode(t, tt.cfg, fromHex(tt.hex), strings.Split(tt.want, "; ")...)
		})
	}
}

func TestDecodeLimits(t *testing.T) {
	const (
		bigFrame   = "close 1009: frame too large"
		bigMessage = "close 1009: message too large"
	)
	text := func(n int) string { return strings.Repeat("x", n) }
	logged := func(n int) string { return fmt.Sprintf("text %q", text(n)) }
	tests := []struct {
		name string
		cfg  frame.Config
		data []byte
		want string
	}{
		{"frame at the limit", frame.Config{MaxFrame: 36}, masked(0x81, text(30)), logged(30)},
		{"frame over the limit", frame.Config{MaxFrame: 35}, masked(0x81, text(30)), bigFrame},
		{"only its header", frame.Config{MaxFrame: 35}, masked(0x81, text(30))[:6], bigFrame},
		{"control frame over the limit", frame.Config{MaxFrame: 35}, masked(0x89, text(30)), bigFrame},
		{"default frame", frame.Config{}, fromHex("82 ff 00000000 00989673 00000000"), bigFrame},     // 9,999,987 + 14
		{"default frame fits", frame.Config{}, fromHex("82 ff 00000000 00989672 00000000"), ""},      // 9,999,986 + 14
		{"2^63-1", frame.Config{}, fromHex("82 ff 7fffffffffffffff 00000000"), bigFrame},             // no overflow
		{"default message", frame.Config{}, fromHex("02 ff 00000000 007a1201 00000000"), bigMessage}, // 8,000,001
		{"default message fits", frame.Config{}, fromHex("02 ff 00000000 007a1200 00000000"), ""},    // 8,000,000
		{"default compressed", frame.Config{Deflate: true}, fromHex("c2 ff 00000000 007a1201 00000000"), bigMessage},
		{"message at the limit", frame.Config{MaxMessage: 20}, join(masked(0x01, text(10)), masked(0x80, text(10))), logged(20)},
		{"message over the limit", frame.Config{MaxMessage: 19}, join(masked(0x01, text(10)), masked(0x80, text(10))[:6]), bigMessage},
		{"one frame over the limit", frame.Config{MaxMessage: 19}, masked(0x81, text(20)), bigMessage},
		{"control frames do not count", frame.Config{MaxMessage: 2},
			join(masked(0x01, "a"), masked(0x89, ""), masked(0x80, "b")), `ping ""; text "ab"`},
		{"larger than the default", frame.Config{MaxMessage: 16 << 20, MaxFrame: 17 << 20}, fromHex("02 ff 00000000 01000000 00000000"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var want []string
			if tt.want != "" {
				want = strings.Split(tt.want, "; ")
			}
			checkDecode(t, &tt.cfg, tt.data, want...)
		})
	}
}

// Frames without bytes do not go on for ever, between the first and the last of a
// message.
func TestDecodeFragmentLimit(t *testing.T) {
	const tooMany = "close 1008: message in too many frames"
	first, last := masked(0x01, ""), masked(0x80, "")
	empty, ping := masked(0x00, ""), masked(0x8a, "")
	byteByByte := join(fragments(0x01, text(8000), 1)...)
	carrying := join(fragments(0x01, text(400_000), 16)...) // 25,000
	tests := []struct {
		name string
		max  int
		data []byte
		want string
	}{
		{"8,192 frames", 0, join(first, bytes.Repeat(empty, 8190), last), `text ""`},
		{"8,193 frames", 0, join(first, bytes.Repeat(empty, 8191), last), tooMany},
		{"endless frames", 0, join(first, bytes.Repeat(empty, 100_000)), tooMany},
		{"8,000 bytes one by one", 0, byteByByte, fmt.Sprintf("text %q", text(8000))},
		{"16 bytes each", 2, carrying, fmt.Sprintf("text %q", text(400_000))},
		{"three frames", 3, join(first, empty, last), `text ""`},
		{"four frames", 3, join(first, empty, empty, last), tooMany},
		{"control frames count", 3, join(first, ping, ping, last), `pong ""; pong ""; ` + tooMany},
		{"each message has its own", 3, join(first, empty, last, ping, ping, first, empty, last), `text ""; pong ""; pong ""; text ""`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := strings.Split(tt.want, "; ")
			if got := decode(t, &frame.Config{MaxFragments: tt.max}, tt.data); !slices.Equal(got, want) {
				t.Errorf("Decode(%s) = %s, want %s", short(tt.data), short(got), short(want))
			}
		})
	}
}

func TestDecodeUTF8(t *testing.T) {
	const bad = "close 1007: text is not UTF-8"
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"characters of one to four bytes", masked(0x81, "aé€😀"), `text "aé€😀"`},
		{"replacement character", masked(0x81, "\ufffd"), fmt.Sprintf("text %q", "\ufffd")},
		{"ff fe", masked(0x81, "\xff\xfe"), bad},
		{"cut character", masked(0x81, "a\xe2\x82"), bad},
		{"overlong", masked(0x81, "\xc0\xaf"), bad},
		{"surrogate", masked(0x81, "\xed\xa0\x80"), bad},
		{"above U+10FFFF", masked(0x81, "\xf4\x90\x80\x80"), bad},
		{"binary is not text", masked(0x82, "\xff"), `binary "\xff"`},
		{"a ping is not text", masked(0x89, "\xff"), `ping "\xff"`},
		{"cut between fragments", join(masked(0x01, "\xf0\x9f"), masked(0x00, "\x98"), masked(0x80, "\x80!")), `text "😀!"`},
		{"cut at the end of the message", join(masked(0x01, "a"), masked(0x80, "\xe2\x82")), bad},
		{"binary message after it", join(masked(0x02, "\xe2"), masked(0x80, ""), masked(0x81, "a")), `binary "\xe2"; text "a"`},
		// Fail fast: the rest of the message never comes.
		{"bad first fragment", masked(0x01, "\xff"), bad},
		{"bad across fragments", join(masked(0x01, "\xe2"), masked(0x00, "\x28")), bad},
		{"bad second byte across fragments", join(masked(0x01, "\xf4"), masked(0x00, "\x90")), bad},
		{"bad start of a frame", masked(0x81, "ok \xc1 then much more")[:10], bad},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkDecode(t, &frame.Config{}, tt.data, strings.Split(tt.want, "; ")...)
		})
	}
	t.Run("SkipUTF8", func(t *testing.T) {
		data := join(masked(0x81, "\xff"), masked(0x01, "\xfe"), masked(0x80, "\xe2"))
		checkDecode(t, &frame.Config{SkipUTF8: true}, data, `text "\xff"`, `text "\xfe\xe2"`)
	})
}

// The incremental check must agree with utf8.Valid on every text of a few
// telling bytes.
func TestDecodeUTF8Exhaustive(t *testing.T) {
	const alphabet = "a\x80\x8f\x90\x9f\xa0\xbf\xc1\xc2\xe0\xe2\xed\xf0\xf4\xf5"
	cfg := &frame.Config{}
	var text [4]byte
	for i := range len(alphabet) * len(alphabet) * len(alphabet) * len(alphabet) {
		for j, n := 0, i; j < len(text); j, n = j+1, n/len(alphabet) {
			text[j] = alphabet[n%len(alphabet)]
		}
		data := join(masked(0x01, string(text[:1])), masked(0x00, string(text[1:3])), masked(0x80, string(text[3:])))
		want := "close 1007: text is not UTF-8"
		if utf8.Valid(text[:]) {
			want = fmt.Sprintf("text %q", text)
		}
		if got := decode(t, cfg, data); len(got) != 1 || got[0] != want {
			t.Fatalf("Decode(fragments of %q) = %q, want %q", text, got, want)
		}
	}
}

// Random streams of every kind of frame, at random cuts.
func TestDecodeRandomSplits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	cfg := &frame.Config{}
	for range 200 {
		var data []byte
		for range 5 {
			data = append(data, randomMessage(r)...)
		}
		want := decode(t, cfg, data)
		var chunks [][]byte
		for rest := data; len(rest) > 0; {
			n := 1 + r.IntN(min(len(rest), 300))
			chunks = append(chunks, rest[:n])
			rest = rest[n:]
		}
		got := decode(t, cfg, chunks...)
		if strings.Join(got, "\n") != strings.Join(want, "\n") || len(want) < 5 {
			t.Fatalf("Decode(%x) in %d chunks = %q, want %q", data, len(chunks), got, want)
		}
	}
}

// randomMessage is a binary message in up to four fragments, some followed by
// a ping.
func randomMessage(r *rand.Rand) []byte {
	var b []byte
	last := r.IntN(4)
	for i := range last + 1 {
		first := byte(0)
		if i == 0 {
			first = 0x02
		}
		if i == last {
			first |= 0x80
		}
		b = append(b, masked(first, strings.Repeat(string(rune('a'+i)), r.IntN(400)))...)
		if r.IntN(3) == 0 {
			b = append(b, masked(0x89, "ping")...)
		}
	}
	return b
}

func ExampleDecoder() {
	var d frame.Decoder
	cfg := &frame.Config{Client: true}
	wire := frame.Append(nil, ws.OpText, []byte("one"))
	wire = frame.Append(wire, ws.OpText, []byte("two"))

	for _, data := range [][]byte{wire[:7], wire[7:]} { // as two reads may return it
		for {
			f, ok, err := d.Next(cfg, &data)
			if err != nil {
				fmt.Println(err)
				return
			}
			if !ok {
				break
			}
			fmt.Printf("%s\n", f.Payload)
		}
	}
	// Output:
	// one
	// two
}

func TestDecoderIsOneWord(t *testing.T) {
	if got, want := unsafe.Sizeof(frame.Decoder{}), unsafe.Sizeof(uintptr(0)); got != want {
		t.Errorf("Sizeof(Decoder{}) = %d, want %d", got, want)
	}
}

func TestDecoderRemembersOnlyWhatIsPending(t *testing.T) {
	steps := []struct {
		data []byte
		idle bool
	}{
		{masked(0x81, "whole"), true},
		{masked(0x81, "cut")[:1], false}, // in the header
		{masked(0x81, "cut")[1:7], false},
		{masked(0x81, "cut")[7:], true},
		{masked(0x89, "cut")[:3], false}, // a control frame whole after its header
		{masked(0x89, "cut")[3:], true},
		{masked(0x89, "cut")[:8], false}, // in its payload
		{masked(0x89, "cut")[8:], true},
		{masked(0x01, "a"), false},
		{masked(0x89, "inside"), false},
		{masked(0x89, "inside")[:9], false},
		{masked(0x89, "inside")[9:], false},
		{masked(0x80, "b"), true},
		{join(masked(0x81, "c"), masked(0x89, "d")), true},
	}
	var d frame.Decoder
	cfg := &frame.Config{}
	for i, step := range steps {
		for {
			_, ok, err := d.Next(cfg, &step.data)
			if err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
			if !ok {
				break
			}
		}
		if got := d.Idle(); got != step.idle {
			t.Errorf("step %d: idle = %v, want %v", i, got, step.idle)
		}
	}
}

// Every frame counts, whatever is in it.
func TestNextWithinABudget(t *testing.T) {
	tests := []struct {
		name string
		one  []byte
		per  int // frames returned for one
	}{
		{"messages", masked(0x81, "a"), 1},
		{"pings", masked(0x89, ""), 1},
		{"messages in three fragments", join(masked(0x01, "a"), masked(0x00, ""), masked(0x80, "")), 1},
		{"empty fragments", masked(0x00, ""), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d frame.Decoder
			if tt.per == 0 {
				open := masked(0x01, "")
				if _, _, err := d.Next(&frame.Config{}, &open); err != nil {
					t.Fatal(err)
				}
			}
			data := bytes.Repeat(tt.one, 100)
			for len(data) > 0 {
				before, budget, got := len(data), 30*frame.FrameCost, 0
				for {
					_, ok, err := d.NextWithin(&frame.Config{}, &data, &budget)
					if err != nil {
						t.Fatal(err)
					}
					if !ok {
						break
					}
					got++
				}
				frames := 30
				if len(tt.one) > 7 {
					frames = 10
				}
				if want := min(before, frames*len(tt.one)); before-len(data) != want || got != want/len(tt.one)*tt.per {
					t.Fatalf("30 frames are %d bytes and %d messages, want %d bytes", before-len(data), got, want)
				}
			}
		})
	}
}

// What counts of a message is what it has become, however little came: a hundred
// bytes may inflate to 60 KB. One that is more than what is left of the budget is for
// others to finish, unless it is short.
func TestNextWithinABudgetInflates(t *testing.T) {
	cfg := &frame.Config{Deflate: true, MaxInflateRatio: 1032}
	for _, tt := range []struct {
		size, budget int
		taken        int  // of 20 messages
		large        bool // the last of them
	}{
		{60_000, 64 << 10, 2, true},
		{10_000, 64 << 10, 7, false},
		{2000, 64 << 10, 20, false},
		{60_000, 8 << 10, 1, true},
		{16 << 10, 8 << 10, 1, false},
		{16<<10 + 1, 8 << 10, 1, true},
	} {
		one := masked(0xc1, flushed(t, strings.Repeat("a", tt.size), flate.BestCompression))
		data := bytes.Repeat(one, 20)
		var d frame.Decoder
		taken, large := 0, false
		for budget := tt.budget; ; taken++ {
			f, ok, err := d.NextWithin(cfg, &data, &budget)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			if large = f.Large; large { // nothing else is taken until then
				taken++
				break
			}
		}
		if left := 20*len(one) - taken*len(one); taken != tt.taken || large != tt.large || len(data) != left {
			t.Errorf("of messages of %d bytes that inflate to %d, within %d bytes: %d are taken, %d bytes left, the last is large: %v; want %d, %v",
				len(one), tt.size, tt.budget, taken, len(data), large, tt.taken, tt.large)
		}
	}
}

func TestNextLendsAndAdvances(t *testing.T) {
	second := masked(0x81, "two")
	data := join(masked(0x81, "one"), second)
	whole := data
	var d frame.Decoder
	f, ok, err := d.Next(&frame.Config{}, &data)
	if !ok || err != nil {
		t.Fatalf("Next = %v, %v, want a frame", ok, err)
	}
	if !bytes.Equal(data, second) {
		t.Errorf("after one frame data = %x, want %x", data, second)
	}
	if &f.Payload[0] != &whole[6] {
		t.Error("payload of a whole frame was copied")
	}
	if cap(f.Payload) != len(f.Payload) {
		t.Error("appending to the payload would overwrite the next frame")
	}
}

// A payload that was put together is the caller's: later frames leave it alone.
func TestAssembledPayloadIsNotReused(t *testing.T) {
	cfg := &frame.Config{}
	var d frame.Decoder
	next := func(data []byte) frame.Frame {
		t.Helper()
		f, _, err := d.Next(cfg, &data)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	next(masked(0x81, "first")[:8])
	f := next(masked(0x81, "first")[8:])
	next(masked(0x81, "other")[:8])
	next(masked(0x81, "other")[8:])
	if got := string(f.Payload); got != "first" {
		t.Errorf("payload became %q, want %q", got, "first")
	}
}

func TestMemoryFollowsWhatArrived(t *testing.T) {
	cfg := &frame.Config{}
	size := 9_000_000
	big := frame.AppendMasked(nil, ws.OpBinary, rfcMask, make([]byte, size))

	t.Run("claimed", func(t *testing.T) {
		var d frame.Decoder
		got := allocated(func() {
			data := big[:100]
			if _, ok, err := d.Next(cfg, &data); ok || err != nil {
				t.Errorf("Next = %v, %v, want neither", ok, err)
			}
		})
		if got > 10_000 {
			t.Errorf("100 bytes of a frame of %d allocated %d bytes", size, got)
		}
	})
	t.Run("amortised", func(t *testing.T) {
		var d frame.Decoder
		var whole bool
		got := allocated(func() {
			for rest := big; len(rest) > 0; {
				data := rest[:min(1000, len(rest))]
				rest = rest[len(data):]
				_, whole, _ = d.Next(cfg, &data)
			}
		})
		if !whole {
			t.Error("no frame at the end")
		}
		if got > 8*uint64(size) {
			t.Errorf("a frame of %d bytes in pieces allocated %d bytes", size, got)
		}
	})
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestDecodeWholeFramesAllocatesNothing(t *testing.T) {
	wire := join(masked(0x81, strings.Repeat("é", 64)), masked(0x89, "ping"), masked(0x82, "binary"))
	buf := make([]byte, len(wire))
	cfg := &frame.Config{}
	var d frame.Decoder
	got := testing.AllocsPerRun(100, func() {
		copy(buf, wire)
		data := buf
		for range 3 {
			if _, ok, err := d.Next(cfg, &data); !ok || err != nil {
				t.Fatalf("Next = %v, %v, want a frame", ok, err)
			}
		}
	})
	if got != 0 {
		t.Errorf("three whole frames: %v allocations, want 0", got)
	}
}

// Any bytes, cut anywhere, give what a second, simpler decoder makes of them.
func FuzzDecode(f *testing.F) {
	// One bit of options for each setting; cut says where to split.
	f.Fuzz(func(t *testing.T, data []byte, options byte, cut uint16) {
		cfg := &frame.Config{
			Client:   options&1 != 0,
			Deflate:  options&2 != 0,
			SkipUTF8: options&4 != 0,
		}
		if options&8 != 0 {
			cfg.MaxFrame, cfg.MaxMessage, cfg.MaxInflateRatio = 200, 300, 10
		}
		whole := decode(t, cfg, data)
		want := fmt.Sprintf("%q", whole)
		if got, want := withoutReason(whole), refDecode(cfg, data); !slices.Equal(got, want) {
			t.Errorf("Decode(%x) = %q, want %q", data, got, want)
		}
		pieces := slices.Collect(slices.Chunk(data, 1))
		if got := fmt.Sprintf("%q", decode(t, cfg, pieces...)); got != want {
			t.Errorf("Decode(%x) byte by byte = %s, want %s", data, got, want)
		}
		i := min(int(cut), len(data))
		if got := fmt.Sprintf("%q", decode(t, cfg, data[:i], data[i:])); got != want {
			t.Errorf("Decode(%x) cut at %d = %s, want %s", data, i, got, want)
		}
	})
}

// withoutReason cuts "close 1002: reason", which is always the last line.
func withoutReason(log []string) []string {
	log = slices.Clone(log)
	if n := len(log); n > 0 && strings.HasPrefix(log[n-1], "close ") {
		log[n-1], _, _ = strings.Cut(log[n-1], ":")
	}
	return log
}

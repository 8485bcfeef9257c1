package frame_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
)

// The cases of the Autobahn test suite (fuzzingclient), without a connection:
// an echo made of Decoder and builders answers, and gobwas/ws reads the answer.
// A case that another test has already is not repeated.
//
//	1.1, 1.2       framing            TestAutobahnFraming
//	2.1 - 2.11     pings and pongs    TestAutobahnPing, TestAutobahnLongControl
//	3.1 - 3.7      reserved bits      TestAutobahnReservedBits
//	4.1, 4.2       opcodes            TestAutobahnReservedOpcodes
//	5.1 - 5.20     fragmentation      TestAutobahnFragmentation
//	6.1, 6.2       valid text         TestAutobahnText
//	6.3, 6.4       fail fast          TestAutobahnUTF8
//	6.5 - 6.23     UTF-8 sequences    TestAutobahnUTF8, TestDecodeUTF8Exhaustive
//	7.1 - 7.5      close handshake    TestAutobahnClose, TestDecodeClosePayload
//	7.7 - 7.13     close codes        TestDecodeCloseCodes
//	8, 11          (the suite has none)
//	9.1, 9.2       large messages     TestAutobahnLarge, TestAutobahnOverTheLimit
//	9.3, 9.4       in fragments       TestAutobahnLargeInFragments
//	9.5, 9.6       in chops           TestAutobahnLargeInChops
//	9.7, 9.8       many messages      TestAutobahnMany
//	10.1           auto-fragment      TestAutobahnFraming
//	12.1 - 12.5    permessage-deflate TestAutobahnDeflate, TestAutobahnDeflateBlocks,
//	                                  TestAutobahnDeflater, TestDecodeInflateLimits
//	13.1 - 13.7    its parameters     (agreed on in package phx; a Decoder takes any
//	                                  window, and no context: TestAutobahnDeflateNoContext)

const hello = "Hello, world!"

// echo is what a server answers that sends messages and Close frames back.
func echo(tb testing.TB, cfg *frame.Config, chunks ...[]byte) []byte {
	tb.Helper()
	var (
		d     frame.Decoder
		out   []byte
		fault *frame.Error
	)
	for _, chunk := range chunks {
		data := slices.Clone(chunk) // Next overwrites it
		for {
			f, ok, err := d.Next(cfg, &data)
			if errors.As(err, &fault) {
				out = frame.AppendClose(out, fault.Code, "")
				continue
			}
			if !ok {
				break
			}
			switch f.Op {
			case ws.OpPong:
			case ws.OpPing:
				out = frame.Append(out, ws.OpPong, f.Payload)
			case ws.OpClose:
				code, reason := frame.ParseClose(f.Payload)
				out = frame.AppendClose(out, code, reason)
			default:
				out = frame.Append(out, f.Op, f.Payload)
			}
		}
	}
	return out
}

// received is the frames of a server, read by gobwas/ws and written down:
// `text "hi"`, `Close 1002 ""`. The code of an empty Close frame reads as 0.
func received(tb testing.TB, b []byte) []string {
	tb.Helper()
	var log []string
	for r := bytes.NewReader(b); r.Len() > 0; {
		h, payload := readFrame(tb, r)
		if err := ws.CheckHeader(h, ws.StateClientSide); err != nil {
			tb.Fatalf("the answer is no good after %s: %v", short(log), err)
		}
		if h.OpCode == ws.OpClose {
			code, reason := ws.ParseCloseFrameData(payload)
			log = append(log, fmt.Sprintf("Close %d %q", code, reason))
		} else {
			log = append(log, fmt.Sprintf("%s %q", opName(h.OpCode), payload))
		}
	}
	return log
}

// readFrame is gobwas/ws reading a frame without a mask.
func readFrame(tb testing.TB, r io.Reader) (ws.Header, []byte) {
	tb.Helper()
	h, err := ws.ReadHeader(r)
	payload := make([]byte, h.Length)
	if err == nil {
		_, err = io.ReadFull(r, payload)
	}
	if err != nil {
		tb.Fatalf("reading a frame: %v", err)
	}
	return h, payload
}

// checkEcho sends frames together, one by one, and in chops of many sizes. What
// comes back must be want each time: lines as of received, split by "; ".
func checkEcho(t *testing.T, cfg *frame.Config, frames [][]byte, want string) {
	t.Helper()
	check := func(how string, chunks ...[]byte) {
		t.Helper()
		if got := strings.Join(received(t, echo(t, cfg, chunks...)), "; "); got != want {
			t.Fatalf("echo of %s %s = %s, want %s", short(frames), how, short(got), short(want))
		}
	}
	data := join(frames...)
	check("in one chop", data)
	check("frame by frame", frames...)
	for _, size := range []int{1, 2, 3, 5, 7, 64, 997} {
		if size < len(data) {
			check(fmt.Sprintf("in chops of %d", size), slices.Collect(slices.Chunk(data, size))...)
		}
	}
}

// fragments is a message as masked frames with size bytes of payload each. The
// first byte is that of the first of them, without FIN.
func fragments(first byte, payload string, size int) [][]byte {
	var frames [][]byte
	for len(payload) > size {
		frames = append(frames, masked(first, payload[:size]))
		first, payload = 0, payload[size:]
	}
	return append(frames, masked(first|0x80, payload))
}

// octets is n bytes in which, as in text, a shift by a mask's length shows.
func octets(n int) string {
	unit := make([]byte, 251)
	for i := range unit {
		unit[i] = byte(i)
	}
	return strings.Repeat(string(unit), n/len(unit)+1)[:n]
}

func TestAutobahnFraming(t *testing.T) {
	if testing.Short() {
		t.Skip("slow in race builds, and nothing runs beside it")
	}
	for _, n := range []int{0, 1, 125, 126, 127, 128, 65535, 65536} {
		for _, fragment := range []int{1 << 20, 1300} { // 10.1.1
			checkEcho(t, &frame.Config{}, fragments(0x01, text(n), fragment), fmt.Sprintf("text %q", text(n)))
			checkEcho(t, &frame.Config{}, fragments(0x02, octets(n), fragment), fmt.Sprintf("binary %q", octets(n)))
		}
	}
}

func TestAutobahnPing(t *testing.T) {
	t.Run("2.1 to 2.6", func(t *testing.T) {
		for n := range 126 {
			payload := "\xff\x00\xfe" + octets(125)
			checkEcho(t, &frame.Config{}, [][]byte{masked(0x89, payload[:n])}, fmt.Sprintf("pong %q", payload[:n]))
		}
	})
	t.Run("2.7 to 2.9 unsolicited pongs", func(t *testing.T) {
		frames := [][]byte{masked(0x8a, ""), masked(0x8a, "unsolicited"), masked(0x89, "ping")}
		checkEcho(t, &frame.Config{}, frames, `pong "ping"`)
	})
	t.Run("2.10 and 2.11 ten pings", func(t *testing.T) {
		var frames [][]byte
		var want []string
		for i := range 10 {
			payload := fmt.Sprintf("payload-%d", i)
			frames = append(frames, masked(0x89, payload))
			want = append(want, fmt.Sprintf("pong %q", payload))
		}
		checkEcho(t, &frame.Config{}, frames, strings.Join(want, "; "))
	})
}

// 2.5: more than 125 bytes in a control frame; none of them need to arrive.
func TestAutobahnLongControl(t *testing.T) {
	for _, first := range []byte{0x88, 0x89, 0x8a} {
		for _, n := range []int{126, 127, 65535, 65536} {
			whole := masked(first, strings.Repeat("\xfe", n))
			header := whole[:frame.HeaderLen(n)+len(rfcMask)]
			for _, b := range [][]byte{whole, header} {
				checkEcho(t, &frame.Config{}, [][]byte{b, masked(0x89, "")}, `Close 1002 ""`)
			}
		}
	}
}

// 3.1 to 3.7, for every kind of frame, and beside permessage-deflate too, which
// gives a meaning to RSV1 on the first frame of a message only (RFC 7692 §6).
func TestAutobahnReservedBits(t *testing.T) {
	const want = `text "Hello, world!"; Close 1002 ""`
	for _, negotiated := range []bool{false, true} {
		cfg := &frame.Config{Deflate: negotiated}
		for rsv := byte(1); rsv <= 7; rsv++ {
			for _, first := range []byte{0x01, 0x02, 0x81, 0x82, 0x88, 0x89, 0x8a} {
				if negotiated && rsv == 4 && first&0x08 == 0 {
					continue // compressed
				}
				checkEcho(t, cfg, [][]byte{masked(0x81, hello), masked(first|rsv<<4, ""), masked(0x89, "")}, want)
			}
			for _, first := range []byte{0x00, 0x80, 0x89} { // inside a message
				checkEcho(t, cfg, [][]byte{masked(0x81, hello), masked(0x01, "a"), masked(first|rsv<<4, "b"), masked(0x80, "c")}, want)
			}
		}
	}
}

func TestAutobahnReservedOpcodes(t *testing.T) {
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		for _, payload := range []string{"", "reserved opcode payload"} {
			bad := masked(0x80|op, payload)
			checkEcho(t, &frame.Config{}, [][]byte{bad, masked(0x89, "")}, `Close 1002 ""`)
			checkEcho(t, &frame.Config{}, [][]byte{masked(0x81, hello), bad, masked(0x89, "")}, `text "Hello, world!"; Close 1002 ""`)
			checkEcho(t, &frame.Config{}, [][]byte{masked(0x01, "a"), bad, masked(0x80, "b")}, `Close 1002 ""`)
		}
		checkEcho(t, &frame.Config{}, [][]byte{masked(op, ""), masked(0x80, "")}, `Close 1002 ""`)
	}
}

func TestAutobahnFragmentation(t *testing.T) {
	const failed = `Close 1002 ""`
	tests := []struct {
		name   string
		frames [][]byte
		want   string
	}{
		{"5.1 ping in fragments", [][]byte{masked(0x09, "fragment1"), masked(0x80, "fragment2")}, failed},
		{"5.2 pong in fragments", [][]byte{masked(0x0a, "fragment1"), masked(0x80, "fragment2")}, failed},
		{"Close in fragments", [][]byte{masked(0x08, "\x03\xe8"), masked(0x80, "")}, failed},
		{"ping in fragments inside a message", [][]byte{masked(0x01, "a"), masked(0x09, ""), masked(0x80, "b")}, failed},
		{"5.3 to 5.5 text in two", [][]byte{masked(0x01, "fragment1"), masked(0x80, "fragment2")}, `text "fragment1fragment2"`},
		{"5.6 to 5.8 ping between", [][]byte{masked(0x01, "fragment1"), masked(0x89, "ping"), masked(0x80, "fragment2")}, `pong "ping"; text "fragment1fragment2"`},
		{"5.9 to 5.11 stray continuation", [][]byte{masked(0x80, "stray"), masked(0x81, hello)}, failed},
		{"5.12 to 5.14 stray, not final", [][]byte{masked(0x00, "stray"), masked(0x81, hello)}, failed},
		{"5.15 stray after a message", [][]byte{masked(0x01, "1"), masked(0x80, "2"), masked(0x00, "3"), masked(0x81, "4")}, `text "12"; ` + failed},
		{"5.16 stray, not final, before a message", [][]byte{
			masked(0x00, "1"), masked(0x01, "2"), masked(0x80, "3"),
			masked(0x00, "1"), masked(0x01, "2"), masked(0x80, "3")}, failed},
		{"5.17 stray before a message", [][]byte{
			masked(0x80, "1"), masked(0x01, "2"), masked(0x80, "3"),
			masked(0x80, "1"), masked(0x01, "2"), masked(0x80, "3")}, failed},
		{"5.18 text inside text", [][]byte{masked(0x01, "fragment1"), masked(0x81, "fragment2")}, failed},
		{"binary inside text", [][]byte{masked(0x01, "fragment1"), masked(0x82, "fragment2")}, failed},
		{"another message inside", [][]byte{masked(0x02, "fragment1"), masked(0x02, "fragment2")}, failed},
		{"stray after an unfragmented message", [][]byte{masked(0x81, "whole"), masked(0x80, "stray")}, `text "whole"; ` + failed},
		{"5.19 and 5.20 two pings among five", [][]byte{
			masked(0x01, "1"), masked(0x00, "2"), masked(0x89, "ping1"), masked(0x00, "3"),
			masked(0x00, "4"), masked(0x89, "ping2"), masked(0x80, "5")}, `pong "ping1"; pong "ping2"; text "12345"`},
		{"pongs and empty fragments", [][]byte{
			masked(0x02, ""), masked(0x8a, "pong"), masked(0x00, "1"), masked(0x8a, ""), masked(0x80, "")}, `binary "1"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkEcho(t, &frame.Config{}, tt.frames, tt.want) })
	}
}

func TestAutobahnClose(t *testing.T) {
	const bye, closed = "\x03\xe8", `Close 1000 ""`
	reason := strings.Repeat("*", 123)
	long := text(256 << 10)
	tests := []struct {
		name   string
		frames [][]byte
		want   string
	}{
		{"7.1.1 after a message", [][]byte{masked(0x81, hello), masked(0x88, bye)}, `text "Hello, world!"; ` + closed},
		{"7.1.2 twice", [][]byte{masked(0x88, bye), masked(0x88, "")}, closed},
		{"7.1.3 before a ping", [][]byte{masked(0x88, bye), masked(0x89, "")}, closed},
		{"7.1.4 before a message", [][]byte{masked(0x88, bye), masked(0x81, hello)}, closed},
		{"7.1.5 between fragments", [][]byte{masked(0x01, "fragment1"), masked(0x88, bye), masked(0x80, "fragment2")}, closed},
		{"7.1.6 after 256 KiB", [][]byte{masked(0x81, long), masked(0x81, hello), masked(0x88, bye), masked(0x89, "")},
			fmt.Sprintf("text %q; text %q; %s", long, hello, closed)},
		{"before a frame that is wrong", [][]byte{masked(0x88, bye), masked(0xff, "")}, closed},
		{"7.3.1 no code", [][]byte{masked(0x88, "")}, `Close 0 ""`},
		{"7.3.2 one byte", [][]byte{masked(0x88, "a")}, `Close 1002 ""`},
		{"7.3.3 code", [][]byte{masked(0x88, bye)}, closed},
		{"7.3.4 reason", [][]byte{masked(0x88, bye+hello)}, `Close 1000 "Hello, world!"`},
		{"7.3.5 longest reason", [][]byte{masked(0x88, bye+reason)}, fmt.Sprintf("Close 1000 %q", reason)},
		{"7.3.6 reason too long", [][]byte{masked(0x88, bye+reason+"*")}, `Close 1002 ""`},
		{"7.5.1 reason not UTF-8", [][]byte{masked(0x88, bye+kosme+"\xed\xa0\x80edited")}, `Close 1007 ""`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkEcho(t, &frame.Config{}, tt.frames, tt.want) })
	}
}

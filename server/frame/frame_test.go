package frame_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
)

// fromHex reads bytes written as hex with spaces for the reader.
func fromHex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// decode feeds chunks one after the other and writes down what comes out: a
// line per frame, `text "hi"`, and a line for the error, `close 1002: …`.
func decode(tb testing.TB, cfg *frame.Config, chunks ...[]byte) []string {
	tb.Helper()
	var d frame.Decoder
	var log []string
	for _, chunk := range chunks {
		data := slices.Clone(chunk) // Next overwrites it
		for {
			f, ok, err := d.Next(cfg, &data)
			if err != nil {
				var fault *frame.Error
				if !errors.As(err, &fault) {
					tb.Fatalf("Next error is %T, want *frame.Error", err)
				}
				if len(fault.Reason) > 123 {
					tb.Errorf("reason %q does not fit a Close frame", fault.Reason)
				}
				log = append(log, fmt.Sprintf("close %d: %s", fault.Code, fault.Reason))
			}
			if !ok && err == nil {
				break
			}
			if ok {
				log = append(log, fmt.Sprintf("%s %q", opName(f.Op), f.Payload))
			}
		}
		if len(data) > 0 {
			tb.Fatalf("Next left %d bytes without a frame", len(data))
		}
	}
	return log
}

func opName(op ws.OpCode) string {
	switch op {
	case ws.OpText:
		return "text"
	case ws.OpBinary:
		return "binary"
	case ws.OpClose:
		return "Close"
	case ws.OpPing:
		return "ping"
	case ws.OpPong:
		return "pong"
	}
	return fmt.Sprintf("opcode %#x", byte(op))
}

// checkDecode wants the same from data whole, byte by byte and at every cut.
func checkDecode(t *testing.T, cfg *frame.Config, data []byte, want ...string) {
	t.Helper()
	check := func(how string, chunks ...[]byte) {
		t.Helper()
		if got := decode(t, cfg, chunks...); !slices.Equal(got, want) {
			t.Fatalf("Decode(%s) %s = %s, want %s", short(data), how, short(got), short(want))
		}
	}
	check("whole", data)
	check("byte by byte", slices.Collect(slices.Chunk(data, 1))...)
	for i := range data {
		if i < 300 || i > len(data)-20 || i%20011 == 0 {
			check(fmt.Sprintf("cut at %d", i), data[:i], data[i:])
		}
	}
}

// short prints v in a length fit for a test log.
func short(v any) string {
	s := fmt.Sprintf("%q", v)
	if len(s) > 300 {
		return fmt.Sprintf("%s… (%d bytes)", s[:300], len(s))
	}
	return s
}

// rfcMask is the mask of the examples of RFC 6455 §5.7.
var rfcMask = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// masked is one masked frame with the first byte as given.
func masked(first byte, payload string) []byte {
	b := frame.AppendMasked(nil, 0, rfcMask, []byte(payload))
	b[0] = first
	return b
}

func join(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

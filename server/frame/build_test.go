package frame_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
)

// headers has the header, without a mask, around every change of its form.
var headers = []struct {
	n      int
	header string
}{
	{0, "82 00"},
	{1, "82 01"},
	{125, "82 7d"},
	{126, "82 7e 00 7e"},
	{256, "82 7e 01 00"},
	{65535, "82 7e ff ff"},
	{65536, "82 7f 00 00 00 00 00 01 00 00"},
}

func TestAppend(t *testing.T) {
	for _, tt := range headers {
		payload := bytes.Repeat([]byte{'x'}, tt.n)
		want := join([]byte("dst"), fromHex(tt.header), payload)
		if got := frame.Append([]byte("dst"), ws.OpBinary, payload); !bytes.Equal(got, want) {
			t.Errorf("Append(%d bytes) = %s, want %s", tt.n, short(got), short(want))
		}
	}
}

func TestPutHeader(t *testing.T) {
	for _, tt := range headers {
		want := fromHex(tt.header)
		if got := frame.HeaderLen(tt.n); got != len(want) {
			t.Errorf("HeaderLen(%d) = %d, want %d", tt.n, got, len(want))
		}
		dst := bytes.Repeat([]byte{'.'}, frame.MaxHeader+1)
		n := frame.PutHeader(dst, ws.OpBinary, tt.n)
		if !bytes.Equal(dst[:n], want) || dst[n] != '.' {
			t.Errorf("PutHeader(%d) = %d, %x, want %x", tt.n, n, dst, want)
		}
	}
}

// A payload encoded before its length is known gets its header in front.
func ExamplePutHeader() {
	buf := make([]byte, frame.MaxHeader, 64)
	buf = append(buf, "Hello"...)
	n := len(buf) - frame.MaxHeader
	start := frame.MaxHeader - frame.HeaderLen(n)
	frame.PutHeader(buf[start:], ws.OpText, n)
	fmt.Printf("% x\n", buf[start:])
	// Output: 81 05 48 65 6c 6c 6f
}

func TestAppendMasked(t *testing.T) {
	payload := []byte("Hello")
	want := fromHex("81 85 37 fa 21 3d 7f 9f 4d 51 58") // RFC 6455 §5.7
	if got := frame.AppendMasked([]byte("dst"), ws.OpText, rfcMask, payload); !bytes.Equal(got, join([]byte("dst"), want)) {
		t.Errorf("AppendMasked(%q) = %x, want %x", "Hello", got[3:], want)
	}
	if string(payload) != "Hello" {
		t.Errorf("AppendMasked changed its payload to %q", payload)
	}
	for _, tt := range headers {
		payload := bytes.Repeat([]byte{'x'}, tt.n)
		b := frame.AppendMasked(nil, ws.OpBinary, rfcMask, payload)
		want := fmt.Sprintf("binary %q", payload)
		if got := decode(t, &frame.Config{}, b); len(got) != 1 || got[0] != want {
			t.Errorf("Decode(AppendMasked(%d bytes)) = %s", tt.n, short(got))
		}
	}
}

func TestBuildersAllocateNothing(t *testing.T) {
	payload := make([]byte, 200)
	// Sized exactly, and not replaced by a larger one that Append returns.
	dst := make([]byte, frame.HeaderLen(len(payload))+len(payload))
	withMask := make([]byte, len(dst)+4)
	tests := []struct {
		name  string
		build func()
	}{
		{"Append", func() { frame.Append(dst[:0], ws.OpText, payload) }},
		{"AppendMasked", func() { frame.AppendMasked(withMask[:0], ws.OpText, rfcMask, payload) }},
		{"AppendClose", func() { frame.AppendClose(dst[:0], ws.StatusGoingAway, "bye") }},
		{"PutHeader", func() { frame.PutHeader(dst, ws.OpText, len(payload)) }},
	}
	for _, tt := range tests {
		if got := testing.AllocsPerRun(100, tt.build); got != 0 {
			t.Errorf("%s into a sized buffer: %v allocations, want 0", tt.name, got)
		}
	}
}

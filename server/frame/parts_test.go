package frame_test

import (
	"bytes"
	"testing"

	"github.com/roost-rt/roost/server/frame"
)

// Whatever the pieces that bytes come in, they are put together again, and what is
// held beyond them has a bound.
func TestParts(t *testing.T) {
	want := make([]byte, 300_000)
	for i := range want {
		want[i] = byte(i * i >> 8)
	}
	for _, size := range []int{1, 1000, 64 << 10, 64<<10 + 1, len(want)} {
		var p frame.Parts
		for at := 0; at < len(want); at += size {
			p.Add(want[at:min(at+size, len(want))])
			if n := p.Len(); p.Held() < n || p.Held() > 2*n || p.Held() > n+64<<10 {
				t.Fatalf("in steps of %d, %d bytes hold %d, want at most twice as many and 64 KiB more", size, n, p.Held())
			}
		}
		got := p.Join()
		if !bytes.Equal(got, want) || p.Len() != len(want) {
			t.Errorf("in steps of %d: %d bytes came back as %d, or others", size, len(want), len(got))
		}
		var next frame.Parts // has the pieces of the first again
		next.Add(make([]byte, len(want)))
		if !bytes.Equal(got, want) || !bytes.Equal(p.Join(), want) {
			t.Errorf("in steps of %d: what was put together is in a piece that others have", size)
		}
	}
}

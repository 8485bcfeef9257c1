package frame_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/frame"
)

// What is beyond Inline, before or after inflating, is left to Finish.
func TestLarge(t *testing.T) {
	long := messages(200_000)
	squeezed := flushed(t, strings.Repeat("a", 50_000), 9)
	tests := []struct {
		name    string
		frames  [][]byte
		payload string // or the error
		large   bool
	}{
		{"at the limit", [][]byte{masked(0x81, long[:1000])}, long[:1000], false},
		{"over the limit", [][]byte{masked(0x81, long[:1001])}, long[:1001], true},
		{"fragments at the limit", fragments(0x01, long[:1000], 100), long[:1000], false},
		{"fragments over the limit", fragments(0x01, long[:1001], 100), long[:1001], true},
		{"many parts", fragments(0x02, long, 30_000), long, true},
		{"compressed", fragments(0x41, flushed(t, long, 9), 1000), long, true},
		{"compressed in one", [][]byte{masked(0xc1, flushed(t, long, 9))}, long, true},
		{"grows when inflated", [][]byte{masked(0xc1, squeezed)}, strings.Repeat("a", 50_000), true},
		{"grows, in fragments", fragments(0x41, squeezed, 10), strings.Repeat("a", 50_000), true},
		{"compressed and small", [][]byte{masked(0xc1, flushed(t, long[:900], 9))}, long[:900], false},
		{"not UTF-8", [][]byte{masked(0x81, strings.Repeat("\xff", 2000))}, "websocket: close 1007: text is not UTF-8", true},
		{"not UTF-8 when inflated", [][]byte{masked(0xc1, flushed(t, strings.Repeat("\xff", 2000), 9))}, "websocket: close 1007: text is not UTF-8", true},
		{"inflates too far", [][]byte{masked(0xc1, flushed(t, strings.Repeat("a", 9_000_000), 9))}, "websocket: close 1009: message inflates too far", true},
		{"corrupt at once", [][]byte{masked(0xc1, "\xff")}, "websocket: close 1007: compressed message is corrupt", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := &frame.Config{Deflate: true, Inline: 1000}
			payload, large, err := lastMessage(cfg, slices.Clone(join(tt.frames...)))
			if (large != nil) != tt.large {
				t.Fatalf("large = %v, want %v (%v)", large != nil, tt.large, err)
			}
			if large != nil {
				payload, err = large.Finish(cfg)
			}
			got := string(payload)
			if err != nil {
				got = err.Error()
			}
			if got != tt.payload {
				t.Errorf("got %s, want %s", short(got), short(tt.payload))
			}
			if fault := (*frame.Error)(nil); err != nil && !errors.As(err, &fault) {
				t.Errorf("error is %T, want a *frame.Error", err)
			}
		})
	}
}

// lastMessage decodes one message and, if it is large, overwrites data, as the
// next read would.
func lastMessage(cfg *frame.Config, data []byte) ([]byte, *frame.Large, error) {
	rest := data
	var d frame.Decoder
	f, _, err := d.Next(cfg, &rest)
	if !f.Large {
		return f.Payload, nil, err
	}
	large := d.TakeLarge()
	clear(data)
	return nil, large, err
}

// What is kept of a message follows what has come of it.
func TestHeld(t *testing.T) {
	for _, tt := range []struct {
		name   string
		frames [][]byte
		chop   int
	}{
		{"one frame", [][]byte{masked(0x82, octets(1_000_000))}, 1000},
		{"one frame in large chops", [][]byte{masked(0x82, octets(1_000_000))}, 60_000},
		{"fragments", fragments(0x02, octets(300_000), 100), 5000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := &frame.Config{Inline: 64 << 10}
			var d frame.Decoder
			data, came := join(tt.frames...), 0
			for chunk := range slices.Chunk(data, tt.chop) {
				came += len(chunk)
				f, ok, err := d.Next(cfg, &chunk)
				if err != nil {
					t.Fatal(err)
				}
				if !ok && (d.Held() > 2*came || d.Held() > came+64<<10) {
					t.Fatalf("%d bytes are held of %d that came", d.Held(), came)
				}
				if ok != (came == len(data)) || ok && !f.Large {
					t.Fatalf("after %d of %d bytes: a message: %v", came, len(data), ok)
				}
			}
			if d.Held() != 0 {
				t.Errorf("%d bytes are held after the message", d.Held())
			}
		})
	}
}

// The memory of a message in pieces is allocated once, and once more as a whole.
func TestNothingIsCopiedAsItGrows(t *testing.T) {
	const size = 8_000_000
	big := masked(0x82, octets(size))
	got := allocated(func() {
		var d frame.Decoder
		for chunk := range slices.Chunk(big, 1000) {
			if _, _, err := d.Next(&frame.Config{Inline: 64 << 10}, &chunk); err != nil {
				t.Fatal(err)
			}
		}
	})
	if got > size*11/10 {
		t.Errorf("%d bytes in pieces allocated %d", size, got)
	}
}

// Once a large message was released, the next one is put together in its memory.
func TestLargeReleaseAllocations(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector has pools drop what they get")
	}
	const size, times = 1 << 20, 20
	cfg := &frame.Config{Inline: 1000}
	wire := fragments(0x02, messages(size), 60_000)
	receive := func() {
		var d frame.Decoder
		var f frame.Frame
		for _, data := range wire {
			f, _, _ = d.Next(cfg, &data)
		}
		if !f.Large {
			t.Fatal("the message is not large")
		}
		m := d.TakeLarge()
		if got, err := m.Finish(cfg); err != nil || len(got) != size {
			t.Fatalf("Finish = %d bytes, %v, want %d", len(got), err, size)
		}
		m.Release()
	}
	receive()
	got := allocated(func() {
		for range times {
			receive()
		}
	})
	if got > times*size/4 {
		t.Errorf("%d messages of %d bytes allocated %d bytes, want hardly any", times, size, got)
	}
}

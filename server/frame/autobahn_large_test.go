package frame_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
)

// umlautText is n bytes of valid text in which cuts fall inside characters.
func umlautText(n int) string {
	const unit = "Hello-µ@ßöä€😀" // 22 bytes
	s := strings.Repeat(unit, n/len(unit))
	return s + strings.Repeat("*", n-len(s))
}

// checkLarge wants one message, payload, from frames that arrive in chops.
func checkLarge(t *testing.T, cfg *frame.Config, op ws.OpCode, frames [][]byte, chop int, payload string) {
	t.Helper()
	var d frame.Decoder
	var got []frame.Frame
	for chunk := range slices.Chunk(join(frames...), chop) {
		for {
			f, ok, err := d.Next(cfg, &chunk)
			if err != nil {
				t.Fatalf("%d bytes in %d frames, chops of %d: %v", len(payload), len(frames), chop, err)
			}
			if !ok {
				break
			}
			got = append(got, f)
		}
	}
	if len(got) != 1 || got[0].Op != op || string(got[0].Payload) != payload {
		t.Fatalf("%d bytes in %d frames, chops of %d: got %s", len(payload), len(frames), chop, short(got))
	}
}

func TestAutobahnLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("slow in race builds, and nothing runs beside it")
	}
	for _, tt := range []struct {
		size int
		cfg  frame.Config
	}{
		{64 << 10, frame.Config{}},
		{256 << 10, frame.Config{}},
		{1 << 20, frame.Config{}},
		{4 << 20, frame.Config{}},
		{8 << 20, frame.Config{}},
		{16 << 20, frame.Config{MaxFrame: 20 << 20}},
	} {
		t.Run(fmt.Sprintf("%d KiB", tt.size>>10), func(t *testing.T) {
			const read = 64 << 10 // as an event loop's buffer has it
			payload := umlautText(tt.size)
			checkLarge(t, &tt.cfg, ws.OpText, [][]byte{masked(0x81, payload)}, read, payload)
			payload = octets(tt.size)
			checkLarge(t, &tt.cfg, ws.OpBinary, [][]byte{masked(0x82, payload)}, read, payload)
			checkLarge(t, &tt.cfg, ws.OpBinary, [][]byte{masked(0x82, payload)}, tt.size+ws.MaxHeaderSize, payload)
		})
	}
}

// By default a frame may have 10,000,000 bytes, a message in fragments 8,000,000
// (spec §1.7). More is refused before it comes.
func TestAutobahnOverTheLimit(t *testing.T) {
	header := fromHex("81 ff 00000000 01000000 00000000") // 16 MiB
	checkEcho(t, &frame.Config{}, [][]byte{header}, `Close 1009 ""`)

	frames := fragments(0x02, octets(16<<20), 1<<20)[:8] // the 8th ends at 8,388,608
	frames[7] = frames[7][:ws.MaxHeaderSize]
	if got := received(t, echo(t, &frame.Config{}, frames[:7]...)); got != nil {
		t.Errorf("echo of 7 MiB of a message = %s, want nothing yet", short(got))
	}
	if got := received(t, echo(t, &frame.Config{}, frames...)); len(got) != 1 || got[0] != `Close 1009 ""` {
		t.Errorf("echo after the header of the 8th MiB = %s, want Close 1009", short(got))
	}
}

func TestAutobahnLargeInFragments(t *testing.T) {
	if testing.Short() {
		t.Skip("slow in race builds, and nothing runs beside it")
	}
	const size = 4 << 20
	for _, fragment := range []int{64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20} {
		payload := umlautText(size)
		checkLarge(t, &frame.Config{}, ws.OpText, fragments(0x01, payload, fragment), 64<<10, payload)
		payload = octets(size)
		checkLarge(t, &frame.Config{}, ws.OpBinary, fragments(0x02, payload, fragment), 64<<10, payload)
	}
}

func TestAutobahnLargeInChops(t *testing.T) {
	const size = 1 << 20
	for _, chop := range []int{64, 128, 256, 512, 1024, 2048} {
		payload := umlautText(size)
		checkLarge(t, &frame.Config{}, ws.OpText, [][]byte{masked(0x81, payload)}, chop, payload)
		payload = octets(size)
		checkLarge(t, &frame.Config{}, ws.OpBinary, [][]byte{masked(0x82, payload)}, chop, payload)
	}
}

func TestAutobahnMany(t *testing.T) {
	for _, size := range []int{0, 16, 64, 256, 1024, 4096} {
		one := join(masked(0x81, text(size)), masked(0x82, octets(size)))
		log := received(t, echo(t, &frame.Config{}, slices.Collect(slices.Chunk(slices.Repeat(one, 500), 5000))...))
		want := slices.Repeat([]string{fmt.Sprintf("text %q", text(size)), fmt.Sprintf("binary %q", octets(size))}, 500)
		if !slices.Equal(log, want) {
			t.Errorf("echo of 1,000 messages of %d bytes = %d frames: %s", size, len(log), short(log))
		}
	}
}

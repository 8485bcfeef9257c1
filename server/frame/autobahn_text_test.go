package frame_test

import (
	"fmt"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
)

// kosme is Greek text with a character of three bytes.
const kosme = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5" // κόσμε

func TestAutobahnText(t *testing.T) {
	const umlauts = "Hello-µ@ßöäüàá-UTF-8!!"
	tests := []struct {
		name   string
		frames [][]byte
		want   string
	}{
		{"6.1.1 empty", [][]byte{masked(0x81, "")}, ""},
		{"6.1.2 three empty fragments", [][]byte{masked(0x01, ""), masked(0x00, ""), masked(0x80, "")}, ""},
		{"6.1.3 empty, middle, empty", [][]byte{masked(0x01, ""), masked(0x00, "middle"), masked(0x80, "")}, "middle"},
		{"6.2.1 one fragment", [][]byte{masked(0x81, umlauts)}, umlauts},
		{"6.2.2 cut between characters", fragments(0x01, umlauts, len("Hello-µ@ßöä")), umlauts},
		{"6.2.3 fragments of one byte", fragments(0x01, umlauts, 1), umlauts},
		{"6.2.4 fragments of one byte", fragments(0x01, kosme, 1), kosme},
		{"ping inside a character", [][]byte{masked(0x01, "\xf0\x9f"), masked(0x8a, "\xff"), masked(0x80, "\x98\x80")}, "😀"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkEcho(t, &frame.Config{}, tt.frames, fmt.Sprintf("text %q", tt.want))
		})
	}
}

// Text fails with the byte that nothing after it can mend, in whatever frame or
// read that byte comes; text that only ends too early fails with its end. (Not
// so compressed text, which is checked when the message is complete.)
func TestAutobahnUTF8(t *testing.T) {
	const valid, cut = -1, -2 // cut: ends too early
	type sequence struct {
		text string
		bad  int // index of the byte that must fail, or one of the above
	}
	tests := []struct {
		name      string
		sequences []sequence
	}{
		{"6.3 surrogate", []sequence{{kosme + "\xed\xa0\x80" + "edited", len(kosme) + 1}}},
		{"6.4 above U+10FFFF", []sequence{{kosme + "\xf4\x90\x80\x80" + "edited", len(kosme) + 1}}},
		{"6.5 valid", []sequence{
			{"hello\x24world", valid}, {"hello\xc2\xa2world", valid}, {"hello\xe2\x82\xacworld", valid},
			{"hello\xf0\xa4\xad\xa2world", valid}, {kosme, valid},
		}},
		{"6.6 prefixes", []sequence{
			{kosme[:1], cut}, {kosme[:2], valid}, {kosme[:3], cut}, {kosme[:4], cut}, {kosme[:5], valid}, {kosme[:6], cut},
			{kosme[:7], valid}, {kosme[:8], cut}, {kosme[:9], valid}, {kosme[:10], cut}, {kosme[:11], valid},
		}},
		{"6.7 first of each length", []sequence{
			{"\x00", valid}, {"\xc2\x80", valid}, {"\xe0\xa0\x80", valid}, {"\xf0\x90\x80\x80", valid},
		}},
		{"6.8 first of five and six bytes", []sequence{
			{"\xf8\x88\x80\x80\x80", 0}, {"\xfc\x84\x80\x80\x80\x80", 0},
		}},
		{"6.9 last of each length", []sequence{
			{"\x7f", valid}, {"\xdf\xbf", valid}, {"\xef\xbf\xbf", valid}, {"\xf4\x8f\xbf\xbf", valid},
		}},
		{"6.10 last of four, five and six bytes", []sequence{
			{"\xf7\xbf\xbf\xbf", 0}, {"\xfb\xbf\xbf\xbf\xbf", 0}, {"\xfd\xbf\xbf\xbf\xbf\xbf", 0},
		}},
		{"6.11 boundaries", []sequence{
			{"\xed\x9f\xbf", valid}, {"\xee\x80\x80", valid}, {"\xef\xbf\xbd", valid}, {"\xf4\x8f\xbf\xbf", valid},
			{"\xf4\x90\x80\x80", 1},
		}},
		{"6.12 unexpected continuation bytes", []sequence{
			{"\x80", 0}, {"\xbf", 0}, {"\x80\xbf", 0}, {"\x80\xbf\x80", 0}, {"\x80\xbf\x80\xbf", 0}, {"a\x80", 1}, {"é\x80", 2}, {"€\xbf", 3}, {"😀\x80", 4},
		}},
		{"6.13 lonely start bytes", []sequence{
			{"\xc0 ", 0}, {"\xc1 ", 0}, {"\xc2 ", 1}, {"\xdf ", 1}, {"\xe0 ", 1}, {"\xef ", 1}, {"\xf0 ", 1}, {"\xf4 ", 1},
			{"\xf5 ", 0}, {"\xf7 ", 0}, {"\xf8 ", 0}, {"\xfb ", 0}, {"\xfc ", 0}, {"\xfd ", 0}, {"\xc2\xc3 \xc4", 1},
		}},
		{"6.14 last continuation byte missing", []sequence{
			{"\xc0", 0}, {"\xe0\x80", 1}, {"\xf0\x80\x80", 1}, {"\xf8\x80\x80\x80", 0}, {"\xfc\x80\x80\x80\x80", 0},
			{"\xdf", cut}, {"\xef\xbf", cut}, {"\xf7\xbf\xbf", 0}, {"\xfb\xbf\xbf\xbf", 0}, {"\xfd\xbf\xbf\xbf\xbf", 0},
			{"\xf4\x8f\xbf", cut}, {"\xef\xbf ", 2}, {"\xf4\x8f\xbf ", 3},
		}},
		{"6.15 concatenation of incomplete ones", []sequence{
			{"\xdf\xef\xbf", 1}, {"\xef\xbf\xf0", 2}, {"\xf0\x90\x80\xc0\xe0\x80", 3},
		}},
		{"6.16 impossible bytes", []sequence{
			{"\xfe", 0}, {"\xff", 0}, {"\xfe\xfe\xff\xff", 0}, {"é\xff", 2}, {"\xe2\x82\xff", 2},
		}},
		{"6.17 overlong slash", []sequence{
			{"\xc0\xaf", 0}, {"\xe0\x80\xaf", 1}, {"\xf0\x80\x80\xaf", 1}, {"\xf8\x80\x80\x80\xaf", 0}, {"\xfc\x80\x80\x80\x80\xaf", 0},
		}},
		{"6.18 longest overlong", []sequence{
			{"\xc1\xbf", 0}, {"\xe0\x9f\xbf", 1}, {"\xf0\x8f\xbf\xbf", 1}, {"\xf8\x87\xbf\xbf\xbf", 0}, {"\xfc\x83\xbf\xbf\xbf\xbf", 0},
		}},
		{"6.19 overlong NUL", []sequence{
			{"\xc0\x80", 0}, {"\xe0\x80\x80", 1}, {"\xf0\x80\x80\x80", 1}, {"\xf8\x80\x80\x80\x80", 0}, {"\xfc\x80\x80\x80\x80\x80", 0},
		}},
		{"6.20 single surrogates", []sequence{
			{"\xed\xa0\x80", 1}, {"\xed\xad\xbf", 1}, {"\xed\xae\x80", 1}, {"\xed\xaf\xbf", 1},
			{"\xed\xb0\x80", 1}, {"\xed\xbe\x80", 1}, {"\xed\xbf\xbf", 1},
		}},
		{"6.21 paired surrogates", []sequence{
			{"\xed\xa0\x80\xed\xb0\x80", 1}, {"\xed\xad\xbf\xed\xbf\xbf", 1}, {"\xed\xae\x80\xed\xb0\x80", 1}, {"\xed\xaf\xbf\xed\xbf\xbf", 1},
		}},
		{"6.22 noncharacters", []sequence{ // valid, RFC 3629
			{"\xef\xb7\x90", valid}, {"\xef\xbf\xbe", valid}, {"\xef\xbf\xbf", valid}, {"\xf0\x9f\xbf\xbe", valid}, {"\xf0\x9f\xbf\xbf", valid},
			{"\xf0\xaf\xbf\xbe", valid}, {"\xf0\xbf\xbf\xbf", valid}, {"\xf1\x8f\xbf\xbe", valid}, {"\xf1\xbf\xbf\xbf", valid},
			{"\xf2\x9f\xbf\xbe", valid}, {"\xf3\xaf\xbf\xbf", valid}, {"\xf3\xbf\xbf\xbe", valid}, {"\xf4\x8f\xbf\xbe", valid},
		}},
		{"6.23 specials", []sequence{
			{"\xef\xbf\xb9\xef\xbf\xba\xef\xbf\xbb\xef\xbf\xbc\xef\xbf\xbd", valid},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, s := range tt.sequences {
				want := `Close 1007 ""`
				if s.bad == valid {
					want = fmt.Sprintf("text %q", s.text)
				}
				checkEcho(t, &frame.Config{}, [][]byte{masked(0x81, s.text)}, want)
				checkEcho(t, &frame.Config{}, fragments(0x01, s.text, 1), want)

				// The empty last fragment, or the last byte of the only one, is the end.
				inFragments, inChops := s.bad, s.bad
				if s.bad == cut {
					inFragments, inChops = len(s.text), len(s.text)-1
				}
				steps := append(fragments(0x01, s.text, 1), masked(0x80, ""))
				steps[len(s.text)-1][0] &^= 0x80
				if got := failsAt(steps); got != inFragments {
					t.Errorf("fragments of %q fail at %d, want %d", s.text, got, inFragments)
				}
				if got := failsAt(chops(masked(0x81, s.text), len(s.text))); got != inChops {
					t.Errorf("chops of %q fail at %d, want %d", s.text, got, inChops)
				}
			}
		})
	}
}

// failsAt is the index of the step that makes a Decoder fail with 1007, or -1.
func failsAt(steps [][]byte) int {
	var d frame.Decoder
	for i, data := range steps {
		_, _, err := d.Next(&frame.Config{}, &data)
		if fault, ok := err.(*frame.Error); ok && fault.Code == ws.StatusInvalidFramePayloadData {
			return i
		}
	}
	return -1
}

// chops is a frame with n bytes of payload cut after each of these.
func chops(b []byte, n int) [][]byte {
	first := len(b) - n + 1
	steps := [][]byte{b[:first]}
	for i := range b[first:] {
		steps = append(steps, b[first+i:first+i+1])
	}
	return steps
}

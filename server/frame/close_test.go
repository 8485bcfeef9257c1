package frame_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
)

func TestDecodeCloseCodes(t *testing.T) {
	ranges := []struct {
		from, to ws.StatusCode
		legal    bool
	}{
		{0, 999, false},
		{1000, 1003, true},
		{1004, 1006, false},
		{1007, 1014, true},
		{1015, 2999, false},
		{3000, 4999, true},
		{5000, 65535, false},
	}
	cfg := &frame.Config{Client: true}
	for _, r := range ranges {
		for code := r.from; ; code++ {
			payload := string([]byte{byte(code >> 8), byte(code)})
			want := "close 1002: illegal close code"
			if r.legal {
				want = fmt.Sprintf("Close %q", payload)
			}
			if got := decode(t, cfg, []byte("\x88\x02"+payload)); len(got) != 1 || got[0] != want {
				t.Errorf("Decode(Close %d) = %q, want %q", code, got, want)
			}
			if code == r.to {
				break
			}
		}
	}
}

func TestDecodeClosePayload(t *testing.T) {
	longest := "\x03\xe8" + strings.Repeat("r", 123)
	tests := []struct {
		name, payload, want string
	}{
		{"empty", "", `Close ""`},
		{"one byte", "\x03", "close 1002: close payload of one byte"},
		{"code", "\x03\xe9", `Close "\x03\xe9"`},
		{"reason", "\x03\xe8née", `Close "\x03\xe8née"`},
		{"longest", longest, fmt.Sprintf("Close %q", longest)},
		{"reason not UTF-8", "\x03\xe8\xff", "close 1007: close reason is not UTF-8"},
		{"reason cut", "\x03\xe8\xc3", "close 1007: close reason is not UTF-8"},
		{"illegal code first", "\x03\xed\xff", "close 1002: illegal close code"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkDecode(t, &frame.Config{}, masked(0x88, tt.payload), tt.want)
		})
	}
}

func TestParseClose(t *testing.T) {
	tests := []struct {
		payload string
		code    ws.StatusCode
		reason  string
	}{
		{"", ws.StatusNoStatusRcvd, ""},
		{"\x03\xe8", ws.StatusNormalClosure, ""},
		{"\x03\xf4restart", 1012, "restart"},
	}
	for _, tt := range tests {
		code, reason := frame.ParseClose([]byte(tt.payload))
		if code != tt.code || reason != tt.reason {
			t.Errorf("ParseClose(%q) = %d, %q, want %d, %q", tt.payload, code, reason, tt.code, tt.reason)
		}
	}
}

func TestAppendClose(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	tests := []struct {
		name   string
		code   ws.StatusCode
		reason string
		want   string
	}{
		{"code", ws.StatusGoingAway, "", "\x88\x02\x03\xe9"},
		{"reason", 1012, "restart", "\x88\x09\x03\xf4restart"},
		{"no code", ws.StatusNoStatusRcvd, "dropped", "\x88\x00"},
		{"longest", ws.StatusNormalClosure, x(123), "\x88\x7d\x03\xe8" + x(123)},
		{"too long", ws.StatusNormalClosure, x(124), "\x88\x7d\x03\xe8" + x(123)},
		{"cut before a character", ws.StatusNormalClosure, x(121) + "€", "\x88\x7b\x03\xe8" + x(121)},
		{"not UTF-8", ws.StatusNormalClosure, "\xff!", "\x88\x06\x03\xe8\xef\xbf\xbd!"},
		{"cut after a character", ws.StatusNormalClosure, x(120) + "€!", "\x88\x7d\x03\xe8" + x(120) + "€"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := frame.AppendClose([]byte("dst"), tt.code, tt.reason); string(got) != "dst"+tt.want {
				t.Errorf("AppendClose(%d, %q) = %q, want %q", tt.code, tt.reason, got[3:], tt.want)
			}
		})
	}
}

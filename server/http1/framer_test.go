package http1_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/http1"
	"github.com/roost-rt/roost/server/http1/http1test"
)

// pieces are what a Framer lets through of a text that comes in pieces of a size,
// as requests, and the error.
func pieces(text string, size int) (requests []string, err error) {
	var f http1.Framer
	begun := ""
	for len(text) > 0 {
		n, err := f.Next([]byte(text[:min(size, len(text))]))
		if err != nil {
			return append(requests, begun), err
		}
		if begun += text[:n]; f.Between() {
			requests, begun = append(requests, begun), ""
		}
		text = text[n:]
	}
	return append(requests, begun), nil
}

// A Framer stops at the end of each request, wherever that is in what comes.
func TestFramer(t *testing.T) {
	want := []string{
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n\r\n\r\nx",
		"\r\nPOST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n00a;x=\"\n\"\r\n0123456789\r\n1\r\nx\r\n0\r\nX: y\r\nZ:\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
	}
	want[3] = strings.Replace(want[3], "\"\n\"", "y", 1)
	all := strings.Join(want, "")
	for size := 1; size <= len(all); size++ {
		got, err := pieces(all, size)
		if err != nil || !slices.Equal(got, append(slices.Clone(want), "")) {
			t.Fatalf("in pieces of %d: %q, %v", size, got, err)
		}
	}
}

// What is refused as a head is refused there, too, before its last byte is through;
// so is what is no chunk.
func TestFramerRefuses(t *testing.T) {
	texts := map[string]bool{}
	for _, c := range http1test.Cases {
		texts[c.Request] = c.Status == 0
	}
	for body, good := range map[string]bool{
		"5\r\nhello\r\n0\r\n\r\n":                 true,
		"5;a=b\r\nhello\r\n0\r\n\r\n":             true,
		"5\nhello\r\n0\r\n\r\n":                   false,
		"5 \r\nhello\r\n0\r\n\r\n":                false,
		"0x5\r\nhello\r\n0\r\n\r\n":               false,
		"+5\r\nhello\r\n0\r\n\r\n":                false,
		"-5\r\nhello\r\n0\r\n\r\n":                false,
		"1_0\r\n":                                 false,
		"\r\n":                                    false,
		"ffffffffffffffff\r\n":                    false,
		"5;a\nb\r\nhello\r\n0\r\n\r\n":            false,
		"5;a\x00\r\nhello\r\n0\r\n\r\n":           false,
		"5;\rhello\r\n0\r\n\r\n":                  false,
		"0\r\nX: y\n\r\n":                         false,
		"0\r\nX : y\r\n\r\n":                      false,
		"0\r\nContent-Length: 5\r\n\r\n":          false,
		"0\r\n folded\r\n\r\n":                    false,
		"0\r\n\n":                                 false,
		"0;" + strings.Repeat("x", 5000):          false,
		"0\r\nX: " + strings.Repeat("x", 5000):    false,
		"5;" + strings.Repeat("x", 4000) + "\r\n": true,
	} {
		texts["POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"+body] = good
	}
	for text, good := range texts {
		for _, size := range []int{len(text), 1, 7} {
			got, err := pieces(text, size)
			if through := strings.Join(got, ""); (err == nil) != good || good != (through == text) {
				t.Errorf("%.200q in pieces of %d: %v with %.200q let through, want it good: %v", text, size, err, through, good)
			}
		}
	}
}

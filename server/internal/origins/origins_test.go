package origins_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/internal/origins"
)

// Requests are to http://example.test:4000. What phx makes of a policy is tested
// there.
func TestAllows(t *testing.T) {
	for _, tt := range []struct {
		name    string
		entries []string
		host    string
		yes, no string // origins, separated by spaces
	}{
		{"default", nil, "",
			"http://example.test:4000 https://EXAMPLE.test:4000", "http://example.test http://sub.example.test:4000 null file://"},
		{"host", nil, "example.com", "http://example.com https://example.com:8443", "http://example.test:4000 null"},
		{"any", []string{origins.Any}, "", "http://evil.test null file:// %zz", ""},
		{"self", []string{origins.Self}, "", "http://example.test:4000", "https://example.test:4000 http://example.test null %zz"},
		{"self or another", []string{origins.Self, "//friend.test"}, "",
			"http://example.test:4000 https://friend.test:99", "http://evil.test"},
		{"port of the scheme", []string{"https://ex.com"}, "", "https://ex.com https://ex.com:443", "http://ex.com https://ex.com:444"},
		{"subdomains", []string{"//*.ex.com"}, "", "http://ex.com https://a.b.ex.com:1", "http://notex.com http://ex.com.evil.test"},
	} {
		p, err := origins.New(tt.entries, tt.host, nil)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		for _, want := range []bool{true, false} {
			list := tt.no
			if want {
				list = tt.yes
			}
			for origin := range strings.FieldsSeq(list) {
				if got := p.Allows(origin, "http", "example.test:4000"); got != want {
					t.Errorf("%s: Allows(%q) = %v", tt.name, origin, got)
				}
			}
		}
	}
}

// A function decides about everything that is a URL, but where any page may come.
func TestCustom(t *testing.T) {
	custom := func(origin *url.URL, host string) bool { return origin.Host == "" && host == "h" }
	p, _ := origins.New(nil, "h", custom)
	if !p.Allows("null", "http", "h") || p.Allows("http://h", "http", "h") || p.Allows("%zz", "http", "h") {
		t.Error("the function is not the one to decide")
	}
	if p, _ := origins.New([]string{origins.Any}, "", custom); !p.Allows("http://h", "http", "h") {
		t.Error("any page may come, and the function was asked")
	}
}

func TestWrongEntries(t *testing.T) {
	for _, entry := range []string{"", "example.com", "//", "//ex.com/path", "//a.*.com", "https://user@ex.com", "//ex.com?q"} {
		if _, err := origins.New([]string{entry}, "", nil); err == nil {
			t.Errorf("New(%q) has no error", entry)
		}
	}
}

package order_test

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/order"
)

func TestSources(t *testing.T) {
	for _, test := range []struct {
		list  string
		count int
		first string // addresses of the first clients
	}{
		{"10.0.0.7", 1, "10.0.0.7 10.0.0.7 10.0.0.7"},
		{"10.0.0.7, 10.0.0.9", 2, "10.0.0.7 10.0.0.9 10.0.0.7 10.0.0.9"},
		{"2001:db8::/64", 1 << 30, "2001:db8::1 2001:db8::2 2001:db8::3"},
		{"2001:db8::ff00/120", 255, "2001:db8::ff01 2001:db8::ff02"},
		{"10.1.0.0/30", 2, "10.1.0.1 10.1.0.2 10.1.0.1"},
		{"10.1.0.0/31", 2, "10.1.0.0 10.1.0.1 10.1.0.0"},
		{"10.0.0.7,10.1.0.0/29", 7, "10.0.0.7 10.1.0.1 10.0.0.7 10.1.0.2 10.0.0.7 10.1.0.3"},
		{"::ffff:10.0.0.7", 1, "10.0.0.7"},
	} {
		s, err := order.ParseSources(test.list)
		if err != nil {
			t.Errorf("ParseSources(%s) = %v", test.list, err)
			continue
		}
		if s.Count() != test.count {
			t.Errorf("%s: %d addresses, want %d", test.list, s.Count(), test.count)
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back order.Sources
		if err := json.Unmarshal(text, &back); err != nil || back.String() != s.String() {
			t.Errorf("%s became %v, %v", text, back, err)
		}
		for n, want := range strings.Fields(test.first) {
			if got := back.Of(n).String(); got != want {
				t.Errorf("%s: client %d has %s, want %s", test.list, n, got, want)
			}
		}
	}
	for _, bad := range []string{"", "10.0.0.7,", "eth0", "10.0.0.0/33", "fe80::1%eth0", "0.0.0.0"} {
		if s, err := order.ParseSources(bad); err == nil {
			t.Errorf("ParseSources(%q) = %v, want an error", bad, s)
		}
	}
	both, _ := order.ParseSources("10.0.0.7,2001:db8::/64")
	if got := both.For(netip.MustParseAddr("192.0.2.1")).String() + " " + both.For(netip.MustParseAddr("::1")).String(); got != "10.0.0.7 2001:db8::/64" {
		t.Errorf("by family: %s", got)
	}
}

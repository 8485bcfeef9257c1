package order_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/order"
)

// A prefix that a network routes to a host whole is one of IPv4, neither the whole of it
// nor too small for a device.
func TestRoutedSources(t *testing.T) {
	t.Parallel()
	for list, ok := range map[string]bool{
		"10.0.0.0/8": true, "10.64.0.0/16": true, "10.0.0.0/29": true,
		"0.0.0.0/7": false, "10.0.0.0/30": false, "10.0.0.1": false, "2001:db00::/24": false, "10.0.0.0/16,10.1.0.0/16": false,
	} {
		s, err := order.ParseSources(list)
		if list == "0.0.0.0/7" { // nobody can parse it
			if err == nil {
				t.Errorf("%s is parsed", list)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := s.CheckRouted(); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), list) {
			t.Errorf("CheckRouted() of %s = %v, want one: %t", list, err, !ok)
		}
	}
	if order.Sources(nil).CheckRouted() == nil {
		t.Error("no sources are routed")
	}
}

// Sources count for as many addresses as can be used, up to a bound.
func TestCountOfSources(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]int{
		"10.0.0.1": 1, "10.0.0.0/31": 2, "10.0.0.0/30": 2, "10.0.0.0/24": 254, "10.0.0.0/8": 1<<24 - 2, "::1": 1, "2001:db8::/127": 2, "2001:db8::/126": 3, "2001:db8::/112": 1<<16 - 1,
		"2001:db8::/98": 1<<30 - 1, "2001:db8::/97": 1 << 30, "2001:db8::/64": 1 << 30, "2001:db8::/64,2001:db9::/64": 1 << 30, "10.0.0.1,10.0.0.0/30": 3,
	} {
		s, err := order.ParseSources(list)
		if err != nil || s.Count() != want {
			t.Errorf("%s has %d addresses, %v, want %d", list, s.Count(), err, want)
		}
	}
	for _, list := range []string{"", "10.0.0.1,", "host", "10.0.0.0/33", "0.0.0.0", "::", "0.0.0.0/8", "fe80::1%eth0", "fe80::%eth0/64"} {
		if s, err := order.ParseSources(list); err == nil {
			t.Errorf("%q is %v", list, s)
		}
	}
	if s, err := order.ParseSources(" 10.0.0.1 , ::ffff:10.0.0.2,10.0.0.9/24"); err != nil || s.String() != "10.0.0.1,10.0.0.2,10.0.0.0/24" {
		t.Errorf("sources %s, %v, want them without spaces, as IPv4, and masked", s, err)
	}
}

// Faults of the links of all processes are added up, each kind by itself.
func TestLinksAddUp(t *testing.T) {
	t.Parallel()
	sum := order.Link{Dropped: 1, Resent: 20, Repeated: 300}
	sum.Add(order.Link{Dropped: 4000, Resent: 50_000, Repeated: 600_000})
	sum.Add(order.Link{})
	if want := (order.Link{Dropped: 4001, Resent: 50_020, Repeated: 600_300}); sum != want {
		t.Errorf("links %+v, want %+v", sum, want)
	}
	if n := reflect.TypeFor[order.Link]().NumField(); n != 3 {
		t.Errorf("a link has %d kinds of faults, and this test knows three", n)
	}
}

// Up to 128 latencies are exact, however they come; more are to two digits.
func TestSamplesAreExactWhileTheyAreFew(t *testing.T) {
	t.Parallel()
	const us = 123_457
	for _, test := range []struct {
		name  string
		add   func(s *order.Sample)
		count int64
		exact bool
	}{
		{"128 one by one", func(s *order.Sample) {
			for range 128 {
				s.Add(us * 1000)
			}
		}, 128, true},
		{"128 at once", func(s *order.Sample) { s.AddMany(us*1000, 128) }, 128, true},
		{"100 and 28", func(s *order.Sample) { s.AddMany(us*1000, 100); s.AddMany(us*1000, 28) }, 128, true},
		{"129 one by one", func(s *order.Sample) {
			for range 129 {
				s.Add(us * 1000)
			}
		}, 129, false},
		{"129 at once", func(s *order.Sample) { s.AddMany(us*1000, 129) }, 129, false},
		{"100 and 29", func(s *order.Sample) { s.AddMany(us*1000, 100); s.AddMany(us*1000, 29) }, 129, false},
		{"many, and then few", func(s *order.Sample) { s.AddMany(us*1000, 500); s.AddMany(us*1000, 3); s.Add(us * 1000) }, 504, false},
		{"none", func(s *order.Sample) { s.AddMany(us*1000, 0) }, 0, false},
	} {
		var s order.Sample
		test.add(&s)
		got := s.Percentile(50)
		if s.Count() != test.count || (got == us) != test.exact || test.count > 0 && (got < us-us/100 || got > us+us/50) {
			t.Errorf("%s: %d latencies, median %d µs, want %d and %d exactly: %t", test.name, s.Count(), got, test.count, us, test.exact)
		}
		h := order.NewHistogram(2)
		if s.Into(h); h.TotalCount() != test.count {
			t.Errorf("%s: %d in a histogram, want %d", test.name, h.TotalCount(), test.count)
		}
	}
}

// A certificate has its key, and who takes any certificate trusts no authority.
func TestTLSCheck(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		tls  order.TLS
		want string
	}{
		{order.TLS{}, ""},
		{order.TLS{Cert: "c", Key: "k", CA: "a", ServerName: "n", Resume: true}, ""},
		{order.TLS{Insecure: true, Resume: true}, ""},
		{order.TLS{Cert: "c"}, "cert and key: "},
		{order.TLS{Key: "k"}, "cert and key: "},
		{order.TLS{Insecure: true, CA: "a"}, "insecure and ca: "},
	} {
		err := order.Target{URL: "wss://h", TLS: test.tls}.Check()
		if (err == nil) != (test.want == "") || err != nil && !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("Check(%+v) = %v, want %q", test.tls, err, test.want)
		}
		if plain := (order.Target{URL: "ws://h", TLS: test.tls}).Check(); (plain == nil) != (test.tls == order.TLS{}) {
			t.Errorf("without TLS, Check(%+v) = %v", test.tls, plain)
		}
	}
	for text, want := range map[string]bool{"ws://h": false, "wss://h": true} {
		target := order.Target{URL: text, TLS: order.TLS{Resume: want, ServerName: map[bool]string{true: "other"}[want]}}
		c, err := target.ClientConfig(order.PEM{})
		if err != nil || target.Secure() != want || (c != nil) != want || c != nil && (c.ServerName != "other" || c.ClientSessionCache == nil || c.InsecureSkipVerify) {
			t.Errorf("%s: configuration %+v, %v", text, c, err)
		}
	}
}

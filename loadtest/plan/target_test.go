package plan_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
)

// What a URL does not say is added to it; what it says stays as it stands there.
func TestConfigTarget(t *testing.T) {
	for _, test := range []struct {
		url    string
		config plan.Config
		want   string // what is asked for
	}{
		{"ws://h", plan.Config{}, "/socket/websocket?vsn=2.0.0"},
		{"ws://h/", plan.Config{}, "/socket/websocket?vsn=2.0.0"},
		{"ws://h?x=%7e", plan.Config{}, "/socket/websocket?x=%7e&vsn=2.0.0"},
		{"ws://h/live/websocket?b=2&a=1", plan.Config{}, "/live/websocket?b=2&a=1&vsn=2.0.0"},
		{"ws://h/p?vsn=2.0.0&a=%20", plan.Config{}, "/p?vsn=2.0.0&a=%20"},
		{"ws://h/p", plan.Config{Greeting: order.Greeting{Params: []string{"vsn=2.0.0", "a=b"}}}, "/p?vsn=2.0.0&a=b"},
		{"ws://h/p", plan.Config{Greeting: order.Greeting{Params: []string{"a=b"}}}, "/p?a=b&vsn=2.0.0"},
		{"ws://h", plan.Config{Protocol: plan.Raw}, "/chat"},
		{"ws://h/", plan.Config{Protocol: plan.Raw, Scenario: plan.Echo}, "/echo"},
		{"ws://h/mine?a=%7e", plan.Config{Protocol: plan.Raw}, "/mine?a=%7e"},
	} {
		test.config.URL = test.url
		if err := test.config.Check(); err != nil {
			t.Errorf("Check() of %s = %v", test.url, err)
		}
		if got := test.config.Target(test.url).Path(); got != test.want {
			t.Errorf("path of %s = %s, want %s", test.url, got, test.want)
		}
	}
}

// Clients use all addresses of a family: of IPv4, unless there are none.
func TestResolve(t *testing.T) {
	for url, want := range map[string]string{
		"ws://127.0.0.1:4000": "127.0.0.1:4000",
		"wss://127.0.0.1":     "127.0.0.1:443",
		"ws://[::1]:4000":     "[::1]:4000",
	} {
		families, err := plan.Config{URL: url}.Resolve(t.Context())
		if err != nil || len(families) != 1 || len(families[0]) != 1 || families[0][0].String() != want {
			t.Errorf("Resolve() of %s = %v, %v, want %s", url, families, err, want)
		}
	}
	six := plan.Config{URL: "ws://127.0.0.1:4000", From: order.Sources{netip.MustParsePrefix("2001:db8::/64")}}
	if _, err := six.Resolve(t.Context()); err == nil || !strings.Contains(err.Error(), "none of 2001:db8::/64 can reach") {
		t.Errorf("Resolve() of another family = %v, want an error", err)
	}
	if _, err := (plan.Config{URL: "ws://no.such.host.invalid"}).Resolve(t.Context()); err == nil || !strings.Contains(err.Error(), "url: ") {
		t.Errorf("Resolve() of no host = %v, want an error", err)
	}
}

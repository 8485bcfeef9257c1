package main

import (
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
)

func TestGrown(t *testing.T) {
	const clients = 1000
	for _, test := range []struct {
		name string
		kb   []int64 // per client, of each bill
		want string  // a part of what is said; "" is nothing
	}{
		{"no soak", nil, ""},
		{"too short to tell", []int64{1, 2, 3}, ""},
		{"level", []int64{100, 101, 99, 100, 102, 100, 101, 109}, ""},
		{"one bad bill", []int64{100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 200, 100}, ""},
		{"a leak", []int64{100, 102, 104, 106, 108, 110, 112, 114}, "grew by 12 %, from 102000 to 114000 bytes per client"},
		{"not measured", []int64{0, 0, 0, 0, 0, 0, 0, 0}, ""},
	} {
		bills := []record.Memory{{When: "joined", Clients: clients, ServerRSS: 1}}
		for _, kb := range test.kb {
			bills = append(bills, record.Memory{When: "soak", Clients: clients, ServerRSS: kb * 1000 * clients})
		}
		if got := strings.Join(grown(bills), "\n"); !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s: grown(%d) = %q, want %q", test.name, test.kb, got, test.want)
		}
	}
}

package cli

import (
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
)

func TestGrowth(t *testing.T) {
	const clients = 1000
	for _, test := range []struct {
		name string
		kb   []int64 // per client, of each bill
		want string  // a part of what is said; "" is nothing
		met  bool
	}{
		{"no soak", nil, "", false},
		{"too short to tell", []int64{1, 2, 3}, "", false},
		{"level", []int64{100, 101, 99, 100, 102, 100, 101, 109}, "it is 8 %, from", true},
		{"one bad bill", []int64{100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 200, 100}, "it is 0 %, from 100000 to", true},
		{"a leak", []int64{100, 102, 104, 106, 108, 110, 112, 114}, "growth of server memory in the soak, at most 10 %: it is 12 %, from 102000 to 114000 bytes per client", false},
		{"not measured", []int64{0, 0, 0, 0, 0, 0, 0, 0}, "", false},
	} {
		bills := []record.Memory{{When: "joined", Clients: clients, ServerRSS: 1}}
		for _, kb := range test.kb {
			bills = append(bills, record.Memory{When: "soak", Clients: clients, ServerRSS: kb * 1000 * clients})
		}
		got, met := "", false
		for _, g := range growth(bills) {
			got, met = g.String(), g.Met
		}
		if !strings.Contains(got, test.want) || (got == "") != (test.want == "") || met != test.met {
			t.Errorf("%s: growth(%d) = %q, met %v, want %q, %v", test.name, test.kb, got, met, test.want, test.met)
		}
	}
}

package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
)

func shown(bills []bill) (list []string) {
	for _, b := range bills {
		text := b.Label + " " + b.Total + ":"
		for _, p := range b.Parts {
			text += fmt.Sprintf(" %s %s %s%%", p.Name, p.Value, p.Width)
		}
		list = append(list, text)
	}
	return list
}

// The bar of one client is as wide as the page; a part that was not measured, or gave
// memory back, has no width.
func TestBillOfOneClient(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		s    Summary
		want string
	}{
		{"all", Summary{ServerBytesPerClient: is(1000.), ClientBytesPerClient: is(500.), KernelBytesPerClient: is(2500.)},
			"one client 4.00 KB: server 1.00 KB 25.00% client 500 B 12.50% kernel 2.50 KB 62.50%"},
		{"the server alone", Summary{ServerBytesPerClient: is(800.)}, "one client 800 B: server 800 B 100.00% client not measured 0% kernel not measured 0%"},
		{"memory given back", Summary{ServerBytesPerClient: is(1000.), KernelBytesPerClient: is(-200.)},
			"one client 800 B: server 1.00 KB 100.00% client not measured 0% kernel -200 B 0.00%"},
		{"a reason alone", Summary{MemorySays: "it shrank."}, "one client 0 B: server not measured 0% client not measured 0% kernel not measured 0%"},
		{"nothing", Summary{}, ""},
	} {
		bills := test.s.perClientBill()
		if got := strings.Join(shown(bills), "\n"); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		if len(bills) > 0 && bills[0].Below != test.s.MemorySays {
			t.Errorf("%s: %q is below it, want %q", test.name, bills[0].Below, test.s.MemorySays)
		}
	}
}

// The widest of the bills of a run is as wide as the page, and the others are to its
// scale.
func TestBillsOfARun(t *testing.T) {
	t.Parallel()
	r := &Result{Memory: []record.Memory{
		{When: "empty", ServerRSS: 1e6, ClientRSS: 1e6, AvailableBytes: 5e9},
		{When: "joined", Clients: 1500, ServerRSS: 2e6, ClientRSS: 3e6, KernelBytes: 5e6, AvailableBytes: 4e9},
		{When: "after", Clients: 1500, ServerRSS: 4e6},
	}}
	bills := r.totalBills()
	want := []string{
		"empty 2.00 MB: server 1.00 MB 10.00% client 1.00 MB 10.00% kernel not measured 0%",
		"joined, 1,500 clients 10.0 MB: server 2.00 MB 20.00% client 3.00 MB 30.00% kernel 5.00 MB 50.00%",
		"after, 1,500 clients 4.00 MB: server 4.00 MB 40.00% client not measured 0% kernel not measured 0%",
	}
	if got := shown(bills); !slices.Equal(got, want) {
		t.Errorf("bills %q, want %q", got, want)
	}
	for i, want := range []string{
		"all processes 2.00 MB · left on the host 5.00 GB", "all processes 5.00 MB · left on the host 4.00 GB",
		"all processes not measured · left on the host not measured",
	} {
		if bills[i].Below != want {
			t.Errorf("below bill %d is %q, want %q", i, bills[i].Below, want)
		}
	}
}

// Of the many bills of a soak the first, the highest and the last are worth a bar, and
// all others are.
func TestTelltale(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		bytes []int64 // of each bill of the soak
		kept  []int   // their places
	}{
		{"none", nil, nil},
		{"one", []int64{5}, []int{0}},
		{"two", []int64{5, 6}, []int{0, 1}},
		{"highest in the middle", []int64{5, 9, 6, 7}, []int{0, 1, 3}},
		{"highest first", []int64{9, 5, 6, 7}, []int{0, 3}},
		{"highest last", []int64{5, 6, 9}, []int{0, 2}},
		{"the first of equals", []int64{5, 9, 9, 6}, []int{0, 1, 3}},
	} {
		all := []record.Memory{{When: "joined", ServerRSS: 1}}
		for i, b := range test.bytes {
			all = append(all, record.Memory{When: soak, AtMs: int64(i), ServerRSS: b})
		}
		all = append(all, record.Memory{When: "after", ServerRSS: 1})
		var kept []int
		some := telltale(all)
		if some[0].When != "joined" || some[len(some)-1].When != "after" {
			t.Errorf("%s: bills from %s to %s, want all that are not of the soak", test.name, some[0].When, some[len(some)-1].When)
		}
		for _, m := range some[1 : len(some)-1] {
			kept = append(kept, int(m.AtMs))
		}
		if !slices.Equal(kept, test.kept) {
			t.Errorf("%s: kept %v, want %v", test.name, kept, test.kept)
		}
	}
	if got := moment(record.Memory{When: soak, AtMs: 61_499}); got != "soak 1m1s" {
		t.Errorf("a bill of a soak is of %q, want soak 1m1s", got)
	}
}

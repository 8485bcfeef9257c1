package main

import (
	"fmt"
	"slices"

	"github.com/roost-rt/roost/loadtest/record"
)

// mostGrowth is by how much the servers' memory may grow in a soak.
const mostGrowth = 0.10

// grown says that the memory of the servers for each client grew in a soak, from
// the first quarter of the bills to the last: the medians, so that one bill at a
// bad moment is nothing.
func grown(bills []record.Memory) []string {
	var each []float64
	for _, m := range bills {
		if m.When == "soak" && m.ServerRSS > 0 && m.Clients > 0 {
			each = append(each, float64(m.ServerRSS)/float64(m.Clients))
		}
	}
	quarter := len(each) / 4
	if quarter == 0 {
		return nil
	}
	first, last := middle(each[:quarter]), middle(each[len(each)-quarter:])
	if growth := last/first - 1; growth > mostGrowth {
		return []string{fmt.Sprintf("soak: the servers grew by %.0f %%, from %.0f to %.0f bytes per client; at most %.0f %% is well",
			100*growth, first, last, 100*mostGrowth)}
	}
	return nil
}

func middle(values []float64) float64 { return slices.Sorted(slices.Values(values))[len(values)/2] }

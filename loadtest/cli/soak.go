package cli

import (
	"fmt"
	"slices"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

// mostGrowth is by how much the servers' memory may grow in a soak, in percent.
const mostGrowth = 10

// growth returns by how much the memory of the servers for each client grew in a soak,
// from the first quarter of the bills to the last. It takes medians, so that one bill at
// a bad moment does no harm. Too few bills give none.
func growth(bills []record.Memory) []report.Threshold {
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
	percent := 100 * (last/first - 1)
	return []report.Threshold{{
		Text:  fmt.Sprintf("growth of server memory in the soak, at most %d %%", mostGrowth),
		Value: &percent,
		Shown: fmt.Sprintf("%.0f %%, from %.0f to %.0f bytes per client", percent, first, last),
		Met:   percent <= mostGrowth,
	}}
}

func middle(values []float64) float64 { return slices.Sorted(slices.Values(values))[len(values)/2] }

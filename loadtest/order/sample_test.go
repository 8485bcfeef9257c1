package order_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/roost-rt/roost/loadtest/order"
)

// A sample says what a list of its latencies would, however it was divided, told
// and put together again.
func TestSample(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 127, 128, 129, 1000, 5000} {
		var all []int64
		parts := make([]order.Sample, 1+random.IntN(7))
		for range n {
			us := int64(math.Pow(10, 7*random.Float64()))
			all = append(all, us)
			parts[random.IntN(len(parts))].Add(us * 1000)
		}
		var sum order.Sample
		for _, p := range parts {
			text, err := json.Marshal(p)
			var told order.Sample
			if err == nil {
				err = json.Unmarshal(text, &told)
			}
			if err != nil {
				t.Fatal(err)
			}
			sum.Merge(told)
		}
		h := order.NewHistogram(2)
		sum.Into(h)
		if sum.Count() != int64(n) || h.TotalCount() != int64(n) {
			t.Fatalf("%d latencies: %d counted, %d in the histogram", n, sum.Count(), h.TotalCount())
		}
		if n == 0 {
			if got := sum.Percentile(50); got != 0 {
				t.Errorf("no latencies: median %d, want 0", got)
			}
			continue
		}
		slices.Sort(all)
		for _, percent := range []float64{1, 50, 90, 99, 100} {
			rank := max(1, int(math.Ceil(percent/100*float64(n)))) // a histogram rounds it
			least, most := all[max(0, rank-2)], all[min(n-1, rank)]
			if n <= 128 {
				least, most = all[rank-1], all[rank-1]
			}
			if got := sum.Percentile(percent); float64(got) < 0.99*float64(least)-1 || float64(got) > 1.01*float64(most)+1 {
				t.Errorf("%d latencies: p%v %d µs, want %d to %d within a hundredth", n, percent, got, least, most)
			}
		}
	}
}

func TestSampleOfBadText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"us":["x"]}`, `{"histogram":"####"}`, `{"histogram":"AAAA"}`, `[]`} {
		if err := json.Unmarshal([]byte(text), new(order.Sample)); err == nil {
			t.Errorf("Unmarshal(%s): no error", text)
		}
	}
}

// Thousands of small rooms tell of each of their messages: what that takes is of
// the size of what is told. As a histogram it was 25 KB, and 800 KB to encode it,
// and clients that did nothing else all day let receipts wait for seconds.
func TestSampleOfFewIsCheap(t *testing.T) {
	const messages = 200
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range messages {
		var s order.Sample
		for us := range int64(10) {
			s.Add(1000 * us)
		}
		text, err := json.Marshal(s)
		if err == nil {
			err = json.Unmarshal(text, new(order.Sample))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / messages; each > 4096 {
		t.Errorf("ten latencies take %d bytes to keep, to tell and to take, want 4 KiB at most", each)
	}
}

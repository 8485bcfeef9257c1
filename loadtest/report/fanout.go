package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/roost-rt/roost/loadtest/record"
)

// fanOutChart has a bar for each broadcast, from its first receiver to its
// last, in three parts.
func (r *Result) fanOutChart() chart {
	c := chart{ID: "fanout", Title: "Fan-out of each broadcast", About: "When its receivers got it, counted from the intended send: a bar runs from the first receiver to the last."}
	received := slices.DeleteFunc(slices.Clone(r.Broadcasts), func(b record.Broadcast) bool { return b.Delivered == 0 })
	if len(received) == 0 {
		return c
	}
	each := (len(received) + maxPoints - 1) / maxPoints
	if each > 1 {
		received = slowestOf(received, each)
		c.About += fmt.Sprintf(" Each bar is the slowest of %d in a row.", each)
	}
	xs := make([]float64, len(received))
	slowest := int64(0)
	for i, b := range received {
		xs[i] = float64(i + 1)
		slowest = max(slowest, b.LastUs)
	}
	x := axis{scale: exactly(1, float64(len(xs)), 8), label: "broadcast, in sending order"}
	x.tick = func(v float64) string { return compact(v * float64(each)) }
	x.min, x.max = 0.5, float64(len(xs))+0.5
	y := axis{scale: fromZero(float64(slowest)/1000, 4), label: "latency, ms", tick: plain}
	c.axes(x, y)
	c.Keys = []key{{"blue bar", "first half of the receivers"}, {"teal bar", "up to p99"}, {"orange bar", "last 1%"}}
	c.Shapes = fanOutBars(x, y, received, c.Keys)
	c.Columns = []string{"broadcast", "first", "median", "p99", "last"}
	c.rows(x, xs, func(i int) []string {
		b := received[i]
		return []string{r.broadcastName(b), micros(b.FirstUs), micros(b.P50Us), micros(b.P99Us), micros(b.LastUs)}
	})
	return c
}

// slowestOf keeps one of each n neighbours: that with the latest last receipt.
func slowestOf(all []record.Broadcast, n int) []record.Broadcast {
	var kept []record.Broadcast
	for group := range slices.Chunk(all, n) {
		kept = append(kept, slices.MaxFunc(group, func(a, b record.Broadcast) int { return cmp.Compare(a.LastUs, b.LastUs) }))
	}
	return kept
}

func fanOutBars(x, y axis, received []record.Broadcast, parts []key) []shape {
	paths := make([]strings.Builder, len(parts))
	for i, b := range received {
		left, right := 1000*x.at(float64(i+1)-0.36), 1000*x.at(float64(i+1)+0.36)
		edges := []int64{b.FirstUs, b.P50Us, b.P99Us, b.LastUs}
		for part := range paths {
			bottom, top := 1000-1000*y.at(float64(edges[part])/1000), 1000-1000*y.at(float64(edges[part+1])/1000)
			fmt.Fprintf(&paths[part], "M%.1f %.1fH%.1fV%.1fH%.1fZ", left, bottom, right, top, left)
		}
	}
	shapes := make([]shape, len(parts))
	for i, p := range parts {
		shapes[i] = shape{p.Class, paths[i].String()}
	}
	return shapes
}

// countSenders finds out what a broadcast needs for a name.
func (r *Result) countSenders() {
	for _, b := range r.Broadcasts {
		r.rooms, r.writers = max(r.rooms, b.Room+1), max(r.writers, b.Writer+1)
	}
}

// broadcastName is its number, after its room and its writer if there are several.
func (r *Result) broadcastName(b record.Broadcast) (name string) {
	if r.rooms > 1 {
		name = fmt.Sprintf("room %d ", b.Room)
	}
	if r.writers > 1 {
		name += fmt.Sprintf("writer %d ", b.Writer)
	}
	return name + fmt.Sprintf("#%d", b.Seq)
}

func micros(us int64) string { return duration(float64(us)) }

package report

import (
	"cmp"

	"github.com/roost-rt/roost/loadtest/record"
)

// A quantity is something that runs are compared by.
type quantity struct {
	name   string
	higher bool // is better
	of     func(*Result) *float64
}

// A family of quantities has one unit, one chart and one heading.
type family struct {
	id, title, about string
	unit             string // of JSON
	show             func(float64) string
	axis             string  // label of the chart; "" for no chart
	perAxis          float64 // how much of the unit is 1 on the axis
	members          []quantity
}

// families returns the quantities by which runs are compared, in the table's order.
func families() []family {
	return []family{
		{"rates", "Rates", "How fast clients connect and join, how fast a broadcast reaches its receivers, and how many pings are answered. More is better.",
			"per second", rate, "per second", 1, []quantity{
				{"connect and join", true, figure(func(s Summary) *float64 { return s.ConnectJoinPerSecond })},
				{"fan-out", true, figure(func(s Summary) *float64 { return s.FanOutPerSecond })},
				{"echo", true, figure(func(s Summary) *float64 { return cmp.Or(s.Echo, new(Echo)).RepliesPerSecond })},
			}},
		{"cpu", "Server CPU", "User and system time of all server processes. Less is better.",
			"microseconds", duration, "CPU, µs", 1, []quantity{
				{"per join", false, figure(func(s Summary) *float64 { return s.ServerCPUUsPerJoin })},
				{"per delivery", false, figure(func(s Summary) *float64 { return s.ServerCPUUsPerDelivery })},
				{"per reply", false, figure(func(s Summary) *float64 { return cmp.Or(s.Echo, new(Echo)).ServerCPUUsPerReply })},
				{"per heartbeat", false, figure(func(s Summary) *float64 { return cmp.Or(s.Idle, new(Idle)).ServerCPUUsPerHeartbeat })},
			}},
		{"memory", "Memory per client", "The cost of one more client. Kernel memory is slab and TCP buffers of the whole host, including other programs. Less is better.",
			"bytes", size, "KB per client", 1000, []quantity{
				{"server", false, figure(func(s Summary) *float64 { return s.ServerBytesPerClient })},
				{"client", false, figure(func(s Summary) *float64 { return s.ClientBytesPerClient })},
				{"kernel", false, figure(func(s Summary) *float64 { return s.KernelBytesPerClient })},
			}},
		{"broadcast", "One broadcast", "When the receivers of each run's median broadcast got it, counted from the intended send. Less is better.",
			"microseconds", duration, "latency, ms", 1000, []quantity{
				{"first", false, broadcast(func(b record.Broadcast) int64 { return b.FirstUs })},
				{"p50", false, broadcast(func(b record.Broadcast) int64 { return b.P50Us })},
				{"p99", false, broadcast(func(b record.Broadcast) int64 { return b.P99Us })},
				{"last", false, broadcast(func(b record.Broadcast) int64 { return b.LastUs })},
			}},
		{"latency", "Latency", "Of all receipts of a run, or in echo of all replies, counted from the intended send. Less is better.",
			"milliseconds", milliseconds, "latency, ms", 1, percentileMembers(func(s Summary) *Percentiles { return s.LatencyMs })},
		{"raw", "Latency from the actual send", "The same, counted from the actual send, so without the delays of the sender.",
			"milliseconds", milliseconds, "", 1, percentileMembers(func(s Summary) *Percentiles { return s.RawLatencyMs })},
		{"join", "Join latency", "From connect to the join reply. Less is better.",
			"milliseconds", milliseconds, "latency, ms", 1, percentileMembers(func(s Summary) *Percentiles { return s.JoinLatencyMs })},
		{"back", "Reconnect time", "From the end of their servers until this share of the disconnected clients had joined again. Less is better.",
			"milliseconds", milliseconds, "time, ms", 1, []quantity{
				{"50% back", false, figure(func(s Summary) *float64 { return cmp.Or(s.Comeback, new(Comeback)).Back50Ms })},
				{"99% back", false, figure(func(s Summary) *float64 { return cmp.Or(s.Comeback, new(Comeback)).Back99Ms })},
				{"all back", false, figure(func(s Summary) *float64 { return cmp.Or(s.Comeback, new(Comeback)).Back100Ms })},
			}},
		{"again", "Join again", "In churn, from the request to join again to the reply. Less is better.",
			"milliseconds", milliseconds, "latency, ms", 1, percentileMembers(func(s Summary) *Percentiles { return cmp.Or(s.Churn, new(Churn)).JoinMs })},
		{"leave", "Leave", "In churn, from the intended leave to the end of the channel. Less is better.",
			"milliseconds", milliseconds, "latency, ms", 1, percentileMembers(func(s Summary) *Percentiles { return cmp.Or(s.Churn, new(Churn)).LeaveMs })},
		{"faults", "Faults", "Messages lost, received twice or out of order or late, and errors of all kinds.",
			"count", number, "", 1, []quantity{
				{"lost", false, tally(func(s Summary) *int64 { return s.ofBroadcasts(s.Lost) })},
				{"duplicated", false, tally(func(s Summary) *int64 { return s.ofBroadcasts(s.Duplicated) })},
				{"reordered", false, tally(func(s Summary) *int64 { return s.ofBroadcasts(s.Reordered) })},
				{"late", false, tally(func(s Summary) *int64 { return s.ofBroadcasts(s.Late) })},
				{"errors", false, tally(func(s Summary) *int64 {
					if s.Errors == nil {
						return nil
					}
					n := total(s.Errors)
					return &n
				})},
			}},
	}
}

func percentileMembers(of func(Summary) *Percentiles) []quantity {
	at := func(pick func(Percentiles) float64) func(*Result) *float64 {
		return func(r *Result) *float64 {
			p := of(r.Summary)
			if p == nil {
				return nil
			}
			v := pick(*p)
			return &v
		}
	}
	return []quantity{
		{"p50", false, at(func(p Percentiles) float64 { return p.P50 })},
		{"p90", false, at(func(p Percentiles) float64 { return p.P90 })},
		{"p99", false, at(func(p Percentiles) float64 { return p.P99 })},
		{"p99.9", false, at(func(p Percentiles) float64 { return p.P999 })},
		{"max", false, at(func(p Percentiles) float64 { return p.Max })},
	}
}

func figure(of func(Summary) *float64) func(*Result) *float64 {
	return func(r *Result) *float64 { return of(r.Summary) }
}

func tally(of func(Summary) *int64) func(*Result) *float64 {
	return func(r *Result) *float64 {
		n := of(r.Summary)
		if n == nil {
			return nil
		}
		v := float64(*n)
		return &v
	}
}

// ofBroadcasts is nil in a scenario without any.
func (s Summary) ofBroadcasts(n *int64) *int64 {
	if !s.broadcasts() {
		return nil
	}
	return n
}

// broadcast is the median of what the broadcasts that arrived took.
func broadcast(us func(record.Broadcast) int64) func(*Result) *float64 {
	return func(r *Result) *float64 {
		var all []float64
		for _, b := range r.Broadcasts {
			if b.Delivered > 0 {
				all = append(all, float64(us(b)))
			}
		}
		if len(all) == 0 {
			return nil
		}
		v := median(all)
		return &v
	}
}

// number shows a median of counts, which may end in a half.
func number(n float64) string {
	if n != float64(int64(n)) {
		return count(int64(n)) + ".5"
	}
	return count(int64(n))
}

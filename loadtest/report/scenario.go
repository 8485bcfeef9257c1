package report

import (
	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/loadtest/record"
)

// Names of scenarios. In all but echo and idle, clients broadcast.
const (
	chat  = "chat"
	echo  = "echo"
	idle  = "idle"
	storm = "storm"
	kill  = "kill"
	churn = "churn"
	leave = "leave" // the other half of churn
	slow  = "slow"
	burst = "burst"
)

// Echo is what the pings of that scenario came to. Their latencies are those of
// the summary.
type Echo struct {
	ClosedLoop          bool     `json:"closed_loop,omitempty"` // a client pings when it was answered: none is ever late, and there is one latency; false in old records
	Replies             int64    `json:"replies"`
	RepliesPerSecond    *float64 `json:"replies_per_second"`
	ServerCPUUsPerReply *float64 `json:"server_cpu_us_per_reply"`
	ClientCPUUsPerReply *float64 `json:"client_cpu_us_per_reply"`
}

// Idle is what the heartbeats of that scenario came to.
type Idle struct {
	Heartbeats              int64    `json:"heartbeats"` // answered
	HeartbeatsPerSecond     *float64 `json:"heartbeats_per_second"`
	ServerCPUUsPerHeartbeat *float64 `json:"server_cpu_us_per_heartbeat"` // all that an idle server does, told to its heartbeats
}

// Comeback is how clients came back that were cut off, in storm and kill. A
// time until so many are back counts from the end of their servers to the join
// reply; nil if so many never were.
type Comeback struct {
	CutOff     *int64   `json:"cut_off"`      // clients; nil in old records of kill, which do not tell
	Back       int64    `json:"back"`         // clients
	Retries    int64    `json:"retries"`      // attempts that failed
	NoServerMs *int64   `json:"no_server_ms"` // nil in kill: other servers went on
	Back50Ms   *float64 `json:"back_50_percent_ms"`
	Back99Ms   *float64 `json:"back_99_percent_ms"`
	Back100Ms  *float64 `json:"back_100_percent_ms"`
}

// Churn is what the leaves and joins of that scenario came to.
type Churn struct {
	Joins          int64        `json:"joins"`
	JoinsPerSecond *float64     `json:"joins_per_second"`
	JoinMs         *Percentiles `json:"join_ms"` // from asking to join again to the reply
	Leaves         *int64       `json:"leaves"`
	LeaveMs        *Percentiles `json:"leave_ms"` // from the intended leave to the end of the channel
}

// Slow is what became of the clients that stopped to read.
type Slow struct {
	Stalled *int64 `json:"stalled"` // clients that stopped to read; nil in old records
	CutOff  int64  `json:"cut_off"` // of them, by the server
}

// Burst tells what became of the messages that clients pushed in one go. Broadcasts
// and their latencies are those of the summary.
type Burst struct {
	Replies int64        `json:"replies"`
	ReplyMs *Percentiles `json:"reply_ms"` // from the moment at which all were pushed to the reply
}

// Other is what a scenario came to that has no figures of its own here.
type Other struct {
	Name      string       `json:"name"`
	Count     int64        `json:"count"` // of what, the name says
	PerSecond *float64     `json:"per_second"`
	LatencyMs *Percentiles `json:"latency_ms"`
}

// scenario is what the run was about.
func (r *Result) scenario() string {
	if r.Run != nil {
		if name, ok := r.Run.Config["scenario"].(string); ok {
			return name
		}
	}
	if n := len(r.activities); n > 0 {
		return r.activities[n-1].Name
	}
	return chat // there was no other before they had names
}

// activity returns the last one of these names, or nil.
func (r *Result) activity(names ...string) (last *record.Activity) {
	for i := range r.activities {
		for _, name := range names {
			if r.activities[i].Name == name {
				last = &r.activities[i]
			}
		}
	}
	return last
}

func (r *Result) echo() *Echo {
	a := r.activity(echo)
	if a == nil {
		return nil
	}
	return &Echo{a.ClosedLoop, a.Count, ratio(a.Count*1000, a.Ms), cpuEach(a.ServerCPUNs, a.Count), cpuEach(a.ClientCPUNs, a.Count)}
}

func (r *Result) idle() *Idle {
	a := r.activity(idle)
	if a == nil {
		return nil
	}
	return &Idle{a.Count, ratio(a.Count*1000, a.Ms), cpuEach(a.ServerCPUNs, a.Count)}
}

// comeback wants to know how many clients had joined.
func (r *Result) comeback(joined *int64) *Comeback {
	a := r.activity(storm, kill)
	if a == nil {
		return nil
	}
	c := &Comeback{CutOff: measured(a.CutOff), Back: a.Count, Retries: a.Retries}
	if a.Name == storm { // which spares nobody
		c.CutOff, c.NoServerMs = joined, &a.Ms
	}
	all := c.Back
	if c.CutOff != nil {
		all = *c.CutOff
	}
	c.Back50Ms, c.Back99Ms, c.Back100Ms = untilBack(r.wayBack, 50, all), untilBack(r.wayBack, 99, all), untilBack(r.wayBack, 100, all)
	return c
}

func (r *Result) churn() (*Churn, error) {
	joins, leaves := r.activity(churn), r.activity(leave)
	if joins == nil {
		return nil, nil
	}
	c := &Churn{Joins: joins.Count, JoinsPerSecond: ratio(joins.Count*1000, joins.Ms)}
	var err error
	if c.JoinMs, err = latencies(joins); err != nil || leaves == nil {
		return c, err
	}
	c.Leaves = &leaves.Count
	c.LeaveMs, err = latencies(leaves)
	return c, err
}

func (r *Result) slow() *Slow {
	a := r.activity(slow)
	if a == nil {
		return nil
	}
	return &Slow{measured(a.Stalled), a.Count}
}

func (r *Result) burst() (*Burst, error) {
	a := r.activity(burst)
	if a == nil {
		return nil, nil
	}
	p, err := latencies(a)
	return &Burst{a.Count, p}, err
}

func (r *Result) others() (others []Other, err error) {
	for _, a := range r.activities {
		switch a.Name {
		case echo, idle, storm, kill, churn, leave, slow, burst:
			continue
		}
		p, err := latencies(&a)
		if err != nil {
			return nil, err
		}
		others = append(others, Other{a.Name, a.Count, ratio(a.Count*1000, a.Ms), p})
	}
	return others, nil
}

// latencies are nil if the activity has none.
func latencies(a *record.Activity) (*Percentiles, error) {
	h, err := decode(a.Name, a.Latency)
	return percentiles(h), err
}

// untilBack is when so many percent of all are back, in milliseconds. Those who
// never came back are not in h, but they are of all.
func untilBack(h *hdrhistogram.Histogram, percent float64, all int64) *float64 {
	if h == nil {
		return nil
	}
	share := percent * max(1, float64(all)/float64(h.TotalCount()))
	if share > 100 {
		return nil
	}
	ms := float64(h.ValueAtPercentile(share)) / 1000
	return &ms
}

// broadcasts reports whether the scenario sends any.
func (s Summary) broadcasts() bool { return s.Scenario != echo && s.Scenario != idle }

// closedLoop reports whether it is the answers that set the pace.
func (s Summary) closedLoop() bool { return s.Echo != nil && s.Echo.ClosedLoop }

// pings reports whether the scenario sends them.
func (s Summary) pings() bool { return s.Scenario == echo }

// arrival is what ends a latency.
func (s Summary) arrival() string {
	if s.pings() {
		return "reply"
	}
	return "receipt"
}

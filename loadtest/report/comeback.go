package report

import (
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/loadtest/record"
)

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

// Names of its scenarios.
const (
	storm = "storm"
	kill  = "kill"
)

// kills come to the same as storms, and are shown with them.
var kills = kind{name: kill, settings: sending("rate"), lacks: storms.lacks}

var storms = kind{
	name:     storm,
	parts:    []string{kill},
	settings: sending("rate", "how"),
	read:     func(r *Result, s *Summary) error { s.Comeback = r.comeback(s.Joined); return nil },
	lacks:    func(s Summary) string { return s.Comeback.lacks() },
	before: func(s Summary) string {
		if s.Comeback == nil {
			return ""
		}
		return fmt.Sprintf("%s disconnected clients reconnected. ", count(s.Comeback.Back))
	},
	blocks: func(s Summary) []block {
		c := s.Comeback
		if c == nil {
			return nil
		}
		return []block{c.block(), single("  reconnect time", []string{"50%", "99%", "100%"},
			c.until(c.Back50Ms, 50), c.until(c.Back99Ms, 99), c.until(c.Back100Ms, 100))}
	},
	lastCard: func(s Summary) *card {
		c := s.Comeback
		if c == nil {
			return nil
		}
		return &card{"99% reconnected", c.until(c.Back99Ms, 99), fmt.Sprintf("all %s, retries %s", c.until(c.Back100Ms, 100), count(c.Retries))}
	},
	firstCharts: func(r *Result) []chart {
		if r.Summary.Comeback == nil {
			return nil
		}
		return []chart{r.wayBackChart()}
	},
	events: func(a record.Activity) []event {
		if a.Name == kill {
			return []event{{a.AtMs, "server killed"}}
		}
		return []event{{a.AtMs, "servers down"}, {a.AtMs + a.Ms, "servers up again"}}
	},
}

// comeback wants to know how many clients had joined.
func (r *Result) comeback(joined *int64) *Comeback {
	a := r.activity(storm, kill)
	if a == nil {
		return nil
	}
	c := &Comeback{CutOff: measured(a.CutOff), Back: a.Count, Retries: a.Retries}
	if a.Name == storm { // which spares no one
		c.CutOff, c.NoServerMs = joined, &a.Ms
	}
	all := c.Back
	if c.CutOff != nil {
		all = *c.CutOff
	}
	c.Back50Ms, c.Back99Ms, c.Back100Ms = untilBack(r.wayBack, 50, all), untilBack(r.wayBack, 99, all), untilBack(r.wayBack, 100, all)
	return c
}

// lacks says what is missing, "" if nothing is. Old records do not tell how many were cut
// off, but then some came back.
func (c *Comeback) lacks() string {
	switch {
	case c == nil, c.Back == 0 && (c.CutOff == nil || *c.CutOff == 0):
		return "no client was disconnected"
	case c.CutOff != nil && c.Back < *c.CutOff:
		return fmt.Sprintf("%s of %s clients reconnected", count(c.Back), count(*c.CutOff))
	}
	return ""
}

// block is about the clients. Without a count of those cut off, or without a
// time when there was no server, it has no column for them.
func (c *Comeback) block() block {
	b := single("disconnected", []string{"reconnected", "retries"}, count(c.Back), count(c.Retries))
	row := &b.Rows[0]
	if c.CutOff != nil {
		b.Columns, row.Cells = append([]string{"clients"}, b.Columns...), append([]string{count(*c.CutOff)}, row.Cells...)
	}
	if c.NoServerMs != nil {
		b.Columns, row.Cells = append(b.Columns, "no server"), append(row.Cells, milliseconds(float64(*c.NoServerMs)))
	}
	return b
}

// until shows a time until so many percent are back.
func (c *Comeback) until(ms *float64, percent int64) string {
	if ms == nil && c.CutOff != nil && c.Back*100 < percent**c.CutOff {
		return "never"
	}
	return show(ms, milliseconds)
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

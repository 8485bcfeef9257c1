package report

// A block is a small table of figures, the same on a terminal and on a page.
type block struct {
	Title   string
	Columns []string
	Rows    []blockRow
	Note    string // what to know when reading it; "" for nothing
}

type blockRow struct {
	Label string
	Cells []string
}

// single is a block of one row without a label.
func single(title string, columns []string, cells ...string) block {
	return block{Title: title, Columns: columns, Rows: []blockRow{{"", cells}}}
}

// scenarioBlocks are what the scenario came to, broadcasts and latencies apart.
func (s Summary) scenarioBlocks() (blocks []block) {
	if t := s.TLS; t != nil {
		blocks = append(blocks, t.block())
	}
	if e := s.Echo; e != nil {
		blocks = append(blocks, single("echo", []string{"replies", "rate", "CPU/reply", "client CPU"},
			count(e.Replies), show(e.RepliesPerSecond, rate), show(e.ServerCPUUsPerReply, duration), show(e.ClientCPUUsPerReply, duration)))
	}
	if i := s.Idle; i != nil {
		blocks = append(blocks, single("idle", []string{"heartbeats", "rate", "CPU each"},
			count(i.Heartbeats), show(i.HeartbeatsPerSecond, rate), show(i.ServerCPUUsPerHeartbeat, duration)))
	}
	if c := s.Comeback; c != nil {
		blocks = append(blocks, c.block(), single("  reconnect time", []string{"50%", "99%", "100%"},
			c.until(c.Back50Ms, 50), c.until(c.Back99Ms, 99), c.until(c.Back100Ms, 100)))
	}
	if c := s.Churn; c != nil {
		blocks = append(blocks, c.block())
	}
	if w := s.Slow; w != nil {
		blocks = append(blocks, w.block())
	}
	if b := s.Burst; b != nil {
		blocks = append(blocks, b.block())
	}
	for _, o := range s.Others {
		blocks = append(blocks, o.block())
	}
	return blocks
}

func (o Other) block() block {
	b := single(o.Name, []string{"count", "rate"}, count(o.Count), show(o.PerSecond, rate))
	if l := o.LatencyMs; l != nil {
		b.Columns = append(b.Columns, "p50", "p99", "max")
		b.Rows[0].Cells = append(b.Rows[0].Cells, milliseconds(l.P50), milliseconds(l.P99), milliseconds(l.Max))
	}
	return b
}

// block has the joins and the leaves below each other. There are as many a second
// of the ones as of the others, but for those under way at the end.
func (c *Churn) block() block {
	b := block{Title: "churn", Columns: []string{"count", "p50", "p90", "p99", "max"}}
	b.Rows = append(b.Rows, c.JoinMs.counted("  join again", c.Joins))
	if c.Leaves != nil {
		b.Rows = append(b.Rows, c.LeaveMs.counted("  leave", *c.Leaves))
	}
	return b
}

// counted is a row of how many there were and how long they took.
func (p *Percentiles) counted(label string, n int64) blockRow {
	row := blockRow{label, []string{count(n)}}
	if p == nil {
		row.Cells = append(row.Cells, notMeasured)
		return row
	}
	for _, ms := range []float64{p.P50, p.P90, p.P99, p.Max} {
		row.Cells = append(row.Cells, milliseconds(ms))
	}
	return row
}

func (b *Burst) block() block {
	return block{Title: "pushed in one go", Columns: []string{"count", "p50", "p90", "p99", "max"},
		Rows: []blockRow{b.ReplyMs.counted("  reply", b.Replies)}}
}

// share is how many were cut off, of how many if that is known.
func (w *Slow) share() string {
	if w.Stalled == nil {
		return count(w.CutOff)
	}
	return count(w.CutOff) + " of " + count(*w.Stalled)
}

func (w *Slow) block() block {
	if w.Stalled == nil {
		return single("do not read", []string{"disconnected"}, count(w.CutOff))
	}
	return single("do not read", []string{"clients", "disconnected"}, count(*w.Stalled), count(w.CutOff))
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

// closedLoopSays is what the latency of a closed loop cannot see.
const closedLoopSays = "Closed loop: a client sends when it was answered. What a stall keeps it from sending is in no latency here " +
	"(coordinated omission), which is lower than that of users who do not wait for each other; -rate measures theirs."

// latencyBlock leaves the rows out that the scenario does not have.
func (s Summary) latencyBlock() block {
	b := block{Title: "latency", Columns: []string{"p50", "p90", "p99", "p99.9", "max"}}
	switch {
	case s.closedLoop():
		b.Rows, b.Note = append(b.Rows, s.LatencyMs.row("  send to reply")), closedLoopSays
	case s.broadcasts() || s.pings():
		b.Rows = append(b.Rows, s.LatencyMs.row("  intended send"), s.RawLatencyMs.row("  actual send"))
	}
	b.Rows = append(b.Rows, s.JoinLatencyMs.row("  join"))
	return b
}

func (p *Percentiles) row(label string) blockRow {
	if p == nil {
		return blockRow{label, []string{notMeasured}}
	}
	return blockRow{label, []string{
		milliseconds(p.P50), milliseconds(p.P90), milliseconds(p.P99), milliseconds(p.P999), milliseconds(p.Max),
	}}
}

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

// scenarioBlocks returns the results of the scenario, except broadcasts and latencies.
func (s Summary) scenarioBlocks() (blocks []block) {
	if t := s.TLS; t != nil {
		blocks = append(blocks, t.block())
	}
	for _, k := range kinds() {
		if k.blocks != nil {
			blocks = append(blocks, k.blocks(s)...)
		}
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

// closedLoopSays explains what the latency of a closed loop cannot show.
const closedLoopSays = "Closed loop: a client sends once it has its answer. Messages that a stall delays are missing from these latencies " +
	"(coordinated omission), so they are lower than independent users would see; use -rate to measure that."

// latencyBlock leaves the rows out that the scenario does not have.
func (s Summary) latencyBlock() block {
	b := block{Title: "latency", Columns: []string{"p50", "p90", "p99", "p99.9", "max"}}
	switch {
	case s.closedLoop():
		b.Rows, b.Note = append(b.Rows, s.LatencyMs.row("  send to "+s.arrival())), closedLoopSays
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

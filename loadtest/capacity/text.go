package capacity

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// width is the most columns of the text.
const width = 100

// A text is the report for people.
type text struct{ strings.Builder }

// WriteText writes the report in lines of 100 columns at most.
func (r *Report) WriteText(w io.Writer) error {
	var t text
	t.inputs(r)
	t.plans(r.Plans)
	t.simulated(r)
	t.list("Assumed", r.Assumed)
	t.list("Not measured", r.NotMeasured)
	_, err := io.WriteString(w, t.String())
	return err
}

func (t *text) inputs(r *Report) {
	t.line("Measured")
	for _, f := range r.Measured.figures() {
		from := f.From
		if from == "" {
			from = "assumed"
		}
		t.line(fmt.Sprintf("  %-48s %9s  %s", f.name, f.show(f.Value), from))
	}
	for _, run := range r.Measured.Runs {
		t.filled("  ", "    ", run)
	}
	w, m := r.Config.Workload, r.Config.Machine
	t.paragraph("Each client", fmt.Sprintf("is in %d of the rooms of %s clients each, sends a heartbeat every %s and stays for %s. Each room has %s messages of %s bytes a second.",
		w.Topics, digits(w.RoomSize), w.Heartbeat, w.Stay, strconv.FormatFloat(w.Rate, 'g', -1, 64), count(int64(w.Bytes))))
	t.paragraph("Each node", fmt.Sprintf("has %s cores, %s of memory, %s files and %s in each direction, of which %.0f %% stay free.",
		digits(m.Cores), size(m.Memory), count(m.Files), bits(m.Network), 100*m.Headroom))
}

// A row has a value for each plan.
type row struct {
	name  string
	value func(Plan) string
}

func (t *text) table(title string, plans []Plan, rows []row) {
	head := fmt.Sprintf("\n%-44s", title)
	for _, p := range plans {
		head += fmt.Sprintf(" %13s", count(int64(math.Round(p.Whole.Clients))))
	}
	t.line(head)
	for _, r := range rows {
		line := fmt.Sprintf("  %-42s", r.name)
		for _, p := range plans {
			line += fmt.Sprintf(" %13s", r.value(p))
		}
		t.line(line)
	}
}

func (t *text) plans(plans []Plan) {
	t.table("Plan, for clients", plans, []row{
		{"nodes", func(p Plan) string { return count(int64(p.Nodes)) }},
		{"  a node runs out first of", func(p Plan) string { return p.Bound }},
		{"memory", func(p Plan) string { return size(p.Whole.Memory) }},
		{"cores in use", func(p Plan) string { return digits(p.Whole.Cores.All) }},
		{"  deliveries", func(p Plan) string { return digits(p.Whole.Cores.Deliveries) }},
		{"  heartbeats", func(p Plan) string { return digits(p.Whole.Cores.Heartbeats) }},
		{"  joins of who comes and goes", func(p Plan) string { return digits(p.Whole.Cores.Joins) }},
		{"  clients' messages", func(p Plan) string { return digits(p.Whole.Cores.Pushes) }},
		{"  to and from NATS", func(p Plan) string { return digits(p.Whole.Cores.Cluster) }},
		{"network, in", func(p Plan) string { return bits(p.Whole.In) }},
		{"network, out", func(p Plan) string { return bits(p.Whole.Out) }},
	})
	t.table("Each node", plans, []row{
		{"clients", func(p Plan) string { return digits(p.Node.Clients) }},
		{"files", func(p Plan) string { return digits(math.Ceil(p.Node.Files)) }},
		{"memory", func(p Plan) string { return size(p.Node.Memory) }},
		{"cores in use", func(p Plan) string { return digits(p.Node.Cores.All) }},
		{"network, in", func(p Plan) string { return bits(p.Node.In) }},
		{"network, out", func(p Plan) string { return bits(p.Node.Out) }},
	})
	t.table("NATS, a second", plans, []row{
		{"messages in", func(p Plan) string { return digits(p.NATS.InMessages) }},
		{"messages out", func(p Plan) string { return digits(p.NATS.OutMessages) }},
		{"  of which beats", func(p Plan) string { return digits(p.NATS.Beats) }},
		{"bytes in", func(p Plan) string { return size(p.NATS.InBytes) }},
		{"bytes out", func(p Plan) string { return size(p.NATS.OutBytes) }},
		{"  of which beats", func(p Plan) string { return size(p.NATS.BeatBytes) }},
		{"subjects that nodes listen to, in all", func(p Plan) string { return digits(p.NATS.Subjects) }},
	})
}

func (t *text) simulated(r *Report) {
	t.table(fmt.Sprintf("Simulated, seed %d", r.Config.Seed), r.Plans, []row{
		{"clients of the fullest node, over the mean", func(p Plan) string { return fmt.Sprintf("%.4f", p.Spread.Busiest) }},
		{"nodes that have members of a room", func(p Plan) string { return digits(p.Spread.Home) }},
		{"nodes that hear a room's message", func(p Plan) string { return digits(p.Spread.Hear) }},
		{"buckets that a node listens to", func(p Plan) string { return digits(p.Spread.Buckets) }},
		{"clients that join a node, a second", func(p Plan) string { return digits(p.Churn.Joins) }},
		{"  first members of their room there", func(p Plan) string { return digits(p.Churn.Topics) }},
		{"  buckets that it gains", func(p Plan) string { return digits(p.Churn.Gains) }},
		{"  buckets that it leaves", func(p Plan) string { return digits(p.Churn.Losses) }},
		{"  messages out of NATS for that, all nodes", func(p Plan) string { return digits(p.Churn.Messages) }},
		{"a node dies: clients that come back", func(p Plan) string { return digits(float64(p.Storm.Clients)) }},
		{"  connects in the worst second, at a node", func(p Plan) string { return digits(float64(p.Storm.Peak)) }},
		{"  joins that a node can serve in a second", func(p Plan) string { return digits(p.Storm.Serves) }},
		{"  tries that the dead node refuses", func(p Plan) string { return digits(float64(p.Storm.Refused)) }},
		{"  half are back after", func(p Plan) string { return digits(p.Storm.Back50) + " s" }},
		{"  99 % are back after", func(p Plan) string { return digits(p.Storm.Back99) + " s" }},
		{"  all are back after", func(p Plan) string { return digits(p.Storm.Back) + " s" }},
		{"  buckets that each other node gains", func(p Plan) string { return digits(p.Storm.MoreHear) }},
	})
}

func (t *text) list(title string, sentences []string) {
	t.line("\n" + title)
	for _, s := range sentences {
		t.filled("  - ", "    ", s)
	}
}

func (t *text) paragraph(title, s string) { t.WriteString("\n"); t.filled("", "", title+" "+s) }

// filled is words in lines that fit.
func (t *text) filled(first, indent, words string) {
	line := first
	for word := range strings.FieldsSeq(words) {
		if len([]rune(line))+1+len([]rune(word)) > width {
			t.line(line)
			line = indent
		}
		if line != first && line != indent {
			line += " "
		}
		line += word
	}
	t.line(line)
}

// line cuts what does not fit, as a long name of a folder.
func (t *text) line(s string) {
	if all := []rune(s); len(all) > width {
		s = string(all[:width-1]) + "…"
	}
	t.WriteString(strings.TrimRight(s, " ") + "\n")
}

// count groups thousands: 1234567 is "1,234,567".
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign, s := s[:len(s)-len(strings.TrimPrefix(s, "-"))], strings.TrimPrefix(s, "-")
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// digits shows three of them, or all before the point.
func digits(v float64) string {
	switch {
	case v >= 99.95:
		return count(int64(math.Round(v)))
	case v == 0:
		return "0"
	case v < 0.001:
		return "< 0.001"
	}
	s := strconv.FormatFloat(v, 'g', 3, 64)
	if v < 0.9995 { // else it is 1
		s = strconv.FormatFloat(v, 'f', 3, 64)
	}
	return s
}

func micros(v float64) string   { return digits(v) + " µs" }
func size(bytes float64) string { return scaled(bytes, "B", "KB", "MB", "GB", "TB", "PB") }
func bits(perSecond float64) string {
	return scaled(perSecond, "bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s")
}

// scaled is in the unit that fits; each is a thousand of the one before.
func scaled(v float64, units ...string) string {
	for len(units) > 1 && v >= 999.5 {
		v /= 1000
		units = units[1:]
	}
	return digits(v) + " " + units[0]
}

package report

import (
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/roost-rt/roost/loadtest/record"
)

//go:embed assets
var assets embed.FS

// pageTemplate is parsed when the first page is written: most processes of a run are
// servers and clients, which never do, and would each have 200 KB of it.
var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{"breakable": breakable}).ParseFS(assets, "assets/*"))
})

// A page is all that the template shows, already in words.
type page struct {
	Title, Subtitle string
	OK              bool
	Headline        string
	Reasons         []string
	Thresholds      []Threshold
	Generator       *Generator
	ClientTCPSays   string
	Examples        []string
	Cards           []card
	Blocks          []block // what the scenario came to
	Charts          []chart
	PerClient       []bill
	Totals          []bill
	Command         string
	Tables          []settings
	Plan            []string
	Notes           []note
	Sends           bool // broadcasts
	Broadcasts      []broadcastRow
	BroadcastsOf    string // what the table holds of all
}

// settings is a table of names and values.
type settings struct {
	Title string
	Rows  []record.Setting
}

type note struct{ Level, At, Message string }

type broadcastRow struct {
	Name, At, Late, Delivered, Missing string
	First, Median, P99, Last           string
	Short                              bool // it was lost, or may have been
}

// WriteHTML writes one page that needs no other file and no network.
func (r *Result) WriteHTML(w io.Writer) error {
	if err := pageTemplate().ExecuteTemplate(w, "page.html", r.page()); err != nil {
		return fmt.Errorf("write HTML report: %w", err)
	}
	return nil
}

func (r *Result) page() page {
	p := page{
		Title:     r.Summary.title(),
		Headline:  headline(r.Summary),
		Examples:  r.Summary.LostExamples,
		Cards:     r.Summary.cards(),
		PerClient: r.Summary.perClientBill(),
		Totals:    r.totalBills(),
		Sends:     r.Summary.eachBroadcast(),
	}
	if r.Summary.Clients != nil {
		p.Title += fmt.Sprintf(", %s clients", count(*r.Summary.Clients))
	}
	p.OK, p.Reasons = Verdict(r.Summary)
	p.Thresholds, p.Generator = r.Summary.Thresholds, r.Summary.Generator
	p.ClientTCPSays = r.Summary.ClientTCPSays
	p.Charts = r.charts()
	if p.Blocks = r.Summary.scenarioBlocks(); len(p.Blocks) > 0 {
		p.Blocks = append(p.Blocks, r.Summary.latencyBlock())
	}
	p.Broadcasts, p.BroadcastsOf = r.broadcastRows()
	for _, n := range r.Notes {
		p.Notes = append(p.Notes, note{n.Level, seconds(n.AtMs), n.Message})
	}
	if r.Run != nil {
		p.describe(r)
	}
	if kinds := errorKinds(r.Summary.Errors); len(kinds) > 0 {
		p.Tables = append(p.Tables, settings{"Errors", kinds})
	}
	return p
}

// charts are those that the scenario has something to show in.
func (r *Result) charts() []chart {
	s, t := r.Summary, newTimeline(r.ticks, r.events()...)
	charts := []chart{t.clients()}
	for _, k := range kinds() {
		if k.firstCharts != nil {
			charts = append(charts, k.firstCharts(r)...)
		}
	}
	if s.broadcasts() {
		charts = append(charts, t.deliveries())
	}
	if of := kindOf(s.Scenario).charts; of != nil {
		charts = append(charts, of(r, t)...)
	}
	if s.broadcasts() || s.pings() {
		charts = append(charts, t.latency(s.arrival()), r.percentileChart())
	}
	if s.eachBroadcast() {
		charts = append(charts, r.fanOutChart())
	}
	charts = append(charts, t.memory(), t.cpu())
	if s.Generator != nil {
		charts = append(charts, t.generator())
	}
	return charts
}

// describe tells how to repeat the run.
func (p *page) describe(r *Result) {
	run := r.Run
	p.Subtitle = fmt.Sprintf("%s · commit %s · %s", run.Start, shortCommit(run.Commit), r.machine())
	p.Tables = append(p.Tables,
		settings{"Machine", append(r.host(),
			record.Setting{Name: "commit", Value: run.Commit}, record.Setting{Name: "start", Value: run.Start})},
		settings{"Kernel settings", run.Kernel},
		settings{"Configuration", configured(run.Config, r.Summary.Scenario)})
	p.Command = shellQuote(run.Command)
	p.Plan = run.Plan
}

// host is where the run was made.
func (r *Result) host() []record.Setting {
	m := r.Run.Machine
	return []record.Setting{
		{Name: "CPU", Value: m.CPU},
		{Name: "cores", Value: fmt.Sprint(m.Cores)},
		{Name: "memory", Value: size(float64(m.MemoryBytes))},
		{Name: "system", Value: m.OS},
		{Name: "Go", Value: m.Go},
		{Name: "server processes", Value: show(r.Summary.ServerProcesses, count)},
		{Name: "client processes", Value: show(r.Summary.ClientProcesses, count)},
	}
}

// maxBroadcastRows keeps the page of a long run light.
const maxBroadcastRows = 200

// broadcastRows shows all broadcasts, or of many the ones worth a look:
// incomplete first, then the slowest.
func (r *Result) broadcastRows() (rows []broadcastRow, of string) {
	all := r.Broadcasts
	of = fmt.Sprintf("%s broadcasts", count(int64(len(all))))
	if len(all) > maxBroadcastRows {
		of = fmt.Sprintf("%d of %s: the incomplete ones, then the slowest", maxBroadcastRows, of)
		all = slices.Clone(all)
		slices.SortStableFunc(all, worstFirst)
		all = all[:maxBroadcastRows]
	}
	if r.Summary.missed() > 0 {
		of += ". Missing includes clients that were away"
	}
	excused := r.Summary.Lost != nil && *r.Summary.Lost == 0 // then all that is missing was missed while away
	for _, b := range all {
		rows = append(rows, broadcastRow{
			Name: r.broadcastName(b), At: seconds(b.AtMs), Late: micros(b.SendLateUs),
			Delivered: count(b.Delivered), Missing: count(b.Expected - b.Delivered),
			First: micros(b.FirstUs), Median: micros(b.P50Us), P99: micros(b.P99Us), Last: micros(b.LastUs),
			Short: b.Delivered != b.Expected && !excused,
		})
	}
	return rows, of
}

func worstFirst(a, b record.Broadcast) int {
	return cmp.Or(cmp.Compare(b.Expected-b.Delivered, a.Expected-a.Delivered), cmp.Compare(b.LastUs, a.LastUs))
}

func errorKinds(errors map[string]int64) []record.Setting {
	var kinds []record.Setting
	for _, kind := range slices.Sorted(maps.Keys(errors)) {
		kinds = append(kinds, record.Setting{Name: kind, Value: count(errors[kind])})
	}
	return kinds
}

func seconds(ms int64) string { return fmt.Sprintf("%.1f s", float64(ms)/1000) }

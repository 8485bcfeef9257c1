package report_test

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

func html(t *testing.T, r *report.Result) string {
	t.Helper()
	var out strings.Builder
	if err := r.WriteHTML(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// longRun has more ticks and broadcasts than a page shows one by one.
func longRun() []record.Record {
	var records []record.Record
	for i := range int64(3000) {
		records = append(records, record.Record{Tick: &record.Tick{AtMs: i * 1000, Phase: "broadcast", P50Us: 1000, P99Us: 2000}})
	}
	records[1230].Tick.P99Us = 7_770_000
	for i := range int64(600) {
		records = append(records, record.Record{Broadcast: &record.Broadcast{Seq: i, AtMs: i * 1000, Expected: 10, Delivered: 10, LastUs: 5000 + i%7}})
	}
	records[3333].Broadcast.Delivered = 4
	return records
}

// The page is written as well-formed XML, so that a strict parser can prove
// that every element is closed.
func TestPageIsWellFormed(t *testing.T) {
	for name, records := range map[string][]record.Record{
		"run": fixture(t), "empty": nil, "died early": fixture(t)[:12], "one tick": fixture(t)[:3], "long": longRun(),
	} {
		t.Run(name, func(t *testing.T) {
			wantWellFormed(t, html(t, newResult(t, records)))
		})
	}
}

func wantWellFormed(t *testing.T, page string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Entity = xml.HTMLEntity
	ids := map[string]bool{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range element.Attr {
			if a.Name.Local == "id" && ids[a.Value] {
				t.Errorf("id %q occurs twice", a.Value)
			}
			ids[a.Value] = ids[a.Value] || a.Name.Local == "id"
		}
	}
	for _, bad := range []string{"NaN", "Inf", "ZgotmplZ", "&lt;nil&gt;"} {
		if strings.Contains(page, bad) {
			t.Errorf("HTML contains %s", bad)
		}
	}
}

func TestPageNeedsNoOtherFile(t *testing.T) {
	wantAlone(t, html(t, newResult(t, fixture(t))))
}

func wantAlone(t *testing.T, page string) {
	t.Helper()
	for _, fetches := range []string{`(?i)<(script|link|img|iframe|object|embed)\b`, `(?i)\b(src|href)\s*=`, `(?i)url\(`, `(?i)@import`, `https?://`} {
		if found := regexp.MustCompile(fetches).FindString(page); found != "" {
			t.Errorf("HTML contains %q", found)
		}
	}
}

func TestPageEscapes(t *testing.T) {
	const attack = `<script>alert("1")</script>`
	records := fixture(t)
	for _, r := range records {
		if r.Run != nil {
			r.Run.Command = append(r.Run.Command, attack)
			r.Run.Config[attack] = attack
			r.Run.Machine.CPU = attack
		}
		if r.Note != nil {
			r.Note.Message, r.Note.Level = attack, `"`+attack
		}
		if r.Tick != nil {
			r.Tick.Phase = attack
		}
	}
	out := html(t, newResult(t, records))
	if strings.Contains(out, "<script") {
		t.Error("HTML contains a script element")
	}
	if want := "&#39;&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;&#39;"; !strings.Contains(out, want) {
		t.Errorf("HTML does not contain the command escaped, %s", want)
	}
}

func TestPageShowsEveryChart(t *testing.T) {
	out := html(t, newResult(t, fixture(t)))
	for _, id := range []string{"clients", "deliveries", "latency", "percentiles", "fanout", "memory", "cpu", "bill"} {
		_, figure, found := strings.Cut(out, `<figure class="panel" id="`+id+`">`)
		figure, _, _ = strings.Cut(figure, "</figure>")
		if !found || strings.Contains(figure, "not measured") {
			t.Errorf("chart %q is missing or says not measured", id)
		}
	}
}

// Thinning a long run must hide neither its worst second nor its worst broadcast.
func TestLongRunKeepsItsPeaks(t *testing.T) {
	out := html(t, newResult(t, longRun()))
	for _, want := range []string{"Each point covers 13 ticks.", "<td>7.77 s</td>", `%">600</span>`, `<b>8,000</b>`, "Each bar is the slowest of 3 in a row.", `<th scope="row">#6</th>`, "200 of 600 broadcasts", `<tr class="short"><th scope="row">#333</th>`} {
		if !strings.Contains(out, want) {
			t.Errorf("HTML does not contain %q", want)
		}
	}
}

// A small run may give memory back. That is no cost of a client, and has no bar.
func TestMemoryBillMayShrink(t *testing.T) {
	out := html(t, newResult(t, []record.Record{
		{Memory: &record.Memory{When: "empty", ServerRSS: 20_000}},
		{Memory: &record.Memory{When: "joined", Clients: 10, ServerRSS: 5_000}},
	}))
	for _, want := range []string{"Server memory per client", "not measured", "it held 5.00 KB when all had joined, and 20.0 KB before"} {
		if !strings.Contains(out, want) {
			t.Errorf("HTML does not contain %q", want)
		}
	}
	if strings.Contains(out, "width:-") {
		t.Error("HTML has a bar of negative width")
	}
}

func TestMemoryBillTellsWhatIsLeft(t *testing.T) {
	r := newResult(t, []record.Record{
		{Memory: &record.Memory{When: "joined", ServerRSS: 2e9, ClientRSS: 1e9, KernelBytes: 12e9, AvailableBytes: 8e9}},
		{Memory: &record.Memory{When: "after", ServerRSS: 2e9, ClientRSS: 1e9}},
	})
	for name, test := range map[string]struct{ out, joined, after string }{
		"HTML": {html(t, r), "all processes 3.00 GB · left on the host 8.00 GB", "all processes 3.00 GB · left on the host not measured"},
		"text": {text(t, r), "12.0 GB      15.0 GB      8.00 GB\n", "not measured not measured not measured\n"},
	} {
		if !strings.Contains(test.out, test.joined) || !strings.Contains(test.out, test.after) {
			t.Errorf("%s = %s\nwant %q and %q in it", name, test.out, test.joined, test.after)
		}
	}
}

// Ticks of one moment have no rate between them, nor has a total that falls;
// neither may spoil the others.
func TestRatesThatAreNone(t *testing.T) {
	out := html(t, newResult(t, []record.Record{
		{Tick: &record.Tick{AtMs: 1000}},
		{Tick: &record.Tick{AtMs: 1000, Delivered: 1}},
		{Tick: &record.Tick{AtMs: 2000, Delivered: 43}},
		{Tick: &record.Tick{AtMs: 3000, Delivered: 7}},
	}))
	if want := "<td>42.0 /s</td>"; strings.Count(out, want) != 1 {
		t.Errorf("HTML contains %q %d times, want once", want, strings.Count(out, want))
	}
	if strings.Contains(out, "-36") {
		t.Error("HTML shows a negative rate")
	}
}

// What was missed by those who were away is no loss; if there were losses, too,
// nobody can tell which is which.
func TestBroadcastsMissedWhileAway(t *testing.T) {
	short := `<tr class="short">`
	if out := html(t, churned(t, 100)); strings.Contains(out, short) || !strings.Contains(out, "Missing includes clients that were away") {
		t.Error("HTML marks a broadcast that only clients missed who were away, or does not say so")
	}
	lost := newResult(t, []record.Record{
		{Broadcast: &record.Broadcast{Seq: 1, Expected: 100, Delivered: 93}},
		{End: &record.End{Clients: 100, Joined: 100, Expected: 94, Delivered: 93, Lost: 1, Away: 6}},
	})
	if !strings.Contains(html(t, lost), short) {
		t.Error("HTML does not mark a broadcast of a run that lost messages")
	}
}

func TestBroadcastNames(t *testing.T) {
	for _, test := range []struct {
		rooms, writers int
		want           string // of the last one
	}{
		{1, 1, "#7"}, {3, 1, "room 2 #7"}, {1, 4, "writer 3 #7"}, {3, 4, "room 2 writer 3 #7"},
	} {
		r := newResult(t, []record.Record{
			{Broadcast: &record.Broadcast{Seq: 1, Expected: 1, Delivered: 1}},
			{Broadcast: &record.Broadcast{Room: test.rooms - 1, Writer: test.writers - 1, Seq: 7, Expected: 1, Delivered: 1}},
		})
		// In the table of broadcasts and in that of the fan-out.
		if got := strings.Count(html(t, r), `<th scope="row">`+test.want+`</th>`); got != 2 {
			t.Errorf("%d rooms, %d writers: %q is in HTML %d times, want 2", test.rooms, test.writers, test.want, got)
		}
		if read := readBack(t, r); strings.Count(html(t, read), `<th scope="row">`+test.want+`</th>`) != 2 {
			t.Errorf("%q is lost in JSON", test.want)
		}
	}
}

// dataOf are the second cells of the table of a chart.
func dataOf(page, id string) (cells []string) {
	_, figure, _ := strings.Cut(page, `<figure class="panel" id="`+id+`">`)
	figure, _, _ = strings.Cut(figure, "</figure>")
	for _, m := range regexp.MustCompile(`<th scope="row">[^<]*</th><td>([^<]*)</td>`).FindAllStringSubmatch(figure, -1) {
		cells = append(cells, m[1])
	}
	return cells
}

// Client processes tell their totals less often than there are ticks: that must
// not look as if nothing had come in between.
func TestRatesAreSpread(t *testing.T) {
	for _, test := range []struct {
		name   string
		totals []int64 // at ticks of one second
		want   string
	}{
		{"told every second", []int64{0, 10, 20, 20, 50}, "10 10 0 30"},
		{"told every other second", []int64{0, 0, 20, 20, 60, 60, 80}, "10 10 20 20 10 10"},
		{"a pause stays one", []int64{0, 0, 20, 20, 60, 60, 60, 60, 60, 60, 60, 100}, "10 10 20 20 0 0 0 0 0 20 20"},
		{"some processes in between", []int64{0, 0, 200, 202, 400, 402, 600, 600, 800}, "100 101 100 100 100 99 100 100"},
		{"nothing", []int64{0, 0, 0}, "0 0"},
		{"never twice", []int64{0, 0, 0, 0, 0, 0, 0, 0, 50}, "0 0 0 0 0 0 0 50"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ticks := func(of func(*record.Tick) *int64) (records []record.Record) {
				for i, total := range test.totals {
					tick := &record.Tick{AtMs: int64(i) * 1000}
					*of(tick) = total
					records = append(records, record.Record{Tick: tick})
				}
				return records
			}
			chat := newResult(t, ticks(func(t *record.Tick) *int64 { return &t.Delivered }))
			echo := newResult(t, append(ticks(func(t *record.Tick) *int64 { return &t.Replies }), record.Record{Activity: pinged(t)}))
			for id, page := range map[string]string{"deliveries": html(t, chat), "replies": html(t, echo)} {
				if id == "replies" && test.name == "nothing" {
					continue // old records of echo do not tell
				}
				got := strings.NewReplacer(".0 /s", "", " /s", "").Replace(strings.Join(dataOf(page, id), " "))
				if got != test.want {
					t.Errorf("%s = %s, want %s", id, got, test.want)
				}
			}
		})
	}
}

// A chart that jumps says why.
func TestEventsAreMarked(t *testing.T) {
	page := html(t, played(t, cutOff(t, 100), broadcasts(0)))
	for _, want := range []string{
		`<span class="event" style="left:50.00%"><b style="top:0.2em">servers down</b></span>`,
		`<span class="event late" style="left:85.00%"><b style="top:1.2em">servers up again</b></span>`,
	} {
		if strings.Count(page, want) < 3 {
			t.Errorf("HTML has %q %d times, want it in each chart over time", want, strings.Count(page, want))
		}
	}
	if page := html(t, played(t, killed(t, 40), broadcasts(0))); !strings.Contains(page, "server killed") {
		t.Error("HTML does not mark the kill")
	}
}

// Values between gaps are drawn so large that they can be seen.
func TestLoneValuesAreDots(t *testing.T) {
	out := html(t, newResult(t, []record.Record{
		{Tick: &record.Tick{AtMs: 1000, P50Us: 5000}},
		{Tick: &record.Tick{AtMs: 2000}},
		{Tick: &record.Tick{AtMs: 3000, P50Us: 5000}},
		{Tick: &record.Tick{AtMs: 4000, P50Us: 5000}},
	}))
	_, figure, _ := strings.Cut(out, `id="latency"`)
	figure, _, _ = strings.Cut(figure, "</figure>")
	found := regexp.MustCompile(`<path class="blue dot" d="([^"]*)"`).FindStringSubmatch(figure)
	if found == nil || strings.Count(found[1], "M") != 1 {
		t.Errorf("dots %q, want one", found)
	}
}

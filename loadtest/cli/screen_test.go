package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/record"
)

// shown returns what a screen writes to a file when it gets these records. With terminal,
// it takes the file for a terminal of unknown size.
func shown(t *testing.T, terminal bool, records ...record.Record) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "screen")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s := newScreen(file)
	if s.terminal {
		t.Fatal("a file counts as a terminal")
	}
	s.terminal = terminal
	for _, r := range records {
		s.show(r)
	}
	s.end()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// started is the first record of a run.
func started(scenario plan.Scenario, config map[string]any) record.Record {
	if config == nil {
		config = make(map[string]any)
	}
	config["scenario"] = scenario
	return record.Record{Run: &record.Run{Config: config}}
}

func tick(t record.Tick) record.Record { return record.Record{Tick: &t} }

// Elsewhere than on a terminal there is a line for a state, whose counts are those of
// its phase and scenario, with what came a second since the line before.
func TestLines(t *testing.T) {
	t.Parallel()
	const rest = "; MB: server 20, clients 10, kernel +5\n"
	used := func(t record.Tick) record.Record {
		t.ServerRSS, t.ClientRSS, t.KernelBytes = 20_900_000, 10_100_000, 5_000_000
		return tick(t)
	}
	for _, tt := range []struct {
		scenario plan.Scenario
		config   map[string]any
		states   []record.Tick
		want     []string
	}{
		{"chat", nil, []record.Tick{{Phase: "connect", Connected: 100, Joined: 100}, {AtMs: 2000, Phase: "connect", Connected: 900, Joined: 800}},
			[]string{"  0 s connect   connected 100, joined 100, errors 0", "  2 s connect   connected 900, joined 800 (350/s), errors 0"}},
		{"chat", map[string]any{"messages": 20, "writers": 2}, []record.Tick{{AtMs: 1000, Phase: "broadcast", Sent: 1, Delivered: 100}, {AtMs: 3000, Phase: "broadcast", Connected: 100, Sent: 7, Delivered: 700, P99Us: 12_340}},
			[]string{"  1 s broadcast connected 0, sent 1 of 40, delivered 100 (100/s), p99 –, errors 0", "  3 s broadcast connected 100, sent 7 of 40, delivered 700 (300/s), p99 12.3 ms, errors 0"}},
		{"echo", nil, []record.Tick{{Phase: "echo", Replies: 1000}, {AtMs: 1000, Phase: "echo", Replies: 5000, P99Us: 999}},
			[]string{"  0 s echo      1000 replies, p99 –, errors 0", "  1 s echo      5000 replies (4000/s), p99 1.0 ms, errors 0"}},
		{"idle", nil, []record.Tick{{Phase: "idle", Joined: 9, Heartbeats: 2}, {AtMs: 4000, Phase: "idle", Joined: 9, Heartbeats: 12}},
			[]string{"  0 s idle      joined 9, 2 heartbeats, errors 0", "  4 s idle      joined 9, 12 heartbeats (2/s), errors 0"}},
		{"chat", nil, []record.Tick{{Phase: "broadcast", Sent: 3}}, []string{"  0 s broadcast connected 0, sent 3, delivered 0, p99 –, errors 0"}},
		{"storm", nil, []record.Tick{{AtMs: 120_999, Phase: "storm", Connected: 5, Joined: 9, Present: 4, Errors: map[string]int64{"dial": 2, "timeout": 3}}},
			[]string{"120 s storm     connected 5, joined 4, errors 5"}},
	} {
		records := []record.Record{started(tt.scenario, tt.config)}
		for _, state := range tt.states {
			records = append(records, used(state))
		}
		if got, want := shown(t, false, records...), strings.Join(tt.want, rest)+rest; got != want {
			t.Errorf("%s: shown\n%swant\n%s", tt.scenario, got, want)
		}
	}
}

// There is about one line a second: of states in between the last, with the highest
// latencies of all, and none is lost at the end of a phase and of the run.
func TestHowOftenLinesCome(t *testing.T) {
	t.Parallel()
	at := func(ms int64, phase string, p99 int64) record.Record {
		return tick(record.Tick{AtMs: ms, Phase: phase, Replies: ms, P99Us: p99, P50Us: 1})
	}
	for _, tt := range []struct {
		name   string
		states []record.Record
		want   []string // AtMs and p99 of each line
	}{
		{"none", nil, nil},
		{"close together", []record.Record{at(0, "echo", 1000), at(300, "echo", 2000), at(600, "echo", 1000), at(899, "echo", 1000)}, []string{"0 1.0", "899 2.0"}},
		{"a second apart", []record.Record{at(0, "echo", 1000), at(900, "echo", 2000), at(1800, "echo", 3000)}, []string{"0 1.0", "900 2.0", "1800 3.0"}},
		{"latency of all since", []record.Record{at(0, "echo", 1000), at(500, "echo", 9000), at(1000, "echo", 4000), at(2000, "echo", 5000)}, []string{"0 1.0", "1000 9.0", "2000 5.0"}},
		{"the end of a phase", []record.Record{at(0, "echo", 1000), at(500, "echo", 2000), at(600, "close", 0), at(700, "close", 0)}, []string{"0 1.0", "500 2.0", "700 –"}},
	} {
		text := shown(t, false, append([]record.Record{started("echo", nil)}, tt.states...)...)
		var got []string
		for line := range strings.Lines(text) {
			_, rest, _ := strings.Cut(line, "s ")
			words := strings.Fields(strings.ReplaceAll(rest, ",", ""))
			p99 := "–"
			if i := slices.Index(words, "p99"); i > 0 {
				p99 = words[i+1]
			}
			replies := words[slices.Index(words, "replies")-1]
			got = append(got, replies+" "+p99)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: lines %q, want %q:\n%s", tt.name, got, tt.want, text)
		}
	}
}

// Notes come at once, between the states.
func TestNotes(t *testing.T) {
	t.Parallel()
	text := shown(t, false, started("idle", nil), tick(record.Tick{Phase: "idle"}),
		record.Record{Note: &record.Note{Level: "warn", Message: "server process 1 is gone"}}, tick(record.Tick{AtMs: 5000, Phase: "idle"}))
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "  0 s idle") || lines[1] != "warn: server process 1 is gone" || !strings.HasPrefix(lines[2], "  5 s idle") {
		t.Errorf("shown\n%s", text)
	}
}

// A terminal has the whole state, each line drawn over the one before.
func TestView(t *testing.T) {
	t.Parallel()
	errors := map[string]int64{"timeout": 7, "dial": 2, "join refused": 7}
	text := shown(t, true, started("chat", map[string]any{"messages": 20, "writers": 1}),
		tick(record.Tick{Phase: "connect", Connected: 20, Joined: 10, ServerCPUNs: 1e9, ClientCPUNs: 2e9}),
		tick(record.Tick{AtMs: 2000, Phase: "broadcast", Connected: 100, Joined: 80, Sent: 3, Delivered: 240, Errors: errors,
			ServerRSS: 20e6, ServerCPUNs: 2e9, ClientRSS: 10e6, ClientCPUNs: 2.5e9, KernelBytes: 5e6, P50Us: 1500, P99Us: 20_040}))
	frame := func(lines ...string) string { return strings.Join(lines, "\x1b[K\n") + "\x1b[K\n" }
	want := frame("   0 s     connect", "connected  20", "joined     10", "messages   sent 0, delivered 0", "latency    no receipts", "errors     none",
		"server     0 MB, CPU 0 %", "clients    0 MB, CPU 0 %", "kernel     +0 MB") +
		"\x1b[9F" +
		frame("   2 s     broadcast", "connected  100 (40/s)", "joined     80 (35/s)", "messages   sent 3 of 20, delivered 240 (120/s)", "latency    p50 1.5 ms, p99 20.0 ms",
			"errors     7 × join refused, 7 × timeout, 2 × dial", "server     20 MB, CPU 50 %", "clients    10 MB, CPU 25 %", "kernel     +5 MB")
	if text != want {
		t.Errorf("shown %q\nwant  %q", text, want)
	}
}

// A note clears the view, stays, and the next view is drawn below it.
func TestNotesOnATerminal(t *testing.T) {
	t.Parallel()
	text := shown(t, true, started("idle", nil), tick(record.Tick{Phase: "idle"}),
		record.Record{Note: &record.Note{Level: "info", Message: "hello"}}, tick(record.Tick{AtMs: 1000, Phase: "idle"}))
	_, after, _ := strings.Cut(text, "\x1b[9F")
	if !strings.HasPrefix(after, "\x1b[Jinfo: hello\n   1 s     idle\x1b[K\n") {
		t.Errorf("after the note comes %q", after)
	}
}

// On a terminal a state is drawn at most every 0.4 s, and the last one in any case.
func TestHowOftenViewsCome(t *testing.T) {
	t.Parallel()
	var records []record.Record
	for ms := int64(0); ms <= 1300; ms += 100 {
		records = append(records, tick(record.Tick{AtMs: ms, Phase: "idle"}))
	}
	// At 0, 400, 800, 1200 and, as the last, 1300 ms.
	if got := strings.Count(shown(t, true, records...), " s     idle"); got != 5 {
		t.Errorf("%d views, want 5", got)
	}
}

// What is wider than the terminal is cut, with a sign that it was.
func TestFit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		columns uint16
		line    string
		want    string
	}{
		{0, "unknown width", "unknown width"},
		{1, "no room", "no room"},
		{2, "1", "1"},
		{2, "12", "…"},
		{5, "1234", "1234"},
		{5, "12345", "123…"},
		{5, "äöüß", "äöüß"},
		{5, "äöüßé", "äöü…"},
		{80, "short", "short"},
	} {
		s := new(screen)
		s.size.Col = tt.columns
		if got := s.fit(tt.line); got != tt.want {
			t.Errorf("%q in %d columns is %q, want %q", tt.line, tt.columns, got, tt.want)
		}
	}
}

// A view is drawn over the one before, as many rows as that takes now: a terminal that
// has become narrower breaks its lines, and what has scrolled away is not drawn over.
func TestRedraw(t *testing.T) {
	t.Parallel()
	const clear, end = "\x1b[J", "\x1b[K\n"
	up := func(rows int) string { return fmt.Sprintf("\x1b[%dF", rows) }
	type size = unix.Winsize
	ten := strings.Repeat("x", 10)
	for _, tt := range []struct {
		name         string
		before, now  size
		first, lines []string
		want         string // after the first view
	}{
		{"as large", size{Row: 9, Col: 20}, size{Row: 9, Col: 20}, []string{"a", "b"}, []string{"c", "d"}, up(2) + "c" + end + "d" + end},
		{"fewer lines", size{Row: 9, Col: 20}, size{Row: 9, Col: 20}, []string{"a", "b"}, []string{"c"}, up(2) + "c" + end + clear},
		{"more lines", size{Row: 9, Col: 20}, size{Row: 9, Col: 20}, []string{"a"}, []string{"c", "d"}, up(1) + "c" + end + "d" + end},
		{"no lines, before a note", size{Row: 9, Col: 20}, size{Row: 9, Col: 20}, []string{"a", "b"}, nil, up(2) + clear},
		{"wider", size{Row: 9, Col: 20}, size{Row: 9, Col: 40}, []string{ten}, []string{"c"}, up(1) + clear + "c" + end},
		{"half as wide", size{Row: 9, Col: 20}, size{Row: 9, Col: 5}, []string{ten, "a"}, []string{ten}, up(3) + clear + "xxx…" + end + clear},
		{"just as wide as the line", size{Row: 9, Col: 20}, size{Row: 9, Col: 10}, []string{ten}, []string{"c"}, up(1) + clear + "c" + end},
		{"a column less", size{Row: 9, Col: 20}, size{Row: 9, Col: 9}, []string{ten}, []string{"c"}, up(2) + clear + "c" + end},
		{"an empty line", size{Row: 9, Col: 20}, size{Row: 9, Col: 5}, []string{""}, []string{"c"}, up(1) + clear + "c" + end},
		{"too low for all lines", size{Row: 3, Col: 20}, size{Row: 3, Col: 20}, []string{"a", "b", "c"}, []string{"d", "e", "f"}, up(2) + "d" + end + "e" + end},
		{"has become too low", size{Row: 9, Col: 20}, size{Row: 3, Col: 20}, []string{"a", "b", "c", "d"}, []string{"e", "f", "g"}, up(2) + clear + "e" + end + "f" + end + clear},
		{"one row", size{Row: 1, Col: 20}, size{Row: 1, Col: 20}, []string{"a"}, []string{"b"}, up(1) + "b" + end}, // it does not know better
		{"of unknown size", size{}, size{}, []string{ten}, []string{"c"}, up(1) + "c" + end},
	} {
		file, err := os.Create(filepath.Join(t.TempDir(), "terminal"))
		if err != nil {
			t.Fatal(err)
		}
		is := tt.before
		s := &screen{file: file, terminal: true, size: tt.before, ask: func() (*unix.Winsize, error) {
			if is == (size{}) {
				return nil, unix.ENOTTY
			}
			return &is, nil
		}}
		s.redraw(tt.first)
		first, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		is = tt.now
		s.redraw(tt.lines)
		all, err := os.ReadFile(file.Name())
		file.Close()
		if got := string(all[len(first):]); err != nil || got != tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
}

// How many messages there will be is known where all writers are alike and in one
// cluster.
func TestPlannedMessages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		scenario plan.Scenario
		config   map[string]any
		want     int64
	}{
		{"chat", map[string]any{"messages": 20, "writers": 3}, 60},
		{"chat", map[string]any{"messages": 20.0, "writers": 3.0}, 60}, // as JSON has them
		{"chat", map[string]any{"messages": 2, "writers": 1e6}, 2_000_000},
		{"chat", map[string]any{"messages": 20, "writers": 3, "apart": false}, 60},
		{"chat", map[string]any{"messages": 20, "writers": 3, "apart": true}, 0},
		{"rooms", map[string]any{"messages": 20, "writers": 3}, 0},
		{"idle", map[string]any{"messages": 20, "writers": 3}, 0},
		{"chat", nil, 0},
	} {
		if got := planned(tt.scenario, tt.config); got != tt.want {
			t.Errorf("%s of %v: %d messages, want %d", tt.scenario, tt.config, got, tt.want)
		}
	}
}

// Rates and shares are of the time since the last state, and nothing of no time.
func TestRatesAndShares(t *testing.T) {
	t.Parallel()
	s := &screen{last: record.Tick{AtMs: 1000}}
	for _, tt := range []struct {
		at, n       int64
		rate, share string
	}{
		{3000, 5, " (2/s)", "0 %"},
		{3000, 0, "", "0 %"},
		{1500, 1_000_000_000, " (2000000000/s)", "200 %"},
		{1000, 5, "", "0 %"},
		{900, 5, "", "0 %"},
		{2000, -40_000_000, " (-40000000/s)", "0 %"}, // a process has ended, and took its CPU time along
	} {
		now := &record.Tick{AtMs: tt.at}
		if rate, share := s.rate(now, tt.n), s.share(now, tt.n); rate != tt.rate || share != tt.share {
			t.Errorf("%d more at %d ms: %q and %q, want %q and %q", tt.n, tt.at, rate, share, tt.rate, tt.share)
		}
	}
}

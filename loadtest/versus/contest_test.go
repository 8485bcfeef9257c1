package versus

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/report"
)

// missed is the exit code of the fakes for a run that missed something.
const missed = 99

// program is a shell script in place of this program. It has $out, the folder that a
// run is to write to, $server, the command of the server or "", and $kind, which is
// chat or echo.
func program(t *testing.T, script string) Program {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	text := `#!/bin/bash
kind=$1; all="$*"; server=
while [ $# -gt 0 ]; do case "$1" in -out) out=$2; shift;; -server) server=$2; shift;; esac; shift; done
` + script
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return Program{Command: []string{path}, Name: "loadtest", Records: "records.jsonl", Missed: missed}
}

// records are what a run writes down: of a chat, or of an echo.
func records(t *testing.T) (chat, echo string) {
	t.Helper()
	folder := t.TempDir()
	chat, echo = filepath.Join(folder, "chat"), filepath.Join(folder, "echo")
	const run = `{"run":{"schema":1,"start":"2026-11-30T12:00:00Z","command":["loadtest"],"commit":"c0ffee","config":{"heartbeat_ns":3e10},"machine":{"cpu":"a CPU","cores":2,"memory_bytes":8000000000,"os":"Linux 6","go":"go1.26"},"kernel":[],"plan":[]}}
`
	bills := ""
	for i, when := range []string{"empty", "joined", "after"} {
		clients := min(i, 1) * 10
		bills += fmt.Sprintf(`{"memory":{"at_ms":%d,"when":%q,"clients":%d,"server_rss":%d,"client_rss":1000000,"kernel_bytes":500000000}}`+"\n", 100*i, when, clients, 20_000_000+100_000*i)
	}
	const broadcast = `{"broadcast":{"room":0,"seq":1,"at_ms":200,"send_late_us":1,"expected":10,"delivered":10,"first_us":1000,"p50_us":2000,"p99_us":3000,"last_us":4000}}
`
	end := func(more string) string {
		return `{"end":{"at_ms":1000,"interrupted":false,"clients":10,"joined":10,` + more + `"connect_ms":100,"connect_cpu_ns":10000000,"broadcast_ms":500,"broadcast_cpu_ns":20000000,"server_procs":1,"client_procs":1,"latency":"","raw_latency":"","join_latency":""}}` + "\n"
	}
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(chat, run+bills+broadcast+end(`"expected":10,"delivered":10,"lost":0,"duplicated":0,"reordered":0,`))
	write(echo, run+`{"activity":{"name":"echo","at_ms":1,"ms":1000,"count":5000,"closed_loop":true,"server_cpu_ns":50000000,"client_cpu_ns":1}}`+"\n"+end(`"expected":0,"delivered":0,"lost":0,"duplicated":0,"reordered":0,`))
	return chat, echo
}

// contest is one of a program and another server.
func contest(t *testing.T, p Program, args ...string) Contest {
	t.Helper()
	args = append([]string{"-server", "other=serve it", "-clients", "10", "-out", filepath.Join(t.TempDir(), "run")}, args...)
	c, err := Parse(args, p, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPlayAsksForWhatIsMeant(t *testing.T) {
	chat, echo := records(t)
	log := filepath.Join(t.TempDir(), "log")
	c := contest(t, program(t, fmt.Sprintf(`echo "$all" >> %s; if [ $kind = echo ]; then cp %s $out/records.jsonl; else cp %s $out/records.jsonl; fi`, log, echo, chat)),
		"-raw", "plain=./peer -x", "-rounds", "2", "-client-tcp", "tun", "-messages", "7", "-rate", "0.5", "-echo", "3s", "--", "-size", "200")
	bouts := c.Play(t.Context())
	if len(bouts) != 1 || len(Faults(bouts)) != 0 {
		t.Fatalf("%d bouts, faults %q, want one without", len(bouts), Faults(bouts))
	}
	for _, who := range []string{"roost", "other", "plain"} {
		if n := len(bouts[0].good(who)); n != 2 {
			t.Errorf("%s: %d good runs, want 2", who, n)
		}
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 12 {
		t.Fatalf("%d runs, want a chat and an echo of three, twice:\n%s", len(lines), text)
	}
	for i, line := range lines {
		kind, more := "chat -messages 7 -rate 0.5 ", ""
		if i%2 == 1 {
			kind = "echo -for 3s "
		}
		switch {
		case strings.Contains(line, "/other/"):
			more = " -server serve it"
		case strings.Contains(line, "/plain/"):
			more = " -server ./peer -x -protocol raw"
		}
		if !strings.HasPrefix(line, kind+"-apart -client-tcp tun -heartbeat 30s -clients 10 -out ") || !strings.HasSuffix(line, more+" -size 200") {
			t.Errorf("run %d: %q, want %q … %q", i, line, kind, more+" -size 200")
		}
	}
}

// Nobody always comes after the same one.
func TestOrderOfRounds(t *testing.T) {
	c := Contest{contenders: []contender{{name: "a"}, {name: "b"}, {name: "c"}}}
	var got []string
	for round := range 4 {
		line := ""
		for _, who := range c.order(round) {
			line += who.name
		}
		got = append(got, line)
	}
	if want := []string{"abc", "acb", "cab", "cba"}; !slices.Equal(got, want) {
		t.Errorf("orders %q, want %q", got, want)
	}
	if c.contenders[0].name != "a" || c.contenders[2].name != "c" {
		t.Errorf("the contenders are in another order now: %v", c.contenders)
	}
}

// What goes wrong with a run is said in its own words, and the others go on.
func TestPlayOutlivesFaults(t *testing.T) {
	chat, echo := records(t)
	whole := fmt.Sprintf("if [ $kind = echo ]; then cp %s $out/records.jsonl; else cp %s $out/records.jsonl; fi\n", echo, chat)
	for _, test := range []struct {
		name, script string // of the other server's runs
		good         bool
		want         string // of what went wrong
	}{
		{"dies with a word", `echo "loadtest: server process 0: no such port" >&2; exit 1`, false, "round 1: not in the table: server process 0: no such port"},
		{"dies without", `exit 3`, false, "exit status 3"},
		{"writes nothing", `exit 0`, false, "no such file"},
		{"writes no end", fmt.Sprintf("head -1 %s > $out/records.jsonl", chat), false, "the records lack an end"},
		{"writes something else", "echo nonsense > $out/records.jsonl; echo >> $out/records.jsonl", false, "record 1"},
		{"dies after its end", whole + "exit 1", false, "exit status 1"},
		{"misses something", fmt.Sprintf(`sed 's/"lost":0/"lost":4/; s/"delivered":10,"lost"/"delivered":6,"lost"/' %s > $out/records.jsonl; exit %d`, chat, missed), true, "round 1: 6 of 10 messages delivered, 4 lost; echo: 6 of 10"},
		{"some do not join", fmt.Sprintf(`sed 's/"joined":10,"expected"/"joined":9,"expected"/' %s > $out/records.jsonl; exit %d`, chat, missed), false, "not in the table: 9 of 10 clients joined"},
		{"its echo dies", fmt.Sprintf("[ $kind = chat ] && cp %s $out/records.jsonl && exit 0; echo 'loadtest: no echo there' >&2; exit 1", chat), true, "echo: no echo there"},
		{"its echo is not answered", fmt.Sprintf("if [ $kind = chat ]; then cp %s $out/records.jsonl; else sed 's/\"count\":5000/\"count\":0/' %s > $out/records.jsonl; exit %d; fi", chat, echo, missed), true, "echo: no ping was answered"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := contest(t, program(t, fmt.Sprintf("if [ -z \"$server\" ]; then\n%s\nelse\n%s\nfi", whole, test.script)), "-rounds", "1")
			bouts := c.Play(t.Context())
			if len(bouts) != 1 || len(bouts[0].good("roost")) != 1 {
				t.Fatalf("bouts %+v, want one with a good run of roost", bouts)
			}
			if n := len(bouts[0].good("other")); (n == 1) != test.good {
				t.Errorf("%d good runs of the other, want it good: %v", n, test.good)
			}
			faults := Faults(bouts)
			if len(faults) != 1 || !strings.HasPrefix(faults[0], "10 clients, other, ") || !strings.Contains(faults[0], test.want) {
				t.Errorf("faults %q, want one with %q", faults, test.want)
			}
			if err := c.Save(bouts, false); err != nil {
				t.Errorf("Save() = %v", err)
			}
		})
	}
}

// A long last word is cut, and what is before the mark is none.
func TestLastWords(t *testing.T) {
	for _, test := range []struct{ log, want string }{
		{"", ""},
		{"all went well\n", ""},
		{"loadtest: first\nloadtest: the   last\nof two lines\n", "the last of two lines"},
		{"loadtest: " + strings.Repeat("ä", 300), strings.Repeat("ä", 300)},
		{"loadtest: " + strings.Repeat("ä", 400), strings.Repeat("ä", 300) + "…"},
	} {
		if got := (Program{Name: "loadtest"}).lastWords([]byte(test.log)); got != test.want {
			t.Errorf("lastWords(%.40q) = %q, want %q", test.log, got, test.want)
		}
	}
}

// Ctrl-C ends the run that is under way, and what was whole stays.
func TestPlayInterrupted(t *testing.T) {
	chat, _ := records(t)
	begun := filepath.Join(t.TempDir(), "begun")
	c := contest(t, program(t, fmt.Sprintf(`if [ -z "$server" ]; then cp %s $out/records.jsonl; exit 0; fi
trap 'exit 130' INT; touch %s; while :; do read -t 1 <> <(:); done`, chat, begun)), "-rounds", "3", "-echo", "0s")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { // until it has begun, or the test is over
		look := time.NewTicker(5 * time.Millisecond)
		defer look.Stop()
		for range look.C {
			if _, err := os.Stat(begun); err == nil || ctx.Err() != nil {
				cancel()
				return
			}
		}
	}()
	bouts := c.Play(ctx)
	if len(bouts) != 1 || len(bouts[0].good("roost")) != 1 || len(bouts[0].of["other"]) != 0 {
		t.Fatalf("bouts %+v, want one run of roost alone", bouts)
	}
	if err := c.Save(bouts, true); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(c.out, "README.md"))
	if err != nil || !strings.Contains(string(page), "It was interrupted: what is missing was not measured.") {
		t.Errorf("README.md: %v\n%s\nwant it to say that it was interrupted", err, page)
	}
	if before := c.Play(ctx); len(before) != 0 {
		t.Errorf("after its end it makes %d bouts more", len(before))
	}
}

func TestParse(t *testing.T) {
	for _, test := range []struct {
		args string
		want string // of the error
	}{
		{"", "no -server and no -raw"},
		{"-server x", "want NAME=PROGRAM ARGS"},
		{"-server a|b=x", "want NAME=PROGRAM ARGS"},
		{"-server x=", "want NAME=PROGRAM ARGS"},
		{"-server roost=x", `two servers are called "roost"`},
		{"-server x=x -raw x=y", `two servers are called "x"`},
		{"-server x=x -clients 10,0", `"0": want a number of at least 1`},
		{"-server x=x -clients", "flag needs an argument"},
		{"-server x=x -messages 0", "at least 1"},
		{"-server x=x -echo -1s", "not negative"},
		{"-server x=x stray", `unexpected argument "stray"`},
		{"-server x=x -out .", "exists already"},
		{"-server x.y=x", "the name without blanks, dots, bars and slashes"},
		{"-server x/y=x", "want NAME=PROGRAM ARGS"},
		{"-server =x", "want NAME=PROGRAM ARGS"},
		{"-raw x", "want NAME=PROGRAM ARGS"},
		{"-server x=x -rounds 0", "rounds and messages must be at least 1"},
		{"-server x=x -rate -1", "rate and echo not negative"},
		{"-server x=x -clients 10,", `"": want a number of at least 1`},
		{"-server x=x -clients 1k", `"1k": want a number of at least 1`},
		{"-server x=x -client-tcp auto", "-client-tcp auto: want kernel, tun or bpf"},
		{"-server x=x -- -client-tcp tun", "say it before --"},
		{"-server x=x -- --client-tcp=tun", "say it before --"},
		{"-server x=x -- -size 5 -client-tcp", "say it before --"},
		{"-server a=x -server b=x -server c=x -server d=x -server e=x -server f=x", "6 servers: want at most 5 beside Roost"},
	} {
		if _, err := Parse(strings.Fields(test.args), Program{}, io.Discard); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Parse(%q) = %v, want %q", test.args, err, test.want)
		}
	}
	var help strings.Builder
	flags := func(w io.Writer, f *flag.FlagSet) { fmt.Fprintln(w, "all of", f.Name()) }
	if _, err := Parse([]string{"-help"}, Program{Flags: flags}, &help); !errors.Is(err, flag.ErrHelp) || !strings.HasSuffix(help.String(), "flags:\nall of compare-servers\n") {
		t.Errorf("Parse(-help) = %v with %q", err, help.String())
	}
	c, err := Parse(strings.Fields("-server x=a -b -clients 5 -- -size 300 stray"), Program{}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "-b") {
		t.Errorf("Parse of a command that is not quoted = %+v, %v, want an error about -b", c, err)
	}
	c, err = Parse([]string{"-server", "x=a -b", "-clients", "5,7", "--", "-size", "300"}, Program{}, io.Discard)
	if err != nil || !reflect.DeepEqual(c.clients, []int{5, 7}) || !slices.Equal(c.more, []string{"-size", "300"}) || c.contenders[1].command != "a -b" {
		t.Errorf("Parse() = %+v, %v", c, err)
	}
	if !strings.HasPrefix(c.out, "results/") || !strings.HasSuffix(c.out, "-servers") {
		t.Errorf("the folder is %q, want a new one below results", c.out)
	}
}

// Each flag sets what it is for; what follows -- goes to the runs, whatever it is called.
func TestParseFlags(t *testing.T) {
	t.Parallel()
	text := []string{"-server", "a=serve it -x", "-raw", "b=./peer", "-clients", "5,70", "-rounds", "2", "-messages", "8", "-rate", "0.5", "-echo", "0s", "-one-room",
		"-client-tcp", "tun", "-out", "/no/such", "-note", "one", "-note", "two", "--", "-size", "300", "client-tcp"}
	c, err := Parse(text, Program{Name: "x"}, io.Discard)
	want := Contest{
		program: Program{Name: "x"}, contenders: []contender{{name: "roost"}, {"a", "serve it -x", false}, {"b", "./peer", true}}, clients: []int{5, 70}, rounds: 2, messages: 8, rate: 0.5,
		oneRoom: true, clientTCP: "tun", out: "/no/such", notes: []string{"one", "two"}, more: []string{"-size", "300", "client-tcp"},
	}
	if err != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("%v, %+v,\nwant %+v", err, c, want)
	}
	least := "-rounds 1 -messages 1 -clients 1 -server a=x -server b=x -server c=x -server d=x -server e=x"
	if c, err := Parse(strings.Fields(least), Program{}, io.Discard); err != nil || len(c.contenders) != 6 || c.rounds != 1 {
		t.Errorf("%s: %v, want it taken", least, err)
	}
	c, err = Parse([]string{"-server", "a=x"}, Program{}, io.Discard)
	if err != nil || !reflect.DeepEqual(c.clients, []int{1000, 10_000}) || c.rounds != 3 || c.messages != 10 || c.rate != 0 || c.echo != 10*time.Second || c.clientTCP != "kernel" || c.oneRoom {
		t.Errorf("%v, %+v, want the defaults of -help", err, c)
	}
}

// A run is looked at if it came to its end with all clients, however it ended.
func TestWholeRuns(t *testing.T) {
	t.Parallel()
	number := func(n int64) *int64 { return &n }
	for name, tt := range map[string]struct {
		m    measurement
		want bool
	}{
		"all joined":  {measurement{result: &report.Result{Summary: report.Summary{Ended: true, Joined: number(5), Clients: number(5)}}}, true},
		"and missed":  {measurement{reason: "4 lost", result: &report.Result{Summary: report.Summary{Ended: true, Joined: number(5), Clients: number(5)}}}, true},
		"one did not": {measurement{result: &report.Result{Summary: report.Summary{Ended: true, Joined: number(4), Clients: number(5)}}}, false},
		"interrupted": {measurement{result: &report.Result{Summary: report.Summary{Ended: true, Interrupted: true, Joined: number(5), Clients: number(5)}}}, false},
		"no end":      {measurement{result: &report.Result{}}, false},
		"no run":      {measurement{reason: "exit status 1"}, false},
	} {
		if got := tt.m.whole(); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

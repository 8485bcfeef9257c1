package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/roost-rt/roost/loadtest/report"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
)

// buildPeer returns the path of a plain WebSocket server.
func buildPeer(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "peer")
	if out, err := exec.Command("go", "build", "-o", path, "./testdata/peer").CombinedOutput(); err != nil {
		t.Fatalf("build the peer: %v\n%s", err, out)
	}
	return path
}

func TestRawProtocol(t *testing.T) {
	peer := buildPeer(t)
	for _, test := range []struct {
		name   string
		server string
		args   string
		code   int
		want   string // of the output
	}{
		{"chat", peer, "chat -messages 5", 0, "All delivered: 500 messages to 100 clients"},
		{"chat with a loss", peer + " -deaf 7", "chat -messages 5 -drain 5s", 99, "499 of 500 messages delivered"},
		{"echo", peer, "echo -for 2s", 0, "pings of 100 clients answered"},
		{"echo to all", peer + " -loud", "echo -for 500ms -rate 10 -slo errors<1", 99, "answer to no ping"},
		{"pings", peer, "idle -for 5s -heartbeat 2s", 0, "heartbeats of 100 clients answered"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			args := append(strings.Fields(test.args), "-protocol", "raw", "-clients", "100", "-out", "run", "-server", test.server)
			c, out := start(t, args...)
			if code := exitCode(t, c.Wait()); code != test.code || !strings.Contains(out.String(), test.want) {
				t.Fatalf("exit code %d, want %d with %q:\n%s", code, test.code, test.want, out)
			}
			if activities, _ := readRun(t, filepath.Join(c.Dir, "run")); len(activities) > 0 && test.code == 0 && activities[0].Count < 100 {
				t.Errorf("%d counted, want 100 or more", activities[0].Count)
			}
		})
	}
}

func TestCompareServers(t *testing.T) {
	c, out := start(t, "compare-servers", "-clients", "60", "-rounds", "2", "-messages", "3", "-echo", "300ms", "-out", "run",
		"-server", "other="+program+" internal-server", "-raw", "peer="+buildPeer(t), "-server", "broken=false",
		"-note", "Other is Roost, too.", "-rate", "20", "--", "-size", "200", "-heartbeat", "7s")
	if code := exitCode(t, c.Wait()); code != 99 {
		t.Fatalf("exit code %d, want 99:\n%s", code, out)
	}
	page, err := os.ReadFile(filepath.Join(c.Dir, "run", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\n| [60 clients](60/compare.html) | roost | other | peer | broken |\n|---|--:|--:|--:|--:|\n",
		"\n| runs | 2 | 2 | 2 | 0 |\n",
		"\n## What went wrong\n\n- 60 clients, broken, round 1: not in the table: server process 0 (pid ",
		"\n- Other is Roost, too.\n",
		"\n- peer: `/",
		"\n- Further flags of each run: `-size 200 -heartbeat 7s`.\n",
		"\n- Each of 60 clients sends a heartbeat every 7s.\n",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("README.md = %s\nwant %q in it", page, want)
		}
	}
	measured := regexp.MustCompile(`(?m)^\| .*, \S+ \| [0-9.]+ \| [0-9.]+ \(×[0-9.]+\) \| [0-9.]+ \(×[0-9.]+\) \| – \|$`)
	if n := len(measured.FindAll(page, -1)); n < 9 { // of 13; memory and CPU of so few clients may be nothing
		t.Errorf("%d rows with a figure of all servers, want 9 or more:\n%s", n, page)
	}
	text, err := os.ReadFile(filepath.Join(c.Dir, "run", "60", "compare.json"))
	var comparison report.Comparison
	if err != nil || json.Unmarshal(text, &comparison) != nil || len(comparison.Sides) != 3 || len(comparison.Sides[2].Runs) != 2 {
		t.Errorf("compare.json: %v, sides %v, want 3 with 2 runs each", err, comparison.Sides)
	}
	if !slices.Contains(comparison.Notes, "Other is Roost, too.") {
		t.Errorf("compare.json: notes %q, want the one given among them", comparison.Notes)
	}
	for _, name := range []string{"compare.html", "compare.txt", "roost/1/chat/report.html", "peer/2/echo/report.html"} {
		if _, err := os.Stat(filepath.Join(c.Dir, "run", "60", name)); err != nil {
			t.Error(err)
		}
	}
	lines := bytes.Split([]byte(out.String()), []byte("\n"))
	for i, who := range []string{"roost", "other", "peer", "broken", "roost", "broken", "peer", "other"} { // by turns
		if !bytes.Contains(lines[i], []byte(", "+who+" ")) {
			t.Errorf("line %d = %q, want %s", i, lines[i], who)
		}
	}
}

// Other servers that are a cluster have one room, those that are not have one
// each.
func TestOneRoom(t *testing.T) {
	nats, err := natsserver.Start(natsserver.Config{Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nats.Close)
	for _, test := range []struct {
		name    string
		server  string
		flag    string
		code    int
		receive int64 // of 4 messages to each room of 60 clients, or of 30
	}{
		{"cluster", program + " internal-server -cluster " + nats.URL(), "-one-room", 0, 4 * 60},
		{"apart", program + " internal-server", "-one-room=false", 0, 2 * 4 * 30},
		{"apart taken for a cluster", program + " internal-server", "-one-room", 99, 4 * 30},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, out := start(t, "-server", test.server, test.flag, "-servers", "2", "-clients", "60", "-messages", "4", "-rate", "20", "-drain", "5s", "-out", "run")
			if code := exitCode(t, c.Wait()); code != test.code {
				t.Fatalf("exit code %d, want %d:\n%s", code, test.code, out)
			}
			if _, end := readRun(t, filepath.Join(c.Dir, "run")); end.Delivered != test.receive {
				t.Errorf("delivered %d, want %d", end.Delivered, test.receive)
			}
		})
	}
}

func TestCompareServersInterrupt(t *testing.T) {
	c, out := start(t, "compare-servers", "-clients", "20", "-rounds", "1", "-messages", "1000", "-echo", "0s", "-out", "run", "-server", "other="+program+" internal-server")
	records := filepath.Join(c.Dir, "run", "20", "roost", "1", "chat", "records.jsonl")
	waitFor(t, "the first run", func() bool { _, err := os.Stat(records); return err == nil })
	family := children(c)
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(t, c.Wait()); code != 130 || !strings.Contains(out.String(), "It was interrupted") {
		t.Errorf("exit code %d, want 130 and a report:\n%s", code, out)
	}
	for _, pid := range family {
		if alive(pid) {
			t.Errorf("child %s is left behind", pid)
		}
	}
	file, err := os.Open(records)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	last := ""
	for lines := bufio.NewScanner(file); lines.Scan(); {
		last = lines.Text()
	}
	if !strings.HasPrefix(last, `{"end":`) {
		t.Errorf("the last record of the run is %.80q, want its end", last)
	}
}

func TestCompareServersArguments(t *testing.T) {
	for _, test := range []struct {
		args []string
		code int
		want string // a part of the output
	}{
		{[]string{"-help"}, 0, "-server 'bandit=scripts/phoenix/serve'"},
		{nil, 2, "no -server and no -raw"},
		{[]string{"-server", "x"}, 2, "want NAME=PROGRAM ARGS"},
		{[]string{"-server", "a/b=x"}, 2, "want NAME=PROGRAM ARGS"},
		{[]string{"-server", "roost=x"}, 2, `two servers are called "roost"`},
		{[]string{"-server", "x=x", "-clients", "10,0"}, 2, `"0": want a number`},
		{[]string{"-server", "x=x", "-rounds", "0"}, 2, "at least 1"},
		{[]string{"-server", "x=x", "-wrong"}, 2, "-wrong"},
		{[]string{"-server", "x=x", "-client-tcp", "auto"}, 2, "want kernel, tun or bpf"},
		{[]string{"-server", "x=x", "--", "--client-tcp=bpf"}, 2, "say it before --"},
		{[]string{"-server", "x=x", "stray"}, 2, `unexpected argument "stray"`},
		{[]string{"-raw", "a=x", "-raw", "b=x", "-raw", "c=x", "-raw", "d=x", "-raw", "e=x", "-raw", "f=x"}, 2, "at most 5"},
		{[]string{"-server", "x=x", "-out", "."}, 2, "exists already"},
		{[]string{"-server", "x=x", "-out", "/dev/null/x"}, 1, "not a directory"},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			t.Parallel()
			c, out := start(t, append([]string{"compare-servers"}, test.args...)...)
			if code := exitCode(t, c.Wait()); code != test.code || !strings.Contains(out.String(), test.want) {
				t.Errorf("exit code %d, want %d with %q:\n%s", code, test.code, test.want, out)
			}
		})
	}
}

// One room of all processes is what ours are anyway, and others are asked for.
func TestContestOfOneRoom(t *testing.T) {
	t.Parallel()
	c, out := start(t, "compare-servers", "-one-room", "-clients", "20", "-rounds", "1", "-messages", "2", "-echo", "0s", "-out", "run", "-server", "other="+program+" internal-server")
	if code := exitCode(t, c.Wait()); code != 0 {
		t.Errorf("exit code %d, want 0:\n%s", code, out)
	}
}

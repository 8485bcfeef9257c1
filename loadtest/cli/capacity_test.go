package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/capacity"
	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

// From runs that were made the command makes a report, as text and as JSON, and says
// what is missing or wrong.
func TestCapacity(t *testing.T) {
	t.Parallel()
	unended := filepath.Join(t.TempDir(), recordsFile)
	if err := os.WriteFile(unended, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const chat, idle = "../../results/million", "../../results/idle-1m/summary.json"
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{chat + " " + idle + " -clients 20000,1000000", exitOK, "\n  nodes                                                  1             2\n"},
		{"-clients 20000 " + chat + " -json " + idle + " ../../results/echo-10k", exitOK, `"from": "../../results/echo-10k"`},
		{chat + " -clients 20000", exitBroken, "no run has the server's CPU per heartbeat: make one (loadtest idle -clients 10000)"},
		{"../../results/agents-18k -clients 20000", exitBroken, "no run has the server's memory per client"},
		{unended, exitBroken, "the run did not finish"},
		{"none", exitBroken, "none: no such file or directory"},
		{chat + " -clients 1,x", exitUsage, `"x": want a number such as 1000000`},
		{chat + " -memory 24GX", exitUsage, "want bytes, or a number with KiB, MiB, GiB or TiB"},
		{chat + " -network 0", exitUsage, "want more than 0"},
		{chat + " -rate 0", exitUsage, "-rate is 0: want more"},
		{chat + " -topics 1.5", exitUsage, "want a number such as 1000"},
		{chat + " -headroom 2", exitUsage, "headroom is 2: want"},
		{"", exitUsage, "want the folder of a run"},
		{"-help", exitOK, "usage: loadtest capacity RUN"},
	} {
		var stdout, stderr strings.Builder
		code := Program{}.forecast(strings.Fields(tt.args), &stdout, &stderr)
		if code != tt.code || !strings.Contains(stdout.String()+stderr.String(), tt.want) {
			t.Errorf("capacity %s: exit code %d, %s%s, want %d, %q", tt.args, code, stdout.String(), stderr.String(), tt.code, tt.want)
		}
		if strings.Contains(tt.args, "-json") {
			var r capacity.Report
			if err := json.Unmarshal([]byte(stdout.String()), &r); err != nil || len(r.Plans) != 1 || r.Plans[0].Whole.Clients != 20000 {
				t.Errorf("capacity %s: %v, %+v, want a plan for 20,000 clients", tt.args, err, r)
			}
		}
	}
}

// As a part of another program it names that one's commands.
func TestCapacityOfAParent(t *testing.T) {
	t.Parallel()
	var stderr strings.Builder
	Program{Parent: "roost"}.forecast([]string{"../../results/million"}, &stderr, &stderr)
	if want := "roost capacity: no run has the server's CPU per heartbeat: make one (roost bench idle -clients 10000)"; !strings.HasPrefix(stderr.String(), want) {
		t.Errorf("%q, want %q", stderr.String(), want)
	}
}

// Kernel memory is of both ends where the clients had sockets on the same host, of the
// server's where their TCP was their own, and of nobody's that can be told with -url.
func TestKernelMemoryOfTheServer(t *testing.T) {
	t.Parallel()
	kernel := 10_000.0
	for _, tt := range []struct {
		tcp    string
		config map[string]any
		want   float64
	}{
		{"", nil, 5000},
		{"kernel", nil, 5000},
		{"tun", nil, 10_000},
		{"bpf", nil, 10_000},
		{"kernel", map[string]any{"url": "ws://h"}, 0},
	} {
		r := &report.Result{Run: &record.Run{Config: tt.config}, Summary: report.Summary{ClientTCP: tt.tcp, KernelBytesPerClient: &kernel}}
		if m := measuredBy(r, "a"); m.KernelBytes.Value != tt.want {
			t.Errorf("clients' TCP %q, %v: %v bytes, want %v", tt.tcp, tt.config, m.KernelBytes.Value, tt.want)
		}
	}
}

func TestParseBytes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]float64{"1000": 1000, "24GiB": 24 << 30, "0.5MiB": 1 << 19, "1TiB": 1 << 40, "2KiB": 2048, "": 0, "-1": 0, "NaN": 0, "GiB": 0} {
		if got, err := parseBytes(text); got != want || (err == nil) != (want > 0) {
			t.Errorf("parseBytes(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
}

package cli

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

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
		{chat + " " + idle + " -clients 2000,30000 -files 32768", exitOK, "\n  nodes                                                  1             2\n"},
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

// Each figure is that of the same name in the summary, with the run that it is from;
// what was not measured, or as nothing, is left to other runs.
func TestFiguresOfARun(t *testing.T) {
	t.Parallel()
	at := func(v float64) capacity.Figure { return capacity.Figure{Value: v, From: "a"} }
	full := func() *report.Result {
		return &report.Result{
			Run: &record.Run{Commit: "0123456789abcdef", Machine: record.Machine{CPU: "a CPU", Cores: 2, OS: "Linux 6", Go: "go1.26"}},
			Summary: report.Summary{
				Scenario: "chat", Clients: ptr(int64(1000)), ServerProcesses: ptr(int64(4)),
				ServerCPUUsPerJoin: ptr(1.0), ServerCPUUsPerDelivery: ptr(2.0), Idle: &report.Idle{ServerCPUUsPerHeartbeat: ptr(3.0)}, Echo: &report.Echo{ServerCPUUsPerReply: ptr(4.0)},
				ServerBytesPerClient: ptr(5.0), KernelBytesPerClient: ptr(12.0),
			},
			Memory: []record.Memory{{When: "joined", ServerRSS: 900}, {When: "empty", ServerRSS: 28}},
		}
	}
	says := []string{"a: chat, 1000 clients, commit 0123456789ab; a CPU, 2 cores, Linux 6, go1.26."}
	all := capacity.Measured{Runs: says, JoinUs: at(1), DeliveryUs: at(2), HeartbeatUs: at(3), PushUs: at(4), ServerBytes: at(5), KernelBytes: at(6), EmptyBytes: at(7)}
	for _, tt := range []struct {
		name   string
		change func(r *report.Result, want *capacity.Measured)
	}{
		{"all", func(*report.Result, *capacity.Measured) {}},
		{"no idle, no echo", func(r *report.Result, want *capacity.Measured) {
			r.Summary.Idle, r.Summary.Echo, want.HeartbeatUs, want.PushUs = nil, nil, capacity.Figure{}, capacity.Figure{}
		}},
		{"too little to measure", func(r *report.Result, want *capacity.Measured) {
			r.Summary.ServerCPUUsPerJoin, want.JoinUs = ptr(0.0), capacity.Figure{}
			r.Summary.ServerBytesPerClient, want.ServerBytes = ptr(-5.0), capacity.Figure{}
		}},
		{"a server elsewhere: whose ends the memory is of cannot be told", func(r *report.Result, want *capacity.Measured) {
			r.Run.Config = map[string]any{"url": "ws://h"}
			want.ServerBytes, want.KernelBytes, want.EmptyBytes = capacity.Figure{}, capacity.Figure{}, capacity.Figure{}
		}},
		{"no first bill", func(r *report.Result, want *capacity.Measured) {
			r.Memory, want.EmptyBytes = r.Memory[:1], capacity.Figure{}
		}},
		{"no number of processes", func(r *report.Result, want *capacity.Measured) {
			r.Summary.ServerProcesses, want.EmptyBytes = nil, capacity.Figure{}
		}},
		{"a summary alone", func(r *report.Result, want *capacity.Measured) {
			r.Run, want.Runs, want.ServerBytes, want.KernelBytes, want.EmptyBytes = nil, nil, capacity.Figure{}, capacity.Figure{}, capacity.Figure{}
		}},
	} {
		r, want := full(), all
		tt.change(r, &want)
		if got := measuredBy(r, "a"); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%+v, want\n%+v", tt.name, got, want)
		}
	}
}

// Each flag sets the field that it is for, and zero is not taken for the default.
func TestFlagsOfCapacity(t *testing.T) {
	t.Parallel()
	for args, set := range map[string]func(c *capacity.Config){
		"-clients 1,2,3": func(c *capacity.Config) { c.Clients = []int64{1, 2, 3} },
		"-topics 2":      func(c *capacity.Config) { c.Workload.Topics = 2 },
		"-room 7.5":      func(c *capacity.Config) { c.Workload.RoomSize = 7.5 },
		"-zipf 1.1":      func(c *capacity.Config) { c.Workload.Zipf = 1.1 },
		"-zipf 0":        func(*capacity.Config) {},
		"-rate 7":        func(c *capacity.Config) { c.Workload.Rate = 7 },
		"-size 7":        func(c *capacity.Config) { c.Workload.Bytes = 7 },
		"-heartbeat 7s":  func(c *capacity.Config) { c.Workload.Heartbeat = 7 * time.Second },
		"-stay 70s":      func(c *capacity.Config) { c.Workload.Stay = 70 * time.Second },
		"-cores 7":       func(c *capacity.Config) { c.Machine.Cores = 7 },
		"-memory 2GiB":   func(c *capacity.Config) { c.Machine.Memory = 2 << 30 },
		"-files 700":     func(c *capacity.Config) { c.Machine.Files = 700 },
		"-network 2.5":   func(c *capacity.Config) { c.Machine.Network = 2.5e9 },
		"-headroom 0.2":  func(c *capacity.Config) { c.Machine.Headroom = 0.2 },
		"-down 7s":       func(c *capacity.Config) { c.Down = 7 * time.Second },
		"-seed 7":        func(c *capacity.Config) { c.Seed = 7 },
		"-seed 0":        func(*capacity.Config) {},
		"-json=false":    func(*capacity.Config) {},
	} {
		want := capacity.Config{}.WithDefaults()
		set(&want)
		for _, all := range []string{args + " a b", "a " + args + " b", "a b " + args} {
			if got, err := (Program{}).parseForecast(strings.Fields(all), io.Discard); err != nil || !reflect.DeepEqual(got.config, want) || !slices.Equal(got.runs, []string{"a", "b"}) {
				t.Errorf("capacity %s: %v, runs %q, %+v, want a, b and\n%+v", all, err, got.runs, got.config, want)
			}
		}
	}
	for _, name := range []string{"topics", "room", "rate", "size", "heartbeat", "stay", "cores", "files", "headroom", "down"} {
		if _, err := (Program{}).parseForecast([]string{"a", "-" + name, "0"}, io.Discard); err == nil || err.Error() != "-"+name+" is 0: want more than 0" {
			t.Errorf("-%s 0: %v, want it refused", name, err)
		}
	}
}

func TestParseBytes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]float64{"1000": 1000, "24GiB": 24 << 30, "0.5MiB": 1 << 19, "1TiB": 1 << 40, "2KiB": 2048, "": 0, "0": 0, "-1": 0, "NaN": 0, "GiB": 0} {
		if got, err := parseBytes(text); got != want || (err == nil) != (want > 0) {
			t.Errorf("parseBytes(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
}

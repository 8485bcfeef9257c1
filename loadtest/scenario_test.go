package main_test

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/record"
)

// readRun returns what a run came to.
func readRun(t *testing.T, folder string) (activities []*record.Activity, end *record.End) {
	t.Helper()
	file, err := os.Open(filepath.Join(folder, "records.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	err = record.Read(file, func(r record.Record) error {
		if r.Activity != nil {
			activities = append(activities, r.Activity)
		}
		end = r.End
		return nil
	})
	if err != nil || end == nil {
		t.Fatalf("records: error %v, end %v", err, end)
	}
	return activities, end
}

// The smallest of each scenario that shows that it does what it says. The
// figures themselves depend on the machine.
func TestScenarios(t *testing.T) { testScenarios(t, order.KernelTCP) }

// Whose TCP clients have is nothing to a scenario.
func TestScenariosOfVirtualClients(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes long with the race detector")
	}
	if os.Geteuid() != 0 {
		t.Skip("a network namespace and a TUN device need root, and this is not")
	}
	testScenarios(t, order.TUN)
}

func testScenarios(t *testing.T, tcp order.TCP) {
	t.Helper()
	const clients = 300
	for _, test := range []struct {
		args      string
		least     int64 // of what the activity counts
		most      int64
		delivered int64 // broadcasts that must have come to all, but for who was away
	}{
		{"echo -for 2s -inflight 8", 1, 1 << 40, 0},
		{"echo -for 2s -rate 100", 1, 1 << 40, 0},
		{"idle -for 7s -heartbeat 3s", clients, 4 * clients, 0},
		{"storm -messages 3", clients, clients, 3 * clients},
		{"storm -how kill -servers 2 -messages 3", clients, clients, 3 * clients},
		{"chat -writers 3 -messages 10 -rate 20", 0, 0, 3 * 10 * clients},
		{"rooms -rooms 20 -messages 5 -rate 5", 0, 0, 5 * clients},
		{"rooms -rooms 7 -servers 3 -writers 2 -messages 5 -rate 5", 0, 0, 2 * 5 * clients},
		{"churn -churn 50 -messages 10 -rate 10", 10, clients, 10 * clients},
		{"slow -rate 20", clients / 20, clients / 20, 20 * (clients - clients/20)},
		{"burst -pushers 5 -push 4000000 -messages 4 -size 600000", 5 * 200, 5 * 200, 4 * clients},
		{"soak -for 2s -rate 5", 0, 0, 10 * clients},
		{"kill -servers 3 -messages 20 -rate 10", clients / 3, clients / 3, 20 * clients},
	} {
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			args := append(strings.Fields(test.args), "-clients", "300", "-client-tcp", string(tcp), "-out", "run")
			c, out := start(t, args...)
			if code := exitCode(t, c.Wait()); code != 0 {
				t.Fatalf("exit code %d, want 0:\n%s", code, out)
			}
			activities, end := readRun(t, filepath.Join(c.Dir, "run"))
			for _, a := range activities {
				if a.Count < test.least || a.Count > test.most {
					t.Errorf("activity %s counts %d, want %d to %d", a.Name, a.Count, test.least, test.most)
				}
			}
			if len(activities) == 0 && test.least > 0 {
				t.Errorf("no activity, want one that counts %d to %d", test.least, test.most)
			}
			if end.Delivered+end.Away != test.delivered || end.Lost+end.Duplicated+end.Reordered != 0 || len(end.Errors) > 0 {
				t.Errorf("delivered %d, missed %d while away, lost %d, twice %d, reordered %d, errors %v, want %d in all and no more",
					end.Delivered, end.Away, end.Lost, end.Duplicated, end.Reordered, end.Errors, test.delivered)
			}
		})
	}
}

// Leaves and joins are measured apart, and who was away is owed nothing for that
// time alone.
func TestChurnIsMeasured(t *testing.T) {
	t.Parallel()
	c, out := start(t, strings.Fields("churn -clients 100 -churn 50 -messages 30 -rate 20 -out run")...)
	if code := exitCode(t, c.Wait()); code != 0 {
		t.Fatalf("exit code %d, want 0:\n%s", code, out)
	}
	activities, end := readRun(t, filepath.Join(c.Dir, "run"))
	if len(activities) != 2 || activities[0].Name != "churn" || activities[1].Name != "leave" || activities[0].Count != activities[1].Count {
		t.Fatalf("%d activities, want churn and leave of the same number:\n%s", len(activities), out)
	}
	for _, a := range activities {
		h, err := hdrhistogram.Decode(a.Latency)
		if err != nil || h.TotalCount() != a.Count {
			t.Errorf("latencies of %s: %v, want %d", a.Name, err, a.Count)
		}
	}
	if end.Away == 0 || end.Away > end.Delivered/2 {
		t.Errorf("%d messages missed by who was away, %d delivered, want a few and most", end.Away, end.Delivered)
	}
}

// Who comes back is connected once.
func TestConnectedIsNow(t *testing.T) {
	t.Parallel()
	const clients = 200
	for _, test := range []struct {
		args   string
		cutOff int64
	}{{"storm -how kill", 0}, {"kill -servers 2", clients / 2}} {
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			c, out := start(t, append(strings.Fields(test.args), "-clients", "200", "-messages", "30", "-rate", "10", "-out", "run")...)
			if code := exitCode(t, c.Wait()); code != 0 {
				t.Fatalf("exit code %d, want 0:\n%s", code, out)
			}
			activities, _ := readRun(t, filepath.Join(c.Dir, "run"))
			if a := activities[0]; a.CutOff != test.cutOff || a.Count < clients/2 {
				t.Errorf("%d cut off, %d came back, want %d and at least %d", a.CutOff, a.Count, test.cutOff, clients/2)
			}
			ticks := readOuting(t, filepath.Join(c.Dir, "run")).ticks
			most := slices.MaxFunc(ticks, func(a, b *record.Tick) int { return cmp.Compare(a.Connected, b.Connected) })
			if most.Connected != clients {
				t.Errorf("up to %d are connected, at %d ms in phase %s, want %d", most.Connected, most.AtMs, most.Phase, clients)
			}
		})
	}
}

// Ctrl-C amid a scenario leaves an account in which nothing is lost.
func TestInterruptedScenario(t *testing.T) {
	for _, args := range []string{"churn -churn 5 -rate 20 -messages 1000", "slow -rate 20 -messages 1000", "soak -rate 20"} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			c, out := start(t, append(strings.Fields(args), "-clients", "100", "-out", "run")...)
			waitFor(t, "messages", func() bool {
				text, _ := os.ReadFile(filepath.Join(c.Dir, "run", "records.jsonl"))
				return strings.Contains(string(text), `"broadcast":{`)
			})
			if err := c.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			if code := exitCode(t, c.Wait()); code != 130 {
				t.Fatalf("exit code %d, want 130:\n%s", code, out)
			}
			_, end := readRun(t, filepath.Join(c.Dir, "run"))
			if !end.Interrupted || end.Delivered == 0 || end.Lost+end.Duplicated+end.Reordered > 0 {
				t.Errorf("interrupted %t, delivered %d, lost %d, twice %d, reordered %d, want a part of the run in order",
					end.Interrupted, end.Delivered, end.Lost, end.Duplicated, end.Reordered)
			}
		})
	}
}

func TestScenariosAreListed(t *testing.T) {
	c, out := start(t, "list")
	if code := exitCode(t, c.Wait()); code != 0 {
		t.Fatalf("exit code %d, want 0", code)
	}
	for _, name := range []string{"chat", "echo", "idle", "rooms", "churn", "slow", "storm", "kill", "burst", "soak"} {
		if !strings.Contains(out.String(), "\n  "+name+" ") {
			t.Errorf("the list lacks %s:\n%s", name, out)
		}
	}
}

package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

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
func TestScenarios(t *testing.T) {
	const clients = 300
	for _, test := range []struct {
		args      string
		least     int64 // of what the activity counts
		most      int64
		delivered int64 // broadcasts that must have come to all, but for who was away
	}{
		{"echo -for 1s -inflight 8", 100, 1 << 40, 0},
		{"echo -for 1s -rate 200", 100, 250, 0},
		{"idle -for 2200ms -heartbeat 1s", clients, 3 * clients, 0},
		{"storm -messages 3", clients, clients, 3 * clients},
		{"storm -how kill -servers 2 -messages 3", clients, clients, 3 * clients},
		{"kill -servers 3 -messages 20 -rate 10", clients / 3, clients / 3, 20 * clients},
	} {
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			args := append(strings.Fields(test.args), "-clients", "300", "-out", "run")
			c, out := start(t, args...)
			if code := exitCode(t, c.Wait()); code != 0 {
				t.Fatalf("exit code %d, want 0:\n%s", code, out)
			}
			activities, end := readRun(t, filepath.Join(c.Dir, "run"))
			if len(activities) != 1 || activities[0].Count < test.least || activities[0].Count > test.most {
				t.Fatalf("activities %+v, want one that counts %d to %d", activities, test.least, test.most)
			}
			if end.Delivered+end.Away != test.delivered || end.Lost+end.Duplicated+end.Reordered != 0 || len(end.Errors) > 0 {
				t.Errorf("delivered %d, missed %d while away, lost %d, twice %d, reordered %d, errors %v, want %d in all and no more",
					end.Delivered, end.Away, end.Lost, end.Duplicated, end.Reordered, end.Errors, test.delivered)
			}
		})
	}
}

func TestScenariosAreListed(t *testing.T) {
	c, out := start(t, "list")
	if code := exitCode(t, c.Wait()); code != 0 {
		t.Fatalf("exit code %d, want 0", code)
	}
	for _, name := range []string{"chat", "echo", "idle", "storm", "kill"} {
		if !strings.Contains(out.String(), "\n  "+name+" ") {
			t.Errorf("the list lacks %s:\n%s", name, out)
		}
	}
}

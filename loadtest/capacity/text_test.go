package capacity_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/capacity"
)

// Numbers have three digits, or all before the point, and never a unit that is a
// thousand times too small.
func TestNumbers(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{
		0: "0", 0.0004: "< 0.001", 0.001: "0.001", 0.0126: "0.013", 0.25: "0.250", 0.9996: "1",
		1: "1", 1.234: "1.23", 12.34: "12.3", 99.94: "99.9", 99.95: "100", 123.4: "123", 999.5: "1,000", 1234.5: "1,235", 1234567: "1,234,567",
	} {
		if got := capacity.Digits(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 123456: "123,456", 1234567890: "1,234,567,890", -1: "-1", -100: "-100", -1000: "-1,000"} {
		if got := capacity.Count(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
	for bytes, want := range map[float64]string{0: "0 B", 999: "999 B", 999.5: "1 KB", 5500: "5.5 KB", 999_499: "999 KB", 999_600: "1 MB", 64 << 30: "68.7 GB", 2.5e12: "2.5 TB", 3e15: "3 PB", 2e18: "2,000 PB"} {
		if got := capacity.Size(bytes); got != want {
			t.Errorf("%v bytes are %q, want %q", bytes, got, want)
		}
	}
	for perSecond, want := range map[float64]string{1: "1 bit/s", 1500: "1.5 kbit/s", 23.3e6: "23.3 Mbit/s", 10e9: "10 Gbit/s", 7e12: "7 Tbit/s", 7e15: "7,000 Tbit/s"} {
		if got := capacity.Bits(perSecond); got != want {
			t.Errorf("%v bits a second are %q, want %q", perSecond, got, want)
		}
	}
}

// The value of rank 0.5 is the median, that of rank 1 the last, of whatever order.
func TestRank(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		values []float64
		share  float64
		want   float64
	}{
		{[]float64{7}, 0.5, 7},
		{[]float64{7}, 0.99, 7},
		{[]float64{3, 1, 2}, 0.5, 2},
		{[]float64{4, 3, 2, 1}, 0.5, 2},
		{[]float64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 0.99, 10},
		{[]float64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 0.9, 9},
		{[]float64{1, 5}, 1, 5},
		{[]float64{5, 1}, 0, 1},
	} {
		if got := capacity.Rank(slices.Clone(tt.values), tt.share); got != tt.want {
			t.Errorf("rank %v of %v is %v, want %v", tt.share, tt.values, got, tt.want)
		}
	}
}

// rowsOf are the rows of a table of the text, by their names: a value for each plan.
func rowsOf(t *testing.T, text, title string) map[string][]string {
	t.Helper()
	_, table, found := strings.Cut(text, fmt.Sprintf("\n%-44s", title))
	if !found {
		t.Fatalf("no table %q in\n%s", title, text)
	}
	rows := make(map[string][]string)
	head, table, _ := strings.Cut(table, "\n")
	rows["head"] = strings.Fields(head)
	for line := range strings.Lines(table) {
		if strings.TrimSpace(line) == "" {
			break
		}
		runes := []rune(strings.TrimRight(line, "\n"))
		var values []string
		for at := 44; at < len(runes); at += 14 {
			values = append(values, strings.TrimSpace(string(runes[at:min(at+14, len(runes))])))
		}
		rows[strings.TrimSpace(string(runes[:44]))] = values
	}
	return rows
}

// Each row shows the figure that it names, in its unit, a column for each number of
// clients.
func TestRows(t *testing.T) {
	t.Parallel()
	c := capacity.Config{
		Clients:  []int64{900, 10_000},
		Workload: capacity.Workload{RoomSize: 450, Rate: 1, Bytes: 1000, Stay: 100 * time.Second},
		Machine:  capacity.Machine{Files: 800, Cores: 2},
		Down:     2 * time.Second, Seed: 5,
	}
	r := plan(t, c)
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	number := capacity.Digits
	seconds := func(v float64) string { return number(v) + " s" }
	for title, want := range map[string]func(p capacity.Plan) map[string]string{
		"Plan, for clients": func(p capacity.Plan) map[string]string {
			w := p.Whole
			return map[string]string{
				"nodes": number(float64(p.Nodes)), "a node runs out first of": p.Bound, "memory": capacity.Size(w.Memory), "cores in use": number(w.Cores.All),
				"deliveries": number(w.Cores.Deliveries), "heartbeats": number(w.Cores.Heartbeats), "joins of who comes and goes": number(w.Cores.Joins),
				"clients' messages": number(w.Cores.Pushes), "to and from NATS": number(w.Cores.Cluster), "network, in": capacity.Bits(w.In), "network, out": capacity.Bits(w.Out),
			}
		},
		"Each node": func(p capacity.Plan) map[string]string {
			n := p.Node
			return map[string]string{
				"clients": number(n.Clients), "memory": capacity.Size(n.Memory), "cores in use": number(n.Cores.All),
				"network, in": capacity.Bits(n.In), "network, out": capacity.Bits(n.Out),
			}
		},
		"NATS, a second": func(p capacity.Plan) map[string]string {
			n := p.NATS
			return map[string]string{
				"messages in": number(n.InMessages), "messages out": number(n.OutMessages), "bytes in": capacity.Size(n.InBytes), "bytes out": capacity.Size(n.OutBytes),
				"subjects that nodes listen to, in all": number(n.Subjects),
			}
		},
		"Simulated, seed 5": func(p capacity.Plan) map[string]string {
			return map[string]string{
				"nodes that have members of a room": number(p.Spread.Home), "nodes that hear a room's message": number(p.Spread.Hear), "buckets that a node listens to": number(p.Spread.Buckets),
				"clients that join a node, a second": number(p.Churn.Joins), "first members of their room there": number(p.Churn.Topics), "buckets that it gains": number(p.Churn.Gains),
				"buckets that it leaves": number(p.Churn.Losses), "messages out of NATS for that, all nodes": number(p.Churn.Messages),
				"a node dies: clients that come back": number(float64(p.Storm.Clients)), "connects in the worst second, at a node": number(float64(p.Storm.Peak)),
				"joins that a node can serve in a second": number(p.Storm.Serves), "tries that the dead node refuses": number(float64(p.Storm.Refused)),
				"half are back after": seconds(p.Storm.Back50), "99 % are back after": seconds(p.Storm.Back99), "all are back after": seconds(p.Storm.Back),
				"buckets that each other node gains": number(p.Storm.MoreHear),
			}
		},
	} {
		rows := rowsOf(t, b.String(), title)
		if !slices.Equal(rows["head"], []string{"900", "10,000"}) {
			t.Errorf("%s: columns %q, want the numbers of clients", title, rows["head"])
		}
		for i, p := range r.Plans {
			for name, value := range want(p) {
				if got := rows[name]; len(got) != 2 || got[i] != value {
					t.Errorf("%s: %s is %q, want %q for %d clients", title, name, got, value, c.Clients[i])
				}
			}
		}
	}
	for _, want := range []string{
		"Each client is in 1 of the rooms of 450 clients each, sends a heartbeat every 30s and stays for 1m40s. Each room has 1 messages of 1,000 bytes a second.",
		"Each node has 2 cores, 68.7 GB of memory, 800 files and 10 Gbit/s in each direction, of which 40 % stay free.",
		"server's memory per client 500 B a", "server's CPU per delivery 7 µs a",
	} {
		if !strings.Contains(strings.Join(strings.Fields(b.String()), " "), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

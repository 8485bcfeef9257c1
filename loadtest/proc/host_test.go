package proc

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
)

// tree writes files below a folder of the test.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestHostIsRead(t *testing.T) {
	t.Parallel()
	const ns = int64(tick)
	h := hostAt(tree(t, map[string]string{
		"proc/stat":            "cpu  100 2 50 1000 7 3 40 9 5 0\ncpu0 60 1 25 500 3 1 30 4 0 0\ncpu1 40 1 25 500 4 2 10 5 0 0\nintr 1 2 3\nctxt 5\n",
		"proc/pressure/cpu":    "some avg10=73.68 avg60=40.87 avg300=19.66 total=1234567\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=99\n",
		"proc/pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=42\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n",
		"proc/net/dev": "Inter-|   Receive                                                |  Transmit\n" +
			" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n" +
			"    lo: 999999 1 0 0 0 0 0 0 999999 1 0 0 0 0 0 0\n" +
			"  eth0:  125000 9 0 0 0 0 0 0 250000 9 0 0 0 0 0 0\n" +
			"  eth1:1000 9 0 0 0 0 0 0 2000 9 0 0 0 0 0 0\n" +
			"  eth2:1000 9 0 0 0 0 0 0 2000 9 0 0 0 0 0 0\n" +
			"  eth3:1000 9 0 0 0 0 0 0 125 9 0 0 0 0 0 0\n",
		"sys/class/net/eth0/speed": "1000\n",
		"sys/class/net/eth1/speed": "-1\n",
		"sys/class/net/eth2/speed": "0\n",
		"sys/class/net/eth3/speed": "1\n",
	}))
	if want := (100 + 2 + 50 + 3 + 40 + 9) * ns; h.BusyNs != want || h.StolenNs != 9*ns || h.Cores != 2 {
		t.Errorf("busy %d, stolen %d, cores %d, want %d, %d, 2: idle and iowait are not busy, guest is in user", h.BusyNs, h.StolenNs, h.Cores, want, 9*ns)
	}
	if want := []int64{31 * ns, 12 * ns}; !slices.Equal(h.SoftNs, want) {
		t.Errorf("interrupts and softirq %v, want %v", h.SoftNs, want)
	}
	if h.WaitNs != 1_234_567_000 || h.ShortNs != 42_000 {
		t.Errorf("waited %d for processors and %d for memory, want 1234567000 and 42000", h.WaitNs, h.ShortNs)
	}
	// 250,000 bytes are 2 Mbit, which 1,000 Mbit/s have in 2 ms; without a known
	// speed there is no share of it.
	if want := map[string]int64{"eth0": 2_000_000, "eth3": 8_000_000}; !maps.Equal(h.LinkNs, want) {
		t.Errorf("links %v, want %v", h.LinkNs, want)
	}
	later := h
	later.BusyNs, later.SoftNs, later.LinkNs = h.BusyNs+5, []int64{31*ns + 3, 12 * ns}, map[string]int64{"eth0": 2_000_009, "eth2": 7}
	d := later.Since(h)
	if d.BusyNs != 5 || d.StolenNs != 0 || !slices.Equal(d.SoftNs, []int64{3, 0}) || !maps.Equal(d.LinkNs, map[string]int64{"eth0": 9}) || d.Cores != 2 {
		t.Errorf("Since = %+v, want what came to it alone: of a link that was not there nothing is known", d)
	}
}

// Where the kernel tells nothing, as in some containers, nothing is measured.
func TestHostOfNothing(t *testing.T) {
	t.Parallel()
	for name, root := range map[string]string{
		"no files":  t.TempDir(),
		"bad files": tree(t, map[string]string{"proc/stat": "cpu x\n", "proc/pressure/cpu": "none", "proc/net/dev": "eth0: 1\n:\n"}),
	} {
		if h := hostAt(root); h.Cores != 0 || h.BusyNs != 0 || h.WaitNs != 0 || len(h.LinkNs) != 0 {
			t.Errorf("%s: %+v, want nothing", name, h)
		}
	}
}

// Odd files of /proc/stat: old kernels have fewer columns, processors may be offline,
// and what is no number counts as none.
func TestProcessors(t *testing.T) {
	t.Parallel()
	const ns = int64(tick)
	for _, tt := range []struct {
		name, stat string
		busy       int64
		cores      int
		soft       []int64
	}{
		{"eight columns", "cpu 1 2 3 4 5 6 7 8\ncpu0 1 2 3 4 5 6 7 8\n", (1 + 2 + 3 + 6 + 7 + 8) * ns, 1, []int64{13 * ns}},
		{"no column of stolen time", "cpu 1 2 3 4 5 6 7\ncpu0 1 2 3 4 5 6 7\n", 0, 0, nil},
		{"a hole", "cpu 9 0 0 0 0 0 0 0\ncpu0 1 0 0 0 0 1 0 0\ncpu3 1 0 0 0 0 0 4 0\n", 9 * ns, 2, []int64{ns, 4 * ns}},
		{"ends at the first other line", "cpu 9 0 0 0 0 0 0 0\nintr 1 2 3 4 5 6 7 8 9\ncpu0 1 2 3 4 5 6 7 8\n", 9 * ns, 0, nil},
		{"no number", "cpu x 2 3 4 5 6 7 8\n", (2 + 3 + 6 + 7 + 8) * ns, 0, nil},
		{"nothing", "", 0, 0, nil},
	} {
		var h order.Host
		processors(&h, tt.stat)
		if h.BusyNs != tt.busy || h.Cores != tt.cores || !slices.Equal(h.SoftNs, tt.soft) {
			t.Errorf("%s: busy %d, %d cores, interrupts %v, want %d, %d, %v", tt.name, h.BusyNs, h.Cores, h.SoftNs, tt.busy, tt.cores, tt.soft)
		}
	}
}

// Only the line "some" counts, in microseconds.
func TestPressure(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"some avg10=0.00 avg60=0.00 avg300=0.00 total=12\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=99\n": 12_000,
		"some avg10=0.00 total=0\nfull avg10=0.00 total=99\n":                                                0,
		"some avg10=0.00\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=99\n":                                 0,
		"some total=12": 12_000,
		"":              0,
	} {
		if got := pressureNs(text); got != want {
			t.Errorf("%q: %d ns, want %d", text, got, want)
		}
	}
}

// Of each interface the busier direction counts, with or without a blank after its name;
// loopback has no wire.
func TestTraffic(t *testing.T) {
	t.Parallel()
	const head = "Inter-|   Receive  |  Transmit\n face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed\n"
	got := traffic(head +
		"    lo: 900 9 0 0 0 0 0 0 900 9 0 0 0 0 0 0\n" +
		"  eth0: 700 9 0 0 0 0 0 0 300 9 0 0 0 0 0 0\n" +
		"wlan0:200 9 0 0 0 0 0 0 400 9 0 0 0 0 0 0\n" +
		" br-lo: 5 9 0 0 0 0 0 0 6 9 0 0 0 0 0 0\n" +
		"  tun0: 1 2 3 4 5 6 7 8\n" + // the kernel writes more
		"  tun1: 1 2 3 4 5 6 7 8 9\n" +
		"no colon 1 2 3 4 5 6 7 8 9\n")
	if want := map[string]int64{"eth0": 700, "wlan0": 400, "br-lo": 6, "tun1": 9}; !maps.Equal(got, want) {
		t.Errorf("traffic %v, want %v", got, want)
	}
}

// All threads have waited for a processor, as the second number of each says.
func TestWaitOfThreads(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{
		"proc/self/task/7/schedstat":  "5000 30 9\n",
		"proc/self/task/8/schedstat":  "6000 4 9\n",
		"proc/self/task/9/schedstat":  "7000\n", // has ended
		"proc/self/task/10/schedstat": "1 2",
		"proc/self/schedstat":         "1 100 1\n",
	})
	if got := waitNs(root); got != 36 {
		t.Errorf("threads waited for %d ns, want 36", got)
	}
	if got := waitNs(t.TempDir()); got != 0 {
		t.Errorf("without /proc threads waited for %d ns, want 0", got)
	}
}

// A look is taken now and then, and when it is asked for.
func TestLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l Look
		if s := l.Strain(); s.Host.Cores < 1 || s.WaitNs < 0 {
			t.Errorf("the first look is %+v, want the host", s)
		}
		l.at = order.Now()
		if s := l.Strain(); s.Host.Cores != 0 || s.WaitNs != 0 {
			t.Errorf("a look right after is %+v, want none", s)
		}
		if s := l.Anew(); s.Host.Cores < 1 {
			t.Errorf("a look that is asked for is %+v, want the host", s)
		}
		l.at = order.Now() - lookEvery
		if s := l.Strain(); s.Host.Cores < 1 {
			t.Errorf("a second later it is %+v, want the host", s)
		}
	})
}

func TestOwnUsageGrows(t *testing.T) {
	t.Parallel()
	before := OwnUsage()
	for limit := time.Now().Add(30 * time.Second); OwnUsage().CPUNs == before.CPUNs; {
		if time.Now().After(limit) {
			t.Fatal("30 s of work took no CPU time")
		}
	}
	if after := OwnUsage(); after.RSS <= 0 {
		t.Errorf("usage %+v after %+v", after, before)
	}
	if slack := TimerSlack(); slack <= 0 {
		t.Errorf("TimerSlack() = %d, want that of the kernel", slack)
	}
}

package main_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
)

// limitTests asks for those of the tests below that need root: one makes a
// network namespace, with ip of iproute2, the other a memory cgroup.
const limitTests = "ROOST_LIMIT_TESTS"

// within is how far a prediction may be off.
const within = 0.05

func needsRoot(t *testing.T) {
	t.Helper()
	if os.Getenv(limitTests) != "1" {
		t.Skip("set " + limitTests + "=1 as root")
	}
}

// A prediction is what "loadtest doctor -json" says first.
type prediction struct {
	First struct {
		Name string
		Fits int64
	}
}

// predicted runs doctor by way of a shell command that sets the limits.
func predicted(t *testing.T, shell string, args ...string) (p prediction) {
	t.Helper()
	out, err := inShell(t, shell, append([]string{"doctor", "-json"}, args...)...).Output()
	if code := exitCode(t, err); code != 99 {
		t.Fatalf("doctor: exit code %d, want 99:\n%s", code, out)
	}
	if err := json.Unmarshal(out, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// inShell is the program after a shell command.
func inShell(t *testing.T, shell string, args ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), "sh", append([]string{"-c", shell + ` && exec "$0" "$@"`, program}, args...)...)
}

// stops makes a run and returns where it stopped, and why.
func stops(t *testing.T, shell string, args ...string) (s *record.Shortfall) {
	t.Helper()
	c := inShell(t, shell, append(args, "-messages", "1", "-out", "run")...)
	c.Dir = t.TempDir()
	out, err := c.CombinedOutput()
	if code := exitCode(t, err); code == 0 {
		t.Fatalf("exit code 0, want another: clients are missing\n%s", out)
	}
	file, err := os.Open(filepath.Join(c.Dir, "run", "records.jsonl"))
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	defer file.Close()
	err = record.Read(file, func(r record.Record) error {
		if r.Shortfall != nil {
			s = r.Shortfall
		}
		return nil
	})
	if err != nil || s == nil {
		t.Fatalf("no word about what stopped it, error %v:\n%s", err, out)
	}
	if !strings.Contains(string(out), "by "+s.Limit) {
		t.Errorf("the report does not name %s:\n%s", s.Limit, out)
	}
	return s
}

// agree fails unless the run stopped at what was predicted, and about where.
func agree(t *testing.T, p prediction, s *record.Shortfall) {
	t.Helper()
	off := float64(s.Clients)/float64(p.First.Fits) - 1
	t.Logf("%s: predicted %d clients, stopped at %d (%+.1f %%): %s", p.First.Name, p.First.Fits, s.Clients, 100*off, s.Evidence)
	if p.First.Name != s.Limit || math.Abs(off) > within {
		t.Errorf("stopped at %d clients by %s, predicted %d by %s: want the same, within %.0f %%", s.Clients, s.Limit, p.First.Fits, p.First.Name, 100*within)
	}
}

func TestDoctorPredictsFiles(t *testing.T) {
	t.Parallel()
	const limit = "ulimit -n 1000"
	p := predicted(t, limit, "-clients", "1500", "-single")
	s := serve(t, "sh", "-c", limit+` && exec "$0" internal-server`, program)
	agree(t, p, stops(t, "true", "-url", "ws://"+s.addr, "-server-pid", strconv.Itoa(s.Process.Pid), "-clients", "1500"))
}

func TestDoctorPredictsPorts(t *testing.T) {
	needsRoot(t)
	name := fmt.Sprintf("roost-%d", os.Getpid())
	ip(t, "netns add "+name)
	t.Cleanup(func() { ip(t, "netns del "+name) })
	ip(t, "-n "+name+" link set lo up")
	ip(t, "-n "+name+" addr add 10.77.0.1/32 dev lo")
	narrow := exec.Command("ip", "netns", "exec", name, "sh", "-c", "echo 20000 21999 > /proc/sys/net/ipv4/ip_local_port_range")
	if out, err := narrow.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", narrow, err, out)
	}
	inside := `set -- ip netns exec ` + name + ` "$0" "$@" && exec "$@"`
	p := predicted(t, inside, "-clients", "3000", "-same-host", "-single", "-addresses", "1")
	s := serve(t, "ip", "netns", "exec", name, program, "internal-server", "-addr", "10.77.0.1:0")
	agree(t, p, stops(t, inside, "-url", "ws://"+s.addr, "-clients", "3000", "-force"))
}

func TestDoctorPredictsMemory(t *testing.T) {
	needsRoot(t)
	for _, megabytes := range []int{128, 256} {
		t.Run(fmt.Sprint(megabytes, " MB"), func(t *testing.T) {
			group := memoryGroup(t, megabytes*1_000_000)
			enter := "echo $$ > " + group + "/cgroup.procs"
			clients := strconv.Itoa(megabytes * 160)
			p := predicted(t, enter, "-clients", clients, "-same-host")
			agree(t, p, stops(t, enter, "-clients", clients, "-connect-rate", "2000", "-netns", "no", "-force"))
		})
	}
}

// memoryGroup makes a cgroup of so many bytes, of whichever version there is.
func memoryGroup(t *testing.T, bytes int) (folder string) {
	t.Helper()
	name := fmt.Sprintf("roost-%d", os.Getpid())
	for _, g := range []struct{ root, limit string }{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
		{"/sys/fs/cgroup", "memory.max"},
	} {
		folder = filepath.Join(g.root, name)
		if os.Mkdir(folder, 0o755) != nil {
			continue
		}
		if os.WriteFile(filepath.Join(folder, g.limit), []byte(strconv.Itoa(bytes)), 0) == nil {
			t.Cleanup(func() {
				if err := os.Remove(folder); err != nil {
					t.Error(err)
				}
			})
			return folder
		}
		os.Remove(folder)
	}
	t.Skip("no memory cgroup can be made here")
	return ""
}

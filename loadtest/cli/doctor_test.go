package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/roost-rt/roost/loadtest/kernel"
)

// fakeMachine reads fakeRoot.
func fakeMachine(t *testing.T) func() (kernel.Host, error) {
	t.Helper()
	root := fakeRoot(t)
	return func() (kernel.Host, error) { return kernel.Read(kernel.Root(root)) }
}

// fakeRoot has files for a process and memory for a million clients.
func fakeRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"proc/self/limits":                          "Max open files            1024                 20000                files\n",
		"proc/self/mountinfo":                       "22 27 0:21 / /proc rw,relatime - proc proc rw\n",
		"proc/meminfo":                              "MemAvailable:    8000000 kB\n",
		"proc/sys/fs/file-nr":                       "1000\t0\t9000000\n",
		"proc/sys/net/core/somaxconn":               "4096\n",
		"proc/sys/net/core/netdev_max_backlog":      "1000\n",
		"proc/sys/net/ipv4/ip_local_port_range":     "32768\t60999\n",
		"proc/sys/net/ipv4/ip_local_reserved_ports": "\n",
	} {
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

func TestDoctor(t *testing.T) {
	read := fakeMachine(t)
	for _, test := range []struct {
		args   string
		code   int
		output string // a part of it
	}{
		{"-clients 1k", 2, "parse error: want a number such as 1000"},
		{"-clients 1000 -same-host", 0, "Enough for 1,000 clients. The first limit is memory (host), at 856,"},
		{"-clients 1000 -same-host -client-tcp tun", 0, "Enough for 1,000 clients. The first limit is memory (host), at 1,"},
		{"-clients 1000 -client-tcp tun", 2, "use -role both"},
		{"-clients 1000 -same-host -tls", 0, "Enough for 1,000 clients. The first limit is memory (host), at 510,"},
		{"-clients 1000 -same-host -users", 0, "Enough for 1,000 clients. The first limit is memory (host), at 237,"},
		{"-clients 1000 -role both -users -tls", 0, "Enough for 1,000 clients. The first limit is memory (host), at 166,"},
		{"-clients 300000 -role load -from 2001:db8::/64 -users", 99, "First limit: memory (host)"},
		{"-clients 300000 -role load -from 2001:db8::/64 -tls", 0, "Enough for 300,000 clients"},
		{"-clients 1000 -users", 2, "use -role load or both"},
		{"-clients 10000 -same-host", 99, "All 10,000 clients can connect, but lose time because of net.core.somaxconn,"},
		{"-clients 10000 -role both", 99, "Slow                                          NOW        NEEDED     SLOW BEYOND  SCOPE\n  net.core.netdev_max_backlog"},
		{"-clients 10000 -role load", 0, "Enough for 10,000 clients. The first limit is net.ipv4.ip_local_port_range (network namespace), at\n28,232."},
		{"-clients 30000 -role load", 99, "First limit: net.ipv4.ip_local_port_range (network namespace), at 28,232 clients."},
		{"-clients 50000 -role load -from 10.0.0.7,10.0.0.8,10.0.0.9,10.0.0.10", 0, "Enough for 50,000 clients."},
		{"-clients 1000000 -role load -from 2001:db8::/64", 0, "Enough for 1,000,000 clients."},
		{"-role load -all", 99, "no bound here: it is for hosts that listen"},
		{"-role moon", 2, `no role "moon": want server, load or both`},
		{"-role load -same-host", 2, "use only one of them"},
		{"-from 10.0.0.7", 2, "-from is for -role load"},
		{"-role load -from eth0", 2, "want an address such as"},
		{"-role load -single", 2, "-single is about servers"},
		{"-clients 1000000 -same-host", 99, "First limit: memory (host), at 845,"},
		{"-clients 30000 -single", 99, "First limit: RLIMIT_NOFILE (process), at 19,936 clients. Asked for: 30,000."},
		{"-clients 30000 -single", 99, "To do: raise ulimit -Hn"},
		{"-clients 19936 -single", 99, "All 19,936 clients can connect, but"},
		{"-clients 30000 -single -files-per-process 50000", 99, "(process), at 49,936."},
		{"-clients 30000 -same-host -single -files-per-process 50000 -addresses 1", 99, "First limit: net.ipv4.ip_local_port_range (network namespace), at 28,232 clients."},
		{"-clients 10000", 99, `"roost tune diff -role server -clients 10000"`},
		{"-clients 1000", 0, "1,000 clients, the servers here, clients elsewhere (-role: server, load or both); "},
		{"-clients 10000 -same-host", 99, "10,000 clients, servers and clients both here (-role: server, load or both); "},
		{"-clients 1000", 0, "more are enough or do not apply here: -all shows them."},
		{"-help", 0, "Exit codes: 0 enough"},
		{"-clients 0", 2, "-clients is 0: want 1 to"},
		{"-clients ten", 2, "see -help"},
		{"-addresses -1", 2, "cannot be negative"},
		{"more", 2, `unexpected argument "more"`},
	} {
		var out strings.Builder
		code := Program{}.examine(read, strings.Fields(test.args), &out, &out)
		if code != test.code || !strings.Contains(out.String(), test.output) {
			t.Errorf("doctor %s = %d, want %d with %q:\n%s", test.args, code, test.code, test.output, &out)
		}
	}
}

// All that doctor says fits a terminal of 100 columns, and its verdict is tune's.
func TestDoctorAndTune(t *testing.T) {
	root := fakeRoot(t)
	read := func() (kernel.Host, error) { return kernel.Read(kernel.Root(root)) }
	for _, role := range []string{"server", "load", "both"} {
		for _, clients := range []string{"100", "10000", "30000", "1000000", "1000000000"} {
			args := []string{"-role", role, "-clients", clients}
			var doctor, tune strings.Builder
			code := Program{}.examine(read, append(args, "-all"), &doctor, &doctor)
			for line := range strings.Lines(doctor.String()) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 100 {
					t.Errorf("doctor %v: a line of %d columns: %s", args, n, line)
				}
			}
			if got := (Program{}).adjust(append([]string{"diff", "-dir", root}, args...), &tune, &tune); got != code {
				t.Errorf("%v: doctor says %d, tune diff %d:\n%s%s", args, code, got, &doctor, &tune)
			}
			sentence, _, _ := strings.Cut(strings.Join(strings.Fields(doctor.String()[strings.Index(doctor.String(), "\n\n"):]), " "), ". ")
			if !strings.Contains(tune.String(), sentence) {
				t.Errorf("%v: tune diff does not say %q:\n%s", args, sentence, &tune)
			}
		}
	}
}

func TestDoctorWithoutProc(t *testing.T) {
	var out, stderr strings.Builder
	nothing := func() (kernel.Host, error) { return kernel.Read(kernel.Root(t.TempDir())) }
	if code := (Program{}).examine(nothing, nil, &out, &stderr); code != 1 || stderr.Len() == 0 {
		t.Errorf("doctor without /proc = %d and %q, want 1 and an error", code, &stderr)
	}
}

func TestDoctorJSON(t *testing.T) {
	var out strings.Builder
	if code := (Program{}).examine(fakeMachine(t), []string{"-clients", "30000", "-single", "-json"}, &out, &out); code != 99 {
		t.Errorf("exit code %d, want 99", code)
	}
	var report struct {
		Enough bool
		First  struct {
			Name string
			Fits int64
		}
		Limits []map[string]any
	}
	if err := json.Unmarshal([]byte(out.String()), &report); err != nil {
		t.Fatal(err)
	}
	if report.Enough || report.First.Name != "RLIMIT_NOFILE" || report.First.Fits != 19_936 || len(report.Limits) < 10 {
		t.Errorf("enough %v, first %+v, %d limits, want RLIMIT_NOFILE at 19936", report.Enough, report.First, len(report.Limits))
	}
}

// The real machine: whatever it says, it can say it without root.
func TestDoctorHere(t *testing.T) {
	for _, args := range []string{"-clients 100 -same-host", "-clients 1000000 -same-host -single -json"} {
		var out, stderr strings.Builder
		if code := (Program{}).examine(kernel.Here, strings.Fields(args), &out, &stderr); code != 0 && code != 99 || stderr.Len() > 0 {
			t.Errorf("doctor %s = %d, %s, want 0 or 99", args, code, &stderr)
		}
	}
}

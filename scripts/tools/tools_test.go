package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/proc"
)

func TestParse(t *testing.T) {
	for args, want := range map[string]string{
		"-server s -loadtest l":                      "",
		"-server s -loadtest l -only k6,tsung":       "",
		"-server s -loadtest l -only k6,wrk":         `there is no "wrk"`,
		"-server s":                                  "want -server, -loadtest",
		"-server s -loadtest l -messages 0":          "at least one of each number",
		"-server s -loadtest l -clients 1000,1":      `"1": want a number of 2 to 19000`,
		"-server s -loadtest l -clients 1000,20000":  `"20000": want a number of 2 to 19000`,
		"-server s -loadtest l -clients 1000,,10000": `"": want a number`,
	} {
		_, err := parse(strings.Fields(args))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

// What each tool tells is read, of the server's metrics too.
func TestAccounts(t *testing.T) {
	folder := t.TempDir()
	log := filepath.Join(folder, "20261130-1627", "tsung.log")
	if err := os.Mkdir(filepath.Dir(log), 0o700); err != nil {
		t.Fatal(err)
	}
	const dump = "stats: users 0 5\nstats: match 2 %s\nstats: async_unknown_data_rcv 7 %s\nstats: size_rcv 9 9\n"
	text := "# stats: dump at 1\n" + strings.ReplaceAll(dump, "%s", "3") + "# stats: dump at 2\n" + strings.ReplaceAll(dump, "%s", "50")
	if err := os.WriteFile(log, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	j := job{folder: folder}
	for _, test := range []struct {
		name   string
		of     func([]byte, job) (account, error)
		stdout string
		want   account
	}{
		{"roost", roostAccount, `{"schema":1,"summary":{"joined":5,"delivered":50,"lost":0}}`, account{5, 50, ""}},
		{"k6", k6Account, "a warning\n" + `{"joined":5,"receipts":49}` + "\n", account{5, 49, ""}},
		{"tsung", tsungAccount, "", account{50, 50, "reads"}},
	} {
		if got, err := test.of([]byte(test.stdout), j); err != nil || got != test.want {
			t.Errorf("%s: %+v, %v, want %+v", test.name, got, err, test.want)
		}
	}
	if _, err := tsungAccount(nil, job{folder: t.TempDir()}); err == nil {
		t.Error("tsung without a log is no error")
	}
}

// A tool that breaks is a row and an error, and what a client takes is without what
// the tool takes anyway.
func TestReport(t *testing.T) {
	t.Parallel()
	o := options{commit: "abc", messages: 10, rounds: 1, notes: []string{"a busy host"}}
	r, err := newReport(o, strings.Fields("tools -server s -loadtest l -k6 k -commit abc -clients 101 -out x"))
	r.Command = append(r.Command, quoted("it's busy"), quoted("plain"))
	if err != nil {
		t.Fatal(err)
	}
	r.Figures = []figure{
		{Tool: "roost", Clients: 1, RSS: 5e6, CPU: 1}, {Tool: "k6", Clients: 1, RSS: 50e6, CPU: 1}, {Tool: "tsung", Clients: 1, Failure: "no"},
		{Tool: "roost", Clients: 101, Joins: 5000, RSS: 6e6, CPU: 1.5, Account: account{101, 1010, ""}},
		{Tool: "k6", Clients: 101, Failure: "it ended\nwith many words"},
		{Tool: "tsung", Clients: 101, Joins: 50, RSS: 6e6, CPU: 1.5, Account: account{101, 900, "reads"}},
	}
	var text strings.Builder
	folder := filepath.Join(t.TempDir(), "results", "tools")
	err = r.write(&text, folder)
	if err == nil || !strings.Contains(err.Error(), "k6, 101 clients: it ended") || !strings.Contains(err.Error(), "tsung, 1 clients: no") {
		t.Errorf("write() = %v, want an error of k6 and of tsung", err)
	}
	for name, wants := range map[string][]string{
		"tools.txt":  {"commit abc", `scripts/tools/run -clients 101 -out x 'it'\''s busy' plain` + "\n", "a busy host"},
		"tools.json": {`"cpu_seconds": 1.5`, `"command"`, `"failure": "it ended\nwith many words"`},
		"README.md": {
			"| roost | 101 | 5000 | 10.0 | 5.00 | 5.00 | 1010 of 1010 |\n", "| k6 | 101 | – | – | – | – | failed: it ended |\n",
			"| tsung | 101 | 50.0 | – | – | – | 900 of 1010, reads of any data |\n", "- k6: k6 with a virtual user", "## What they can do",
		},
	} {
		got, err := os.ReadFile(filepath.Join(folder, name))
		for _, want := range wants {
			if err != nil || !strings.Contains(string(got), want) {
				t.Errorf("%s: %v, no %q in\n%s", name, err, want, got)
			}
		}
	}
}

// The memory of a tool is that of all its processes, its end that of all, too, and
// who ends too soon says why.
func TestProcess(t *testing.T) {
	t.Parallel()
	p, err := startTool(t.Context(), []string{"sh", "-c", "echo $READY; sleep 60 & wait"}, []string{"READY=yes"}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(time.Minute); !strings.Contains(childrenOf(t, p.cmd.Process.Pid), " "); {
		if time.Now().After(until) {
			t.Fatal("no second process")
		}
		time.Sleep(time.Millisecond)
	}
	own, all := proc.Measure(p.cmd.Process.Pid).RSS, family(p.cmd.Process.Pid)
	if own <= 0 || all <= own {
		t.Errorf("%d bytes of its own, %d of all, want more", own, all)
	}
	if err := p.wait(t.Context(), time.Millisecond); err == nil || !strings.Contains(err.Error(), "did not end within 1ms") {
		t.Errorf("wait() = %v", err)
	}
	p.end()
	if got := p.stdout.String(); got != "yes\n" {
		t.Errorf("it said %q", got)
	}
	p, err = startTool(t.Context(), []string{"sh", "-c", "echo no luck >&2; exit 3"}, nil, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.wait(t.Context(), time.Minute); err == nil || !strings.Contains(err.Error(), "exit status 3: no luck") {
		t.Errorf("wait() = %v, want its last words", err)
	}
}

// childrenOf are those of a process, each with a space behind.
func childrenOf(t *testing.T, pid int) string {
	t.Helper()
	out, err := exec.Command("sh", "-c", "cat /proc/$0/task/*/children", strconv.Itoa(pid)).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

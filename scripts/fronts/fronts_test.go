package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A table has a row for each way that was measured, in their order, of medians.
func TestTable(t *testing.T) {
	o := options{clients: 100}
	var s summary
	s.Joins, s.Latency.P50 = 1234, 5.678
	row := func(cpuMs, peak int64) figure {
		return s.figure(o, usage{CPUNs: 1e6, RSS: 1000}, usage{CPUNs: 1e6 + cpuMs*1e6}, peak)
	}
	got := table(map[string][]figure{
		"haproxy-wss": {row(30, 51_000), row(10, 1000), row(20, 21_000)},
		"ws":          {s.figure(o, usage{}, usage{}, 0)},
	})
	lines := strings.Split(strings.TrimSpace(got), "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[2], "| ws | 1234 | 5.68 |") || lines[3] != "| haproxy-wss | 1234 | 5.68 | – | – | – | – | 200 | 200 | – |" {
		t.Errorf("table:\n%s", got)
	}
	for _, line := range lines {
		if strings.Count(line, "|") != len(columns)+2 {
			t.Errorf("%d cells in %s", strings.Count(line, "|")-1, line)
		}
	}
}

// What is in front is told where Roost is, and how to speak TLS where clients do.
func TestConfigs(t *testing.T) {
	for _, w := range ways {
		if w.config == nil {
			continue
		}
		text := w.config(4711, "127.0.0.1:4000", "/folder")
		if !strings.Contains(text, "127.0.0.1:4711") || !strings.Contains(text, "127.0.0.1:4000") || strings.Contains(text, " ssl") != w.secure {
			t.Errorf("%s:\n%s", w.name, text)
		}
	}
}

// Users of a scenario file have it beside the certificate; others are told by flags.
func TestScenario(t *testing.T) {
	folder := t.TempDir()
	args, err := way{secure: true}.scenario(options{scenario: "wss.yaml"}, folder)
	if err != nil || len(args) != 1 || filepath.Dir(args[0]) != folder {
		t.Fatalf("scenario() = %v, %v, want a file in %s", args, err, folder)
	}
	text, err := os.ReadFile(args[0])
	if err != nil || !strings.Contains(string(text), "ca: "+filepath.Base(certFile(folder))) {
		t.Errorf("%v: it does not trust the certificate of fronts:\n%s", err, text)
	}
	args, err = way{secure: true, resume: true}.scenario(options{messages: 7}, folder)
	if want := "chat -messages 7 -rate 2 -ca " + certFile(folder) + " -resume"; err != nil || strings.Join(args, " ") != want {
		t.Errorf("scenario() = %v, %v, want %s", args, err, want)
	}
}

func TestParse(t *testing.T) {
	for args, want := range map[string]string{
		"-server s -loadtest l":               "",
		"-server s -loadtest l -only ws,wss":  "",
		"-server s -loadtest l -only ws,moon": `there is no "moon"`,
		"-server s":                           "want -server, -loadtest",
		"-server s -loadtest l -clients 0":    "at least one of each number",
	} {
		_, err := parse(strings.Fields(args))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

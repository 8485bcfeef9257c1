package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/report"
)

// A process of clients that stands still for a while makes the generator suspect,
// and -slo fails the run by it.
func TestGeneratorThatStandsStill(t *testing.T) {
	t.Parallel()
	const stall = time.Second
	c, out := start(t, "-clients", "20", "-messages", "60", "-rate", "20", "-slo", "generator=ok", "-out", "run")
	waitFor(t, "messages", func() bool {
		text, _ := os.ReadFile(filepath.Join(c.Dir, "run", "records.jsonl"))
		return strings.Contains(string(text), `"phase":"broadcast"`)
	})
	for _, pid := range ofRole(c, "internal-clients") {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		<-time.After(stall) // that long, or longer
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
	if code := exitCode(t, c.Wait()); code != 99 || !strings.Contains(out.String(), "MISS  generator=ok: it is suspect") {
		t.Errorf("exit code %d, want 99 for the threshold:\n%s", code, out)
	}
	text, err := os.ReadFile(filepath.Join(c.Dir, "run", "summary.json"))
	var s struct{ Summary report.Summary }
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	g := s.Summary.Generator
	if g == nil || g.OK || g.LagMs.Max < stall.Seconds()*900 || g.LateMs.Max < stall.Seconds()*700 {
		t.Fatalf("generator %+v, want suspect, with a lag and a send late by most of %s", g, stall)
	}
	for _, why := range []string{"late or more", "event loops kept connections waiting"} {
		if !strings.Contains(g.String(), why) {
			t.Errorf("%s: want %q in it", g, why)
		}
	}
}

package cli

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/report"
)

func TestThresholdsOfSteps(t *testing.T) {
	s := report.Summary{Steps: []report.Step{
		{Name: "push say", What: "reply", OK: 7, LatencyMs: &report.Percentiles{P50: 1, P90: 2, P99: 3, P999: 4, Max: 5}},
		{Name: "push say", What: "broadcast", OK: 6, Failed: map[string]int64{"late": 1, "lost": 2}, LatencyMs: &report.Percentiles{P99: 30}},
		{Name: "push hush", What: "push"},
	}}
	for flag, want := range map[string][]string{
		"say.p99<31ms,say.ok=13,say.errors=3":   nil,
		"push say.p99<30ms":                     {"push say.p99<30ms: it is 30ms"},
		"say.reply.p99.9<4ms,say.reply.max<6ms": {"say.reply.p99.9<4ms: it is 4ms"},
		"reply.p50<1s,broadcast.errors=0":       {"broadcast.errors=0: it is 3"},
		"hush.p50<1s,hush.errors=0":             {"hush.p50<1s: not measured"},
		"none.ok=0":                             {"none.ok=0: not measured"},
	} {
		var ts thresholds
		if err := ts.Set(flag); err != nil {
			t.Errorf("Set(%q) = %v", flag, err)
		} else if got := missed(ts, s); !slices.Equal(got, want) {
			t.Errorf("%q missed %q, want %q", flag, got, want)
		}
	}
}

// A threshold of a step that is not there is a wrong argument, or file.
func TestThresholdsOfNoSteps(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "app.yaml")
	for _, test := range []struct{ slo, args, want string }{
		{"", "-slo nw_msg.p99<1s -scenario " + file, "no step has this name: there are join room:lobby, push new_msg"},
		{"", "-slo new_msg.p98<1s -scenario " + file, "unknown name"},
		{"", "-slo new_msg.p99<1 -scenario " + file, "want a limit with a unit"},
		{"", "-slo new_msg.p99<1s", "only a scenario file has steps"},
		{"slo: hello.p99<1s\n", file, "app.yaml: slo: threshold \"hello.p99<1s\": no step has this name"},
		{"slo: [p99<1s, 'lost=many']\n", file, "app.yaml: slo: threshold \"lost=many\": want a limit without a unit"},
		{"slo: {p99: 1s}\n", file, "want thresholds such as p99<200ms, one or a list of them"},
		{"slo: [p99<1s, 'new_msg.errors=0']\n", file, ""},
		{"slo: p99<1s\n", file, ""},
	} {
		text := test.slo + "target: {url: ws://h}\nrounds: 1\ntopics: [{topic: room:lobby}]\nsteps: [{push: new_msg}]\n"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Program{}.parseOptions(strings.Fields(test.args), io.Discard)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s%s: %v, want %q", test.slo, test.args, err, test.want)
		}
		if test.slo == "" {
			continue
		}
		var errs strings.Builder
		if code := (Program{}).check([]string{file}, io.Discard, &errs); code != exitOK != (test.want != "") || !strings.Contains(errs.String(), test.want) {
			t.Errorf("check: exit code %d for %s%s", code, test.slo, errs.String())
		}
	}
}

package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/report"
)

func ptr[T any](v T) *T { return &v }

// measuredRun has a value for each name that a threshold may have.
func measuredRun() report.Summary {
	return report.Summary{
		LatencyMs:              &report.Percentiles{P50: 50, P90: 90, P99: 99, P999: 999, Max: 1500},
		JoinLatencyMs:          &report.Percentiles{P99: 8},
		Comeback:               &report.Comeback{Retries: 33, Back50Ms: ptr(500.0), Back99Ms: ptr(1900.0)},
		Echo:                   &report.Echo{RepliesPerSecond: ptr(80_000.0), ServerCPUUsPerReply: ptr(9.9)},
		Idle:                   &report.Idle{ServerCPUUsPerHeartbeat: ptr(14.3)},
		ServerCPUUsPerDelivery: ptr(1.3), ServerCPUUsPerJoin: ptr(61.4),
		ConnectJoinPerSecond: ptr(24_000.0), DeliveriesPerSecond: ptr(951_000.5),
		ServerBytesPerClient: ptr(544.0), ClientBytesPerClient: ptr(321.0), KernelBytesPerClient: ptr(12_345.0),
		Lost: ptr(int64(0)), Duplicated: ptr(int64(1)), Reordered: ptr(int64(2)), Late: ptr(int64(3)),
		Errors: map[string]int64{"dial": 4, "timeout": 5},
	}
}

// missed are those not met, as reports show them.
func missed(ts thresholds, s report.Summary) (list []string) {
	for _, t := range ts.judged(s) {
		if !t.Met {
			list = append(list, t.String())
		}
	}
	return list
}

func TestThresholds(t *testing.T) {
	for _, test := range []struct {
		flag   string
		missed []string
	}{
		{"p99<500ms,lost=0", nil}, // as in the README
		{" p99 < 500ms , lost = 0 ", nil},
		{"p50<50ms", []string{"p50<50ms: it is 50ms"}},
		{"p50>50ms", []string{"p50>50ms: it is 50ms"}},
		{"p50=50ms", nil},
		{"p90<90.5ms,p99.9<1s,max<1s", []string{"max<1s: it is 1.5s"}},
		{"join<8001us,join<8ms", []string{"join<8ms: it is 8ms"}},
		{"back50<1s,back99<1.9s", []string{"back99<1.9s: it is 1.9s"}},
		{"back100<1h", []string{"back100<1h: not measured"}}, // some never came back
		{"cpu<2us,cpu-join<61us,cpu-reply<10us,cpu-heartbeat<14us",
			[]string{"cpu-join<61us: it is 61.4µs", "cpu-heartbeat<14us: it is 14.3µs"}},
		{"joins>10000,rate>951000,replies>80000", []string{"replies>80000: it is 80000"}},
		{"rate>1e6", []string{"rate>1e6: it is 951000.5"}},
		{"server<3000,client<321,kernel<20000", []string{"client<321: it is 321"}},
		{"lost=1,duplicated=0,reordered<2,late<4,retries<33,errors<10",
			[]string{"lost=1: it is 0", "duplicated=0: it is 1", "reordered<2: it is 2", "retries<33: it is 33"}},
	} {
		var ts thresholds
		if err := ts.Set(test.flag); err != nil {
			t.Errorf("Set(%q) = %v", test.flag, err)
		} else if got := missed(ts, measuredRun()); !slices.Equal(got, test.missed) {
			t.Errorf("%q missed %q, want %q", test.flag, got, test.missed)
		}
	}
}

// What a run does not have meets no threshold, and every name is in -help.
func TestThresholdsOfNothing(t *testing.T) {
	for _, q := range quantities() {
		for _, op := range []string{"<", ">", "="} {
			limit := "0"
			switch {
			case q.unit == times:
				limit = "0s"
			case q.unit == judgements && op != "=":
				continue
			case q.unit == judgements:
				limit = "ok"
			}
			var ts thresholds
			if err := ts.Set(q.name + op + limit); err != nil {
				t.Fatal(err)
			}
			if got, want := missed(ts, report.Summary{}), q.name+op+limit+": not measured"; !slices.Equal(got, []string{want}) {
				t.Errorf("missed %q, want %q", got, want)
			}
		}
		if !slices.Contains(strings.FieldsFunc(thresholdNames, func(r rune) bool { return strings.ContainsRune(" ,;()", r) }), q.name) {
			t.Errorf("%s is not in -help", q.name)
		}
	}
}

func TestThresholdErrors(t *testing.T) {
	for flag, want := range map[string]string{
		"":                "want name<limit, name>limit or name=limit",
		"p99":             "want name<limit",
		"p99<500ms,":      "want name<limit",
		"p42<1ms":         "unknown name; there are of times p50",
		"p99<1":           "want a limit with a unit, such as 500ms",
		"p99<":            "want a limit with a unit",
		"p99<=500ms":      "want a limit with a unit",
		"lost=":           "want a limit without a unit, such as 3000",
		"lost<1ms":        "want a limit without a unit",
		"server<NaN":      "want a limit without a unit", // which nothing is below, nor above
		"p99<500ms lost=": "want a limit with a unit",
		"p99<-1ms":        "want a limit with a unit", // which nothing is below
		"p99<NaN":         "want a limit with a unit",
		"lost>-1":         "want a limit without a unit", // as everything is
		"rate>Inf":        "want a limit without a unit",
		"generator=fine":  "want generator=ok",
		"generator>ok":    "want generator=ok",
	} {
		var ts thresholds
		if err := ts.Set(flag); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Set(%q) = %v, want %q", flag, err, want)
		}
	}
}

// Each name is that of one figure, in its unit.
func TestFiguresOfThresholds(t *testing.T) {
	t.Parallel()
	s := report.Summary{
		LatencyMs: &report.Percentiles{P50: 1, P90: 2, P99: 3, P999: 4, Max: 5}, JoinLatencyMs: &report.Percentiles{P50: 60, P90: 61, P99: 6, P999: 62, Max: 63},
		RawLatencyMs: &report.Percentiles{P50: 90, P99: 91},
		Comeback:     &report.Comeback{Back50Ms: ptr(7.0), Back99Ms: ptr(8.0), Back100Ms: ptr(9.0), Retries: 10},
		Echo:         &report.Echo{RepliesPerSecond: ptr(11.0), ServerCPUUsPerReply: ptr(12_000.0)}, Idle: &report.Idle{ServerCPUUsPerHeartbeat: ptr(13_000.0)},
		ServerCPUUsPerDelivery: ptr(14_000.0), ServerCPUUsPerJoin: ptr(15_000.0), ConnectJoinPerSecond: ptr(16.0), DeliveriesPerSecond: ptr(17.0),
		ServerBytesPerClient: ptr(18.0), ClientBytesPerClient: ptr(19.0), KernelBytesPerClient: ptr(20.0),
		Lost: ptr(int64(21)), Duplicated: ptr(int64(22)), Reordered: ptr(int64(23)), Late: ptr(int64(24)), Errors: map[string]int64{"dial": 20, "timeout": 5},
		Generator: &report.Generator{OK: true},
	}
	for name, want := range map[string]string{
		"p50": "1ms", "p90": "2ms", "p99": "3ms", "p99.9": "4ms", "max": "5ms", "join": "6ms", "back50": "7ms", "back99": "8ms", "back100": "9ms", "retries": "10",
		"replies": "11", "cpu-reply": "12ms", "cpu-heartbeat": "13ms", "cpu": "14ms", "cpu-join": "15ms", "joins": "16", "rate": "17", "server": "18", "client": "19", "kernel": "20",
		"lost": "21", "duplicated": "22", "reordered": "23", "late": "24", "errors": "25", "generator": "ok",
	} {
		var ts thresholds
		if err := ts.Set(name + "=" + want); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := ts.judged(s)[0]; !got.Met || got.Shown != want || got.Text != name+"="+want {
			t.Errorf("%s is %s, met: %v, want %s", name, got.Shown, got.Met, want)
		}
	}
	if n := len(quantities()); n != 26 {
		t.Errorf("there are %d figures; this test knows 26", n)
	}
	s.Generator.OK = false
	var ts thresholds
	if err := ts.Set("generator=ok"); err != nil || ts.judged(s)[0].String() != "generator=ok: it is suspect" {
		t.Errorf("%v, %s", err, ts.judged(s)[0])
	}
}

// A list of errors may be empty: then there were none, and a threshold of them is met.
func TestThresholdOfNoErrors(t *testing.T) {
	t.Parallel()
	var ts thresholds
	if err := ts.Set("errors=0"); err != nil {
		t.Fatal(err)
	}
	for name, errors := range map[string]map[string]int64{"": {}, "errors=0: not measured": nil} {
		if got := strings.Join(missed(ts, report.Summary{Errors: errors}), ""); got != name {
			t.Errorf("of %#v: missed %q, want %q", errors, got, name)
		}
	}
}

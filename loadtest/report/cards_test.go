package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
)

func is[T any](v T) *T { return &v }

// wholeRun is a run of a hundred clients that got ten messages each.
func wholeRun(scenario string) Summary {
	return Summary{
		Ended: true, Scenario: scenario, Clients: is[int64](100), Joined: is[int64](100), Expected: is[int64](1000), Delivered: is[int64](1000),
		Lost: is[int64](0), Duplicated: is[int64](0), Reordered: is[int64](0), Errors: map[string]int64{}, Broadcasts: 10,
	}
}

// silent is a run of a scenario in which clients do not broadcast.
func silent(scenario string) Summary {
	s := wholeRun(scenario)
	s.Expected, s.Delivered, s.Broadcasts = is[int64](0), is[int64](0), 0
	return s
}

func with(s Summary, change func(*Summary)) Summary {
	change(&s)
	return s
}

// The headline is one sentence, of the scenario's own.
func TestHeadline(t *testing.T) {
	t.Parallel()
	interrupted := func(s Summary) Summary { return with(s, func(s *Summary) { s.Interrupted = true }) }
	steps := []Step{{Name: "a", What: "join", OK: 100}, {Name: "b", What: "reply", OK: 900}}
	for _, test := range []struct {
		name string
		s    Summary
		want string
	}{
		{"chat", wholeRun("chat"), "All delivered: 1,000 messages to 100 clients, each once and in order"},
		{"a scenario that is not known", wholeRun("juggle"), "All delivered: 1,000 messages to 100 clients, each once and in order"},
		{"a loss", with(wholeRun("chat"), func(s *Summary) { s.Lost = is[int64](1) }), "Failed"},
		{"no totals", with(wholeRun("chat"), func(s *Summary) { s.Ended = false }), "Failed"},
		{"nothing was sent", silent("chat"), "All 100 clients joined; nothing was broadcast"},
		{"missed while away", with(wholeRun("chat"), func(s *Summary) { s.Away = is[int64](5) }), "All delivered: 1,000 messages to 100 clients, each once and in order, except 5 missed while away"},
		{"interrupted", interrupted(wholeRun("chat")), "Ended early; everything sent by then was delivered: 1,000 messages to 100 clients"},
		{"interrupted before a message", interrupted(silent("chat")), "Ended early; all 100 clients joined"},
		{"interrupted amid the connects", with(interrupted(silent("chat")), func(s *Summary) { s.Joined = is[int64](7) }), "Ended early; 7 of 100 clients had joined"},
		{"interrupted echo", with(interrupted(silent("echo")), func(s *Summary) { s.Echo = &Echo{Replies: 5} }), "Ended early; all 100 clients joined"},
		{"echo", with(silent("echo"), func(s *Summary) { s.Echo = &Echo{Replies: 5000} }), "5,000 pings of 100 clients answered"},
		{"echo without one", silent("echo"), "Failed"},
		{"idle", with(silent("idle"), func(s *Summary) { s.Idle = &Idle{Heartbeats: 200} }), "200 heartbeats of 100 clients answered"},
		{"burst", with(wholeRun("burst"), func(s *Summary) { s.Burst = &Burst{Replies: 800} }), "All delivered: 1,000 messages to 100 clients, each once and in order; 800 pushes answered"},
		{"storm", with(wholeRun("storm"), func(s *Summary) { s.Comeback = &Comeback{CutOff: is[int64](100), Back: 100} }),
			"100 disconnected clients reconnected. All delivered: 1,000 messages to 100 clients, each once and in order"},
		{"slow", with(wholeRun("slow"), func(s *Summary) { s.Slow = &Slow{Stalled: is[int64](5), CutOff: 3} }),
			"All delivered: 1,000 messages to the 95 clients that read, each once and in order; 3 of 5 slow ones disconnected"},
		{"slow, of whom nobody counted how many", with(wholeRun("slow"), func(s *Summary) { s.Slow = &Slow{CutOff: 3} }),
			"All delivered: 1,000 messages to those of 100 clients that read, each once and in order; 3 slow ones disconnected"},
		{"interrupted slow", with(interrupted(wholeRun("slow")), func(s *Summary) { s.Slow = &Slow{Stalled: is[int64](5)} }),
			"Ended early; everything sent by then was delivered: 1,000 messages to the 95 clients that read"},
		{"users", with(silent("app"), func(s *Summary) { s.Steps = steps }), "1,000 steps of 100 users succeeded"},
		{"users who broadcast", with(wholeRun("app"), func(s *Summary) { s.Steps = steps }),
			"1,000 steps of 100 users succeeded; all 1,000 broadcasts owed to them were delivered, each once"},
	} {
		if got := headline(test.s); got != test.want {
			t.Errorf("%s: headline %q, want %q", test.name, got, test.want)
		}
	}
}

// Each check of the verdict fails by itself, in a sentence of its own.
func TestEachCheck(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		of     func() Summary
		change func(*Summary)
		ok     bool
		want   string // the reasons
	}{
		{"not all joined", nil, func(s *Summary) { s.Joined = is[int64](99) }, false, "99 of 100 clients joined"},
		{"one too few delivered", nil, func(s *Summary) { s.Delivered = is[int64](999) }, false, "999 of 1,000 messages delivered"},
		{"one too many delivered", nil, func(s *Summary) { s.Delivered = is[int64](1001) }, false, "1,001 of 1,000 messages delivered"},
		{"lost", nil, func(s *Summary) { s.Lost = is[int64](1) }, false, "1 lost"},
		{"unreadable", nil, func(s *Summary) { s.Unreadable = 2 }, false, "2 received, unreadable"},
		{"duplicated", nil, func(s *Summary) { s.Duplicated = is[int64](3) }, false, "3 duplicated"},
		{"reordered", nil, func(s *Summary) { s.Reordered = is[int64](4) }, false, "4 reordered"},
		{"a queue", nil, func(s *Summary) { s.Queue = &Queue{100, 4000, 50} }, false,
			"a queue grew: the median latency rose from 100 ms to 4.00 s, by 50.0 ms each second; more was sent than could be served"},
		{"an error", nil, func(s *Summary) { s.Errors = map[string]int64{"EOF": 1} }, false, "1 error: 1 × EOF"},
		{"errors of kinds", nil, func(s *Summary) { s.Errors = map[string]int64{"b": 2, "a": 1000, "c": 0} }, false, "1,002 errors: 1,000 × a, 2 × b"},
		{"a kind of error that never came", nil, func(s *Summary) { s.Errors = map[string]int64{"EOF": 0} }, true, ""},
		{"errors were not counted", nil, func(s *Summary) { s.Errors = nil }, true, ""},
		{"a limit", nil, func(s *Summary) {
			s.Shortfall = &record.Shortfall{Clients: 1500, Limit: "RLIMIT_NOFILE", Scope: "process", Evidence: "EMFILE", Fix: "raise ulimit -n"}
		}, false, "stopped at 1,500 clients by RLIMIT_NOFILE (process): EMFILE; to go on, raise ulimit -n"},
		{"a limit without a place or a fix", nil, func(s *Summary) { s.Shortfall = &record.Shortfall{Limit: "memory", Evidence: "it is full"} }, false, "stopped at 0 clients by memory: it is full"},
		{"a limit that is not known", nil, func(s *Summary) { s.Shortfall = &record.Shortfall{Evidence: "connects fail"} }, false,
			"the cause of the stop is unknown: connects fail; if it is the server's host, run roost doctor there"},
		{"a step", nil, func(s *Summary) {
			s.Steps = []Step{{Name: "say", What: "reply", OK: 90, Failed: map[string]int64{"timeout": 7, "status error": 3}}, {Name: "go", What: "leave", OK: 5}}
		}, false, "say (reply): 10 of 100 failed: 7 × timeout, 3 × status error"},
		{"two steps, equally common faults by name", nil, func(s *Summary) {
			s.Steps = []Step{{Name: "a", What: "join", Failed: map[string]int64{"y": 1, "x": 1}}, {Name: "b", What: "push", OK: 1, Failed: map[string]int64{"z": 1}}}
		}, false, "a (join): 2 of 2 failed: 1 × x, 1 × y; b (push): 1 of 2 failed: 1 × z"},
		{"several at once", nil, func(s *Summary) { s.Delivered, s.Lost = is[int64](998), is[int64](2) }, false, "998 of 1,000 messages delivered|2 lost"},
		{"no ping was answered", func() Summary { return silent("echo") }, func(s *Summary) { s.Echo = &Echo{} }, false, "no ping was answered"},
		{"no heartbeat was answered", func() Summary { return silent("idle") }, func(s *Summary) { s.Idle = &Idle{} }, false, "no heartbeat was answered: was the run long enough for one?"},
		{"nobody was cut off", func() Summary { return wholeRun("storm") }, func(*Summary) {}, false, "no client was disconnected"},
		{"a kill that cut off nobody", func() Summary { return wholeRun("kill") }, func(s *Summary) { s.Comeback = &Comeback{} }, false, "no client was disconnected"},
		{"not all are back", func() Summary { return wholeRun("kill") }, func(s *Summary) { s.Comeback = &Comeback{CutOff: is[int64](50), Back: 49} }, false, "49 of 50 clients reconnected"},
		{"a kill of an old record", func() Summary { return wholeRun("kill") }, func(s *Summary) { s.Comeback = &Comeback{Back: 49} }, true, ""},
		{"nobody stopped reading", func() Summary { return wholeRun("slow") }, func(s *Summary) { s.Slow = &Slow{} }, false, "no client stopped reading"},
		{"slow clients that are kept", func() Summary { return wholeRun("slow") }, func(s *Summary) { s.Slow = &Slow{Stalled: is[int64](5)} }, true, ""},
		{"no push was answered", func() Summary { return wholeRun("burst") }, func(s *Summary) { s.Burst = &Burst{} }, false, "no push was answered"},
		{"nobody left", func() Summary { return wholeRun("churn") }, func(s *Summary) { s.Churn = &Churn{Leaves: is[int64](0)} }, false, "no client left the topic"},
		{"not all joined again", func() Summary { return wholeRun("churn") }, func(s *Summary) { s.Churn = &Churn{Joins: 8, Leaves: is[int64](9)} }, false, "8 of 9 clients that left joined again"},
		{"churn of an old record", func() Summary { return wholeRun("churn") }, func(s *Summary) { s.Churn = &Churn{Joins: 8} }, true, ""},
		{"no step was made", func() Summary { return silent("app") }, func(s *Summary) { s.Steps = []Step{{Name: "a"}} }, false, "no step succeeded"},
		{"interrupted", nil, func(s *Summary) { s.Interrupted = true }, true, "interrupted: the figures cover the run so far"},
		{"interrupted before its aim", func() Summary { return silent("echo") }, func(s *Summary) { s.Interrupted = true }, true, "interrupted: the figures cover the run so far"},
		{"interrupted amid the connects", nil, func(s *Summary) { s.Interrupted, s.Joined = true, is[int64](99) }, true, "interrupted: the figures cover the run so far"},
		{"ended by an error amid the connects", nil, func(s *Summary) {
			s.Interrupted, s.Joined, s.Errors = true, is[int64](99), map[string]int64{"connection refused": 1}
		}, false, "99 of 100 clients joined|1 error: 1 × connection refused|interrupted: the figures cover the run so far"},
		{"ended by a limit amid the connects", nil, func(s *Summary) {
			s.Interrupted, s.Joined, s.Shortfall = true, is[int64](99), &record.Shortfall{Clients: 99, Limit: "ports", Evidence: "none is free"}
		}, false, "99 of 100 clients joined|stopped at 99 clients by ports: none is free|interrupted: the figures cover the run so far"},
		{"pings that an interruption left open", nil, func(s *Summary) { s.Interrupted, s.Errors = true, map[string]int64{unanswered: 9} }, true, "interrupted: the figures cover the run so far"},
		{"pings that nobody interrupted", nil, func(s *Summary) { s.Errors = map[string]int64{unanswered: 9} }, false, "9 errors: 9 × ping not answered"},
		{"a threshold", nil, func(s *Summary) {
			s.Thresholds = []Threshold{{Text: "p99<1s", Value: is(2000.)}, {Text: "lost=0", Value: is(0.), Met: true}}
		}, false,
			"1 of 2 thresholds missed: p99<1s"},
		{"thresholds that were not measured", nil, func(s *Summary) { s.Thresholds = []Threshold{{Text: "a"}, {Text: "b"}} }, false, "2 of 2 thresholds missed: a, b"},
		{"a threshold that an interrupted run had no time to measure", nil, func(s *Summary) { s.Interrupted, s.Thresholds = true, []Threshold{{Text: "a"}} }, true,
			"interrupted: the figures cover the run so far"},
		{"a threshold that an interrupted run missed", nil, func(s *Summary) { s.Interrupted, s.Thresholds = true, []Threshold{{Text: "a", Value: is(2.)}} }, false,
			"1 of 1 thresholds missed: a|interrupted: the figures cover the run so far"},
	} {
		s := wholeRun("chat")
		if test.of != nil {
			s = test.of()
		}
		test.change(&s)
		ok, reasons := Verdict(s)
		if got := strings.Join(reasons, "|"); ok != test.ok || got != test.want {
			t.Errorf("%s: verdict %t, %q, want %t, %q", test.name, ok, got, test.ok, test.want)
		}
	}
}

// A run of which the verdict needs a figure that is missing has no verdict, and says
// nothing else.
func TestVerdictNeedsEveryFigure(t *testing.T) {
	t.Parallel()
	for name, lack := range map[string]func(*Summary){
		"clients": func(s *Summary) { s.Clients = nil }, "joined": func(s *Summary) { s.Joined = nil }, "expected": func(s *Summary) { s.Expected = nil },
		"delivered": func(s *Summary) { s.Delivered = nil }, "lost": func(s *Summary) { s.Lost = nil },
		"duplicated": func(s *Summary) { s.Duplicated = nil }, "reordered": func(s *Summary) { s.Reordered = nil }, "the end": func(s *Summary) { s.Ended = false },
	} {
		s := with(wholeRun("chat"), lack)
		s.Errors, s.Thresholds = map[string]int64{"EOF": 3}, []Threshold{{Text: "a"}}
		ok, reasons := Verdict(s)
		if got := strings.Join(reasons, "|"); ok || got != "the records stop before the end of the run: there are no totals" {
			t.Errorf("without %s: verdict %t, %q", name, ok, got)
		}
	}
}

// The cards are the figures that readers of a scenario look for, each in its unit.
func TestCards(t *testing.T) {
	t.Parallel()
	figures := func(s *Summary) {
		s.ServerBytesPerClient, s.ClientBytesPerClient, s.KernelBytesPerClient = is(1000.), is(2000.), is(3000.)
		s.ServerCPUUsPerDelivery, s.ServerCPUUsPerJoin, s.ConnectJoinPerSecond, s.FanOutPerSecond = is(4.), is(50.), is(600.), is(7000.)
		s.LatencyMs, s.JoinLatencyMs = &Percentiles{P50: 1, P99: 2, Max: 3}, &Percentiles{P50: 10, P99: 20, Max: 30}
	}
	const (
		memory = "{Server memory per client 1.00 KB kernel 3.00 KB, client 2.00 KB}"
		joins  = "{Connect and join 600 /s CPU per join 50.0 µs}"
		fast   = "{Latency p99 2.00 ms p50 1.00 ms, max 3.00 ms}"
		joined = "{Join latency p99 20.0 ms p50 10.0 ms, max 30.0 ms}"
		each   = "{Server CPU per delivery 4.00 µs fan-out 7.00 k/s}"
		all    = "{Delivered 100% 1,000 of 1,000}"
	)
	for _, test := range []struct {
		name   string
		s      Summary
		change func(*Summary)
		want   []string
	}{
		{"chat", wholeRun("chat"), func(*Summary) {}, []string{all, fast, memory, each, joins}},
		{"some lost", wholeRun("chat"), func(s *Summary) { s.Delivered = is[int64](999) }, []string{"{Delivered 99.9% 999 of 1,000}", fast, memory, each, joins}},
		{"missed and late", wholeRun("chat"), func(s *Summary) { s.Away, s.Late = is[int64](4), is[int64](1234) },
			[]string{"{Delivered 100% 1,000 of 1,000, 4 missed while away, 1,234 late}", fast, memory, each, joins}},
		{"none late", wholeRun("chat"), func(s *Summary) { s.Late = is[int64](0) }, []string{all, fast, memory, each, joins}},
		{"nothing sent", silent("chat"), func(*Summary) {}, []string{"{Delivered nothing sent 0 of 0}", fast, memory, each, joins}},
		{"no totals", wholeRun("chat"), func(s *Summary) { s.Expected = nil }, []string{"{Delivered not measured }", fast, memory, each, joins}},
		{"no latency", wholeRun("chat"), func(s *Summary) { s.LatencyMs = nil }, []string{all, "{Latency p99 not measured }", memory, each, joins}},
		{"echo", silent("echo"), func(s *Summary) {
			s.Echo = &Echo{Replies: 5000, RepliesPerSecond: is(80.), ServerCPUUsPerReply: is(9.), ClientCPUUsPerReply: is(11.)}
		}, []string{"{Pings answered 80.0 /s 5,000 in all}", fast, memory, "{Server CPU per reply 9.00 µs client 11.0 µs}", joins}},
		{"echo without one", silent("echo"), func(*Summary) {}, []string{joined, memory, joins}},
		{"idle", silent("idle"), func(s *Summary) {
			s.Idle = &Idle{Heartbeats: 40, HeartbeatsPerSecond: is(2.), ServerCPUUsPerHeartbeat: is(300.)}
		},
			[]string{"{Heartbeats answered 2.00 /s 40 in all}", joined, memory, "{Server CPU per heartbeat 300 µs everything an idle server does}", joins}},
		{"storm", wholeRun("storm"), func(s *Summary) { s.Comeback = &Comeback{Retries: 1100, Back99Ms: is(1500.), Back100Ms: is(2500.)} },
			[]string{all, fast, memory, each, "{99% reconnected 1.50 s all 2.50 s, retries 1,100}"}},
		{"storm that is not over", wholeRun("storm"), func(s *Summary) { s.Comeback = &Comeback{CutOff: is[int64](100), Back: 99, Back99Ms: is(1500.)} },
			[]string{all, fast, memory, each, "{99% reconnected 1.50 s all never, retries 0}"}},
		{"churn", wholeRun("churn"), func(s *Summary) {
			s.Churn = &Churn{Joins: 3000, JoinsPerSecond: is(15.), JoinMs: &Percentiles{P50: 1, P99: 8}}
		}, []string{all, fast, memory, each, "{Join again, p99 8.00 ms 3,000 joins, 15.0 /s}"}},
		{"churn without times", wholeRun("churn"), func(s *Summary) { s.Churn = &Churn{Joins: 1} }, []string{all, fast, memory, each, "{Join again, p99 not measured 1 joins, not measured}"}},
		{"slow", wholeRun("slow"), func(s *Summary) { s.Slow = &Slow{is[int64](5), 3} }, []string{all, fast, memory, each, "{Slow clients disconnected 3 of 5 that do not read}"}},
		{"slow of an old record", wholeRun("slow"), func(s *Summary) { s.Slow = &Slow{nil, 3} },
			[]string{all, fast, memory, each, "{Slow clients disconnected 3 the number of clients that do not read is not recorded}"}},
		{"burst", wholeRun("burst"), func(s *Summary) { s.Burst = &Burst{800, &Percentiles{P99: 6, Max: 9}} }, []string{all, fast, memory, each, "{Pushes answered 800 the last after 9.00 ms}"}},
		{"users who do not broadcast", silent("app"), func(*Summary) {}, []string{joined, memory, joins}},
		{"users who do", wholeRun("app"), func(*Summary) {}, []string{all, fast, memory, each, joins}},
	} {
		figures(&test.s)
		test.change(&test.s)
		if got, want := fmt.Sprint(test.s.cards()), "["+strings.Join(test.want, " ")+"]"; got != want {
			t.Errorf("%s: cards\n%s, want\n%s", test.name, got, want)
		}
	}
	for _, c := range wholeRun("chat").cards()[1:] {
		if !strings.Contains(c.Value, notMeasured) {
			t.Errorf("card %+v of a run that measured nothing", c)
		}
	}
}

// Times until a share is back are "never" only where it is known that so many are not.
func TestUntilBack(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		c       Comeback
		ms      *float64
		percent int64
		want    string
	}{
		{"measured", Comeback{CutOff: is[int64](100), Back: 50}, is(12.), 50, "12.0 ms"},
		{"just enough, not measured", Comeback{CutOff: is[int64](100), Back: 50}, nil, 50, notMeasured},
		{"one short", Comeback{CutOff: is[int64](100), Back: 49}, nil, 50, "never"},
		{"nobody knows how many were cut off", Comeback{Back: 1}, nil, 100, notMeasured},
	} {
		if got := test.c.until(test.ms, test.percent); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

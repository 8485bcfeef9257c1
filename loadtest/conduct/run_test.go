package conduct_test

import (
	"context"
	"errors"
	"log"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"go.uber.org/goleak"

	"github.com/roost-rt/roost/loadtest/conduct"
	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/record"
)

func TestMain(m *testing.M) {
	if os.Getenv(clientTCP) != "" {
		if err := loopbackUp(); err != nil {
			log.Fatal(err)
		}
	}
	// What ants starts by being imported, and the event loops of netpoll, live
	// as long as the process.
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/cloudwego/netpoll.(*defaultPoll).Wait"))
}

// clients is enough for faults to hit some of them.
const clients = 50

// stands is longer than a busy machine stands still: what nothing was heard of for
// so long does not come. Who loses nothing does not wait for it.
const stands = 5 * time.Second

func config(f *fake) plan.Config {
	return plan.Config{Clients: clients, Messages: 6, Rate: 50, URL: f.url, Drain: stands}
}

// runUntil makes a run that waits as long as it takes for so many receipts, and looks
// no longer than always for more: none is lost because the machine was slow.
func runUntil(t *testing.T, cfg plan.Config, want account) (*record.End, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg.Drain = time.Minute
	end, _, err := watch(t, ctx, cfg, func(r record.Record) {
		if r.Tick != nil && r.Tick.Delivered >= want.Delivered && want.Delivered < want.Expected {
			cancel() // the others would be waited for until Drain has passed
		}
	})
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = nil
	}
	return end, err
}

// run makes a run in this process.
func run(t *testing.T, ctx context.Context, cfg plan.Config) (end *record.End, records []record.Record, err error) {
	t.Helper()
	return watch(t, ctx, cfg, func(record.Record) {})
}

// watch makes a run and shows each record.
func watch(t *testing.T, ctx context.Context, cfg plan.Config, show func(record.Record)) (end *record.End, records []record.Record, err error) {
	t.Helper()
	p := planFor(t, cfg)
	patient(t, func() {
		err = conduct.Run(ctx, cfg, p, nil, func(r record.Record) {
			show(r)
			records = append(records, r)
			if r.End != nil {
				end = r.End
			}
		})
	})
	if end == nil {
		t.Fatalf("Run ended without an End record, error %v", err)
	}
	return end, records, err
}

// planFor plans for this host.
func planFor(t *testing.T, cfg plan.Config) plan.Plan {
	t.Helper()
	host, err := kernel.Here()
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.New(cfg, host)
	if err != nil {
		t.Fatal(err)
	}
	p.ClientTCP = order.TCP(os.Getenv(clientTCP))
	return p
}

// account is what a test compares.
type account struct{ Joined, Expected, Delivered, Lost, Duplicated, Reordered int64 }

func accountOf(e *record.End) account {
	return account{e.Joined, e.Expected, e.Delivered, e.Lost, e.Duplicated, e.Reordered}
}

func TestRunCatchesEachFault(t *testing.T) {
	t.Parallel()
	held := make(map[int]func()) // by client: the message kept back
	for _, test := range []struct {
		name    string
		deliver func(to, seq int, send func())
		want    account
		example string
	}{
		{"no fault", nil, account{50, 300, 300, 0, 0, 0}, ""},
		{"drop", func(to, seq int, send func()) {
			if to != 17 || seq < 3 || seq == 6 {
				send()
			}
		}, account{50, 300, 297, 3, 0, 0}, "missed 3..5"},
		{"drop the last", func(to, seq int, send func()) {
			if to%10 != 0 || seq != 6 {
				send()
			}
		}, account{50, 300, 295, 5, 0, 0}, "missed 6"},
		{"duplicate", func(to, seq int, send func()) {
			send()
			if to == 3 {
				send()
			}
		}, account{50, 300, 300, 0, 6, 0}, ""},
		{"reorder", func(to, seq int, send func()) {
			if to == 5 && seq == 2 {
				held[to] = send
				return
			}
			send()
			if late := held[to]; late != nil {
				delete(held, to)
				late()
			}
		}, account{50, 300, 300, 0, 0, 1}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := (&fake{deliver: test.deliver}).start(t)
			end, err := runUntil(t, config(f), test.want)
			if err != nil {
				t.Fatalf("Run() = %v", err)
			}
			if got := accountOf(end); got != test.want {
				t.Errorf("account %+v, want %+v", got, test.want)
			}
			if got := strings.Join(end.LostExamples, "\n"); !strings.Contains(got, test.example) || (got != "") != (test.example != "") {
				t.Errorf("examples of loss %q, want %q", got, test.example)
			}
		})
	}
}

// One delivery in a thousand goes wrong, and each is found.
func TestRunCatchesOneInAThousand(t *testing.T) {
	t.Parallel()
	const messages, delay = 100, 1500 * time.Millisecond
	for _, test := range []struct {
		name  string
		fault func(send func()) (then func()) // instead of send; then comes after the client's next message
		want  account
		late  int64 // at least
	}{
		{"drop", func(func()) func() { return nil }, account{50, 5000, 4995, 5, 0, 0}, 0},
		{"duplicate", func(send func()) func() { send(); return send }, account{50, 5000, 5000, 0, 5, 0}, 0},
		{"reorder", func(send func()) func() { return send }, account{50, 5000, 5000, 0, 0, 5}, 0},
		{"delay", func(send func()) func() { return func() { time.AfterFunc(delay, send) } }, account{50, 5000, 5000, 0, 0, 5}, 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			n := 0
			held := make(map[int]func()) // by client
			f := &fake{deliver: func(to, _ int, send func()) {
				if n++; n%1000 == 500 {
					held[to] = test.fault(send)
					return
				}
				send()
				if then := held[to]; then != nil {
					delete(held, to)
					then()
				}
			}}
			cfg := config(f.start(t))
			cfg.Messages, cfg.Rate, cfg.Late = messages, 1e6, delay*9/10
			end, err := runUntil(t, cfg, test.want)
			if err != nil {
				t.Fatalf("Run() = %v", err)
			}
			if got := accountOf(end); got != test.want || end.Late < test.late {
				t.Errorf("account %+v with %d late, want %+v with %d", got, end.Late, test.want, test.late)
			}
		})
	}
}

// Each writer has numbers of its own, and each loss is told with whose it is.
func TestRunAccountsForEachWriter(t *testing.T) {
	t.Parallel()
	f := &fake{}
	f.deliver = func(to, _ int, send func()) {
		if writer, seq := f.stamp(); to != 17 || writer != 1 || seq != 2 {
			send()
		}
	}
	cfg := config(f.start(t))
	cfg.Writers, cfg.Rate = 3, 20
	end, records, err := run(t, t.Context(), cfg)
	if err != nil {
		t.Fatalf("Run() = %v", err)
	}
	if want := (account{50, 900, 899, 1, 0, 0}); accountOf(end) != want {
		t.Errorf("account %+v, want %+v", accountOf(end), want)
	}
	if got, want := strings.Join(end.LostExamples, "\n"), "missed 2 of writer 1"; !strings.Contains(got, want) {
		t.Errorf("examples of loss %q, want %q", got, want)
	}
	of := make(map[int]int)
	for _, r := range records {
		if r.Broadcast != nil {
			of[r.Broadcast.Writer]++
		}
	}
	if want := map[int]int{0: 6, 1: 6, 2: 6}; !reflect.DeepEqual(of, want) {
		t.Errorf("broadcasts by writer %v, want %v", of, want)
	}
}

// Who was away is owed nothing for that time.
func TestChurn(t *testing.T) {
	t.Parallel()
	const rate = 10
	cfg := config((&fake{}).start(t))
	cfg.Scenario, cfg.Churn, cfg.Messages, cfg.Rate = plan.Churn, 2*rate, rate*int(stands.Seconds()), rate
	end, records, err := run(t, t.Context(), cfg)
	if err != nil {
		t.Fatalf("Run() = %v", err)
	}
	if end.Lost > 0 || end.Away == 0 || end.Delivered+end.Away != int64(cfg.Messages*clients) {
		t.Errorf("account %+v, %d missed while away, errors %v, want no loss", accountOf(end), end.Away, end.Errors)
	}
	for _, r := range records {
		if a := r.Activity; a != nil && (a.Count == 0 || a.Count > paced(a, cfg.Churn)) {
			t.Errorf("%s: %d in %d ms, want %v a second", a.Name, a.Count, a.Ms, cfg.Churn)
		}
	}
}

// paced is how many of something paced at so many a second there can be in the
// time of an activity.
func paced(a *record.Activity, perSecond float64) int64 {
	return int64(perSecond*float64(a.Ms+1)/1000) + 1
}

// An echo waits for the last answers, and counts those that never come.
func TestEcho(t *testing.T) {
	t.Parallel()
	const delay = 700 * time.Millisecond
	for _, test := range []struct {
		name    string
		rate    float64
		answer  func(n int, send func())
		missing int64
		slowest time.Duration // at least
	}{
		{"all are answered", 100, func(_ int, send func()) { send() }, 0, 0},
		{"the last is late", 10, func(_ int, send func()) {
			time.AfterFunc(delay, send)
		}, 0, delay},
		{"all are late", 50, func(_ int, send func()) { time.AfterFunc(delay, send) }, 0, delay},
		{"two are not", 100, func(n int, send func()) {
			if n > 2 {
				send()
			}
		}, 2, 0},
		{"one of the closed loop is not", 0, func(n int, send func()) {
			if n != 2 {
				send()
			}
		}, 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := (&fake{answer: test.answer}).start(t)
			cfg := config(f)
			cfg.Scenario, cfg.Rate, cfg.InFlight, cfg.For = plan.Echo, test.rate, 2, 2*time.Second
			end, records, err := run(t, t.Context(), cfg)
			if err != nil {
				t.Fatalf("Run() = %v", err)
			}
			if got := end.Errors["ping not answered"]; got != test.missing {
				t.Errorf("%d pings not answered, want %d", got, test.missing)
			}
			h := latencyOf(t, records, "echo")
			if slowest := time.Duration(h.Max()) * time.Microsecond; slowest < test.slowest {
				t.Errorf("the slowest answer took %v, want at least %v", slowest, test.slowest)
			}
			for _, r := range records { // the rate is that of all answers, and late ones are none less
				if a := r.Activity; a != nil && test.rate > 0 && (a.Count != int64(f.pings)-test.missing || a.Ms < cfg.For.Milliseconds()) {
					t.Errorf("%d answers to %d pings counted in %d ms, want those to all, in %v or more", a.Count, f.pings, a.Ms, cfg.For)
				}
			}
			pings := int64(f.pings) - test.missing // before the closed loop is in its stride it is not measured
			if h.TotalCount() > pings || h.TotalCount() == 0 || h.TotalCount() < pings && test.rate > 0 {
				t.Errorf("%d latencies, want %d", h.TotalCount(), pings)
			}
		})
	}
}

// What is counted is of the moments at which a scenario begins and ends, however
// rarely processes report by themselves.
func TestCountsAreOfTheMoment(t *testing.T) {
	t.Parallel()
	const inFlight = 8
	for _, test := range []struct {
		name   string
		change func(*plan.Config)
		rate   float64 // a second, at most
		more   int64   // latencies than counted: of answers that were under way at the end
	}{
		{"closed loop", func(c *plan.Config) {
			c.Scenario, c.Rate, c.InFlight, c.For = plan.Echo, 0, inFlight, 200*time.Millisecond
		}, math.Inf(1), inFlight},
		{"open loop", func(c *plan.Config) { c.Scenario, c.Rate, c.For = plan.Echo, 20, stands }, 20, 0},
		{"heartbeats", func(c *plan.Config) { c.Scenario, c.For, c.Heartbeat = plan.Idle, 2*stands, stands }, math.Inf(1), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cfg := config((&fake{}).start(t))
			test.change(&cfg)
			p := planFor(t, cfg)
			p.Report = time.Hour
			var a *record.Activity
			patient(t, func() {
				if err := conduct.Run(t.Context(), cfg, p, nil, func(r record.Record) {
					if r.Activity != nil {
						a = r.Activity
					}
				}); err != nil {
					t.Errorf("Run() = %v", err)
				}
			})
			if a == nil {
				t.Fatal("no activity")
			}
			if test.rate < math.Inf(1) && a.Count > paced(a, test.rate) {
				t.Fatalf("count of %d in %d ms, want up to %v a second", a.Count, a.Ms, test.rate)
			}
			if a.Count == 0 && test.name != "closed loop" { // the latencies show its count
				t.Error("nothing was counted")
			}
			if want := cfg.For.Milliseconds(); a.Ms < want {
				t.Errorf("it went on for %d ms, want %d", a.Ms, want)
			}
			if cfg.Scenario == plan.Echo {
				if n := decode(t, a.Latency).TotalCount(); n == 0 || n < a.Count || n-a.Count > test.more {
					t.Errorf("%d latencies for a count of %d, want up to %d more", n, a.Count, test.more)
				}
			}
		})
	}
}

// latencyOf is that of an activity.
func latencyOf(t *testing.T, records []record.Record, name string) *hdrhistogram.Histogram {
	t.Helper()
	for _, r := range records {
		if r.Activity == nil || r.Activity.Name != name {
			continue
		}
		h, err := hdrhistogram.Decode(r.Activity.Latency)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	t.Fatalf("no activity %s", name)
	return nil
}

// All that was pushed in one go is answered, and what then came to all in one go is
// accounted for.
func TestBurst(t *testing.T) {
	t.Parallel()
	cfg := config((&fake{}).start(t))
	cfg.Scenario, cfg.Pushers, cfg.Push, cfg.Messages, cfg.Size = plan.Burst, 3, 200_000, 4, 20_000
	cfg.Drain = time.Minute // all comes
	end, records, err := run(t, t.Context(), cfg)
	if err != nil {
		t.Fatalf("Run() = %v", err)
	}
	if want := (account{clients, 4 * clients, 4 * clients, 0, 0, 0}); accountOf(end) != want || len(end.Errors) > 0 {
		t.Errorf("account %+v, errors %v, want %+v and none", accountOf(end), end.Errors, want)
	}
	for _, r := range records {
		if a := r.Activity; a != nil && (a.Name != "burst" || a.Count != 3*10) {
			t.Errorf("activity %s counts %d, want burst and 30", a.Name, a.Count)
		}
	}
}

// Those who do not read are found to be cut off, or not, and cost the others
// nothing.
func TestSlow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		messages int // of 16 KiB, where the fake holds 1 MiB back
		cutOff   int64
	}{{"little is sent", 2, 0}, {"much is sent", 90, clients / 10}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := (&fake{}).start(t)
			cfg := config(f)
			cfg.Scenario, cfg.Slow, cfg.Messages = plan.Slow, 10, test.messages
			cfg.Drain, cfg.Heartbeat = time.Minute, time.Minute // all comes, and no machine is too slow for that
			end, records, err := run(t, t.Context(), cfg)
			if err != nil {
				t.Fatalf("Run() = %v", err)
			}
			n := int64(test.messages) * clients * 9 / 10
			if want := (account{clients, n, n, 0, 0, 0}); accountOf(end) != want {
				t.Errorf("account %+v, errors %v, want %+v", accountOf(end), end.Errors, want)
			}
			for _, r := range records {
				if r.Activity != nil && r.Activity.Count != test.cutOff {
					t.Errorf("%d cut off, want %d", r.Activity.Count, test.cutOff)
				}
			}
		})
	}
}

// Those who do not read send heartbeats: it is not their silence that they are
// cut off for.
func TestSlowIsNotSilent(t *testing.T) {
	t.Parallel()
	f := (&fake{}).start(t)
	s := serve(t, f, order.Orders{Slow: 99, Heartbeat: 500 * time.Millisecond}) // all but one
	s.counted(func(order.Counts) bool { return f.beaten() >= 3*clients })
}

func TestRunRecordsEachBroadcast(t *testing.T) {
	t.Parallel()
	f := (&fake{}).start(t)
	end, records, err := run(t, t.Context(), config(f))
	if err != nil {
		t.Fatalf("Run() = %v", err)
	}
	var memory []string
	next := int64(1)
	for _, r := range records {
		switch b := r.Broadcast; {
		case r.Memory != nil:
			memory = append(memory, r.Memory.When)
		case b == nil:
		case b.Seq != next || b.Expected != clients || b.Delivered != clients || b.FirstUs > b.LastUs || b.LastUs == 0 || b.P50Us > b.P99Us:
			t.Errorf("broadcast %+v, want number %d to all %d clients", *b, next, clients)
		default:
			next++
		}
	}
	if next != 7 {
		t.Errorf("%d broadcasts recorded, want 6", next-1)
	}
	if want := []string{"empty", "joined", "after"}; !reflect.DeepEqual(memory, want) {
		t.Errorf("memory bills %q, want %q", memory, want)
	}
	for name, encoded := range map[string][]byte{"latency": end.Latency, "raw": end.RawLatency} {
		h, err := hdrhistogram.Decode(encoded)
		if err != nil || h.TotalCount() != end.Delivered {
			t.Errorf("histogram %s: error %v, want %d values", name, err, end.Delivered)
		}
	}
	if end.ConnectMs == 0 || end.BroadcastMs < 100 {
		t.Errorf("connect %d ms, broadcast %d ms, want some and at least 100", end.ConnectMs, end.BroadcastMs)
	}
}

// Every phase has a tick, however short it is, and the first and the last are of
// the begin and the end.
func TestTickOfEachPhase(t *testing.T) {
	t.Parallel()
	_, records, err := run(t, t.Context(), config((&fake{}).start(t)))
	if err != nil {
		t.Fatalf("Run() = %v", err)
	}
	var phases []string
	var ticks []*record.Tick
	last := make(map[string]*record.Tick) // by phase
	for _, r := range records {
		if r.Tick == nil {
			continue
		}
		if len(phases) == 0 || phases[len(phases)-1] != r.Tick.Phase {
			phases = append(phases, r.Tick.Phase)
		}
		ticks = append(ticks, r.Tick)
		last[r.Tick.Phase] = r.Tick
	}
	if want := []string{"settle", "connect", "settle", "broadcast", "settle", "close"}; !reflect.DeepEqual(phases, want) {
		t.Errorf("ticks of phases %q, want %q", phases, want)
	}
	if c := last["connect"]; c == nil || c.Joined != clients || c.Connected != clients || c.Present != clients {
		t.Errorf("tick after the ramp %+v, want all %d connected, joined and present", c, clients)
	}
	if c := last["close"]; ticks[0].Connected > 0 || c == nil || c.Connected != 0 || c.Present != 0 || c.Delivered != 6*clients {
		t.Errorf("the first tick has %d connected, the last is %+v, want one of the begin, and one with nobody left", ticks[0].Connected, c)
	}
}

func TestRunCountsRefusedJoins(t *testing.T) {
	t.Parallel()
	f := (&fake{refuse: 10}).start(t)
	end, records, err := run(t, t.Context(), config(f))
	if err != nil {
		t.Fatalf("Run() = %v", err)
	}
	if want := (account{45, 270, 270, 0, 0, 0}); accountOf(end) != want {
		t.Errorf("account %+v, want %+v", accountOf(end), want)
	}
	for _, r := range records {
		if s := r.Shortfall; s != nil && (s.Limit != kernel.RefusedByServer || !strings.Contains(s.Evidence, "join refused")) {
			t.Errorf("what stopped it is %+v, want the server", s)
		}
	}
	if end.Errors["join refused: full"] != 5 {
		t.Errorf("errors %v, want 5 of join refused: full", end.Errors)
	}
}

// With a rate, a client that has to wait until others are in has waited since its
// turn came: else a server that stands still looks as if it kept one in waiting.
func TestJoinsCountFromTheirTurn(t *testing.T) {
	t.Parallel()
	const total, rate, stop = 400, 400, time.Second // the window is 256
	f := &fake{}
	f.admit = func(n int, send func()) {
		if n <= 256 {
			time.AfterFunc(stop, send) // until then there is no slot for the others
			return
		}
		send()
	}
	cfg := config(f.start(t))
	cfg.Clients, cfg.ConnectRate, cfg.Messages = total, rate, 1
	end, _, err := run(t, t.Context(), cfg)
	if err != nil {
		t.Fatalf("Run() = %v", err)
	}
	h := decode(t, end.JoinLatency)
	waited := 0
	for _, bar := range h.Distribution() {
		if bar.From >= (stop / 10).Microseconds() {
			waited += int(bar.Count)
		}
	}
	if want := 256 + (total-256)/2; waited < want {
		t.Errorf("%d of %d joins took a tenth of %v, want at least %d", waited, h.TotalCount(), stop, want)
	}
}

func TestRunNobodyListens(t *testing.T) {
	t.Parallel()
	end, _, err := run(t, t.Context(), config(&fake{url: "ws://127.0.0.1:1"}))
	if err != nil {
		t.Fatalf("Run() = %v", err)
	}
	if end.Joined != 0 || end.Errors["connection refused"] != clients {
		t.Errorf("%d joined, errors %v, want all refused", end.Joined, end.Errors)
	}
}

func TestHeartbeats(t *testing.T) {
	t.Parallel()
	const failed = "heartbeat not answered"
	for _, test := range []struct {
		name  string
		deaf  bool
		every time.Duration
		end   func(order.Counts) bool
		want  int64 // clients that gave up
	}{
		{"answered", false, stands, func(c order.Counts) bool { return c.Beats >= clients || c.Errors[failed] > 0 }, 0},
		{"not answered", true, time.Second, func(c order.Counts) bool { return c.Errors[failed] >= clients }, clients},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, (&fake{deaf: test.deaf}).start(t), order.Orders{Heartbeat: test.every})
			if got := s.counted(test.end).Errors[failed]; got != test.want {
				t.Errorf("%d heartbeats not answered, want %d", got, test.want)
			}
		})
	}
}

// Wherever a run is cut short, it ends soon with what was measured until then.
func TestRunInterruptedInEachPhase(t *testing.T) {
	t.Parallel()
	tick := func(phase string) func(record.Record) bool {
		return func(r record.Record) bool { return r.Tick != nil && r.Tick.Phase == phase }
	}
	bill := func(when string) func(record.Record) bool {
		return func(r record.Record) bool { return r.Memory != nil && r.Memory.When == when }
	}
	for _, test := range []struct {
		name     string
		change   func(*plan.Config)
		at       func(record.Record) bool
		activity string
	}{
		{"begun", nil, func(r record.Record) bool { return r.Run != nil }, ""},
		{"empty", nil, bill("empty"), ""},
		{"connect", func(c *plan.Config) { c.ConnectRate = 10 }, tick("connect"), ""},
		{"joined", nil, bill("joined"), ""},
		{"broadcast", func(c *plan.Config) { c.Rate = 2 }, tick("broadcast"), ""},
		{"some messages later", func(c *plan.Config) { c.Messages, c.Rate = 1000, 10 },
			func(r record.Record) bool { return r.Broadcast != nil && r.Broadcast.Seq == 3 }, ""},
		{"echo", func(c *plan.Config) { c.Scenario, c.Rate = plan.Echo, 20 },
			func(r record.Record) bool { return r.Tick != nil && r.Tick.Replies > 0 }, "echo"},
		{"idle", func(c *plan.Config) { c.Scenario = plan.Idle }, tick("idle"), "idle"},
		{"churn", func(c *plan.Config) { c.Scenario, c.Rate = plan.Churn, 2 }, tick("broadcast"), "leave"},
		{"slow", func(c *plan.Config) { c.Scenario, c.Rate = plan.Slow, 2 }, tick("broadcast"), "slow"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cfg := config((&fake{}).start(t))
			if test.change != nil {
				test.change(&cfg)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			end, activity := interrupted(t, ctx, cancel, cfg, test.at)
			if !end.Interrupted || end.Lost != 0 || end.Delivered != end.Expected || len(end.Errors) > 0 {
				t.Errorf("interrupted %t, account %+v, errors %v, want a part of the run without loss", end.Interrupted, accountOf(end), end.Errors)
			}
			if activity != test.activity {
				t.Errorf("the last activity is %q, want %q", activity, test.activity)
			}
		})
	}
}

// interrupted makes a run and cancels it when at says so.
func interrupted(t *testing.T, ctx context.Context, cancel func(), cfg plan.Config, at func(record.Record) bool) (end *record.End, activity string) {
	t.Helper()
	p := planFor(t, cfg)
	var err error
	patient(t, func() {
		err = conduct.Run(ctx, cfg, p, nil, func(r record.Record) {
			switch {
			case at(r):
				cancel()
			case r.Activity != nil:
				activity = r.Activity.Name
			}
			end = r.End
		})
	})
	if end == nil || !errors.Is(err, context.Canceled) {
		t.Fatalf("Run() = %v, End record %+v, want that it was canceled, and one", err, end)
	}
	return end, activity
}

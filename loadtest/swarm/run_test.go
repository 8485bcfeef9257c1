package swarm_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"go.uber.org/goleak"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/swarm"
)

func TestMain(m *testing.M) {
	// What ants starts by being imported, and the event loops of netpoll, live
	// as long as the process.
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/cloudwego/netpoll.(*defaultPoll).Wait"))
}

// clients is enough for faults to hit some of them.
const clients = 50

func config(f *fake) swarm.Config {
	return swarm.Config{Clients: clients, Messages: 6, Rate: 50, URL: f.url, Drain: 500 * time.Millisecond}
}

// run makes a run against f in this process.
func run(t *testing.T, ctx context.Context, cfg swarm.Config) (end *record.End, records []record.Record, err error) {
	t.Helper()
	limits, err := swarm.ReadLimits()
	if err != nil {
		t.Fatal(err)
	}
	plan, err := swarm.NewPlan(cfg, limits)
	if err != nil {
		t.Fatal(err)
	}
	patient(t, 30*time.Second, func() {
		err = swarm.Run(ctx, cfg, plan, func(r record.Record) {
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
			f := (&fake{deliver: test.deliver}).start(t)
			end, _, err := run(t, t.Context(), config(f))
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

func TestRunCountsRefusedJoins(t *testing.T) {
	t.Parallel()
	f := (&fake{refuse: 10}).start(t)
	end, _, err := run(t, t.Context(), config(f))
	if err != nil {
		t.Fatalf("Run() = %v", err)
	}
	if want := (account{45, 270, 270, 0, 0, 0}); accountOf(end) != want {
		t.Errorf("account %+v, want %+v", accountOf(end), want)
	}
	if end.Errors["join refused"] != 5 {
		t.Errorf("errors %v, want 5 of join refused", end.Errors)
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
	for _, test := range []struct {
		name string
		deaf bool
		want int64 // clients that gave up
	}{{"answered", false, 0}, {"not answered", true, clients}} {
		t.Run(test.name, func(t *testing.T) {
			f := (&fake{deaf: test.deaf}).start(t)
			cfg := config(f)
			cfg.Heartbeat, cfg.Rate = time.Second, 2
			end, _, err := run(t, t.Context(), cfg)
			if err != nil {
				t.Fatalf("Run() = %v", err)
			}
			if f.beats < clients {
				t.Errorf("%d heartbeats, want at least %d", f.beats, clients)
			}
			if got := end.Errors["heartbeat not answered"]; got != test.want {
				t.Errorf("%d heartbeats not answered, want %d", got, test.want)
			}
		})
	}
}

func TestRunInterrupted(t *testing.T) {
	t.Parallel()
	f := (&fake{}).start(t)
	cfg := config(f)
	cfg.Messages, cfg.Rate = 1000, 10
	ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
	defer cancel()
	end, _, err := run(t, ctx, cfg)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run() = %v, want that of the context", err)
	}
	if !end.Interrupted || end.Delivered == 0 || end.Expected == 1000*clients || end.Delivered != end.Expected || end.Lost != 0 {
		t.Errorf("interrupted %t, account %+v, want a part of the run without loss", end.Interrupted, accountOf(end))
	}
}

package conduct_test

import (
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/record"
)

// A leave that could not be made is counted, so that nobody takes the rate asked
// for as done.
func TestChurnCountsEachLeave(t *testing.T) {
	t.Parallel()
	const skipped, nobody = "leave skipped: the client was still away, or had to write", "no client to leave"
	for _, test := range []struct {
		name    string
		clients int
		churn   float64
		kind    string // of error; "" is none
	}{
		{"as fast as asked for", clients, 5, ""}, // too few for anybody's second turn
		{"too fast", clients, 300, skipped},
		{"nobody but the writer", 1, 20, nobody},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cfg := config((&fake{}).start(t))
			cfg.Scenario, cfg.Clients, cfg.Churn, cfg.Messages, cfg.Rate = plan.Churn, test.clients, test.churn, 3, 2/stands.Seconds()
			end, records, err := run(t, t.Context(), cfg)
			if err != nil {
				t.Fatalf("Run() = %v", err)
			}
			var leaves *record.Activity
			for _, r := range records {
				if r.Activity != nil && r.Activity.Name == "leave" {
					leaves = r.Activity
				}
			}
			all := leaves.Count
			for kind, n := range end.Errors {
				all += n
				if kind != test.kind {
					t.Errorf("%d errors %q, want only of kind %q", n, kind, test.kind)
				}
			}
			if (leaves.Count > 0) != (test.kind != nobody) || end.Lost > 0 {
				t.Errorf("%d clients left, %d messages lost, want none lost", leaves.Count, end.Lost)
			}
			if most := paced(leaves, test.churn); all == 0 || all > most {
				t.Errorf("%d left or were to in %d ms, want %v a second", all, leaves.Ms, test.churn)
			}
		})
	}
}

// What was lost before a client left is lost, its absence is no excuse: neither
// when later messages came, nor when none did for as long as it was there.
func TestLeavingExcusesNoLoss(t *testing.T) {
	t.Parallel()
	const messages = 6
	even := func(to int) bool { return to%2 == 0 }
	for _, test := range []struct {
		name string
		ago  time.Duration // the messages are due
		lost func(to, seq int) bool
		want int64
	}{
		{"one of some", 0, func(to, seq int) bool { return even(to) && seq == 3 }, clients / 2},
		{"silence", time.Minute, func(to, _ int) bool { return even(to) }, clients / 2 * messages},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, (&fake{deliver: func(to, seq int, send func()) {
				if !test.lost(to, seq) {
					send()
				}
			}}).start(t), order.Orders{Messages: messages})
			sent := order.Schedule{Pace: order.Pacer{Start: order.Now() - int64(test.ago), Interval: 1}, Rooms: 1, Writers: 1}
			s.write(0, sent)
			s.counted(func(c order.Counts) bool { return c.Delivered == clients*messages-test.want })
			s.leave(clients - 1) // all but the writer
			got := s.stop(order.Stop{Sent: [][]int{{messages}}, Unsent: [][][]order.Span{{nil}}, Schedule: sent})
			if got.Lost != test.want || got.Away != 0 {
				t.Errorf("%d lost, %d excused, want %d and none", got.Lost, got.Away, test.want)
			}
		})
	}
}

// Who is back is owed everything again.
func TestBackIsNoExcuse(t *testing.T) {
	t.Parallel()
	const writers = 2
	for _, test := range []struct {
		name    string
		forgets bool
		want    int64
	}{{"all hear again", false, 0}, {"nobody hears anything again", true, clients - writers}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, (&fake{forgets: test.forgets}).start(t), order.Orders{Messages: 1, Writers: writers})
			before := order.Now()
			s.write(0, order.Schedule{Pace: order.Pacer{Start: before}, Rooms: 1, Writers: writers})
			s.counted(func(c order.Counts) bool { return c.Delivered == clients })
			s.leave(clients - writers)
			s.counted(func(c order.Counts) bool { return c.Present() == clients })
			after := order.Now()
			sent := order.Schedule{Pace: order.Pacer{Start: before, Interval: (after - before) * writers}, Rooms: 1, Writers: writers}
			s.write(1, sent) // it is due now, as its turn is
			s.counted(func(c order.Counts) bool { return c.Delivered == 2*clients-test.want })
			got := s.stop(order.Stop{Sent: [][]int{{1, 1}}, Unsent: [][][]order.Span{{nil, nil}}, Schedule: sent})
			if got.Lost != test.want || got.Away != 0 {
				t.Errorf("%d lost, %d excused, want %d and none", got.Lost, got.Away, test.want)
			}
		})
	}
}

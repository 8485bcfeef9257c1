package conduct

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/record"
)

// A writer that passes messages over could not send them; those that it never
// came to were planned all the same.
func TestUnsentIsNotExpected(t *testing.T) {
	for _, test := range []struct {
		sent     []int
		unsent   int64 // that the process counted
		spans    string
		expected int64
		untried  int64
	}{
		{nil, 0, "[]", 0, 10},
		{[]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 0, "[]", 100, 0},
		{[]int{1, 2, 3}, 7, "[]", 30, 0},
		{[]int{1, 2, 5, 6, 8}, 5, "[{3 4} {7 7}]", 50, 0},
		{[]int{4, 5}, 3, "[{1 3}]", 20, 5},
	} {
		r := newRun(plan.Config{}.Complete(), plan.Plan{Rooms: []int{10}, Writers: 1, Messages: 10}, nil, nil)
		room := &r.rooms[0]
		room.joined = 10
		for _, seq := range test.sent {
			room.wentOut(place{seq: seq})
		}
		if got := fmt.Sprint(room.unsent[0]); got != test.spans {
			t.Errorf("after sending %v unsent = %s, want %s", test.sent, got, test.spans)
		}
		if got := r.expected(); got != test.expected {
			t.Errorf("after sending %v expected() = %d, want %d", test.sent, got, test.expected)
		}
		if got := r.untried(order.Counts{Sent: int64(len(test.sent)), Unsent: test.unsent}); got != test.untried {
			t.Errorf("after sending %v untried() = %d, want %d", test.sent, got, test.untried)
		}
		r.close()
	}
}

// A message is recorded when all have told of it, and when that takes too long,
// but once.
func TestMessagesAreForgotten(t *testing.T) { synctest.Test(t, messagesAreForgotten) }

func messagesAreForgotten(t *testing.T) {
	const messages = 5
	var recorded []int64 // receipts, by message
	r := newRun(plan.Config{}.Complete(), plan.Plan{Rooms: []int{10}, Writers: 1, Messages: messages}, nil, func(rec record.Record) {
		recorded = append(recorded, rec.Broadcast.Delivered)
	})
	defer r.close()
	// The third was due just too long ago.
	second := int64(time.Second)
	r.casting.schedule = order.Schedule{Pace: order.Pacer{Start: order.Now() - int64(r.waits()+grace) - 2*second - second/2, Interval: second}, Rooms: 1, Writers: 1}
	w := &worker{}
	tell := func(e order.Event) {
		t.Helper()
		if err := r.open(letter{from: w, event: e}); err != nil {
			t.Fatal(err)
		}
	}
	arrive := func(seq, n int) {
		var latency order.Sample
		for range n {
			latency.Add(second)
		}
		tell(order.Event{Receipts: &order.Receipts{Seq: seq, First: second, Last: second, Latency: latency}})
	}
	tell(order.Event{Ramped: &order.Ramped{Joined: map[int]int64{0: 10}, Groups: map[int]int{0: 2}}})
	for seq := range messages {
		tell(order.Event{Sent: &order.Sent{Seq: seq + 1}})
		arrive(seq+1, 5)
	}
	arrive(2, 4) // one was gone
	for _, step := range []struct {
		name string
		do   func()
		want []int64
	}{
		{"two groups told of the second", func() {}, []int64{9}},
		{"three are too old", func() { tell(order.Event{Progress: &order.Progress{}}) }, []int64{9, 5, 5}},
		{"late", func() { arrive(1, 1) }, []int64{9, 5, 5}},
		{"in time", func() { arrive(4, 5) }, []int64{9, 5, 5, 10}},
	} {
		step.do()
		if !slices.Equal(recorded, step.want) {
			t.Errorf("%s: receipts recorded %v, want %v", step.name, recorded, step.want)
		}
	}
	if n := len(r.rooms[0].messages); n != 1 {
		t.Errorf("%d messages kept, want 1: the last", n)
	}
}

// A message that comes to millions takes longer than ten seconds, and the next one is not
// due before: what it is reported with is all of its receipts.
func TestWaitsForTheNextMessage(t *testing.T) {
	for _, tt := range []struct {
		rate float64
		want time.Duration
	}{{2, 10 * time.Second}, {0, 10 * time.Second}, {0.0125, 80 * time.Second}} {
		r := &run{cfg: plan.Config{Drain: 5 * time.Second, Late: 10 * time.Second}, plan: plan.Plan{Rate: tt.rate}}
		if got := r.waits(); got != tt.want {
			t.Errorf("at %v messages a second receipts are waited for %v, want %v", tt.rate, got, tt.want)
		}
	}
}

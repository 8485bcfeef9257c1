package user

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/script"
)

// Rounds of a process are its share of all, at moments between those of the others. They
// wait for a user, as many as there are users; what is due beyond that is skipped, and told.
func TestRoundsAreDue(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name              string
		users, all, first int
		due               string // of those that wait, in milliseconds
		skipped           int64
	}{
		{"all of them", 4, 4, 0, "[0 250 500 750]", 4},
		{"the first half", 4, 8, 0, "[0 500 1000 1500]", 0},
		{"the second half", 4, 8, 4, "[250 750 1250 1750]", 0},
		{"a quarter", 2, 8, 6, "[750 1750]", 0},
	} {
		src := script.Source{Text: []byte("target: {url: ws://127.0.0.1:1/}\ntopics: [{topic: a}]\nsteps: [{push: a}]\nrate: 4\nfor: 2s\n")}
		c, err := newCrew(order.Orders{Script: &src, Users: test.all, Window: 1, Shares: []order.Share{{First: test.first, Count: test.users}}})
		if err != nil {
			t.Fatal(err)
		}
		start := c.now() - 10e9 // all are due
		c.pace(t.Context(), start)
		var due []int64
		for len(c.tickets) > 0 {
			due = append(due, (<-c.tickets-start+500_000)/1e6)
		}
		if got := fmt.Sprint(due); got != test.due {
			t.Errorf("%s: due at %s ms, want %s", test.name, got, test.due)
		}
		skipped := c.counts.Errors["round skipped: no user was free, and as many rounds wait as there are users"]
		if skipped != test.skipped || int64(len(c.counts.Errors)) > 1 || c.late.Count() != int64(len(due)) || c.late.Percentile(1) < 7e6 {
			t.Errorf("%s: errors %v, %d late by %d µs and more, want %d rounds skipped", test.name, c.counts.Errors, c.late.Count(), c.late.Percentile(1), test.skipped)
		}
		c.end()
	}
	c := crewOf(t, "topics: [{topic: a}]\nsteps: [{push: a}]\nrate: 4\n", 1)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	c.pace(over, c.now())
	if len(c.tickets) > 0 {
		t.Error("a round is due after the end")
	}
	c.end()
}

// The first message of a round counts from the moment at which that was due, the others
// from when they are sent.
func TestLatencyCountsFromTheRound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sc := enter(t, `topics: [{topic: room:a}]
rate: 5
for: 1h
steps:
  - {push: one, payload: ["{{stamp}}"], reply: {}}
  - {push: two, payload: ["{{stamp}}"], reply: {}}
`, func(p *peer, m channels.Message) { p.reply(m, "ok", "{}") })
		rounds, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		sc.life.rounds = rounds
		sc.crew.script.Rounds = 3    // of which the first was begun by enter
		time.Sleep(10 * time.Second) // stamps have no sign
		due := sc.crew.now() - 3e9
		sc.crew.tickets = make(chan int64, 2)
		sc.crew.tickets <- due
		sc.crew.tickets <- sc.crew.now() + 1e9 // nobody is sent before its moment, and counts from then
		if err := sc.life.goRound(sc.s); err != nil {
			t.Fatal(err)
		}
		var behind []int64
		for _, m := range sc.peer.got[1:] {
			s := stampOf(t, m)
			behind = append(behind, (s.Sent-s.Intended)/1e9)
		}
		if !slices.Equal(behind, []int64{3, 0, 0, 0}) {
			t.Errorf("messages count from %v s before they are sent, want 3 s for the first of the round that was late", behind)
		}
		for name, want := range map[string]int64{"push one": 3_000_000, "push two": 0} {
			for i, m := range sc.crew.script.Meters {
				if m.Name == name {
					if got := sc.crew.meters[i].latency.Max(); got < want || got > want+3000 {
						t.Errorf("%s took %d µs at most, want %d", name, got, want)
					}
				}
			}
		}
		sc.done()
	})
}

// A process of users carries out commands in their order, and answers those that have
// an answer.
func TestServeUsers(t *testing.T) {
	t.Parallel()
	src := script.Source{Text: []byte("target: {url: ws://127.0.0.1:1/}\ntopics: [{topic: a}]\nrounds: 1\nsteps: [{push: a}]\n")}
	orders := order.Orders{Script: &src, Users: 2, Window: 2, Shares: []order.Share{{Room: 3, Count: 2}}, Report: time.Hour}
	serve := func(o order.Orders, commands string) (kinds []string, last order.Event, err error) {
		in, out := io.Pipe()
		events := json.NewDecoder(in)
		done := make(chan error, 1)
		go func() {
			done <- Serve(o, json.NewDecoder(strings.NewReader(commands)), json.NewEncoder(out))
			out.Close()
		}()
		for {
			var e order.Event
			if events.Decode(&e) != nil {
				return kinds, last, <-done
			}
			last = e
			switch {
			case e.Ramped != nil:
				kinds = append(kinds, fmt.Sprint("ramped ", e.Ramped.Joined))
			case e.Followed != nil:
				kinds = append(kinds, "followed")
			case e.Collected != nil:
				kinds = append(kinds, "collected")
			case e.Halted != nil:
				kinds = append(kinds, "halted")
			case e.Totals != nil:
				kinds = append(kinds, "totals")
			case e.Progress.At > 0:
				kinds = append(kinds, "answer")
			case e.Progress.Missing != nil:
				kinds = append(kinds, fmt.Sprint("missing ", *e.Progress.Missing))
			default:
				kinds = append(kinds, "progress")
			}
		}
	}
	for _, test := range []struct{ name, commands, want string }{
		{"nothing", "", "[]"},
		{"collect and report", `{"collect":true}{"report":{}}`, "[collected answer]"},
		{"halt", `{"halt":true}{"halt":true}`, "[progress halted progress halted]"},
		{"settle", `{"settle":{"x":{}}}{"halt":true}`, "[missing 0 halted]"},
		{"stop", `{"stop":{}}`, "[progress totals]"},
		{"nothing after stop", `{"stop":{}}{"collect":true}`, "[progress totals]"},
		{"what it does not know", `{"echo":{}}{"collect":true}`, "[collected]"},
	} {
		kinds, _, err := serve(orders, test.commands)
		if got := fmt.Sprint(kinds); err != nil || got != test.want {
			t.Errorf("%s: told %s, %v, want %s", test.name, got, err, test.want)
		}
	}
	if _, _, err := serve(orders, "{"); err == nil || !strings.HasPrefix(err.Error(), "read command: ") {
		t.Errorf("half a command: %v", err)
	}
	if _, _, err := serve(order.Orders{Script: &script.Source{}}, ""); err == nil || !strings.HasPrefix(err.Error(), "follow orders: ") {
		t.Errorf("no scenario: %v", err)
	}
	elsewhere := orders
	elsewhere.ScriptURL = "nowhere"
	if _, _, err := serve(elsewhere, ""); err == nil || !strings.Contains(err.Error(), "target.url") {
		t.Errorf("another URL that is none: %v", err)
	}
}

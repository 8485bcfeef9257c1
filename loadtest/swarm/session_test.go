package swarm

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
)

// served has a process of clients carry out commands, and returns what it tells: the
// kinds of events, and the last of them.
func served(t *testing.T, commands string) (kinds []string, last order.Event, err error) {
	t.Helper()
	in, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- Serve(strings.NewReader(commands), out)
		out.Close()
	}()
	for events := json.NewDecoder(in); ; {
		var e order.Event
		if events.Decode(&e) != nil {
			return kinds, last, <-done
		}
		last = e
		switch {
		case e.Ramped != nil:
			kinds = append(kinds, "ramped")
		case e.Collected != nil:
			kinds = append(kinds, "collected")
		case e.Halted != nil:
			kinds = append(kinds, "halted")
		case e.Totals != nil:
			kinds = append(kinds, "totals")
		case e.Progress != nil && e.Progress.At > 0:
			kinds = append(kinds, "answer")
		case e.Progress != nil:
			kinds = append(kinds, "progress")
		}
	}
}

// ordersOf are the first command of a process whose clients have nobody to connect to.
func ordersOf(t *testing.T, change func(*order.Orders)) string {
	t.Helper()
	o := order.Orders{
		Target: order.Target{URL: "ws://127.0.0.1:1"}, Window: 2, Writers: 1, Messages: 1, Heartbeat: time.Hour, Late: time.Minute, Report: time.Hour,
		Shares: []order.Share{{Topic: "a", Addrs: []string{"127.0.0.1:1"}, Count: 2}},
	}
	if change != nil {
		change(&o)
	}
	text, err := json.Marshal(order.Command{Orders: &o})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A process carries out commands in their order, and answers those that have an answer.
func TestServeClients(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, commands, want string }{
		{"nothing", "", "[]"},
		{"collect and report", `{"collect":true}{"report":{}}`, "[collected answer]"},
		{"halt", `{"halt":true}{"halt":true}`, "[progress halted progress halted]"},
		{"marks", `{"depart":5}{"move":{"from":"127.0.0.1:1","to":["127.0.0.1:2"]}}{"halt":true}`, "[progress halted]"},
		{"resume", `{"resume":true}{"halt":true}`, "[progress halted]"},
		{"stop", `{"stop":{"sent":[[1]],"unsent":[[null]]}}{"collect":true}`, "[progress totals]"},
	} {
		kinds, last, err := served(t, ordersOf(t, nil)+test.commands)
		if got := fmt.Sprint(kinds); err != nil || got != test.want {
			t.Errorf("%s: told %s, %v, want %s", test.name, got, err, test.want)
		}
		if last.Totals != nil && last.Totals.Lost != 0 {
			t.Errorf("%s: %d lost by clients that never joined", test.name, last.Totals.Lost)
		}
	}
}

// What is no order, or cannot be followed, ends the process with a reason.
func TestServeRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, commands, want string }{
		{"no input", "", "read orders: EOF"},
		{"no JSON", "hello", "read orders: invalid character"},
		{"another command first", `{"collect":true}`, "read orders: the first command is another"},
		{"no WebSocket", ordersOf(t, func(o *order.Orders) { o.Target.URL = "http://h" }), "follow orders: url: "},
		{"no address", ordersOf(t, func(o *order.Orders) { o.Shares[0].Addrs = nil }), "follow orders: share of room 0: no address to connect to"},
		{"an address that is none", ordersOf(t, func(o *order.Orders) { o.Shares[0].Addrs = []string{"localhost:1"} }), "follow orders: share of room 0: "},
		{"half a command", ordersOf(t, nil) + `{"halt":`, "read command: "},
		{"a move to nowhere", ordersOf(t, nil) + `{"move":{"from":"127.0.0.1:1"}}`, "no address to connect to"},
	} {
		if _, _, err := served(t, test.commands); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

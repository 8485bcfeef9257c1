package swarm

import (
	"fmt"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
)

// The receipts of a message are told when all who are there have it, or after a
// while, and then forgotten; what comes later still counts.
func TestReceiptsAreTold(t *testing.T) {
	const clients, second = 3, int64(time.Second)
	for _, test := range []struct {
		name string
		do   func(g *group, receive func(client int, seq int32))
		told string // numbers of messages, and receipts of each
		open int
		kept int64 // delivered in all
	}{
		{"all have it", func(_ *group, receive func(int, int32)) {
			receive(0, 1)
			receive(1, 1)
			receive(2, 1)
		}, "1:3 ", 0, 3},
		{"one is missing", func(_ *group, receive func(int, int32)) {
			receive(0, 1)
			receive(1, 1)
		}, "", 1, 2},
		{"for too long", func(g *group, receive func(int, int32)) {
			receive(0, 1)
			receive(1, 1)
			receive(1, 2)
			g.tellLocked(10*second + second/2)
		}, "1:2 ", 1, 3},
		{"and then it comes", func(g *group, receive func(int, int32)) {
			receive(0, 1)
			g.tellLocked(20 * second)
			receive(1, 1)
		}, "1:1 ", 0, 2},
		{"one goes without it", func(g *group, receive func(int, int32)) {
			receive(0, 1)
			receive(1, 1)
			g.goneLocked(&g.clients[2])
			receive(0, 2)
			receive(1, 2)
		}, "1:2 2:2 ", 0, 4},
		{"one goes with it", func(g *group, receive func(int, int32)) {
			receive(0, 1)
			receive(1, 1)
			g.goneLocked(&g.clients[1])
		}, "", 1, 2},
		{"one comes back", func(g *group, receive func(int, int32)) {
			g.goneLocked(&g.clients[2])
			g.fleet.absences[2] = []absence{{to: stillAway}}
			g.joinedBy(&g.clients[2], 0)
			receive(0, 1)
			receive(1, 1)
		}, "", 1, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := joinedGroup(t, clients)
			f := g.fleet
			test.do(g, func(client int, seq int32) {
				s := channels.Stamp{Writer: 1, Seq: seq, Intended: int64(seq-1) * second}
				g.received(&g.clients[client], 0, s, g.receive(&g.clients[client], 0, seq), s.Intended+second/10)
			})
			g.tellLocked(0)
			told := ""
			for _, e := range f.events {
				told += fmt.Sprintf("%d:%d ", e.Receipts.Seq, e.Receipts.Latency.Count())
			}
			if told != test.told || len(g.open) != test.open {
				t.Errorf("told %q, %d open, want %q, %d", told, len(g.open), test.told, test.open)
			}
			if f.counts.Delivered != test.kept || f.latency.TotalCount() != test.kept {
				t.Errorf("%d delivered, %d latencies, want %d", f.counts.Delivered, f.latency.TotalCount(), test.kept)
			}
		})
	}
}

// joinedGroup is the group of a fleet whose clients have no connections.
func joinedGroup(t *testing.T, clients int) *group {
	t.Helper()
	f, err := newFleet(order.Orders{
		Target:   order.Target{URL: "ws://127.0.0.1:1"},
		Messages: 5, Writers: 1, Writer: 1, Window: 1, Tell: 10 * time.Second, Late: time.Minute,
		Shares: []order.Share{{Addrs: []string{"127.0.0.1:1"}, Count: clients}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.close)
	g := f.groups[0]
	g.joined = int64(clients)
	for i := range g.clients {
		g.clients[i].joinedOnce = true
	}
	return g
}

// What no clock can show is no latency of 0, but it is a receipt.
func TestReceiptBeforeItsSend(t *testing.T) {
	const intended, sent = 1_000_000, 1_500_000
	for _, test := range []struct {
		now     int64
		latency int64 // values
		errors  int64
	}{{sent - 1, 0, 1}, {intended - 1, 0, 1}, {sent, 1, 0}, {sent + 1, 1, 0}} {
		g := joinedGroup(t, 2)
		g.received(&g.clients[0], 0, channels.Stamp{Writer: 1, Seq: 1, Intended: intended, Sent: sent}, inOrder, test.now)
		f := g.fleet
		got := fmt.Sprint(f.latency.TotalCount(), f.rawLatency.TotalCount(), f.interval.TotalCount(), f.counts.Errors["receipt before its send: clocks differ"], f.counts.Delivered)
		if want := fmt.Sprint(test.latency, test.latency, test.latency, test.errors, 1); got != want {
			t.Errorf("received at %d: latencies, errors and receipts %s, want %s", test.now, got, want)
		}
		if in := *g.receiptsOf(0, 1); in.latency.Count() != 1 || in.first < 0 {
			t.Errorf("received at %d: %d receipts of the message, the first after %d, want 1 and no less than 0", test.now, in.latency.Count(), in.first)
		}
	}
}

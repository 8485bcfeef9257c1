package cluster

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roost-rt/roost/pubsub"
)

// A carrier that takes few bytes at once costs nothing but envelopes: tables and lists of
// buckets go in pieces. All buckets are in use here, and of each the last broadcast is
// lost, of which only a table tells.
func TestTablesInPieces(t *testing.T) {
	for _, secret := range []string{"", "an example of a secret"} {
		t.Run(fmt.Sprintf("signed %t", secret != ""), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &siege{air: new(air), t: t}
				cfg := Config{Node: "a", Secret: secret}
				a := s.node(cfg, leastLimit, nil)
				defer a.Close()
				cfg.Node = "b"
				b := s.node(cfg, leastLimit, nil)
				defer b.Close()
				topics := make([]string, 2*buckets)
				for i := range topics {
					topics[i] = fmt.Sprint("room:", i)
				}
				say := func(event string) {
					for _, topic := range topics {
						if err := a.Broadcast(&pubsub.Message{Topic: topic, Event: event}); err != nil {
							t.Fatal(err)
						}
					}
				}
				lost := func(k kind) bool { return k == broadcast }
				wants := func(n *besieged, events ...string) {
					t.Helper()
					time.Sleep(time.Minute)
					n.mu.Lock()
					defer n.mu.Unlock()
					wrong := 0
					for _, topic := range topics {
						if got := fmt.Sprint(n.got[topic]); got != fmt.Sprint(events) {
							wrong++
						}
					}
					if wrong > 0 {
						t.Errorf("%s got something else in %d of %d topics, such as %v, want %v", n.Node(), wrong, len(topics), n.got[topics[0]], events)
					}
				}

				for _, topic := range topics { // a seek of all buckets
					b.Listen(topic)
				}
				s.lose(lost) // so the answers to it tell of them
				say("1")
				time.Sleep(time.Second)
				s.lose(nil)
				wants(b, "1")

				s.lose(lost) // beats tell of them
				say("2")
				time.Sleep(time.Second)
				s.lose(nil)
				wants(b, "1", "2")

				s.lose(func(k kind) bool { return k == broadcast || k == pulse }) // an answer to a join does
				say("3")
				time.Sleep(time.Second)
				s.lose(func(k kind) bool { return k == pulse })
				b.cameUp(leastLimit)
				wants(b, "1", "2", "3")

				s.lose(func(k kind) bool { return k == broadcast }) // a join does, and no beat before
				say("4")
				time.Sleep(time.Second)
				a.cameUp(leastLimit)
				time.Sleep(time.Second)
				s.lose(nil)
				wants(b, "1", "2", "3", "4")
				s.mu.Lock()
				defer s.mu.Unlock() // before the nodes are closed
				if s.refused > 0 {
					t.Errorf("%d envelopes were too large", s.refused)
				}
			})
		})
	}
}

// A table comes out of its pieces as it was, whatever room there is.
func TestPieces(t *testing.T) {
	var table []row
	for i := range uint16(buckets) {
		table = append(table, row{i, 2 + uint64(1)<<(i%60), time.Duration(i) * time.Second})
	}
	for _, room := range []int{-1, 0, 17, 18, 100, 1000, 1 << 20} {
		var got []row
		for i, b := range pieces(table, room) {
			rows, ok := readTable(b)
			if !ok || len(b) > max(room, 17) {
				t.Errorf("room for %d: piece %d has %d bytes and is read: %t", room, i, len(b), ok)
			}
			got = append(got, rows...)
		}
		if fmt.Sprint(got) != fmt.Sprint(table) {
			t.Errorf("room for %d: %d rows, want the %d", room, len(got), len(table))
		}
	}
	if got := pieces(nil, 100); len(got) != 1 || len(got[0]) != 0 {
		t.Errorf("pieces of no rows = %v, want an empty one", got)
	}
}

package cluster_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
)

// recordFirst returns the first envelope of a node.
func recordFirst(t *testing.T, s *natsserver.Server, nc *nats.Conn, kind byte, cause func()) []byte {
	t.Helper()
	sub, err := nc.SubscribeSync("roost.default.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	cause()
	for {
		m, err := sub.NextMsg(30 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if m.Data[1] == kind {
			return m.Data
		}
	}
}

// A number that a node has never used, sent in its name, does not silence it.
func TestForgedNumber(t *testing.T) {
	for what, number := range map[string]uint64{"huge": 1 << 60, "impossible": 1<<64 - 1, "old": 1} {
		t.Run(what, func(t *testing.T) {
			s := serve(t, natsserver.Config{})
			nc := outsider(t, s)
			all := openAll(t, cluster.Config{URL: s.URL()}, "a", "b")
			forged := recordFirst(t, s, nc, 1, func() { send(t, all[0], "0") })
			want(t, all[1], "0")
			for i, kind := range []byte{1, 4, 3} { // a broadcast, a beat, a join
				subject := all[0].Bucket("room:1")
				if kind == 1 {
					binary.BigEndian.PutUint64(forged[11:], number)
				} else {
					subject = "roost.default.all"
					forged = append(append([]byte{2, kind}, forged[2:21]...), "\x00\x00"+cluster.Row("room:1", number)...)
				}
				if err := nc.Publish(subject, forged); err != nil {
					t.Fatal(err)
				}
				if err := nc.Flush(); err != nil {
					t.Fatal(err)
				}
				send(t, all[0], numbers(100*i+1, 100*i+101)...)
			}
			want(t, all[1], append([]string{"0"}, numbers(1, 301)...)...)
			if got := all[1].Stats(); got.Missed != 0 {
				t.Errorf("Stats = %+v, want nothing missed", got)
			}
		})
	}
}

// The same holds for the first number that a node hears, which it has nothing to compare
// with.
func TestForgedFirstNumber(t *testing.T) {
	s := serve(t, natsserver.Config{})
	nc := outsider(t, s)
	a := open(t, cluster.Config{URL: s.URL(), Node: "a", Beat: time.Hour})
	forged := recordFirst(t, s, nc, 1, func() { send(t, a, "0") })
	b := open(t, cluster.Config{URL: s.URL(), Node: "b", Beat: time.Hour})
	binary.BigEndian.PutUint64(forged[11:], 1<<60)
	if err := nc.Publish(a.Bucket("room:1"), forged); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b has got it", func() bool { return len(b.got()) == 1 })
	send(t, a, numbers(1, 101)...)
	want(t, b, append([]string{"0"}, numbers(1, 101)...)...)
}

// What NATS has lost on the way is sent again, part by part.
func TestRepair(t *testing.T) {
	s := serve(t, natsserver.Config{})
	p := newProxy(t, strings.TrimPrefix(s.URL(), "nats://"))
	a := open(t, cluster.Config{URL: s.URL(), Node: "a"})
	b := open(t, cluster.Config{URL: "nats://" + p.addr, Node: "b"})
	meet(t, a, b)
	send(t, a, "0")
	want(t, b, "0")
	p.cut(true)
	eventually(t, "b has noticed", func() bool { return !b.Stats().Connected })
	publish(t, a, 4096, numbers(1, 1001)...) // four parts
	eventually(t, "all are sent", func() bool { return a.Stats().Published == 1001 })
	p.cut(false)
	want(t, b, append([]string{"0"}, numbers(1, 1001)...)...)
	if got := b.Stats(); got.Missed != 0 || got.Repaired != 1000 {
		t.Errorf("Stats = %+v, want 1000 repaired", got)
	}
}

// A message to one node is delivered even if the sender's goodbye has overtaken it, but
// it does not bring the sender back. Only what it says to all does.
func TestGoodbyeOvertakes(t *testing.T) {
	s := serve(t, natsserver.Config{})
	nc := outsider(t, s)
	a := open(t, cluster.Config{URL: s.URL(), Node: "a"})
	id := recordFirst(t, s, nc, 1, func() { send(t, a, "0") })[3:11]
	say := func(subject, text string) {
		t.Helper()
		if err := errors.Join(nc.Publish(subject, []byte(text)), nc.Flush()); err != nil {
			t.Fatal(err)
		}
	}
	for round, event := range []string{"1", "2"} {
		say("roost.default.all", hello(1)) // node n1
		eventually(t, "a knows n1", func() bool { return slices.Contains(a.Stats().Peers, "n1") })
		say("roost.default.all", head(6, 0, 1)+"\x00\x00")
		eventually(t, "n1 has left", func() bool { return len(a.Stats().Peers) == 0 })
		say("roost.default.node."+hex(id), head(2, 0, 0)+"\x06room:1\x01"+event+"{}")
		eventually(t, "a has got it", func() bool { return len(a.got()) == round+1 })
		if got := a.Stats().Peers; len(got) > 0 {
			t.Errorf("%v are back", got)
		}
	}
}

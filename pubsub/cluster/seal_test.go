package cluster_test

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
	"github.com/roost-rt/roost/pubsub/pubsubtest"
)

const secret = "an example of a secret"

func TestAdapterWithSecret(t *testing.T) {
	pubsubtest.Run(t, func(t *testing.T) pubsubtest.Cluster {
		url := serve(t, natsserver.Config{MaxPayload: 1 << 20}).URL()
		return pubsubtest.Cluster{
			Node: func(name string) pubsub.Adapter {
				return cluster.New(cluster.Config{URL: url, Node: name, Secret: secret, MaxPending: 64 << 10, Beat: time.Second, Logger: quiet})
			},
			TooLarge: 1 << 20,
		}
	})
}

// Whatever an outsider sends is dropped and counted, and logged once. So is what he has
// recorded, wherever he sends it again.
func TestForgedEnvelopes(t *testing.T) {
	s := serve(t, natsserver.Config{})
	nc := outsider(t, s)
	var log lines
	a := open(t, cluster.Config{URL: s.URL(), Node: "a", Secret: secret, Beat: time.Hour})
	b := newNode(cluster.Config{URL: s.URL(), Node: "b", Secret: secret, Beat: time.Hour, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	other, err := nc.SubscribeSync("roost.default.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(nc.Flush(), b.Start(b.deliver, b.gap)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	meet(t, a, b)
	say := func(subject string, data []byte) {
		t.Helper()
		before := b.Stats()
		if err := errors.Join(nc.Publish(subject, data), nc.Flush()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it has come", func() bool {
			now := b.Stats()
			return now.Forged+now.Invalid > before.Forged+before.Invalid
		})
	}
	send(t, a, "1")
	if err := a.Send("b", &pubsub.Message{Topic: "room:1", Event: "2"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both have come", func() bool { return len(b.got()) == 2 })

	room := a.Bucket("room:1")
	say(room, []byte(say1))
	say("roost.default.all", []byte(hello(9)))
	say("roost.default.all", []byte("short"))
	recorded := record(t, other, func(m *nats.Msg) bool { return m.Data[1] == 2 }) // for b
	say(recorded.Subject, recorded.Data)
	say("roost.default.all", recorded.Data)
	recorded.Data[len(recorded.Data)-40] ^= 1
	say(recorded.Subject, recorded.Data)

	a.Close()
	eventually(t, "a has left", func() bool { return len(b.Stats().Peers) == 0 })
	goodbye := record(t, other, func(m *nats.Msg) bool { return m.Data[1] == 6 })
	say(goodbye.Subject, goodbye.Data)
	if got := b.got(); len(got) != 2 || !slices.Contains(got, "1") || !slices.Contains(got, "2") {
		t.Errorf("b got %v, want 1 and 2 once", got)
	}
	if got := b.Stats(); got.Forged != 7 || got.Invalid != 0 || len(got.Peers) != 0 {
		t.Errorf("Stats = %+v, want 7 forged and nobody there", got)
	}
	eventually(t, "it is said", func() bool { return strings.Contains(log.String(), "not signed") })
	if n := strings.Count(log.String(), "not signed"); n != 1 {
		t.Errorf("said %d times, want once:\n%s", n, log.String())
	}
}

// say1 is a broadcast that nobody has signed.
var say1 = say(1, "forged")

// record returns the next message that fits.
func record(t *testing.T, sub *nats.Subscription, fits func(*nats.Msg) bool) *nats.Msg {
	t.Helper()
	for {
		m, err := sub.NextMsg(30 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if fits(m) {
			return m
		}
	}
}

// A message to one node that waits there does not count as a replay, although much that
// was sent later has come meanwhile.
func TestSignedMessageWaits(t *testing.T) {
	s := serve(t, natsserver.Config{})
	cfg := cluster.Config{URL: s.URL(), Node: "b", Secret: secret, Beat: 50 * time.Millisecond, Logger: quiet}
	b := newNode(cfg)
	goOn := make(chan struct{})
	if err := b.Start(func(m *pubsub.Message) error {
		if m.Topic == "for b" {
			<-goOn
		}
		return b.deliver(m)
	}, b.gap); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	cfg.Node = "a"
	a := open(t, cfg)
	meet(t, a, b)
	for _, e := range []string{"1", "2", "3"} {
		if err := a.Send("b", &pubsub.Message{Topic: "for b", Event: e}); err != nil {
			t.Fatal(err)
		}
	}
	events := numbers(0, 2000)
	send(t, a, events...)
	want(t, b, events...)
	a.Close()
	eventually(t, "b has heard the goodbye", func() bool { return len(b.Stats().Peers) == 0 })
	close(goOn)
	want(t, b, append(events, "1", "2", "3")...)
	if n := b.Stats().Forged; n > 0 {
		t.Errorf("%d messages are taken for forged, want none", n)
	}
}

// Nodes with different secrets, or without one, do not hear each other.
func TestOtherSecret(t *testing.T) {
	s := serve(t, natsserver.Config{})
	var all []*node
	for _, cfg := range []cluster.Config{{Node: "a", Secret: secret}, {Node: "b", Secret: secret + "!"}, {Node: "c"}} {
		cfg.URL = s.URL()
		all = append(all, open(t, cfg))
	}
	friend := open(t, cluster.Config{URL: s.URL(), Node: "d", Secret: secret})
	meet(t, all[0], friend)
	for _, n := range all {
		send(t, n, "of "+n.Node())
	}
	want(t, friend, "of a")
	eventually(t, "the others are counted", func() bool {
		return friend.Stats().Forged >= 2 && all[1].Stats().Forged >= 3 && all[2].Stats().Invalid >= 3
	})
	if n := len(all[1].got()) + len(all[2].got()); n > 0 {
		t.Errorf("b and c got %d messages, want none", n)
	}
	err := cluster.New(cluster.Config{Secret: "short"}).Start(nil, nil)
	if err == nil || !strings.Contains(err.Error(), "Config.Secret has 5 bytes: use at least 20 random ones") {
		t.Errorf("Start with a short secret = %v", err)
	}
}

// A seal holds for one subject, and for a time.
func TestSeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sign, verify := cluster.Seal(secret, 30*time.Second)
		_, other := cluster.Seal("another example of a secret", 30*time.Second)
		signed := sign("subject", []byte(say1))
		if !verify("subject", signed) || verify("subjects", signed) || other("subject", signed) {
			t.Error("want it to hold for its subject and secret, and no other")
		}
		for i := range signed {
			signed[i] ^= 1
			if verify("subject", signed) {
				t.Errorf("holds with another byte %d", i)
			}
			signed[i] ^= 1
		}
		time.Sleep(2 * time.Minute)
		if !verify("subject", signed) {
			t.Error("does not hold after 2 min, as long as a broadcast may be kept, on a clock that is ahead by a minute")
		}
		time.Sleep(time.Second)
		if verify("subject", signed) {
			t.Error("holds after more than that")
		}
	})
}

// Each serial number counts once, in whatever order they come, if not too late.
func TestSerials(t *testing.T) {
	isNew := cluster.Serials()
	for i, c := range []struct {
		number uint64
		want   bool
	}{
		{1, true}, {1, false}, {3, true}, {2, true}, {2, false}, {3, false}, {1024, true}, {4, true}, {1025, true}, {1, false}, {1027, true},
		{1028, true}, {5, true}, {1030, true}, {6, false}, {1030, false}, {1 << 40, true}, {1030, false}, {1<<40 - 1023, true}, {1<<40 - 1023, false},
	} {
		if got := isNew(c.number); got != c.want {
			t.Errorf("%d: isNew(%d) = %v, want %v", i, c.number, got, c.want)
		}
	}
}

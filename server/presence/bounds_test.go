package presence_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxtest"
	"github.com/roost-rt/roost/server/presence"
)

// A channel has at most MaxPerChannel presences. Nothing remains of those that have come
// and gone, and all end with the channel.
func TestOneChannel(t *testing.T) {
	for _, mode := range []string{"full", "sample", "count"} {
		t.Run(mode, func(t *testing.T) {
			only := mode == "count"
			p := presence.New(presence.Config{MaxPerChannel: 3, CountOnly: func(string) bool { return only },
				SampleOnly: func(string) bool { return mode == "sample" }})
			t.Cleanup(p.Close)
			var ends atomic.Int32
			p.Ends(func() { ends.Add(1) })
			track := func(ch *phx.Channel, n int) (err error) {
				for i := range n {
					_, e := p.TrackOn(ch, fmt.Sprint("topic ", i), "k", nil)
					err = errors.Join(err, e)
				}
				return err
			}
			ep := phxtest.Start(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{
				Join: func(ch *phx.Channel, _ phx.Payload) (any, error) {
					if _, err := p.Track(ch, "\xff", nil); err == nil && !only {
						t.Error("a key that is not UTF-8 is tracked")
					} else if only && p.Count("a") != 1 {
						t.Error("who is only counted is not")
					}
					if !only {
						for range 50 {
							p.Track(ch, "k", nil)
							p.Untrack(ch, "k")
							p.Track(ch, "k", nil)
							p.UntrackAll(ch)
						}
						p.Track(ch, "k", nil)
					}
					if err := track(ch, 2); err != nil {
						t.Error(err)
					}
					if err := track(ch, 1); !errors.Is(err, presence.ErrTooMany) && !errors.Is(err, presence.ErrAlreadyTracked) {
						t.Errorf("one more: %v", err)
					}
					if _, err := p.TrackOn(ch, "other", "k", nil); !errors.Is(err, presence.ErrTooMany) {
						t.Errorf("a fourth: %v", err)
					}
					return nil, nil
				},
			}}}}}})
			ch := phxtest.Connect(t, ep, "/socket", nil).Join("a", nil)
			if p.Count("a") != 1 || p.Count("topic 0") != 1 || p.Count("topic 1") != 1 {
				t.Error("not all are there")
			}
			ch.Leave()
			eventually(t, "nothing is kept", func() bool { return p.Kept() == 0 })
			if n := ends.Load(); n != 1 {
				t.Errorf("the end is seen %d times", n)
			}
		})
	}
}

// A client that sees someone in the state also hears that they leave.
func TestLeavesAfterTheState(t *testing.T) {
	p := presence.New(presence.Config{MaxPerChannel: 1000, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(p.Close)
	ep := phxtest.Start(t, phx.Config{Logger: slog.New(slog.DiscardHandler), Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "room:*", Type: room(p)}}}}})
	crowd := join(t, ep, "crowd")
	for i := range 150 { // enough that clients are told only twice a second
		crowd.Push("more", user{fmt.Sprint("user ", i)}).ExpectReply("ok", nil)
	}
	next(t, crowd, "user 149")
	bob := join(t, ep, "bob")
	eve := join(t, ep, "eve")
	state := decode[map[string]entry](t, eve.ExpectPush("presence_state", phxtest.Any))
	bob.Leave()
	if _, seen := state["bob"]; !seen { // this machine is slow: he may have been in a diff
		return
	}
	for len(next(t, eve, "bob").Leaves) == 0 {
	}
}

// Functions of the Config may call the Presence.
func TestCallsFromWithin(t *testing.T) {
	var p *presence.Presence
	cfg := presence.Config{
		CountOnly: func(topic string) bool { return p.Count(topic) < 0 },
		Fetch:     func(topic string, _ map[string]*presence.Entry) { p.Count(topic) },
		Changed:   func(d presence.Diff) { p.List(d.Topic) },
	}
	ep, p2 := start(t, cfg)
	p = p2
	ann := join(t, ep, "ann")
	join(t, ep, "bob")
	next(t, ann, "bob")
}

func TestConfigErrors(t *testing.T) {
	for want, cfg := range map[string]presence.Config{
		"Sample":     {Sample: -1},
		"MaxMeta":    {MaxMeta: 1 << 20},
		"MaxMessage": {MaxMessage: 16 << 20},
		"DownAfter":  {DownAfter: time.Second, Period: time.Second},
	} {
		ep := phxtest.Start(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{}}}}}})
		if err := presence.New(cfg).Attach(ep.Endpoint); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

// A wire is an adapter on which the test plays the other nodes.
type wire struct {
	limit   int // bytes of a payload
	deliver func(*pubsub.Message) error
	mu      sync.Mutex
	refs    map[string]bool // refs of the entries sent
}

func (w *wire) Start(deliver func(*pubsub.Message) error, _ func(pubsub.Gap)) error {
	w.deliver = deliver
	return nil
}

func (w *wire) Broadcast(m *pubsub.Message) error {
	if w.limit > 0 && len(m.Payload) > w.limit {
		return pubsub.ErrTooLarge
	}
	var d struct {
		Ops []struct{ P struct{ R string } }
	}
	if err := json.Unmarshal(m.Payload, &d); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, op := range d.Ops {
		w.refs[op.P.R] = true
	}
	return nil
}

func (w *wire) told() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.refs)
}

func (w *wire) Send(string, *pubsub.Message) error { return pubsub.ErrUnknownNode }
func (w *wire) Node() string                       { return "a" }
func (w *wire) Stats() pubsub.AdapterStats         { return pubsub.AdapterStats{} }
func (w *wire) Close()                             {}

func startWired(t *testing.T, w *wire, cfg presence.Config) (*phxtest.Endpoint, *presence.Presence) {
	w.refs = make(map[string]bool)
	cfg.Logger = slog.New(slog.DiscardHandler)
	p := presence.New(cfg)
	t.Cleanup(p.Close)
	ep := phxtest.Start(t, phx.Config{Logger: cfg.Logger, Workers: 1, MaxWorkers: 1, Adapter: w, Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "room:*", Type: room(p)}}}}})
	if err := p.Attach(ep.Endpoint); err != nil {
		t.Fatal(err)
	}
	return ep, p
}

// If the adapter refuses large messages, smaller ones are sent.
func TestSmallMessages(t *testing.T) {
	w := &wire{limit: 20_000}
	ep, _ := startWired(t, w, presence.Config{Period: 20 * time.Millisecond, MaxPerChannel: 1000})
	ann := join(t, ep, "ann")
	for i := range 500 {
		ann.Push("more", user{fmt.Sprint(strings.Repeat("x", 200), i)})
	}
	eventually(t, "all are told", func() bool { return w.told() == 501 })
}

// A node whose workers are all busy hears nothing, and takes nobody to have left.
func TestBusyNode(t *testing.T) {
	t.Parallel()
	w := new(wire)
	var leaves atomic.Int32
	ep, p := startWired(t, w, presence.Config{DownAfter: time.Second, Period: 20 * time.Millisecond,
		Changed: func(d presence.Diff) { leaves.Add(int32(len(d.Leaves))) }})
	say := func(text string) {
		if err := w.deliver(&pubsub.Message{Topic: "\x00presence:presence", Event: "delta b", Payload: []byte(text)}); err != nil {
			t.Error(err)
		}
	}
	say(`{"node":"b","start":1,"from":0,"to":1,"ops":[{"p":{"t":"room:a","k":"bob","r":"1"}}]}`)
	eventually(t, "bob is there", func() bool { return p.Count("room:a") == 1 })
	busy, free := context.WithCancel(t.Context())
	defer free()
	cancel := ep.Subscribe("work", func(phx.Broadcast) { <-busy.Done() })
	defer cancel()
	if err := ep.LocalBroadcast("work", "e", nil); err != nil {
		t.Fatal(err)
	}
	for range 15 {
		say(`{"node":"b","start":1,"from":1,"to":1}`)
		<-time.After(100 * time.Millisecond)
	}
	if n := leaves.Load(); n > 0 || p.Count("room:a") != 1 {
		t.Errorf("%d have left", n)
	}
	free()
	eventually(t, "silence is noticed", func() bool { return p.Count("room:a") == 0 }) // b says nothing now
}

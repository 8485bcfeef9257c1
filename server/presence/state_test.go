package presence_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxtest"
	"github.com/roost-rt/roost/server/presence"
)

// A view is what the JavaScript class knows: refs, by key. What that class makes of diffs
// before it has a state is not part of it.
type view struct {
	refs    map[string][]string
	waiting []diff
	largest int // message, in bytes
	states  int
	diffs   int
	more    map[string]int
}

func (v *view) take(t *testing.T, m phxtest.Message) {
	t.Helper()
	switch m.Event {
	case "presence_state":
		v.states++
		v.refs = make(map[string][]string)
		v.apply(diff{Joins: decode[map[string]entry](t, m)})
		for _, d := range v.waiting {
			v.apply(d)
		}
		v.waiting = nil
	case "presence_diff":
		v.diffs++
		if d := decode[diff](t, m); v.refs == nil {
			v.waiting = append(v.waiting, d)
		} else {
			v.apply(d)
		}
	case "presence_count":
		for key, n := range decode[struct{ More map[string]int }](t, m).More {
			if v.more == nil {
				v.more = make(map[string]int)
			}
			v.more[key] = n
		}
	default:
		return
	}
	v.largest = max(v.largest, len(m.JSON))
}

func (v *view) apply(d diff) {
	for key, e := range d.Joins {
		for _, m := range e.Metas {
			if ref := m["phx_ref"].(string); !slices.Contains(v.refs[key], ref) {
				v.refs[key] = append(v.refs[key], ref)
			}
		}
	}
	for key, e := range d.Leaves {
		for _, m := range e.Metas {
			v.refs[key] = slices.DeleteFunc(v.refs[key], func(ref string) bool { return ref == m["phx_ref"] })
		}
		if len(v.refs[key]) == 0 {
			delete(v.refs, key)
		}
	}
}

// until reads until the view has this many refs of this many keys.
func (v *view) until(t *testing.T, ch *phxtest.Channel, keys, refs int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; v.take(t, ch.Next()) {
		n := 0
		for _, known := range v.refs {
			n += len(known)
		}
		if len(v.refs) == keys && n == refs {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d presences of %d keys are known, want %d of %d", n, len(v.refs), refs, keys)
		}
	}
}

// untilMore reads until a key has this many metas beside those in the view.
func (v *view) untilMore(t *testing.T, ch *phxtest.Channel, key string, n int) {
	t.Helper()
	for deadline := time.Now().Add(patience); v.more[key] != n; v.take(t, ch.Next()) {
		if time.Now().After(deadline) {
			t.Fatalf("%d more are known of %s, want %d", v.more[key], key, n)
		}
	}
}

// startParts starts a room whose channels track the keys that a client names. Presence
// messages are limited to 2,000 bytes.
func startParts(t *testing.T, cfg presence.Config, hooks *phx.Telemetry) (*phxtest.Endpoint, *presence.Presence) {
	cfg.MaxFull, cfg.MaxMessage, cfg.MaxPerChannel, cfg.Logger = -1, 2_000, 1000, slog.New(slog.DiscardHandler)
	p := presence.New(cfg)
	t.Cleanup(p.Close)
	type crowd struct {
		Key  string // shared by all; "" gives each its own
		N    int
		Gone bool
	}
	room := &phx.ChannelType{
		Joined: func(ch *phx.Channel, _ phx.Payload) error { return p.PushState(ch) },
		In: phx.Events{"crowd": phx.On(func(ch *phx.Channel, c crowd) (any, error) {
			for i := range c.N {
				key, topic := c.Key, "room:a"
				if key == "" {
					key = fmt.Sprint("user ", i)
				}
				if c.Gone {
					p.UntrackOn(ch, topic, key)
				} else if _, err := p.TrackOn(ch, topic, key, map[string]string{"text": strings.Repeat("x", 100)}); err != nil {
					return nil, err
				}
			}
			return phx.OK, nil
		})},
	}
	ep := phxtest.Start(t, phx.Config{Logger: cfg.Logger, Telemetry: hooks, Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: room}}}}})
	return ep, p
}

// No message exceeds the bound, however many presences there are, even of one key. Old
// clients and newcomers know them all.
func TestStateInParts(t *testing.T) {
	t.Parallel()
	ep, _ := startParts(t, presence.Config{Window: 20 * time.Millisecond}, nil)
	witness := phxtest.Connect(t, ep, "/socket", nil).Join("room:a", nil)
	var old view
	c := phxtest.Connect(t, ep, "/socket", nil)
	users := c.Join("users", nil)
	users.Push("crowd", map[string]any{"n": 200}).ExpectReply("ok", nil)
	var tabs []*phxtest.Channel
	for i := range 50 {
		tabs = append(tabs, c.Join(fmt.Sprint("tab ", i), nil))
		tabs[i].Push("crowd", map[string]any{"key": "nobody", "n": 1}).ExpectReply("ok", nil)
	}
	old.until(t, witness, 201, 250)

	newcomer := phxtest.Connect(t, ep, "/socket", nil).Join("room:a", nil)
	var young view
	young.until(t, newcomer, 201, 250)
	if young.states != 1 || young.diffs < 15 {
		t.Errorf("%d states and %d diffs", young.states, young.diffs)
	}
	c.Close()
	for ch, v := range map[*phxtest.Channel]*view{witness: &old, newcomer: &young} {
		v.until(t, ch, 0, 0)
		if v.largest > 2_100 {
			t.Errorf("a message of %d bytes", v.largest)
		}
	}
}

// Someone leaves while a newcomer is sent the state in parts. The newcomer does not keep
// them, because the diff comes after the part that has them.
func TestLeavesBetweenParts(t *testing.T) {
	t.Parallel()
	told := make(chan struct{}, 64)
	pushed := make(chan struct{}, 64)
	resume := make(chan struct{})
	ep, p := startParts(t, presence.Config{}, &phx.Telemetry{Pushed: func(e phx.PushEvent) {
		if e.Event == "presence_state" && e.Size > 1000 { // the first part
			pushed <- struct{}{}
			<-resume
		}
	}})
	cancel := ep.Subscribe("room:a", func(phx.Broadcast) { told <- struct{}{} })
	defer cancel()
	crowd := phxtest.Connect(t, ep, "/socket", nil).Join("crowd", nil)
	crowd.Push("crowd", map[string]any{"n": 50}).ExpectReply("ok", nil)
	eventually(t, "all are told", func() bool { return p.Pending() == 0 })
	for len(told) > 0 {
		<-told
	}

	newcomer := phxtest.Connect(t, ep, "/socket", nil).Join("room:a", nil)
	<-pushed
	crowd.Push("crowd", map[string]any{"n": 50, "gone": true}).ExpectReply("ok", nil)
	select {
	case <-told: // this must not happen
	case <-time.After(50 * time.Millisecond):
	}
	close(resume)
	var v view
	for v.states == 0 || v.diffs < 2 {
		v.take(t, newcomer.Next())
	}
	v.until(t, newcomer, 0, 0)
	newcomer.RefutePush("presence_diff", phxtest.Any)
	if len(v.refs) > 0 {
		t.Errorf("%v are seen still", v.refs)
	}
}

// The state of a large topic is encoded once for all who come at the same time.
func TestStateOnce(t *testing.T) {
	t.Parallel()
	const crowd, newcomers = 200, 20
	fetched := make(chan struct{}, 1000)
	here := make(chan struct{}) // closed once all newcomers have come
	ep, _ := startParts(t, presence.Config{Window: time.Hour, Fetch: func(_ string, all map[string]*presence.Entry) {
		if len(all) == crowd {
			fetched <- struct{}{}
			<-here
		}
	}}, nil)
	c := phxtest.Connect(t, ep, "/socket", nil).Join("crowd", nil)
	c.Push("crowd", map[string]any{"n": crowd}).ExpectReply("ok", nil)
	var joined []*phxtest.Channel
	for range newcomers {
		joined = append(joined, phxtest.Connect(t, ep, "/socket", nil).Join("room:a", nil))
	}
	close(here)
	for _, ch := range joined {
		new(view).until(t, ch, crowd, crowd)
	}
	if n := len(fetched); n > 2 { // one may be a diff's
		t.Errorf("encoded %d times", n)
	}
}

// If many share a key, clients see some of its metas, get others when those go, and are
// told how many more there are. The server lists all.
func TestMetasOfOneKey(t *testing.T) {
	t.Parallel()
	ep, p := startParts(t, presence.Config{MaxMetas: 10}, nil)
	c := phxtest.Connect(t, ep, "/socket", nil)
	var tabs []*phxtest.Channel
	for i := range 50 {
		tabs = append(tabs, c.Join(fmt.Sprint("tab ", i), nil))
		tabs[i].Push("crowd", map[string]any{"key": "nobody", "n": 1}).ExpectReply("ok", nil)
	}
	witness := phxtest.Connect(t, ep, "/socket", nil).Join("room:a", nil)
	var v view
	v.until(t, witness, 1, 10)
	v.untilMore(t, witness, "nobody", 40)
	tabs[49].Leave()
	v.untilMore(t, witness, "nobody", 39)
	newcomer := phxtest.Connect(t, ep, "/socket", nil).Join("room:a", nil)
	new(view).untilMore(t, newcomer, "nobody", 39)
	tabs[49] = c.Join("tab 49", nil)
	tabs[49].Push("crowd", map[string]any{"key": "nobody", "n": 1}).ExpectReply("ok", nil)
	v.untilMore(t, witness, "nobody", 40)
	if n, all := len(p.Get("room:a", "nobody").Metas), len(p.List("room:a")["nobody"].Metas); n != 50 || all != 50 {
		t.Errorf("Get has %d and List %d of 50", n, all)
	}
	for _, tab := range tabs[:45] {
		tab.Leave()
	}
	v.until(t, witness, 1, 5)
	v.untilMore(t, witness, "nobody", 0)
	if n := len(p.Get("room:a", "nobody").Metas); n != 5 {
		t.Errorf("Get has %d of 5", n)
	}
	c.Close()
	v.until(t, witness, 0, 0)
	eventually(t, "nothing is kept", func() bool { return p.Kept() == 0 })
}

// Leaving a key that very many share costs no more than leaving any other.
func BenchmarkLeaveSharedKey(b *testing.B) {
	p := presence.New(presence.Config{Window: time.Hour, Logger: slog.New(slog.DiscardHandler)})
	b.Cleanup(p.Close)
	_, channels := startCrowd(b, 20_000, nil)
	track := func(i int) {
		if _, err := p.TrackOn(channels[i], "a", "nobody", nil); err != nil {
			b.Fatal(err)
		}
	}
	for i := range channels {
		track(i)
	}
	n := 0
	for b.Loop() {
		p.UntrackAll(channels[n%len(channels)])
		track(n % len(channels))
		n++
	}
}

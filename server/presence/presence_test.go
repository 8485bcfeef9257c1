package presence_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxtest"
	"github.com/roost-rt/roost/server/presence"
)

const patience = 30 * time.Second

type entry struct {
	Metas []map[string]any
	Name  string
}

type user struct{ User string }

type diff struct{ Joins, Leaves map[string]entry }

// room tracks everyone who joins, under the name that they give.
func room(p *presence.Presence) *phx.ChannelType {
	return &phx.ChannelType{
		Join: phx.On(func(ch *phx.Channel, in user) (any, error) {
			ch.Assign("user", in.User)
			_, err := p.Track(ch, in.User, map[string]string{"st": "in"})
			return nil, err
		}),
		Joined: func(ch *phx.Channel, _ phx.Payload) error { return p.PushState(ch) },
		In: phx.Events{
			"away": func(ch *phx.Channel, meta phx.Payload) (any, error) {
				_, err := p.Update(ch, ch.Value("user").(string), meta)
				return phx.OK, err
			},
			"again": func(ch *phx.Channel, _ phx.Payload) (any, error) {
				_, err := p.Track(ch, ch.Value("user").(string), nil)
				return nil, phx.Errorf("%v", err)
			},
			"untrack": func(ch *phx.Channel, _ phx.Payload) (any, error) {
				p.Untrack(ch, ch.Value("user").(string))
				p.Untrack(ch, ch.Value("user").(string)) // nothing happens
				return phx.OK, nil
			},
			"more": phx.On(func(ch *phx.Channel, in user) (any, error) {
				_, err := p.Track(ch, in.User, nil)
				return phx.OK, err
			}),
			"crash": func(*phx.Channel, phx.Payload) (any, error) { return nil, errors.New("on purpose") },
		},
	}
}

func start(t *testing.T, cfg presence.Config) (*phxtest.Endpoint, *presence.Presence) {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	p := presence.New(cfg)
	t.Cleanup(p.Close)
	ep := phxtest.Start(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "room:*", Type: room(p)}}}}})
	return ep, p
}

func join(t *testing.T, ep *phxtest.Endpoint, user string) *phxtest.Channel {
	t.Helper()
	return phxtest.Connect(t, ep, "/socket", nil).Join("room:a", map[string]string{"user": user})
}

// decode decodes a message's payload.
func decode[T any](t *testing.T, m phxtest.Message) (v T) {
	t.Helper()
	if err := json.Unmarshal(m.JSON, &v); err != nil {
		t.Fatalf("%s: %v", m, err)
	}
	return v
}

// next is the next diff that concerns a user.
func next(t *testing.T, ch *phxtest.Channel, user string) diff {
	t.Helper()
	concerns := phxtest.Where(func(d diff) bool {
		_, joins := d.Joins[user]
		_, leaves := d.Leaves[user]
		return joins || leaves
	})
	return decode[diff](t, ch.ExpectBroadcast("presence_diff", concerns))
}

func refOf(t *testing.T, e entry) string {
	t.Helper()
	if len(e.Metas) != 1 {
		t.Fatalf("%d metas, want one: %v", len(e.Metas), e)
	}
	ref, _ := e.Metas[0]["phx_ref"].(string)
	if len(ref) != 16 {
		t.Errorf("phx_ref is %q, want 16 characters", ref)
	}
	return ref
}

// ofFew runs a test of a small topic, which must not depend on whether nodes tell each
// other all or a sample.
func ofFew(t *testing.T, test func(*testing.T, presence.Config)) {
	t.Run("full", func(t *testing.T) { test(t, presence.Config{}) })
	t.Run("sample only", func(t *testing.T) { test(t, presence.Config{SampleOnly: func(string) bool { return true }}) })
}

// The messages are those of spec §7.2.
func TestMessages(t *testing.T) { ofFew(t, testMessages) }

func testMessages(t *testing.T, cfg presence.Config) {
	ep, _ := start(t, cfg)
	ann := join(t, ep, "ann")
	if state := decode[map[string]entry](t, ann.ExpectPush("presence_state", phxtest.Any)); refOf(t, state["ann"]) == "" || state["ann"].Metas[0]["st"] != "in" {
		t.Errorf("the state is %v", state)
	}
	bob := join(t, ep, "bob")
	state := decode[map[string]entry](t, bob.ExpectPush("presence_state", phxtest.Any))
	if len(state) != 2 {
		t.Errorf("bob sees %v, want both", state)
	}
	came := next(t, ann, "bob")
	ref := refOf(t, came.Joins["bob"])
	if len(came.Leaves) != 0 || refOf(t, state["bob"]) != ref {
		t.Errorf("bob has come: %v; his state has %v", came, state["bob"])
	}

	bob.Push("away", map[string]string{"st": "away"}).ExpectReply("ok", nil)
	away := next(t, ann, "bob")
	if refOf(t, away.Leaves["bob"]) != ref {
		t.Errorf("an update leaves %v, want %s", away.Leaves, ref)
	}
	now := away.Joins["bob"]
	if refOf(t, now) == ref || now.Metas[0]["phx_ref_prev"] != ref || now.Metas[0]["st"] != "away" {
		t.Errorf("an update joins %v", now)
	}

	bob.Push("again", nil).ExpectReply("error", map[string]string{"reason": presence.ErrAlreadyTracked.Error()})
	bob.Push("untrack", nil).ExpectReply("ok", nil)
	if left := next(t, ann, "bob"); len(left.Joins) != 0 || refOf(t, left.Leaves["bob"]) != refOf(t, now) {
		t.Errorf("bob has left: %v", left)
	}
	bob.Push("away", nil)
	bob.ExpectError() // nobody tracks him
}

// However a channel ends, its presences end with it.
func TestLeaves(t *testing.T) { ofFew(t, testLeaves) }

func testLeaves(t *testing.T, cfg presence.Config) {
	for name, end := range map[string]func(*phxtest.Client, *phxtest.Channel){
		"leave":      func(_ *phxtest.Client, ch *phxtest.Channel) { ch.Leave() },
		"crash":      func(_ *phxtest.Client, ch *phxtest.Channel) { ch.Push("crash", nil).RefuteReply() },
		"disconnect": func(c *phxtest.Client, _ *phxtest.Channel) { c.Close() },
		"join again": func(c *phxtest.Client, _ *phxtest.Channel) { c.Join("room:a", map[string]string{"user": "cat"}) },
	} {
		t.Run(name, func(t *testing.T) {
			ep, p := start(t, cfg)
			ann := join(t, ep, "ann")
			c := phxtest.Connect(t, ep, "/socket", nil)
			bob := c.Join("room:a", map[string]string{"user": "bob"})
			next(t, ann, "bob")
			end(c, bob)
			if d := next(t, ann, "bob"); len(d.Leaves["bob"].Metas) != 1 {
				t.Errorf("what came is %v", d)
			}
			if all := p.List("room:a"); all["ann"] == nil || all["bob"] != nil {
				t.Errorf("left are %v", all)
			}
		})
	}
}

// A user who is there twice is one key with two metas.
func TestTwoTabs(t *testing.T) { ofFew(t, testTwoTabs) }

func testTwoTabs(t *testing.T, cfg presence.Config) {
	ep, p := start(t, cfg)
	ann := join(t, ep, "ann")
	one, two := join(t, ep, "bob"), join(t, ep, "bob")
	next(t, ann, "bob")
	if n := len(p.Get("room:a", "bob").Metas); n != 2 {
		t.Errorf("%d metas, want 2", n)
	}
	one.Leave()
	for {
		if d := next(t, ann, "bob"); len(d.Leaves) > 0 {
			break
		}
	}
	if e := p.Get("room:a", "bob"); e == nil || len(e.Metas) != 1 {
		t.Errorf("bob's other tab: %v", e)
	}
	two.Leave()
	next(t, ann, "bob")
	if e := p.Get("room:a", "bob"); e != nil {
		t.Errorf("bob has left, and is %v", e)
	}
	if p.Count("room:a") != 1 || p.Count("room:none") != 0 || len(p.List("room:none")) != 0 {
		t.Error("wrong counts")
	}
}

func TestFetch(t *testing.T) {
	ep, p := start(t, presence.Config{Fetch: func(topic string, all map[string]*presence.Entry) {
		for key, e := range all {
			switch key {
			case "panic":
				panic("on purpose")
			case "no json":
				e.Fields = map[string]any{"name": func() {}}
			default:
				e.Fields = map[string]any{"name": strings.ToUpper(key) + " on " + topic}
			}
		}
	}})
	ann := join(t, ep, "ann")
	if state := decode[map[string]entry](t, ann.ExpectPush("presence_state", phxtest.Any)); state["ann"].Name != "ANN on room:a" {
		t.Errorf("the state is %v", state)
	}
	bob := join(t, ep, "bob")
	if d := next(t, ann, "bob"); d.Joins["bob"].Name != "BOB on room:a" {
		t.Errorf("the diff is %v", d)
	}
	bob.Leave()
	if d := next(t, ann, "bob"); d.Leaves["bob"].Name != "BOB on room:a" {
		t.Errorf("the diff is %v", d)
	}
	if e := p.List("room:a")["ann"]; e.Fields["name"] != "ANN on room:a" {
		t.Errorf("List has %v", e)
	}
	for _, key := range []string{"panic", "no json"} {
		join(t, ep, key)
		if d := next(t, ann, key); len(d.Joins[key].Metas) != 1 || d.Joins[key].Name != "" {
			t.Errorf("%s: the diff is %v", key, d)
		}
	}
}

type marshaler func()

func (m marshaler) MarshalJSON() ([]byte, error) { m(); return []byte("1"), nil }

// Fetch, or a MarshalJSON of what it adds, may panic or call runtime.Goexit: clients are
// still told who comes, with the fields or without.
func TestFetchThatLeaves(t *testing.T) {
	ep, _ := start(t, presence.Config{
		Fetch: func(_ string, all map[string]*presence.Entry) {
			for key, e := range all {
				switch key {
				case "exit":
					runtime.Goexit()
				case "field panics":
					e.Fields = map[string]any{"name": marshaler(func() { panic("on purpose") })}
				case "field exits":
					e.Fields = map[string]any{"name": marshaler(runtime.Goexit)}
				}
			}
		},
		Changed: func(d presence.Diff) {
			if _, ok := d.Joins["changed"]; ok {
				runtime.Goexit()
			}
		},
	})
	ann := join(t, ep, "ann")
	for _, key := range []string{"field panics", "exit", "field exits", "changed", "bob"} {
		other := join(t, ep, key)
		if d := next(t, ann, key); len(d.Joins[key].Metas) != 1 {
			t.Errorf("%s: the diff is %v", key, d)
		}
		other.Leave()
		if d := next(t, ann, key); len(d.Leaves[key].Metas) != 1 {
			t.Errorf("%s: the diff is %v", key, d)
		}
	}
}

func TestChanged(t *testing.T) {
	var mu sync.Mutex
	here := map[string]int{}
	told := make(chan presence.Diff, 64)
	ep, _ := start(t, presence.Config{Changed: func(d presence.Diff) {
		mu.Lock()
		defer mu.Unlock()
		for key, e := range d.Joins {
			here[key] += len(e.Metas)
		}
		for key, e := range d.Leaves {
			here[key] -= len(e.Metas)
		}
		told <- d
	}})
	ann := join(t, ep, "ann")
	bob := join(t, ep, "bob")
	bob.Leave()
	ann.Push("away", nil).ExpectReply("ok", nil)
	next(t, ann, "bob")
	for deadline := time.After(patience); ; {
		mu.Lock()
		done := here["ann"] == 1 && here["bob"] == 0 && len(here) == 2
		mu.Unlock()
		if done {
			return
		}
		select {
		case d := <-told:
			if d.Topic != "room:a" {
				t.Fatalf("a diff of %q", d.Topic)
			}
		case <-deadline:
			t.Fatalf("here are %v", here)
		}
	}
}

func TestWrongKeysAndMetas(t *testing.T) {
	p := presence.New(presence.Config{MaxMeta: 100, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(p.Close)
	ep := phxtest.Start(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{
		In: phx.Events{"track": phx.On(func(ch *phx.Channel, in struct {
			Key  string
			Meta any
		}) (any, error) {
			if _, err := p.Track(ch, in.Key, in.Meta); err != nil {
				return nil, phx.Errorf("%v", err)
			}
			return phx.OK, nil
		})},
	}}}}}})
	ch := phxtest.Connect(t, ep, "/socket", nil).Join("a", nil)
	for _, tt := range []struct {
		key  string
		meta any
		want string // "" if it is right
	}{
		{"", nil, "an empty key"},
		{strings.Repeat("k", 257), nil, "a key of 257 bytes, more than 256"},
		{"__proto__", nil, "the key __proto__, over which JavaScript clients may fail; see Config.AnyKey"},
		{"constructor", nil, "the key constructor, over which JavaScript clients may fail; see Config.AnyKey"},
		{"a", 7, "a meta must be a JSON object"},
		{"a", []int{1}, "a meta must be a JSON object"},
		{"a", map[string]string{"s": strings.Repeat("x", 100)}, "a meta of 108 bytes, more than MaxMeta (100)"},
		{"nil", nil, ""},
		{"own ref", map[string]any{"phx_ref": 1, "phx_ref_prev": 2}, ""},
	} {
		push := ch.Push("track", map[string]any{"key": tt.key, "meta": tt.meta})
		if tt.want == "" {
			push.ExpectReply("ok", nil)
		} else {
			push.ExpectReply("error", map[string]string{"reason": "presence: " + tt.want})
		}
	}
	all := p.List("a")
	if len(all) != 2 {
		t.Errorf("tracked are %v", all)
	}
	var meta map[string]any
	if err := json.Unmarshal(all["own ref"].Metas[0], &meta); err != nil || len(meta) != 1 || len(meta["phx_ref"].(string)) != 16 {
		t.Errorf("the meta is %s", all["own ref"].Metas[0])
	}
}

// On a large topic clients see some keys, the same ones as long as they stay, and the
// number of all. What they are told adds up at every size.
func TestSample(t *testing.T) {
	p := presence.New(presence.Config{MaxFull: 40, Sample: 10, Window: time.Millisecond, MaxPerChannel: 1000, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(p.Close)
	ep := phxtest.Start(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{
		Joined: func(ch *phx.Channel, _ phx.Payload) error { return p.PushState(ch) },
		In: phx.Events{
			"track":   phx.On(func(ch *phx.Channel, in user) (any, error) { _, err := p.Track(ch, in.User, nil); return nil, err }),
			"untrack": phx.On(func(ch *phx.Channel, in user) (any, error) { p.Untrack(ch, in.User); return nil, nil }),
		},
	}}}}}})
	ch := phxtest.Connect(t, ep, "/socket", nil).Join("a", nil)
	seen := decode[map[string]entry](t, ch.ExpectPush("presence_state", phxtest.Any))
	count := 0
	// follow does what the JavaScript class does, until the client is told of n.
	follow := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(patience); ; {
			m := ch.Next()
			switch m.Event {
			case "presence_diff":
				d := decode[diff](t, m)
				for key := range d.Joins {
					seen[key] = d.Joins[key]
				}
				for key := range d.Leaves {
					if _, had := seen[key]; !had {
						t.Fatalf("%s leaves, and was not there", key)
					}
					delete(seen, key)
				}
			case "presence_count":
				count = decode[struct{ Count int }](t, m).Count
			}
			if n <= 30 && len(seen) == n || n > 40 && count == n && len(seen) >= 5 && len(seen) <= 20 {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d are seen and %d counted of %d", len(seen), count, n)
			}
		}
	}
	n := 0
	to := func(target int) {
		for ; n < target; n++ {
			ch.Push("track", user{fmt.Sprint("user ", n)})
		}
		for ; n > target; n-- {
			ch.Push("untrack", user{fmt.Sprint("user ", n-1)})
		}
		follow(target)
	}
	to(30) // all
	to(300)
	if len(p.List("a")) != 300 || p.Count("a") != 300 {
		t.Error("the server does not know all")
	}
	sample := maps(seen)
	to(301)
	for key := range maps(seen) {
		if !sample[key] && key != "user 300" {
			t.Errorf("%s is in the sample, and was not before", key)
		}
	}
	to(600)
	to(30)
	newcomer := phxtest.Connect(t, ep, "/socket", nil).Join("a", nil)
	if state := decode[map[string]entry](t, newcomer.ExpectPush("presence_state", phxtest.Any)); len(state) != 30 {
		t.Errorf("a newcomer sees %d, want 30", len(state))
	}
}

func maps(m map[string]entry) map[string]bool {
	keys := map[string]bool{}
	for key := range m {
		keys[key] = true
	}
	return keys
}

// Topics that are only counted have no names.
func TestCountOnly(t *testing.T) {
	p := presence.New(presence.Config{CountOnly: func(string) bool { return true }, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(p.Close)
	ep := phxtest.Start(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "room:*", Type: room(p)}}}}})
	counted := func(n int) map[string]int { return map[string]int{"count": n} }
	ann := join(t, ep, "ann")
	ann.ExpectPush("presence_count", phxtest.Any)
	bob := join(t, ep, "bob")
	ann.ExpectBroadcast("presence_count", counted(2))
	bob.Leave()
	ann.ExpectBroadcast("presence_count", counted(1))
	ann.RefutePush("presence_state", phxtest.Any)
	if p.Count("room:a") != 1 || len(p.List("room:a")) != 0 {
		t.Errorf("%d are counted, %v listed", p.Count("room:a"), p.List("room:a"))
	}
}

package phxclient_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"testing"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxclient"
	"github.com/roost-rt/roost/server/presence"
)

// A list is a Presence that writes down what it tells.
type list struct {
	phxclient.Presence
	told []string
}

func newList() *list {
	l := new(list)
	note := func(what string) func(string, phxclient.PresenceEntry, phxclient.PresenceEntry) {
		return func(key string, rest, changed phxclient.PresenceEntry) {
			l.told = append(l.told, fmt.Sprintf("%s %s%v to %v", key, what, refs(changed), refs(rest)))
		}
	}
	l.OnJoin, l.OnLeave = note("+"), note("-")
	return l
}

func refs(e phxclient.PresenceEntry) []string {
	all := []string{}
	for _, m := range e.Metas {
		all = append(all, m.Ref)
	}
	return all
}

// here is the refs by key.
func (l *list) here() map[string][]string {
	all := make(map[string][]string)
	for key, e := range l.Entries() {
		all[key] = refs(e)
	}
	return all
}

func (l *list) take(t testing.TB, event, payload string, told ...string) {
	t.Helper()
	l.told = nil
	if ours, err := l.Update(phxclient.Message{Event: event, JSON: json.RawMessage(payload)}); err != nil || !ours {
		t.Errorf("Update(%s) = %v, %v", payload, ours, err)
	}
	if slices.Sort(l.told); !slices.Equal(l.told, told) {
		t.Errorf("Update(%s) told %q, want %q", payload, l.told, told)
	}
}

// What the official client makes of these messages (spec §7.2, §7.4).
func TestPresence(t *testing.T) {
	t.Parallel()
	l := newList()
	const (
		annHere  = `{"joins":{"ann":{"metas":[{"phx_ref":"a1"}]}},"leaves":{}}`
		bobComes = `{"joins":{"bob":{"metas":[{"phx_ref":"b1"}]}},"leaves":{}}`
	)
	l.take(t, "presence_diff", annHere) // waits
	l.take(t, "presence_diff", bobComes)
	l.take(t, "presence_state", `{"ann":{"metas":[{"phx_ref":"a1","x":1}],"name":"Ann"}}`, "ann +[a1] to []", "bob +[b1] to []")
	if ann := l.Entries()["ann"]; string(ann.Metas[0].JSON) != `{"phx_ref":"a1","x":1}` {
		t.Errorf("ann is %s", ann.Metas[0].JSON)
	}
	l.take(t, "presence_diff", bobComes) // again
	l.take(t, "presence_diff", `{"joins":{"ann":{"metas":[{"phx_ref":"a2"}]}},"leaves":{"eve":{"metas":[{"phx_ref":"e"}]}}}`, "ann +[a2] to [a1]")
	l.take(t, "presence_diff", `{"joins":{"bob":{"metas":[{"phx_ref":"b2","phx_ref_prev":"b1"}]}},"leaves":{"bob":{"metas":[{"phx_ref":"b1"}]}}}`,
		"bob +[b2] to [b1]", "bob -[b1] to [b2]")
	if ours, err := l.Update(phxclient.Message{Event: phxclient.Joined}); ours || err != nil {
		t.Errorf("Update of a join = %v, %v", ours, err)
	}
	l.take(t, "presence_diff", `{"joins":{},"leaves":{"bob":{"metas":[{"phx_ref":"b2"}]}}}`) // waits
	l.take(t, "presence_state", `{"bob":{"metas":[{"phx_ref":"b2"}]},"ann":{"metas":[{"phx_ref":"a2"},{"phx_ref":"a3"}]}}`,
		"ann +[a3] to [a1 a2]", "ann -[a1] to [a2 a3]", "bob -[b2] to []")
	if got, want := l.here(), map[string][]string{"ann": {"a2", "a3"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("here are %v, want %v", got, want)
	}
	for _, event := range []string{"presence_state", "presence_diff"} {
		if ours, err := l.Update(phxclient.Message{Event: event, JSON: json.RawMessage(`{"joins":{"a":7},"a":7}`)}); !ours || err == nil {
			t.Errorf("Update of a broken %s = %v, %v, want an error", event, ours, err)
		}
	}
}

func TestPresenceWithoutState(t *testing.T) {
	t.Parallel()
	var p phxclient.Presence
	diff := phxclient.Message{Event: "presence_diff", JSON: json.RawMessage(`{"joins":{},"leaves":{}}`)}
	for range 10_000 {
		if _, err := p.Update(diff); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Update(diff); err == nil {
		t.Error("no error for diffs that wait in vain")
	}
}

// Against the server's presences: also through a crash of the channel.
func TestPresenceOfServer(t *testing.T) {
	t.Parallel()
	here := presence.New(presence.Config{Logger: slog.New(slog.DiscardHandler)})
	defer here.Close()
	cfg := rooms()
	room := cfg.Mounts[0].Routes[0].Type
	room.Join = phx.On(func(ch *phx.Channel, in struct{ User string }) (any, error) {
		_, err := here.Track(ch, in.User, map[string]any{"tab": 1})
		return nil, err
	})
	room.Joined = func(ch *phx.Channel, _ phx.Payload) error { return here.PushState(ch) }
	ep := start(t, cfg)
	if err := here.Attach(ep); err != nil {
		t.Fatal(err)
	}
	ann := dial(t, ep, phxclient.Config{}).Channel("room:1", map[string]any{"user": "ann"})
	bob := dial(t, ep, phxclient.Config{}).Channel("room:1", map[string]any{"user": "bob"})
	messages := read(t, ann)
	l := newList()
	until := func(keys ...string) {
		t.Helper()
		for {
			m, ok := messages.next()
			if !ok {
				t.Fatalf("here are %v, want %v", l.here(), keys)
			}
			if _, err := l.Update(m); err != nil {
				t.Fatal(err)
			}
			var got []string
			for key := range l.here() {
				got = append(got, key)
			}
			if slices.Sort(got); slices.Equal(got, keys) {
				return
			}
		}
	}
	for _, ch := range []*phxclient.Channel{ann, bob} {
		if _, err := ch.Join(soon(t)); err != nil {
			t.Fatal(err)
		}
	}
	until("ann", "bob")
	if err := ann.Push(soon(t), "crash", nil); err != nil {
		t.Fatal(err)
	}
	if err := bob.Leave(soon(t)); err != nil {
		t.Fatal(err)
	}
	until("ann")
}

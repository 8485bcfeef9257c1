package presence

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/roost-rt/roost/pubsub/tracker"
)

// follow is what the JavaScript class does with a diff.
func follow(view map[string]bool, d diff) {
	for _, metas := range d.joins {
		for _, m := range metas {
			view[m.ref] = true
		}
	}
	for _, metas := range d.leaves {
		for _, m := range metas {
			delete(view, m.ref)
		}
	}
}

// Newcomers get the state of the moment and the diffs after it. Whenever they come, they
// know in the end who is there, even if a diff has to be retried, and if the same
// presences leave and come back, as those of a node do.
func TestNewcomers(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		a := newTopic("a")
		var views []map[string]bool
		here := func() map[string]bool {
			refs := make(map[string]bool)
			for _, metas := range a.keys {
				for _, m := range metas {
					refs[m.ref] = true
				}
			}
			return refs
		}
		tell := func(again bool) {
			news := a.pending
			a.pending = diff{}
			if again {
				step(r, a)
				if r.IntN(2) == 0 {
					a.pending.shown = true
					views = append(views, here())
				}
				step(r, a)
				a.pending = news.then(a.pending)
				return
			}
			for _, view := range views {
				follow(view, news)
			}
		}
		for range 40 {
			switch r.IntN(8) {
			case 0:
				tell(false)
			case 1:
				tell(true)
			case 2:
				a.pending.shown = true
				views = append(views, here())
			default:
				step(r, a)
			}
		}
		tell(false)
		for i, view := range views {
			if want := here(); !maps.Equal(view, want) {
				t.Fatalf("seed %d: newcomer %d of %d sees %v, want %v", seed, i, len(views), view, want)
			}
		}
	}
}

// step makes one of a few presences join or leave.
func step(r *rand.Rand, a *topic) {
	key, ref := fmt.Sprint("key ", r.IntN(2)), fmt.Sprint("ref ", r.IntN(3))
	ref = key + ref
	a.apply(tracker.Step{Entry: tracker.Entry{Key: key, Ref: ref}, Joined: indexOf(a.all(key), ref) < 0}, 2)
}

// A meta cannot bring its own refs, however they are spelled.
func TestRefs(t *testing.T) {
	for text, want := range map[string]string{
		`null`:                            `{"phx_ref":"R","phx_ref_prev":"Q"}`,
		`{}`:                              `{"phx_ref":"R","phx_ref_prev":"Q"}`,
		`{"a":{"b":1}}`:                   `{"a":{"b":1},"phx_ref":"R","phx_ref_prev":"Q"}`,
		`{"phx_ref":1,"a":2}`:             `{"a":2,"phx_ref":"R","phx_ref_prev":"Q"}`,
		`{"phx\u005fref_prev":1,"a":2}`:   `{"a":2,"phx_ref":"R","phx_ref_prev":"Q"}`,
		`{"\u0070hx_ref":1,"a":"\u00e4"}`: `{"a":"\u00e4","phx_ref":"R","phx_ref_prev":"Q"}`,
	} {
		b, err := encodeMeta(json.RawMessage(text), 100)
		if err != nil || string(b.with("R", "Q")) != want {
			t.Errorf("%s becomes %s, error %v; want %s", text, b.with("R", "Q"), err, want)
		}
	}
}

package tracker_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/pubsub/tracker"
)

// A node is a state, and the sum of all changes it has reported.
type node struct {
	*tracker.State
	name string
	own  map[string]tracker.Entry
	view map[string]tracker.Entry // entries of the others, by node and ref
	sent uint64                   // the others have been told up to this clock
}

func newNode(name string, start int64) *node {
	return &node{State: tracker.New(tracker.Replica{Node: name, Start: start}), name: name,
		own: make(map[string]tracker.Entry), view: make(map[string]tracker.Entry)}
}

// take applies a change to the view and checks that it fits.
func (n *node) take(t *testing.T, c tracker.Change) {
	t.Helper()
	for _, step := range c {
		_, had := n.view[step.Ref]
		switch {
		case step.Joined && had:
			t.Fatalf("%s: %s has joined twice", n.name, step.Ref)
		case step.Joined:
			n.view[step.Ref] = step.Entry
		case !had:
			t.Fatalf("%s: %s has left without having joined", n.name, step.Ref)
		default:
			delete(n.view, step.Ref)
		}
	}
}

// wire passes a delta through its encoding, as a message between nodes would.
func wire(t *testing.T, d tracker.Delta) (out tracker.Delta) {
	t.Helper()
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// change makes a random change to a node's own entries.
func (n *node) change(r *rand.Rand, serial int) {
	for ref := range n.own { // an arbitrary one
		switch r.IntN(4) {
		case 0:
			delete(n.own, ref)
			n.Drop(ref)
			return
		case 1:
			e := n.own[ref]
			e.Meta = json.RawMessage(fmt.Sprintf(`{"serial":%d}`, serial))
			n.own[ref] = e
			n.Put(e)
			return
		}
		break
	}
	e := tracker.Entry{Topic: "room:a", Key: fmt.Sprint(serial % 7), Ref: fmt.Sprintf("%s-%d", n.name, serial), Meta: json.RawMessage(`{}`)}
	n.own[e.Ref] = e
	n.Put(e)
}

// Deltas are lost, duplicated and reordered, and nodes go down and restart. Once each
// node has been asked for what was missed, all know the same.
func TestConverges(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { converge(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func converge(t *testing.T, r *rand.Rand) {
	now := time.Unix(0, 0)
	nodes := []*node{newNode("a", 1), newNode("b", 1), newNode("c", 1)}
	type letter struct {
		to    *node
		delta tracker.Delta
	}
	var post []letter
	deliver := func(to *node, d tracker.Delta) (ask bool) {
		c, ask, err := to.Apply(wire(t, d), now)
		if err != nil {
			t.Fatal(err)
		}
		to.take(t, c)
		return ask
	}
	for serial := range 400 {
		now = now.Add(100 * time.Millisecond)
		from := nodes[r.IntN(len(nodes))]
		switch r.IntN(12) {
		case 0: // starts again
			fresh := newNode(from.name, int64(serial+2))
			nodes[strings.Index("abc", from.name)] = fresh
		case 1: // another node takes it to be dead
			to := nodes[r.IntN(len(nodes))]
			if r.IntN(2) == 0 {
				to.take(t, to.Down(from.name))
			} else {
				to.take(t, to.Forget(from.name))
			}
		default:
			from.change(r, serial)
		}
		if r.IntN(3) == 0 {
			deltas := from.Since(from.sent)
			from.sent = from.Clock()
			for _, to := range nodes {
				for _, d := range deltas {
					for range r.IntN(3) { // lost, once, twice
						post = append(post, letter{to, d})
					}
				}
			}
		}
		for len(post) > 0 && r.IntN(3) > 0 {
			i := r.IntN(len(post))
			l := post[i]
			post = append(post[:i], post[i+1:]...)
			if deliver(l.to, l.delta) {
				for _, asked := range nodes {
					if asked.name == l.delta.Node {
						for _, d := range asked.Since(l.to.Known(asked.name)) {
							post = append(post, letter{l.to, d})
						}
					}
				}
			}
		}
	}

	for _, from := range nodes { // a heartbeat and its consequences
		now = now.Add(time.Minute)
		for _, to := range nodes {
			if deliver(to, from.Since(from.Clock())[0]) {
				for _, d := range from.Since(to.Known(from.name)) {
					deliver(to, d)
				}
			}
		}
	}
	for _, n := range nodes {
		want := make(map[string]tracker.Entry)
		for _, other := range nodes {
			if other != n {
				maps.Copy(want, other.own)
			}
		}
		if !maps.EqualFunc(n.view, want, func(a, b tracker.Entry) bool { return string(a.Meta) == string(b.Meta) && a.Key == b.Key }) {
			t.Fatalf("%s sees\n%v\nwant\n%v", n.name, n.view, want)
		}
	}
}

// A node that has missed more than the log keeps gets a whole snapshot, in parts.
func TestSnapshot(t *testing.T) {
	a, b := newNode("a", 1), newNode("b", 1)
	for range 50_000 { // more than the log keeps
		a.Put(tracker.Entry{Topic: "room:b", Ref: "many"})
	}
	a.Drop("many")
	for i := range 18_000 {
		e := tracker.Entry{Topic: "room:a", Key: fmt.Sprint(i), Ref: fmt.Sprint(i), Meta: json.RawMessage(`{"phx_ref":"0123456789abcdef"}`)}
		a.Put(e)
		if i%3 == 0 {
			a.Drop(e.Ref)
		}
	}
	parts := a.Since(0)
	if len(parts) < 2 || parts[0].Parts != len(parts) {
		t.Fatalf("%d parts, the first of %d", len(parts), parts[0].Parts)
	}
	for i, d := range parts {
		if text, _ := json.Marshal(d); len(text) > 512<<10 {
			t.Errorf("part %d has %d bytes", i, len(text))
		}
		c, ask, err := b.Apply(d, time.Time{})
		if err != nil || ask {
			t.Fatal(ask, err)
		}
		if last := i == len(parts)-1; !last && len(c) > 0 {
			t.Fatalf("part %d of %d is told", i, len(parts))
		}
		b.take(t, c)
	}
	if len(b.view) != 12_000 || b.Known("a") != a.Clock() {
		t.Errorf("%d entries at clock %d, want 12000 at %d", len(b.view), b.Known("a"), a.Clock())
	}
	if d := a.Since(a.Clock() - 5); len(d) != 1 || len(d[0].Ops) != 5 {
		t.Errorf("the last five changes are %v", d)
	}
}

func TestDownAndBack(t *testing.T) {
	a, b := newNode("a", 1), newNode("b", 1)
	a.Put(tracker.Entry{Topic: "t", Key: "k", Ref: "1"})
	start := time.Unix(100, 0)
	for _, d := range a.Since(0) {
		c, _, _ := b.Apply(d, start)
		b.take(t, c)
	}
	if silent := b.Silent(start); silent != nil {
		t.Errorf("%v are silent", silent)
	}
	b.Forgive(time.Hour, start.Add(time.Second)) // b itself was late
	if silent := b.Silent(start.Add(time.Second)); silent != nil {
		t.Errorf("%v are silent, although forgiven", silent)
	}
	if silent := b.Silent(start.Add(2 * time.Second)); len(silent) != 1 {
		t.Errorf("%v are silent, want a", silent)
	}
	b.take(t, b.Down("a"))
	if len(b.view) != 0 || b.Silent(start.Add(time.Hour)) != nil {
		t.Errorf("of a node that is down %v are left", b.view)
	}
	c, ask, _ := b.Apply(a.Since(a.Clock())[0], start)
	b.take(t, c)
	if len(b.view) != 1 || ask {
		t.Errorf("a node is back with %v, ask %v", b.view, ask)
	}
	b.take(t, b.Down("a"))
	b.ForgetDown(start.Add(time.Hour))
	if c, ask, _ := b.Apply(a.Since(a.Clock())[0], start); len(c) != 0 || !ask {
		t.Errorf("a forgotten node is back with %v, ask %v", c, ask)
	}
}

func TestNonsense(t *testing.T) {
	for _, d := range []string{
		`{}`,
		`{"node":"a","start":1,"from":2,"to":1}`,
		`{"node":"a","start":1,"from":1,"to":2}`,
		`{"node":"a","start":1,"from":0,"to":18446744073709551615}`,
		`{"node":"a","start":1,"to":1,"ops":[{}]}`,
		`{"node":"a","start":1,"to":1,"ops":[{"p":{"r":"1"},"d":"1"}]}`,
		`{"node":"a","start":1,"to":1,"ops":[{"p":{"t":"x"}}]}`,
		`{"node":"a","start":1,"to":1,"ops":[{"p":{"r":"1","n":-1}}]}`,
		`{"node":"a","start":1,"to":1,"parts":1,"ops":[{"d":"1"}]}`,
		`{"node":"a","start":1,"to":1,"parts":1,"part":1}`,
		`{"node":"a","start":1,"to":1,"parts":-1}`,
		`{"node":"a","start":1,"to":1,"parts":1000000000}`,
	} {
		var delta tracker.Delta
		if err := json.Unmarshal([]byte(d), &delta); err != nil {
			t.Fatal(err)
		}
		b := newNode("b", 1)
		if _, _, err := b.Apply(delta, time.Time{}); err == nil || b.Known("a") != 0 {
			t.Errorf("%s: error %v, clock %d", d, err, b.Known("a"))
		}
	}
}

// If a delta overlaps what is known, only its new part is reported.
func TestOverlap(t *testing.T) {
	a, b := newNode("a", 1), newNode("b", 1)
	a.Put(tracker.Entry{Topic: "t", Key: "1", Ref: "1"})
	c, _, _ := b.Apply(a.Since(0)[0], time.Time{})
	b.take(t, c)
	a.Put(tracker.Entry{Topic: "t", Key: "2", Ref: "2"})
	for _, want := range []int{1, 0} { // the second time nothing is new
		if c, ask, err := b.Apply(tracker.Delta{Replica: tracker.Replica{Node: "a", Start: 1}, To: 2, Ops: []tracker.Op{
			{Put: &tracker.Entry{Topic: "t", Key: "1", Ref: "1"}}, {Put: &tracker.Entry{Topic: "t", Key: "2", Ref: "2"}},
		}}, time.Time{}); len(c) != want || ask || err != nil {
			t.Errorf("%v, ask %v, error %v; want %d steps", c, ask, err, want)
		}
	}
}

// A node that asks twice may combine parts of both answers.
func TestSnapshotsAreAlike(t *testing.T) {
	a, b := newNode("a", 1), newNode("b", 1)
	for i := range 9_000 {
		a.Put(tracker.Entry{Topic: "t", Key: "k", Ref: fmt.Sprint(i)})
	}
	first, second := a.Since(0), a.Since(0)
	if len(first) < 2 || len(second) != len(first) {
		t.Fatalf("%d and %d parts", len(first), len(second))
	}
	for i, d := range first {
		if i == 0 {
			d = second[0]
		}
		c, _, _ := b.Apply(d, time.Time{})
		b.take(t, c)
	}
	if len(b.view) != 9_000 {
		t.Errorf("of 9000 entries %d are seen", len(b.view))
	}
}

// Parts of an older snapshot, or of one cut in other places, neither block a newer
// snapshot nor become part of it.
func TestOtherSnapshots(t *testing.T) {
	a, b := newNode("a", 1), newNode("b", 1)
	fill := func(n int) {
		for i := range n {
			a.Put(tracker.Entry{Topic: "t", Key: "k", Ref: fmt.Sprint(a.Clock(), " ", i)})
		}
	}
	fill(9_000)
	older := a.Since(0)
	fill(1)
	otherwise := a.Since(0)
	if !a.Shrink() {
		t.Fatal("deltas are small already")
	}
	now := time.Unix(100, 0)
	parts := a.Since(0)
	parts = append(parts[2:], parts[:2]...)
	for _, noise := range [][]tracker.Delta{older, otherwise} {
		c, _, _ := b.Apply(noise[1], now)
		b.take(t, c)
	}
	for i, d := range parts {
		c, _, _ := b.Apply(d, now)
		b.take(t, c)
		c, _, _ = b.Apply(older[1], now)
		b.take(t, c)
		now = now.Add(time.Minute)
		if i < len(parts)-1 {
			if _, ask, _ := b.Apply(a.Since(a.Clock())[0], now.Add(-time.Minute)); ask {
				t.Fatal("it asks although an answer is coming")
			}
		}
	}
	if len(b.view) != 9_001 {
		t.Errorf("of 9001 entries %d are seen", len(b.view))
	}
	for a.Shrink() {
	}
	for _, d := range a.Since(0) {
		if text, _ := json.Marshal(d); len(text) > 16<<10 {
			t.Fatalf("a part has %d bytes", len(text))
		}
	}
}

// A burst is sent as changes, however large it is: a snapshot for each part would make
// the cost quadratic. The log that this needs is bounded in bytes.
func TestLog(t *testing.T) {
	a := newNode("a", 1)
	a.Put(tracker.Entry{Topic: "t", Ref: "first"})
	for i := range 60_000 {
		a.Put(tracker.Entry{Topic: "t", Key: "k", Ref: fmt.Sprint(i)})
	}
	if d := a.Since(1); d[0].Parts != 0 {
		t.Error("60000 joins are told as a snapshot")
	}
	b := newNode("b", 1)
	meta := json.RawMessage(`"` + strings.Repeat("x", 4096) + `"`)
	for range 2_000 {
		b.Put(tracker.Entry{Topic: "t", Key: "k", Ref: "r", Meta: meta})
	}
	if d := b.Since(b.Clock() - 1_000); d[0].Parts == 0 {
		t.Error("4 MiB of changes are kept for one entry")
	}
}

// A node that restarts after its system clock was put back is heard once its earlier
// life counts as down.
func TestClockPutBack(t *testing.T) {
	old, again, b := newNode("a", 2), newNode("a", 1), newNode("b", 1)
	old.Put(tracker.Entry{Topic: "t", Key: "old", Ref: "1"})
	again.Put(tracker.Entry{Topic: "t", Key: "again", Ref: "2"})
	apply := func(n *node) {
		c, _, _ := b.Apply(n.Since(0)[0], time.Time{})
		b.take(t, c)
	}
	apply(old)
	apply(again)
	if b.view["1"].Key != "old" || len(b.view) != 1 {
		t.Errorf("seen are %v", b.view)
	}
	b.take(t, b.Down("a"))
	apply(again)
	if b.view["2"].Key != "again" || len(b.view) != 1 {
		t.Errorf("seen are %v", b.view)
	}
}

package presence

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/roost-rt/roost/pubsub/tracker"
	"github.com/roost-rt/roost/server/phx"
)

// simulated is a node without an endpoint, whose clients are views.
type simulated struct {
	*Presence
	name     string
	channels []*phx.Channel
	now      time.Time
	views    map[string][]map[string]bool // refs that clients know, by topic
	more     map[string]map[string]int    // metas that they do not see, by topic and key
}

// simulatedTopics are one that channels have joined, and another.
var simulatedTopics = []string{"", "elsewhere"}

func simulate(name string, maxMetas int) *simulated {
	n := &simulated{name: name, views: make(map[string][]map[string]bool), more: map[string]map[string]int{"": {}, "elsewhere": {}}}
	n.Presence = New(Config{SampleOnly: func(string) bool { return true }, MaxFull: 8, Sample: 4, MaxMetas: maxMetas})
	n.state = tracker.New(tracker.Replica{Node: name, Start: 1})
	for range 60 {
		n.channels = append(n.channels, new(phx.Channel))
	}
	return n
}

// count has a node say all its counts, whenever it was to do so.
func (n *simulated) count() {
	n.now = n.now.Add(time.Hour)
	n.countLocked(n.now)
}

// enter makes somebody join, or update if they are there.
func (n *simulated) enter(r *rand.Rand) {
	ch, key := n.channels[r.IntN(len(n.channels))], fmt.Sprint("key ", r.IntN(4))
	t := n.topicLocked(simulatedTopics[r.IntN(2)])
	if n.enterLocked(ch, t, row{newRef(), key, body(`{"a":1}`)}) != nil {
		_, _ = n.alterLocked(ch, t, key, body("{}"))
	}
}

// here is the refs of this node on a topic.
func (n *simulated) here(topic string) map[string]bool {
	refs := make(map[string]bool)
	for _, all := range n.topicLocked(topic).crowd {
		for w := range all.all() {
			refs[w.ref] = true
		}
	}
	return refs
}

// known is the refs that clients of this node may know of a topic.
func (n *simulated) known(topic string) map[string]bool {
	refs := make(map[string]bool)
	for _, metas := range n.topicLocked(topic).seen() {
		for _, m := range metas {
			refs[m.ref] = true
		}
	}
	return refs
}

// tellAll adds a client, and then tells all clients.
func (n *simulated) tellAll() {
	for _, topic := range simulatedTopics {
		t := n.topicLocked(topic)
		t.pending.shown = true
		n.views[topic] = append(n.views[topic], n.known(topic))
		for _, view := range n.views[topic] {
			follow(view, t.pending)
		}
		t.pending = diff{}
		for key := range t.uncount {
			n.more[topic][key] = t.rest(key)
		}
		t.uncount = nil
	}
}

// hearFrom passes on what another node says: all of it, or some, in any order.
func (n *simulated) hearFrom(other *simulated, r *rand.Rand, all bool) {
	other.count()
	deltas := other.state.Since(n.state.Known(other.name))
	if !all {
		r.Shuffle(len(deltas), func(i, j int) { deltas[i], deltas[j] = deltas[j], deltas[i] })
		deltas = deltas[:r.IntN(len(deltas)+1)]
	}
	for _, d := range deltas {
		steps, _, err := n.state.Apply(d, time.Now())
		if err != nil {
			panic(err)
		}
		n.seeLocked(steps)
	}
}

// People come, change and go on up to three nodes, which hear each other late or in part
// and take each other to be down. Once all have heard all, each counts everyone, and its
// clients see exactly those, of all nodes, who are in its sample.
func TestCrowd(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		maxMetas := []int{-1, 2}[seed%2]
		var nodes []*simulated
		for i := range 1 + r.IntN(3) {
			nodes = append(nodes, simulate(fmt.Sprint("node ", i), maxMetas))
		}
		for range 60 {
			n, other := nodes[r.IntN(len(nodes))], nodes[r.IntN(len(nodes))]
			switch r.IntN(9) {
			case 0, 1:
				n.enter(r)
			case 2:
				for range r.IntN(60) {
					n.enter(r)
				}
			case 3:
				n.UntrackAll(n.channels[r.IntN(len(n.channels))])
			case 4:
				for _, ch := range n.channels[:r.IntN(len(n.channels))] {
					n.UntrackAll(ch)
				}
			case 5:
				n.hearFrom(other, r, false)
			case 6:
				n.hearFrom(other, r, true)
			case 7:
				n.tellAll()
			default:
				n.seeLocked([]func(string) tracker.Change{n.state.Down, n.state.Forget}[r.IntN(2)](other.name))
			}
		}
		checkCrowd(t, seed, nodes, r, maxMetas < 0)
		for _, n := range nodes {
			for _, ch := range n.channels {
				n.UntrackAll(ch)
			}
		}
		checkCrowd(t, seed, nodes, r, true)
		for _, n := range nodes {
			n.count()
			kept := n.state.Len() + len(n.guests) + len(n.local) + n.entries
			for _, topic := range n.topics {
				kept += len(topic.crowd) + len(topic.keys) + len(topic.hidden) + topic.own
			}
			if kept > 0 {
				t.Fatalf("seed %d: %s keeps %d things when all have gone", seed, n.name, kept)
			}
		}
	}
}

func checkCrowd(t *testing.T, seed uint64, nodes []*simulated, r *rand.Rand, allMetas bool) {
	t.Helper()
	for range 2 { // a node that hears a new count tells more of its own, or fewer
		for _, n := range nodes {
			for _, other := range nodes {
				n.hearFrom(other, r, true)
			}
		}
	}
	for _, n := range nodes {
		n.tellAll()
		for _, topic := range simulatedTopics {
			all := make(map[string]bool)
			for _, each := range nodes {
				maps.Copy(all, each.here(topic))
			}
			where := n.topicLocked(topic)
			if got := n.Count(topic); got != len(all) {
				t.Fatalf("seed %d: %s counts %d on %q of %d", seed, n.name, got, topic, len(all))
			}
			if level, share := nextLevel(where.level, len(all), 8, 4), nextShare(where.share, len(all), 8, 4); level != where.level || share != where.share && where.sampled {
				t.Fatalf("seed %d: of %d, clients of %s see level %d and others know level %d, want %d and %d", seed, len(all), n.name, where.level, where.share, level, share)
			}
			sees := n.known(topic)
			for i, view := range n.views[topic] {
				if !maps.Equal(view, sees) {
					t.Fatalf("seed %d: client %d of %s sees %d on %q, want %d", seed, i, n.name, len(view), topic, len(sees))
				}
			}
			for i := range 4 {
				key := fmt.Sprint("key ", i)
				if got, want := n.more[topic][key], where.rest(key); got != want {
					t.Fatalf("seed %d: clients of %s know of %d more of %s on %q, want %d", seed, n.name, got, key, topic, want)
				}
			}
			maps.DeleteFunc(all, func(ref string, _ bool) bool { return !among(ref, where.level) })
			if allMetas && !maps.Equal(sees, all) {
				t.Fatalf("seed %d: clients of %s see %d on %q at level %d of %d", seed, n.name, len(sees), topic, where.level, len(all))
			}
		}
	}
}

// What other nodes are told of a crowd is bounded, and never less than the clients of any
// node may see, however its size has changed.
func TestShare(t *testing.T) {
	const full, sample = 1000, 100
	r := rand.New(rand.NewPCG(1, 1))
	share := 0
	levels := make([]int, 5) // of nodes with histories of their own
	n := 0
	for range 20_000 {
		most := n/4 + 1000
		n = min(max(0, n+r.IntN(2*most)-most), 1<<30)
		share = nextShare(share, n, full, sample)
		if told := n >> share; told > max(full*4/3, 4*sample) {
			t.Fatalf("of %d, %d are told", n, told)
		}
		for i := range levels {
			for range r.IntN(3) {
				levels[i] = nextLevel(levels[i], r.IntN(2*n+1), full, sample)
			}
			levels[i] = nextLevel(levels[i], n, full, sample)
			if levels[i] < share {
				t.Fatalf("of %d, clients see level %d and other nodes know level %d", n, levels[i], share)
			}
		}
	}
	for i := range 10 { // one who comes and goes at a border does not cross it each time
		const border = (2*sample + 1) << 9
		before := share
		if share = nextShare(share, border-1+i%2, full, sample); i > 1 && share != before {
			t.Fatalf("with %d the level changes from %d to %d", border-1+i%2, before, share)
		}
	}
}

func TestRows(t *testing.T) {
	var all rows
	want := make(map[string]row)
	r := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		key := fmt.Sprint(r.IntN(20))
		if r.IntN(2) == 0 {
			all = all.without(key)
			delete(want, key)
		} else {
			want[key] = row{newRef(), key, make(body, r.IntN(300))}
			all = all.with(want[key])
		}
		n := 0
		for w := range all.all() {
			if n++; w.ref != want[w.key].ref || len(w.meta) != len(want[w.key].meta) {
				t.Fatalf("%q has %v", w.key, w)
			}
		}
		if n != len(want) {
			t.Fatalf("%d rows, want %d", n, len(want))
		}
	}
}

// A presence of a large crowd, on the topic of its channel, takes at most 100 bytes on
// its node if its key and its meta are short.
func TestSizeOfCrowd(t *testing.T) {
	const size = 50_000
	n := simulate("a", -1)
	channels := make([]phx.Channel, size)
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	n.fill(t, channels)
	if each := (heap() - before) / size; each > 100 {
		t.Errorf("a presence takes %d bytes, want 100 at most", each)
	}
	runtime.KeepAlive(channels)
	runtime.KeepAlive(n)
}

// The more there are on a topic, the less often clients are told.
func TestWindow(t *testing.T) {
	for _, tt := range []struct {
		cfg  Config
		n    int
		want time.Duration
	}{
		{Config{}, 1_000, 500 * time.Millisecond},
		{Config{}, 10_000, 500 * time.Millisecond},
		{Config{}, 1_000_000, 50 * time.Second},
		{Config{MaxRate: 1_000_000, Window: time.Second}, 2_000_000, 2 * time.Second},
		{Config{MaxRate: -1}, 1_000_000, 500 * time.Millisecond},
	} {
		if got := tt.cfg.withDefaults().window(tt.n); got != tt.want {
			t.Errorf("with %+v, of %d clients are told every %v, want %v", tt.cfg, tt.n, got, tt.want)
		}
	}
}

// A node that hears another's new count tells no more of its own crowd than before, and
// its clients see no others: the old count's leave is not as if the crowd were small.
func TestCountOfAnother(t *testing.T) {
	large, small := simulate("a", -1), simulate("b", -1)
	large.fill(t, make([]phx.Channel, 2000))
	small.fill(t, make([]phx.Channel, 60))
	r := rand.New(rand.NewPCG(1, 1))
	hear := func() {
		for range 3 {
			large.hearFrom(small, r, true)
			small.hearFrom(large, r, true)
		}
	}
	hear()
	where := small.topicLocked("")
	clock, version := small.state.Clock(), where.version
	large.fill(t, make([]phx.Channel, 1))
	hear()
	if got := small.Count(""); got != 2061 {
		t.Errorf("%d are counted, want 2061", got)
	}
	if small.state.Clock() != clock || where.version != version {
		t.Errorf("the small node tells %d changes of its own, and its clients have the state %d, want 0 and %d", small.state.Clock()-clock, where.version, version)
	}
}

// fill has channels come, one presence each.
func (n *simulated) fill(t *testing.T, channels []phx.Channel) {
	t.Helper()
	for i := range channels {
		if err := n.enterLocked(&channels[i], n.topicLocked(""), row{newRef(), fmt.Sprint("user ", i), body(`{"status":"online"}`)}); err != nil {
			t.Fatal(err)
		}
	}
}

// The larger a topic, the less often a node tells the others how many are counted on it.
func TestPace(t *testing.T) {
	for n, want := range map[int]time.Duration{1000: 250 * time.Millisecond, 100_000: 500 * time.Millisecond, 1_000_000: 5 * time.Second} {
		a, now := simulate("a", -1), time.Now()
		a.addLocked(a.topicLocked(""), n)
		a.countLocked(now)
		a.addLocked(a.topicLocked(""), 1)
		if next := a.countLocked(now.Add(want - 1)); !next.Equal(now.Add(want)) || a.state.Clock() != 1 {
			t.Errorf("of %d, %d counts are told, and the next is due after %v, want one and %v", n, a.state.Clock(), next.Sub(now), want)
		}
		if a.countLocked(now.Add(want)); a.state.Clock() != 2 {
			t.Errorf("of %d, %d counts are told, want 2", n, a.state.Clock())
		}
	}
}

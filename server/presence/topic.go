package presence

import (
	"encoding/json"
	"math/bits"
	"slices"
	"sync"
	"time"

	"github.com/roost-rt/roost/pubsub/tracker"
	"github.com/roost-rt/roost/server/phx"
)

// A topic is who is on it, on all nodes, and what clients have yet to be told.
type topic struct {
	name    string
	keys    map[string][]meta          // of each key those that clients see; slices are replaced, never changed
	hidden  map[string]map[string]meta // the others of the key, by ref
	uncount map[string]bool            // keys whose number of hidden metas clients have yet to be told
	n       int                        // presences
	own     int                        // those of n that are on this node, if they are counted
	level   int                        // of what clients see; see sees
	sampled bool                       // n comes from counts, and keys has only some
	crowd   crowd                      // those of this node, if sampled
	share   int                        // the level of what other nodes are told of the crowd
	quiet   time.Time                  // until then other nodes are not told of own again
	pending diff
	told    int // the count that clients were told last; -1 before
	due     time.Time
	queued  bool
	version int           // of the state for newcomers
	parts   []phx.Payload // of that state, or nil until it is encoded

	encoding sync.Mutex   // held to encode the state of a large topic; before Presence.mu
	order    sync.RWMutex // held to broadcast a diff, shared to push a state in parts; before encoding
}

func newTopic(name string) *topic {
	return &topic{name: name, told: -1}
}

// count is what presence_count says.
func (t *topic) count() int {
	if len(t.keys) > 0 && !t.sampled {
		return len(t.keys)
	}
	return t.n
}

// messages is about how many clients are sent to tell them of a change: a diff to each,
// and a count if they see a sample.
func (t *topic) messages() int {
	if t.level > 0 {
		return 2 * t.n
	}
	return t.n
}

// apply applies a step of the tracker, of this node or another. Clients see at most
// maxMetas metas of a key.
func (t *topic) apply(s tracker.Step, maxMetas int) {
	sign := -1
	if s.Joined {
		sign = 1
	}
	switch {
	case s.Count > 0:
		t.n += sign * s.Count
		return
	case s.Counted:
		t.sampled = true
	default:
		t.n += sign
	}
	if s.Joined {
		t.join(s.Key, meta{s.Ref, s.Meta}, maxMetas)
	} else {
		t.leave(s.Key, s.Ref)
	}
}

func (t *topic) join(key string, m meta, maxMetas int) {
	if t.keys == nil {
		t.keys = make(map[string][]meta)
	}
	if maxMetas > 0 && len(t.keys[key]) >= maxMetas {
		t.hide(key, m)
		return
	}
	t.keys[key] = append(t.keys[key], m)
	if t.sees(key, m, t.level) {
		t.pending.join(key, m)
		t.changed()
	}
}

// changed renews the state of a small topic. Newcomers to a large one get the previous
// state, and then the diff that is due: otherwise it would be encoded a thousand times
// for a thousand who come at once.
func (t *topic) changed() {
	if t.n <= smallTopic {
		t.renew()
	}
}

// renew makes a new version of the state.
func (t *topic) renew() {
	t.version++
	t.parts = nil
}

func (t *topic) leave(key, ref string) {
	metas := t.keys[key]
	i := indexOf(metas, ref)
	if i < 0 {
		t.unhide(key, ref)
		return
	}
	m := metas[i]
	rest := slices.Concat(metas[:i], metas[i+1:]) // a copy: others may read it
	next, more := t.next(key)
	if more {
		rest = append(rest, next)
	}
	if len(rest) == 0 {
		delete(t.keys, key)
	} else {
		t.keys[key] = rest
	}
	if more && t.sees(key, next, t.level) {
		t.pending.join(key, next)
		t.changed()
	}
	if t.sees(key, m, t.level) {
		t.pending.leave(key, m)
		t.changed()
	}
}

func (t *topic) hide(key string, m meta) {
	if t.hidden == nil {
		t.hidden = make(map[string]map[string]meta)
	}
	if t.hidden[key] == nil {
		t.hidden[key] = make(map[string]meta)
	}
	t.hidden[key][m.ref] = m
	t.recount(key)
}

// recount has clients told how many metas of a key are hidden, if they see the key.
func (t *topic) recount(key string) {
	if !t.sampled && !visible(key, t.level) {
		return
	}
	t.recountSeen(key)
}

func (t *topic) recountSeen(key string) {
	if t.uncount == nil {
		t.uncount = make(map[string]bool)
	}
	t.uncount[key] = true
}

// rest is how many metas of a key clients do not see.
func (t *topic) rest(key string) (n int) {
	if !t.sampled && visible(key, t.level) {
		return len(t.hidden[key])
	}
	for _, m := range t.hidden[key] {
		if t.sees(key, m, t.level) {
			n++
		}
	}
	return n
}

func (t *topic) unhide(key, ref string) {
	if t.hidden[key] == nil {
		return
	}
	t.recount(key)
	delete(t.hidden[key], ref)
	if len(t.hidden[key]) == 0 {
		delete(t.hidden, key)
	}
}

// next takes a hidden meta of a key, to be seen in place of one that leaves.
func (t *topic) next(key string) (m meta, ok bool) {
	for ref, m := range t.hidden[key] {
		t.unhide(key, ref)
		return m, true
	}
	return meta{}, false
}

// all is all metas of a key, the hidden ones last.
func (t *topic) all(key string) []meta {
	metas := t.keys[key]
	if len(t.hidden[key]) == 0 {
		return metas
	}
	metas = slices.Clone(metas)
	for _, m := range t.hidden[key] {
		metas = append(metas, m)
	}
	return metas
}

// resample has clients see a smaller part of the topic once it has grown, and a larger
// part once it has shrunk. It walks all keys, but seldom: their number has to double, or
// to halve, until the next time.
func (t *topic) resample(full, sample int) {
	n := len(t.keys)
	if t.sampled {
		n = t.n
	}
	level := nextLevel(t.level, n, full, sample)
	if level == t.level {
		return
	}
	for key, metas := range t.keys {
		for _, m := range metas {
			was, is := t.sees(key, m, t.level), t.sees(key, m, level)
			switch {
			case is && !was:
				t.pending.join(key, m)
			case was && !is:
				t.pending.leave(key, m)
			}
		}
	}
	for key := range t.hidden {
		if t.sampled || visible(key, t.level) != visible(key, level) {
			t.recountSeen(key)
		}
	}
	t.level = level
	t.renew()
}

// sees reports whether clients see a meta of a key.
func (t *topic) sees(key string, m meta, level int) bool {
	if t.sampled {
		return among(m.ref, level)
	}
	return visible(key, level)
}

// seen is what clients see, by key.
func (t *topic) seen() map[string][]meta {
	seen := make(map[string][]meta)
	for key, metas := range t.keys {
		some := metas
		if t.level > 0 {
			some = slices.DeleteFunc(slices.Clone(metas), func(m meta) bool { return !t.sees(key, m, t.level) })
		}
		if len(some) > 0 {
			seen[key] = some
		}
	}
	return seen
}

// visible reports whether clients see a key: every key at level 0, half of them at level
// 1, a quarter at level 2. A key that is visible at one level is so at all below.
func visible(key string, level int) bool {
	if level == 0 {
		return true
	}
	x := uint64(14695981039346656037) // FNV-1a
	for i := range len(key) {
		x = (x ^ uint64(key[i])) * 1099511628211
	}
	x ^= x >> 33 // FNV gives similar keys similar upper bits
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return x>>(64-level) == 0
}

// nextLevel is the level for n keys. Small changes of n do not change it.
func nextLevel(level, n, full, sample int) int {
	switch {
	case full < 0, n <= full && level == 0, n <= full*3/4:
		return 0
	case level == 0, n>>level > 2*sample, n>>level < sample/2:
		return max(1, bits.Len(uint(n/sample)))
	}
	return level
}

// A diff is what clients have yet to be told. Someone who came and went since the last
// one is not in it, unless newcomers have been shown a state in between: they must hear
// the end of whatever they saw, and all that they did not see. Joins come before leaves.
type diff struct {
	joins, leaves map[string][]meta
	shown         bool // to newcomers
}

func (d *diff) empty() bool { return len(d.joins) == 0 && len(d.leaves) == 0 }

func (d *diff) join(key string, m meta) {
	if take(d.leaves, key, m.ref) && !d.shown {
		return
	}
	if indexOf(d.joins[key], m.ref) < 0 {
		d.joins = put(d.joins, key, m)
	}
}

func (d *diff) leave(key string, m meta) {
	if d.shown || !take(d.joins, key, m.ref) {
		d.leaves = put(d.leaves, key, m)
	}
}

// then is d followed by next.
func (d diff) then(next diff) diff {
	d.shown = d.shown || next.shown
	for key, metas := range next.joins {
		for _, m := range metas {
			d.join(key, m)
		}
	}
	for key, metas := range next.leaves {
		for _, m := range metas {
			d.leave(key, m)
		}
	}
	return d
}

func put(to map[string][]meta, key string, m meta) map[string][]meta {
	if to == nil {
		to = make(map[string][]meta)
	}
	to[key] = append(to[key], m)
	return to
}

func indexOf(metas []meta, ref string) int {
	return slices.IndexFunc(metas, func(m meta) bool { return m.ref == ref })
}

// take removes a ref, and reports whether it was there.
func take(from map[string][]meta, key, ref string) bool {
	metas := from[key]
	i := indexOf(metas, ref)
	if i < 0 {
		return false
	}
	if len(metas) == 1 {
		delete(from, key)
	} else {
		from[key] = slices.Delete(metas, i, i+1)
	}
	return true
}

// entries is a state, or one side of a diff, as clients get it.
func entries(from map[string][]meta) map[string]*Entry {
	all := make(map[string]*Entry, len(from))
	for key, metas := range from {
		all[key] = entryOf(metas)
	}
	return all
}

func entryOf(metas []meta) *Entry {
	e := &Entry{Metas: make([]json.RawMessage, len(metas))}
	for i, m := range metas {
		e.Metas[i] = m.json
	}
	return e
}

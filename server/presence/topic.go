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
	keys    map[string][]meta          // of each key those that clients see; the slices are not changed, only put in the place of each other
	hidden  map[string]map[string]meta // the others of the key, by ref
	uncount map[string]bool            // keys of whose others clients have yet to be told how many there are
	n       int                        // presences
	own     int                        // of those on this node, where they are only counted
	level   int                        // see sees
	sampled bool                       // counts say how many presences there are, and keys are of some of them
	crowd   crowd                      // those of this node, if sampled
	share   int                        // the level of those of the crowd that other nodes are told of
	pending diff
	told    int // the count that clients were told last; -1 before
	due     time.Time
	queued  bool
	version int           // of what newcomers have to know
	parts   []phx.Payload // the state of this version, or nil if it has yet to be encoded

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

// apply takes a step of the tracker, of this node or another.
// Of a key clients see so many metas.
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

// changed makes the state of a small topic a new one. On a large one newcomers get the
// state that was, and the diff that is due: else a thousand who come at once would
// have it encoded a thousand times.
func (t *topic) changed() {
	if t.n <= smallTopic {
		t.renew()
	}
}

// renew makes the state a new one.
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

// recount has clients told how many metas of a key they do not see.
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

// rest is how many metas there are of a key beside those that clients see.
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

// next is a hidden meta of a key, for clients to see instead of one that leaves.
func (t *topic) next(key string) (m meta, ok bool) {
	for ref, m := range t.hidden[key] {
		t.unhide(key, ref)
		return m, true
	}
	return meta{}, false
}

// all is a key's metas, those that are hidden after the others.
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

// resample has clients see fewer of the keys, or more, when there are many more of
// them, or fewer, than before. It looks at all keys, but seldom: their number has to
// double for the next time.
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

// seen is what clients see now, by key.
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

// visible reports whether clients see a key: all at level 0, half of them at level 1,
// a quarter at level 2. Who is visible at one level is so at those below.
func visible(key string, level int) bool {
	if level == 0 {
		return true
	}
	x := uint64(14695981039346656037) // FNV-1a
	for i := range len(key) {
		x = (x ^ uint64(key[i])) * 1099511628211
	}
	x ^= x >> 33 // the upper bits of FNV are alike for keys that are
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return x>>(64-level) == 0
}

// nextLevel is the level for n keys, which does not change with every small change of
// their number.
func nextLevel(level, n, full, sample int) int {
	switch {
	case full < 0, n <= full && level == 0, n <= full*3/4:
		return 0
	case level == 0, n>>level > 2*sample, n>>level < sample/2:
		return max(1, bits.Len(uint(n/sample)))
	}
	return level
}

// A diff is what clients have yet to be told. Who has come and gone meanwhile is not
// in it, unless newcomers may have been shown the state in between: they have to hear
// of the end of what they saw, and of what was not there then. Joins come before leaves.
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

// then is d, and after it what next says.
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

// entries is one side of a diff, or a state, as clients get it.
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

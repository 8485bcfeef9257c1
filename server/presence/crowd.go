package presence

import (
	"encoding/base64"
	"encoding/binary"
	"iter"
	"slices"

	"github.com/roost-rt/roost/pubsub/tracker"
	"github.com/roost-rt/roost/server/phx"
)

// A crowd is this node's presences on a topic that Config.SampleOnly selects. Other nodes
// are told how many there are, and who is in the share (topic.share), which is everyone
// as long as the topic is small. Those outside the share take a row and nothing else.
type crowd map[*phx.Channel]rows

// rows are the presences of a channel, each the bytes of its ref, the length of its key,
// the key, the length of its meta and the meta, in one piece of memory.
type rows string

type row struct {
	ref, key string
	meta     body
}

func (r rows) all() iter.Seq[row] {
	return func(yield func(row) bool) {
		for len(r) > 0 {
			var ref, key, meta string
			if ref, key, meta, r = r.cut(); !yield(rowOf(ref, key, meta)) {
				return
			}
		}
	}
}

func rowOf(ref, key, meta string) row {
	return row{base64.RawURLEncoding.EncodeToString([]byte(ref)), key, body(meta)}
}

// len is how many there are.
func (r rows) len() (n int) {
	for ; len(r) > 0; n++ {
		_, _, _, r = r.cut()
	}
	return n
}

// cut splits off the first row.
func (r rows) cut() (ref, key, meta string, rest rows) {
	ref, rest = string(r[:refBytes]), r[refBytes:]
	key, rest = rest.next()
	meta, rest = rest.next()
	return ref, key, meta, rest
}

// next splits off a text that is preceded by its length.
func (r rows) next() (text string, rest rows) {
	n, bytes := binary.Uvarint([]byte(r[:min(binary.MaxVarintLen32, len(r))]))
	rest = r[bytes:]
	return string(rest[:n]), rest[n:]
}

func (w row) append(b []byte) []byte {
	b, _ = base64.RawURLEncoding.AppendDecode(b, []byte(w.ref)) // newRef has made it
	b = append(binary.AppendUvarint(b, uint64(len(w.key))), w.key...)
	return append(binary.AppendUvarint(b, uint64(len(w.meta))), w.meta...)
}

func (r rows) find(key string) (w row, found bool) {
	for len(r) > 0 {
		ref, k, meta, rest := r.cut()
		if k == key {
			return rowOf(ref, key, meta), true
		}
		r = rest
	}
	return row{}, false
}

// with adds a row, which replaces one with the same key.
func (r rows) with(w row) rows { return rows(w.append([]byte(r.without(w.key)))) }

func (r rows) without(key string) rows {
	for from := r; len(from) > 0; {
		_, k, _, rest := from.cut()
		if k == key {
			return r[:len(r)-len(from)] + rest
		}
		from = rest
	}
	return r
}

// among reports whether a presence is in the share of a level: everyone at level 0, half
// of them at level 1, a quarter at level 2. The first characters of its ref decide, and
// stay when it is updated. The server makes refs, so nobody can choose to be seen.
func among(ref string, level int) bool {
	if level == 0 {
		return true
	}
	var id [8]byte
	if len(ref) < refKept {
		return false
	}
	n, err := base64.RawURLEncoding.Decode(id[2:], []byte(ref[:refKept]))
	return err == nil && n == 6 && binary.BigEndian.Uint64(id[:])>>max(0, 48-level) == 0
}

// refKept is how many characters of a ref an update keeps.
const refKept = 8

// nextShare is the level of the share that other nodes are told of, for a topic of n. It
// is never above the level at which clients of any node may see the topic, which is at
// least the lowest that nextLevel would not change. Small changes of n do not change it.
func nextShare(share, n, full, sample int) int {
	if low := lowest(n, full, sample); share > low {
		return low
	}
	return max(share, lowest(n-n/4, full, sample))
}

// lowest is the lowest level that clients may have for a topic of n.
func lowest(n, full, sample int) (level int) {
	if full < 0 || n <= full {
		return 0
	}
	for n>>level > 2*sample {
		level++
	}
	return level
}

// sampleOnly reports whether the topic is a crowd.
func (p *Presence) sampleOnly(topic string) bool {
	return p.cfg.SampleOnly != nil && p.cfg.SampleOnly(topic)
}

// enterLocked adds a presence to the crowd of a topic.
func (p *Presence) enterLocked(ch *phx.Channel, t *topic, w row) error {
	if _, tracked := t.crowd[ch].find(w.key); tracked {
		return ErrAlreadyTracked
	}
	if t.crowd == nil {
		t.crowd, t.sampled = make(crowd), true
		p.settleLocked(t)
	}
	if t.crowd[ch] == "" && t.name != ch.Topic() {
		p.guests[ch] = append(p.guests[ch], t)
	}
	t.crowd[ch] = t.crowd[ch].with(w)
	if among(w.ref, t.share) {
		p.putLocked(t.entry(w, ""))
	}
	p.addLocked(t, 1)
	return nil
}

// alterLocked replaces a presence of a crowd, and returns its ref.
func (p *Presence) alterLocked(ch *phx.Channel, t *topic, key string, meta body) (ref string, err error) {
	old, tracked := t.rows(ch).find(key)
	if !tracked {
		return "", ErrNotTracked
	}
	ref = old.ref[:refKept] + newRef()[refKept:]
	w := row{ref, key, meta}
	t.crowd[ch] = t.crowd[ch].with(w)
	if among(ref, t.share) {
		p.putLocked(t.entry(w, old.ref)) // before the other goes, so that the key stays
		p.dropLocked(t.entry(old, ""))
	}
	return ref, nil
}

// exitLocked removes a presence from the crowd of a topic, if it is there.
func (p *Presence) exitLocked(ch *phx.Channel, t *topic, key string) {
	w, tracked := t.rows(ch).find(key)
	if !tracked {
		return
	}
	if t.crowd[ch] = t.crowd[ch].without(key); t.crowd[ch] == "" {
		delete(t.crowd, ch)
		p.guests[ch] = slices.DeleteFunc(p.guests[ch], func(other *topic) bool { return other == t })
		if len(p.guests[ch]) == 0 {
			delete(p.guests, ch)
		}
	}
	if among(w.ref, t.share) {
		p.dropLocked(t.entry(w, ""))
	}
	p.addLocked(t, -1)
}

// rows are those of a channel on a topic, which may be nil.
func (t *topic) rows(ch *phx.Channel) rows {
	if t == nil {
		return ""
	}
	return t.crowd[ch]
}

// crowdsLocked are the crowds that a channel is in.
func (p *Presence) crowdsLocked(ch *phx.Channel) []*topic {
	all := slices.Clone(p.guests[ch])
	if t := p.topics[ch.Topic()]; t.rows(ch) != "" {
		all = append(all, t)
	}
	return all
}

// entry is what other nodes are told of one of a crowd.
func (t *topic) entry(w row, previous string) tracker.Entry {
	return tracker.Entry{Topic: t.name, Key: w.key, Ref: w.ref, Meta: w.meta.with(w.ref, previous), Counted: true}
}

// shareLocked tells other nodes of more of the crowd when it has become smaller, and of
// fewer when it has become larger. To tell of more it walks the crowd of this node, but
// seldom: the crowd has to halve until the next time.
func (p *Presence) shareLocked(t *topic) {
	before := t.share
	t.share = nextShare(before, t.n, p.cfg.MaxFull, p.cfg.Sample)
	switch {
	case t.share < before:
		for _, all := range t.crowd {
			for w := range all.all() {
				if among(w.ref, t.share) && !among(w.ref, before) {
					p.putLocked(t.entry(w, ""))
				}
			}
		}
	case t.share > before:
		p.withdrawLocked(t)
	}
}

// withdrawLocked withdraws those of this node who are no longer in the share.
func (p *Presence) withdrawLocked(t *topic) {
	var others []tracker.Entry
	for key := range t.keys {
		for _, m := range t.all(key) {
			if !among(m.ref, t.share) {
				others = append(others, tracker.Entry{Topic: t.name, Key: key, Ref: m.ref, Counted: true})
			}
		}
	}
	for _, e := range others {
		if p.state == nil || p.state.Has(e.Ref) {
			p.dropLocked(e)
		}
	}
}

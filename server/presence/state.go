package presence

import (
	"encoding/json"
	"errors"
	"strconv"

	"github.com/roost-rt/roost/server/phx"
)

// PushState pushes presence_state to the channel's client, and presence_count
// if it adds information. The client needs it after each join, including later
// joins of one channel: until it arrives, diffs wait at the client. So call it
// in ChannelType.Joined. The Config's Fetch must not call it.
//
// A state of more than [Config.MaxMessage] bytes is sent as a presence_state
// with some of the presences, and presence_diff messages in which the others
// join. A client that has been here before sees those leave first.
func (p *Presence) PushState(ch *phx.Channel) error {
	if err := p.Attach(ch.Socket().Endpoint()); err != nil {
		return err
	}
	s, err := p.stateOf(ch.Topic())
	for err == nil && s.known && (len(s.parts) > 1 || s.counts) {
		// No diff of the topic may go out between the parts: someone who leaves in it would
		// join in a later part. Nor may a newer count go out before the one in s.
		t := s.topic
		t.order.RLock()
		if s, err = p.stateOf(ch.Topic()); err == nil && s.topic == t {
			err = s.push(ch)
			t.order.RUnlock()
			return err
		}
		t.order.RUnlock() // the topic was forgotten, and is another now
	}
	if err != nil {
		return err
	}
	return s.push(ch)
}

// A state is what a newcomer to a topic is sent.
type state struct {
	topic  *topic
	parts  []phx.Payload // nil until they are encoded
	count  int
	rest   map[string]int // see counted
	counts bool           // count and rest are sent, too
	large  bool
	limit  int  // bytes of a message
	known  bool // the topic is one of Presence.topics
}

// counted is the payload of a presence_count.
type counted struct {
	Count int            `json:"count"`
	More  map[string]int `json:"more,omitempty"` // metas that clients do not see, of keys for which that has changed
}

// countParts are the payloads of one presence_count, or of several for very many keys.
func countParts(count int, rest map[string]int, limit int) (parts []counted) {
	part, size := counted{Count: count}, 0
	for key, n := range rest {
		each := len(strconv.Quote(key)) + 20
		if size += each; size > limit && part.More != nil {
			parts = append(parts, part)
			part, size = counted{Count: count}, each
		}
		if part.More == nil {
			part.More = make(map[string]int)
		}
		part.More[key] = n
	}
	return append(parts, part)
}

func (s state) push(ch *phx.Channel) error {
	event := "presence_state"
	for _, part := range s.parts {
		if err := ch.Push(event, part); err != nil {
			return err
		}
		event = "presence_diff"
	}
	if !s.counts {
		return nil
	}
	for _, part := range countParts(s.count, s.rest, s.limit) {
		if err := ch.Push("presence_count", part); err != nil {
			return err
		}
	}
	return nil
}

// stateOf is the state of a topic, encoded once for all who come to one version of it.
func (p *Presence) stateOf(name string) (state, error) {
	s := p.encodedState(name)
	if s.parts != nil {
		return s, nil
	}
	if s.large { // or all newcomers at once would encode it
		s.topic.encoding.Lock()
		defer s.topic.encoding.Unlock()
		if s = p.encodedState(name); s.parts != nil {
			return s, nil
		}
	}
	return p.encodeState(s)
}

// encodedState is the state of a topic, without parts if they are not encoded yet.
func (p *Presence) encodedState(name string) state {
	only := p.countOnly(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	t, known := p.topics[name]
	if !known {
		t = newTopic(name)
	}
	s := state{topic: t, known: known, parts: t.parts, count: t.count(), large: t.n > smallTopic, limit: p.cfg.MaxMessage}
	for key := range t.hidden {
		if n := t.rest(key); n > 0 {
			if s.rest == nil {
				s.rest = make(map[string]int)
			}
			s.rest[key] = n
		}
	}
	s.counts = t.level > 0 || only || s.rest != nil
	if s.count != t.told {
		t.told = -1 // this client must hear the next count, even if that is the one told last
	}
	if only {
		s.parts = []phx.Payload{}
	}
	return s
}

func (p *Presence) encodeState(s state) (state, error) {
	t := s.topic
	p.mu.Lock()
	version := t.version
	t.pending.shown = true
	keys := t.seen()
	p.mu.Unlock()
	seen := entries(keys)
	p.fetch(t.name, seen)
	parts, err := encodeAll(stateParts(seen, p.cfg.MaxMessage))
	if err != nil {
		return s, err
	}
	s.parts = parts
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.version == version {
		t.parts = parts
	}
	return s, nil
}

// stateParts are the payloads of a presence_state and the diffs after it.
func stateParts(all map[string]*Entry, limit int) [][]byte {
	parts := cut(all, limit)
	for i, joins := range parts[1:] {
		parts[1+i] = appendDiff(joins, none)
	}
	return parts
}

// diffParts are the payloads of one diff, or of several if it is large. All joins come
// before the leaves, so that an update never empties a key.
func diffParts(joins, leaves map[string]*Entry, limit int) (parts [][]byte) {
	in, out := cut(joins, limit), cut(leaves, limit)
	if len(in) == 1 && len(out) == 1 && (len(in[0])+len(out[0]) <= limit || len(joins) == 0 || len(leaves) == 0) {
		return [][]byte{appendDiff(in[0], out[0])}
	}
	for _, some := range in {
		if len(joins) > 0 {
			parts = append(parts, appendDiff(some, none))
		}
	}
	for _, some := range out {
		if len(leaves) > 0 {
			parts = append(parts, appendDiff(none, some))
		}
	}
	return parts
}

var none = []byte("{}")

func appendDiff(joins, leaves []byte) []byte {
	b := make([]byte, 0, len(joins)+len(leaves)+len(`{"joins":,"leaves":}`))
	b = append(append(b, `{"joins":`...), joins...)
	b = append(append(b, `,"leaves":`...), leaves...)
	return append(b, '}')
}

// cut encodes entries as one JSON object, or as several of at most about limit bytes. A
// key with many metas may be in several.
func cut(all map[string]*Entry, limit int) (objects [][]byte) {
	object := []byte{'{'}
	var member []byte
	for key, e := range all {
		for rest := e.Metas; ; {
			n := fitting(rest, limit)
			member = append(appendString(member[:0], key), ':')
			member = (&Entry{rest[:n], e.Fields}).appendJSON(member)
			if len(object) > 1 && len(object)+len(member) >= limit {
				objects = append(objects, append(object, '}'))
				object = []byte{'{'}
			}
			if len(object) > 1 {
				object = append(object, ',')
			}
			object = append(object, member...)
			if rest = rest[n:]; len(rest) == 0 {
				break
			}
		}
	}
	return append(objects, append(object, '}'))
}

// fitting is how many metas fit into limit bytes, at least one if there is one.
func fitting(metas []json.RawMessage, limit int) int {
	size := 0
	for i, m := range metas {
		if size += len(m) + len(","); size > limit && i > 0 {
			return i
		}
	}
	return len(metas)
}

func encodeAll(texts [][]byte) ([]phx.Payload, error) {
	var failed error
	all := make([]phx.Payload, len(texts))
	for i, text := range texts {
		p, err := phx.Encode(json.RawMessage(text))
		all[i], failed = p, errors.Join(failed, err)
	}
	return all, failed
}

package phxclient

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// A Presence is who is on a topic, from the messages of its channel (spec §7.4):
//
//	var present phxclient.Presence
//	for m := range messages {
//		if ours, err := present.Update(m); err != nil {
//			return err
//		} else if ours {
//			continue
//		}
//		…
//	}
//
// The server must push presence_state after each join. Until it has come, diffs wait,
// 10,000 at most, and what was known before a lost join stays. The zero value is ready; it has no lock, and is
// for the goroutine that reads the messages.
type Presence struct {
	// OnJoin is called for a key with metas that are new: before is its entry up to now,
	// with no Metas if the key is new, too, and joined has the new metas alone. Nil means
	// no call.
	OnJoin func(key string, before, joined PresenceEntry)

	// OnLeave is called for a key whose metas are gone: after is its entry from now on,
	// with no Metas if the key is gone, too, and left has the metas that are gone. Nil
	// means no call.
	OnLeave func(key string, after, left PresenceEntry)

	entries map[string]PresenceEntry
	synced  bool           // the state of the current join has come
	pending []presenceDiff // diffs before that
}

// maxPending is how many diffs wait for a state.
const maxPending = 10_000

// A PresenceEntry is one key of a topic.
type PresenceEntry struct {
	Metas []PresenceMeta

	// JSON is the entry as the server sent it last, with the fields that it has beside
	// metas. Metas may have changed since then.
	JSON json.RawMessage
}

// A PresenceMeta is one process or tab of a key.
type PresenceMeta struct {
	Ref  string          // phx_ref
	JSON json.RawMessage // all of it
}

type presenceDiff struct {
	Joins  map[string]PresenceEntry `json:"joins"`
	Leaves map[string]PresenceEntry `json:"leaves"`
}

// UnmarshalJSON reads what servers send.
func (e *PresenceEntry) UnmarshalJSON(text []byte) error {
	var v struct{ Metas []json.RawMessage }
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	e.Metas, e.JSON = make([]PresenceMeta, len(v.Metas)), slices.Clone(text)
	for i, meta := range v.Metas {
		var ref struct {
			Ref string `json:"phx_ref"`
		}
		if err := json.Unmarshal(meta, &ref); err != nil {
			return err
		}
		e.Metas[i] = PresenceMeta{ref.Ref, meta}
	}
	return nil
}

// Entries are those who are there, by key. The map is the caller's.
func (p *Presence) Entries() map[string]PresenceEntry {
	if p.entries == nil {
		return map[string]PresenceEntry{}
	}
	return maps.Clone(p.entries)
}

// Update takes a message of the channel in. It reports whether that was one of
// presence: the others, [Joined] and [Lost] too, are for the application as well. It fails
// for a presence message that cannot be read, and for diffs beyond those that may wait:
// they change nothing, so the list is out of date until the next join.
func (p *Presence) Update(m Message) (ours bool, err error) {
	switch m.Event {
	case Joined, Lost:
		p.synced, p.pending = false, nil
		return false, nil
	case "presence_state":
		var state map[string]PresenceEntry
		if err := m.Decode(&state); err != nil {
			return true, fmt.Errorf("presence_state: %w", err)
		}
		p.sync(state)
	case "presence_diff":
		var diff presenceDiff
		if err := m.Decode(&diff); err != nil {
			return true, fmt.Errorf("presence_diff: %w", err)
		}
		switch {
		case p.synced:
			p.apply(diff)
		case len(p.pending) == maxPending:
			return true, fmt.Errorf("presence_diff: %d wait for a presence_state: the server has to push one after each join", maxPending)
		default:
			p.pending = append(p.pending, diff)
		}
	default:
		return false, nil
	}
	return true, nil
}

// sync brings the state to the server's, change by change, and then takes in the diffs
// that have waited.
func (p *Presence) sync(state map[string]PresenceEntry) {
	diff := presenceDiff{make(map[string]PresenceEntry), make(map[string]PresenceEntry)}
	for key, now := range state {
		diff.Joins[key] = now.without(p.entries[key].Metas)
	}
	for key, was := range p.entries {
		if gone := was.without(state[key].Metas); len(gone.Metas) > 0 {
			diff.Leaves[key] = gone
		}
	}
	p.apply(diff)
	p.synced = true
	for _, d := range p.pending {
		p.apply(d)
	}
	p.pending = nil
}

// apply takes joins before leaves, so that an update never empties a key.
func (p *Presence) apply(diff presenceDiff) {
	if p.entries == nil {
		p.entries = make(map[string]PresenceEntry)
	}
	for key, came := range diff.Joins {
		before := p.entries[key]
		came.Metas = came.without(before.Metas).Metas
		p.entries[key] = PresenceEntry{slices.Concat(before.Metas, came.Metas), came.JSON}
		if p.OnJoin != nil && len(came.Metas) > 0 {
			p.OnJoin(key, before, came)
		}
	}
	for key, left := range diff.Leaves {
		was := p.entries[key]
		after := was.without(left.Metas)
		switch len(after.Metas) {
		case len(was.Metas): // nothing that we know of
			continue
		case 0:
			delete(p.entries, key)
		default:
			p.entries[key] = after
		}
		if p.OnLeave != nil {
			p.OnLeave(key, after, left)
		}
	}
}

// without is the entry without those metas, by their refs.
func (e PresenceEntry) without(metas []PresenceMeta) PresenceEntry {
	e.Metas = slices.DeleteFunc(slices.Clone(e.Metas), func(m PresenceMeta) bool {
		return slices.ContainsFunc(metas, func(other PresenceMeta) bool { return other.Ref == m.Ref })
	})
	return e
}

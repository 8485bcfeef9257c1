package tracker

import (
	"encoding/json"
	"errors"
	"fmt"
)

// An Entry is one presence.
type Entry struct {
	Topic string          `json:"t"`
	Key   string          `json:"k,omitempty"` // who, in the application's words
	Ref   string          `json:"r"`           // unique among the entries of its replica
	Meta  json.RawMessage `json:"m,omitempty"`
	Count int             `json:"n,omitempty"` // how many nameless presences it stands for

	// Counted says that a Count of its replica includes this one.
	Counted bool `json:"c,omitempty"`
}

// size is about what the entry takes in a message.
func (e *Entry) size() int { return len(e.Topic) + len(e.Key) + len(e.Ref) + len(e.Meta) + 64 }

// A Replica is one life of a node.
type Replica struct {
	Node  string `json:"node"`
	Start int64  `json:"start"` // of a later life it is larger
}

// An Op puts an entry, which replaces any with the same Ref, or drops the one with a Ref.
type Op struct {
	Put  *Entry `json:"p,omitempty"`
	Drop string `json:"d,omitempty"`
}

func (op *Op) size() int {
	if op.Put == nil {
		return len(op.Drop) + 32
	}
	return op.Put.size()
}

// A Delta is what a replica says about itself. With Parts it is one part of a snapshot of
// all entries at clock To. Otherwise it has the changes from clock From to clock To, one
// Op for each step; with no step it tells the clock alone.
type Delta struct {
	Replica
	From  uint64 `json:"from"`
	To    uint64 `json:"to"`
	Part  int    `json:"part,omitempty"` // from 0
	Parts int    `json:"parts,omitempty"`
	Ops   []Op   `json:"ops,omitempty"`
}

// maxParts bounds how many parts a snapshot may announce.
const maxParts = 1 << 16

// check refuses what no replica says.
func (d *Delta) check() error {
	switch {
	case d.Node == "":
		return errors.New("a delta of no node")
	case d.Parts < 0 || d.Parts > maxParts || d.Part < 0 || d.Part >= max(d.Parts, 1):
		return fmt.Errorf("part %d of %d of a snapshot", d.Part, d.Parts)
	case d.Parts == 0 && (d.From > d.To || d.To-d.From != uint64(len(d.Ops))):
		return fmt.Errorf("%d changes from clock %d to %d", len(d.Ops), d.From, d.To)
	}
	for _, op := range d.Ops {
		if (op.Put == nil) == (op.Drop == "") || d.Parts > 0 && op.Put == nil {
			return errors.New("a change that neither puts nor drops")
		}
		if op.Put != nil && (op.Put.Ref == "" || op.Put.Count < 0) {
			return errors.New("an entry without a ref, or of fewer than none")
		}
	}
	return nil
}

// A Change is how the entries on the nodes that are up have changed, step by step.
type Change []Step

// A Step is one entry that has joined, or left.
type Step struct {
	Entry
	Joined bool
}

func (c *Change) join(e Entry)  { *c = append(*c, Step{e, true}) }
func (c *Change) leave(e Entry) { *c = append(*c, Step{e, false}) }

func (c *Change) put(old *Entry, had bool, e *Entry) {
	if had {
		c.leave(*old)
	}
	c.join(*e)
}

package presence

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// A Config configures a [Presence]. The zero value is usable; an invalid one
// makes Attach fail. It must not be changed once given to New.
type Config struct {
	// Name tells the presences of one endpoint apart. Two with the same name must not
	// be attached to one endpoint. Default: "presence".
	Name string

	// Fetch may add fields beside metas to the entries that clients and List get, from
	// one query for all keys. It is called with the joins and with the leaves of each
	// diff, on each node that has subscribers, and for each state. It may block: the
	// diffs of this node wait for it. If it panics, they are sent without its fields.
	// Nil adds nothing.
	Fetch func(topic string, entries map[string]*Entry)

	// Changed is called on each node with the changes, one call at a time, in order for
	// each topic. Nil ignores them.
	Changed func(Diff)

	// CountOnly selects the topics that are only counted: see Track. It must always
	// give the same answer for a topic, on all nodes. Nil selects none.
	CountOnly func(topic string) bool

	// SampleOnly selects the topics of which nodes tell each other, beyond MaxFull
	// presences, only a sample and the count, for rooms of a million: see Track. It must
	// always give the same answer for a topic, on all nodes. Of those that CountOnly
	// selects it is not asked. Nil selects none.
	SampleOnly func(topic string) bool

	// MaxFull is the largest number of keys of a topic that clients see in full.
	// Default: 1,000. Negative: all keys, however many there are.
	MaxFull int

	// Sample is about how many keys they see beyond that: half as many at least, twice as
	// many at most. Each newcomer is sent them. Default: 25, which is 1 to 3 KB for
	// short metas.
	Sample int

	// MaxMetas is how many metas of one key clients see: of a user with many
	// connections, or of a key shared by many users. When one of them leaves,
	// another takes its place. How many others a key has is in presence_count. List
	// and Get return all. Default: 100. Negative: no limit.
	MaxMetas int

	// Window is the time between the diffs of a topic with more than 100 presences.
	// Diffs of smaller topics are sent at once. Default: 500 ms. See also MaxRate.
	Window time.Duration

	// MaxRate is about how many messages a second one topic may take, over all its
	// clients: with more presences than MaxRate times Window, Window is longer. For a
	// million that are counted it is 50 s, and for a million of whom clients see a
	// sample, who get a diff and a count, 100 s. Default: 20,000. Negative: no limit.
	MaxRate int

	// MaxMessage is about how many bytes of JSON one message of a state or a diff may
	// have, or one meta if that is longer. A larger state is a presence_state followed
	// by diffs of joins; a larger diff becomes several, joins first. Default: 1 MiB. At
	// most 8 MiB; it must be less than the endpoint's MaxPayload by MaxMeta and the
	// size of the fields Fetch adds.
	MaxMessage int

	// MaxMeta is how many bytes of JSON a meta may have, 64 KiB at most. Default:
	// 4 KiB. A key may have 256.
	MaxMeta int

	// MaxPerChannel is how many presences one channel may have at a time, including
	// those that are only counted. Default: 100.
	MaxPerChannel int

	// AnyKey allows keys such as __proto__ and constructor, names that every
	// JavaScript object has. They break all clients on the topic that are older
	// than 1.8.9, 1.7.24 and 1.6.17 (CVE-2026-56812).
	AnyKey bool

	// Period is the time from a change until the other nodes are told of it, and of
	// other changes made meanwhile. Of how many are counted on a large topic they are
	// told once in a tenth of the time between its diffs (see MaxRate), if that is
	// longer. Default: 250 ms.
	Period time.Duration

	// DownAfter is how long a node may be silent before it is taken to be down. A node
	// sends something at least every third of it, and is asked at two thirds. It must
	// be at least four times Period. Default: 30 s, as in Phoenix.
	DownAfter time.Duration

	// ForgetAfter is how long the state of a node that is down is kept, in case it
	// comes back. Default: 20 min, as in Phoenix.
	ForgetAfter time.Duration

	// Logger gets errors. Default: slog.Default().
	Logger *slog.Logger
}

// maxKey is the length of a key in bytes.
const maxKey = 256

func (c Config) withDefaults() Config {
	c.Name = cmp.Or(c.Name, "presence")
	c.MaxFull = cmp.Or(c.MaxFull, 1_000)
	c.Sample = cmp.Or(max(c.Sample, 0), 25)
	c.MaxMetas = cmp.Or(c.MaxMetas, 100)
	c.Window = cmp.Or(max(c.Window, 0), 500*time.Millisecond)
	c.MaxRate = cmp.Or(c.MaxRate, 20_000)
	c.MaxMessage = cmp.Or(max(c.MaxMessage, 0), 1<<20)
	c.MaxMeta = cmp.Or(max(c.MaxMeta, 0), 4<<10)
	c.MaxPerChannel = cmp.Or(max(c.MaxPerChannel, 0), 100)
	c.Period = cmp.Or(max(c.Period, 0), 250*time.Millisecond)
	c.DownAfter = cmp.Or(max(c.DownAfter, 0), 30*time.Second)
	c.ForgetAfter = cmp.Or(max(c.ForgetAfter, 0), 20*time.Minute)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// check finds what cannot be meant.
func (c Config) check() error {
	if c.Sample < 0 || c.Window < 0 || c.MaxMessage < 0 || c.MaxMeta < 0 || c.MaxPerChannel < 0 || c.Period < 0 || c.DownAfter < 0 || c.ForgetAfter < 0 {
		return errors.New("presence: Config.Sample, Window, MaxMessage, MaxMeta, MaxPerChannel, Period, DownAfter or ForgetAfter is negative: use 0 for the default")
	}
	if c.MaxMeta > 64<<10 {
		return fmt.Errorf("presence: Config.MaxMeta is %d: use at most 65536, which other nodes can be told", c.MaxMeta)
	}
	if c.MaxMessage > 8<<20 {
		return fmt.Errorf("presence: Config.MaxMessage is %d: use at most 8388608, which endpoints can send", c.MaxMessage)
	}
	if all := c.withDefaults(); all.DownAfter < 4*all.Period {
		return fmt.Errorf("presence: Config.DownAfter is %v: use at least four times Period, which is %v", all.DownAfter, all.Period)
	}
	return nil
}

// window is the time between the diffs of a topic, each of which takes so many messages.
func (c Config) window(messages int) time.Duration {
	if c.MaxRate < 0 {
		return c.Window
	}
	return max(c.Window, time.Duration(messages)*time.Second/time.Duration(c.MaxRate))
}

// pace is the time between two counts of a topic of n that other nodes are told.
func (c Config) pace(n int) time.Duration { return max(c.Period, c.window(n)/10) }

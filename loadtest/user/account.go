package user

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
)

// Messages that were under way when a user left a topic may or may not have come: those
// sent so shortly before are not owed. A user that was cut off may have missed more.
const (
	leaving = int64(1e9)
	cutOff  = int64(5e9)
)

// private is the bit of a number by which a message is known that is owed to its
// sender alone.
const private = 1 << 30

// between separates the event and the topic of a place.
const between = "\n"

// place returns the place in which numbers of messages count.
func place(topic, event string) string { return event + between + topic }

// number takes the next number of a message that is owed to all at a place, and
// notes when it is sent.
func (c *crew) number(at string, sent int64) int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent[at] = append(c.sent[at], sent)
	return int32(len(c.sent[at]))
}

// void takes back a message that was not broadcast: the application refused it, or it is
// unknown whether it came there.
func (c *crew) void(at string, seq int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent[at][seq-1] = 0
}

// A stay is a time in which a user has joined a topic, and so is owed what is sent
// there.
type stay struct{ from, to int64 } // monotonic nanoseconds

const here = math.MaxInt64

// numbers are a set of numbers from 1 on.
type numbers []uint64

// add reports whether n is new.
func (s *numbers) add(n int32) bool {
	word, bit := int(n)/64, uint64(1)<<(n%64)
	for len(*s) <= word {
		*s = append(*s, 0)
	}
	if (*s)[word]&bit != 0 {
		return false
	}
	(*s)[word] |= bit
	return true
}

func (s numbers) has(n int32) bool {
	word := int(n) / 64
	return word < len(s) && s[word]&(1<<(n%64)) != 0
}

// An account records what one user was owed and got. It is guarded by user.mu.
type account struct {
	stays map[string][]stay             // by topic
	got   map[string]map[uint32]numbers // by place and sender
	due   []overtaken
}

func newAccount() account {
	return account{stays: make(map[string][]stay), got: make(map[string]map[uint32]numbers)}
}

// came begins a stay.
func (a *account) came(topic string, now int64) {
	a.stays[topic] = append(a.stays[topic], stay{now, here})
}

// went ends it. Messages sent from grace before now on are not owed.
func (a *account) went(topic string, now, grace int64) {
	if list := a.stays[topic]; len(list) > 0 && list[len(list)-1].to == here {
		list[len(list)-1].to = now - grace
	}
}

// take enters a receipt.
func (a *account) take(at string, writer uint32, seq int32) (isNew bool) {
	if a.got[at] == nil {
		a.got[at] = make(map[uint32]numbers)
	}
	set := a.got[at][writer]
	isNew = set.add(seq)
	a.got[at][writer] = set
	return isNew
}

// An overtaken is a message that had not come when one came that was sent after it,
// by the same user over the same channel. It may have been lost, or never be owed.
type overtaken struct {
	place  string
	writer uint32
	seq    int32
}

// maxOvertaken is how many of them an account has; the oldest go.
const maxOvertaken = 64

// reorders reports whether a message comes after one that was sent after it.
func (a *account) reorders(at string, s channels.Stamp) bool {
	if s.After > 0 && !a.got[at][s.Writer].has(s.After) {
		if a.due = append(a.due, overtaken{at, s.Writer, s.After}); len(a.due) > maxOvertaken {
			a.due = slices.Delete(a.due, 0, 1)
		}
	}
	i := slices.Index(a.due, overtaken{at, s.Writer, s.Seq})
	if i >= 0 {
		a.due = slices.Delete(a.due, i, i+1)
	}
	return i >= 0
}

// owed reports whether a message that was sent at this moment is.
func (a *account) owed(topic string, sent int64) bool {
	for _, s := range a.stays[topic] {
		if sent >= s.from && sent <= s.to {
			return true
		}
	}
	return false
}

// missing is how many of all messages are owed and did not come, and the first.
func (a *account) missing(all order.SentAccount, places map[string][]string) (n int64, example string) {
	for topic := range a.stays {
		for _, at := range places[topic] {
			for writer, moments := range all[at] {
				for i, sent := range moments {
					seq := int32(i + 1)
					if sent == 0 || a.got[at][writer].has(seq) || !a.owed(topic, sent) {
						continue
					}
					if n == 0 {
						example = fmt.Sprintf("missed message %d of %s", seq, strings.Replace(at, between, " on ", 1))
					}
					n++
				}
			}
		}
	}
	return n, example
}

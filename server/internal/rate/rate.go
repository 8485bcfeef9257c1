// Package rate says which messages of a client are too many.
//
// It is pure: who uses it tells the time, in ms that may wrap. A [Tariff] is for
// all clients of a kind and does not change; a [Tempo], and for those that it finds
// a [Meter], belong to one client and are not for several goroutines.
package rate

import (
	"cmp"
	"math"
)

// burst is how many seconds' worth of what a tariff allows may come at once.
const burst = 5

// A Tariff is the cost of a message, a byte and a join, in seconds. Zero is free.
type Tariff struct {
	perMessage, perByte, perJoin float32

	free int // units of a second that cannot reach any rate; 0: there are no rates
	unit int // each message is one unit, and one for every so many of its bytes
}

// NewTariff makes a tariff of how many there may be in a second; zero or less is no
// limit.
func NewTariff(messages, bytes, joins int) (t Tariff) {
	t.unit = math.MaxInt
	for _, rate := range []struct {
		n    int
		cost *float32
	}{{messages, &t.perMessage}, {bytes, &t.perByte}, {joins, &t.perJoin}} {
		if rate.n > 0 {
			*rate.cost = 1 / float32(rate.n)
			t.free = min(cmp.Or(t.free, metered-1), rate.n)
		}
	}
	if bytes > 0 {
		t.unit = bytes / t.free
	}
	return t
}

// A Tempo finds, in two bytes, the sockets that need a meter: those that send more
// in one second than cannot matter.
type Tempo struct{ second, units uint8 }

// metered, in place of units, says that there is a meter.
const metered = math.MaxUint8

// Free reports whether a message of so many bytes needs no meter. now is in ms.
func (p *Tempo) Free(t *Tariff, now uint32, size int) bool {
	switch second := uint8(now >> 10); {
	case t.free == 0:
		return true
	case p.units == metered:
		return false
	case second != p.second:
		*p = Tempo{second: second}
	}
	units := int(p.units) + 1 + size/t.unit
	p.units = uint8(min(units, metered))
	if units > t.free {
		p.units = metered
	}
	return p.units != metered
}

// A Meter is three token buckets that are filled together. Their levels are in
// seconds, from burst down to below zero, where what comes is refused.
type Meter struct {
	at                     uint32 // when they were last filled, in ms
	messages, bytes, joins float32
}

// A Verdict says what to do with a message.
type Verdict uint8

const (
	Allowed  Verdict = iota
	TooFast          // faster than the tariff
	Banished         // and on and on
)

// NewMeter makes a full one. now is in ms, as all times here.
func NewMeter(now uint32) *Meter { return &Meter{now, burst, burst, burst} }

// Fill adds what has become free since. It reports whether nothing is missing.
func (m *Meter) Fill(now uint32) (full bool) {
	since := float32(now-m.at) / 1000
	m.at = now
	for _, level := range []*float32{&m.messages, &m.bytes, &m.joins} {
		*level = min(*level+since, burst)
	}
	return m.messages == burst && m.bytes == burst && m.joins == burst
}

// Charge takes what a message costs.
func (m *Meter) Charge(t *Tariff, size int, join bool) Verdict {
	level := min(m.messages, m.bytes)
	m.messages -= t.perMessage
	m.bytes -= t.perByte * float32(size)
	if join {
		level = min(level, m.joins)
		m.joins -= t.perJoin
	}
	switch {
	case level < -burst:
		return Banished
	case level < 0:
		return TooFast
	}
	return Allowed
}

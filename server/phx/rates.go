package phx

import (
	"cmp"
	"math"

	"github.com/gobwas/ws"
)

// Rates are how much the client of one socket may send each second; five seconds'
// worth may come at once. A message beyond is answered with the error
// "rate_limited" and goes nowhere. It counts all the same: who does not stop, and
// so is five seconds' worth beyond, is closed with 1008. Raw sockets have no
// replies and are closed at once. The defaults are no promise of that much: they
// keep one client from taking what all of them share.
type Rates struct {
	// Messages is how many messages, heartbeats, pings and pongs there may be.
	// Zero means 50,000, negative that there is no limit.
	Messages int

	// Bytes is how many bytes of them there may be, decompressed. Zero means
	// 256 MiB, negative that there is no limit.
	Bytes int

	// Joins is how many of the messages may be joins, which cost more than others.
	// Zero means 1,000, negative that there is no limit.
	Joins int
}

// burst is how many seconds' worth of what Rates allow may come at once.
const burst = 5

// A tariff is Rates ready for use: what one of each costs, in seconds. Zero is
// free.
type tariff struct {
	perMessage, perByte, perJoin float32

	free int // units of a second that cannot reach any rate; 0: there are no rates
	unit int // each message is one unit, and one for every so many of its bytes
}

func newTariff(r Rates) (t tariff) {
	messages, bytes, joins := cmp.Or(r.Messages, 50_000), cmp.Or(r.Bytes, 256<<20), cmp.Or(r.Joins, 1000)
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

// A tempo finds, in two bytes, the sockets that need a meter: those that send more
// in one second than cannot matter.
type tempo struct{ second, units uint8 }

// metered, in place of units, says that there is a meter.
const metered = math.MaxUint8

// free reports whether a message of so many bytes needs no meter. now is in ms.
func (p *tempo) free(t *tariff, now uint32, size int) bool {
	switch second := uint8(now >> 10); {
	case t.free == 0:
		return true
	case p.units == metered:
		return false
	case second != p.second:
		*p = tempo{second: second}
	}
	units := int(p.units) + 1 + size/t.unit
	p.units = uint8(min(units, metered))
	if units > t.free {
		p.units = metered
	}
	return p.units != metered
}

// A meter is three token buckets that are filled together. Their levels are in
// seconds, from burst down to below zero, where what comes is refused.
type meter struct {
	at                     uint32 // when they were last filled; see Endpoint.age
	messages, bytes, joins float32
}

// A verdict is what becomes of a message.
type verdict uint8

const (
	allowed  verdict = iota
	tooFast          // faster than Rates
	banished         // and on and on
)

func newMeter(now uint32) *meter { return &meter{now, burst, burst, burst} }

// fill adds what has become free since. It reports whether nothing is missing.
func (m *meter) fill(now uint32) (full bool) {
	since := float32(now-m.at) / 1000
	m.at = now
	for _, level := range []*float32{&m.messages, &m.bytes, &m.joins} {
		*level = min(*level+since, burst)
	}
	return m.messages == burst && m.bytes == burst && m.joins == burst
}

// charge takes what a message costs.
func (m *meter) charge(t *tariff, size int, join bool) verdict {
	level := min(m.messages, m.bytes)
	m.messages -= t.perMessage
	m.bytes -= t.perByte * float32(size)
	if join {
		level = min(level, m.joins)
		m.joins -= t.perJoin
	}
	switch {
	case level < -burst:
		return banished
	case level < 0:
		return tooFast
	}
	return allowed
}

// charge says what is to become of a message of so many bytes. Only a socket that
// sends fast has a meter, and until it has had a rest. Loop only, or a turn that it
// waits for.
func (s *Socket) charge(size int, join bool) verdict {
	t, now := &s.mount.tariff, s.mount.age()
	if s.tempo.free(t, now, size) {
		return allowed
	}
	s.mu.Lock()
	e := s.extraLocked()
	if e.meter == nil {
		e.meter = newMeter(now)
	} else if e.meter.fill(now) {
		e.meter, s.tempo = nil, tempo{}
		s.mu.Unlock()
		return allowed
	}
	m := e.meter
	s.mu.Unlock()
	return m.charge(t, size, join)
}

// banish ends a connection that goes on beyond its Rates.
func (s *Socket) banish() {
	s.cut(ws.StatusPolicyViolation, "rate_limited", RateLimited)
}

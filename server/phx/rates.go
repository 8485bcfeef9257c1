package phx

import (
	"cmp"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/internal/rate"
)

// Rates limit how much the client of one socket may send each second; five
// seconds' worth may arrive at once. A message beyond the limit is answered
// with the error "rate_limited" and goes nowhere, but still counts: a client
// that does not stop, and reaches five seconds' worth beyond, is closed with
// 1008. Raw sockets have no replies and are closed at once. The defaults do not
// promise that much capacity: they keep one client from taking the share of all
// others.
type Rates struct {
	// Messages is how many messages, heartbeats, pings and pongs are allowed. Zero
	// means 50,000; negative means no limit.
	Messages int

	// Bytes is how many bytes of them are allowed, decompressed. Zero means 256 MiB;
	// negative means no limit.
	Bytes int

	// Joins is how many of the messages may be joins, which cost more than others. Zero
	// means 1,000; negative means no limit.
	Joins int
}

// tariff returns them as a rate.Tariff.
func (r Rates) tariff() rate.Tariff {
	return rate.NewTariff(cmp.Or(r.Messages, 50_000), cmp.Or(r.Bytes, 256<<20), cmp.Or(r.Joins, 1000))
}

// charge says what is to become of a message of so many bytes. Only a socket that
// sends fast has a meter, and until it has had a rest. Loop only, or a turn that it
// waits for.
func (s *Socket) charge(size int, join bool) rate.Verdict {
	t, now := &s.mount.tariff, s.mount.age()
	if s.tempo.Free(t, now, size) {
		return rate.Allowed
	}
	s.mu.Lock()
	e := s.extraLocked()
	if e.meter == nil {
		e.meter = rate.NewMeter(now)
	} else if e.meter.Fill(now) {
		e.meter, s.tempo = nil, rate.Tempo{}
		s.mu.Unlock()
		return rate.Allowed
	}
	m := e.meter
	s.mu.Unlock()
	return m.Charge(t, size, join)
}

// banish ends a connection that goes on beyond its Rates.
func (s *Socket) banish() {
	s.cut(ws.StatusPolicyViolation, "rate_limited", RateLimited)
}

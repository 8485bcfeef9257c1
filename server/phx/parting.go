package phx

import (
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/poller/lane"
)

// partingTime is how long the end of a connection waits for callbacks.
const partingTime = time.Second

// A parting ends a connection whose client has sent a Close frame, or bytes that are no
// frame. Nothing is read from it any more. Earlier messages are answered before the Close
// frame goes out, as if they had come alone, if their callbacks return within
// partingTime. It does not wait for answers that they leave to others (see Ref).
type parting struct {
	socket *Socket
	code   ws.StatusCode
	reason string
	cause  Cause        // "" if the client wants it
	left   atomic.Int32 // mailboxes that are waited for, and 1 until all are asked
}

// part ends the connection when the callbacks of r are done. Loop only.
func (s *Socket) part(r receiver, p *parting) {
	s.conn().CheckLoop()
	s.decoder.Drop()
	p.socket = s
	p.left.Store(1)
	r.await(p)
	if p.left.Add(-1) == 0 { // as nearly always
		p.finish()
		return
	}
	s.mu.Lock()
	s.extraLocked().parting = p
	s.mu.Unlock()
	c := s.conn()
	c.Post(func() { c.SetDeadline(partingTime) }) // when feed has set its own
}

// done is called when a mailbox has come to its end. Locks may be held.
func (p *parting) done() {
	if p.left.Add(-1) == 0 {
		p.socket.conn().Post(p.finish)
	}
}

// finish closes the connection, once. Loop only.
func (p *parting) finish() {
	p.socket.conn().CheckLoop()
	if p.cause == "" {
		p.socket.close(p.code, p.reason, Closed)
	} else {
		p.socket.cut(p.code, p.reason, p.cause)
	}
}

// parted is the parting that waits, or nil.
func (s *Socket) parted() *parting {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.extra == nil {
		return nil
	}
	return s.extra.parting
}

func (s *Socket) await(p *parting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ch := s.channels.first; ch != nil; ch = ch.next {
		ch.await(p)
	}
}

func (ch *Channel) await(p *parting) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if busy(&ch.mailbox) {
		p.left.Add(1)
		ch.pushLocked(&partJob{parting: p})
	}
}

func (s *RawSocket) await(p *parting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended && busy(&s.mailbox) {
		p.left.Add(1)
		s.pushLocked(rawPart{p})
	}
}

// busy reports whether a job waits or runs.
func busy[J any](l *lane.Lane[J]) bool {
	_, running := l.Running()
	return running || l.Len() > 0
}

// A partJob is behind the client's last message.
type partJob struct {
	*parting
	again bool
}

func (j *partJob) bytes() int { return jobOverhead }

// do lets those pass whom a join has put behind it (see rerouteLocked).
func (j *partJob) do(ch *Channel) {
	if !ch.letPass(j, &j.again) {
		j.done()
	}
}

// letPass puts a job that must be the last behind those that came after it, once.
func (ch *Channel) letPass(j job, again *bool) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.mailbox.Len() == 0 || *again || ch.phase >= ended {
		return false
	}
	*again = true
	ch.pushLocked(j)
	return true
}

// A rawPart is a partJob of a raw socket.
type rawPart struct{ *parting }

func (rawPart) bytes() int { return jobOverhead }

func (j rawPart) do(*RawSocket) error { j.done(); return nil }

package phx

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/poller"
)

var errClientGone = errors.New("the client left before it knew of its session")

// A pollSession is a socket without a connection: what it sends waits here for
// the client to ask. It is the socket's transport.
//
// Locks are taken in the order Socket.mu, Channel.mu, pollSession.mu, those of
// connections: nothing here calls the socket with mu held.
type pollSession struct {
	polls  *pollSessions // immutable
	socket *Socket       // immutable
	id     string        // immutable; random
	token  string        // immutable; the id, signed
	client netip.Addr    // immutable: as in exchange

	answerer *answerer // immutable
	made     uint32    // immutable: seconds since clock.started

	mu       sync.Mutex     // guards the rest
	handler  poller.Handler // who gets messages and the end; nil until open
	messages pile           // for the client
	sent     pile           // the messages of the last answer, while there is last
	held     []func()       // turns that Hold keeps back until the client has taken it
	waiting  *poll          // the last GET, if it waits
	woken    bool           // waiting is about to fetch the messages
	burst    bool           // more messages are about to come: waiting is woken with the last
	asking   bool           // the node that has got last is asked about it: polls wait
	last     *poll          // that got messages, until the client polls again
	posting  *post          // whose messages are being taken
	posts    []*post        // that wait for it
	dropped  bool           // a binary message was, and that was logged
	ended    bool
	polled   uint32 // when the last GET came; see clock.mark
	why      error  // that it ended; nil after Finish
}

func newPollSession(polls *pollSessions, d *dialect, remote string) *pollSession {
	s := &pollSession{polls: polls, id: rand.Text(), made: uint32(time.Since(polls.started).Seconds()), answerer: polls.nextAnswerer()}
	s.token = polls.sign(s.id)
	s.socket = &Socket{dialect: d, transport: s, extra: &extra{remote: remote}}
	return s
}

// open lets the client in. It reports false, and the session ends, if the
// endpoint does not want it any more.
func (s *pollSession) open(a *attempt) bool {
	polls, handler := s.polls, s.socket.open(a, nil)
	known := polls.add(s)
	s.mu.Lock()
	s.handler, s.polled = handler, polls.mark()
	ended := s.ended // by its id or by Connect, before it was open
	s.unlock()
	switch {
	case ended:
		polls.remove(s)
		s.bury()
	case !known:
		s.Kill(poller.ErrStopped)
	}
	return known
}

// checkIdle ends the session if there was no GET for too long. One that another node
// has waits no longer than its window, whatever becomes of the node.
func (s *pollSession) checkIdle() {
	s.mu.Lock()
	waits := s.waiting != nil && s.waiting.from == nil
	gone := s.handler != nil && !waits && s.polls.since(s.polled) >= s.polls.patience()
	s.unlock()
	if gone {
		s.socket.close(ws.StatusGoingAway, "", Inactive)
	}
}

// Send has packets wait for the client.
func (s *pollSession) Send(packets []byte) error { return s.send(packets, false) }

// SendShared is Send without a copy, if nothing else waits.
func (s *pollSession) SendShared(packets []byte) error { return s.send(packets, true) }

func (s *pollSession) send(packets []byte, shared bool) error {
	s.mu.Lock()
	err := s.sendLocked(packets, shared)
	waiting, quiet := s.messages.size, s.polls.since(s.polled)
	s.unlock()
	if err == poller.ErrSlowConsumer {
		s.cutOff(waiting, quiet)
	}
	s.polls.watchBacklog()
	return err
}

// cutOff ends the session of a slow consumer.
func (s *pollSession) cutOff(waiting int, quiet time.Duration) {
	s.polls.slow.Add(1)
	s.Kill(&poller.SlowConsumerError{Waiting: waiting, Quiet: quiet})
}

// sweep ends the session if its client has not polled for so long, and is owed more than
// it may be.
func (s *pollSession) sweep(patience time.Duration) {
	s.mu.Lock()
	waiting, quiet, coming := s.messages.size+s.sent.size, s.polls.since(s.polled), s.waiting != nil
	if p := s.last; p != nil {
		coming = coming || p.conn != nil && p.conn.Waiting() > 0 // which is looked after by itself
	}
	slow := s.handler != nil && !coming && quiet > patience && !s.polls.poller.MayOwe(waiting)
	s.unlock()
	if slow {
		s.cutOff(waiting, quiet)
	}
}

func (s *pollSession) sendLocked(packets []byte, shared bool) error {
	mount, polls := s.socket.mount, s.polls
	switch {
	case s.ended:
		return ErrClosed
	case len(packets) == 0 && s.dropped:
	case len(packets) == 0: // it was binary
		s.dropped = true
		mount.workers.Go(turnFunc(s.logDropped)) // locks of the caller's may be held
	case !polls.poller.MayOwe(s.messages.size):
		return poller.ErrSlowConsumer
	default:
		s.messages.add(polls.poller, packets, shared)
		s.wakeLocked()
	}
	return nil
}

// unlock also drops what is no longer needed: the messages of an answer that has reached
// the client and, when the session has ended, those that no poll waits for.
func (s *pollSession) unlock() {
	if s.ended && s.waiting == nil {
		s.messages.drop(s.polls.poller)
		s.last = nil
	}
	if s.last == nil {
		s.sent.drop(s.polls.poller)
	}
	s.mu.Unlock()
}

func (s *pollSession) logDropped() {
	s.socket.mount.log.Info("binary messages cannot be sent over long polling: dropped",
		"mount", s.socket.mount.Path, "id", s.socket.ID())
}

// Hold makes t wait while the client has much to fetch; see transport.
func (s *pollSession) Hold(pool *poller.Pool, t poller.Turn) bool {
	s.mu.Lock()
	defer s.unlock()
	if s.ended || s.messages.size <= s.polls.poller.High() {
		return false
	}
	s.held = append(s.held, func() { pool.Go(t) })
	return true
}

// Full reports whether Hold would make a turn wait.
func (s *pollSession) Full() bool {
	s.mu.Lock()
	defer s.unlock()
	return !s.ended && s.messages.size > s.polls.poller.High()
}

// tookLocked is called when nothing waits for the client any more, or it is gone.
func (s *pollSession) tookLocked() {
	s.messages.drop(s.polls.poller)
	for _, resume := range s.held {
		resume()
	}
	s.held = nil
}

// Finish ends the session. There is no way to tell the client why.
func (s *pollSession) Finish(ws.StatusCode, string) { s.end(nil) }

// Kill ends the session, and drops what waits for the client.
func (s *pollSession) Kill(reason error) {
	s.mu.Lock()
	s.tookLocked()
	s.unlock()
	s.end(reason)
}

// end ends the session, once. The requests that wait learn it at once; in
// Phoenix they wait for their window to pass (spec §3.5). The socket learns it
// on the pool of fan-out turns, which never block: its locks may be held here.
func (s *pollSession) end(why error) {
	s.mu.Lock()
	if s.ended {
		s.unlock()
		return
	}
	s.ended, s.why, s.last, s.asking = true, why, nil, false
	s.wakeLocked()
	held := s.held
	s.held = nil
	posts := s.posts
	if s.posting != nil {
		posts = append(posts, s.posting)
	}
	s.posts = nil
	opened := s.handler != nil
	s.unlock()
	for _, resume := range held {
		resume()
	}
	for _, p := range posts {
		p.later(func() { p.answer(http.StatusGone) })
	}
	s.polls.remove(s)
	if opened {
		s.bury()
	}
}

// bury asks for the turn that tells the socket.
func (s *pollSession) bury() { s.socket.mount.fanOut.Go(s) }

// Turn tells the socket that it has ended; see poller.Pool.
func (s *pollSession) Turn() {
	s.handler.Closed(nil, s.why)
	s.polls.release(s.client)
}

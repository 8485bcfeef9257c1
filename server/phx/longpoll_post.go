package phx

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/http1"
	"github.com/roost-rt/roost/server/internal/panics"
)

const (
	maxPollLines = 100 // messages of one POST that are taken, spec §3.6
	maxPosts     = 16  // POSTs that wait for another of the same session
)

// An asker is where a POST has come from: a connection of this node, or another node.
type asker interface {
	later(step func())    // has the POST go on with a step, which is one at a time
	wait(w waiter)        // has w told when the session's window has passed
	status(code int) bool // answers, once
	fail(err error)       // gives the POST up
}

// A post is a POST whose messages are being taken, one by one, or that waits for an
// earlier one.
type post struct {
	asker
	session *pollSession
	ndjson  bool        // messages are lines; else the body is one
	body    []byte      // lent by the loop, until keep
	parts   frame.Parts // the body instead, if it is large and came bit by bit
	lines   [][]byte    // that are left to take
	over    bool        // answered
}

// post takes the messages of a POST, after those of earlier ones. It reports
// false if the session has ended. x's loop only.
func (s *pollSession) post(x *exchange) bool {
	x.conn.CheckLoop()
	p := &post{asker: x, session: s, ndjson: isNDJSON(&x.head), body: x.body, parts: x.parts}
	x.dropHead()
	x.dropBody()
	return s.enqueue(p)
}

// enqueue is post for a POST from anywhere.
func (s *pollSession) enqueue(p *post) bool {
	s.mu.Lock()
	ended, first, full := s.ended, s.posting == nil, len(s.posts) >= maxPosts
	switch {
	case ended, full:
	case first:
		s.posting = p
	default:
		p.keep()
		s.posts = append(s.posts, p)
	}
	s.mu.Unlock()
	switch {
	case ended:
		return false
	case full: // official clients send one at a time, or a few
		p.answer(http.StatusRequestTimeout)
	case first:
		p.begin()
	default:
		p.wait(p)
	}
	return true
}

// keep makes the body the POST's own.
func (p *post) keep() { p.body = bytes.Clone(p.body) }

func (p *post) answer(status int) {
	p.over = true
	p.status(status)
}

// begin takes the messages of the POST whose turn it is. It uses turns of the pool for a
// large one, which would hold up the loop, and for another node's, which has no loop here.
func (p *post) begin() {
	_, raw := p.session.handler.(*rawEvents)
	x, here := p.asker.(*exchange)
	switch {
	case p.parts.Len() > 0, len(p.body) > maxInline, !here && raw: // and so not lent
		p.unpackLater()
		return
	case !here:
		p.pool().Go(p)
		return
	case raw:
		p.keep() // its callback is slower than the loop
	case p.session.socket.codec.Foreign(), p.cost() > max(x.conn.Share(), leastInline):
		p.keep()
		p.unpackLater()
		return
	}
	p.lines = p.split()
	p.session.together(p.proceed)
}

// cost returns the cost of the messages of the body, measured as for frames; see
// frame.Decoder.NextWithin.
func (p *post) cost() int {
	lines := min(1+bytes.Count(p.body, []byte("\n")), maxPollLines)
	return max(len(p.body), lines*frame.FrameCost)
}

// unpackLater has a turn take messages of the POST; see unpacking.
func (p *post) unpackLater() {
	p.wait(p)
	p.pool().Go(p)
}

func (p *post) pool() *poller.Pool { return p.session.socket.unpackers() }

// Owner is the socket: a serializer that runs for long counts for it.
func (p *post) Owner() any { return p.session.socket }

func (p *post) describe() []any { return p.session.socket.describeDecode() }

func (p *post) mount() *mount { return p.session.socket.mount }

// Turn takes all messages of the POST, or the next one for a raw socket; see
// poller.Pool.
func (p *post) Turn() {
	err := panics.ErrExit // unless unpack returns
	defer func() {
		if err != nil {
			p.crashed(err)
		}
	}()
	p.session.together(func() { err = p.unpack() })
}

// crashed gives the POST up after a panic, which may be of a serializer of the
// application's: those that wait for it have their turn.
func (p *post) crashed(err error) {
	p.mount().log.Error("panic while decoding a message", "mount", p.mount().Path, "err", err)
	p.fail(err)
	p.later(p.end)
}

func (p *post) unpack() (err error) {
	defer contain(&err)
	if p.parts.Len() > 0 {
		p.body, p.parts = p.parts.Join(), frame.Parts{}
		time.Sleep(time.Microsecond) // as in unpacking
	}
	if p.lines == nil {
		p.lines = p.split()
	}
	for len(p.lines) > 0 {
		data, binary, ok := p.decode(p.lines[0])
		p.lines = p.lines[1:]
		if !ok {
			p.malformed()
			break
		}
		switch h := p.session.handler.(type) {
		case *rawEvents:
			(*RawSocket)(h).take(data, binary, func() { p.later(p.unpackRest) })
			return nil
		case *socketEvents:
			(*Socket)(h).message(data, binary)
		}
	}
	p.later(p.end)
	return nil
}

// unpackRest goes on when the callback of a raw socket has returned.
func (p *post) unpackRest() {
	if len(p.lines) > 0 && !p.over {
		p.unpackLater()
	} else {
		p.end()
	}
}

// malformed is the end of the session, at once (spec §3.6).
func (p *post) malformed() {
	p.session.socket.close(ws.StatusInternalServerError, "malformed message", Closed)
}

// split takes the body apart. Empty lines are none; in Phoenix they are the end
// of the session (spec §3.6).
func (p *post) split() (lines [][]byte) {
	if !p.ndjson && len(p.body) > 0 {
		return [][]byte{p.body}
	}
	for line := range bytes.SplitSeq(p.body, []byte("\n")) {
		if line = bytes.TrimSuffix(line, []byte("\r")); len(line) > 0 && len(lines) < maxPollLines {
			lines = append(lines, line)
		}
	}
	return lines
}

// proceed takes what is left. Channels have mailboxes: the loop is done with a
// message when it is routed, and the POST need not wait for what becomes of it.
// The callback of a RawType is waited for, up to a window each time; if that was
// too long, the rest is skipped (spec §3.2).
func (p *post) proceed() {
	if err := p.takeLines(); err != nil {
		p.crashed(err)
	}
}

func (p *post) takeLines() (err error) {
	defer contain(&err)
	for len(p.lines) > 0 && !p.over {
		data, binary, ok := p.decode(p.lines[0])
		p.lines = p.lines[1:]
		if !ok {
			p.malformed()
			break
		}
		switch h := p.session.handler.(type) {
		case *rawEvents:
			p.wait(p)
			(*RawSocket)(h).take(data, binary, func() { p.later(p.proceed) })
			return nil
		case *socketEvents:
			(*Socket)(h).message(data, binary)
		}
	}
	p.end()
	return nil
}

// end answers, and gives the turn to the next POST.
func (p *post) end() {
	status := http.StatusOK
	if p.session.next() {
		status = http.StatusGone // one of the messages was the end of it
	}
	p.answer(status)
}

// decode makes a message of a line, as the frame decoder does for WebSockets:
// JSON is text, anything else is a binary message in base64. ok is false if the line is
// malformed.
func (p *post) decode(line []byte) (data []byte, binary, ok bool) {
	if p.ndjson && line[0] != '[' && line[0] != '{' {
		data = make([]byte, base64.StdEncoding.DecodedLen(len(line)))
		n, err := base64.StdEncoding.Decode(data, line)
		return data[:n], true, err == nil && p.fits(n)
	}
	return line, false, p.fits(len(line)) && (p.mount().SkipUTF8 || utf8.Valid(line))
}

func (p *post) fits(n int) bool { return int64(n) <= cmp.Or(p.mount().MaxMessage, maxBody) }

// next gives the turn to the next POST, on the goroutine where that belongs. It reports
// whether the session has ended: then no POST waits.
func (s *pollSession) next() (ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posting = nil
	if len(s.posts) > 0 {
		s.posting = s.posts[0]
		s.posts = s.posts[1:]
		s.posting.later(s.posting.begin)
	}
	return s.ended
}

// expire answers that a message took too long; see waiter.
func (p *post) expire() { p.answer(http.StatusRequestTimeout) }

// abandon does nothing: what has come is taken; see waiter.
func (p *post) abandon(error) {}

// answered reports false: the loop itself answers; see waiter.
func (p *post) answered(bool) bool { return false }

// isNDJSON reports whether a POST says that its messages are lines.
func isNDJSON(h *http1.Head) bool {
	value, _ := h.Get("content-type")
	kind, _, _ := bytes.Cut(value, []byte(";"))
	return http1.Is(bytes.TrimSpace(kind), "application/x-ndjson")
}

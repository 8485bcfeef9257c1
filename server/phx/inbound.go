package phx

import (
	"errors"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/internal/rate"
	"github.com/roost-rt/roost/server/wire"
)

// A receiver takes the messages of a socket: its channels do, or the callbacks of a
// RawType. The bytes that it gets are lent.
type receiver interface {
	message(data []byte, binary bool)
	control(op ws.OpCode, payload []byte) // ping or pong; pings are answered already
	await(p *parting)                     // has p wait for the callbacks of earlier messages
}

// decode gives what the client sent to r, message by message. It returns what is
// left when the budget is used up, or behind a large message, which is not for r
// yet. A frame may be a system call, for the answer, and so has a price of its own.
// Loop only.
func (s *Socket) decode(data []byte, r receiver, budget int) (rest []byte, large *frame.Large) {
	cfg := s.frames()
	for {
		f, ok, err := s.decoder.NextWithin(cfg, &data, &budget)
		if err != nil {
			s.refuse(err, r)
			return nil, nil
		}
		switch {
		case !ok:
			return data, nil
		case f.Large:
			return data, s.decoder.TakeLarge()
		}
		switch f.Op {
		case ws.OpText, ws.OpBinary:
			r.message(f.Payload, f.Op == ws.OpBinary)
		case ws.OpPing, ws.OpPong:
			if s.charge(len(f.Payload), false) == rate.Banished { // to refuse there is nothing
				s.banish()
				return nil, nil
			}
			if f.Op == ws.OpPing {
				s.write(ws.OpPong, f.Payload)
			}
			r.control(f.Op, f.Payload)
		case ws.OpClose:
			code, _ := frame.ParseClose(f.Payload)
			if code == ws.StatusNoStatusRcvd {
				code = ws.StatusNormalClosure
			}
			s.part(r, &parting{code: code})
			return nil, nil
		}
	}
}

// frames says what the client may send.
func (s *Socket) frames() *frame.Config {
	f := &s.mount.frames
	if s.codec.Foreign() {
		f = &s.mount.foreign
	}
	if s.codec.Deflates() {
		return &f.deflated
	}
	return &f.plain
}

// refuse closes the connection for what package frame found wrong, behind the
// answers to what was right. Loop only.
func (s *Socket) refuse(err error, r receiver) {
	var protocol *frame.Error
	errors.As(err, &protocol) // frame has no others
	s.part(r, &parting{code: protocol.Code, reason: protocol.Reason, cause: BrokenProtocol})
}

// message takes a message of the Channels protocol. An invalid one closes the
// connection (spec §1.8).
func (s *Socket) message(data []byte, binary bool) {
	m, err := s.codec.Decode(data, binary)
	if err != nil {
		s.mount.log.Debug("malformed message", "err", err)
		s.cut(ws.StatusInternalServerError, "malformed message", BrokenProtocol)
		return
	}
	if longest := longestField(m); longest > s.mount.MaxField { // an answer would echo it
		s.mount.log.Debug("field too long", "mount", s.mount.Path, "bytes", longest, "max", s.mount.MaxField)
		s.cut(ws.StatusPolicyViolation, "topic, event or ref too long", BrokenProtocol)
		return
	}
	switch s.charge(len(data), m.Event == "phx_join") {
	case rate.Allowed:
		s.receive(m)
	case rate.TooFast:
		s.replyError(m.JoinRef, m, "rate_limited")
	case rate.Banished:
		s.banish()
	}
}

// longestField is the length of what the client has chosen beside the payload:
// each is kept, compared, echoed and logged, so none may be as long as a message.
func longestField(m wire.Message) int {
	return max(len(m.JoinRef), len(m.Ref), len(m.Topic), len(m.Event), len(m.RawTopic))
}

func (s *Socket) control(ws.OpCode, []byte) {} // liveness is enough

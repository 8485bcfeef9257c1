package phx

import "github.com/roost-rt/roost/server/wire"

// lateReplies are those to messages that were routed with their socket locked. They are
// given when it is no longer: to encode them may take a serializer of the application's,
// for which neither the event loop nor other channels must wait.
type lateReplies []lateReply

// A lateReply is one to a message, or a channel to start behind those before it.
type lateReply struct {
	joinRef wire.Ref
	message wire.Message // lent or owned, as it was routed
	refusal string       // why not; empty means "ok"
	start   *Channel     // or nil
}

// refuse answers a message with an error.
func (out *lateReplies) refuse(joinRef wire.Ref, m wire.Message, why string) {
	*out = append(*out, lateReply{joinRef: joinRef, message: m, refusal: why})
}

// unmatched answers a message for a topic that is not joined, with a null
// join_ref so that the client's push gets it (spec §1.10).
func (out *lateReplies) unmatched(m wire.Message) { out.refuse("", m, "unmatched topic") }

// accept answers a message with "ok".
func (out *lateReplies) accept(m wire.Message) {
	*out = append(*out, lateReply{joinRef: m.JoinRef, message: m})
}

// start has a channel begin, at once if nothing is to be answered before.
func (out *lateReplies) start(ch *Channel) {
	if len(*out) == 0 {
		ch.start()
		return
	}
	*out = append(*out, lateReply{start: ch})
}

// give gives them. Neither the socket nor a channel is locked.
func (s *Socket) give(out lateReplies) {
	for i := range out {
		switch a := &out[i]; {
		case a.start != nil:
			a.start.start()
		case a.refusal == "":
			s.reply(a.joinRef, a.message.Ref, a.message.Topic, "ok", wire.Payload{})
		default:
			s.replyError(a.joinRef, a.message, a.refusal)
		}
	}
}

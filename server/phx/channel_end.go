package phx

import (
	"bytes"
	"context"

	"github.com/roost-rt/roost/server/wire"
)

func (j *leaveJob) do(ch *Channel) {
	ch.reply(j.Ref, "ok", wire.Payload{})
	ch.end("phx_close", Left)
}

func (j *endJob) do(ch *Channel) {
	if ch.letPass(j, &j.again) {
		return
	}
	ch.takeOff("phx_close", j.why) // unless it has ended already
	ch.terminate(j.why)
}

// crash ends the channel, and only it, because of its own mistake.
func (ch *Channel) crash(err error) {
	defer ch.end("phx_error", Crash) // also if a hook or the log crashes
	ch.reportCrash("channel crashed", err)
}

// reportCrash says what a callback did wrong.
func (ch *Channel) reportCrash(text string, err error) {
	lent := ch.services()
	lent.log.Log(context.Background(), crashLevel(err), text, "topic", ch.topic, "err", err)
	tell(lent, lent.hooks.Crashed, CrashEvent{ch, err})
}

// end takes the channel off the socket, tells the client, and runs Terminate.
// Turn only.
func (ch *Channel) end(event string, why Reason) {
	ch.mailbox.CheckTurn()
	if ch.takeOff(event, why) {
		ch.terminate(why)
	}
}

// takeOff is end without Terminate. It reports false if the channel's connection
// or another join was faster, which has seen to Terminate.
func (ch *Channel) takeOff(event string, why Reason) bool {
	if ch.hasEnded() {
		return false
	}
	packet := ch.endPacket(event) // before the locks; see lateReplies
	var out lateReplies
	s := ch.socket
	defer func() { s.give(out) }()
	s.mu.Lock()
	defer s.mu.Unlock()
	ch.mu.Lock()
	if ch.phase >= ended {
		ch.mu.Unlock()
		return false
	}
	waiting := ch.takeMessages()
	ch.endLocked(why)
	ch.mu.Unlock()
	s.channels.remove(ch)
	if packet != nil {
		_ = s.send(packet) // Closed tells
	}
	s.rerouteLocked(waiting, &out)
	return true
}

// hasEnded reports whether the channel is no longer the socket's.
func (ch *Channel) hasEnded() bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.phase >= ended
}

// endLocked makes the channel deaf and drops what is in the mailbox.
func (ch *Channel) endLocked(why Reason) {
	ch.phase = ended
	if ch.extra != nil && ch.extra.life != nil {
		ch.extra.life.end(why)
	}
	ch.unsubscribeLocked()
	for _, j := range ch.mailbox.Clear(ch.pool()) {
		if p, ok := j.(*partJob); ok { // what it waited for is over
			p.done()
		}
	}
}

// unsubscribeLocked has no more broadcasts come.
func (ch *Channel) unsubscribeLocked() {
	ps := ch.services().pubsub
	ps.Unsubscribe(ch.events())
	ch.subsLocked().clear(ps)
}

// endPacket returns phx_close or phx_error for the client, nil if the serializer cannot
// express it.
func (ch *Channel) endPacket(event string) (packet []byte) {
	payload := wire.Payload{}
	if event == "phx_error" {
		payload = reason("channel_crash")
	}
	ref := ch.joinRef.Value()
	if ch.noRef && ch.socket.codec.Version() == "1.0.0" {
		ref = "" // V1 has what the join message had (spec §1.11)
	}
	codec, topic := ch.socket.codec, ch.Topic()
	_ = codec.Encode(func(dst []byte) ([]byte, bool, error) {
		return codec.AppendEnd(dst, ref, topic, event, payload)
	}, func(p []byte) error {
		packet = bytes.Clone(p)
		return nil
	})
	return packet
}

// disconnected is called when the connection has ended: at once, whatever waits.
func (ch *Channel) disconnected(why Reason) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.disconnectedLocked(why)
}

func (ch *Channel) disconnectedLocked(why Reason) {
	wasIn := ch.phase == joined || ch.phase == leaving
	ch.endLocked(why)
	if wasIn && ch.seesItsEnd() {
		ch.pushLocked(&endJob{why: why})
	}
}

// orphan is called when the client has ended the connection: what it sent before is
// handled, as in Phoenix, and then the channel ends. A join that has not been
// answered is part of that.
func (ch *Channel) orphan(why Reason) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if !busy(&ch.mailbox) {
		ch.disconnectedLocked(why)
		return
	}
	if ch.phase != joining {
		ch.phase = orphaned
		ch.unsubscribeLocked()
	}
	ch.pushLocked(&endJob{why: why})
}

// terminate is the end of a channel that had joined. Turn only.
func (ch *Channel) terminate(why Reason) {
	ch.mailbox.CheckTurn()
	lent := ch.services()
	tell(lent, lent.hooks.Ended, EndEvent{ch, why})
	if t := ch.route().Type; t.Terminate != nil {
		ch.terminating = true
		if _, err := ch.call(Call{Callback: "Terminate", Reason: why}); err != nil {
			ch.reportCrash("Terminate crashed", err)
		}
	}
	ch.finish()
}

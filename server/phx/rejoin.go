package phx

import (
	"cmp"
	"time"

	"github.com/roost-rt/roost/server/wire"
)

// replaceLocked puts a new channel in the place of one that is joined. The old
// one first finishes its current work. Its phx_close follows the new one's join reply
// (spec §1.11).
func (s *Socket) replaceLocked(old *Channel, m wire.Message, out *lateReplies) {
	ch, _ := s.openLocked(m, old, out)
	if ch == nil { // there is no room for a join of this size
		return
	}
	s.channels.remove(old)
	old.mu.Lock()
	defer old.mu.Unlock()
	old.endLocked(Duplicate)
	h := &handOver{next: ch}
	if old.mailbox.Push(old.pool(), handOverJob{h}, jobOverhead, false) {
		old.pool().Go(old.events())
		return
	}
	patience := cmp.Or(old.route().Type.StopTimeout, 5*time.Second)
	h.timer = time.AfterFunc(patience, func() { old.overrun(h, patience) })
}

// A handOver is the end of a channel whose place another one takes.
type handOver struct {
	next  *Channel
	timer *time.Timer // until next does not wait any longer; nil if there is nothing to wait for
}

// finish lets the next one start, unless it has already.
func (h *handOver) finish() {
	if h.timer == nil || h.timer.Stop() {
		h.next.start()
	}
}

func (j handOverJob) do(ch *Channel) {
	ch.services().log.Debug("duplicate join", "topic", ch.topic)
	ch.terminate(Duplicate)
	j.finish()
}

// overrun lets the next channel start although a callback of this one still runs.
// Phoenix would kill it (spec §1.11); here it only has no voice any more.
func (ch *Channel) overrun(h *handOver, waited time.Duration) {
	ch.mu.Lock()
	ch.phase = closed
	ch.mu.Unlock()
	ch.services().log.Warn("a callback held up another join of its topic: it goes on without a voice", "topic", ch.topic, "waited", waited)
	h.next.start()
}

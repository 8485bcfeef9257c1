package phx

import (
	"cmp"
	"errors"
	"sync"
	"unique"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/wire"
)

// A Channel is one joined topic on one socket, with a mailbox of messages
// waiting for its callbacks.
type Channel struct {
	socket  *Socket                 // immutable
	next    *Channel                // in the socket's list, which it guards
	topic   string                  // immutable once joined; till then a copy of the same text
	joinRef unique.Handle[wire.Ref] // immutable; the join's ref if it had no join_ref (spec §2.2)

	assigns map[string]any // turn only

	mu      sync.Mutex // guards the next four; never held while a callback runs
	handle  pubsub.Subscription
	mailbox mailbox
	extra   *channelExtra // what not all channels have, or nil
	phase   phase

	noRef       bool   // immutable: the join had no join_ref, so only messages without one are its own
	terminating bool   // turn only: Terminate runs
	index       uint32 // immutable: the route's in Mount.Routes
}

// channelExtra holds the fields that only some channels need, to save memory in the
// others. One that has only watchers is never changed: many channels share it.
type channelExtra struct {
	subs     subscriptions // to other topics
	life     *life         // what Context was asked for; or nil
	active   *run          // the callback that runs, if it has a limit or middleware
	watchers *watchers     // or nil; see AtEnd
}

// bare reports whether there is nothing that only one channel can have.
func (x *channelExtra) bare() bool { return x.subs == nil && x.life == nil && x.active == nil }

// extraLocked returns ch.extra to be written to.
func (ch *Channel) extraLocked() *channelExtra {
	switch {
	case ch.extra == nil:
		ch.extra = new(channelExtra)
	case ch.extra.bare():
		ch.extra = &channelExtra{watchers: ch.extra.watchers}
	}
	return ch.extra
}

// subsLocked is the channel's subscriptions, nil if there never were any.
func (ch *Channel) subsLocked() *subscriptions {
	if ch.extra == nil || ch.extra.subs == nil {
		return nil
	}
	return &ch.extra.subs
}

// phase is where a channel is in its life.
type phase uint8

const (
	joining phase = iota // Join has not returned; messages wait in the mailbox
	joined
	leaving  // phx_leave is in the mailbox
	orphaned // the connection has ended; what came before that is in the mailbox
	ended    // no longer the socket's; what runs and Terminate may still send
	closed   // nothing can be sent any more
)

func (p phase) String() string {
	return [...]string{"joining", "joined", "leaving", "orphaned", "ended", "closed"}[p]
}

// newChannel makes a channel with its join in the mailbox.
func newChannel(s *Socket, route int, join wire.Message, replaces *Channel) *Channel {
	ch := &Channel{socket: s, index: uint32(route), topic: join.Topic, noRef: join.JoinRef == ""}
	ch.joinRef = unique.Make(cmp.Or(join.JoinRef, join.Ref)) // clients count: one copy serves many, and join is not kept
	j := &joinJob{join, replaces}
	ch.mailbox.Push(ch.pool(), j, j.bytes(), false)
	return ch
}

// start asks for the turn that joins.
func (ch *Channel) start() { ch.pool().Go(ch.events()) }

func (ch *Channel) route() *Route { return &ch.socket.mount.Routes[ch.index] }

func (ch *Channel) services() *services { return ch.socket.mount.services }

func (ch *Channel) pool() *workers { return ch.services().workers }

// receiveLocked takes a message for the channel's topic, by the lower half of
// the table in spec §1.10. The socket is locked. m is lent.
func (ch *Channel) receiveLocked(m wire.Message, out *lateReplies) {
	ch.mu.Lock()
	current := m.JoinRef == "" || !ch.noRef && m.JoinRef == ch.joinRef.Value()
	switch {
	case ch.phase == joining:
		// What to do depends on how the join ends. A client that gave up waiting
		// sends a leave and another join meanwhile (spec §9.3).
		ch.keepLocked(m, out)
	case m.Event == "phx_join":
		ch.mu.Unlock()
		ch.socket.replaceLocked(ch, m, out)
		return
	case !current: // for a channel that is no more: silence
	case m.Event == "phx_leave" && (ch.phase == joined || ch.phase == orphaned):
		ch.phase = max(ch.phase, leaving)
		m.Payload = wire.Payload{} // never read, and there is always room for a leave
		ch.pushLocked(&leaveJob{m.Clone()})
	default:
		ch.keepLocked(m, out)
	}
	ch.mu.Unlock()
}

// keepLocked has a client's message wait for its callback, if there is room.
func (ch *Channel) keepLocked(m wire.Message, out *lateReplies) {
	if ch.postLocked(&messageJob{m.Clone()}) != nil {
		out.refuse(m.JoinRef, m, "overloaded")
	}
}

// postLocked puts a job in the mailbox if there is room.
func (ch *Channel) postLocked(j job) error {
	if full(&ch.mailbox, ch.socket.mount.MailboxMax) || !shared(j) && ch.services().crowded(ch.mailbox.Bytes()+j.bytes()) {
		return ErrMailboxFull
	}
	ch.pushLocked(j)
	return nil
}

// pushLocked puts a job in the mailbox.
func (ch *Channel) pushLocked(j job) {
	if ch.mailbox.Push(ch.pool(), j, j.bytes(), shared(j)) {
		ch.pool().Go(ch.events())
	}
}

// turn runs a few of the mailbox's jobs; see poller.Pool.
func (ch *Channel) turn() { ch.mailbox.Turn(ch.pool(), ch.events(), &ch.mu, ch.held, ch.do) }

// held reports whether the turn has to wait, as its answers could only wait.
func (ch *Channel) held() bool { return ch.socket.transport.Hold(ch.pool(), ch.events()) }

func (ch *Channel) do(j job, left bool) {
	if left {
		ch.settleLeft(j)
		return
	}
	j.do(ch)
}

// errLeft is the crash of a callback, or of what the application has put below
// one, that has ended its goroutine.
var errLeft = errors.New("the callback has called runtime.Goexit")

// settleLeft does what is left to do of a job that a callback has not returned to.
func (ch *Channel) settleLeft(j job) {
	if h, ok := j.(handOverJob); ok {
		defer h.finish()
	}
	ch.mu.Lock()
	phase := ch.phase
	ch.mu.Unlock()
	join, isJoin := j.(*joinJob)
	switch {
	case phase == joining && isJoin:
		p := Payload{join.message.Payload}
		ch.settleJoin(join, false, "error", reason("join crashed"))
		ch.reportJoin(span{}, p, errLeft)
		ch.finish()
	case phase < ended:
		ch.crash(errLeft)
	default: // the last callback, or its connection has ended meanwhile
		defer ch.finishIfDone()
		ch.reportCrash("callback crashed", errLeft)
	}
}

// finishIfDone is finish, unless Terminate is to come.
func (ch *Channel) finishIfDone() {
	ch.mu.Lock()
	done := ch.mailbox.Len() == 0
	ch.mu.Unlock()
	if done {
		ch.finish()
	}
}

package phx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
	"unique"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/internal/panics"
	"github.com/roost-rt/roost/server/wire"
)

// A Channel is one joined topic on one socket, with the mailbox of what its
// callbacks have yet to see.
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

// channelExtra is what not all channels have, so that the others need no memory
// for it.
type channelExtra struct {
	subs   subscriptions // to other topics
	life   *life         // what Context was asked for; or nil
	active *run          // the callback that runs, if it has a limit or middleware
}

// extraLocked returns ch.extra to be written to.
func (ch *Channel) extraLocked() *channelExtra {
	if ch.extra == nil {
		ch.extra = new(channelExtra)
	}
	return ch.extra
}

// subsLocked is the channel's subscriptions, nil if there never were any.
func (ch *Channel) subsLocked() *subscriptions {
	if ch.extra == nil {
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
func (ch *Channel) receiveLocked(m wire.Message) {
	s := ch.socket
	ch.mu.Lock()
	current := m.JoinRef == "" || !ch.noRef && m.JoinRef == ch.joinRef.Value()
	switch {
	case ch.phase == joining:
		// What to do depends on how the join ends. A client that gave up waiting
		// sends a leave and another join meanwhile (spec §9.3).
		ch.postLocked(&messageJob{m.Clone()})
	case m.Event == "phx_join":
		ch.mu.Unlock()
		s.replaceLocked(ch, m)
		return
	case !current: // for a channel that is no more: silence
	case m.Event == "phx_leave" && (ch.phase == joined || ch.phase == orphaned):
		ch.phase = max(ch.phase, leaving)
		m.Payload = wire.Payload{} // nobody reads it, and there is always room for a leave
		ch.pushLocked(&leaveJob{m.Clone()})
	default:
		ch.postLocked(&messageJob{m.Clone()})
	}
	ch.mu.Unlock()
}

// postLocked puts a job in the mailbox if there is room. A message for which
// there is none is answered.
func (ch *Channel) postLocked(j job) error {
	if full(&ch.mailbox, ch.socket.mount.MailboxMax) || !shared(j) && ch.services().crowded(ch.mailbox.Bytes()+j.bytes()) {
		if m, ok := j.(*messageJob); ok {
			ch.socket.reply(m.JoinRef, m.Ref, ch.topic, "error", reason("overloaded"))
		}
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
	case phase < ended:
		ch.crash(errLeft)
	default: // the last callback, or its connection has ended meanwhile
		defer ch.closeIfDone()
		ch.reportCrash("callback crashed", errLeft)
	}
}

// closeIfDone ends what the channel may send, unless Terminate is to come.
func (ch *Channel) closeIfDone() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.mailbox.Len() == 0 {
		ch.phase = closed
	}
}

func (j *messageJob) do(ch *Channel) { ch.handleIn(j.Message) }

func (j *leaveJob) do(ch *Channel) {
	ch.reply(j.Ref, "ok", wire.Payload{})
	ch.end("phx_close", Left)
}

func (j outJob) do(ch *Channel) {
	ch.act(Call{Callback: "Out", Event: j.Event, Payload: payloadOf(j.Message)})
}

func (j infoJob) do(ch *Channel) {
	if ch.route().Type.Info == nil {
		ch.services().log.Warn("info for a channel without an Info callback", "topic", ch.topic)
		return
	}
	ch.act(Call{Callback: "Info", Message: j.msg})
}

func (j *endJob) do(ch *Channel) {
	if ch.letPass(j, &j.again) {
		return
	}
	ch.takeOff("phx_close", j.why) // unless it has ended already
	ch.terminate(j.why)
}

func (j handOverJob) do(ch *Channel) {
	ch.services().log.Debug("duplicate join", "topic", ch.topic)
	ch.terminate(Duplicate)
	j.finish()
}

// do runs the Join callback and settles what became of it.
func (j *joinJob) do(ch *Channel) {
	t, p := ch.route().Type, Payload{j.message.Payload}
	ch.mu.Lock()
	gone := ch.phase >= ended // the connection was faster
	ch.mu.Unlock()
	if gone {
		return
	}
	span := ch.span(t.LogJoin, slog.LevelInfo, ch.services().hooks.Joined != nil)
	status, response, err := ch.decideJoin(p)
	span.end()
	gaveUp := ch.gaveUp(err)
	why, failed := ch.settleJoin(j, err == nil, status, response)
	if failed != nil {
		err = failed
	}
	if gaveUp {
		return
	}
	ch.reportJoin(span, p, err)
	switch {
	case err != nil:
	case why != "": // it had joined, but for the connection
		ch.terminate(why)
	case t.Joined != nil:
		ch.act(Call{Callback: "Joined", Payload: p})
	}
}

// decideJoin runs the Join callback. It returns what to answer, and nil, a
// refusal, or a crash.
func (ch *Channel) decideJoin(p Payload) (status string, response wire.Payload, err error) {
	if t := ch.route().Type; t.Join == nil && t.Middleware == nil {
		return "ok", wire.Payload{}, nil
	}
	result, err := ch.call(Call{Callback: "Join", Payload: p})
	var refusal *ReplyError
	failed := err
	switch {
	case err == nil:
		status, response, failed = ch.services().settle(result)
	case errors.As(err, &refusal):
		status, response, failed = ch.services().settle(Reply{"error", refusal.Response})
	}
	if failed != nil {
		return "error", reason("join crashed"), failed
	}
	return status, response, err
}

// settleJoin answers the join and lets in what has waited for it. The answer
// comes before every other frame of the channel: whoever delivers to it waits
// for ch.mu. If the connection has ended meanwhile, it only returns why. An error
// is that the serializer cannot express the answer.
func (ch *Channel) settleJoin(j *joinJob, accepted bool, status string, response wire.Payload) (gone Reason, err error) {
	s := ch.socket
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting, gone, err := ch.answerJoinLocked(j, accepted, status, response)
	if gone != "" {
		return gone, nil
	}
	if old := j.replaces; old != nil { // spec §1.11: after the new one's reply
		old.sayEnd("phx_close")
	}
	j.replaces, j.message = nil, wire.Message{}
	s.rerouteLocked(waiting)
	return "", err
}

// answerJoinLocked is settleJoin up to the answer, and returns what has waited for
// it. The socket is locked.
func (ch *Channel) answerJoinLocked(j *joinJob, accepted bool, status string, response wire.Payload) (waiting []wire.Message, gone Reason, err error) {
	s := ch.socket
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.phase == ended {
		return nil, s.whyLocked(), nil
	}
	// The channel's own come first: what Join gave to Send is handled before any
	// client message, as in Phoenix, where the client still waits.
	waiting = ch.takeMessages()
	switch {
	case !accepted:
	case s.ending == isGone: // endJob is in the mailbox
		ch.phase = orphaned
	default:
		ch.phase = joined
		ch.services().pubsub.Subscribe(ch.topic, ch.events())
		ch.topic = ch.handle.Topic() // one string for all who joined
	}
	err = s.reply(j.message.JoinRef, j.message.Ref, ch.topic, status, response)
	switch {
	case err == ErrClosed: // its end is on the way
		err = nil
	case err != nil:
		s.reply(j.message.JoinRef, j.message.Ref, ch.topic, "error", reason("join crashed"))
	}
	if !accepted || err != nil {
		ch.endLocked(Normal)
		ch.phase = closed
		s.channels.remove(ch)
	}
	return waiting, "", err
}

// reportJoin says how a join has ended.
func (ch *Channel) reportJoin(s span, p Payload, err error) {
	lent := ch.services()
	text := "joined"
	var refusal *ReplyError
	switch refused := errors.As(err, &refusal); {
	case refused:
		text = "join refused"
	case err != nil:
		text = ""
		ch.reportCrash("join crashed", err)
	}
	if text != "" && s.logged() {
		s.line(text, err, "topic", ch.topic, "params", lent.cfg.Filter.payload(p))
	}
	tell(lent, lent.hooks.Joined, JoinEvent{Duration: s.took, Channel: ch, Payload: p, Err: err})
}

// reportCrash says what a callback did wrong.
func (ch *Channel) reportCrash(text string, err error) {
	lent := ch.services()
	lent.log.Log(context.Background(), crashLevel(err), text, "topic", ch.topic, "err", err)
	tell(lent, lent.hooks.Crashed, CrashEvent{ch, err})
}

// rerouteLocked routes client messages that a channel did not come to: all of one
// topic, and owned. When one of them is a join, the rest waits for it as it is: to
// copy that again for each join of a long queue would be quadratic.
func (s *Socket) rerouteLocked(messages []wire.Message) {
	for i, m := range messages {
		if ch := s.findLocked(m); ch != nil && ch.adopts(messages[i:]) {
			return
		}
		_ = s.routeLocked(m) // the topic has a route, and one channel less
	}
}

// adopts takes messages that wait for what becomes of the channel's join. It
// reports false if that is known. The socket is locked.
func (ch *Channel) adopts(messages []wire.Message) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.phase != joining {
		return false
	}
	for _, m := range messages {
		_ = ch.postLocked(&messageJob{m}) // it answers those that there is no room for
	}
	return true
}

// replaceLocked puts a new channel in the place of one that is joined. The old
// one finishes what it is doing first, and is told that it is closed after the
// new one's join reply (spec §1.11).
func (s *Socket) replaceLocked(old *Channel, m wire.Message) {
	ch, _ := s.openLocked(m, old)
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

// overrun lets the next channel start although a callback of this one still runs.
// Phoenix would kill it (spec §1.11); here it only has no voice any more.
func (ch *Channel) overrun(h *handOver, waited time.Duration) {
	ch.mu.Lock()
	ch.phase = closed
	ch.mu.Unlock()
	ch.services().log.Warn("a callback held up another join of its topic: it goes on without a voice", "topic", ch.topic, "waited", waited)
	h.next.start()
}

// handleIn runs the callback for a client message and answers it.
func (ch *Channel) handleIn(m wire.Message) {
	t, lent := ch.route().Type, ch.services()
	callback := "In"
	if _, ok := t.In[m.Event]; !ok {
		if t.Event == nil {
			ch.crash(fmt.Errorf("%w %q", errNoHandler, m.Event))
			return
		}
		callback = "Event"
	}
	p := Payload{m.Payload}
	span := ch.span(t.logEvent(m.Event), slog.LevelDebug, lent.hooks.HandledIn != nil)
	result, err := ch.call(Call{Callback: callback, Event: m.Event, Payload: p})
	span.end()
	if span.logged() {
		span.line("handled", err, "topic", ch.topic, "event", m.Event, "params", lent.cfg.Filter.payload(p))
	}
	tell(lent, lent.hooks.HandledIn, MessageEvent{Duration: span.took, Channel: ch, Event: m.Event, Ref: Ref{ch, m.Ref}, Payload: p, Err: err})
	ch.settleIn(m.Ref, result, err)
}

// settleIn does what the results of the callback for a client message say.
func (ch *Channel) settleIn(ref wire.Ref, result any, err error) {
	if err != nil {
		result, err = replyOf(result, err)
	}
	if result != nil {
		status, response, failed := ch.services().settle(result)
		if failed != nil {
			ch.crash(failed)
			return
		}
		if failed = ch.reply(ref, status, response); failed != nil && failed != ErrClosed {
			ch.crash(failed)
			return
		}
	}
	ch.settleError(err)
}

// replyOf makes a reply of an error that is one.
func replyOf(result any, err error) (any, error) {
	var refusal *ReplyError
	switch {
	case errors.As(err, &refusal):
		return Reply{"error", refusal.Response}, nil
	case errors.Is(err, pubsub.ErrOverloaded): // a crash would only add a rejoin to the load
		return Reply{"error", Payload{reason("overloaded")}}, nil
	}
	return result, err
}

// act runs a callback that answers nothing.
func (ch *Channel) act(c Call) {
	_, err := ch.call(c)
	ch.settleError(err)
}

// settleError does what the error of a callback says.
func (ch *Channel) settleError(err error) {
	if err == nil {
		return
	}
	var stop *StopError // behind the return: errors.As has it allocated
	switch {
	case errors.Is(err, ErrClosed), ch.gaveUp(err): // the connection is gone; its end is on the way
	case errors.As(err, &stop) && (stop.Why == Normal || stop.Why == Shutdown):
		ch.end("phx_close", stop.Why)
	case errors.As(err, &stop):
		ch.end("phx_error", stop.Why)
	default:
		ch.crash(err)
	}
}

// gaveUp reports whether a callback has returned because the channel has ended.
func (ch *Channel) gaveUp(err error) bool {
	return givesUp(err) && ch.Context().Err() != nil
}

// contain, deferred, makes an error of a panic.
func contain(err *error) {
	if r := recover(); r != nil {
		*err = panics.New(r)
	}
}

// settle makes status and response of what a callback returned. It survives a
// MarshalJSON that panics.
func (lent *services) settle(result any) (status string, response wire.Payload, err error) {
	defer contain(&err)
	status = "ok"
	if r, ok := result.(Reply); ok {
		status, result = r.Status, r.Response
	}
	response, err = lent.encode(result, status)
	return status, response, err
}

// crash ends the channel, and only it, because of its own mistake.
func (ch *Channel) crash(err error) {
	defer ch.end("phx_error", Crash) // also if a hook or the log crashes
	ch.reportCrash("channel crashed", err)
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
	s := ch.socket
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
	ch.sayEnd(event)
	s.rerouteLocked(waiting)
	return true
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

// sayEnd sends phx_close or phx_error.
func (ch *Channel) sayEnd(event string) {
	payload := wire.Payload{}
	if event == "phx_error" {
		payload = reason("channel_crash")
	}
	ref := ch.joinRef.Value()
	if ch.noRef && ch.socket.codec.Version() == "1.0.0" {
		ref = "" // V1 has what the join message had (spec §1.11)
	}
	_ = ch.socket.encode(func(dst []byte) ([]byte, bool, error) {
		return ch.socket.codec.AppendEnd(dst, ref, ch.topic, event, payload)
	})
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
	if wasIn && (ch.route().Type.Terminate != nil || ch.services().hooks.Ended != nil) {
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
	ch.mu.Lock()
	ch.phase = closed
	ch.mu.Unlock()
}

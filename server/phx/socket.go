package phx

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/internal/packet"
	"github.com/roost-rt/roost/server/internal/rate"
	"github.com/roost-rt/roost/server/wire"
)

// A Socket is one client session: a connection with the channels on it.
type Socket struct {
	*dialect                // immutable
	transport transport     // immutable
	decoder   frame.Decoder // loop only

	mu       sync.Mutex // guards the rest
	channels channels
	extra    *extra     // what not all sockets have, or nil
	opened   bool       // something can be sent
	ending   ending     // how far the end has come
	tempo    rate.Tempo // loop only, and not guarded
	born     uint32     // when it opened; see Endpoint.age
}

// ending is how far the end of a socket has come.
type ending uint8

const (
	notEnding ending = iota
	isClosing        // close was called, or the connection has ended: nothing from the client counts any more
	isGone           // the channels know that it has ended: one that is made yet ends behind what it was sent
)

// A dialect is shared by the sockets of a mount that use the same codec.
type dialect struct {
	mount *mount
	codec *packet.Codec
}

// extra holds the fields that only some sockets need, to save memory in the others.
type extra struct {
	id      string         // set in Connect only
	assigns map[string]any // set in Connect only
	self    *identity      // subscription to the socket's id, or nil
	relays  []*relay       // subscriptions that Socket.Subscribe made
	remote  string         // the client's address, if the connection is not the client's own
	visitor *visitor       // who is counted for the connection, or nil
	meter   *rate.Meter    // of a client that sends fast, or nil; its content is the loop's
	parting *parting       // the end that waits for callbacks, or nil
	life    *life          // what Context was asked for; or nil
	why     *Reason        // what the channels are told when the connection ends; nil is Closed
}

// extraLocked returns s.extra to be written to.
func (s *Socket) extraLocked() *extra {
	if s.extra == nil {
		s.extra = new(extra)
	}
	return s.extra
}

// SetID gives the socket an id, such as "users_socket:7": a broadcast of
// "disconnect" to that topic closes all sockets with the id (spec §4.3). Only
// [Mount.Connect] may call it.
func (s *Socket) SetID(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.extraLocked().id = id
}

// ID returns the id given to SetID.
func (s *Socket) ID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.extra == nil {
		return ""
	}
	return s.extra.id
}

// Assign keeps a value under a key for all channels of the socket. Only
// [Mount.Connect] may call it.
func (s *Socket) Assign(key string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.extraLocked()
	if e.assigns == nil {
		e.assigns = make(map[string]any)
	}
	e.assigns[key] = value
}

// Value returns the value kept under a key, or nil.
func (s *Socket) Value(key string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.extra == nil {
		return nil
	}
	return s.extra.assigns[key]
}

// Transport returns how the client is connected: "websocket" or "longpoll".
func (s *Socket) Transport() string {
	if s.conn() != nil {
		return "websocket"
	}
	return "longpoll"
}

// RemoteAddr returns the host:port of the client, or of the last proxy before
// this server. It may be "" once the connection has ended.
func (s *Socket) RemoteAddr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.extra != nil && s.extra.remote != "" {
		return s.extra.remote
	}
	if c := s.conn(); c != nil && c.RemoteAddr().IsValid() {
		return c.RemoteAddr().String()
	}
	return ""
}

// open is called when a has succeeded. answer, unless nil, tells the client of a
// WebSocket: once it knows, its id can be disconnected, but nothing is sent before.
// open returns the handler of the connection's events.
func (s *Socket) open(a *attempt, answer []byte) poller.Handler {
	ps := s.mount.pubsub
	s.mu.Lock() // identity and relay wait for it
	s.opened, s.born = true, s.mount.age()
	if e := s.extra; e != nil {
		if e.id != "" {
			e.self = &identity{socket: s}
			ps.Subscribe(e.id, e.self)
		}
		for _, r := range e.relays {
			ps.Subscribe(r.topic, r)
		}
	}
	if answer != nil {
		_ = s.conn().Send(answer) // if it is gone, Closed tells
	}
	closed := s.ending >= isClosing
	s.mu.Unlock()
	a.settle(s, nil)
	if closed { // by Connect, or who has the socket from there
		s.transport.Finish(ws.StatusGoingAway, "")
	}
	if s.mount.Raw != nil {
		return openRaw(s).events()
	}
	return s.events()
}

// disconnected ends the channels of a connection that is gone.
func (s *Socket) disconnected(err error) {
	m := s.mount
	s.forget()
	s.countEnd(err)
	s.mu.Lock()
	why := s.whyLocked()
	s.ending = isClosing
	s.endLocked()
	s.unsubscribeLocked()
	if s.extra != nil {
		s.extra.visitor.leave()
	}
	s.mu.Unlock()
	level := slog.LevelDebug
	if errors.Is(err, ErrMailboxFull) { // the client did not ask for it
		level = slog.LevelInfo
	}
	m.log.Log(context.Background(), level, "socket closed", "mount", m.Path, "id", s.ID(), "why", why, "err", err)
	tellApart(m.services, m.hooks.Disconnected, DisconnectEvent{Socket: s, Reason: why, Err: err, Lifetime: s.lifetime()})
	s.endChannels(err, why)
}

// endChannels ends the channels of a connection that is gone. They first handle the
// client's messages, unless the connection broke or was cut, or all mailboxes together
// hold too much: then the answers are no longer wanted, or there were too many messages.
func (s *Socket) endChannels(err error, why Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ending = isGone
	for ch := s.channels.first; ch != nil; ch = ch.next {
		if err == nil && !s.mount.overfull() {
			ch.orphan(why)
		} else {
			ch.disconnected(why)
		}
	}
}

// whyLocked returns the reason that the channels are told when the connection ends.
func (s *Socket) whyLocked() Reason {
	if s.extra == nil || s.extra.why == nil {
		return Closed
	}
	return *s.extra.why
}

// lifetime is how long ago the socket opened.
func (s *Socket) lifetime() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Duration(s.mount.age()-s.born) * time.Millisecond
}

// Close closes the connection with 1001, "going away": the client will
// reconnect. Its channels terminate with reason Disconnected. During
// [Mount.Connect] the client gets its answer first.
func (s *Socket) Close() { s.close(ws.StatusGoingAway, "", Disconnected) }

// close ends the connection, once, with a code of RFC 6455 §7.4.
// It reports whether it was the first to do so.
func (s *Socket) close(code ws.StatusCode, reason string, why Reason) (first bool) {
	s.mu.Lock()
	if s.ending >= isClosing {
		s.mu.Unlock()
		return false
	}
	s.ending = isClosing
	if why != Closed {
		told := why
		s.extraLocked().why = &told
	}
	s.endLocked()
	opened := s.opened
	s.mu.Unlock()
	if opened { // else open does it, behind the answer to the client
		s.transport.Finish(code, reason) // with nothing behind it
	}
	return true
}

// receive routes one message by the table of spec §1.10. m is lent.
func (s *Socket) receive(m wire.Message) {
	if m.Topic == "phoenix" && m.Event == "heartbeat" {
		s.reply("", m.Ref, m.Topic, "ok", wire.Payload{})
		return
	}
	var refused error
	var out lateReplies
	s.mu.Lock()
	if s.ending == notEnding {
		refused = s.routeLocked(m, &out)
	}
	s.mu.Unlock()
	s.give(out)
	if refused != nil {
		s.mount.log.Info("join refused", "mount", s.mount.Path, "topic", m.Topic, "err", refused)
	}
}

var (
	errNoRoute         = errors.New("the topic has no route")
	errTooManyChannels = errors.New("the socket has Mount.MaxChannels already: raise it if clients may have more")
	errMailboxesFull   = errors.New("the mailboxes hold Config.MailboxesMax, and its payload is large")
)

// routeLocked brings a message to its channel. It returns why a join has made
// none.
func (s *Socket) routeLocked(m wire.Message, out *lateReplies) (refused error) {
	if ch := s.findLocked(m); ch != nil {
		ch.receiveLocked(m, out)
		return nil
	}
	switch m.Event {
	case "phx_join":
		ch, err := s.openLocked(m, nil, out)
		if err != nil {
			return err
		}
		out.start(ch)
	case "phx_leave":
		out.accept(m)
	default:
		out.unmatched(m)
	}
	return nil
}

func (s *Socket) findLocked(m wire.Message) *Channel {
	if m.RawTopic != nil {
		return nil
	}
	return s.channels.find(m.Topic)
}

// openLocked makes the channel of a join without starting it, or answers why there
// is none. replaces is the channel whose place it takes, or nil.
func (s *Socket) openLocked(m wire.Message, replaces *Channel, out *lateReplies) (*Channel, error) {
	route := -1
	if m.RawTopic == nil {
		route = s.mount.route(m.Topic)
	}
	others := s.channels.len()
	if replaces != nil {
		others--
	}
	switch {
	case route < 0:
		out.unmatched(m)
		return nil, errNoRoute
	case others >= s.mount.MaxChannels:
		out.refuse(m.JoinRef, m, "too many channels joined")
		return nil, errTooManyChannels
	case s.mount.crowded(messageBytes(&m)):
		out.refuse(m.JoinRef, m, "overloaded")
		return nil, errMailboxesFull
	}
	ch := newChannel(s, route, m.Clone(), replaces)
	s.channels.add(ch)
	if s.ending == isGone {
		ch.orphan(s.whyLocked())
	}
	return ch, nil
}

// replyError answers a message with an error.
func (s *Socket) replyError(joinRef wire.Ref, m wire.Message, why string) {
	if m.RawTopic == nil {
		s.reply(joinRef, m.Ref, m.Topic, "error", reason(why))
		return
	}
	if raw, ok := s.codec.Serializer.(wire.RawTopicReplier); ok {
		s.encode(func(dst []byte) ([]byte, bool, error) {
			return raw.AppendRawTopicReply(dst, joinRef, m.Ref, m.RawTopic, "error", reason(why))
		})
	}
}

// reason is the payload {"reason": text}. text must need no escapes.
func reason(text string) wire.Payload {
	return wire.Payload{Data: []byte(`{"reason":"` + text + `"}`)}
}

func (s *Socket) reply(joinRef, ref wire.Ref, topic, status string, p wire.Payload) error {
	return s.encode(func(dst []byte) ([]byte, bool, error) {
		return s.codec.AppendReply(dst, joinRef, ref, topic, status, p)
	})
}

// conn is the connection of a WebSocket, nil with long polling.
func (s *Socket) conn() *poller.Conn {
	w, _ := s.transport.(webSocket)
	return w.Conn
}

// encode sends one message that append appends.
func (s *Socket) encode(append packet.Append) error { return s.codec.Encode(append, s.send) }

func (s *Socket) send(packets []byte) error {
	if s.transport.Send(packets) != nil {
		return ErrClosed
	}
	return nil
}

// write sends one control frame over a WebSocket.
func (s *Socket) write(op ws.OpCode, payload []byte) {
	_ = packet.Control(op, payload, s.conn().Send) // Closed tells
}

// identity is a socket's subscription to its id.
type identity struct {
	socket *Socket
	handle pubsub.Subscription
}

func (i *identity) Subscription() *pubsub.Subscription { return &i.handle }

// Deliver closes the socket when told to; other events on its id are ignored.
func (i *identity) Deliver(b *pubsub.Batch) {
	for m := range b.For(i) {
		if m.Event == "disconnect" {
			i.socket.Close()
			return
		}
	}
}

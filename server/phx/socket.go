package phx

import (
	"cmp"
	"slices"
	"sync"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/wire"
)

// A Socket is one client session: a connection with the channels on it.
type Socket struct {
	transport transport     // immutable
	mount     *mount        // immutable
	codec     *codec        // immutable
	decoder   frame.Decoder // loop only

	id      string         // set in Connect only
	assigns map[string]any // set in Connect only

	mu       sync.Mutex // guards the rest
	channels []*Channel // few: looked through one by one
	self     *identity  // subscription to id, or nil
	closing  bool       // a Close frame was sent: nothing from the client counts any more
	why      Reason     // what the channels are told when the connection ends
}

// SetID gives the socket an id, such as "users_socket:7": a broadcast of
// "disconnect" to that topic closes the sockets with it (spec §4.3). It is for
// Mount.Connect only.
func (s *Socket) SetID(id string) { s.id = id }

// ID is what SetID was given.
func (s *Socket) ID() string { return s.id }

// Assign keeps a value under a key for all channels of the socket. It is for
// Mount.Connect only.
func (s *Socket) Assign(key string, value any) {
	if s.assigns == nil {
		s.assigns = make(map[string]any)
	}
	s.assigns[key] = value
}

// Value is what is kept under a key, or nil.
func (s *Socket) Value(key string) any { return s.assigns[key] }

// Transport is how the client is connected: "websocket" or "longpoll".
func (s *Socket) Transport() string {
	if _, ok := s.transport.(*poller.Conn); ok {
		return "websocket"
	}
	return "longpoll"
}

// Endpoint is the endpoint that the socket is connected to.
func (s *Socket) Endpoint() *Endpoint { return s.mount.endpoint }

// open is called when the connection stands. It returns who takes its events.
func (s *Socket) open() poller.Handler {
	if s.id != "" {
		s.self = &identity{socket: s}
		s.mount.endpoint.pubsub.Subscribe(s.id, s.self)
	}
	if s.mount.Raw != nil {
		return openRaw(s)
	}
	return s
}

// Timeout closes a connection that nothing has come in from; see poller.Handler.
func (s *Socket) Timeout(*poller.Conn) {
	s.close(ws.StatusProtocolError, "idle timeout", Closed) // the code is Bandit's, spec §1.8
}

// Closed ends the channels of a connection that is gone; see poller.Handler.
func (s *Socket) Closed(_ *poller.Conn, err error) {
	s.mu.Lock()
	s.why = cmp.Or(s.why, Closed)
	channels, self, why := s.channels, s.self, s.why
	s.channels, s.self, s.closing = nil, nil, true
	s.mu.Unlock()
	if self != nil {
		s.mount.endpoint.pubsub.Unsubscribe(self)
	}
	for _, ch := range channels {
		ch.disconnected(why)
	}
	s.mount.endpoint.log.Debug("socket closed", "mount", s.mount.Path, "id", s.id, "why", why, "err", err)
}

// Close closes the connection with 1001, "going away": the client will
// reconnect. Its channels terminate with reason Disconnected.
func (s *Socket) Close() { s.close(ws.StatusGoingAway, "", Disconnected) }

// close sends a Close frame, once, and ends the connection.
func (s *Socket) close(code ws.StatusCode, reason string, why Reason) {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return
	}
	s.closing, s.why = true, why
	s.mu.Unlock()
	s.transport.Finish(frame.AppendClose(nil, code, reason)) // with nothing behind it
}

// receive routes one message by the table of spec §1.10. m is lent.
func (s *Socket) receive(m wire.Message) {
	if m.Topic == "phoenix" && m.Event == "heartbeat" {
		s.reply("", m.Ref, m.Topic, "ok", wire.Payload{})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.routeLocked(m)
}

func (s *Socket) routeLocked(m wire.Message) {
	if s.closing { // also after Closed: nobody would end a channel joined now
		return
	}
	if ch := s.findLocked(m); ch != nil {
		ch.receiveLocked(m)
		return
	}
	switch m.Event {
	case "phx_join":
		if ch := s.openLocked(m, nil); ch != nil {
			ch.start()
		}
	case "phx_leave":
		s.reply(m.JoinRef, m.Ref, m.Topic, "ok", wire.Payload{})
	default:
		s.unmatched(m)
	}
}

func (s *Socket) findLocked(m wire.Message) *Channel {
	if m.RawTopic != nil {
		return nil
	}
	for _, ch := range s.channels {
		if ch.topic == m.Topic {
			return ch
		}
	}
	return nil
}

// openLocked makes the channel of a join, which is not started yet, or answers
// why there is none. replaces is the channel whose place it takes, or nil.
func (s *Socket) openLocked(m wire.Message, replaces *Channel) *Channel {
	var route *Route
	if m.RawTopic == nil {
		route = s.mount.route(m.Topic)
	}
	switch {
	case route == nil:
		s.mount.endpoint.log.Warn("join of a topic without a route", "mount", s.mount.Path, "topic", m.Topic)
		s.unmatched(m)
		return nil
	case len(s.channels) >= s.mount.MaxChannels:
		s.mount.endpoint.log.Warn("too many channels on one socket", "mount", s.mount.Path, "max", s.mount.MaxChannels,
			"fix", "raise Mount.MaxChannels if clients may have more")
		s.reply(m.JoinRef, m.Ref, m.Topic, "error", reason("too many channels joined"))
		return nil
	}
	ch := newChannel(s, route, m.Clone(), replaces)
	s.channels = append(s.channels, ch)
	return ch
}

func (s *Socket) removeLocked(ch *Channel) {
	if i := slices.Index(s.channels, ch); i >= 0 {
		s.channels = slices.Delete(s.channels, i, i+1)
	}
}

// unmatched answers a message for a topic that is not joined, with a null
// join_ref so that the client's push gets it (spec §1.10).
func (s *Socket) unmatched(m wire.Message) {
	if m.RawTopic == nil {
		s.reply("", m.Ref, m.Topic, "error", reason("unmatched topic"))
		return
	}
	if raw, ok := s.codec.Serializer.(wire.RawTopicReplier); ok {
		s.encode(func(dst []byte) ([]byte, bool, error) {
			return raw.AppendRawTopicReply(dst, "", m.Ref, m.RawTopic, "error", reason("unmatched topic"))
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

// identity is a socket's subscription to its id.
type identity struct {
	socket *Socket
	handle pubsub.Subscription
}

func (i *identity) Subscription() *pubsub.Subscription { return &i.handle }

// Deliver closes the socket when told to; other events on its id are ignored.
func (i *identity) Deliver(b *pubsub.Batch, first int) {
	for _, m := range b.Messages[first:] {
		if m.Event == "disconnect" {
			i.socket.Close()
			return
		}
	}
}

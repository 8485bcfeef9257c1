package phx

import (
	"compress/flate"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/roost-rt/roost/server/internal/origins"
	"github.com/roost-rt/roost/server/wire"
)

// A Mount is a path at which clients connect, with the routes and limits that
// apply there.
type Mount struct {
	// Path is the path of the mount, such as "/socket". Clients append the name of
	// the transport, "/websocket", themselves. Segments that start with a colon,
	// as in "/socket/:org", are variables: Connect gets them as parameters.
	Path string

	// Connect decides whether a client may connect, and may give its socket an id and
	// assigns. It runs on the worker pool before the WebSocket is upgraded. A
	// RefuseError is answered with its status, any other error with 403. The request's
	// context ends when the client hangs up, HandshakeTimeout has passed, the endpoint
	// stops or Connect has returned; context.Cause is ErrClosed, poller.ErrTimeout or
	// poller.ErrStopped. Socket.Context lasts longer. Nil accepts everyone.
	Connect func(s *Socket, params Params, r *http.Request) error

	// Routes map topics to types; the first match wins (spec §4.2).
	Routes []Route

	// Raw, instead of Routes, makes this a mount of plain WebSocket messages.
	Raw *RawType

	// Origins lists the web pages that may connect: those from "//example.com" (any
	// scheme and port), "https://example.com" (only its default port),
	// "//example.com:8080", "//*.example.com" (it and all its subdomains), SelfOrigin
	// or AnyOrigin. Nil means pages of Config.Host or, if that is empty, of the host
	// and port that the request is for. Programs that are not browsers send no Origin
	// header and are always allowed (spec §1.4).
	Origins []string

	// CheckOrigin decides instead of Origins. host is the Host header. An opaque
	// origin, "null", has no Host. It runs on the worker pool, as Connect does.
	CheckOrigin func(origin *url.URL, host string) bool

	// AuthToken lets clients send a token outside the URL, and so outside logs: the
	// authToken option of the official client. Connect gets it from AuthToken(r).
	AuthToken bool

	// Sessions gives Connect the sessions of pages: see Session. Nil disables it.
	Sessions *Sessions

	// Subprotocols are the supported WebSocket subprotocols. The first one that the
	// client offers is chosen; clients that offer only others are refused. Nil ignores
	// the client's offers.
	Subprotocols []string

	// Serializers are the supported versions of the protocol. The first match of the
	// client's vsn wins: "2.0.0" serves 2.0.x. Nil means wire.V1 and wire.V2. Those of
	// other modules are called where callbacks run, and each broadcast is encoded by its
	// publisher for those that have had a client; one that waits, panics or calls
	// runtime.Goexit harms its own clients, and who publishes what it cannot encode.
	Serializers []wire.Serializer

	// Idle is how long a connection may receive nothing before it is closed. Official
	// clients send a heartbeat every 30 s. Zero means 60 s.
	Idle time.Duration

	// MaxChannels is how many topics one socket may join. Zero means 100.
	MaxChannels int

	// MailboxMax is how many messages, of 16 MiB together, may wait for one channel.
	// Further messages are answered with the error "overloaded". Zero means 1024.
	MailboxMax int

	// MaxFrame and MaxMessage are the largest frame and message in bytes; larger
	// ones close the connection with 1009. Zero means 10,000,000 and 8,000,000.
	MaxFrame, MaxMessage int64

	// MaxField is the greatest length in bytes of each of a message's topic, event, ref
	// and join_ref; refs include the quotes that they have in JSON. A longer one closes
	// the connection with 1008. Binary frames of version 2 cannot hold more than 255
	// anyway. Zero means 1024.
	MaxField int

	// Rates limits how fast the client of a socket may send. The zero Rates are far
	// beyond the needs of people and most programs.
	Rates Rates

	// SkipUTF8 passes text that is not UTF-8 to the JSON decoder. The default closes
	// the connection with 1007, as RFC 6455 §8.1 asks.
	SkipUTF8 bool

	// Deflate enables permessage-deflate for clients that offer it. Nil disables it.
	Deflate *Deflate

	// WebSocketPath is the path of WebSockets below Path. Empty means "/websocket"; Off
	// disables them.
	WebSocketPath string

	// Drain says how sockets are closed when the endpoint shuts down. It is called at
	// that time. Nil means the zero Drain, which is paced.
	Drain func() Drain

	// LogConnect is the level at which the log reports clients that connect or are
	// refused, and the progress of a drain. LogOff logs no line; nil means
	// slog.LevelInfo.
	LogConnect slog.Leveler

	// LongPoll enables long polling, for clients behind proxies that block WebSocket.
	// Nil disables it.
	LongPoll *LongPoll
}

// Off as a path disables whatever would be served there.
const Off = "-"

// Deflate configures compression of messages (RFC 7692), each on its own: no
// connection keeps a window, and a broadcast is compressed once for all
// clients.
type Deflate struct {
	// Level is one of compress/flate. Zero means flate.BestSpeed.
	Level int

	// MinSize is the size in bytes of the smallest message that is compressed. Zero
	// means 128.
	MinSize int

	// MaxInflateRatio guards against decompression bombs: a message of n compressed
	// bytes may become 64 KiB + n*MaxInflateRatio, or the connection is closed with
	// 1009. Zero means 100; 1032, the highest possible ratio, is no guard.
	MaxInflateRatio int
}

// LongPoll configures long polling, for clients without WebSocket (spec §3). A
// session lives on the node that made it. With [Config.Adapter], and the same
// [Config.Secret] and mounts on all nodes, its client may ask any of them: the
// request crosses to the session's node, and the answer returns the same way.
// Without an adapter, the load balancer must bring all requests of a client to
// the same node.
type LongPoll struct {
	// Path is the path of long polling below Mount.Path. Empty means "/longpoll".
	Path string

	// Window is how long a request waits for messages before it is answered that there
	// are none. Official clients give up after 20 s. A session ends when its client has
	// not polled for one and a half to three windows. Zero means 10 s.
	Window time.Duration

	// MaxSessions is how many sessions there may be at a time, of one address (in IPv6
	// a /64 network) as many as are free, so half of them at most. Further clients are
	// turned away, and come back later. Trusted proxies are not counted. Zero means
	// 100,000.
	MaxSessions int

	// NodeTimeout is how long another node may take to acknowledge a request, or to
	// send the next part of it. Within that time the request is sent four times, and
	// taken once. A node that does not answer is taken for dead: then a GET makes a new
	// session, and a POST, whose messages may have been taken, is answered 408. Zero
	// means 2 s. (Phoenix calls it pubsub_timeout_ms.)
	NodeTimeout time.Duration
}

// A Route maps the joins of some topics to a type of channel.
type Route struct {
	// Pattern is a topic, or a prefix of topics and "*".
	Pattern string
	Type    *ChannelType

	// Assigns are given to every channel of this route.
	Assigns map[string]any
}

// check finds what is wrong with m, which is called field. seen has the paths of
// the mounts before it.
func (m *Mount) check(field string, seen map[string]string, notNegative func(field string, value int64)) error {
	var errs []error
	errs = append(errs, m.checkPaths(field, seen)...)
	if _, err := origins.New(m.Origins, "", nil); err != nil {
		errs = append(errs, fmt.Errorf("%s.Origins: %w", field, err))
	}
	if m.Origins != nil && m.CheckOrigin != nil {
		errs = append(errs, fmt.Errorf("%s has both Origins and CheckOrigin: which of them is to decide?", field))
	}
	switch s := m.Sessions; {
	case s == nil:
	case s.Tokens == nil:
		errs = append(errs, fmt.Errorf("%s.Sessions.Tokens is nil: sessions must be signed", field))
	case s.SkipCSRF && slices.Contains(m.Origins, AnyOrigin):
		errs = append(errs, fmt.Errorf("%s allows AnyOrigin and Sessions.SkipCSRF: any page could act for its visitors; keep one of the two checks", field))
	}
	if m.Raw != nil && (m.Routes != nil || m.Serializers != nil) {
		errs = append(errs, fmt.Errorf("%s has Raw and also Routes or Serializers: raw messages know neither", field))
	}
	if m.Raw != nil {
		notNegative(field+".Raw.Timeout", int64(m.Raw.Timeout))
		if slices.ContainsFunc(m.Raw.Middleware, func(m RawMiddleware) bool { return m == nil }) {
			errs = append(errs, fmt.Errorf("%s.Raw.Middleware has one that is nil: leave it out", field))
		}
	}
	for _, s := range m.Serializers {
		if s == nil || !wire.Serves(s, s.Version()) {
			errs = append(errs, fmt.Errorf("%s.Serializers has %T, whose version is not of the form 1.2.3", field, s))
		}
	}
	if d := m.Deflate; d != nil {
		notNegative(field+".Deflate.MinSize", int64(d.MinSize))
		notNegative(field+".Deflate.MaxInflateRatio", int64(d.MaxInflateRatio))
		if d.Level < flate.HuffmanOnly || d.Level > flate.BestCompression {
			errs = append(errs, fmt.Errorf("%s.Deflate.Level is %d: want one from %d to %d", field, d.Level, flate.HuffmanOnly, flate.BestCompression))
		}
	}
	if lp := m.LongPoll; lp != nil {
		notNegative(field+".LongPoll.Window", int64(lp.Window))
		notNegative(field+".LongPoll.MaxSessions", int64(lp.MaxSessions))
		notNegative(field+".LongPoll.NodeTimeout", int64(lp.NodeTimeout))
	}
	notNegative(field+".Idle", int64(m.Idle))
	notNegative(field+".MaxChannels", int64(m.MaxChannels))
	notNegative(field+".MailboxMax", int64(m.MailboxMax))
	notNegative(field+".MaxField", int64(m.MaxField))
	notNegative(field+".MaxFrame", m.MaxFrame)
	notNegative(field+".MaxMessage", m.MaxMessage)
	for j, r := range m.Routes {
		errs = append(errs, r.check(fmt.Sprintf("%s.Routes[%d]", field, j)))
	}
	return errors.Join(errs...)
}

// check finds what is wrong with r, which is called field.
func (r Route) check(field string) error {
	prefix, _ := strings.CutSuffix(r.Pattern, "*")
	switch {
	case r.Pattern == "":
		return fmt.Errorf("%s.Pattern is empty: name a topic or, with a final *, a prefix of topics", field)
	case strings.Contains(prefix, "*"):
		return fmt.Errorf("%s.Pattern is %q: only one * at the end is possible", field, r.Pattern)
	case r.Type == nil:
		return fmt.Errorf("%s.Type is nil: give the channels of %q a type", field, r.Pattern)
	case r.Type.StopTimeout < 0:
		return fmt.Errorf("%s.Type.StopTimeout is %d: it must not be negative; zero is the default", field, r.Type.StopTimeout)
	case r.Type.Timeout < 0:
		return fmt.Errorf("%s.Type.Timeout is %d: it must not be negative; zero is no limit", field, r.Type.Timeout)
	case slices.ContainsFunc(r.Type.Middleware, func(m Middleware) bool { return m == nil }):
		return fmt.Errorf("%s.Type.Middleware has one that is nil: leave it out", field)
	case len(r.Type.Intercept) > 0 && r.Type.Out == nil:
		return fmt.Errorf("%s.Type has Intercept but no Out to intercept with", field)
	}
	return nil
}

// matches reports whether the route takes a topic.
func (r *Route) matches(topic string) bool {
	if prefix, ok := strings.CutSuffix(r.Pattern, "*"); ok {
		return strings.HasPrefix(topic, prefix)
	}
	return r.Pattern == topic
}

package phx

import (
	"cmp"
	"compress/flate"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/internal/origins"
	"github.com/roost-rt/roost/server/wire"
)

// A Config describes an endpoint. The zero value of each field is usable.
type Config struct {
	// Addr is the host:port that Start listens on; New does not. Port 0 picks a free
	// one; see Endpoint.Addr. "unix:/run/roost.sock" is a Unix socket, whose file must
	// not exist yet; see Endpoint.Serve. Empty means "127.0.0.1:4000". Off listens
	// nowhere.
	Addr string

	// TLS makes the endpoint speak https and wss at Addr, and on the listeners of
	// Serve, with the certificates in it; GetCertificate may change them while it
	// runs. Its callbacks may wait: they run on a pool of their own. Of ALPN only
	// http/1.1 is spoken. Connect and HTTP find in r.TLS what a handshake has agreed
	// on, and the client's certificate. An idle connection takes some 4 KB more than
	// without TLS, and a broadcast is encrypted for each. Nil means http and ws.
	TLS *tls.Config

	// Host is the public name of the server, such as "example.com": pages from
	// there may connect, whatever their scheme and port (see Mount.Origins).
	// Empty means whatever name requests are for.
	Host string

	// Hosts are the hosts that requests may be for, names or addresses without
	// port, beside Host, localhost and what is below it, and loopback addresses.
	// Others are answered 421, by mounts and HTTP alike; AnyHost allows all. Nil
	// allows all, too, but where the endpoint listens at a loopback address, such as
	// that of the zero Addr, no others: else any web page could reach it from the
	// browser of a developer, by a name that it makes resolve to 127.0.0.1 (DNS
	// rebinding). A proxy on the same machine passes the public name on: name it here,
	// or in Host.
	Hosts []string

	// Mounts are the paths at which clients connect.
	Mounts []Mount

	// HTTP answers requests that are for no mount, with a goroutine for each
	// connection, at most MaxHTTP of them. EndpointOf tells it the endpoint. Reading a
	// body fails when the client is too slow, see IncomingTimeout, and writing when it
	// does not read, see WriteTimeout; streams may be silent, and a hijacked
	// connection has no limits. Nil answers 404.
	HTTP http.Handler

	// MaxHTTP is how many connections HTTP may hold; more get 503. One that waits for
	// its next request is closed when another needs its place, the longest idle first.
	// The requests of one client's address (of IPv6: a /64 network) have at most as
	// many places as are free: half of them, or less when there are others. Those that
	// trusted proxies bring count by client. Zero means 1024.
	MaxHTTP int

	// ReadyPath, such as "/ready", is where the event loop itself answers whether
	// clients are welcome: 200, or 503 when Endpoint.Ready has an error. That takes no
	// place of MaxHTTP. Empty means nowhere.
	ReadyPath string

	// MaxConns is how many connections there may be, give or take one for each
	// event loop. More are answered 503 with Retry-After, or just closed if they
	// speak TLS, and counted in Stats.Refused. Zero means as many as the limit of
	// open files allows, less 64. Connections that shake hands for TLS count.
	MaxConns int

	// MaxConnsPerIP is how many connections a client's address may have: an IPv4
	// address, or a /64 network of IPv6. More are refused as beyond MaxConns. Those
	// that trusted proxies bring count by client once they are WebSockets. An
	// address may stand for a whole company, or for a proxy that is not in
	// TrustedProxies: zero, the default, means no limit. With one, each socket takes
	// about 100 bytes more.
	MaxConnsPerIP int

	// AcceptRate is how many connections are accepted in a second, which may all
	// come at once. More are refused as beyond MaxConns. Zero means no limit.
	AcceptRate int

	// TrustedProxies are the proxies in front of this server. What they say in
	// ProxyHeader about who a request comes from is what Socket.RemoteAddr and
	// Connect's and HTTP's requests show, with port 0 if they name none. Nil means
	// that nobody is believed.
	TrustedProxies []netip.Prefix

	// ProxyHeader is the header in which the trusted proxies write addresses:
	// "X-Forwarded-For" or "Forwarded" (RFC 7239). Only the one that they do write
	// can be believed; clients may send the other. Empty means X-Forwarded-For.
	ProxyHeader string

	// ProxyProtocol makes every connection of a trusted proxy begin with a header of
	// the PROXY protocol, version 2, before TLS; one without is closed. From
	// anybody else such a header is a malformed request. False means that nobody sends
	// it.
	ProxyProtocol bool

	// Loops is the number of event loops. Zero means one for every two
	// processors.
	Loops int

	// Workers is how many callbacks run at the same time, not counting those that
	// have run for 20 ms: they wait for something, and others go on. As many again may
	// run of Connect and CheckOrigin. Zero means 64 for each processor.
	Workers int

	// MaxWorkers is how many callbacks run at the same time in all, and as many of
	// Connect and CheckOrigin, and of TLS handshakes, of which those of one address
	// may be an eighth. One that waits costs the stack of a goroutine, some
	// 10 KB. Zero means 10,000, or Workers if that is more; as many as Workers
	// means that a callback holds up others however long it runs.
	MaxWorkers int

	// SocketShare is how many callbacks of one socket may have run for 20 ms
	// before its others wait for them. Zero means 16.
	SocketShare int

	// Overdue is how long a callback may run before the log says so, once, with its
	// stack. Zero means 5 s.
	Overdue time.Duration

	// OutboundHigh is how many bytes may wait for one client, beyond what the
	// kernel holds, while it is listened to. A client that is owed more is not read
	// from, and its callbacks wait, until it has taken half of that. It shrinks as
	// the backlog grows: to 1 MiB when that is half of BacklogMax, to 64 KiB when it
	// is all. Zero means 16 MiB, or OutboundMax if that is less.
	OutboundHigh int

	// OutboundMax is how many bytes may wait for one client at all: broadcasts of
	// others and pushes of a callback go on. One that is sent more is closed as a
	// slow consumer, with code 1013. Zero means four times MaxPayload.
	OutboundMax int

	// WriteTimeout closes a client as a slow consumer, with code 1013, when bytes
	// wait for it and it takes none for so long. It is at least 1 s. Zero means 10 s.
	// It also is how long a client may take for each 64 KiB that HTTP writes, unless
	// HTTP sets a deadline of its own; see http.ResponseController.
	WriteTimeout time.Duration

	// BacklogMax is how many bytes may wait for all clients together, a broadcast
	// counted once. While it is more, clients that are owed more than 64 KiB are
	// closed as slow consumers when more is sent to them, or when they take nothing
	// for a fifth of WriteTimeout. Zero means 256 MiB.
	BacklogMax int

	// IncomingMax is how many bytes may be held of messages, and of bodies of long
	// polling, that are not whole or not decoded yet, of all clients together. A
	// client that sends more is closed with 1013, or answered with status 503; up to
	// 4 KiB each always have room. Zero means 256 MiB.
	IncomingMax int

	// IncomingTimeout is how long a message or body may take to come, and one second
	// more for every IncomingRate bytes that have come of it. Then the client is
	// closed with 1008, or disconnected. Zero means 10 s and 16 KiB.
	IncomingTimeout time.Duration
	IncomingRate    int

	// BodyTimeout is how long the body of a request to HTTP may take to come, however
	// much of it comes; IncomingTimeout and IncomingRate hold for it, too. The time
	// that HTTP itself takes to read it does not count. Zero means 1 h.
	BodyTimeout time.Duration

	// MailboxesMax is how many bytes of client messages may wait for callbacks, or be
	// with them, of all clients together. More, and joins, are answered with the error
	// "overloaded", or close a raw socket with 1008; up to 64 KiB for each channel and
	// each raw socket always have room. Broadcasts do not count. Zero means 256 MiB.
	MailboxesMax int

	// SendBuffer is SO_SNDBUF of each connection in bytes. Zero means 64 KiB.
	SendBuffer int

	// MaxPending is how many bytes of broadcasts, each counted once, may wait on
	// this node until the last of their receivers has them. Beyond it Broadcast
	// fails with pubsub.ErrOverloaded, and before that for a topic that holds more
	// than what is left. Zero means 64 MiB.
	MaxPending int

	// MaxPayload is the largest payload in bytes, together with its topic and event,
	// that is sent to clients. A push, reply or broadcast of more fails with
	// ErrTooLarge; one that comes from another node is dropped and counted in
	// pubsub.AdapterStats.Invalid. Zero means 16 MiB or, if that is more, the
	// largest Mount.MaxMessage.
	MaxPayload int

	// HandshakeTimeout is how long a client may take for its TLS handshake, if there
	// is one, and for its HTTP request. Zero means 10 s.
	HandshakeTimeout time.Duration

	// DrainTimeout is how long Shutdown waits for connections, requests and sessions
	// that have not ended, once the last socket was told to go; see Mount.Drain. Its
	// context may end sooner. Half of that is what clients have for the rest of their
	// bodies, and for each 64 KiB of an answer. Zero means 30 s.
	DrainTimeout time.Duration

	// Secret signs what clients carry for the endpoint: the session tokens of long
	// polling. At least 20 random bytes. Empty means one of the endpoint's own, so
	// that sessions of another process are not known here.
	Secret string `json:"-"`

	// Adapter is the way to the other nodes of a cluster: broadcasts reach the
	// clients of all of them. Package pubsub/cluster has one. The endpoint starts
	// and closes it. Nil means that there are no others.
	Adapter pubsub.Adapter `json:"-"`

	// Logger gets connects, joins and client messages at the levels of
	// Mount.LogConnect, ChannelType.LogJoin and LogIn, what else clients do wrong at
	// slog.LevelInfo at most, what operators should mend as warnings, crashes of
	// callbacks as errors. Nobody waits for its handler: up to 1 MiB of lines wait
	// for it, more are dropped and counted in the next one, and Shutdown gives it a
	// second for the rest. It gets texts cut to 512 bytes; see [asynclog.Handler].
	// A logger whose handler is an asynclog.Handler is used as it is, and its owner
	// closes it. Nil means slog.Default().
	Logger *slog.Logger

	// LogRate is how many lines of one kind, which is level and text, Logger gets in
	// a second, averaged over ten: ten seconds' worth may come at once. More are left
	// out, and the next line of that kind says how many ("suppressed"). Zero means
	// 100.
	LogRate int

	// Filter says what parameters and payloads the log may show. Zero hides what is
	// secret by its name; see Filter.Discard.
	Filter Filter

	// Telemetry is told what happens; JoinTelemetry makes one of several. Nil tells
	// nobody, and costs nothing.
	Telemetry *Telemetry
}

// A Mount is a path at which clients connect, with what they find there.
type Mount struct {
	// Path is the path of the mount, such as "/socket". Clients append the name of
	// the transport, "/websocket", themselves. Segments that start with a colon,
	// as in "/socket/:org", are variables: Connect gets them as parameters.
	Path string

	// Connect decides whether a client may connect, and may give its socket an
	// id and assigns. It runs on the worker pool before the WebSocket is
	// upgraded. A RefuseError is answered with its status, any other error with
	// 403. The request's context ends when the client hangs up, HandshakeTimeout has
	// passed or the endpoint stops, and when Connect has returned; context.Cause is
	// ErrClosed, poller.ErrTimeout or poller.ErrStopped. Socket.Context lasts longer.
	// Nil accepts everybody.
	Connect func(s *Socket, params Params, r *http.Request) error

	// Routes say which topics there are, first match wins (spec §4.2).
	Routes []Route

	// Raw, instead of Routes, makes this a mount of plain WebSocket messages.
	Raw *RawType

	// Origins says which web pages may connect: those from "//example.com" (any
	// scheme and port), "https://example.com" (its port, too), "//example.com:8080"
	// or "//*.example.com" (it and all below), SelfOrigin or AnyOrigin. Nil
	// means pages of Config.Host or, if that is empty, of the host and port that
	// the request is for. Programs that are not browsers send no Origin header and
	// are always allowed (spec §1.4).
	Origins []string

	// CheckOrigin decides instead of Origins. host is the Host header. An opaque
	// origin, "null", has no Host. It runs on the worker pool, as Connect does.
	CheckOrigin func(origin *url.URL, host string) bool

	// AuthToken lets clients send a token that is in no URL and so in no log: the
	// authToken option of the official client. Connect gets it from AuthToken(r).
	AuthToken bool

	// Sessions gives Connect the sessions of pages: see Session. Nil is off.
	Sessions *Sessions

	// Subprotocols are those of WebSocket that are spoken: the first that the
	// client offers is chosen; clients that offer only others are refused. Nil
	// ignores what they offer.
	Subprotocols []string

	// Serializers are the versions of the protocol, first match of the client's
	// vsn wins: "2.0.0" serves 2.0.x. Nil means wire.V1 and wire.V2.
	Serializers []wire.Serializer

	// Idle is how long nothing may come in before the connection is closed.
	// Official clients send a heartbeat every 30 s. Zero means 60 s.
	Idle time.Duration

	// MaxChannels is how many topics one socket may join. Zero means 100.
	MaxChannels int

	// MailboxMax is how many messages, of 16 MiB together, may wait for one
	// channel. More are answered with the error "overloaded". Zero means 1024.
	MailboxMax int

	// MaxFrame and MaxMessage are the largest frame and message in bytes; larger
	// ones close the connection with 1009. Zero means 10,000,000 and 8,000,000.
	MaxFrame, MaxMessage int64

	// MaxField is how long the topic, the event, the ref and the join_ref of a
	// message may each be, in bytes; refs count with the quotes that they have in
	// JSON. A longer one closes the connection with 1008. Binary frames of version
	// 2 have no room for more than 255 anyway. Zero means 1024.
	MaxField int

	// Rates are how fast the client of a socket may send. The zero Rates are far
	// beyond what people and most programs do.
	Rates Rates

	// SkipUTF8 lets text that is no UTF-8 through to the JSON decoder. The
	// default closes the connection with 1007, as RFC 6455 §8.1 asks.
	SkipUTF8 bool

	// Deflate turns permessage-deflate on for clients that offer it. Nil is off.
	Deflate *Deflate

	// WebSocketPath is where below Path WebSockets are. Empty means "/websocket",
	// Off that there are none.
	WebSocketPath string

	// Drain says how sockets are closed when the endpoint shuts down. It is asked
	// then. Nil means the zero Drain, which is paced.
	Drain func() Drain

	// LogConnect is the level at which clients that connect or are refused are
	// logged, and the progress of a drain. LogOff is no line at all, nil
	// slog.LevelInfo.
	LogConnect slog.Leveler

	// LongPoll turns long polling on, for clients behind proxies that let no
	// WebSocket through. Nil is off.
	LongPoll *LongPoll
}

// Off as a path switches off what would be there.
const Off = "-"

// Deflate says how messages are compressed (RFC 7692), each on its own: no
// connection keeps a window, and a broadcast is compressed once for everybody.
type Deflate struct {
	// Level is one of compress/flate. Zero means flate.BestSpeed.
	Level int

	// MinSize is the smallest message in bytes that is compressed. Zero means 128.
	MinSize int

	// MaxInflateRatio guards against bombs: a message of n compressed bytes may
	// become 64 KiB + n*MaxInflateRatio, or the connection is closed with 1009.
	// Zero means 100; 1032, the most there can be, is no guard.
	MaxInflateRatio int
}

// LongPoll says how clients without WebSocket are served (spec §3). Their sessions
// live in the process that made them: where there are several, the load balancer
// must bring all requests of a client to the same one. (So there is nothing to
// wait for, as Phoenix does with pubsub_timeout_ms.)
type LongPoll struct {
	// Path is where below Mount.Path it is. Empty means "/longpoll".
	Path string

	// Window is how long a request waits for messages before it is answered that
	// there are none. Official clients give up after 20 s. A session ends when
	// nobody has polled for one and a half to three windows. Zero means 10 s.
	Window time.Duration

	// MaxSessions is how many sessions there may be at a time. More are turned
	// away, and come back later. Zero means 100,000.
	MaxSessions int
}

// A Route sends the joins of some topics to a type of channel.
type Route struct {
	// Pattern is a topic, or a prefix of topics and "*".
	Pattern string
	Type    *ChannelType

	// Assigns are given to every channel of this route.
	Assigns map[string]any
}

// check finds what is wrong with c and fills in the defaults.
func (c *Config) check() error {
	c.Addr = cmp.Or(c.Addr, "127.0.0.1:4000")
	c.MaxHTTP = cmp.Or(c.MaxHTTP, 1024)
	c.ProxyHeader = cmp.Or(c.ProxyHeader, "X-Forwarded-For")
	c.Workers = cmp.Or(c.Workers, 64*runtime.GOMAXPROCS(0))
	c.MaxWorkers = cmp.Or(c.MaxWorkers, max(10_000, c.Workers))
	c.DrainTimeout = cmp.Or(c.DrainTimeout, 30*time.Second)
	c.HandshakeTimeout = cmp.Or(c.HandshakeTimeout, 10*time.Second)
	c.Secret = cmp.Or(c.Secret, rand.Text()+rand.Text())
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.HTTP == nil {
		c.HTTP = http.NotFoundHandler()
	}
	var errs []error
	notNegative := func(field string, value int64) {
		if value < 0 {
			errs = append(errs, fmt.Errorf("%s is %d: it must not be negative; zero is the default", field, value))
		}
	}
	if t := c.TLS; t != nil && len(t.Certificates) == 0 && t.GetCertificate == nil && t.GetConfigForClient == nil {
		errs = append(errs, errors.New("TLS has no certificate: set its Certificates, as with tls.LoadX509KeyPair, or GetCertificate"))
	}
	notNegative("MaxHTTP", int64(c.MaxHTTP))
	if c.ReadyPath != "" && !strings.HasPrefix(c.ReadyPath, "/") {
		errs = append(errs, fmt.Errorf("ReadyPath is %q: it must start with /, such as /ready", c.ReadyPath))
	}
	notNegative("MaxConns", int64(c.MaxConns))
	notNegative("MaxConnsPerIP", int64(c.MaxConnsPerIP))
	notNegative("AcceptRate", int64(c.AcceptRate))
	errs = append(errs, c.checkProxies(), checkHosts(c.Hosts))
	notNegative("Loops", int64(c.Loops))
	notNegative("Workers", int64(c.Workers))
	notNegative("MaxWorkers", int64(c.MaxWorkers))
	notNegative("SocketShare", int64(c.SocketShare))
	notNegative("Overdue", int64(c.Overdue))
	if 0 <= c.MaxWorkers && c.MaxWorkers < c.Workers {
		errs = append(errs, fmt.Errorf("MaxWorkers is %d, fewer than the %d Workers: want at least as many; zero is the default", c.MaxWorkers, c.Workers))
	}
	notNegative("OutboundHigh", int64(c.OutboundHigh))
	notNegative("OutboundMax", int64(c.OutboundMax))
	notNegative("WriteTimeout", int64(c.WriteTimeout))
	notNegative("BacklogMax", int64(c.BacklogMax))
	notNegative("IncomingMax", int64(c.IncomingMax))
	notNegative("MailboxesMax", int64(c.MailboxesMax))
	notNegative("IncomingTimeout", int64(c.IncomingTimeout))
	notNegative("BodyTimeout", int64(c.BodyTimeout))
	notNegative("IncomingRate", int64(c.IncomingRate))
	notNegative("SendBuffer", int64(c.SendBuffer))
	notNegative("MaxPending", int64(c.MaxPending))
	notNegative("MaxPayload", int64(c.MaxPayload))
	notNegative("HandshakeTimeout", int64(c.HandshakeTimeout))
	notNegative("DrainTimeout", int64(c.DrainTimeout))
	notNegative("LogRate", int64(c.LogRate))
	errs = append(errs, c.Filter.check())
	if n := len(c.Secret); n > 0 && n < 20 {
		errs = append(errs, fmt.Errorf("the Secret has %d bytes: want at least 20 random ones, or none", n))
	}
	seen := map[string]string{c.ReadyPath: "ReadyPath"} // paths
	maxPayload := 16 << 20
	for i := range c.Mounts {
		maxPayload = max(maxPayload, int(c.Mounts[i].MaxMessage))
		errs = append(errs, c.Mounts[i].check(fmt.Sprintf("Mounts[%d]", i), seen, notNegative))
	}
	c.MaxPayload = cmp.Or(c.MaxPayload, maxPayload)
	c.OutboundMax = cmp.Or(c.OutboundMax, 4*c.MaxPayload)
	if c.OutboundHigh = cmp.Or(c.OutboundHigh, min(16<<20, c.OutboundMax)); c.OutboundHigh > c.OutboundMax {
		errs = append(errs, fmt.Errorf("OutboundHigh is %d, more than OutboundMax, %d: clients would be closed before they are waited for", c.OutboundHigh, c.OutboundMax))
	}
	c.BacklogMax = cmp.Or(c.BacklogMax, 256<<20)
	c.IncomingMax = cmp.Or(c.IncomingMax, 256<<20)
	c.MailboxesMax = cmp.Or(c.MailboxesMax, 256<<20)
	c.IncomingTimeout = cmp.Or(c.IncomingTimeout, 10*time.Second)
	c.IncomingRate = cmp.Or(c.IncomingRate, 16<<10)
	c.BodyTimeout = cmp.Or(c.BodyTimeout, time.Hour)
	return errors.Join(errs...)
}

// checkProxies finds what is wrong with what c says of proxies.
func (c *Config) checkProxies() error {
	for i, prefix := range c.TrustedProxies {
		if !prefix.IsValid() {
			return fmt.Errorf("TrustedProxies[%d] is not valid: make it with netip.MustParsePrefix, such as 10.0.0.0/8", i)
		}
	}
	switch header := http.CanonicalHeaderKey(c.ProxyHeader); {
	case header != "X-Forwarded-For" && header != "Forwarded":
		return fmt.Errorf("ProxyHeader is %q: want X-Forwarded-For or Forwarded", c.ProxyHeader)
	case c.ProxyProtocol && len(c.TrustedProxies) == 0:
		return errors.New("ProxyProtocol is set but TrustedProxies is empty: name the proxies that send its headers")
	}
	return nil
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
		return fmt.Errorf("%s.Type is nil: what are channels of %q to do?", field, r.Pattern)
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

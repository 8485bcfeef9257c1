package phx

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/roost-rt/roost/pubsub"
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
	// rebinding). Below another server (ServeHTTP) that is so for what comes to a
	// loopback address (http.LocalAddrContextKey), unless the Addr of an http.Server
	// says that it listens at all, such as ":80". A proxy on the same machine passes
	// the public name on: name it here, or in Host.
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
	// polling. At least 20 random bytes, the same on all nodes of a cluster. Empty
	// means one of the endpoint's own, so that sessions of another process are not
	// known here.
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

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
	// Addr is the host:port that Start listens on; New ignores it. Port 0 picks a free
	// one; see Endpoint.Addr. "unix:/run/roost.sock" is a Unix socket, whose file must
	// not exist yet; see Endpoint.Serve. Empty means "127.0.0.1:4000". Off disables
	// listening.
	Addr string

	// TLS enables https and wss at Addr, and on the listeners of Serve, with its
	// certificates; GetCertificate may change them while the endpoint runs. Its
	// callbacks may block: they run on a pool of their own. ALPN offers only http/1.1.
	// Connect and HTTP find the results of the handshake, including the client's
	// certificate, in r.TLS. An idle connection takes some 4 KB more than without TLS,
	// and a broadcast is encrypted once for each client. Nil means http and ws.
	TLS *tls.Config

	// Host is the public name of the server, such as "example.com". Pages from there
	// may connect, whatever their scheme and port (see Mount.Origins). Empty means the
	// name in each request.
	Host string

	// Hosts are the hosts, names or addresses without port, that requests may name in
	// addition to Host, localhost and its subdomains, and loopback addresses. Other
	// requests are answered 421, by mounts and HTTP alike; AnyHost allows all. Nil also
	// allows all, unless the endpoint listens at a loopback address, such as the zero
	// Addr's: then it allows no others. Otherwise any web page could reach the endpoint
	// from a developer's browser, through a name that resolves to 127.0.0.1 (DNS
	// rebinding). Below another server (ServeHTTP), the same holds for requests to a
	// loopback address (http.LocalAddrContextKey), unless the Addr of an http.Server
	// says that it listens everywhere, such as ":80". A proxy on the same machine
	// forwards the public name: name it here, or in Host.
	Hosts []string

	// Mounts are the paths at which clients connect.
	Mounts []Mount

	// HTTP answers requests that are for no mount, with one goroutine for each
	// connection, and at most MaxHTTP connections. EndpointOf gives it the endpoint.
	// Reading a body fails when the client is too slow (see IncomingTimeout), and
	// writing fails when the client does not read (see WriteTimeout). Streams may be
	// silent, and a hijacked connection has no limits. Nil answers 404.
	HTTP http.Handler

	// MaxHTTP is how many connections HTTP may hold; more get 503. When another
	// connection needs a place, a connection waiting for its next request is closed,
	// the longest idle first. The requests of one client address (for IPv6, a /64
	// network) have at most as many places as are free: half of them, or less when
	// there are others. Requests through trusted proxies count by client. Zero means
	// 1024.
	MaxHTTP int

	// ReadyPath, such as "/ready", is where the event loop itself answers whether
	// clients are welcome: 200, or 503 when Endpoint.Ready has an error. It does not
	// use a place of MaxHTTP. Empty disables it.
	ReadyPath string

	// MaxConns is how many connections there may be, give or take one for each event
	// loop, including those in a TLS handshake. Further connections are answered 503
	// with Retry-After, or just closed if they speak TLS, and counted in Stats.Refused.
	// Zero means the limit of open files less 64.
	MaxConns int

	// MaxConnsPerIP is how many connections a client's address may have: an IPv4
	// address, or a /64 network of IPv6. Further ones are refused as with MaxConns.
	// Connections through trusted proxies count by client once they are WebSockets. An
	// address may stand for a whole company, or for a proxy that is not in
	// TrustedProxies, so zero, the default, means no limit. A limit costs about 100
	// bytes for each socket.
	MaxConnsPerIP int

	// AcceptRate is how many connections are accepted in a second, which may all arrive
	// at once. Further ones are refused as with MaxConns. Zero means no limit.
	AcceptRate int

	// TrustedProxies are the proxies in front of this server. Socket.RemoteAddr and the
	// requests of Connect and HTTP show the client address that they write in
	// ProxyHeader, with port 0 if they name none. Nil means that no proxy is trusted.
	TrustedProxies []netip.Prefix

	// ProxyHeader is the header in which the trusted proxies write addresses:
	// "X-Forwarded-For" or "Forwarded" (RFC 7239). Only the header that they write can
	// be trusted; clients may send the other. Empty means X-Forwarded-For.
	ProxyHeader string

	// ProxyProtocol requires every connection of a trusted proxy to begin with a header
	// of the PROXY protocol, version 2, before TLS; one without it is closed. From any
	// other peer such a header is a malformed request. False means that no proxy sends
	// it.
	ProxyProtocol bool

	// Loops is the number of event loops. Zero means one for every two processors.
	Loops int

	// Workers is how many callbacks run at the same time, not counting those that have
	// run for 20 ms: these are waiting for something, so others proceed. As many again
	// may run of Connect and CheckOrigin. Zero means 64 for each processor.
	Workers int

	// MaxWorkers is how many callbacks run at the same time in total. The same limit
	// applies separately to Connect and CheckOrigin, and to TLS handshakes; one address
	// may have an eighth of the handshakes. Each one that waits costs the stack of a
	// goroutine, some 10 KB. Zero means 10,000, or Workers if that is more. Setting it
	// to Workers means that a callback holds up others however long it runs.
	MaxWorkers int

	// SocketShare is how many callbacks of one socket may have run for 20 ms
	// before its others wait for them. Zero means 16.
	SocketShare int

	// Overdue is how long a callback may run before it is logged, once, with its stack.
	// Zero means 5 s.
	Overdue time.Duration

	// OutboundHigh is how many bytes may wait for one client, beyond those the kernel
	// holds, before the server stops reading from it. Above this limit its messages are
	// not read and its callbacks wait, until it has taken half of the limit. The limit
	// shrinks as the backlog grows: to 1 MiB when the backlog is half of BacklogMax, to
	// 64 KiB when it reaches BacklogMax. Zero means 16 MiB, or OutboundMax if that is
	// less.
	OutboundHigh int

	// OutboundMax is how many bytes may wait for one client in total: broadcasts of
	// others and pushes of a running callback continue beyond OutboundHigh. A client
	// above this limit is closed as a slow consumer, with code 1013. Zero means four
	// times MaxPayload.
	OutboundMax int

	// WriteTimeout closes a client as a slow consumer, with code 1013, when bytes wait
	// for it and it takes none for that long. It is at least 1 s. Zero means 10 s. It
	// is also how long a client may take for each 64 KiB that HTTP writes, unless HTTP
	// sets a deadline of its own; see http.ResponseController.
	WriteTimeout time.Duration

	// BacklogMax is how many bytes may wait for all clients together, counting a
	// broadcast once. Above this limit, a client that is owed more than 64 KiB is
	// closed as a slow consumer when more is sent to it, or when it takes nothing for a
	// fifth of WriteTimeout. Zero means 256 MiB.
	BacklogMax int

	// IncomingMax is how many bytes may be held, for all clients together, of messages
	// and long-polling bodies that are incomplete or not yet decoded. A client that
	// sends more is closed with 1013, or answered with status 503; up to 4 KiB for each
	// client always fit. Zero means 256 MiB.
	IncomingMax int

	// IncomingTimeout is how long a message or body may take to arrive, plus one second
	// for every IncomingRate bytes of it that have arrived. After that the client is
	// closed with 1008, or disconnected. Zero means 10 s and 16 KiB.
	IncomingTimeout time.Duration
	IncomingRate    int

	// BodyTimeout is how long the body of a request to HTTP may take to arrive,
	// whatever its size; IncomingTimeout and IncomingRate also apply. The time that
	// HTTP itself takes to read it does not count. Zero means 1 h.
	BodyTimeout time.Duration

	// MailboxesMax is how many bytes of client messages may wait for callbacks, or be
	// handled by them, for all clients together. Further messages, and joins, are
	// answered with the error "overloaded", or close a raw socket with 1008; up to 64
	// KiB for each channel and each raw socket always fit. Broadcasts do not count.
	// Zero means 256 MiB.
	MailboxesMax int

	// SendBuffer is SO_SNDBUF of each connection in bytes. Zero means 64 KiB.
	SendBuffer int

	// MaxPending is how many bytes of broadcasts, each counted once, may wait on this
	// node until their last receivers have them. Beyond it Broadcast fails with
	// pubsub.ErrOverloaded. It fails earlier for a topic that holds more than the space
	// left. Zero means 64 MiB.
	MaxPending int

	// MaxPayload is the size in bytes of the largest payload sent to clients, including
	// its topic and event. A larger push, reply or broadcast fails with ErrTooLarge;
	// one from another node is dropped and counted in pubsub.AdapterStats.Invalid. Zero
	// means 16 MiB or, if that is more, the largest Mount.MaxMessage.
	MaxPayload int

	// HandshakeTimeout is how long a client may take for its TLS handshake, if any, and
	// for its HTTP request. Zero means 10 s.
	HandshakeTimeout time.Duration

	// DrainTimeout is how long Shutdown waits for the remaining connections, requests
	// and sessions once the last socket was told to leave; see Mount.Drain. Shutdown's
	// context may end sooner. Clients have half of that time for the rest of their
	// bodies, and for each 64 KiB of an answer. Zero means 30 s.
	DrainTimeout time.Duration

	// Secret signs the session tokens of long polling, which clients carry for the
	// endpoint. Use at least 20 random bytes, the same on all nodes of a cluster. Empty
	// means a random secret, so sessions of another process are not known here.
	Secret string `json:"-"`

	// Adapter connects the other nodes of a cluster: broadcasts reach the clients of
	// all of them. Package pubsub/cluster has one. The endpoint starts and closes it.
	// Nil means that this node is alone.
	Adapter pubsub.Adapter `json:"-"`

	// Logger gets connects, joins and client messages at the levels of
	// Mount.LogConnect, ChannelType.LogJoin and LogIn; other mistakes of clients at
	// slog.LevelInfo at most; problems that operators should fix as warnings; and
	// crashes of callbacks as errors. Nothing waits for its handler: up to 1 MiB of
	// lines are queued for it, further lines are dropped and counted in the next one,
	// and Shutdown gives it a second for the rest. It gets texts cut to 512 bytes; see
	// asynclog.Handler. A logger whose handler is an asynclog.Handler is used as it is,
	// and its owner closes it. Nil means slog.Default().
	Logger *slog.Logger

	// LogRate is how many lines of one kind (level and text) Logger gets in a second,
	// averaged over ten seconds: ten seconds' worth may arrive at once. Further lines
	// are left out, and the next line of that kind gives their number ("suppressed").
	// Zero means 100.
	LogRate int

	// Filter decides which parameters and payloads the log may show. Its zero value
	// hides values whose names mark them as secret; see Filter.Discard.
	Filter Filter

	// Telemetry receives events; JoinTelemetry combines several. Nil costs nothing.
	Telemetry *Telemetry
}

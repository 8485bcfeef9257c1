package phx

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"time"

	"github.com/roost-rt/roost/server/frame"
)

// A Config describes an endpoint. The zero value of each field is usable.
type Config struct {
	// Addr is the host:port to listen on. Port 0 picks a free one; see
	// Endpoint.Addr. Empty means "127.0.0.1:4000".
	Addr string

	// Mounts are the paths at which clients connect.
	Mounts []Mount

	// HTTP answers requests that are for no mount, with a goroutine for each
	// connection, at most MaxHTTP of them. Nil answers 404.
	HTTP http.Handler

	// MaxHTTP is how many connections HTTP may hold; more get 503. Zero means
	// 1024.
	MaxHTTP int

	// Loops is the number of event loops. Zero means one for every two
	// processors.
	Loops int

	// Workers is how many callbacks run at the same time. Callbacks that block
	// (a database) want more of them. Zero means 64 for each processor.
	Workers int

	// OutboundMax is how many bytes may wait for one client, beyond what the
	// kernel holds, before it is closed as a slow consumer. Zero means 1 MiB.
	OutboundMax int

	// SendBuffer is SO_SNDBUF of each connection in bytes. Zero means 64 KiB.
	SendBuffer int

	// MaxPending is how many bytes of broadcasts may wait for delivery before
	// Broadcast fails with pubsub.ErrOverloaded. Zero means 64 MiB.
	MaxPending int

	// HandshakeTimeout is how long a client may take for its HTTP request. Zero
	// means 10 s.
	HandshakeTimeout time.Duration

	// Logger gets joins and refusals at debug level, crashes of callbacks at
	// error level. Nil means slog.Default().
	Logger *slog.Logger
}

// A Mount is a path at which clients connect, with what they find there.
type Mount struct {
	// Path is the path of the mount, such as "/socket". Clients append
	// "/websocket" themselves.
	Path string

	// Connect decides whether a client may connect, and may give its socket an
	// id and assigns. It runs on the worker pool before the WebSocket is
	// upgraded. A RefuseError is answered with its status, any other error with
	// 403. Nil accepts everybody.
	Connect func(s *Socket, params Params, r *http.Request) error

	// Routes say which topics there are, first match wins (spec §4.2).
	Routes []Route

	// CheckOrigin decides whether a page of the given origin may connect to host,
	// the Host header. It is asked only if there is an Origin header: programs
	// that are no browsers have none. Nil allows a page to connect to the host
	// and port that it came from. AnyOrigin allows all. An opaque origin, "null",
	// has no Host. It runs on the worker pool, as Connect does.
	CheckOrigin func(origin *url.URL, host string) bool

	// Idle is how long nothing may come in before the connection is closed.
	// Official clients send a heartbeat every 30 s. Zero means 60 s.
	Idle time.Duration

	// MaxChannels is how many topics one socket may join. Zero means 100.
	MaxChannels int

	// MailboxMax is how many messages may wait for one channel. More are
	// answered with the error "overloaded". Zero means 1024.
	MailboxMax int

	// MaxFrame and MaxMessage are the largest frame and message in bytes; larger
	// ones close the connection with 1009. Zero means 10,000,000 and 8,000,000.
	MaxFrame, MaxMessage int64
}

// A Route sends the joins of some topics to a type of channel.
type Route struct {
	// Pattern is a topic, or a prefix of topics and "*".
	Pattern string
	Type    *ChannelType

	// Assigns are given to every channel of this route.
	Assigns map[string]any
}

// AnyOrigin is a Mount.CheckOrigin that allows pages from everywhere. A server
// that trusts cookies must not use it (spec §10.3).
func AnyOrigin(*url.URL, string) bool { return true }

// sameHost is the default of Mount.CheckOrigin.
func sameHost(origin *url.URL, host string) bool {
	return origin.Host != "" && strings.EqualFold(origin.Host, host)
}

// check finds what is wrong with c and fills in the defaults.
func (c *Config) check() error {
	c.Addr = cmp.Or(c.Addr, "127.0.0.1:4000")
	c.MaxHTTP = cmp.Or(c.MaxHTTP, 1024)
	c.Workers = cmp.Or(c.Workers, 64*runtime.GOMAXPROCS(0))
	c.HandshakeTimeout = cmp.Or(c.HandshakeTimeout, 10*time.Second)
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
	notNegative("MaxHTTP", int64(c.MaxHTTP))
	notNegative("Loops", int64(c.Loops))
	notNegative("Workers", int64(c.Workers))
	notNegative("OutboundMax", int64(c.OutboundMax))
	notNegative("SendBuffer", int64(c.SendBuffer))
	notNegative("MaxPending", int64(c.MaxPending))
	notNegative("HandshakeTimeout", int64(c.HandshakeTimeout))
	seen := make(map[string]bool)
	for i := range c.Mounts {
		m := &c.Mounts[i]
		if !strings.HasPrefix(m.Path, "/") || strings.HasSuffix(m.Path, "/") {
			errs = append(errs, fmt.Errorf("Mounts[%d].Path is %q: it must start with / and not end with it, such as /socket", i, m.Path))
		}
		if seen[m.Path] {
			errs = append(errs, fmt.Errorf("Mounts[%d].Path is %q, as another's: every mount needs its own path", i, m.Path))
		}
		seen[m.Path] = true
		notNegative(fmt.Sprintf("Mounts[%d].Idle", i), int64(m.Idle))
		notNegative(fmt.Sprintf("Mounts[%d].MaxChannels", i), int64(m.MaxChannels))
		notNegative(fmt.Sprintf("Mounts[%d].MailboxMax", i), int64(m.MailboxMax))
		notNegative(fmt.Sprintf("Mounts[%d].MaxFrame", i), m.MaxFrame)
		notNegative(fmt.Sprintf("Mounts[%d].MaxMessage", i), m.MaxMessage)
		for j, r := range m.Routes {
			errs = append(errs, r.check(fmt.Sprintf("Mounts[%d].Routes[%d]", i, j)))
		}
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

// mount is a Mount ready for use.
type mount struct {
	Mount
	endpoint *Endpoint
	frames   frame.Config
	asks     bool // the application has a say in handshakes: not on the loop
}

func newMount(ep *Endpoint, m Mount) *mount {
	m.Idle = cmp.Or(m.Idle, 60*time.Second)
	m.MaxChannels = cmp.Or(m.MaxChannels, 100)
	m.MailboxMax = cmp.Or(m.MailboxMax, 1024)
	asks := m.Connect != nil || m.CheckOrigin != nil
	if m.CheckOrigin == nil {
		m.CheckOrigin = sameHost
	}
	return &mount{Mount: m, endpoint: ep, asks: asks, frames: frame.Config{MaxFrame: m.MaxFrame, MaxMessage: m.MaxMessage}}
}

func (m *mount) route(topic string) *Route {
	for i := range m.Routes {
		if m.Routes[i].matches(topic) {
			return &m.Routes[i]
		}
	}
	return nil
}

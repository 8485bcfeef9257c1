package user

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/script"
)

// A transport carries messages. One goroutine receives; any may send and close.
type transport interface {
	send(data []byte, binary bool) error

	// receive waits for a message. The caller owns the result.
	receive() (data []byte, binary bool, err error)

	// beats says that heartbeats keep it open.
	beats() bool

	close()
}

// A refusal is an answer to the request that opens a transport.
type refusal struct {
	status int
	body   string // its beginning
}

func (r *refusal) Error() string {
	text := fmt.Sprintf("upgrade: HTTP %d %s", r.status, http.StatusText(r.status))
	if r.body != "" {
		text += ": " + r.body
	}
	return text
}

// A closing is the end of a connection by the server.
type closing struct {
	code   int
	reason string
}

func (c *closing) Error() string {
	text := fmt.Sprintf("connection closed by the server: %d", c.code)
	if c.reason != "" {
		text += " " + channels.Excerpt([]byte(c.reason))
	}
	return text
}

// targets are the addresses of an application.
type targets struct {
	list      []target
	perSource int // connections from one address of loopback; 0 leaves it to the kernel
	from      order.Sources
	without   []string // sentences about addresses that are left out
	polling   *http.Transport
	shook     func(resumed bool) // called for each TLS handshake; may be nil
}

// A target is one URL, at one of its addresses.
type target struct {
	url  url.URL // ws or wss, with the path of the transport
	addr string
	tls  *tls.Config // nil without TLS
}

// resolve asks for the addresses once, for all users.
func resolve(ctx context.Context, s *script.Script, o order.Orders) (*targets, error) {
	t := &targets{perSource: o.PerSource, from: o.From}
	for _, raw := range s.Target.URLs {
		u, err := url.Parse(raw)
		if err != nil {
			return nil, errors.New("target.url: not a URL") // a token may be in it
		}
		to := target{url: *u}
		to.url.Scheme = strings.Replace(u.Scheme, "http", "ws", 1)
		to.url.Path, to.url.RawPath = pathFor(u.Path, s.Target.Transport), pathFor(u.EscapedPath(), s.Target.Transport)
		port := u.Port()
		if to.url.Scheme == "wss" {
			secure := order.Target{URL: to.url.String(), TLS: order.TLS(s.Target.TLS)}
			if to.tls, err = secure.ClientConfig(order.PEM{CA: o.Script.CA, Cert: o.Script.Cert, Key: o.Script.Key}); err != nil {
				return nil, fmt.Errorf("target.tls: %w", err)
			}
			if port == "" {
				port = "443"
			}
		}
		if port == "" {
			port = "80"
		}
		hosts, err := net.DefaultResolver.LookupHost(ctx, u.Hostname())
		if err != nil {
			return nil, fmt.Errorf("target.url: %w", err)
		}
		all := make([]target, 0, len(hosts))
		for _, host := range hosts {
			to.addr = net.JoinHostPort(host, port)
			all = append(all, to)
		}
		t.list = append(t.list, t.answering(ctx, all)...)
	}
	if len(t.list) == 0 {
		return nil, errors.New("target.url: say where the application is")
	}
	t.polling = &http.Transport{
		MaxIdleConnsPerHost: 1 << 20, // every user has one
		DisableCompression:  true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if n, ok := ctx.Value(userNumber{}).(int); ok {
				return t.dial(ctx, n)
			}
			return nil, errors.New("dialed for nobody")
		},
		DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if n, ok := ctx.Value(userNumber{}).(int); ok {
				return t.dial(ctx, n)
			}
			return nil, errors.New("dialed for nobody")
		},
	}
	return t, nil
}

// knock is how long an address of a name with several may take to let somebody
// connect.
const knock = 5 * time.Second

// answering returns the addresses of a name that take connections: for localhost often
// only the IPv4 address. It says which others it leaves out; if none takes any, it leaves
// out none.
func (t *targets) answering(ctx context.Context, all []target) (some []target) {
	if len(all) < 2 {
		return all
	}
	ctx, cancel := context.WithTimeout(ctx, knock)
	defer cancel()
	errs := make([]error, len(all))
	var trying sync.WaitGroup
	for i, to := range all {
		trying.Go(func() {
			d, err := t.dialer(to, 1, 1)
			if err == nil {
				var conn net.Conn
				if conn, err = d.DialContext(ctx, "tcp", to.addr); err == nil {
					conn.Close()
				}
			}
			errs[i] = err
		})
	}
	trying.Wait()
	var without []string
	for i, err := range errs {
		if err == nil {
			some = append(some, all[i])
		} else {
			without = append(without, fmt.Sprintf("Address %s is left out: %s.", all[i].addr, kind(err)))
		}
	}
	if some == nil {
		return all
	}
	t.without = append(t.without, without...)
	return some
}

// userNumber is the key of a context under which the user is that a connection is
// for.
type userNumber struct{}

// pathFor returns the path of a socket, as the JavaScript client makes it.
func pathFor(path, transport string) string {
	path = strings.TrimSuffix(path, "/")
	if path == "" {
		path = "/socket"
	}
	for _, end := range []string{script.WebSocket, script.LongPoll} {
		path = strings.TrimSuffix(path, "/"+end)
	}
	return path + "/" + transport
}

// of is the target of a user. Users take them in turn.
func (t *targets) of(n int) target { return t.list[(n-1)%len(t.list)] }

// dial connects a user, with TLS if its target has it.
func (t *targets) dial(ctx context.Context, n int) (net.Conn, error) {
	to := t.of(n)
	d, err := t.dialer(to, n, len(t.list))
	if err != nil {
		return nil, err
	}
	conn, err := d.DialContext(ctx, "tcp", to.addr)
	if err != nil || to.tls == nil {
		return conn, err
	}
	secure := tls.Client(conn, to.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	if t.shook != nil {
		t.shook(secure.ConnectionState().DidResume)
	}
	return secure, nil
}

// dialer connects from the address that is a user's turn, of so many targets. Users with one target after
// the other have the same: so each source meets each target.
func (t *targets) dialer(to target, n, of int) (d net.Dialer, err error) {
	host, _, _ := net.SplitHostPort(to.addr)
	remote, err := netip.ParseAddr(host)
	if err != nil {
		return d, fmt.Errorf("target.url: %w", err)
	}
	from := t.from.For(remote)
	switch {
	case len(from) > 0:
		d.LocalAddr = &net.TCPAddr{IP: from.Of((n - 1) / of).AsSlice()}
		d.ControlContext = binding(!from.Single())
	case len(t.from) > 0:
		return d, fmt.Errorf("from: none of %s can reach %s: want addresses of the same family", t.from, remote)
	case t.perSource > 0 && strings.HasPrefix(host, "127."):
		d.LocalAddr = &net.TCPAddr{IP: order.Loopback((n - 1) / t.perSource).AsSlice()}
	}
	return d, nil
}

// binding prepares a socket for an address of its own: the port is chosen when it
// connects, so that it need be free towards that peer alone, and of a prefix the
// address need not be of any interface.
func binding(prefix bool) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, network, _ string, conn syscall.RawConn) (err error) {
		set := func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
			switch {
			case err != nil || !prefix:
			case network == "tcp6":
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1)
			default:
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_FREEBIND, 1)
			}
		}
		if controlErr := conn.Control(set); controlErr != nil {
			return controlErr
		}
		return err
	}
}

// query returns the query of the request: the URL's as it stands, the params, and the
// version of the serializer.
func query(to target, s *script.Script, scope *script.Scope) (string, error) {
	text := to.url.RawQuery
	params := make(url.Values)
	for name, value := range s.Target.Params {
		v, err := scope.Text(value)
		if err != nil {
			return "", err
		}
		params.Set(name, v)
	}
	if !to.url.Query().Has("vsn") {
		params.Set("vsn", s.Target.Vsn)
	}
	return strings.Trim(text+"&"+params.Encode(), "&"), nil
}

// greeting returns what the request says besides its target.
func greeting(s *script.Script, scope *script.Scope) (g order.Greeting, err error) {
	text := func(t script.Text) (value string) {
		if err == nil {
			value, err = scope.Text(t)
		}
		return value
	}
	var cookies []string
	for _, name := range slices.Sorted(maps.Keys(s.Target.Headers)) {
		value := text(s.Target.Headers[name])
		if strings.EqualFold(name, "Cookie") {
			cookies = append(cookies, value)
		} else {
			g.Headers = append(g.Headers, name+": "+value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Target.Cookies)) {
		cookies = append(cookies, name+"="+text(s.Target.Cookies[name]))
	}
	if len(cookies) > 0 {
		g.Headers = append(g.Headers, "Cookie: "+strings.Join(cookies, "; "))
	}
	g.Subprotocols, g.AuthToken = s.Target.Subprotocols, text(s.Target.AuthToken)
	if err == nil {
		err = g.Check()
	}
	return g, err
}

package phx_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
)

func sockets() []phx.Mount {
	return []phx.Mount{{Path: "/socket", LongPoll: &phx.LongPoll{Window: time.Second}, Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{}}}}}
}

// connectFrom is connect with an address of its own.
func connectFrom(t *testing.T, ep *phx.Endpoint, ip string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	conn, err := from.DialContext(ctx, "tcp", ep.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{t: t, conn: conn}
}

// upgrade asks for a socket and returns the status of the answer.
func (c *client) upgrade(headers ...string) string {
	c.t.Helper()
	c.write(request("/socket/websocket?vsn=2.0.0", headers...))
	return strings.Fields(c.head())[1]
}

// wantRefused checks that a connection is answered before it has said anything.
func (c *client) wantRefused() {
	c.t.Helper()
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 503 ") || !strings.Contains(head, "\r\nRetry-After: 1\r\n") {
		c.t.Fatalf("answer %q, want 503 and when to come back", head)
	}
	c.wantEOF()
}

// Connections beyond Config.MaxConns are refused, and others are let in when one
// has ended.
func TestMaxConns(t *testing.T) {
	ep := startConfig(t, phx.Config{Loops: 1, MaxConns: 2, Mounts: sockets()})
	first, second := dial(t, ep), dial(t, ep)
	connect(t, ep).wantRefused()
	if got := ep.Stats().Refused; got != (phx.Refusals{Full: 1}) {
		t.Errorf("refused %+v, want one beyond MaxConns", got)
	}
	first.hangUp(true)
	eventually(t, "one is gone", func() bool { return ep.Stats().Connections == 1 })
	dial(t, ep).heartbeat()
	second.heartbeat()
}

// An address has at most Config.MaxConnsPerIP connections, whatever they are for.
// Others are not concerned, and what has ended does not count.
func TestMaxConnsPerIP(t *testing.T) {
	hello := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	ep := startConfig(t, phx.Config{Loops: 1, MaxConnsPerIP: 3, Mounts: sockets(), HTTP: hello})
	for range 3 { // rounds
		socket, web, idle := connect(t, ep), connect(t, ep), connect(t, ep)
		if status := socket.upgrade(); status != "101" {
			t.Fatalf("status %s, want 101", status)
		}
		for range 2 {
			web.write([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
			web.head()
		}
		web.write([]byte("GET /socket/longpoll?vsn=2.0.0 HTTP/1.1\r\nHost: a\r\n\r\n")) // comes back from net/http
		web.head()
		eventually(t, "all three are known", func() bool { return ep.Visits("127.0.0.1") == 3 })
		connect(t, ep).wantRefused()
		if status := connectFrom(t, ep, "127.0.0.2").upgrade(); status != "101" {
			t.Errorf("another address: status %s, want 101", status)
		}
		for _, c := range []*client{socket, web, idle} {
			c.hangUp(true)
		}
		eventually(t, "they are gone", func() bool { return ep.Visits("127.0.0.1") == 0 })
	}
	if got := ep.Stats().Refused; got != (phx.Refusals{PerAddress: 3}) {
		t.Errorf("refused %+v, want three of one address", got)
	}
}

// More than Config.AcceptRate connections in a second are refused.
func TestAcceptRate(t *testing.T) {
	ep := startConfig(t, phx.Config{Loops: 1, AcceptRate: 1, Mounts: sockets()})
	dial(t, ep).heartbeat()
	eventually(t, "one is refused", func() bool { connect(t, ep); return ep.Stats().Refused.Rate > 0 })
}

// Limits may change while clients come and go: who is there stays, and a limit of an
// address counts those who came under another one.
func TestSetLimits(t *testing.T) {
	ep := startConfig(t, phx.Config{Loops: 1, MaxConns: 1, MaxConnsPerIP: 5, Mounts: sockets()})
	set := func(l phx.Limits) {
		t.Helper()
		if err := ep.SetLimits(l); err != nil {
			t.Fatal(err)
		}
	}
	first := dial(t, ep)
	connect(t, ep).wantRefused()
	set(phx.Limits{MaxConns: 3, MaxConnsPerIP: 2})
	second := dial(t, ep)
	connect(t, ep).wantRefused()
	if got := ep.Stats().Refused; got != (phx.Refusals{Full: 1, PerAddress: 1}) {
		t.Errorf("refused %+v, want one of each limit", got)
	}
	set(phx.Limits{MaxConns: 1})
	connect(t, ep).wantRefused()
	first.heartbeat()
	second.heartbeat()
	set(phx.Limits{})
	dial(t, ep).heartbeat()
	set(phx.Limits{AcceptRate: 1})
	eventually(t, "one is refused", func() bool { connect(t, ep); return ep.Stats().Refused.Rate > 0 })
	if err := ep.SetLimits(phx.Limits{MaxConnsPerIP: -1}); err == nil || !strings.Contains(err.Error(), "MaxConnsPerIP is -1") {
		t.Errorf("SetLimits of -1 = %v, want what is wrong", err)
	}
}

// Check says what New would.
func TestConfigCheck(t *testing.T) {
	cfg := phx.Config{Mounts: []phx.Mount{{Path: "/socket", Idle: -1}}, MaxConns: -1}
	err := cfg.Check()
	if _, want := phx.New(cfg); err == nil || want == nil || err.Error() != want.Error() {
		t.Errorf("Check() = %v, want %v, as of New", err, want)
	}
	if err := (phx.Config{}).Check(); err != nil {
		t.Errorf("Check() of a zero Config = %v, want nil", err)
	}
}

// remotes starts an endpoint that says where clients come from.
func remotes(t *testing.T, cfg phx.Config) (*phx.Endpoint, chan string) {
	seen := make(chan string, 1)
	cfg.Loops, cfg.Mounts = 1, sockets()
	cfg.Mounts[0].Connect = func(s *phx.Socket, _ phx.Params, r *http.Request) error {
		if s.RemoteAddr() != r.RemoteAddr {
			t.Errorf("the socket is of %s, its request of %s", s.RemoteAddr(), r.RemoteAddr)
		}
		seen <- r.RemoteAddr
		return nil
	}
	cfg.HTTP = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.RemoteAddr })
	return startConfig(t, cfg), seen
}

// What a trusted proxy says of the client is believed, by all that is served.
func TestTrustedProxies(t *testing.T) {
	local := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	for _, tt := range []struct {
		cfg     phx.Config
		headers []string
		want    string // "" for the connection's own
	}{
		{phx.Config{}, []string{"X-Forwarded-For: 192.0.2.1"}, ""},
		{phx.Config{TrustedProxies: local[1:]}, []string{"X-Forwarded-For: 192.0.2.1"}, ""},
		{phx.Config{TrustedProxies: local}, nil, ""},
		{phx.Config{TrustedProxies: local}, []string{"X-Forwarded-For: 192.0.2.1"}, "192.0.2.1:0"},
		{phx.Config{TrustedProxies: local}, []string{"X-Forwarded-For: 198.51.100.9, 192.0.2.1:77,10.0.0.1"}, "192.0.2.1:77"},
		{phx.Config{TrustedProxies: local}, []string{"X-Forwarded-For: 198.51.100.9", "X-Forwarded-For: 192.0.2.1"}, "192.0.2.1:0"},
		{phx.Config{TrustedProxies: local}, []string{"X-Forwarded-For: 192.0.2.1, nonsense, 10.0.0.7"}, "10.0.0.7:0"},
		{phx.Config{TrustedProxies: local}, []string{"X-Forwarded-For: nonsense"}, ""},
		{phx.Config{TrustedProxies: local}, []string{`X-Forwarded-For: ", 192.0.2.1`}, "192.0.2.1:0"}, // the first is the client's
		{phx.Config{TrustedProxies: local}, []string{`X-Forwarded-For: a"`, "X-Forwarded-For: 192.0.2.1, 10.0.0.1"}, "192.0.2.1:0"},
		{phx.Config{TrustedProxies: local}, []string{"Forwarded: for=192.0.2.1"}, ""},
		{phx.Config{TrustedProxies: local, ProxyHeader: "forwarded"},
			[]string{`Forwarded: for=198.51.100.9;by="a,b";proto=https, For="[2001:db8::1]:4711"`, "X-Forwarded-For: 192.0.2.1"}, "[2001:db8::1]:4711"},
		{phx.Config{TrustedProxies: local, ProxyHeader: "Forwarded"}, []string{"Forwarded: for=192.0.2.1, for=_hidden, for=10.0.0.3"}, "10.0.0.3:0"},
		{phx.Config{TrustedProxies: local, ProxyHeader: "Forwarded"}, []string{`Forwarded: for="x, for=192.0.2.1;by="a,\",b"`}, "192.0.2.1:0"},
		{phx.Config{TrustedProxies: local, ProxyHeader: "Forwarded"}, []string{`Forwarded: for="x\`, `Forwarded: for="[2001:db8::1]"`}, "[2001:db8::1]:0"},
	} {
		ep, seen := remotes(t, tt.cfg)
		for _, path := range []string{"/socket/websocket", "/socket/longpoll", "/page"} {
			c := connect(t, ep)
			c.write(request(path+"?vsn=2.0.0", tt.headers...))
			want := tt.want
			if want == "" {
				want = c.conn.LocalAddr().String()
			}
			if got := within(t, "request", seen); got != want {
				t.Errorf("%v %s %q: client %s, want %s", tt.cfg.TrustedProxies, path, tt.headers, got, want)
			}
		}
	}
}

// Behind a trusted proxy, clients count by their own addresses, as sockets.
func TestProxiedPerIP(t *testing.T) {
	ep := startConfig(t, phx.Config{Loops: 1, MaxConnsPerIP: 1, Mounts: sockets(), TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	ann := connect(t, ep)
	for _, tt := range []struct {
		c       *client
		headers []string
		want    string
	}{
		{ann, []string{"X-Forwarded-For: 192.0.2.1"}, "101"},
		{connect(t, ep), []string{"X-Forwarded-For: 192.0.2.1"}, "503"},
		{connect(t, ep), []string{"X-Forwarded-For: 192.0.2.2"}, "101"},
		{connect(t, ep), []string{"X-Forwarded-For: 2001:db8::1"}, "101"},
		{connect(t, ep), []string{"X-Forwarded-For: 2001:db8::2"}, "503"}, // the same network
		{connect(t, ep), nil, "101"},                                      // the proxy itself
		{connect(t, ep), nil, "101"},
	} {
		if got := tt.c.upgrade(tt.headers...); got != tt.want {
			t.Errorf("%q: status %s, want %s", tt.headers, got, tt.want)
		}
	}
	ann.hangUp(true)
	eventually(t, "ann's is gone", func() bool { return ep.Visits("192.0.2.1") == 0 })
	if got := connect(t, ep).upgrade("X-Forwarded-For: 192.0.2.1"); got != "101" {
		t.Errorf("after the first has ended: status %s, want 101", got)
	}
}

// proxyHeader is a PROXY header of version 2 with the addresses' bytes.
func proxyHeader(command, family byte, body ...byte) string {
	b := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), 0x20|command, family)
	return string(append(binary.BigEndian.AppendUint16(b, uint16(len(body))), body...))
}

var (
	proxy4   = []byte{192, 0, 2, 1, 127, 0, 0, 1, 0x30, 0x39, 0, 80}
	proxy6   = append(append(netip.MustParseAddr("2001:db8::1").AsSlice(), make([]byte, 16)...), 0x30, 0x39, 0, 80)
	proxyTLV = []byte{0x04, 0, 1, 0} // PP2_TYPE_NOOP
)

// The address of a PROXY header is the client's, however its bytes come.
func TestProxyProtocol(t *testing.T) {
	cfg := phx.Config{ProxyProtocol: true, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, MaxConnsPerIP: 2}
	for _, tt := range []struct{ header, want string }{
		{proxyHeader(1, 0x11, proxy4...), "192.0.2.1:12345"},
		{proxyHeader(1, 0x11, append(proxy4, proxyTLV...)...), "192.0.2.1:12345"},
		{proxyHeader(1, 0x21, proxy6...), "[2001:db8::1]:12345"},
		{proxyHeader(0, 0), ""},                          // LOCAL
		{proxyHeader(1, 0x31, make([]byte, 216)...), ""}, // a Unix socket
	} {
		ep, seen := remotes(t, cfg)
		all, piece := connect(t, ep), connect(t, ep)
		bytes := append([]byte(tt.header), request("/socket/websocket?vsn=2.0.0")...)
		all.write(bytes)
		for i := range tt.header {
			piece.write(bytes[i : i+1])
		}
		piece.write(bytes[len(tt.header):])
		for range 2 {
			want := tt.want
			got := within(t, "request", seen)
			if want == "" && got != all.conn.LocalAddr().String() && got != piece.conn.LocalAddr().String() || want != "" && got != want {
				t.Errorf("%q: client %s, want %s", tt.header, got, want)
			}
		}
		if tt.want != "" {
			third := connect(t, ep)
			third.write([]byte(tt.header))
			third.wantRefused()
		}
	}
}

// Without a good header a trusted proxy's connection is closed; with one, others'
// are.
func TestProxyProtocolRequired(t *testing.T) {
	cfg := phx.Config{ProxyProtocol: true, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	ep, _ := remotes(t, cfg)
	for _, bad := range []string{
		"GET / HTTP/1.1\r\n\r\n", "PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\n",
		proxyHeader(2, 0x11, proxy4...), proxyHeader(1, 0x11, proxy4[:11]...), proxyHeader(1, 0x21, proxy6[:35]...),
		strings.Replace(proxyHeader(1, 0x11, proxy4...), "\x21", "\x11", 1), proxyHeader(1, 0x11, make([]byte, 60_000)...)[:16],
	} {
		c := connect(t, ep)
		c.write([]byte(bad))
		if err := c.read(); err == nil || len(c.data) > 0 {
			t.Errorf("%q is answered with %q", bad, c.data)
		}
	}
	c := connectFrom(t, ep, "127.0.0.2")
	c.write(append([]byte(proxyHeader(1, 0x11, proxy4...)), "GET / HTTP/1.1\r\n\r\n"...))
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 400 ") {
		t.Errorf("a header of somebody else is answered with %q, want 400", head)
	}
}

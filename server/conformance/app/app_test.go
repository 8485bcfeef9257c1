package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
)

const patience = 30 * time.Second

// A node is an app that runs until the test ends.
type node struct {
	*app
	addr  string
	trust *tls.Config
	stop  func() error
}

// startNodes starts two nodes with one database.
func startNodes(t *testing.T) (nodes [2]node) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	nats, err := natsserver.Start(natsserver.Config{Addr: "127.0.0.1:0", Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nats.Close)
	s, err := openStore(t.Context(), filepath.Join(t.TempDir(), "app.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.db.Close() })
	s.exec(t, `INSERT INTO tokens VALUES ('ann-secret', 'ann'), ('bob-secret', 'bob');
		INSERT INTO members VALUES ('ann', 'lobby'), ('bob', 'lobby'), ('ann', 'private')`)
	cert, trust := selfSigned(t)
	for i := range nodes {
		link := cluster.New(cluster.Config{URL: nats.URL(), Node: fmt.Sprint("node", i), Logger: log})
		a, err := newApp(s, link, log)
		if err != nil {
			t.Fatal(err)
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() {
			ended <- serve(ctx, a, ln, func(server *http.Server) error {
				server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
				server.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
				return server.ServeTLS(ln, "", "")
			})
		}()
		stop := sync.OnceValue(func() error { cancel(); return <-ended })
		t.Cleanup(func() {
			if err := stop(); err != nil {
				t.Errorf("node %d ended with %v", i, err)
			}
		})
		nodes[i] = node{a, ln.Addr().String(), trust, stop}
	}
	for _, n := range nodes {
		eventually(t, "the nodes know each other", func() bool { return len(n.endpoint.Cluster().Peers) == 1 })
	}
	return nodes
}

func (s *store) exec(t *testing.T, statements string) {
	t.Helper()
	if _, err := s.db.ExecContext(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
}

// selfSigned is a certificate for 127.0.0.1, and what trusts it.
func selfSigned(t *testing.T) (tls.Certificate, *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, &tls.Config{RootCAs: pool}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %v still not: %s", patience, what)
		}
	}
}

// A client is a WebSocket to a node.
type client struct {
	t    *testing.T
	conn net.Conn
	in   io.Reader // may hold what came right behind the handshake
}

// dial opens a WebSocket. status is that of a refusal, or 101.
func (n node) dial(t *testing.T, token string) (c *client, status int) {
	t.Helper()
	dialer := ws.Dialer{TLSConfig: n.trust, Timeout: patience, OnStatusError: func(code int, _ []byte, _ io.Reader) { status = code }}
	conn, in, _, err := dialer.Dial(t.Context(), "wss://"+n.addr+"/realtime/socket/websocket?vsn=2.0.0&token="+token)
	if status != 0 {
		return nil, status
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience)) // a failure shows below
	c = &client{t, conn, conn}
	if in != nil {
		c.in = in
	}
	return c, http.StatusSwitchingProtocols
}

// member is a client that has joined a room.
func (n node) member(t *testing.T, token, room string) *client {
	t.Helper()
	c, status := n.dial(t, token)
	if c == nil {
		t.Fatalf("%s is refused with %d", token, status)
	}
	c.say(fmt.Sprintf(`["1","1","room:%s","phx_join",{}]`, room))
	c.want(fmt.Sprintf(`["1","1","room:%s","phx_reply",{"response":{},"status":"ok"}]`, room),
		fmt.Sprintf(`["1","1","room:%s","phx_reply",{"status":"ok","response":{}}]`, room))
	return c
}

func (c *client) say(text string) {
	c.t.Helper()
	if err := wsutil.WriteClientText(c.conn, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// want checks that the next message is one of these.
func (c *client) want(texts ...string) {
	c.t.Helper()
	got, err := wsutil.ReadServerText(struct {
		io.Reader
		io.Writer
	}{c.in, c.conn})
	if err != nil {
		c.t.Fatal(err)
	}
	for _, text := range texts {
		if string(got) == text {
			return
		}
	}
	c.t.Fatalf("got %s\nwant %s", got, strings.Join(texts, "\nor   "))
}

// Whoever the database knows may connect, and join what it says. Broadcasts reach
// both nodes, whether a member or another route made them.
func TestNodes(t *testing.T) {
	nodes := startNodes(t)
	if _, status := nodes[0].dial(t, "wrong"); status != http.StatusUnauthorized {
		t.Errorf("a wrong token: %d, want 401", status)
	}
	ann, bob := nodes[0].member(t, "ann-secret", "lobby"), nodes[1].member(t, "bob-secret", "lobby")
	bob.say(`["2","2","room:private","phx_join",{}]`)
	bob.want(`["2","2","room:private","phx_reply",{"status":"error","response":{"reason":"not a member"}}]`)

	ann.say(`["1","3","room:lobby","say",{"text":"hello"}]`)
	said := `[null,null,"room:lobby","said",{"from":"ann","text":"hello"}]`
	bob.want(said)
	ann.want(said)
	ann.want(`["1","3","room:lobby","phx_reply",{"status":"ok","response":{}}]`)

	web := http.Client{Transport: &http.Transport{TLSClientConfig: nodes[1].trust, ForceAttemptHTTP2: true}, Timeout: patience}
	defer web.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+nodes[1].addr+"/rooms/lobby/announcements", strings.NewReader(`{"text":"tea"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer bob-secret")
	resp, err := web.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted || resp.ProtoMajor != 2 {
		t.Errorf("announce: %s in %s, want 202 in HTTP/2, beside the WebSockets", resp.Status, resp.Proto)
	}
	for _, c := range []*client{ann, bob} {
		c.want(`[null,null,"room:lobby","announcement",{"from":"bob","text":"tea"}]`)
	}
	polled, err := web.Get("https://" + nodes[1].addr + "/realtime/socket/longpoll?vsn=2.0.0&token=bob-secret")
	if err != nil {
		t.Fatal(err)
	}
	defer polled.Body.Close()
	if body, err := io.ReadAll(polled.Body); err != nil || !strings.HasPrefix(string(body), `{"status":410,"token":"`) || polled.ProtoMajor != 2 {
		t.Errorf("long polling: %s, %v in %s, want a session in HTTP/2", body, err, polled.Proto)
	}
}

// endless makes queries of a table that do not end by themselves. What is random
// cannot be optimized away.
const endless = `
DROP TABLE %[1]s;
CREATE VIEW %[1]s AS
	WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
	SELECT random() AS user, random() AS room, random() AS token FROM n`

// Queries of Connect and Join end when the client hangs up.
func TestQueriesEnd(t *testing.T) {
	nodes := startNodes(t)
	db := nodes[0].store.db
	running := func(n int) func() bool { return func() bool { return db.Stats().InUse == n } }

	c, _ := nodes[0].dial(t, "ann-secret")
	nodes[0].store.exec(t, fmt.Sprintf(endless, "members"))
	c.say(`["1","1","room:lobby","phx_join",{}]`)
	eventually(t, "Join asks", running(1))
	c.conn.Close()
	eventually(t, "Join's query ends", running(0))

	nodes[0].store.exec(t, fmt.Sprintf(endless, "tokens"))
	conn, err := tls.Dial("tcp", nodes[0].addr, nodes[0].trust)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "GET /realtime/socket/websocket?vsn=2.0.0&token=x HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	eventually(t, "Connect asks", running(1))
	conn.Close()
	eventually(t, "Connect's query ends", running(0))
}

// A node that ends sends its WebSockets to another, and then its server ends.
func TestShutdown(t *testing.T) {
	n := startNodes(t)[0]
	c := n.member(t, "ann-secret", "lobby")
	ended := make(chan error, 1)
	go func() { ended <- n.stop() }()
	f, err := ws.ReadFrame(c.in)
	if err != nil {
		t.Fatal(err)
	}
	if code, _ := ws.ParseCloseFrameData(f.Payload); f.Header.OpCode != ws.OpClose || code != 1012 {
		t.Errorf("got a frame with opcode %#x and code %d, want Close and 1012", f.Header.OpCode, code)
	}
	c.conn.Close()
	if err := <-ended; err != nil {
		t.Errorf("the node ended with %v", err)
	}
}

package phx_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/phx"
)

// panics is a log that counts what must not happen: contained or not, a panic on
// the event loop is a mistake.
type panics struct {
	slog.Handler
	seen *atomic.Pointer[string]
}

func (p panics) Enabled(context.Context, slog.Level) bool { return true }

func (p panics) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "panic") {
		text := r.Message
		r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
		p.seen.Store(&text)
	}
	return nil
}

// fuzzed is an endpoint with something of everything.
func fuzzed(f *testing.F) (ep *phx.Endpoint, check func(*testing.T)) {
	f.Helper()
	log := panics{slog.DiscardHandler, new(atomic.Pointer[string])}
	routes := []phx.Route{{Pattern: "room:*", Type: &phx.ChannelType{
		In: phx.Events{
			"say":  func(ch *phx.Channel, p phx.Payload) (any, error) { return p, ch.BroadcastFrom("said", p) },
			"stop": func(*phx.Channel, phx.Payload) (any, error) { return nil, phx.Stop(phx.Normal) },
		},
	}}}
	ep, err := phx.Start(phx.Config{
		Addr: phx.Off, Loops: 1, Logger: slog.New(log), HandshakeTimeout: time.Second,
		HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }),
		Mounts: []phx.Mount{
			{Path: "/socket", Routes: routes, LongPoll: &phx.LongPoll{Window: 100 * time.Millisecond, MaxSessions: 100}},
			{Path: "/all/:org", Routes: routes, AuthToken: true, Subprotocols: []string{"a"}, Deflate: &phx.Deflate{MinSize: 1},
				Connect: func(*phx.Socket, phx.Params, *http.Request) error { return errors.New("no") }},
			{Path: "/raw", Raw: &phx.RawType{In: echoRaw}, Deflate: &phx.Deflate{}},
		},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { shutdown(f, ep) })
	conn, err := ep.Dial()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { conn.Close() })
	other := &client{t: f, conn: conn}
	other.write(request("/socket/websocket?vsn=2.0.0"))
	other.head()
	return ep, func(t *testing.T) {
		other.t = t
		other.heartbeat() // the others go on
		if text := log.seen.Swap(nil); text != nil {
			t.Fatal(*text)
		}
	}
}

// feed sends data in two pieces and hangs up.
func feed(t *testing.T, ep *phx.Endpoint, data []byte, cut uint16) {
	t.Helper()
	conn, err := ep.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go io.Copy(io.Discard, conn) // ends with the connection
	at := int(cut) % (len(data) + 1)
	for _, piece := range [][]byte{data[:at], data[at:]} {
		if _, err := conn.Write(piece); err != nil { // the server may have had enough
			return
		}
	}
	_ = conn.(*net.UnixConn).CloseWrite()
}

// Whatever comes instead of an HTTP request, or as one, harms no one else.
func FuzzRequests(f *testing.F) {
	valid := string(request("/socket/websocket?vsn=2.0.0"))
	for _, seed := range []string{
		valid,
		valid + string(frame.AppendMasked(nil, ws.OpText, mask, []byte(`["1","1","room:a","phx_join",{}]`))),
		string(request("/all/x/websocket?a[b]=1&&c", "Sec-WebSocket-Protocol: phoenix, base64url.bearer.phx.!!", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x;y=\"z\"", "Origin: http://[::1")),
		string(request("/raw/websocket", "Sec-WebSocket-Extensions: permessage-deflate")) + "\xc1\x80\x00\x00\x00\x00",
		"GET /socket/longpoll?vsn=2.0.0 HTTP/1.1\r\nHost: a\r\n\r\nGET /socket/longpoll?vsn=9 HTTP/1.0\r\n\r\n",
		"POST /socket/longpoll?token=x HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\nContent-Length: 4\r\n\r\n[]\r\n",
		"POST /socket/longpoll HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
		"POST /socket/longpoll HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"OPTIONS /socket/longpoll HTTP/1.1\r\nHost: a\r\nAccess-Control-Request-Headers: x\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + valid,
		"GET  /socket/websocket\r\n\r\n", "\r\n\r\n", "GET /%zz HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02\x00\x01",
	} {
		f.Add([]byte(seed), uint16(len(seed)/2))
	}
	ep, check := fuzzed(f)
	f.Fuzz(func(t *testing.T, data []byte, cut uint16) {
		feed(t, ep, data, cut)
		check(t)
	})
}

// Whatever comes in well-formed frames over a good connection harms no one else.
// Lines are messages; one that starts with a zero byte is binary.
func FuzzMessages(f *testing.F) {
	for _, seed := range []string{
		"[\"1\",\"1\",\"room:a\",\"phx_join\",{}]\n[\"1\",\"2\",\"room:a\",\"say\",{\"a\":1}]\n[\"1\",\"3\",\"room:a\",\"phx_leave\",{}]",
		"[\"1\",\"1\",\"room:a\",\"phx_join\",{}]\n[\"2\",\"2\",\"room:a\",\"phx_join\",{}]\n[\"2\",\"3\",\"room:a\",\"what\",{}]",
		"[null,1,null,\"phx_join\",[]]\n[null,null,\"phoenix\",\"heartbeat\",{}]",
		"[\"1\",\"1\",\"room:a\",\"phx_join\",{}]\n\x00\x01\x01\x06\x0312room:asay\x01\x02",
		"[\"1\",\"1\",\"room:a\",\"phx_join\",{}]\n[\"1\",\"2\",\"room:a\",\"stop\",7]\n[\"1\",\"3\",\"room:a\",\"say\",\"text\"]",
		"{}", "[", "\x00", "\x00\xff\xff\xff\xff",
	} {
		f.Add([]byte(seed), uint16(len(seed)))
	}
	ep, check := fuzzed(f)
	f.Fuzz(func(t *testing.T, data []byte, cut uint16) {
		b := request("/socket/websocket?vsn=2.0.0")
		for line := range strings.SplitSeq(string(data), "\n") {
			op := ws.OpText
			if strings.HasPrefix(line, "\x00") {
				op = ws.OpBinary
			}
			b = frame.AppendMasked(b, op, mask, []byte(line))
		}
		feed(t, ep, b, cut)
		check(t)
	})
}

// A PROXY header is taken or refused, whole or in pieces, and never read beyond
// its end.
func FuzzProxyHeader(f *testing.F) {
	for _, seed := range []string{"", proxyHeader(0, 0), proxyHeader(1, 0x11, proxy4...) + "GET", proxyHeader(1, 0x21, proxy6...)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		from, size, err := phx.ParseProxy(data)
		switch {
		case size > len(data), err != nil && (size != 0 || from.IsValid()):
			t.Fatalf("%d of %d bytes, %v, %v", size, len(data), from, err)
		case size > 0:
			again, n, err := phx.ParseProxy(data[:size:size])
			if again != from || n != size || err != nil {
				t.Fatalf("%v, %d, %v without what follows; %v, %d with it", again, n, err, from, size)
			}
			if _, n, err := phx.ParseProxy(data[:size-1]); n != 0 || err != nil {
				t.Fatalf("%d, %v of a header without its last byte, want more to be waited for", n, err)
			}
		}
	})
}

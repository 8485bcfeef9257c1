package user

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/script"
	"github.com/roost-rt/roost/server/frame"
)

// upgraded is a WebSocket before a peer that has answered its request with head, where
// ACCEPT stands for what RFC 6455 §4.2.2 wants, and then sent more.
func upgraded(t *testing.T, to order.Target, head string, more []byte) (w *webSocket, peer net.Conn, err error) {
	t.Helper()
	here, there := net.Pipe()
	t.Cleanup(func() { here.Close(); there.Close() })
	done := make(chan error, 1)
	go func() {
		request, err := http.ReadRequest(bufio.NewReader(there))
		if err == nil {
			sum := sha1.Sum([]byte(request.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
			head := strings.ReplaceAll(head, "ACCEPT", base64.StdEncoding.EncodeToString(sum[:]))
			_, err = there.Write(append([]byte(strings.ReplaceAll(head, "\n", "\r\n")), more...))
		}
		done <- err
	}()
	w = &webSocket{conn: here, buffer: make([]byte, 16)}
	err = w.upgrade(to)
	if err == nil {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	return w, there, err
}

const welcome = "HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Accept: ACCEPT\n\n"

// An upgrade is one by its status and by the sum of the key, and takes a subprotocol
// where some were offered.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	plain := order.Target{URL: "ws://a.test/"}
	offers := order.Target{URL: "ws://a.test/", Greeting: order.Greeting{Subprotocols: []string{"x"}}}
	token := order.Target{URL: "ws://a.test/", Greeting: order.Greeting{AuthToken: "x"}}
	taken := strings.Replace(welcome, "\n\n", "\nSec-WebSocket-Protocol: x\n\n", 1)
	for _, test := range []struct {
		name   string
		target order.Target
		head   string
		want   string
	}{
		{"as it should be", plain, welcome, ""},
		{"a subprotocol", offers, taken, ""},
		{"a token", token, taken, ""},
		{"a subprotocol that was not taken", offers, welcome, "the server took none of the subprotocols"},
		{"a token that was not taken", token, welcome, "does its socket allow them (auth_token: true for authToken)?"},
		{"another sum", plain, strings.Replace(welcome, "ACCEPT", "AAAA", 1), "wrong Sec-WebSocket-Accept"},
		{"no sum", plain, "HTTP/1.1 101 Switching Protocols\n\n", "wrong Sec-WebSocket-Accept"},
		{"a page", plain, "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "upgrade: HTTP 200 OK: hello"},
		{"a redirect", plain, "HTTP/1.1 302 Found\nLocation: /login\nContent-Length: 0\n\n", "upgrade: HTTP 302 Found"},
		{"no HTTP", plain, "SSH-2.0-OpenSSH\n\n", "upgrade: malformed HTTP"},
	} {
		_, _, err := upgraded(t, test.target, test.head, nil)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

// Messages come whole in whatever pieces, those behind the head of the answer too;
// pings are answered, and the end says why.
func TestReceive(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 70_000)
	var sent []byte
	sent = frame.Append(sent, opText, []byte("first"))
	sent = frame.Append(sent, opPing, []byte("are you there?"))
	sent = frame.Append(sent, opBinary, []byte{0, 1, 2})
	sent = append(sent, 0x01, 3, 'o', 'n', 'e') // RFC 6455 §5.4: in two frames
	sent = append(sent, 0x80, 3, 't', 'w', 'o')
	sent = frame.Append(sent, opPong, nil)
	sent = frame.Append(sent, opText, []byte(long))
	sent = frame.Append(sent, opClose, append([]byte{0x03, 0xf3}, "oops"...)) // 1011
	for _, behind := range []int{0, 1, 7, len("first") + 2, 40} {
		w, peer, err := upgraded(t, order.Target{URL: "ws://a.test/"}, welcome, sent[:behind])
		if err != nil {
			t.Fatal(err)
		}
		said := make(chan []byte, 1)
		go func() {
			for rest := sent[behind:]; len(rest) > 0; {
				n := min(len(rest), 1000)
				if _, err := peer.Write(rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
		}()
		go func() {
			all, _ := io.ReadAll(peer) // it ends with the connection
			said <- all
		}()
		for _, want := range []struct {
			text   string
			binary bool
		}{{"first", false}, {"\x00\x01\x02", true}, {"onetwo", false}, {long, false}} {
			got, binary, err := w.receive()
			if err != nil || string(got) != want.text || binary != want.binary {
				t.Fatalf("with %d bytes behind the head: %.20q, %t, %v, want %.20q, %t", behind, got, binary, err, want.text, want.binary)
			}
		}
		_, _, err = w.receive()
		var end *closing
		if !errors.As(err, &end) || end.code != 1011 || end.reason != "oops" || err.Error() != "connection closed by the server: 1011 oops" {
			t.Errorf("the end is %v, want 1011 oops", err)
		}
		w.close()
		want := append(frame.AppendMasked(nil, opPong, mask, []byte("are you there?")), frame.AppendMasked(nil, opClose, mask, []byte{0x03, 0xf3})...)
		if got := <-said; !bytes.Equal(got, want) {
			t.Errorf("answered % x, want % x", got, want)
		}
	}
}

// What is no frame ends the connection, and so does the peer by hanging up.
func TestReceiveFails(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		sent []byte
		want string
	}{
		{"reserved bits", []byte{0xf1, 0}, "bad frame: "},
		{"a masked frame of a server", []byte{0x81, 0x81, 1, 2, 3, 4, 5}, "bad frame: "},
		{"text that is none", []byte{0x81, 1, 0xff}, "bad frame: "},
		{"the end within a frame", []byte{0x81, 5, 'a'}, "connection closed by the server"},
		{"the end", nil, "connection closed by the server"},
		{"a close without a code", []byte{0x88, 0}, "connection closed by the server: 1005"},
	} {
		w, peer, err := upgraded(t, order.Target{URL: "ws://a.test/"}, welcome, test.sent)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = io.ReadAll(io.LimitReader(peer, 6)) // the answer to a close
			peer.Close()
		}()
		if !strings.Contains(test.name, "without a code") {
			peer.Close()
		}
		if data, _, err := w.receive(); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %q, %v, want %q", test.name, data, err, test.want)
		}
	}
}

// What is sent is masked, RFC 6455 §5.3, and of the kind it is.
func TestSend(t *testing.T) {
	t.Parallel()
	w, peer, err := upgraded(t, order.Target{URL: "ws://a.test/"}, welcome, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := channels.Message{JoinRef: "1", Ref: "2", Topic: "t", Event: "e", Payload: json.RawMessage(`{"a":1}`)}
	binary := channels.Message{Topic: "t", Event: "e", Binary: []byte{9}, IsBinary: true}
	for _, test := range []struct {
		vsn     string
		message channels.Message
		want    string
	}{
		{channels.V2, m, `["1","2","t","e",{"a":1}]`},
		{channels.V1, m, `{"topic":"t","event":"e","payload":{"a":1},"ref":"2","join_ref":"1"}`},
		{channels.V2, binary, "\x00\x00\x00\x01\x01te\x09"},
	} {
		data, isBinary, err := encode(test.vsn, test.message)
		if err != nil {
			t.Fatal(err)
		}
		failed := make(chan error, 1)
		go func() { failed <- w.send(data, isBinary) }()
		want := frame.AppendMasked(nil, opText, mask, []byte(test.want))
		if test.message.IsBinary {
			want = frame.AppendMasked(nil, opBinary, mask, []byte(test.want))
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(peer, got); err != nil || !bytes.Equal(got, want) || got[1]&0x80 == 0 {
			t.Errorf("sent % x, %v, want % x", got, err, want)
		}
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	if _, _, err := encode(channels.V2, channels.Message{Topic: strings.Repeat("x", 256), IsBinary: true}); err == nil {
		t.Error("a topic of 256 bytes is sent in a binary message")
	}
	w.close()
	if err := w.send([]byte("x"), false); err == nil {
		t.Error("it sends when it is closed")
	}
}

// A poller answers requests of long polling in turn.
type poller struct {
	*testing.T
	answers []string // what each is answered; the last again and again
	got     []string // method, token, type and body of each
}

func (p *poller) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // of the test's own client
	p.got = append(p.got, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", r.Method, r.URL.Query().Get("token"), r.Header.Get("Content-Type"), body)))
	answer := p.answers[min(len(p.got), len(p.answers))-1]
	if status, text, plain := strings.Cut(answer, " "); plain && len(status) == 3 {
		var code int
		_, _ = fmt.Sscan(status, &code) // three digits
		http.Error(w, text, code)
		return
	}
	io.WriteString(w, answer)
}

// polling opens a session with a poller.
func polling(t *testing.T, target string, answers ...string) (*poller, transport, error) {
	t.Helper()
	p := &poller{T: t, answers: answers}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	s := sourceWith(t, `url: "`+server.URL+`/socket", transport: longpoll`+target)
	to, err := resolve(t.Context(), s, order.Orders{Script: new(script.Source)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(to.polling.CloseIdleConnections)
	l, err := openLongPoll(t.Context(), to, s, &script.Scope{Script: s, N: 1})
	return p, l, err
}

// A session begins with a token, which all its requests have; messages come one by
// one, and go out as their kind wants. The status in the body is the one that counts.
func TestLongPoll(t *testing.T) {
	t.Parallel()
	p, l, err := polling(t, "", `{"status":410,"token":"a+b"}`, `{"status":204,"token":"a+b","messages":[]}`, `{"status":200,"messages":["one","[\"two\"]"]}`, `{"status":200,"messages":["three"]}`, `{"status":200}`)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	for _, want := range []string{"one", `["two"]`, "three"} {
		if got, binary, err := l.receive(); err != nil || string(got) != want || binary {
			t.Errorf("received %q, %t, %v, want %q", got, binary, err, want)
		}
	}
	if err := errors.Join(l.send([]byte(`["text"]`), false), l.send([]byte{0xff, 1}, true)); err != nil {
		t.Error(err)
	}
	want := []string{"GET", "GET a+b", "GET a+b", "GET a+b", `POST a+b application/x-ndjson ["text"]`, "POST a+b application/x-ndjson /wE="}
	if got := strings.Join(strings.Fields(strings.Join(p.got, "|")), " "); got != strings.Join(want, "|") {
		t.Errorf("asked %q, want %q", got, strings.Join(want, "|"))
	}
	if l.beats() {
		t.Error("a poller needs heartbeats")
	}
	p, l, err = polling(t, ", vsn: 1.0.0", `{"status":410,"token":"t"}`, `{"status":200}`)
	if err != nil || l.send([]byte("{}"), false) != nil || p.got[1] != "POST t application/json {}" {
		t.Errorf("version 1: asked %q, %v", p.got, err)
	}
}

// A session that is not let in, or ends, says with which status.
func TestLongPollFails(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		`{"status":403}`:             "upgrade: HTTP 403 Forbidden",
		`{"status":410}`:             "upgrade: HTTP 410 Gone", // without a token
		`{"status":200,"token":"x"}`: "upgrade: HTTP 200 OK",
		"404 page not found":         "upgrade: HTTP 404 Not Found: page not found",
		"<html>":                     "upgrade: HTTP 200 OK: <html>",
		"{}":                         "upgrade: HTTP 200 OK: {}",
	} {
		if _, l, err := polling(t, "", answer); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, %v, want %s", answer, l, err, want)
		}
	}
	for answer, want := range map[string]string{
		`{"status":410,"token":"new"}`: "long poll: session ended: 410",
		`{"status":500}`:               "long poll: session ended: 500",
		"502 bad gateway":              "upgrade: HTTP 502 Bad Gateway: bad gateway",
	} {
		_, l, err := polling(t, "", `{"status":410,"token":"t"}`, answer)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := l.receive(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: received %v, want %s", answer, err, want)
		}
		if err := l.send([]byte("x"), false); err == nil {
			t.Errorf("%s: it is taken for one that was sent", answer)
		}
		l.close()
	}
}

// A server that is gone is told without the URL: a token is in it.
func TestLongPollTellsNoToken(t *testing.T) {
	t.Parallel()
	_, l, err := polling(t, `, params: {token: s3cret}`, `{"status":410,"token":"s3cret"}`)
	if err != nil {
		t.Fatal(err)
	}
	l.close()
	for _, err := range []error{l.send([]byte("x"), false), func() error { _, _, err := l.receive(); return err }()} {
		if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.HasPrefix(err.Error(), "long poll: ") {
			t.Errorf("of a session that was closed: %v", err)
		}
	}
}

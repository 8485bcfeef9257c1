package phxtest

import (
	"bufio"
	"bytes"
	"cmp"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/internal/clientside"
	"github.com/roost-rt/roost/server/phx"
)

// A Dialer connects in other ways than Connect does, which uses the zero value.
type Dialer struct {
	// AuthToken is the authToken option of the official client, for mounts with
	// AuthToken. Empty means none.
	AuthToken string

	// Header are further headers of the handshake, such as Origin or Host. Nil
	// means none, and that the host is localhost.
	Header http.Header

	// Subprotocols are offered to the server. Nil means none.
	Subprotocols []string

	// Version is the version of the protocol, the vsn parameter. Empty means
	// "2.0.0". Those that begin with "1." speak V1, all others V2.
	Version string

	// Timeout is how long to wait for what must happen. Zero means 5 s.
	Timeout time.Duration
}

// Connect opens a socket at the path of a mount, such as "/socket", that is
// closed at the latest when the test ends. It fails the test if the endpoint
// refuses.
func Connect(t testing.TB, ep *Endpoint, path string, params phx.Params) *Client {
	t.Helper()
	return Dialer{}.Connect(t, ep, path, params)
}

// ConnectError fails the test unless the endpoint refuses with the HTTP status.
// It returns the answer, whose Body has been read and need not be closed.
func ConnectError(t testing.TB, ep *Endpoint, path string, params phx.Params, status int) *http.Response {
	t.Helper()
	return Dialer{}.ConnectError(t, ep, path, params, status)
}

// Connect is the function Connect for this Dialer.
func (d Dialer) Connect(t testing.TB, ep *Endpoint, path string, params phx.Params) *Client {
	t.Helper()
	h := d.handshake(path, params)
	c, answer := d.dial(t, ep, path, h)
	if answer.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(answer.Body)
		t.Fatalf("connect to %s: refused with %s %s", path, answer.Status, body)
	}
	if err := h.Check(answer.Header); err != nil {
		t.Fatalf("connect to %s: %v", path, err)
	}
	if err := c.heartbeat(); err != nil { // answered once the socket is open: its id is subscribed to
		t.Fatalf("connect to %s: %v", path, err)
	}
	c.Subprotocol = answer.Header.Get("Sec-WebSocket-Protocol")
	return c
}

// ConnectError is the function ConnectError for this Dialer.
func (d Dialer) ConnectError(t testing.TB, ep *Endpoint, path string, params phx.Params, status int) *http.Response {
	t.Helper()
	_, answer := d.dial(t, ep, path, d.handshake(path, params))
	body, err := io.ReadAll(answer.Body)
	if answer.StatusCode != status {
		t.Fatalf("connect to %s: answered with %s %s, want %d", path, answer.Status, body, status)
	}
	if err != nil {
		t.Fatalf("connect to %s: read the answer: %v", path, err)
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return answer
}

// dial sends a handshake and reads the answer.
func (d Dialer) dial(t testing.TB, ep *Endpoint, path string, h clientside.Handshake) (*Client, *http.Response) {
	t.Helper()
	conn, err := ep.Dial()
	if err != nil {
		t.Fatalf("connect to %s: %v", path, err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &Client{
		t: t, endpoint: ep, conn: conn, in: bufio.NewReader(conn), protocol: clientside.V2{},
		id:      strconv.FormatInt(ep.clients.Add(1), 10),
		timeout: cmp.Or(d.Timeout, patience),
	}
	if strings.HasPrefix(d.Version, "1.") {
		c.protocol = clientside.V1{}
	}
	request, err := h.Request()
	if err != nil {
		t.Fatalf("connect to %s: %v", path, err)
	}
	request.Header.Set(clientHeader, c.id)
	ep.activity.fence()
	_ = conn.SetDeadline(time.Now().Add(c.timeout))
	if err := request.Write(conn); err != nil {
		t.Fatalf("connect to %s: %v", path, err)
	}
	answer, err := http.ReadResponse(c.in, request)
	if err != nil {
		t.Fatalf("connect to %s: read the answer: %v", path, err)
	}
	ep.activity.fence()
	return c, answer
}

// handshake returns the handshake of the official client (spec §1.1, §1.5).
func (d Dialer) handshake(path string, params phx.Params) clientside.Handshake {
	return clientside.Handshake{
		URL:          "http://localhost" + path,
		Params:       params,
		Version:      cmp.Or(d.Version, "2.0.0"),
		AuthToken:    d.AuthToken,
		Subprotocols: d.Subprotocols,
		Header:       d.Header,
		Key:          "dGhlIHNhbXBsZSBub25jZQ==", // of RFC 6455 §1.3,
	}
}

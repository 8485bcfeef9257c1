package phxtest

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

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
	c, answer := d.dial(t, ep, path, params)
	if answer.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(answer.Body)
		t.Fatalf("connect to %s: refused with %s %s", path, answer.Status, body)
	}
	if err := d.check(answer.Header); err != nil {
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
	_, answer := d.dial(t, ep, path, params)
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

// The key and what it must be answered with, from RFC 6455 §1.3.
const (
	key    = "dGhlIHNhbXBsZSBub25jZQ=="
	accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// dial sends a handshake and reads the answer.
func (d Dialer) dial(t testing.TB, ep *Endpoint, path string, params phx.Params) (*Client, *http.Response) {
	t.Helper()
	conn, err := ep.Dial()
	if err != nil {
		t.Fatalf("connect to %s: %v", path, err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &Client{
		t: t, endpoint: ep, conn: conn, in: bufio.NewReader(conn), protocol: v2{},
		id:      strconv.FormatInt(ep.clients.Add(1), 10),
		timeout: cmp.Or(d.Timeout, patience),
	}
	if strings.HasPrefix(d.Version, "1.") {
		c.protocol = v1{}
	}
	request, err := d.request(path, params)
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

// request is the handshake that the official client sends (spec §1.1, §1.5).
func (d Dialer) request(path string, params phx.Params) (*http.Request, error) {
	query := make(url.Values)
	for name, value := range params {
		addParam(query, name, value)
	}
	query.Set("vsn", cmp.Or(d.Version, "2.0.0"))
	r, err := http.NewRequest(http.MethodGet, "http://localhost"+path+"/websocket?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	maps.Copy(r.Header, d.Header)
	r.Host = cmp.Or(d.Header.Get("Host"), r.Host)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Sec-WebSocket-Version", "13")
	r.Header.Set("Sec-WebSocket-Key", key)
	if offers := d.offers(); len(offers) > 0 {
		r.Header.Set("Sec-WebSocket-Protocol", strings.Join(offers, ", "))
	}
	return r, nil
}

// offers are the subprotocols in the request. The token is in the standard
// alphabet, whatever its prefix says.
func (d Dialer) offers() []string {
	if d.AuthToken == "" {
		return d.Subprotocols
	}
	token := "base64url.bearer.phx." + base64.RawStdEncoding.EncodeToString([]byte(d.AuthToken))
	return append([]string{"phoenix", token}, d.Subprotocols...)
}

// check refuses the answers that browsers refuse.
func (d Dialer) check(answer http.Header) error {
	if got := answer.Get("Sec-WebSocket-Accept"); got != accept {
		return fmt.Errorf("Sec-WebSocket-Accept is %q, want %q", got, accept)
	}
	if len(d.offers()) > 0 && answer.Get("Sec-WebSocket-Protocol") == "" {
		return errors.New("the server chose no subprotocol, so a browser would not connect: does the mount have AuthToken or Subprotocols?")
	}
	return nil
}

// addParam adds a parameter as the official client does: nested ones have
// brackets, those of lists have indexes (spec §1.2).
func addParam(query url.Values, name string, value any) {
	switch value := value.(type) {
	case nil:
	case phx.Params:
		addParam(query, name, map[string]any(value))
	case map[string]any:
		for key, v := range value {
			addParam(query, name+"["+key+"]", v)
		}
	case []any:
		for i, v := range value {
			addParam(query, fmt.Sprintf("%s[%d]", name, i), v)
		}
	default:
		query.Add(name, fmt.Sprint(value))
	}
}

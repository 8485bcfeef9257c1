package phx_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/token"
)

// showing is a route whose channels reply to a join with what their socket's
// Connect has kept.
func showing() []phx.Route {
	return []phx.Route{{Pattern: "*", Type: &phx.ChannelType{
		Join: func(ch *phx.Channel, _ phx.Payload) (any, error) { return ch.Value("seen"), nil },
	}}}
}

// seen connects and returns what Connect has kept.
func seen(t *testing.T, ep *phx.Endpoint, target string, headers ...string) string {
	t.Helper()
	c := dialAt(t, ep, target, headers...)
	c.say(`["1","1","a","phx_join",{}]`)
	var m []json.RawMessage
	var reply struct{ Response json.RawMessage }
	if err := json.Unmarshal([]byte(c.message()), &m); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(m[4], &reply); err != nil {
		t.Fatal(err)
	}
	return string(reply.Response)
}

// Variables of the path are parameters, and win over those of the query; those
// with _ are not told (spec §1.1).
func TestPathVariables(t *testing.T) {
	keep := func(s *phx.Socket, p phx.Params, _ *http.Request) error { s.Assign("seen", p); return nil }
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{
		{Path: "/socket/:org/:_secret", WebSocketPath: "/project/:pid", Connect: keep, Routes: showing()},
		{Path: "/socket/fixed/x", WebSocketPath: "/project/1", Routes: showing()},
	}})
	for target, want := range map[string]string{
		"/socket/acme/s/project/7":                       `{"org":"acme","pid":"7"}`,
		"/socket/a%20b%2Fc/s/project/%C3%A9":             `{"org":"a b/c","pid":"é"}`,
		"/socket/acme/s/project/7?org=other&_secret=1&k": `{"org":"acme","pid":"7","_secret":"1","k":""}`,
	} {
		sep := "?"
		if strings.Contains(target, "?") {
			sep = "&"
		}
		got := seen(t, ep, target+sep+"vsn=2.0.0")
		if !sameJSON(t, got, strings.TrimSuffix(want, "}")+`,"vsn":"2.0.0"}`) {
			t.Errorf("%s: parameters %s, want %s and vsn", target, got, want)
		}
	}
	if got := seen(t, ep, "/socket/fixed/x/project/1?vsn=2.0.0"); got != "{}" {
		t.Errorf("the mount without variables kept %s, want nothing: it comes first", got)
	}
	for _, target := range []string{"/socket/acme/s/project/", "/socket/acme/s/project", "/socket//s/project/7", "/socket/a/s/project/7/8", "/socket/%zz/s/project/7"} {
		if got, _ := status(t, ep, target); got != 404 && got != 400 {
			t.Errorf("%s: status %d, want 404", target, got)
		}
	}
}

// The first subprotocol of ours that the client offers is chosen (spec §1.5).
func TestSubprotocols(t *testing.T) {
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{
		{Path: "/none"},
		{Path: "/some", Subprotocols: []string{"mqtt", "phx.v2"}},
		{Path: "/auth", AuthToken: true},
		{Path: "/both", AuthToken: true, Subprotocols: []string{"mqtt"}},
	}})
	const bearer = "base64url.bearer.phx.YWJj"
	for _, tt := range []struct {
		path, offer string
		status      int
		chosen      string
	}{
		{"/none", "", 101, ""},
		{"/none", "mqtt", 101, ""},
		{"/none", "phoenix, " + bearer, 101, ""},
		{"/some", "", 101, ""},
		{"/some", "phx.v2, mqtt", 101, "mqtt"},
		{"/some", "x,phx.v2", 101, "phx.v2"},
		{"/some", "x\r\nSec-WebSocket-Protocol: mqtt", 101, "mqtt"}, // two lines
		{"/some", "x", 403, ""},
		{"/some", "MQTT", 403, ""},
		{"/auth", "", 101, ""},
		{"/auth", "phoenix, " + bearer, 101, "phoenix"},
		{"/auth", bearer + "\r\nSec-WebSocket-Protocol: phoenix", 101, "phoenix"},
		{"/auth", bearer, 101, ""},
		{"/auth", "mqtt, " + bearer, 403, ""},
		{"/auth", "phoenix, base64url.bearer.phx.!!!", 400, ""},
		{"/both", "mqtt, phoenix, " + bearer, 101, "phoenix"},
		{"/both", "mqtt", 101, "mqtt"},
	} {
		var headers []string
		if tt.offer != "" {
			headers = []string{"Sec-WebSocket-Protocol: " + tt.offer}
		}
		got, head := status(t, ep, tt.path+"/websocket", headers...)
		if got != tt.status {
			t.Errorf("%s, %q: status %d, want %d", tt.path, tt.offer, got, tt.status)
		}
		_, chosen, _ := strings.Cut(head, "Sec-WebSocket-Protocol: ")
		if chosen, _, _ = strings.Cut(chosen, "\r\n"); chosen != tt.chosen {
			t.Errorf("%s, %q: chose %q, want %q", tt.path, tt.offer, chosen, tt.chosen)
		}
	}
}

// The token comes without its clothes, in either alphabet, with or without
// padding; of two there is none (spec §1.5).
func TestAuthToken(t *testing.T) {
	keep := func(s *phx.Socket, _ phx.Params, r *http.Request) error {
		token, ok := phx.AuthToken(r)
		s.Assign("seen", map[string]any{"token": token, "ok": ok})
		return nil
	}
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{
		{Path: "/auth", AuthToken: true, Connect: keep, Routes: showing()},
		{Path: "/off", Connect: keep, Routes: showing()},
	}})
	const prefix = "phoenix, base64url.bearer.phx."
	for _, tt := range []struct{ path, offer, want string }{
		{"/auth", prefix + "czNjcmV0Ky89", `{"token":"s3cret+/=","ok":true}`},
		{"/auth", prefix + "YWJjZD4/fg", `{"token":"abcd>?~","ok":true}`},
		{"/auth", prefix + "YWJjZD4_fg", `{"token":"abcd>?~","ok":true}`},
		{"/auth", prefix + "YWJjZD4_fg==", `{"token":"abcd>?~","ok":true}`},
		{"/auth", prefix, `{"token":"","ok":true}`},
		{"/auth", "phoenix", `{"token":"","ok":false}`},
		{"/auth", prefix + "YQ, base64url.bearer.phx.Yg", `{"token":"","ok":false}`},
		{"/off", prefix + "YWJj", `{"token":"","ok":false}`},
	} {
		if got := seen(t, ep, tt.path+"/websocket?vsn=2.0.0", "Sec-WebSocket-Protocol: "+tt.offer); !sameJSON(t, got, tt.want) {
			t.Errorf("%s with %q: %s, want %s", tt.path, tt.offer, got, tt.want)
		}
	}
}

// Connect gets a page's session only with a CSRF token that is the session's; it
// decides itself what to do without (spec §1.6).
func TestSessions(t *testing.T) {
	newTokens := func(secret string) *token.Tokens {
		tokens, err := token.New(secret, token.Config{})
		if err != nil {
			t.Fatal(err)
		}
		return tokens
	}
	checked := &phx.Sessions{Tokens: newTokens(strings.Repeat("s", 64))}
	loose := *checked
	loose.SkipCSRF = true
	foreign := &phx.Sessions{Tokens: newTokens(strings.Repeat("x", 64))}
	keep := func(s *phx.Socket, _ phx.Params, r *http.Request) error {
		s.Assign("seen", map[string]any{"user": phx.Session(r)["user"]})
		return nil
	}
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{
		{Path: "/checked", Sessions: checked, Connect: keep, Routes: showing()},
		{Path: "/loose", Sessions: &loose, Connect: keep, Routes: showing()},
		{Path: "/off", Connect: keep, Routes: showing()},
	}})
	begin := func(s *phx.Sessions, user string) (cookie, csrf string) {
		w := httptest.NewRecorder()
		csrf, err := s.Start(w, map[string]any{"user": user})
		if err != nil {
			t.Fatal(err)
		}
		cookie, _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
		return cookie, csrf
	}
	cookie, csrf := begin(checked, "ann")
	_, other := begin(checked, "bob")
	forged, forgedCSRF := begin(foreign, "ann")
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", cookie)
	another := checked.CSRF(r)
	if another == csrf || another == "" {
		t.Errorf("CSRF token of another page is %q, want one that differs from %q", another, csrf)
	}
	const ann, nobody = `{"user":"ann"}`, `{"user":null}`
	for _, tt := range []struct{ name, path, cookie, csrf, want string }{
		{"good", "/checked", cookie, csrf, ann},
		{"good, of another page", "/checked", cookie, another, ann},
		{"no CSRF token", "/checked", cookie, "", nobody},
		{"another session's CSRF token", "/checked", cookie, other, nobody},
		{"garbage", "/checked", cookie, "!", nobody},
		{"no cookie", "/checked", "x=1", csrf, nobody},
		{"changed", "/checked", cookie[:len(cookie)-2] + "xx", csrf, nobody},
		{"of another server", "/checked", forged, forgedCSRF, nobody},
		{"not checked", "/loose", cookie, "", ann},
		{"off", "/off", cookie, csrf, nobody},
	} {
		got := seen(t, ep, tt.path+"/websocket?vsn=2.0.0&_csrf_token="+tt.csrf, "Cookie: "+tt.cookie)
		if !sameJSON(t, got, tt.want) {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// A socket that is closed while Connect runs gets the answer to its request first:
// before it, a Close frame would be taken for that.
func TestCloseInConnect(t *testing.T) {
	ended := make(chan phx.Reason, 1)
	cfg := longPolling(time.Minute)
	cfg.Telemetry = &phx.Telemetry{Disconnected: func(e phx.DisconnectEvent) { ended <- e.Reason }}
	cfg.Mounts[0].Connect = func(s *phx.Socket, p phx.Params, _ *http.Request) error {
		s.Close()
		if p["refuse"] != nil {
			return errors.New("refused")
		}
		return nil
	}
	ep := startConfig(t, cfg)
	c := dial(t, ep)
	c.wantClosed(1001)
	c.conn.Close()
	if got := within(t, "end", ended); got != phx.Disconnected {
		t.Errorf("ended because %q, want %q", got, phx.Disconnected)
	}
	c = connect(t, ep)
	c.write(request("/socket/websocket?vsn=2.0.0&refuse=1"))
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 403 ") {
		t.Errorf("refused: answer %q, want 403", head)
	}
	c.conn.Close()
	w := dialWeb(t, ep)
	if a := w.do("GET", "/socket/longpoll?vsn=2.0.0", ""); a.code != 200 {
		t.Errorf("long polling: %d, want 200", a.code)
	}
	if got := within(t, "end", ended); got != phx.Disconnected {
		t.Errorf("long polling ended because %q, want %q", got, phx.Disconnected)
	}
}

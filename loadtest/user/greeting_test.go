package user

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/script"
)

// sourceWith is a script with a target and one user.
func sourceWith(t *testing.T, target string) *script.Script {
	t.Helper()
	src := script.Source{
		Text:    []byte("target: {" + target + "}\nusers: {file: u.csv}\ntopics: [{topic: a}]\n"),
		Columns: []string{"id", "cookie", "line", "none"}, Rows: [][]string{{"ann", "a=b", "x\r\nY: z", ""}},
	}
	s, err := src.Script()
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	return s
}

// What a user says when it connects is of the file, filled in; what belongs to the
// WebSocket, or would be passed over, is refused.
func TestGreeting(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"url: ws://a/":                                "",
		`headers: {X-B: "{{user.id}}", X-A: 1}`:       "X-A: 1|X-B: ann",
		`cookies: {s: "{{user.cookie}}", t: "{{n}}"}`: "Cookie: s=a=b; t=1",
		`headers: {cookie: "x=1"}, cookies: {y: 2}`:   "Cookie: x=1; y=2",
		`headers: {Host: other.test}`:                 "Host: other.test",
		`headers: {X: "{{user.none}}"}`:               "X: ",
		`subprotocols: [a, b]`:                        "offers a, b",
		`authToken: "{{user.id}}"`:                    "offers phoenix, base64url.bearer.phx.YW5u",
		`authToken: t, subprotocols: [x]`:             "offers phoenix, base64url.bearer.phx.dA, x",
		`authToken: "{{user.none}}"`:                  "",
		`headers: {"X Y": 1}`:                         `!header: "X Y": want 'Name: value'`,
		`headers: {"": 1}`:                            `!header: "": want 'Name: value'`,
		`headers: {X: "{{user.line}}"}`:               "!header: X: there is a control character in its value",
		`cookies: {X: "{{user.line}}"}`:               "!header: Cookie: there is a control character in its value",
		`headers: {upgrade: h2c}`:                     "!header: Upgrade belongs to the WebSocket",
		`headers: {Sec-WebSocket-Protocol: x}`:        "!header: Sec-WebSocket-Protocol belongs to the WebSocket",
		`subprotocols: ["a, b"]`:                      `!subprotocol: "a, b" is none`,
		`headers: {Authorization: "Bearer {{user.id}}", Origin: "https://a.test"}`: "Authorization: Bearer ann|Origin: https://a.test",
	} {
		g, err := greeting(sourceWith(t, target), scopeOf(t, target))
		if problem, fails := strings.CutPrefix(want, "!"); fails {
			if err == nil || !strings.Contains(err.Error(), problem) {
				t.Errorf("%s: %+v, %v, want %s", target, g, err, problem)
			}
			continue
		}
		got := strings.Join(g.Headers, "|")
		request := string(order.Target{URL: "ws://h/", Greeting: g}.Request("k"))
		if offers, has := strings.CutPrefix(want, "offers "); has {
			want = ""
			if !strings.Contains(request, "Sec-WebSocket-Protocol: "+offers+"\r\n") {
				t.Errorf("%s: asks\n%s, want it to offer %s", target, request, offers)
			}
		}
		if err != nil || got != want || strings.Count(request, "\r\nHost: ") != 1 {
			t.Errorf("%s: %q, %v, want %q; asks\n%s", target, got, err, want, request)
		}
	}
}

func scopeOf(t *testing.T, target string) *script.Scope {
	t.Helper()
	return &script.Scope{Script: sourceWith(t, target), N: 1}
}

// The query is that of the URL as it stands, the params of the user, and the version.
func TestQuery(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ raw, target, want string }{
		{"ws://h/", "", "vsn=2.0.0"},
		{"ws://h/?a=%41;b&&c", "", "a=%41;b&&c&vsn=2.0.0"},
		{"ws://h/?vsn=1.0.0", "vsn: 2.0.0", "vsn=1.0.0"},
		{"ws://h/", "vsn: 1.0.0", "vsn=1.0.0"},
		{"ws://h/?x=1", `params: {token: "a b&{{user.id}}", "é": "{{n}}"}`, "x=1&token=a+b%26ann&vsn=2.0.0&%C3%A9=1"},
		{"ws://h/?token=a", `params: {token: b}`, "token=a&token=b&vsn=2.0.0"},
	} {
		u, err := url.Parse(test.raw)
		if err != nil {
			t.Fatal(err)
		}
		got, err := query(target{url: *u}, sourceWith(t, test.target), scopeOf(t, test.target))
		if err != nil || got != test.want {
			t.Errorf("%s with %s asks %q, %v, want %q", test.raw, test.target, got, err, test.want)
		}
	}
}

// A name of several addresses is used at those that somebody listens at: of localhost
// that is often one of two.
func TestAddressesThatAnswer(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	here, also := target{addr: "127.0.0.1:" + port}, target{addr: "127.0.0.1:" + port}
	nobody, noFamily := target{addr: "127.44.55.66:" + port}, target{addr: "[::1]:" + port}
	from, err := order.ParseSources("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		from    order.Sources
		all     []target
		want    []target
		without string
	}{
		{"one that answers", nil, []target{here}, []target{here}, ""},
		{"one that does not", nil, []target{nobody}, []target{nobody}, ""}, // users tell
		{"both answer", nil, []target{here, also}, []target{here, also}, ""},
		{"one of two", nil, []target{nobody, here}, []target{here}, "Address 127.44.55.66:" + port + " is left out: dial: connection refused."},
		{"none of two", nil, []target{nobody, nobody}, []target{nobody, nobody}, ""},
		{"one that no source reaches", from, []target{noFamily, here}, []target{here}, "Address [::1]:" + port + " is left out: from: none of 127.0.0.1 can reach ::1"},
	} {
		to := targets{from: test.from}
		got := to.answering(t.Context(), test.all)
		same := len(got) == len(test.want)
		for i := range got {
			same = same && got[i].addr == test.want[i].addr
		}
		if told := strings.Join(to.without, ""); !same || (told == "") != (test.without == "") || !strings.HasPrefix(told, test.without) {
			t.Errorf("%s: %v, and said %q, want %v and %q", test.name, got, told, test.want, test.without)
		}
	}
}

// Addresses and paths of URLs are those that a client of Phoenix's makes of them.
func TestResolve(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"url: ws://127.0.0.1":                          "127.0.0.1:80 ws://127.0.0.1/socket/websocket",
		"url: wss://127.0.0.1":                         "127.0.0.1:443 wss://127.0.0.1/socket/websocket",
		"url: http://127.0.0.1:4000/live":              "127.0.0.1:4000 ws://127.0.0.1:4000/live/websocket",
		"url: 'https://127.0.0.1/a%2Fb?x=1'":           "127.0.0.1:443 wss://127.0.0.1/a%2Fb/websocket?x=1",
		"url: 'ws://[::1]:4000/'":                      "[::1]:4000 ws://[::1]:4000/socket/websocket",
		"url: ws://127.0.0.1/s, transport: longpoll":   "127.0.0.1:80 ws://127.0.0.1/s/longpoll",
		"urls: [ws://127.0.0.1/a, ws://127.0.0.2:8/b]": "127.0.0.1:80 ws://127.0.0.1/a/websocket, 127.0.0.2:8 ws://127.0.0.2:8/b/websocket",
		"url: 'wss://127.0.0.1/', tls: {ca: none.pem}": "!target.tls: ca: none.pem has no certificate in PEM",
		"transport: longpoll":                          "!target.url: say where the application is",
		"url: ws://127.0.0.1:4000000/":                 "127.0.0.1:4000000 ws://127.0.0.1:4000000/socket/websocket", // dialing tells
		"url: 'ws://ann:pw@127.0.0.1/', vsn: 1.0.0":    "127.0.0.1:80 ws://ann:pw@127.0.0.1/socket/websocket",
		"url: 'ws://[fe80::1%25nowhere]/', vsn: 1.0.0": "[fe80::1%nowhere]:80 ws://[fe80::1%25nowhere]/socket/websocket",
	} {
		s := sourceWith(t, target)
		files := new(script.Source)
		if strings.Contains(target, "ca:") {
			files.CA = []byte("none")
		}
		got, err := resolve(t.Context(), s, order.Orders{Script: files})
		if problem, fails := strings.CutPrefix(want, "!"); fails {
			if err == nil || err.Error() != problem {
				t.Errorf("%s: %v, want %s", target, err, problem)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		var list []string
		for _, to := range got.list {
			list = append(list, to.addr+" "+to.url.String())
		}
		if text := strings.Join(list, ", "); text != want {
			t.Errorf("%s is %s, want %s", target, text, want)
		}
		for n := range 2 * len(got.list) {
			if to := got.of(n + 1); to.addr != got.list[n%len(got.list)].addr {
				t.Errorf("%s: user %d connects to %s", target, n+1, to.addr)
			}
		}
	}
}

// What people are told of a URL has no secret.
func TestHostOfTarget(t *testing.T) {
	t.Parallel()
	u, err := url.Parse("wss://ann:s3cret@h.test:4/socket/websocket?token=s3cret#s3cret")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := (target{url: *u}).host(), "wss://h.test:4/socket/websocket"; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
}

// The password of a URL and the name of another host are sent, over WebSocket and
// long polling.
func TestRequestOfUser(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{script.WebSocket, script.LongPoll} {
		heads := make(chan *http.Request, 1)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case heads <- r:
			default:
			}
			http.Error(w, "not today", http.StatusForbidden)
		}))
		raw := strings.Replace(server.URL, "http://", "ws://ann:pw@", 1) + "/live"
		s := sourceWith(t, `url: "`+raw+`", transport: `+transport+`, headers: {Host: app.test, X: "{{user.id}}"}, cookies: {c: d}, params: {p: "{{n}}"}, authToken: tok`)
		to, err := resolve(t.Context(), s, order.Orders{Script: new(script.Source)})
		if err != nil {
			t.Fatal(err)
		}
		open := dialWebSocket
		if transport == script.LongPoll {
			open = openLongPoll
		}
		if _, err := open(context.Background(), to, s, &script.Scope{Script: s, N: 1}); err == nil || err.Error() != "upgrade: HTTP 403 Forbidden: not today" && !strings.Contains(err.Error(), "403") {
			t.Errorf("%s: %v, want what the server said", transport, err)
		}
		r := <-heads
		user, password, _ := r.BasicAuth()
		if r.Host != "app.test" || user != "ann" || password != "pw" || r.Header.Get("X") != "ann" || r.Header.Get("Cookie") != "c=d" || r.URL.RawQuery != "p=1&vsn=2.0.0" || r.URL.Path != "/live/"+transport {
			t.Errorf("%s: asked %s of %s as %s:%s with %v", transport, r.RequestURI, r.Host, user, password, r.Header)
		}
		token := r.Header.Get("X-Phoenix-Authtoken") + r.Header.Get("Sec-Websocket-Protocol")
		if want := map[string]string{script.LongPoll: "tok", script.WebSocket: "phoenix, base64url.bearer.phx.dG9r"}[transport]; token != want {
			t.Errorf("%s: token %q, want %q", transport, token, want)
		}
		server.Close()
	}
}

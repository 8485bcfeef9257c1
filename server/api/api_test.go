package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/api"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxtest"
	"github.com/roost-rt/roost/server/presence"
)

const token = "0123456789abcdef"

// application is one with rooms in which people are seen.
func application(t *testing.T, cfg phx.Config) (*phxtest.Endpoint, http.Handler) {
	t.Helper()
	here := presence.New(presence.Config{})
	room := &phx.ChannelType{
		Join: func(ch *phx.Channel, _ phx.Payload) (any, error) {
			_, err := here.Track(ch, "ann", map[string]any{"status": "online"})
			return nil, err
		},
	}
	cfg.Mounts = []phx.Mount{{
		Path:    "/socket",
		Connect: func(s *phx.Socket, _ phx.Params, _ *http.Request) error { s.SetID("users_socket:7"); return nil },
		Routes:  []phx.Route{{Pattern: "room:*", Type: room}},
	}}
	ep := phxtest.Start(t, cfg)
	t.Cleanup(here.Close)
	h, err := api.New(ep.Endpoint, api.Config{Token: token, Presence: here})
	if err != nil {
		t.Fatal(err)
	}
	return ep, h
}

// ask sends a request with the token.
func ask(h http.Handler, method, target string, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, body)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// What another program does reaches clients.
func TestAPI(t *testing.T) {
	ep, h := application(t, phx.Config{})
	ann := phxtest.Connect(t, ep, "/socket", nil)
	lobby := ann.Join("room:lobby", nil)
	odd := ann.Join("room:a/b?c", nil)

	if w := ask(h, "POST", "/v1/broadcast", strings.NewReader(`{"topic":"room:lobby","event":"news","payload":{"body":"hi"}}`)); w.Code != 204 {
		t.Errorf("broadcast: %d %s", w.Code, w.Body)
	}
	lobby.ExpectBroadcast("news", map[string]any{"body": "hi"})
	ask(h, "POST", "/v1/broadcast", strings.NewReader(`{"topic":"room:a/b?c","event":"news"}`))
	odd.ExpectBroadcast("news", nil)

	for target, want := range map[string]string{
		"/v1/topics?limit=1":          `{"topics":[{"topic":"room:a/b?c","subscribers":1}` + "\n" + `],"more":true}`,
		"/v1/topics/room:lobby":       `{"here":1,"subscribers":1,"topic":"room:lobby"}`,
		"/v1/topics/room:a%2Fb%3Fc":   `{"here":1,"subscribers":1,"topic":"room:a/b?c"}`,
		"/v1/topics/nobody":           `{"here":0,"subscribers":0,"topic":"nobody"}`,
		"/v1/topics/nobody/presence":  `{"count":0,"presence":{},"topic":"nobody"}`,
		"/v1/topics?limit=0":          `{"topics":[],"more":true}`,
		"/v1/topics?limit=10001":      `{"error":"limit is \"10001\": want 0 to 10000"}`,
		"/v1/topics?limit=everything": `{"error":"limit is \"everything\": want 0 to 10000"}`,
	} {
		if w := ask(h, "GET", target, nil); strings.TrimSpace(w.Body.String()) != want {
			t.Errorf("GET %s: %d %s, want %s", target, w.Code, w.Body, want)
		}
	}
	var got struct {
		Count    int
		Presence map[string]struct{ Metas []struct{ Status string } }
	}
	w := ask(h, "GET", "/v1/topics/room:lobby/presence", nil)
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Count != 1 || len(got.Presence["ann"].Metas) != 1 || got.Presence["ann"].Metas[0].Status != "online" {
		t.Errorf("presence: %v in %s", err, w.Body)
	}

	if w := ask(h, "POST", "/v1/sockets/users_socket:8/disconnect", nil); w.Code != 204 {
		t.Errorf("disconnect nobody: %d %s", w.Code, w.Body)
	}
	lobby.RefuteBroadcast("disconnect", phxtest.Any)
	if w := ask(h, "POST", "/v1/sockets/users_socket:7/disconnect", nil); w.Code != 204 {
		t.Errorf("disconnect: %d %s", w.Code, w.Body)
	}
	ann.ExpectClose(1001)
}

// full is a cluster whose link takes nothing.
type full struct{ pubsub.Adapter }

func (full) Start(func(*pubsub.Message) error, func(pubsub.Gap)) error { return nil }
func (full) Close()                                                    {}
func (full) Node() string                                              { return "full" }
func (full) Broadcast(*pubsub.Message) error                           { return pubsub.ErrOverloaded }
func (full) Stats() (st pubsub.AdapterStats)                           { return st }

// What is wrong is said, with the status that tells programs what to do.
func TestErrors(t *testing.T) {
	_, h := application(t, phx.Config{MaxPayload: 1000})
	long := `{"topic":"a","event":"b","payload":{"c":"` + strings.Repeat("x", 1000) + `"}}`
	for _, tt := range []struct {
		body, want string
		status     int
	}{
		{``, "the body is no message: EOF", 400},
		{`[]`, "the body is no message", 400},
		{`{"topic":"a"}`, "topic and event must not be empty", 400},
		{`{"topic":"a","event":"b","payload":[]}`, "payload is []: want an object", 400},
		{`{"topic":"a","event":"b","payload":null}`, "payload is null: want an object", 400},
		{`{"topic":"a","event":"b","to":"c"}`, `unknown field \"to\"`, 400},
		{`{"topic":"a","event":"b"}{}`, "something follows the message", 400},
		{"{\"topic\":\"a\",\"event\":\"b\",\"payload\":{\"c\":\"\xff\"}}", "UTF-8", 400},
		{"{\"topic\":\"\xff\",\"event\":\"b\"}", "UTF-8", 400},
		{`{"topic":"\u0000presence:","event":"ask"}`, "topic begins with NUL", 400},
		{`{"topic":"room:lobby","event":"phx_close"}`, "phx_", 400},
		{long, "payload too large", 413},
		{`"` + strings.Repeat("x", 18<<20), "too large", 413},
	} {
		if w := ask(h, "POST", "/v1/broadcast", strings.NewReader(tt.body)); w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%.60s: %d %s, want %d with %s", tt.body, w.Code, w.Body, tt.status, tt.want)
		}
	}
	for _, tt := range []struct {
		method, target string
		status         int
	}{
		{"POST", "/v1/sockets/%00presence:/disconnect", 400},
		{"GET", "/v1", 404},
		{"GET", "/v1/topics/a/b", 404},
		{"PUT", "/v1/broadcast", 405},
		{"POST", "/v1/topics/a", 405},
	} {
		w, said := ask(h, tt.method, tt.target, nil), struct{ Error string }{}
		if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil || said.Error == "" || w.Code != tt.status {
			t.Errorf("%s %s: %d %s, want %d and an error", tt.method, tt.target, w.Code, w.Body, tt.status)
		}
	}
	_, h = application(t, phx.Config{Adapter: full{}})
	w := ask(h, "POST", "/v1/broadcast", strings.NewReader(`{"topic":"a","event":"b"}`))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("overloaded: %d %v %s, want 503", w.Code, w.Header(), w.Body)
	}
}

// Nobody without the token has more than the description.
func TestToken(t *testing.T) {
	ep, h := application(t, phx.Config{})
	for _, header := range []string{"", "Bearer", "Bearer " + token + "0", "Basic " + token, token, token[:15]} {
		for _, target := range []string{"/v1/topics", "/v1/topics/a", "/", "/v1"} {
			r := httptest.NewRequest("GET", target, nil)
			r.Header.Set("Authorization", header)
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, r); w.Code != 401 && header != token[:15] {
				t.Errorf("GET %s with %q: %d, want 401", target, header, w.Code)
			}
		}
	}
	r := httptest.NewRequest("GET", "/v1/topics", nil)
	r.Header.Set("Authorization", "bearer "+token)
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != 200 {
		t.Errorf("GET /v1/topics with a scheme in small letters: %d, want 200", w.Code)
	}
	w = httptest.NewRecorder()
	if h.ServeHTTP(w, httptest.NewRequest("GET", "/openapi.yaml", nil)); w.Code != 200 || !strings.HasPrefix(w.Body.String(), "openapi: 3.1") {
		t.Errorf("GET /openapi.yaml: %d", w.Code)
	}
	if _, err := api.New(ep.Endpoint, api.Config{Token: "short"}); err == nil {
		t.Error("New takes a token of five characters")
	}
}

// slowBody is a body that comes when it may.
type slowBody struct{ gate chan struct{} }

func (b slowBody) Read([]byte) (int, error) { <-b.gate; return 0, io.EOF }

// Large bodies of many at a time are not held.
func TestBodiesAreBounded(t *testing.T) {
	_, h := application(t, phx.Config{})
	body := slowBody{make(chan struct{})}
	codes := make(chan int, 100)
	var all sync.WaitGroup
	for range cap(codes) {
		all.Go(func() { codes <- ask(h, "POST", "/v1/broadcast", body).Code })
	}
	refused := 0
	for range cap(codes) - 16 {
		if <-codes == 503 {
			refused++
		}
	}
	close(body.gate)
	all.Wait()
	if refused != cap(codes)-16 {
		t.Errorf("%d of %d were refused, want all but 16", refused, cap(codes))
	}
}

// A description of the API, as far as the test below goes.
type description struct {
	Paths map[string]map[string]yaml.Node
}

type operation struct {
	RequestBody struct {
		Content map[string]struct{ Example map[string]any }
	} `yaml:"requestBody"`
	Responses map[string]yaml.Node
}

// The description is what the handler does: each operation answers its example with a
// status that it names, and there are no others.
func TestDescription(t *testing.T) {
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d description
	if err := yaml.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	_, h := application(t, phx.Config{})
	example := strings.NewReplacer("{topic}", url.PathEscape("room:lobby"), "{id}", "users_socket:7")
	operations := 0
	for path, methods := range d.Paths {
		for method, node := range methods {
			var op operation
			if method == "parameters" {
				continue
			}
			if err := node.Decode(&op); err != nil {
				t.Fatal(err)
			}
			operations++
			body, err := json.Marshal(op.RequestBody.Content["application/json"].Example)
			if err != nil {
				t.Fatal(err)
			}
			w := ask(h, strings.ToUpper(method), example.Replace(path), strings.NewReader(string(body)))
			if _, named := op.Responses[strconv.Itoa(w.Code)]; !named || w.Code >= 300 {
				t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
			}
			if _, named := op.Responses["401"]; !named {
				t.Errorf("%s %s does not say that it wants a token", method, path)
			}
		}
	}
	if want := len(api.Routes); operations != want {
		t.Errorf("%d operations are described, and %d served", operations, want)
	}
}

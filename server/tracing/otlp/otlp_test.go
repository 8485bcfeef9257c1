package otlp_test

import (
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/roost-rt/roost/server/api"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxtest"
	"github.com/roost-rt/roost/server/tracing/otlp"
)

// A receiver takes spans, of OTLP over HTTP.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	got  []*spans.Span
	text string // of all resources
}

func newReceiver(t *testing.T) *receiver {
	r := new(receiver)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/v1/traces" {
			http.NotFound(w, req)
			return
		}
		body, err := io.ReadAll(req.Body)
		var m spans.TracesData
		if err != nil || proto.Unmarshal(body, &m) != nil {
			t.Errorf("no spans: %v in %q", err, body)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, of := range m.ResourceSpans {
			r.text += of.Resource.String()
			for _, scope := range of.ScopeSpans {
				r.got = append(r.got, scope.Spans...)
			}
		}
		r.text += req.Header.Get("Authorization")
	}))
	t.Cleanup(r.Close)
	return r
}

// values are a span's attributes.
func values(s *spans.Span) map[string]*common.AnyValue {
	m := make(map[string]*common.AnyValue)
	for _, a := range s.Attributes {
		m[a.Key] = a.Value
	}
	return m
}

const token = "0123456789abcdef"

// application is a server whose spans go to a receiver. end sends what waits.
func application(t *testing.T, cfg otlp.Config) (ep *phxtest.Endpoint, outside http.Handler, end func()) {
	t.Helper()
	sender, err := otlp.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	room := &phx.ChannelType{In: phx.Events{
		"shout": func(ch *phx.Channel, p phx.Payload) (any, error) { return phx.OK, ch.Broadcast("shout", p) },
	}}
	ep = phxtest.Start(t, phx.Config{
		Telemetry: sender.Telemetry(), MaxPayload: 100,
		Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "room:*", Type: room}}}},
	})
	outside, err = api.New(ep.Endpoint, api.Config{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return ep, sender.Handler(outside), func() {
		t.Helper()
		if err := sender.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// say broadcasts as another program does.
func say(t *testing.T, h http.Handler, parent string) {
	t.Helper()
	r := httptest.NewRequest("POST", "/v1/broadcast", strings.NewReader(`{"topic":"room:1","event":"news"}`))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Traceparent", parent)
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != 204 {
		t.Fatalf("broadcast: %d %s", w.Code, w.Body)
	}
}

// A broadcast is one span, of a client's, of another program's with its trace, and of one
// that fails. Neither connections, joins, messages nor replies are spans.
func TestSpans(t *testing.T) {
	r := newReceiver(t)
	ep, h, end := application(t, otlp.Config{URL: r.URL})
	for range 3 {
		ann := phxtest.Connect(t, ep, "/socket", nil)
		ann.Join("room:1", nil).Push("shout", map[string]any{"a": 1}).ExpectReply("ok", phxtest.Any)
	}
	say(t, h, "00-0102030405060708090a0b0c0d0e0f10-1112131415161718-01")
	if err := ep.Broadcast("room:1", "long", map[string]any{"text": strings.Repeat("x", 100)}); err == nil {
		t.Error("a payload that is too long = nil, want an error")
	}
	end()

	if len(r.got) != 5 || !strings.Contains(r.text, `"roost"`) {
		t.Fatalf("%d spans of %s, want five of roost", len(r.got), r.text)
	}
	for i, want := range []struct {
		event          string
		trace, parent  string
		size, receives int64
		status         spans.Status_StatusCode
	}{
		{"shout", "", "", 7, 1, 0},
		{"shout", "", "", 7, 2, 0},
		{"shout", "", "", 7, 3, 0},
		{"news", "0102030405060708090a0b0c0d0e0f10", "1112131415161718", 2, 3, 0},
		{"long", "", "", 0, 3, spans.Status_STATUS_CODE_ERROR},
	} {
		got := r.got[i]
		v := values(got)
		if got.Name != "broadcast" || got.Kind != spans.Span_SPAN_KIND_PRODUCER || got.EndTimeUnixNano <= got.StartTimeUnixNano ||
			got.GetStatus().GetCode() != want.status || hex.EncodeToString(got.ParentSpanId) != want.parent ||
			want.trace != "" && hex.EncodeToString(got.TraceId) != want.trace ||
			v["messaging.destination.name"].GetStringValue() != "room:1" || v["phoenix.event"].GetStringValue() != want.event ||
			v["messaging.message.body.size"].GetIntValue() != want.size || v["phoenix.subscribers"].GetIntValue() != want.receives {
			t.Errorf("span %d is %v, want %+v", i, got, want)
		}
	}
}

// Of traces that begin here a share is sent. One that another program has begun is traced
// as that one says.
func TestRatio(t *testing.T) {
	r := newReceiver(t)
	ep, h, end := application(t, otlp.Config{URL: r.URL + "/v1/traces", Ratio: 1e-9})
	for range 100 {
		if err := ep.Broadcast("room:1", "news", nil); err != nil {
			t.Fatal(err)
		}
	}
	say(t, h, "00-0102030405060708090a0b0c0d0e0f10-1112131415161718-00")
	say(t, h, "00-0102030405060708090a0b0c0d0e0f10-1112131415161718-01")
	end()
	if len(r.got) != 1 || hex.EncodeToString(r.got[0].ParentSpanId) != "1112131415161718" {
		t.Errorf("spans %v, want the last alone", r.got)
	}
}

// A receiver that is not there costs a line of the log, and shows no token.
func TestNoReceiver(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	var log strings.Builder
	sender, err := otlp.Start(otlp.Config{URL: gone.URL + "?key=geheim", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	sender.Telemetry().Broadcast(phx.BroadcastEvent{Context: t.Context(), Topic: "a", Event: "b"})
	if err := sender.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if text := log.String(); !strings.Contains(text, "connection refused") || strings.Contains(text, "geheim") {
		t.Errorf("the log is %q, want that the connection was refused, and no token", text)
	}
}

func TestConfig(t *testing.T) {
	for _, cfg := range []otlp.Config{{URL: "127.0.0.1:4318"}, {URL: "ftp://a"}, {URL: "http://"}, {Ratio: 2}, {Ratio: -1}} {
		if _, err := otlp.Start(cfg); err == nil || !strings.Contains(err.Error(), "want ") {
			t.Errorf("Start(%+v) = %v, want what is wanted", cfg, err)
		}
	}
}

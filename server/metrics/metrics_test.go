package metrics_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.uber.org/goleak"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/metrics"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxtest"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/cloudwego/netpoll.(*defaultPoll).Wait"),
		goleak.IgnoreAnyFunction("github.com/bytedance/gopkg/util/gopool.(*worker).run.func1"),
	)
}

// room answers, refuses, crashes, pushes and broadcasts.
func room() *phx.ChannelType {
	return &phx.ChannelType{
		Join: func(ch *phx.Channel, _ phx.Payload) (any, error) {
			if ch.Topic() == "room:closed" {
				return nil, phx.Errorf("closed")
			}
			return nil, nil
		},
		In: phx.Events{
			"echo":  func(_ *phx.Channel, p phx.Payload) (any, error) { return p, nil },
			"no":    func(*phx.Channel, phx.Payload) (any, error) { return nil, phx.Errorf("no") },
			"crash": func(*phx.Channel, phx.Payload) (any, error) { panic("on purpose") },
			"push":  func(ch *phx.Channel, p phx.Payload) (any, error) { return nil, ch.Push("pushed", p) },
			"say":   func(ch *phx.Channel, p phx.Payload) (any, error) { return nil, ch.Broadcast("said", p) },
		},
	}
}

func config(events *metrics.Events) phx.Config {
	return phx.Config{
		Loops: 2, MaxConns: 100, Logger: slog.New(slog.DiscardHandler), Telemetry: events.Telemetry(),
		Mounts: []phx.Mount{{
			Path: "/socket", LongPoll: &phx.LongPoll{},
			Connect: func(_ *phx.Socket, p phx.Params, _ *http.Request) error {
				if p.String("token") == "bad" {
					return errors.New("bad token")
				}
				return nil
			},
			Routes: []phx.Route{{Pattern: "room:*", Type: room()}},
		}},
	}
}

// scrape asks as Prometheus does.
func scrape(t *testing.T, h http.Handler) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("GET /metrics: %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// missing is what of the lines a scrape does not have.
func missing(text string, lines []string) (out []string) {
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			out = append(out, line)
		}
	}
	return out
}

// expect waits until a scrape has all lines: hooks may be called after the client has
// its answer.
func expect(t *testing.T, h http.Handler, lines ...string) {
	t.Helper()
	var text string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if text = scrape(t, h); len(missing(text, lines)) == 0 {
			return
		}
	}
	t.Errorf("no\n%s\nin\n%s", strings.Join(missing(text, lines), "\n"), roostOnly(text))
}

// roostOnly leaves out what is of every Go program, and explanations.
func roostOnly(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "roost_") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// What clients do is what a scrape says.
func TestScrapeUnderClients(t *testing.T) {
	t.Parallel()
	events := metrics.NewEvents()
	ep := phxtest.Start(t, config(events))
	h := metrics.Handler(ep.Endpoint, events)
	expect(t, h, `roost_connections 0`, `roost_sockets{transport="websocket"} 0`, `roost_channels 0`, `roost_ready 1`, `roost_draining 0`,
		`roost_connections_limit 100`, `roost_budget_limit_bytes{budget="outbound"} 2.68435456e+08`)

	ann, bob := phxtest.Connect(t, ep, "/socket", nil), phxtest.Connect(t, ep, "/socket", nil)
	expect(t, h, `roost_connections 2`) // who is refused keeps one for a while
	phxtest.ConnectError(t, ep, "/socket", phx.Params{"token": "bad"}, http.StatusForbidden)
	at, other := ann.Join("room:1", nil), bob.Join("room:1", nil)
	ann.JoinError("room:closed", nil, map[string]any{"reason": "closed"})
	for range 3 {
		at.Push("echo", map[string]any{"n": 1}).ExpectReply("ok", map[string]any{"n": 1})
	}
	at.Push("no", nil).ExpectReply("error", phxtest.Any)
	at.Push("push", map[string]any{"n": 1})
	at.ExpectPush("pushed", phxtest.Any)
	at.Push("say", map[string]any{"n": 22})
	at.ExpectBroadcast("said", phxtest.Any)
	other.ExpectBroadcast("said", phxtest.Any)
	expect(t, h, `roost_sockets{transport="websocket"} 2`, `roost_sockets{transport="longpoll"} 0`, `roost_channels 2`,
		`roost_connects_total{mount="/socket",result="ok",transport="websocket"} 2`,
		`roost_connects_total{mount="/socket",result="refused",transport="websocket"} 1`,
		`roost_joins_total{pattern="room:*",result="ok"} 2`, `roost_joins_total{pattern="room:*",result="refused"} 1`,
		`roost_messages_received_total{pattern="room:*",result="ok"} 5`, `roost_messages_received_total{pattern="room:*",result="refused"} 1`,
		`roost_received_payload_bytes_total{pattern="room:*"} 38`, // 4 × {"n":1}, {"n":22}, {}
		`roost_pushes_total{pattern="room:*",result="ok"} 1`, `roost_push_payload_bytes_total{pattern="room:*"} 7`,
		`roost_broadcasts_total{result="ok"} 1`, `roost_broadcast_receivers_total 2`, `roost_broadcast_payload_bytes_total 16`)

	at.Push("crash", nil)
	at.ExpectError()
	bob.Close()
	expect(t, h, `roost_channel_crashes_total{pattern="room:*"} 1`, `roost_messages_received_total{pattern="room:*",result="crashed"} 1`,
		`roost_disconnects_total{reason="closed"} 1`, `roost_sockets{transport="websocket"} 1`, `roost_channels 0`, `roost_budget_used_bytes{budget="mailbox"} 0`)
	ann.Close()
}

// Long-poll clients are sockets of their own kind.
func TestScrapeLongPoll(t *testing.T) {
	t.Parallel()
	events := metrics.NewEvents()
	ep := phxtest.Start(t, config(events))
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		return ep.Dial()
	}}}
	answer, err := client.Get("http://localhost/socket/longpoll?vsn=2.0.0")
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	expect(t, metrics.Handler(ep.Endpoint, events), `roost_sockets{transport="websocket"} 0`, `roost_sockets{transport="longpoll"} 1`,
		`roost_connects_total{mount="/socket",result="ok",transport="longpoll"} 1`)
}

// Whom the server has ended is counted by cause.
func TestScrapeOfCuts(t *testing.T) {
	t.Parallel()
	cfg := config(metrics.NewEvents())
	cfg.Mounts[0].Idle = 50 * time.Millisecond
	ep := phxtest.Start(t, cfg)
	client := phxtest.Connect(t, ep, "/socket", nil)
	client.Join("room:1", nil)
	client.ExpectClose(1002)
	expect(t, metrics.Handler(ep.Endpoint, nil), `roost_connections_cut_total{cause="idle_timeout",mount="/socket",pattern="room:*"} 1`,
		`roost_slow_consumers_total 0`, `roost_connections_refused_total{limit="connections"} 0`)
}

// link is an adapter that has done this and that.
type link struct{ pubsub.Adapter }

func (link) Start(func(*pubsub.Message) error, func(pubsub.Gap)) error { return nil }
func (link) Broadcast(*pubsub.Message) error                           { return nil }
func (link) Node() string                                              { return "n1" }
func (link) Close()                                                    {}
func (link) Stats() pubsub.AdapterStats {
	return pubsub.AdapterStats{Connected: true, Reconnects: 1, Peers: []string{"a", "b"}, Pending: 3,
		Published: 4, Dropped: 5, Received: 6, Repaired: 7, Missed: 8, Gaps: 9, Invalid: 10, Forged: 11}
}

// The names are such as Prometheus's own linter has nothing against, of a node of a
// cluster, too.
func TestLint(t *testing.T) {
	t.Parallel()
	events := metrics.NewEvents()
	cfg := config(events)
	cfg.Adapter = link{}
	ep := phxtest.Start(t, cfg)
	phxtest.Connect(t, ep, "/socket", nil).Join("room:1", nil).Push("echo", nil).ExpectReply("ok", phxtest.Any)
	expect(t, metrics.Handler(ep.Endpoint, events), "roost_cluster_connected 1", "roost_cluster_reconnects_total 1", "roost_cluster_peers 2", "roost_cluster_pending_bytes 3",
		"roost_cluster_published_total 4", "roost_cluster_dropped_total 5", "roost_cluster_received_total 6", "roost_cluster_repaired_total 7",
		"roost_cluster_missed_total 8", "roost_cluster_gaps_total 9", "roost_cluster_invalid_total 10", "roost_cluster_forged_total 11", `roost_loop_slow_passes_total{at_least="1",loop="0"} 0`)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics.Collector(ep.Endpoint), events)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := promlint.NewWithMetricFamilies(families).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}
}

// A drain is seen from its start, and after it scrapes still have an answer.
func TestScrapeInDrain(t *testing.T) {
	t.Parallel()
	events := metrics.NewEvents()
	ep := phxtest.Start(t, config(events))
	client := phxtest.Connect(t, ep, "/socket", nil)
	client.Join("room:1", nil)
	ended := make(chan error, 1)
	go func() { // the test waits for it
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		ended <- ep.Shutdown(ctx)
	}()
	client.ExpectClose(1012)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	expect(t, metrics.Handler(ep.Endpoint, events), `roost_ready 0`, `roost_draining 1`, `roost_connections 0`, `roost_disconnects_total{reason="draining"} 1`)
}

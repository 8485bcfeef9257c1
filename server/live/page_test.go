package live_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/roost-rt/roost/server/live"
	"github.com/roost-rt/roost/server/metrics"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreCurrent(), // netpoll's, some of which end when its loops are taken
		goleak.IgnoreAnyFunction("github.com/cloudwego/netpoll.(*defaultPoll).Wait"),
		goleak.IgnoreAnyFunction("github.com/bytedance/gopkg/util/gopool.(*worker).run.func1"))
}

// shown is an endpoint with clients, and its page.
func shown(t *testing.T) (*phxtest.Endpoint, *live.Page, *httptest.Server) {
	t.Helper()
	room := &phx.ChannelType{In: phx.Events{
		"say": func(ch *phx.Channel, p phx.Payload) (any, error) { return nil, ch.Broadcast("said", p) },
	}}
	events := metrics.NewEvents()
	ep := phxtest.Start(t, phx.Config{
		Mounts:    []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "room:*", Type: room}}}},
		Telemetry: events.Telemetry(),
	})
	page, err := live.New(ep.Endpoint, events)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(page)
	t.Cleanup(func() {
		page.Close()
		server.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return ep, page, server
}

// ask is one exchange of long polling, or of a file.
func ask(t *testing.T, method, url, body string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	all, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(all)
}

// A poll is the answer of long polling.
type poll struct {
	Status   int
	Token    string
	Messages []string // each JSON text
}

func decode(t *testing.T, text string) (p poll) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return p
}

// A figure set is what the test looks at of a snapshot.
type figures struct {
	Draining bool
	Stats    struct{ Sockets, Channels int }
	Totals   map[string]float64
	Topics   []phx.TopicInfo
	Memory   struct{ RSS, Heap, TCP uint64 }
	Loops    []struct{ Ms2 uint64 }
}

// Who looks gets a snapshot at once, and then one after the other, of what the
// endpoint is and what has happened in it.
func TestPageFollows(t *testing.T) {
	ep, _, server := shown(t)
	ann := phxtest.Connect(t, ep, "/socket", nil)
	room := ann.Join("room:1", nil)
	_, text := ask(t, "GET", server.URL+"/live/longpoll?vsn=2.0.0", "")
	session := server.URL + "/live/longpoll?vsn=2.0.0&token=" + decode(t, text).Token
	ask(t, "POST", session, `["1","1","node","phx_join",{}]`)
	said, seen := false, 0
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		_, text := ask(t, "GET", session, "")
		for _, m := range decode(t, text).Messages {
			var parts []json.RawMessage
			var f figures
			if err := json.Unmarshal([]byte(m), &parts); err != nil || string(parts[3]) != `"snapshot"` {
				continue
			}
			if err := json.Unmarshal(parts[4], &f); err != nil {
				t.Fatal(err)
			}
			if f.Stats.Sockets != 1 || f.Stats.Channels != 1 || len(f.Topics) != 1 || f.Topics[0] != (phx.TopicInfo{Topic: "room:1", Subscribers: 1}) ||
				f.Memory.RSS == 0 || f.Memory.Heap == 0 || f.Totals["roost_joins_total"] != 1 || len(f.Loops) == 0 {
				t.Fatalf("snapshot %s", parts[4])
			}
			seen++
			if f.Totals["roost_broadcasts_total"] == 1 && seen > 2 {
				return
			}
		}
		if seen > 0 && !said {
			said = true
			room.Push("say", nil)
		}
	}
	t.Fatalf("saw %d snapshots, none of which knows of the broadcast", seen)
}

// The page is whole, and leaves other paths to others.
func TestPageFiles(t *testing.T) {
	_, page, server := shown(t)
	for path, want := range map[string]string{
		"/": "live.js", "/live.js": "openSocket", "/live.css": "#figures", "/phoenix.mjs": "Socket",
		"/connection.js": "export", "/style.css": ":root", "/icon.svg": "<svg",
	} {
		if status, text := ask(t, "GET", server.URL+path, ""); status != 200 || !strings.Contains(text, want) {
			t.Errorf("GET %s: %d without %q", path, status, want)
		}
	}
	for path, want := range map[string]bool{"/": true, "/live/websocket": true, "/stats": false, "/index.html": false, "/chat.js": false} {
		if got := page.Has(httptest.NewRequest("GET", path, nil)); got != want {
			t.Errorf("Has(%s) = %t, want %t", path, got, want)
		}
	}
}

// Viewers leave descriptors to clients.
func TestViewersAreBounded(t *testing.T) {
	_, _, server := shown(t)
	upgrade := func() int {
		c, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		fmt.Fprintf(c, "GET /live/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", server.Listener.Addr())
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode
	}
	for i := range 100 {
		if status := upgrade(); status != 101 {
			t.Fatalf("viewer %d: status %d, want 101", i, status)
		}
	}
	if status := upgrade(); status != 503 {
		t.Errorf("one viewer too many: status %d, want 503", status)
	}
}

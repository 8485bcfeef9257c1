package phx_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// crowded is an endpoint with three clients at two mounts by two transports.
// The gate holds up joins of slow:*.
func crowded(t *testing.T, g *gate) *phx.Endpoint {
	t.Helper()
	ep := startConfig(t, phx.Config{MaxConns: 5000, Mounts: []phx.Mount{
		{
			Path: "/socket", LongPoll: &phx.LongPoll{},
			Connect: func(s *phx.Socket, p phx.Params, _ *http.Request) error {
				s.SetID(p.String("id"))
				return nil
			},
			Routes: []phx.Route{
				{Pattern: "room:*", Type: &phx.ChannelType{In: phx.Events{"block": func(*phx.Channel, phx.Payload) (any, error) { g.pass(); return nil, nil }}}},
				{Pattern: "slow:*", Type: &phx.ChannelType{Join: func(*phx.Channel, phx.Payload) (any, error) { g.pass(); return nil, nil }}},
			},
		},
		{Path: "/raw", Raw: &phx.RawType{}},
	}})
	c := dialAt(t, ep, "/socket/websocket?vsn=2.0.0&id=ann")
	c.join("room:1")
	c.join("room:2")
	c.say(`["1","2","slow:1","phx_join",{}]`, `["1","3","room:2","block",{}]`, `["1","4","room:2","phx_leave",{}]`)
	within(t, "call of Join", g.entered)
	within(t, "call of the handler", g.entered)
	c.heartbeat()
	s := openSessionAt(t, ep, "/socket/longpoll?vsn=1.0.0&id=bob")
	s.say(`{"topic":"room:1","event":"phx_join","payload":{},"ref":"1"}`)
	eventually(t, "bob has joined", func() bool { return ep.Subscribers("room:1") == 2 })
	dialAt(t, ep, "/raw/websocket")
	eventually(t, "all are there", func() bool { return ep.Stats().Sockets == 3 })
	return ep
}

// brief is a socket in a line. Its address must be of loopback.
func brief(t *testing.T, s phx.SocketInfo) string {
	t.Helper()
	if !strings.HasPrefix(s.Remote, "127.0.0.1:") {
		t.Errorf("Remote = %q, want 127.0.0.1 and a port", s.Remote)
	}
	if d := time.Since(s.Connected); d < -time.Second || d > patience {
		t.Errorf("Connected = %v, %v ago", s.Connected, d)
	}
	return fmt.Sprintf("%s %s %s %s %v", s.ID, s.Mount, s.Transport, s.Version, s.Channels)
}

// Sockets shows who is connected how, with the state of every channel (spec
// §4.4).
func TestSockets(t *testing.T) {
	g := newGate()
	defer close(g.open)
	ep := crowded(t, g)
	var got []string
	for s := range ep.Sockets() {
		got = append(got, brief(t, s))
	}
	slices.Sort(got)
	want := []string{
		" /raw websocket  []",
		"ann /socket websocket 2.0.0 [{room:1 joined} {room:2 leaving} {slow:1 joining}]",
		"bob /socket longpoll 1.0.0 [{room:1 joined}]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("Sockets() = %q, want %q", got, want)
	}
	for range ep.Sockets() {
		break // one may stop early
	}
}

// One may look while sockets and channels come and go.
func TestSocketsWhileTheyChange(t *testing.T) {
	ep := start(t, phx.Route{Pattern: "room:*", Type: talkRoom()})
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					talk(ep.Addr().String())
				}
			}
		})
	}
	seen := 0
	eventually(t, "a joined channel is seen", func() bool {
		for s := range ep.Sockets() {
			for _, ch := range s.Channels {
				if ch == (phx.ChannelInfo{Topic: "room:1", Status: "joined"}) {
					seen++
				}
			}
		}
		return seen > 20
	})
	close(stop)
	clients.Wait()
}

// The admin handler lists what there is, as much as is asked for.
func TestAdminHandler(t *testing.T) {
	g := newGate()
	defer close(g.open)
	ep := crowded(t, g)
	h := http.StripPrefix("/admin", ep.AdminHandler())
	for _, tt := range []struct {
		target string
		want   []string // rows, and whether there are more
	}{
		{"/admin/sockets", []string{"/raw", "/socket ann room:1 room:2 slow:1", "/socket bob room:1", "false"}},
		{"/admin/sockets?id=bob", []string{"/socket bob room:1", "false"}},
		{"/admin/sockets?topic=slow:1", []string{"/socket ann room:1 room:2 slow:1", "false"}},
		{"/admin/sockets?topic=room:1&id=eve", []string{"false"}},
		{"/admin/sockets?limit=3", []string{"/raw", "/socket ann room:1 room:2 slow:1", "/socket bob room:1", "false"}},
		{"/admin/sockets?limit=0", []string{"true"}},
		{"/admin/channels?topic=room:1", []string{"/socket ann room:1 joined", "/socket bob room:1 joined", "false"}},
		{"/admin/channels?id=ann", []string{"/socket ann room:1 joined", "/socket ann room:2 leaving", "/socket ann slow:1 joining", "false"}},
		{"/admin/channels?id=bob&limit=1", []string{"/socket bob room:1 joined", "false"}},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", tt.target, nil))
		type row struct {
			Mount, ID, Topic, Status string
			Channels                 []phx.ChannelInfo
		}
		var answer struct {
			Sockets, Channels []row
			More              bool
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 {
			t.Errorf("GET %s: %d, %v in %s", tt.target, w.Code, err, w.Body)
			continue
		}
		var got []string
		for _, r := range append(answer.Sockets, answer.Channels...) {
			fields := []string{r.Mount, r.ID, r.Topic, r.Status}
			for _, ch := range r.Channels {
				fields = append(fields, ch.Topic)
			}
			got = append(got, strings.Join(slices.DeleteFunc(fields, func(f string) bool { return f == "" }), " "))
		}
		slices.Sort(got)
		if got = append(got, fmt.Sprint(answer.More)); !slices.Equal(got, tt.want) {
			t.Errorf("GET %s: %q, want %q", tt.target, got, tt.want)
		}
	}
	callbacks := regexp.MustCompile(`"callbacks":{"running":\d+,"long":\d+,"queued":\d+,"oldest_ns":\d+,"timed_out":0},`) // at whatever moment
	lag := regexp.MustCompile(`,"loop_lag":\[(\{"longest_ns":\d+,"worked_ns":\d+,"slow":\[\{"from_ns":2000000,"took":\d+,"worked":\d+\},[^]]+\],"moved":\d+\},?)+\]`)
	waiting := regexp.MustCompile(`"(mailbox|outbound) bytes","used":\d+`) // for the callbacks that wait, and for who does not poll
	for target, want := range map[string]string{
		"/admin/stats": `{"connections":4,"sockets":3,"long_polls":1,"channels":4,"slow_consumers":0,` +
			`"refused":{"full":0,"per_address":0,"rate":0},"draining":false,"budgets":[{"name":"connections","used":4,"max":5000},` +
			`{"name":"incoming bytes","used":0,"max":268435456},{"name":"mailbox bytes","max":268435456},{"name":"outbound bytes","max":268435456},{"name":"broadcast bytes","used":0,"max":67108864}]}`,
		"/admin/sockets?limit=many": `{"error":"limit is \"many\": want 0 to 1000000000"}`,
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
		body := callbacks.ReplaceAllString(w.Body.String(), "")
		body = lag.ReplaceAllString(body, "")
		body = waiting.ReplaceAllString(body, `"$1 bytes"`)
		if got := strings.TrimSpace(body); got != want {
			t.Errorf("GET %s: %s, want %s", target, got, want)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/admin/sockets?limit=1", nil))
	if text := w.Body.String(); !strings.Contains(text, `"more":true`) || strings.Count(text, `"mount"`) != 1 {
		t.Errorf("limit=1: %s, want one row and more", text)
	}
}

package conduct_test

import (
	"bufio"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/roost-rt/roost/loadtest/conduct"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/script"
	"github.com/roost-rt/roost/server/frame"
)

// A double is an application of the test's own: rooms, in which "say" is broadcast
// as "said" and answered. It writes JSON with spaces, and keys in their reverse
// order.
type double struct {
	deliver func(to, seq int) (times int)           // how often a broadcast is sent to a member; nil is once
	answer  func(seq int) (status, response string) // to "say"; "" sends none, and an error broadcasts nothing
	spoken  func(payload string) string             // what a broadcast has of a payload; nil is the payload in another field
	holds   func(from, to *doubled, nth int) bool   // sends a member's nth message to a member after the next
	joined  func(d *doubled, topic string)          // called when one has joined
	strange func(d *doubled, topic string)          // called for other events
	silent  bool                                    // heartbeats are not answered
	hangUp  func(seq int) bool                      // cuts the sender off instead
	refuse  int                                     // refuses the join of every n-th connection; 0 is none

	tls *tls.Config // when it is open with TLS; nil is any

	url string
	ca  []byte

	mu      sync.Mutex
	members []*doubled
	said    int
	beats   int
	heads   []*http.Request
}

// A doubled is one connection of a double.
type doubled struct {
	*double
	conn   net.Conn
	number int
	topics map[string]string // join_ref by topic
	spoke  int
	held   []func()
	write  sync.Mutex
}

// open serves the double until the test ends.
func (d *double) open(t *testing.T, secure bool) *double {
	t.Helper()
	s := httptest.NewUnstartedServer(d)
	if secure {
		s.TLS = d.tls
		s.StartTLS()
		d.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	} else {
		s.Start()
	}
	t.Cleanup(func() {
		d.mu.Lock()
		for _, m := range d.members {
			m.conn.Close()
		}
		d.mu.Unlock()
		s.Close()
	})
	d.url = strings.Replace(s.URL, "http", "ws", 1)
	return d
}

func (d *double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, both, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: phoenix\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	d.mu.Lock()
	m := &doubled{double: d, conn: conn, number: len(d.members), topics: make(map[string]string)}
	d.members = append(d.members, m)
	d.heads = append(d.heads, r)
	d.mu.Unlock()
	m.read(both.Reader)
}

func (m *doubled) read(from *bufio.Reader) {
	defer m.conn.Close()
	var frames frame.Decoder
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		data := buffer[:n]
		for {
			f, ok, err := frames.Next(&frame.Config{}, &data)
			if err != nil {
				return
			}
			if !ok {
				break
			}
			var parts []json.RawMessage
			if json.Unmarshal(f.Payload, &parts) == nil && len(parts) == 5 {
				m.take(parts)
			}
		}
	}
}

// send writes a message as no other server does.
func (m *doubled) send(joinRef, ref, topic, event, payload string) {
	text := fmt.Sprintf(" [ %s , %s,\n%s , %q , %s , \"more\" ] ", joinRef, ref, topic, event, payload)
	m.write.Lock()
	defer m.write.Unlock()
	_, _ = m.conn.Write(frame.Append(nil, 1, []byte(text))) // who is gone needs none
}

func (m *doubled) reply(parts []json.RawMessage, status, response string) {
	m.send(string(parts[0]), string(parts[1]), string(parts[2]), "phx_reply", fmt.Sprintf(`{ "response" : %s, "status": "%s" }`, response, status))
}

func (m *doubled) take(parts []json.RawMessage) {
	topic := string(parts[2])
	var event string
	if json.Unmarshal(parts[3], &event) != nil {
		return
	}
	switch event {
	case "heartbeat":
		m.mu.Lock()
		m.beats++
		m.mu.Unlock()
		if !m.silent {
			m.reply(parts, "ok", "{}")
		}
	case "phx_join":
		if m.refuse > 0 && m.number%m.refuse == 0 {
			m.reply(parts, "error", `{"reason":"full"}`)
			return
		}
		m.reply(parts, "ok", `{ "events" : [ "said", "phx_error" ] }`)
		m.mu.Lock()
		m.topics[topic] = string(parts[0])
		m.mu.Unlock()
		if m.joined != nil {
			m.joined(m, topic)
		}
	case "phx_leave":
		m.mu.Lock()
		delete(m.topics, topic)
		m.mu.Unlock()
		m.reply(parts, "ok", "{}")
		m.send(string(parts[0]), string(parts[0]), topic, "phx_close", "{}")
	case "say":
		m.say(parts, topic)
	default:
		if m.strange != nil {
			m.strange(m, topic)
		}
	}
}

func (m *doubled) say(parts []json.RawMessage, topic string) {
	m.mu.Lock()
	m.said++
	seq := m.said
	var to []*doubled
	for _, other := range m.members {
		if other.topics[topic] != "" {
			to = append(to, other)
		}
	}
	m.mu.Unlock()
	if m.hangUp != nil && m.hangUp(seq) {
		m.mu.Lock()
		clear(m.topics)
		m.mu.Unlock()
		m.conn.Close()
		return
	}
	status, response := "ok", "{}"
	if m.answer != nil {
		status, response = m.answer(seq)
	}
	if status != "error" {
		payload := fmt.Sprintf(`{ "from" : %d, "html" : %s }`, m.number, parts[4])
		if m.spoken != nil {
			payload = m.spoken(string(parts[4]))
		}
		m.spoke++
		held := m.held
		m.held = nil
		for i, other := range to {
			if m.holds != nil && m.holds(m, other, m.spoke) {
				m.held = append(m.held, func() { other.send("null", "null", topic, "said", payload) })
				continue
			}
			times := 1
			if m.deliver != nil {
				times = m.deliver(i, seq)
			}
			for range times {
				other.send("null", "null", topic, "said", payload)
			}
		}
		for _, send := range held {
			send()
		}
	}
	if status != "" {
		m.reply(parts, status, response)
	}
}

// talk is a scenario in which each of 10 users says 3 things to all.
const talk = `
topics: [{topic: "room:a"}]
rounds: 3
users: {count: 10}
steps:
  - push: say
    payload: {text: "I am {{n}} {{stamp}}"}
    reply: {within: 60s}
    broadcast: {event: said, within: 1m}
`

// A played holds the outcome of one run of a script.
type played struct {
	end   *record.End
	steps map[string]record.Step // by name and what
	notes []string
}

func (d *double) play(t *testing.T, text string, change ...func(*plan.Config)) played {
	t.Helper()
	file := func(name string) ([]byte, error) {
		switch name {
		case "app.yaml":
			return []byte(text), nil
		case "ca.pem":
			return d.ca, nil
		}
		return nil, errors.New("no such file")
	}
	src, _, err := script.Load("app.yaml", file, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	cfg := plan.Config{Scenario: plan.App, Script: &src, ScriptName: "app.yaml", ScriptURL: d.url, URL: d.url, Drain: stands}
	for _, c := range change {
		c(&cfg)
	}
	end, records, err := run(t, t.Context(), cfg)
	if err != nil {
		t.Fatalf("Run() = %v", err)
	}
	p := played{end: end, steps: make(map[string]record.Step)}
	for _, r := range records {
		switch {
		case r.Step != nil:
			p.steps[r.Step.Name+": "+r.Step.What] = *r.Step
		case r.Note != nil:
			p.notes = append(p.notes, r.Note.Message)
		}
	}
	return p
}

// want compares the account, and counts of steps.
func (p played) want(t *testing.T, want account, unreadable int64, steps map[string]int64) {
	t.Helper()
	if got := accountOf(p.end); got != want || p.end.Unreadable != unreadable {
		t.Errorf("account %+v and %d unreadable, want %+v and %d; errors %v, notes %q", got, p.end.Unreadable, want, unreadable, p.end.Errors, p.notes)
	}
	for name, ok := range steps {
		if got := p.steps[name]; got.OK != ok {
			t.Errorf("%s: %d, %v failed, want %d", name, got.OK, got.Failed, ok)
		}
	}
}

// Who begins a round when the last is over is never late, and the run says so; with a
// rate some may be.
func TestAppClosedLoop(t *testing.T) {
	t.Parallel()
	d := (&double{}).open(t, false)
	if p := d.play(t, talk); !p.end.ClosedLoop {
		t.Error("rounds that follow each other are no closed loop")
	}
	d = (&double{}).open(t, false)
	if p := d.play(t, strings.Replace(talk, "rounds: 3", "rate: 100\nfor: 200ms", 1)); p.end.ClosedLoop {
		t.Error("rounds at a rate are a closed loop")
	}
}

// A server that refuses a connection by closing it at once, and one whose channels
// crash at a message, are told from others before the run.
func TestAppFirstUser(t *testing.T) {
	t.Parallel()
	const crash = `topics: [{topic: "room:a"}]
rounds: 1
steps: [{push: nonsense, reply: {}}]
`
	d := (&double{strange: func(m *doubled, topic string) { m.send("null", "null", topic, "phx_error", "{}") }}).open(t, false)
	_, err := conduct.Try(t.Context(), plan.Config{Script: sourceOf(t, crash), ScriptURL: d.url})
	for _, want := range []string{"push nonsense: reply connection ended", "channel crashed on the server (phx_error): does it handle this event, with this payload?"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a channel that crashes: %v, want %q", err, want)
		}
	}
	without, err := conduct.Try(t.Context(), plan.Config{Script: sourceOf(t, strings.Replace(talk, "topics", "target: {}\ntopics", 1)), ScriptURL: d.url})
	if err != nil || len(without) > 0 {
		t.Errorf("what fits: %q, %v", without, err)
	}
}

// Users connect from the addresses of the run by turns.
func TestAppSources(t *testing.T) {
	t.Parallel()
	d := (&double{}).open(t, false)
	from, err := order.ParseSources("127.0.0.9,127.0.7.0/30")
	if err != nil {
		t.Fatal(err)
	}
	d.play(t, talk, func(c *plan.Config) { c.From = from }).want(t, account{10, 300, 300, 0, 0, 0}, 0, nil)
	d.mu.Lock()
	defer d.mu.Unlock()
	got := make(map[string]int)
	for _, r := range d.heads {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		got[host]++
	}
	if want := map[string]int{"127.0.0.9": 5, "127.0.7.1": 3, "127.0.7.2": 2}; !maps.Equal(got, want) {
		t.Errorf("connections from %v, want %v", got, want)
	}
}

// Whatever an application does to messages is counted as what it is.
func TestAppAccount(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		double     *double
		want       account
		unreadable int64
		steps      map[string]int64
		failed     map[string]string // of a step: what must be among its failures
	}{
		{"no fault, foreign JSON", &double{}, account{10, 300, 300, 0, 0, 0}, 0,
			map[string]int64{"join room:a: join": 10, "push say: reply": 30, "push say: broadcast": 30}, nil},
		{"one is lost", &double{deliver: func(to, seq int) int {
			if seq == 5 && to == 9 {
				return 0
			}
			return 1
		}}, account{10, 300, 299, 1, 0, 0}, 0, nil, nil},
		{"some come after the next of their sender", &double{holds: func(from, to *doubled, nth int) bool {
			return to.number == 9 && from != to && nth == 2
		}}, account{10, 300, 300, 0, 0, 9}, 0, nil, nil},
		{"one comes twice", &double{deliver: func(to, seq int) int {
			if seq == 5 && to == 3 {
				return 2
			}
			return 1
		}}, account{10, 300, 300, 0, 1, 0}, 0, nil, nil},
		{"one error reply is one error, and nobody is owed it", &double{answer: func(seq int) (string, string) {
			if seq == 7 {
				return "error", `{"reason" : "over\u006coaded"}`
			}
			return "ok", "{}"
		}}, account{10, 290, 290, 0, 0, 0}, 0,
			map[string]int64{"push say: reply": 29, "push say: broadcast": 29}, map[string]string{"push say: reply": "error: overloaded"}},
		{"one has no stamp", &double{spoken: dropOne()}, account{10, 300, 290, 0, 0, 0}, 10,
			map[string]int64{"push say: reply": 30, "push say: broadcast": 29}, map[string]string{"push say: broadcast": "did not come back in 1s"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			text := talk
			if test.unreadable > 0 {
				text = strings.Replace(text, "within: 1m", "within: 1s", 1)
			}
			p := test.double.open(t, false).play(t, text)
			if test.unreadable > 0 && test.steps != nil && p.steps["push say: broadcast"].OK < 29 { // the machine was slow: others were late
				delete(test.steps, "push say: broadcast")
			}
			p.want(t, test.want, test.unreadable, test.steps)
			for step, outcome := range test.failed {
				if p.steps[step].Failed[outcome] != 1 && test.unreadable == 0 {
					t.Errorf("%s: failures %v, want 1 × %s", step, p.steps[step].Failed, outcome)
				}
			}
			if test.unreadable > 0 && !slices.ContainsFunc(p.notes, func(n string) bool {
				return strings.Contains(n, "10 received messages could not be read") && strings.Contains(n, "said on room:a")
			}) {
				t.Errorf("notes %q, want one of what could not be read", p.notes)
			}
		})
	}
}

// dropOne leaves the stamp of the fourth message out.
func dropOne() func(string) string {
	var mu sync.Mutex
	n := 0
	return func(payload string) string {
		mu.Lock()
		defer mu.Unlock()
		if n++; n == 4 {
			return `{"html":"none"}`
		}
		return `{"html":` + payload + `}`
	}
}

// Who is cut off comes back, joins again and goes on; what went with the connection
// is not owed.
func TestAppComesBack(t *testing.T) {
	t.Parallel()
	d := (&double{hangUp: func(seq int) bool { return seq == 8 }}).open(t, false)
	p := d.play(t, talk)
	if e := p.end; e.Joined != 10 || e.Lost != 0 || e.Duplicated != 0 || e.Delivered != e.Expected || len(e.Errors) != 1 {
		t.Errorf("account %+v, errors %v, want one connection closed and nothing lost", accountOf(e), e.Errors)
	}
	if got := p.steps["join room:a: join"].OK; got != 11 {
		t.Errorf("%d joins, want 11", got)
	}
}

// A heartbeat that is not answered ends the connection.
func TestAppHeartbeat(t *testing.T) {
	t.Parallel()
	quiet := "target: {heartbeat: 50ms}\nusers: {count: 2}\ntopics: [{topic: \"room:a\"}]\nfor: 1s\n"
	d := (&double{silent: true}).open(t, false)
	if p := d.play(t, quiet); p.end.Errors["heartbeat not answered"] < 2 {
		t.Errorf("errors %v, want heartbeats that are not answered", p.end.Errors)
	}
	d = (&double{}).open(t, false)
	if p := d.play(t, strings.Replace(quiet, "50ms", "20s", 1)); len(p.end.Errors) > 0 || p.end.Joined != 2 {
		t.Errorf("joined %d, errors %v, want none", p.end.Joined, p.end.Errors)
	}
}

// TLS by a CA of the file's, and what the request says of its user.
func TestAppTarget(t *testing.T) {
	t.Parallel()
	target := `
target:
  params: {token: "a b&{{n}}"}
  headers: {X-User: "user-{{n}}"}
  cookies: {session: "s{{n}}"}
  authToken: "abcd>?~"
  tls: {ca: ca.pem}
`
	d := (&double{}).open(t, true)
	p := d.play(t, target+strings.Replace(talk, "count: 10", "count: 1", 1), func(c *plan.Config) { c.ScriptURL += "/ws?x=%41;y" })
	p.want(t, account{1, 3, 3, 0, 0, 0}, 0, nil)
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.heads[0]
	if got, want := r.RequestURI, "/ws/websocket?x=%41;y&token=a+b%261&vsn=2.0.0"; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
	for name, want := range map[string]string{
		"X-User": "user-1", "Cookie": "session=s1", "Sec-Websocket-Protocol": "phoenix, base64url.bearer.phx.YWJjZD4/fg",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	other := (&double{}).open(t, true)
	other.ca = nil
	_, err := conduct.Try(t.Context(), plan.Config{Script: sourceOf(t, strings.ReplaceAll(talk, "topics", "target: {}\ntopics")), ScriptURL: other.url})
	if err == nil || !strings.Contains(err.Error(), "certificate") || !strings.Contains(err.Error(), "target.tls.insecure: true") {
		t.Errorf("a certificate that nobody signed: %v", err)
	}
}

// Users show a certificate where the application wants one, and who has none is told
// what to say. Handshakes are counted.
func TestAppCertificate(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	wants := &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
	wants.ClientCAs.AddCert(a.cert)
	a.sign(t, "ann.test")
	d := (&double{tls: wants}).open(t, true)
	if err := os.WriteFile(a.file("server.pem"), d.ca, 0o600); err != nil {
		t.Fatal(err)
	}
	load := func(keys string) plan.Config {
		text := "target: {tls: {ca: server.pem" + keys + "}}" + talk
		src, _, err := script.Load(a.file("app.yaml"), func(name string) ([]byte, error) {
			if name == a.file("app.yaml") {
				return []byte(text), nil
			}
			return os.ReadFile(name)
		}, os.LookupEnv)
		if err != nil {
			t.Fatal(err)
		}
		return plan.Config{Scenario: plan.App, Script: &src, ScriptName: "app.yaml", ScriptURL: d.url, URL: d.url, Drain: stands}
	}
	_, err := conduct.Try(t.Context(), load(""))
	if err == nil || !strings.Contains(err.Error(), "target.tls.cert and key") {
		t.Errorf("Try() without a certificate = %v, want what to say", err)
	}
	end, _, err := run(t, t.Context(), load(", cert: ann.test.pem, key: ann.test.key"))
	if err != nil || end.Joined != 10 || end.Delivered != 300 || end.Secured != 10 || end.Resumed != 0 {
		t.Errorf("Run() = %+v, %v, want 10 users, 300 receipts and 10 handshakes", end, err)
	}
}

func sourceOf(t *testing.T, text string) *script.Source {
	t.Helper()
	src, _, err := script.Load("app.yaml", func(string) ([]byte, error) { return []byte(text), nil }, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return &src
}

// Presence is two events that come by themselves, one of them before anybody waits.
func TestAppPresence(t *testing.T) {
	t.Parallel()
	d := (&double{joined: func(m *doubled, topic string) {
		m.send("null", "null", topic, "presence_state", `{"ann":{"metas":[{"phx_ref":"x"}]}}`)
		m.send("null", "null", topic, "presence_diff", `{"joins":{"ann":{}},"leaves":{}}`)
	}}).open(t, false)
	p := d.play(t, `
topics: [{topic: "room:{{n}}", as: room, later: true}]
rounds: 2
users: {count: 3}
steps:
  - join: room
  - expect: presence_diff
    match: {joins: {ann: {}}}
  - expect: presence_state
  - expect: presence_state
    name: none more
    within: 1ms
  - leave: room
`)
	p.want(t, account{3, 0, 0, 0, 0, 0}, 0, map[string]int64{
		"join room: join": 6, "expect presence_diff: event": 6, "expect presence_state: event": 6, "none more: event": 0, "leave room: leave": 6,
	})
}

// Who is not let in is out, and the others go on.
func TestAppRefused(t *testing.T) {
	t.Parallel()
	d := (&double{refuse: 5}).open(t, false)
	p := d.play(t, "topics: [{topic: \"room:lobby\"}]\nusers: {count: 10}\nfor: 100ms\n")
	if e := p.end; e.Joined != 8 || e.Errors["join refused: room:lobby: error: full"] != 2 {
		t.Errorf("joined %d, errors %v, want 8 and 2 refused", e.Joined, e.Errors)
	}
	if s := p.steps["join room:lobby: join"]; s.OK != 8 || s.Failed["error: full"] != 2 {
		t.Errorf("joins %+v, want 8 and 2 refused", s)
	}
}

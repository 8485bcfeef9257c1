package conduct_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/server/frame"
)

// A fake is a Phoenix server with one room and known faults. It shares no code
// with the real one but frames.
type fake struct {
	deliver func(to, seq int, send func()) // decides what becomes of one delivery
	refuse  int                            // refuses the join of every n-th client; 0 is none
	deaf    bool                           // does not answer heartbeats
	forgets bool                           // who joins again gets nothing
	admit   func(n int, send func())       // decides what becomes of the answer to the n-th join
	answer  func(n int, send func())       // decides what becomes of the answer to the n-th ping
	spell   func(text string) string       // how it writes a message; nil is as other servers do

	url string

	mu      sync.Mutex
	members []*member
	joins   int
	from    []netip.AddrPort // that joined
	writer  *member          // who sent last
	seq     int
	text    string // of the message that deliver is about
	beats   int
	pings   int
}

// A member is one connection of a fake.
type member struct {
	fake   *fake
	number int
	head   []byte
	open   bool
	left   bool
	frames frame.Decoder
	conn   *poller.Conn
}

// start runs the fake until the test ends.
func (f *fake) start(t *testing.T) *fake {
	t.Helper()
	p, err := poller.New(poller.Config{Loops: 1, OutboundMax: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := p.Listen("127.0.0.1:0", func(c *poller.Conn) poller.Handler {
		return &member{fake: f, conn: c}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close(); p.Close() })
	f.url = "ws://" + ln.Addr().String()
	return f
}

const switching = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nConnection: Upgrade\r\n" +
	"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

func (m *member) Data(c *poller.Conn, data []byte) {
	if !m.open {
		m.head = append(m.head, data...)
		_, rest, found := bytes.Cut(m.head, []byte("\r\n\r\n"))
		if !found {
			return
		}
		m.open, data = true, rest
		c.Send([]byte(switching[:20])) // in two pieces, as TCP may have it
		c.Post(func() { c.Send([]byte(switching[20:])) })
	}
	for {
		f, ok, err := m.frames.Next(&frame.Config{}, &data)
		if err != nil || !ok {
			return
		}
		m.message(string(f.Payload))
	}
}

func (m *member) Timeout(*poller.Conn)       {}
func (m *member) Closed(*poller.Conn, error) {}

func (m *member) send(text string) {
	if m.fake.spell != nil {
		text = m.fake.spell(text)
	}
	m.conn.Send(frame.Append(nil, 1, []byte(text)))
}

func (m *member) message(text string) {
	switch {
	case strings.Contains(text, `"phx_join"`):
		m.fake.join(m)
	case strings.Contains(text, `"phx_leave"`):
		m.fake.leave(m)
	case strings.Contains(text, `"ping"`):
		m.fake.ping(m, text)
	case strings.Contains(text, `"heartbeat"`):
		m.fake.beat(m)
	case strings.Contains(text, `"new_msg"`):
		_, payload, _ := strings.Cut(text, `"new_msg",`)
		m.fake.broadcast(m, `[null,null,"room:lobby","new_msg",`+payload)
	}
}

func (f *fake) join(m *member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.from = append(f.from, m.conn.RemoteAddr())
	if !m.left || !f.forgets {
		m.number = len(f.members)
		f.members = append(f.members, m)
	}
	if f.refuse > 0 && m.number%f.refuse == 0 {
		m.send(`["1","1","room:lobby","phx_reply",{"status":"error","response":{"reason":"full"}}]`)
		return
	}
	f.joins++
	send := func() { m.send(`["1","1","room:lobby","phx_reply",{"response":{},"status":"ok"}]`) }
	if f.admit == nil {
		send()
		return
	}
	f.admit(f.joins, send)
}

func (f *fake) leave(m *member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m.left = true
	f.members = slices.DeleteFunc(f.members, func(other *member) bool { return other == m })
	m.send(`["1","5","room:lobby","phx_reply",{"response":{},"status":"ok"}]`)
	m.send(`["1","1","room:lobby","phx_close",{}]`)
}

func (f *fake) ping(m *member, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pings++
	_, payload, _ := strings.Cut(text, `"ping",`)
	ref := strings.Split(text, ",")[1]
	send := func() {
		m.send(`["1",` + ref + `,"room:lobby","phx_reply",{"status":"ok","response":` + payload[:len(payload)-1] + `}]`)
	}
	if f.answer == nil {
		send()
		return
	}
	f.answer(f.pings, send)
}

func (f *fake) beat(m *member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.beats++
	if !f.deaf {
		m.send(`[null,"2","phoenix","phx_reply",{"status":"ok","response":{}}]`)
	}
}

// beaten is how many heartbeats came.
func (f *fake) beaten() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.beats
}

func (f *fake) broadcast(from *member, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.members, from) {
		return
	}
	f.seq++
	f.writer, f.text = from, text
	for _, m := range slices.Clone(f.members) { // deliver may cut some off
		send := func() { m.send(text) }
		if f.deliver == nil {
			send()
			continue
		}
		f.deliver(m.number, f.seq, send)
	}
}

// stamp returns the stamp of the message that is being delivered. The lock is held.
func (f *fake) stamp() (writer, seq int) {
	_, text, _ := strings.Cut(f.text, "stamp-")
	if _, err := fmt.Sscanf(text, "%d-%d", &writer, &seq); err != nil {
		panic(err)
	}
	return writer%1024 - 1, seq // the names of a run's writers begin at 1
}

// cutOff ends the connection of a member, behind what it was sent: of a reset
// connection not all is read. The lock is held.
func (f *fake) cutOff(m *member) {
	f.members = slices.DeleteFunc(f.members, func(other *member) bool { return other == m })
	m.conn.Finish(nil)
}

// patient runs fn with a bound, and fails when it is passed.
func patient(t *testing.T, fn func()) {
	const limit = 2 * time.Minute
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); fn() }()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("not done after %s", limit)
	}
}

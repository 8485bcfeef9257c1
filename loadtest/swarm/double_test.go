package swarm

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/server/frame"
)

// A double is a network without one: what clients send is kept, what a server of the
// test's own says is handed to them, and the loop is whoever calls run.
type double struct {
	fleet *fleet

	mu      sync.Mutex       // guards the rest: a fleet dials again by timers of its own
	lines   map[uint32]*line // by number of a client, the last one
	dialed  []uint32
	refuse  error                 // of the next dials
	answers func(l *line, s said) // the server; nil says nothing
	tasks   []func()              // of the loop
	stuck   error                 // stall fails
	closed  bool
}

// A line is one connection, a said what its client has sent over it in a frame.
type line struct {
	double   *double
	client   *client
	requests int // before the upgrade
	said     []said
	deadline time.Duration
	ended    bool
	why      error
	broken   error // sending fails
	frames   frame.Decoder
}

type said struct {
	op   byte
	text string
}

// post has the loop run a task.
func (d *double) post(task func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tasks = append(d.tasks, task)
}

// pass lets time pass in a bubble of synctest. Whatever timers did is done, and seen.
func (d *double) pass(t time.Duration) {
	d.ordered()
	time.Sleep(t)
	synctest.Wait()
	d.ordered()
}

// ordered puts what the loop does before and after what timers do.
func (d *double) ordered() {
	d.fleet.mu.Lock()
	defer d.fleet.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
}

func (d *double) dial(c *client) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dialed = append(d.dialed, c.number)
	if d.refuse != nil {
		return d.refuse
	}
	l := &line{double: d, client: c}
	d.lines[c.number] = l
	d.tasks = append(d.tasks, func() {
		c.opened(l)
		c.upgrade(l)
	})
	return nil
}

func (d *double) connLocked(c *client) connection {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lines[c.number]
}

func (d *double) stall(*client, connection) error { return d.stuck }
func (d *double) resume()                         {}
func (d *double) link() order.Link                { return order.Link{Dropped: 7} }
func (d *double) watch(<-chan struct{})           {}
func (d *double) close()                          { d.closed = true }
func (l *line) SetDeadline(after time.Duration)   { l.deadline = after }
func (l *line) Kill(err error)                    { l.ended, l.why = true, err }
func (l *line) SendShared(b []byte) error         { return l.Send(bytes.Clone(b)) }
func (l *line) Post(task func()) bool {
	l.double.post(task)
	return true
}
func (l *line) heard(op byte) (n int) { return len(l.all(op)) }
func (l *line) tell(text string)      { l.give(frame.Append(nil, opText, []byte(text))) }
func (l *line) reply(ref, topic, status, response string) {
	l.tell(replyTo(ref, topic, status, response))
}
func replyTo(ref, topic, status, response string) string {
	return fmt.Sprintf(`["1",%q,%q,"phx_reply",{"status":%q,"response":%s}]`, ref, topic, status, response)
}
func (l *line) cut(err error) {
	l.double.post(func() {
		l.ended = true
		l.client.closed(l, err)
	})
}

func (l *line) expire() { l.double.post(func() { l.client.timeout(l) }) }

// Send takes a request, and then frames, which are masked.
func (l *line) Send(b []byte) error {
	if l.broken != nil {
		return l.broken
	}
	if bytes.HasPrefix(b, []byte("GET ")) {
		l.requests++
		l.hear(said{text: string(b)})
		return nil
	}
	data := bytes.Clone(b)
	for {
		f, ok, err := l.frames.Next(&frame.Config{}, &data)
		if err != nil {
			panic(err)
		}
		if !ok {
			return nil
		}
		s := said{byte(f.Op), string(f.Payload)}
		l.said = append(l.said, s)
		l.hear(s)
	}
}

func (l *line) hear(s said) {
	if l.double.answers != nil {
		l.double.post(func() { l.double.answers(l, s) })
	}
}

// all are the payloads of an opcode that the client has sent.
func (l *line) all(op byte) (texts []string) {
	for _, s := range l.said {
		if s.op == op {
			texts = append(texts, s.text)
		}
	}
	return texts
}

// give hands bytes of the server to the client, as one read.
func (l *line) give(data []byte) {
	l.double.post(func() {
		if !l.ended {
			l.client.data(l, bytes.Clone(data))
		}
	})
}

// run is the loop, until there is nothing more to do.
func (d *double) run() {
	for {
		d.mu.Lock()
		tasks := d.tasks
		d.tasks = nil
		d.mu.Unlock()
		if len(tasks) == 0 {
			return
		}
		for _, task := range tasks {
			task()
		}
	}
}

const upgradeAnswer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + "\r\n\r\n"

// lets is a server that lets all clients in, answers heartbeats and pings, and ends
// channels that are left.
func lets(l *line, s said) {
	switch {
	case s.op == 0:
		l.give([]byte(upgradeAnswer))
	case s.op != opText:
	case strings.Contains(s.text, `"phx_join"`):
		l.reply(joinRef, l.client.group.topic, "ok", "{}")
	case strings.Contains(s.text, `"phx_leave"`):
		l.reply(leaveRef, l.client.group.topic, "ok", "{}")
		l.tell(fmt.Sprintf(`["1","1",%q,"phx_close",{}]`, l.client.group.topic))
	case strings.Contains(s.text, `"heartbeat"`):
		l.tell(string(heartbeatReply))
	case strings.Contains(s.text, `"ping"`):
		m, err := channels.Decode([]byte(s.text))
		if err != nil {
			panic(err)
		}
		l.reply(m.Ref, m.Topic, "ok", string(m.Payload))
	}
}

// doubled is a fleet of so many clients in one room behind a double.
func doubled(t *testing.T, clients int, change func(*order.Orders)) *double {
	t.Helper()
	o := order.Orders{
		Target: order.Target{URL: "ws://127.0.0.1:1/socket"}, Event: "new_msg", Messages: 5, Writers: 1, Writer: 1, Window: 100,
		Heartbeat: 20 * time.Second, Late: 1 << 62, Shares: []order.Share{{Topic: "room:1", Addrs: []string{"127.0.0.1:1"}, Count: clients}},
	}
	if change != nil {
		change(&o)
	}
	f, err := newFleet(o)
	if err != nil {
		t.Fatal(err)
	}
	f.network.close()
	d := &double{fleet: f, lines: make(map[uint32]*line), answers: lets}
	f.network = d
	return d
}

// entered is doubled with all clients joined.
func entered(t *testing.T, clients int, change func(*order.Orders)) *double {
	t.Helper()
	d := doubled(t, clients, change)
	d.fleet.connect(t.Context(), order.Pacer{})
	d.run()
	if n := d.fleet.counts.Joined; n < int64(d.fleet.places()) {
		t.Fatalf("%d of %d clients joined: %v", n, d.fleet.places(), d.fleet.counts.Errors)
	}
	return d
}

// counted compares the counts that are named, and all errors.
func (d *double) counted(t *testing.T, name string, want order.Counts) {
	t.Helper()
	got := d.fleet.counts.Clone()
	got.Odd = ""
	if len(want.Errors) == 0 {
		want.Errors = map[string]int64{}
	}
	if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); a != b {
		t.Errorf("%s: counts\n%s, want\n%s", name, a, b)
	}
}

// of is a broadcast of the room's first writer.
func of(seq int32, intended int64) string {
	return ofWriter(1, seq, intended)
}

func ofWriter(writer uint32, seq int32, intended int64) string {
	s := channels.Stamp{Writer: writer, Seq: seq, Intended: intended, Sent: intended}
	return fmt.Sprintf(`[null,null,"room:1","new_msg",%s]`, appendPayload(nil, s, 128))
}

package swarm

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/server/frame"
)

// A chat is a server of the test's own, in which all hear what one says. It loses the
// second message to one client, and sends the third twice to another.
type chat struct {
	addr string

	mu      sync.Mutex
	members []net.Conn // in the order of their joins
	from    []string   // where each connected from
	said    int
}

func newChat(t *testing.T) *chat {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c := &chat{addr: l.Addr().String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			go c.serve(conn)
		}
	}()
	return c
}

func (c *chat) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	if _, err := http.ReadRequest(in); err != nil {
		return // the client is gone
	}
	fmt.Fprint(conn, upgradeAnswer)
	var frames frame.Decoder
	buffer := make([]byte, 4096)
	for {
		n, err := in.Read(buffer)
		if err != nil {
			return // likewise
		}
		for data := buffer[:n]; ; {
			f, ok, err := frames.Next(&frame.Config{}, &data)
			if err != nil || !ok {
				break
			}
			if m, err := channels.Decode(f.Payload); err == nil {
				c.hear(conn, m)
			}
		}
	}
}

func (c *chat) hear(conn net.Conn, m channels.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	tell := func(to net.Conn, text string) { _, _ = to.Write(frame.Append(nil, opText, []byte(text))) } // the client finds out
	switch m.Event {
	case channels.Join:
		tell(conn, replyTo(m.Ref, m.Topic, "ok", "{}"))
		c.members, c.from = append(c.members, conn), append(c.from, conn.RemoteAddr().String())
	case channels.Leave:
		tell(conn, replyTo(m.Ref, m.Topic, "ok", "{}"))
		tell(conn, fmt.Sprintf(`["1","1",%q,"phx_close",{}]`, m.Topic))
	case "ping":
		tell(conn, replyTo(m.Ref, m.Topic, "ok", "{}"))
	case "new_msg":
		c.said++
		for i, member := range c.members {
			text := fmt.Sprintf(`[null,null,%q,"new_msg",%s]`, m.Topic, m.Payload)
			if c.said != 2 || i != 0 {
				tell(member, text)
			}
			if c.said == 3 && i == 1 {
				tell(member, text)
			}
		}
	}
}

// A talk is a process of clients and its coordinator, the test.
type talk struct {
	*testing.T
	commands *json.Encoder
	events   *json.Decoder
	told     []order.Event
}

// begins has a process connect its clients.
func begins(t *testing.T, o order.Orders) *talk {
	t.Helper()
	in, commands := io.Pipe()
	events, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- Serve(in, out)
		out.Close()
	}()
	t.Cleanup(func() {
		commands.Close()
		go io.Copy(io.Discard, events) // what it tells at its end
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	k := &talk{t, json.NewEncoder(commands), json.NewDecoder(events), nil}
	k.order(order.Command{Orders: &o})
	k.order(order.Command{Connect: &order.Pacer{}})
	return k
}

func (k *talk) order(c order.Command) {
	k.Helper()
	if err := k.commands.Encode(c); err != nil {
		k.Fatal(err)
	}
}

// until reads events up to the first that is wanted.
func (k *talk) until(is func(order.Event) bool) order.Event {
	k.Helper()
	for {
		var e order.Event
		if err := k.events.Decode(&e); err != nil {
			k.Fatalf("no such event: %v", err)
		}
		if k.told = append(k.told, e); is(e) {
			return e
		}
	}
}

// asks asks for the counts until they are as they should be.
func (k *talk) asks(what string, is func(order.Counts) bool) order.Counts {
	k.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		k.order(order.Command{Report: new(order.Inquiry)})
		p := k.until(func(e order.Event) bool { return e.Progress != nil && e.Progress.At > 0 }).Progress
		if is(p.Counts) {
			return p.Counts
		}
		if time.Now().After(deadline) {
			k.Fatalf("not %s: %+v", what, p.Counts)
		}
	}
}

// ordersFor are five clients of a chat.
func ordersFor(c *chat) order.Orders {
	return order.Orders{
		Target: order.Target{URL: "ws://" + c.addr}, Event: "new_msg", Messages: 3, Writers: 1, Writer: 1, Window: 2, Heartbeat: time.Hour, Late: time.Minute,
		Report: time.Hour, Shares: []order.Share{{Topic: "room:1", Addrs: []string{c.addr}, Count: 5}},
	}
}

// A whole run of one process: its clients connect over the kernel's TCP, hear messages,
// ping, leave and come back, and the account is what the server has done.
func TestWholeRun(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	o := ordersFor(c)
	o.PerSource = 2
	k := begins(t, o)
	ramped := k.until(func(e order.Event) bool { return e.Ramped != nil }).Ramped
	if ramped.Joined[0] != 5 || ramped.LastJoin < ramped.FirstDial || ramped.FirstDial == 0 {
		t.Errorf("%+v, want that five have joined", ramped)
	}
	schedule := order.Schedule{Pace: order.Pacer{Start: order.Now(), Interval: 1000}, Rooms: 1, Writers: 1}
	k.order(order.Command{Broadcast: &order.Broadcast{Schedule: schedule, Size: 128, Voices: []order.Voice{{}}}})
	k.asks("delivered", func(n order.Counts) bool { return n.Delivered == 14 && n.Duplicated == 1 })
	k.order(order.Command{Echo: &order.Echo{InFlight: 3, Burst: 2, Size: 128}})
	k.asks("answered", func(n order.Counts) bool { return n.Replies == 6 })
	k.order(order.Command{Churn: &order.Pacer{Start: order.Now(), Interval: int64(time.Hour)}})
	k.asks("back", func(n order.Counts) bool { return n.Returned == 1 && n.Gone == 1 })
	k.order(order.Command{Halt: true})
	if h := k.until(func(e order.Event) bool { return e.Halted != nil }).Halted; len(h.Latency) == 0 || len(h.Leave) == 0 || h.First == 0 {
		t.Errorf("halted with %+v, want the latencies of pings, joins and leaves", h)
	}
	k.order(order.Command{Stop: &order.Stop{Sent: [][]int{{3}}, Unsent: [][][]order.Span{{nil}}, Schedule: schedule}})
	total := k.until(func(e order.Event) bool { return e.Totals != nil }).Totals
	if n := total.Counts; n.Connected != 5 || n.Joined != 5 || n.Sent != 3 || n.Delivered != 14 || n.Duplicated != 1 || n.Pings != 6 || n.Left != 1 || len(n.Errors) != 0 || total.Lost != 1 {
		t.Errorf("totals %+v, %d lost, want what the server did", n, total.Lost)
	}
	if len(total.Examples) != 1 || !strings.HasSuffix(total.Examples[0], " missed 2") {
		t.Errorf("examples %q, want the one who missed 2", total.Examples)
	}
	sent, receipts := 0, int64(0)
	for _, e := range k.told {
		if e.Sent != nil {
			sent++
		}
		if e.Receipts != nil {
			receipts += e.Receipts.Latency.Count()
		}
	}
	if sent != 3 || receipts != 14 {
		t.Errorf("told of %d messages and %d receipts, want 3 and 14", sent, receipts)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	from := make(map[string]int)
	for _, addr := range c.from {
		host, _, _ := net.SplitHostPort(addr)
		from[host]++
	}
	if from["127.0.0.1"] < 2 || from["127.0.0.2"] != 2 || from["127.0.0.3"] != 1 {
		t.Errorf("clients connected from %v, want two from each address", from)
	}
}

// Clients that stop reading are cut off by the server, or not, and the run finds out at
// its end.
func TestWholeRunOfSlowClients(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	o := ordersFor(c)
	o.Slow, o.From = 40, order.Sources{}
	k := begins(t, o)
	k.until(func(e order.Event) bool { return e.Ramped != nil })
	k.asks("slow", func(n order.Counts) bool { return n.Slow == 2 && n.Joined == 5 })
	c.mu.Lock()
	for _, conn := range c.members { // of all, those that read too
		conn.Close()
	}
	c.mu.Unlock()
	k.asks("ended", func(n order.Counts) bool { return n.Disconnected == 3 })
	k.order(order.Command{Resume: true})
	n := k.asks("cut off", func(n order.Counts) bool { return n.CutOff == 2 })
	if n.Errors["connection closed by the server"]+n.Errors["connection reset by peer"] != 3 {
		t.Errorf("errors %v, want those of the three that read", n.Errors)
	}
}

// A server that is not there is an error of its kind, and everything else goes on.
func TestWholeRunWithoutAServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	k := begins(t, ordersFor(&chat{addr: addr}))
	if r := k.until(func(e order.Event) bool { return e.Ramped != nil }).Ramped; len(r.Groups) != 0 || r.Joined[0] != 0 {
		t.Errorf("%+v, want that nobody has joined", r)
	}
	n := k.asks("refused", func(n order.Counts) bool { return len(n.Errors) > 0 })
	var kinds []string
	for kind, times := range n.Errors {
		kinds = append(kinds, fmt.Sprint(times, " × ", kind))
	}
	if !slices.Equal(kinds, []string{"5 × connect: connection refused"}) && !slices.Equal(kinds, []string{"5 × connection refused"}) {
		t.Errorf("errors %q, want five refusals of one kind", kinds)
	}
}

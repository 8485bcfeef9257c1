package phx_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/phx"
)

// noted is what callbacks have told, up to the end of their channel or socket.
func noted(t *testing.T, notes <-chan string) (all []string) {
	t.Helper()
	for {
		note := within(t, "callback", notes)
		all = append(all, note)
		if strings.HasPrefix(note, "end: ") {
			return all
		}
	}
}

// notingRoom tells what it is called for. Joins and messages that say so wait at the
// gate before.
func notingRoom(g *gate, notes chan<- string) *phx.ChannelType {
	return &phx.ChannelType{
		Join: func(_ *phx.Channel, p phx.Payload) (any, error) {
			if strings.Contains(string(p.JSON()), "wait") {
				g.pass()
			}
			notes <- "join"
			return nil, nil
		},
		Event: func(ch *phx.Channel, event string, _ phx.Payload) (any, error) {
			if event == "wait" {
				g.pass()
			}
			notes <- event
			switch event {
			case "crash":
				panic("as told")
			case "push":
				return nil, ch.Push("e", nil)
			case "give up":
				return nil, ch.Context().Err()
			}
			return phx.OK, nil
		},
		Info:      func(_ *phx.Channel, msg any) error { notes <- msg.(string); return nil },
		Terminate: func(_ *phx.Channel, why phx.Reason) { notes <- "end: " + string(why) },
	}
}

// hangUps are the ways in which a client ends its connection.
var hangUps = []struct {
	name string
	end  func(c *client)
}{
	{"FIN", func(c *client) { c.hangUp(false) }},
	{"a Close frame", func(c *client) { // and its callbacks take longer than that waits for
		c.send(ws.OpClose, closeFrame(1000))
		c.wantClosed(1000)
		c.hangUp(false)
	}},
}

// What a client has sent before it hangs up is handled, in order, before its channel
// ends.
func TestHangUpBehindMessages(t *testing.T) {
	for _, tt := range []struct {
		name string
		say  []string
		want string
	}{
		{"messages", []string{`["1","2","a","wait",{}]`, `["1","3","a","two",{}]`, `["1","4","a","three",{}]`},
			"join, wait, two, three, end: closed"},
		{"pushes to nobody", []string{`["1","2","a","wait",{}]`, `["1","3","a","push",{}]`, `["1","4","a","three",{}]`},
			"join, wait, push, three, end: closed"},
		{"a callback that heeds its context", []string{`["1","2","a","wait",{}]`, `["1","3","a","give up",{}]`, `["1","4","a","three",{}]`},
			"join, wait, give up, three, end: closed"},
		{"a crash", []string{`["1","2","a","wait",{}]`, `["1","3","a","crash",{}]`, `["1","4","a","three",{}]`},
			"join, wait, crash, end: crash"},
		{"a leave", []string{`["1","2","a","wait",{}]`, `["1","3","a","two",{}]`, `["1","4","a","phx_leave",{}]`, `["1","5","a","five",{}]`},
			"join, wait, two, end: left"},
	} {
		for _, way := range hangUps {
			t.Run(tt.name+", "+way.name, func(t *testing.T) {
				t.Parallel()
				g, notes := newGate(), make(chan string, 10)
				ep := start(t, phx.Route{Pattern: "*", Type: notingRoom(g, notes)})
				c := dial(t, ep)
				c.join("a")
				c.say(tt.say...)
				within(t, "callback", g.entered)
				way.end(c)
				eventually(t, "the connection is gone", func() bool { return ep.Stats().Connections == 0 })
				close(g.open)
				if got := strings.Join(noted(t, notes), ", "); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
				if n := ep.Subscribers("a"); n != 0 {
					t.Errorf("%d subscribers are left", n)
				}
			})
		}
	}
}

// So it is with a join that has not been answered, and with what waits for it: also
// messages that the channel sends itself, a leave, and another join.
func TestHangUpBehindJoin(t *testing.T) {
	for _, tt := range []struct {
		name string
		say  []string
		want []string
	}{
		{"nothing else", nil, []string{"join, end: closed"}},
		{"messages", []string{`["1","2","a","two",{}]`, `["1","3","a","three",{}]`}, []string{"join, two, three, end: closed"}},
		{"a leave", []string{`["1","2","a","two",{}]`, `["1","3","a","phx_leave",{}]`}, []string{"join, two, end: left"}},
		{"a crash", []string{`["1","2","a","crash",{}]`, `["1","3","a","three",{}]`}, []string{"join, crash, end: crash"}},
		{"another join", []string{`["1","2","a","phx_leave",{}]`, `["3","3","a","phx_join",{}]`, `["3","4","a","four",{}]`},
			[]string{"join, end: duplicate join", "join, four, end: closed"}},
	} {
		for _, way := range hangUps {
			t.Run(tt.name+", "+way.name, func(t *testing.T) {
				t.Parallel()
				g, notes := newGate(), make(chan string, 10)
				ep := start(t, phx.Route{Pattern: "*", Type: notingRoom(g, notes)})
				c := dial(t, ep)
				c.say(`["1","1","a","phx_join",{"wait":true}]`)
				within(t, "callback", g.entered)
				c.say(tt.say...)
				way.end(c)
				eventually(t, "the connection is gone", func() bool { return ep.Stats().Connections == 0 })
				close(g.open)
				for _, want := range tt.want {
					if got := strings.Join(noted(t, notes), ", "); got != want {
						t.Errorf("got %q, want %q", got, want)
					}
				}
				if n := ep.Subscribers("a"); n != 0 {
					t.Errorf("%d subscribers are left", n)
				}
			})
		}
	}
}

// A channel takes nothing more once its connection has ended; what it was sent
// before is handled in its place.
func TestHangUpBehindSend(t *testing.T) {
	g, notes, opened := newGate(), make(chan string, 10), make(chan *phx.Channel, 1)
	room := notingRoom(g, notes)
	room.Joined = func(ch *phx.Channel, _ phx.Payload) error { opened <- ch; return nil }
	ep := start(t, phx.Route{Pattern: "*", Type: room})
	c := dial(t, ep)
	c.join("a")
	ch := within(t, "channel", opened)
	c.say(`["1","2","a","wait",{}]`, `["1","3","a","two",{}]`)
	within(t, "callback", g.entered)
	c.heartbeat() // so that the message is in the mailbox
	if err := ch.Send("info"); err != nil {
		t.Fatal(err)
	}
	c.hangUp(false)
	eventually(t, "the connection is gone", func() bool { return ep.Stats().Connections == 0 })
	if err := ch.Send("late"); err != phx.ErrClosed {
		t.Errorf("Send = %v, want %v", err, phx.ErrClosed)
	}
	if err := ch.Subscribe("b"); err != phx.ErrClosed {
		t.Errorf("Subscribe = %v, want %v", err, phx.ErrClosed)
	}
	close(g.open)
	if got, want := strings.Join(noted(t, notes), ", "), "join, wait, two, info, end: closed"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Raw sockets handle what came, too, and nothing behind a callback that fails.
func TestHangUpBehindRawMessages(t *testing.T) {
	for _, tt := range []struct{ say, want []string }{
		{[]string{"wait", "two", "three"}, []string{"wait", "two", "three", "end: closed"}},
		{[]string{"wait", "push", "three"}, []string{"wait", "push", "three", "end: closed"}},
		{[]string{"wait", "fail", "three"}, []string{"wait", "fail", "end: closed"}},
	} {
		for _, way := range hangUps {
			t.Run(tt.say[1]+", "+way.name, func(t *testing.T) {
				t.Parallel()
				g, notes := newGate(), make(chan string, 10)
				ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{Path: "/raw", Raw: &phx.RawType{
					In: func(s *phx.RawSocket, data []byte, binary bool) error {
						if string(data) == "wait" {
							g.pass()
						}
						notes <- string(data)
						switch string(data) {
						case "push":
							return s.Push(data, binary)
						case "fail":
							return &phx.CloseError{Code: 4000}
						}
						return nil
					},
					Terminate: func(_ *phx.RawSocket, why phx.Reason) { notes <- "end: " + string(why) },
				}}}})
				c := dialAt(t, ep, "/raw/websocket")
				c.say(tt.say...)
				within(t, "callback", g.entered)
				way.end(c)
				eventually(t, "the connection is gone", func() bool { return ep.Stats().Connections == 0 })
				close(g.open)
				if got := noted(t, notes); !slices.Equal(got, tt.want) {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		}
	}
}

// The same over TLS, of clients that hang up while they join.
func TestHangUpTLS(t *testing.T) {
	notes := make(chan string, 10)
	ep, trust := startTLS(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: notingRoom(newGate(), notes)}}}}})
	for range 20 {
		c := dialTLS(t, ep, trust)
		c.write(masked(ws.OpText, `["1","1","a","phx_join",{}]`))
		c.write(masked(ws.OpText, `["1","2","a","two",{}]`))
		if err := c.conn.(*tls.Conn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Join(noted(t, notes), ", "), "join, two, end: closed"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// With long polling, the end of the session is that of the connection.
func TestHangUpLongPolling(t *testing.T) {
	g, notes := newGate(), make(chan string, 10)
	cfg := longPolling(patience, phx.Route{Pattern: "*", Type: notingRoom(g, notes)})
	cfg.Mounts[0].Connect = func(s *phx.Socket, _ phx.Params, _ *http.Request) error { s.SetID("users:1"); return nil }
	ep := startConfig(t, cfg)
	s := openSession(t, ep)
	s.say(`["1","1","a","phx_join",{"wait":true}]`, `["1","2","a","two",{}]`)
	within(t, "callback", g.entered)
	if err := ep.Broadcast("users:1", "disconnect", nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the session has ended", func() bool { return ep.Subscribers("users:1") == 0 })
	close(g.open)
	if got, want := strings.Join(noted(t, notes), ", "), "join, two, end: disconnected"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Over a connection that the loop cannot read, too, also when the client has not read
// all.
func TestHangUpOverCarrier(t *testing.T) {
	g, notes := newGate(), make(chan string, 10)
	ep := startConfig(t, phx.Config{Addr: phx.Off, Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: notingRoom(g, notes)}}}}})
	ln := make(pipes)
	end := serve(ep, ln)
	ours, theirs := net.Pipe()
	ln <- theirs
	c := &client{t: t, conn: ours}
	c.write(request("/socket/websocket?vsn=2.0.0"))
	c.head()
	c.say(`["1","1","a","phx_join",{}]`, `["1","2","a","wait",{}]`, `["1","3","a","two",{}]`)
	within(t, "callback", g.entered)
	c.say(`[null,"4","phoenix","heartbeat",{}]`, `[null,"5","phoenix","heartbeat",{}]`) // whose answers wait
	c.conn.Close()
	eventually(t, "the connection is gone", func() bool { return ep.Stats().Connections == 0 })
	close(g.open)
	if got, want := strings.Join(noted(t, notes), ", "), "join, wait, two, end: closed"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	shutdown(t, ep)
	if err := within(t, "end of Serve", end); err != http.ErrServerClosed {
		t.Errorf("Serve = %v", err)
	}
}

// When the mailboxes hold too much, nobody can leave more behind by hanging up: what
// waits is dropped then.
func TestHangUpWhenMailboxesAreFull(t *testing.T) {
	g, notes := newGate(), make(chan string, 10)
	note := func(text string) { notes <- text }
	ep := startConfig(t, phx.Config{MailboxesMax: 32 << 10, Mounts: []phx.Mount{
		{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: notingRoom(g, notes)}}},
		{Path: "/raw", Raw: &phx.RawType{
			In:        func(_ *phx.RawSocket, data []byte, _ bool) error { g.pass(); note(fmt.Sprint(len(data))); return nil },
			Terminate: func(_ *phx.RawSocket, why phx.Reason) { note("end: " + string(why)) },
		}},
	}})
	c, raw := dial(t, ep), dialAt(t, ep, "/raw/websocket")
	c.join("a")
	c.say(`["1","2","a","wait",{}]`, `["1","3","a","two",{"x":"`+strings.Repeat("x", 40<<10)+`"}]`)
	within(t, "callback", g.entered)
	c.heartbeat()
	c.hangUp(false)
	eventually(t, "the connection is gone", func() bool { return ep.Stats().Connections == 1 })
	g.open <- struct{}{}
	if got, want := strings.Join(noted(t, notes), ", "), "join, wait, end: closed"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}

	raw.say("wait", strings.Repeat("x", 40<<10))
	within(t, "callback", g.entered)
	raw.send(ws.OpPing, nil)
	for raw.next().Op != ws.OpPong {
	}
	raw.hangUp(false)
	eventually(t, "the connection is gone", func() bool { return ep.Stats().Connections == 0 })
	g.open <- struct{}{}
	if got, want := strings.Join(noted(t, notes), ", "), "4, end: closed"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

package swarm

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/server/frame"
)

// A client asks for the WebSocket, joins its topic, and is spared the deadline of that.
func TestClientJoins(t *testing.T) {
	t.Parallel()
	d := entered(t, 3, nil)
	for n, l := range d.lines {
		if want := []string{`["1","1","room:1","phx_join",{}]`}; l.requests != 1 || !slices.Equal(l.all(opText), want) {
			t.Errorf("client %d asked %d times, then sent %q, want once and %q", n, l.requests, l.all(opText), want)
		}
		if l.deadline != 20*time.Second || l.client.phase != joined {
			t.Errorf("client %d is in phase %d, with %v until its heartbeat", n, l.client.phase, l.deadline)
		}
	}
	d.counted(t, "joined", order.Counts{Connected: 3, Joined: 3})
	r := d.fleet.events
	if len(r) != 1 || r[0].Ramped == nil || r[0].Ramped.Joined[0] != 3 || r[0].Ramped.Groups[0] != 1 || r[0].Ramped.FirstDial == 0 || r[0].Ramped.LastJoin < r[0].Ramped.FirstDial {
		t.Errorf("events %+v, want that all have joined", r)
	}
	if len(d.fleet.slots) != 0 || d.fleet.joinLatency.TotalCount() != 3 {
		t.Errorf("%d slots are taken, %d latencies of joins", len(d.fleet.slots), d.fleet.joinLatency.TotalCount())
	}
}

// The answer to the upgrade may come in any pieces, and with what follows it.
func TestUpgradeInPieces(t *testing.T) {
	t.Parallel()
	d := doubled(t, 1, nil)
	whole := slices.Concat([]byte(upgradeAnswer), frame.Append(nil, opPing, []byte("hi")), frame.Append(nil, opText, []byte(replyTo(joinRef, "room:1", "ok", "{}"))))
	for cut := 1; cut < len(whole); cut++ {
		c := &d.fleet.groups[0].clients[0]
		*c = client{group: c.group, number: c.number}
		c.group.joined, c.group.vacant, c.group.speakers[0], d.fleet.pending = 0, 1, nil, 2
		d.answers = func(l *line, s said) {
			if s.op == 0 {
				l.give(whole[:cut])
				l.give(whole[cut:])
			}
		}
		d.fleet.slots <- struct{}{}
		d.fleet.dial(c, 1)
		d.run()
		if l := d.lines[0]; c.phase != joined || !slices.Equal(l.all(opPong), []string{"hi"}) || len(d.fleet.heads) > 0 {
			t.Fatalf("cut after %d bytes: phase %d, pongs %q, %d heads kept", cut, c.phase, l.all(opPong), len(d.fleet.heads))
		}
	}
}

// What goes wrong before a client has joined is an error of its kind, frees its place
// for another, and is none of the next one's.
func TestClientsThatDoNotGetIn(t *testing.T) {
	t.Parallel()
	upgrade := func(then func(l *line)) func(*line, said) {
		return func(l *line, s said) {
			switch {
			case s.op == 0:
				l.give([]byte(upgradeAnswer))
			case s.op == opText:
				then(l)
			}
		}
	}
	head := func(text string) func(*line, said) {
		return func(l *line, s said) {
			if s.op == 0 {
				l.give([]byte(text))
			}
		}
	}
	for _, test := range []struct {
		name     string
		answers  func(*line, said)
		upgraded bool
		want     string // kind of error
	}{
		{"refused", head("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), false, "upgrade: HTTP 403"},
		{"too many", head("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\n"), false, "upgrade: HTTP 503"},
		{"another key", head("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: nonsense\r\n\r\n"), false, "upgrade: wrong Sec-WebSocket-Accept"},
		{"no HTTP", head("SSH-2.0\r\n\r\n"), false, "upgrade: HTTP "},
		{"an endless head", head(strings.Repeat("x", maxHead+1)), false, "upgrade: endless response"},
		{"closed at once", func(l *line, _ said) { l.cut(nil) }, false, "connection closed by the server"},
		{"reset", func(l *line, _ said) { l.cut(syscall.ECONNRESET) }, false, "connection reset by peer"},
		{"no answer", func(l *line, s said) { l.expire() }, false, "not joined in 30 s"},
		{"no answer to the join", upgrade(func(l *line) { l.expire() }), true, "not joined in 30 s"},
		{"join refused", upgrade(func(l *line) { l.reply(joinRef, "room:1", "error", `{"reason":"unauthorized"}`) }), true, "join refused: unauthorized"},
		{"join refused without a reason", upgrade(func(l *line) { l.reply(joinRef, "room:1", "error", `{}`) }), true, "join refused: {}"},
		{"join crashed", upgrade(func(l *line) { l.tell(`["1","1","room:1","phx_error",{}]`) }), true, "channel closed by the server"},
		{"closed while it joins", upgrade(func(l *line) { l.cut(nil) }), true, "connection closed by the server"},
		{"a Close frame", upgrade(func(l *line) { l.give(frame.AppendClose(nil, 1013, "try later")) }), true, "closed by the server: 1013"},
		{"a Close frame without a code", upgrade(func(l *line) { l.give(frame.Append(nil, opClose, nil)) }), true, "closed by the server: 1005"},
		{"a bad frame", upgrade(func(l *line) { l.give([]byte{0xf1, 0}) }), true, "bad frame: "},
		{"a masked frame", upgrade(func(l *line) { l.give(frame.AppendMasked(nil, opText, mask, []byte("x"))) }), true, "bad frame: "},
	} {
		d := doubled(t, 2, nil)
		f := d.fleet
		d.answers = func(l *line, s said) {
			if l.client.number == 0 {
				test.answers(l, s)
			} else {
				lets(l, s)
			}
		}
		f.connect(t.Context(), order.Pacer{})
		d.run()
		var kinds []string
		for kind, n := range f.counts.Errors {
			kinds = append(kinds, fmt.Sprintf("%d × %s", n, kind))
		}
		if len(kinds) != 1 || !strings.HasPrefix(kinds[0], "1 × "+test.want) {
			t.Errorf("%s: errors %q, want %q once", test.name, kinds, test.want)
		}
		first := &f.groups[0].clients[0]
		if first.phase != ended || first.joinedOnce || first.linked {
			t.Errorf("%s: the client is in phase %d, joined once: %t, linked: %t", test.name, first.phase, first.joinedOnce, first.linked)
		}
		upgraded := int64(0)
		if test.upgraded {
			upgraded = 1
		}
		if c := f.counts; c.Connected != 1+upgraded || c.Disconnected != upgraded || c.Joined != 1 || c.Left != 0 || len(f.slots) != 0 {
			t.Errorf("%s: counts %+v, %d slots taken, want one joined and no slot taken", test.name, c, len(f.slots))
		}
		if len(f.events) != 1 || f.events[0].Ramped == nil || f.events[0].Ramped.Joined[0] != 1 {
			t.Errorf("%s: events %+v, want that the other has joined", test.name, f.events)
		}
	}
}

// An error of this machine is one of its kind, whatever the address.
func TestDialFails(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("dial 127.0.0.1:1: %w", syscall.EADDRNOTAVAIL), "connect: cannot assign requested address"},
		{fmt.Errorf("dial 127.0.0.2:1: %w", syscall.EMFILE), "connect: too many open files"},
		{errors.New("poller stopped"), "poller stopped"},
	} {
		d := doubled(t, 2, nil)
		d.refuse = test.err
		d.fleet.connect(t.Context(), order.Pacer{})
		d.run()
		d.counted(t, test.want, order.Counts{Errors: map[string]int64{test.want: 2}})
		if e := d.fleet.events; len(e) != 1 || e[0].Ramped.Joined[0] != 0 || len(e[0].Ramped.Groups) != 0 {
			t.Errorf("events %+v, want that nobody has joined", e)
		}
	}
}

// pingRef is the ref of a ping of the client with that number of pings.
func pingRef(seq int32) string {
	return string(channels.Stamp{Writer: nobody, Seq: seq, Intended: 5, Sent: 5}.Append(nil))
}

// Each message of a server is taken for what it is, however it is spelled; what cannot
// be is counted under its own name.
func TestMessagesOfAServer(t *testing.T) {
	t.Parallel()
	spaced := func(text string) string { // as other encoders of JSON write
		return strings.NewReplacer(`[null,null,"room:1","new_msg",{"body":"`, `[ null, null, "room:1", "new_msg", { "more": 1, "body": "`, `"}]`, `" } ]`).Replace(text)
	}
	one := order.Counts{Connected: 1, Joined: 1}
	with := func(change func(*order.Counts)) order.Counts {
		c := one
		c.Errors = make(map[string]int64)
		change(&c)
		return c
	}
	fault := func(kind string) order.Counts { return with(func(c *order.Counts) { c.Errors[kind] = 1 }) }
	delivered := func(n int64) order.Counts { return with(func(c *order.Counts) { c.Delivered = n }) }
	odd := with(func(c *order.Counts) { c.Unreadable = 1 })
	ends := func(kind string) order.Counts {
		return with(func(c *order.Counts) { c.Disconnected, c.Errors[kind] = 1, 1 })
	}
	for _, test := range []struct {
		name  string
		texts []string
		want  order.Counts
	}{
		{"a broadcast", []string{of(1, 1)}, delivered(1)},
		{"with spaces and more", []string{spaced(of(1, 1))}, delivered(1)},
		{"broadcasts in order", []string{of(1, 1), of(2, 2), of(3, 3)}, delivered(3)},
		{"with one missing", []string{of(1, 1), of(3, 3)}, delivered(2)},
		{"the last", []string{of(5, 1)}, delivered(1)},
		{"a message twice", []string{of(1, 1), of(1, 1)}, with(func(c *order.Counts) { c.Delivered, c.Duplicated = 1, 1 })},
		{"twice, spelled in two ways", []string{of(1, 1), spaced(of(1, 1))}, with(func(c *order.Counts) { c.Delivered, c.Duplicated = 1, 1 })},
		{"messages swapped", []string{of(2, 2), of(1, 1)}, with(func(c *order.Counts) { c.Delivered, c.Reordered = 2, 1 })},
		{"one that was never sent", []string{of(6, 1)}, fault("message that was never sent")},
		{"number 0", []string{of(0, 1)}, fault("message that was never sent")},
		{"of a writer of somebody else's", []string{ofWriter(2, 1, 1), ofWriter(0, 1, 1), ofWriter(9, 1, 1)}, one},
		{"on another topic", []string{strings.Replace(of(1, 1), "room:1", "room:2", 1)}, one},
		{"another event", []string{strings.Replace(of(1, 1), "new_msg", "other", 1)}, one},
		{"without a stamp", []string{`[null,null,"room:1","new_msg",{"body":"hello"}]`}, odd},
		{"without a stamp, with spaces", []string{`[null, null, "room:1", "new_msg", {"body": "hello"}]`}, odd},
		{"no JSON", []string{"hello"}, odd},
		{"neither topic nor event", []string{`{"a":1}`}, one},
		{"the answer to a heartbeat", []string{string(heartbeatReply)}, with(func(c *order.Counts) { c.Beats = 1 })},
		{"that, otherwise spelled", []string{`[null, "2", "phoenix", "phx_reply", {"response": {}, "status": "ok"}]`}, with(func(c *order.Counts) { c.Beats = 1 })},
		{"the answer to a message", []string{replyTo(messageRef, "room:1", "ok", "{}")}, one},
		{"a message refused", []string{replyTo(messageRef, "room:1", "error", `{"reason":"overloaded"}`)}, fault("message refused: overloaded")},
		{"a leave refused", []string{replyTo(leaveRef, "room:1", "error", `{"reason":"no"}`)}, fault("leave refused: no")},
		{"the answer to a join once more", []string{replyTo(joinRef, "room:1", "ok", `{}`)}, one},
		{"an answer on another topic", []string{replyTo(messageRef, "room:2", "error", `{}`)}, one},
		{"an answer to nothing", []string{replyTo("99", "room:1", "ok", `{}`)}, fault("reply to nothing that was sent")},
		{"an answer without a status", []string{`["1","3","room:1","phx_reply",{"state":1}]`}, odd},
		{"an answer to a ping, when there are none", []string{replyTo(pingRef(1), "room:1", "ok", `{}`)}, fault("answer to no ping")},
		{"the end of the channel", []string{`["1","1","room:1","phx_close",{}]`}, ends("channel closed by the server")},
		{"its crash", []string{`["1","1","room:1","phx_error",{}]`}, ends("channel closed by the server")},
		{"nothing after it", []string{`["1","1","room:1","phx_error",{}]`, of(1, 1)}, ends("channel closed by the server")},
		{"the end of another topic", []string{`["9","9","room:2","phx_close",{}]`}, one},
	} {
		d := entered(t, 1, nil)
		for _, text := range test.texts {
			d.lines[0].tell(text)
		}
		d.run()
		d.counted(t, test.name, test.want)
		if unreadable := test.want.Unreadable > 0; unreadable != (d.fleet.counts.Odd != "") {
			t.Errorf("%s: an example of what is unreadable: %q", test.name, d.fleet.counts.Odd)
		}
	}
}

// A receipt is late from more than the bound on, counted from the intended send.
func TestLateReceipts(t *testing.T) {
	t.Parallel()
	const bound = int64(10 * time.Second)
	for took, late := range map[int64]int64{0: 0, bound: 0, bound + 1: 1, 3 * bound: 1} {
		d := entered(t, 1, func(o *order.Orders) { o.Late = time.Duration(bound) })
		g := d.fleet.groups[0]
		s := channels.Stamp{Writer: 1, Seq: 1, Intended: 1000, Sent: 1000}
		g.received(&g.clients[0], 0, s, g.receive(&g.clients[0], 0, 1), 1000+took)
		if got := d.fleet.counts.Late; got != late || d.fleet.counts.Delivered != 1 {
			t.Errorf("after %v: %d late of %d delivered, want %d of 1", time.Duration(took), got, d.fleet.counts.Delivered, late)
		}
	}
}

// Frames of the protocol are answered by it, RFC 6455 §5.5.
func TestControlFrames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		data  []byte
		sends []said
		ends  string
	}{
		{"a ping", frame.Append(nil, opPing, []byte("abc")), []said{{opPong, "abc"}}, ""},
		{"an empty ping", frame.Append(nil, opPing, nil), []said{{opPong, ""}}, ""},
		{"a close with a reason", frame.AppendClose(nil, 1012, "restart"), []said{{opClose, "\x03\xf4"}}, "closed by the server: 1012"},
		{"a close without", frame.Append(nil, opClose, nil), []said{{opClose, ""}}, "closed by the server: 1005"},
		{"what follows a close", slices.Concat(frame.AppendClose(nil, 1000, ""), frame.Append(nil, opPing, nil)), []said{{opClose, "\x03\xe8"}}, "closed by the server: 1000"},
		{"a message between two halves of another", slices.Concat([]byte{0x01, 1, '['}, frame.Append(nil, opPing, []byte("x")), []byte{0x80, 1, ']'}), []said{{opPong, "x"}}, ""},
		{"binary", frame.Append(nil, 2, []byte("x")), nil, ""},
	} {
		d := entered(t, 1, nil)
		l := d.lines[0]
		l.said = nil
		for i := range test.data { // byte by byte
			l.give(test.data[i : i+1])
		}
		d.run()
		if !slices.Equal(l.said, test.sends) {
			t.Errorf("%s: sent %q, want %q", test.name, l.said, test.sends)
		}
		switch {
		case test.ends == "" && l.ended:
			t.Errorf("%s: ended because of %v", test.name, l.why)
		case test.ends != "" && (l.why == nil || l.why.Error() != test.ends || d.fleet.counts.Errors[test.ends] != 1):
			t.Errorf("%s: ended because of %v, errors %v, want %s", test.name, l.why, d.fleet.counts.Errors, test.ends)
		}
	}
}

// A heartbeat is sent at each deadline, and must be answered before the next.
func TestHeartbeats(t *testing.T) {
	t.Parallel()
	d := entered(t, 1, nil)
	l := d.lines[0]
	for n := range 3 {
		l.deadline = 0
		l.expire()
		d.run()
		if got := l.all(opText); len(got) != n+2 || got[n+1] != `[null,"2","phoenix","heartbeat",{}]` || l.deadline != 20*time.Second {
			t.Fatalf("after %d deadlines %q were sent, the next is in %v", n+1, got, l.deadline)
		}
	}
	d.counted(t, "answered", order.Counts{Connected: 1, Joined: 1, Beats: 3})
	d.answers = nil
	l.expire()
	d.run()
	if l.ended {
		t.Fatal("ended at the deadline of a heartbeat that was just sent")
	}
	l.expire()
	d.run()
	d.counted(t, "not answered", order.Counts{Connected: 1, Disconnected: 1, Joined: 1, Beats: 3, Errors: map[string]int64{"heartbeat not answered": 1}})
	if !errors.Is(l.why, errHeartbeat) {
		t.Errorf("ended because of %v", l.why)
	}
	l.expire()
	d.run()
	if !errors.Is(l.why, errServerEnd) || d.fleet.counts.Errors["heartbeat not answered"] != 1 {
		t.Errorf("after its end killed for %v, errors %v, want it only hung up", l.why, d.fleet.counts.Errors)
	}
}

// Plain clients have joined once they are upgraded, and ping for a heartbeat.
func TestPlainClients(t *testing.T) {
	t.Parallel()
	d := entered(t, 1, func(o *order.Orders) { o.Raw = true })
	l := d.lines[0]
	if len(l.said) != 0 || l.client.phase != joined {
		t.Errorf("sent %q in phase %d, want nothing but the upgrade", l.said, l.client.phase)
	}
	l.expire()
	d.run()
	if l.heard(opPing) != 1 {
		t.Errorf("sent %q, want a ping for a heartbeat", l.said)
	}
	l.give(frame.Append(nil, opPong, nil))
	message := strings.TrimSuffix(strings.SplitN(of(1, 1), `"new_msg",`, 2)[1], "]")
	l.tell(message)
	l.tell(message)
	l.tell("hello")
	d.run()
	d.counted(t, "plain", order.Counts{Connected: 1, Joined: 1, Beats: 1, Delivered: 1, Duplicated: 1, Unreadable: 1})
	l.expire()
	d.run()
	if l.ended {
		t.Errorf("ended because of %v, though the heartbeat was answered", l.why)
	}
}

// So many percent of the clients, spread evenly, read no more once they have joined:
// they are joined, but nothing is owed to them.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		clients int
		percent float64
		slow    []uint32
	}{
		{20, 10, []uint32{9, 19}}, {10, 50, []uint32{1, 3, 5, 7, 9}}, {4, 0, nil}, {3, 99, []uint32{1, 2}},
	} {
		d := entered(t, test.clients, func(o *order.Orders) { o.Slow = test.percent })
		var slow []uint32
		for i := range d.fleet.groups[0].clients {
			c := &d.fleet.groups[0].clients[i]
			if c.phase == stalled {
				slow = append(slow, c.number)
				d.lines[c.number].tell(of(1, 1))
			}
		}
		d.run()
		if !slices.Equal(slow, test.slow) {
			t.Errorf("%v %% of %d: %v are slow, want %v", test.percent, test.clients, slow, test.slow)
		}
		d.counted(t, "slow", order.Counts{Connected: int64(test.clients), Joined: int64(test.clients), Slow: int64(len(test.slow))})
		total := d.fleet.total(order.Stop{Sent: [][]int{{5}}, Unsent: [][][]order.Span{{nil}}})
		if want := int64(5 * (test.clients - len(test.slow))); total.Lost != want {
			t.Errorf("%v %% of %d: %d lost, want %d: nothing is owed to who does not read", test.percent, test.clients, total.Lost, want)
		}
	}
	d := doubled(t, 1, func(o *order.Orders) { o.Slow = 99.9 })
	d.stuck = io.ErrClosedPipe
	d.fleet.groups[0].clients[0].number = 999
	d.fleet.groups[0].first = 999
	d.fleet.connect(t.Context(), order.Pacer{})
	d.run()
	d.counted(t, "cannot stop to read", order.Counts{Connected: 1, Disconnected: 1, Errors: map[string]int64{"stop to read: io: read/write on closed pipe": 1}})
}

// Errors are told apart up to a bound: servers may say anything.
func TestKindsOfErrorsAreBounded(t *testing.T) {
	t.Parallel()
	d := doubled(t, 1, nil)
	for n := range maxKinds + 20 {
		d.fleet.fault(fmt.Sprint("kind ", n))
		d.fleet.fault("kind 0")
	}
	errs := d.fleet.counts.Errors
	if len(errs) != maxKinds+1 || errs["others, of too many kinds to tell apart"] != 20 || errs["kind 0"] != maxKinds+21 {
		t.Errorf("%d kinds, of which others %d, the first %d", len(errs), errs["others, of too many kinds to tell apart"], errs["kind 0"])
	}
}

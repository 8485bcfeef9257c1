package swarm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
)

// turns is a context that ends after so many looks at it.
type turns struct {
	context.Context
	left int
}

func (c *turns) Err() error {
	if c.left == 0 {
		return context.Canceled
	}
	c.left--
	return nil
}

func (*turns) Done() <-chan struct{} {
	over := make(chan struct{})
	close(over)
	return over
}

// toldOf is what a fleet has to tell, in a few words each.
func toldOf(events []order.Event) (list []string) {
	for _, e := range events {
		switch {
		case e.Sent != nil:
			list = append(list, fmt.Sprintf("sent %d/%d #%d", e.Sent.Room, e.Sent.Writer, e.Sent.Seq))
		case e.Receipts != nil:
			list = append(list, fmt.Sprintf("%d of %d/%d #%d", e.Receipts.Latency.Count(), e.Receipts.Room, e.Receipts.Writer, e.Receipts.Seq))
		}
	}
	return list
}

// In a closed loop an answer sets off the next ping, of the next client, until no more
// are wanted.
func TestPingsOfAClosedLoop(t *testing.T) {
	t.Parallel()
	d := entered(t, 3, nil)
	f := d.fleet
	answered := 0
	d.answers = func(l *line, s said) {
		if answered == 5 {
			f.answer(order.Inquiry{Last: true}) // what is under way sets off no more
		}
		answered++
		lets(l, s)
	}
	f.echo(&turns{}, order.Echo{InFlight: 2, Size: 200})
	f.echoing.closed = true // as until its context ends
	d.run()
	d.counted(t, "closed loop", order.Counts{Connected: 3, Joined: 3, Pings: 6, Replies: 6})
	for n, want := range map[uint32]int{0: 2, 1: 2, 2: 2} {
		if got := d.lines[n].heard(opText) - 1; got != want {
			t.Errorf("client %d sent %d pings, want %d: they take turns", n, got, want)
		}
	}
	m, err := channels.Decode([]byte(d.lines[0].all(opText)[1]))
	if err != nil || m.Topic != "room:1" || m.Event != "ping" || len(m.Payload) != 200 {
		t.Errorf("a ping is %+v, %v, want an event ping with 200 bytes", m, err)
	}
	h := f.halted()
	latency := order.NewHistogram(3)
	if err := order.Merge(latency, h.Latency); err != nil || latency.TotalCount() != 6 || h.First == 0 || h.Last < h.First || h.Leave != nil {
		t.Errorf("halted with %d latencies, %v, from %d to %d, want 6", latency.TotalCount(), err, h.First, h.Last)
	}
	f.echoing.latency.RecordValue(1)
	if f.answer(order.Inquiry{Anew: true}); f.echoing.latency.TotalCount() != 0 || f.echoing.raw.TotalCount() != 0 {
		t.Error("the latencies so far still count")
	}
}

// In an open loop each ping has its moment, and is meant for that, however late it is.
func TestPingsOfAnOpenLoop(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ pings, looks, want int }{{4, 100, 4}, {0, 3, 3}, {5, 2, 2}} {
		d := entered(t, 2, nil)
		f := d.fleet
		start := f.now() - int64(time.Minute)
		f.echo(&turns{left: test.looks}, order.Echo{Pace: order.Pacer{Start: start, Interval: 1000}, Pings: test.pings, Size: 128})
		d.run()
		want := int64(test.want)
		d.counted(t, "open loop", order.Counts{Connected: 2, Joined: 2, Pings: want, Replies: want})
		if f.late.Count() != want || f.late.Percentile(1) < 59e6 || f.echoing.latency.Min() < 59e6 || f.echoing.latency.Max() > 500e6 || f.interval.Min() < 59e6 || f.echoing.raw.Max() > 30e6 {
			t.Errorf("%d late sends from %d µs on, latencies from %d µs, from the actual send to %d µs, want %d, a minute and next to nothing",
				f.late.Count(), f.late.Percentile(1), f.echoing.latency.Min(), f.echoing.raw.Max(), want)
		}
	}
}

// A burst is so many pings of each of some clients in one go, and answers set off none.
func TestPingsOfABurst(t *testing.T) {
	t.Parallel()
	d := entered(t, 3, nil)
	d.fleet.echo(&turns{}, order.Echo{InFlight: 2, Burst: 4, Size: 128})
	d.run()
	d.counted(t, "burst", order.Counts{Connected: 3, Joined: 3, Pings: 8, Replies: 8})
	if a, b, c := d.lines[0].heard(opText), d.lines[1].heard(opText), d.lines[2].heard(opText); a != 5 || b != 5 || c != 1 {
		t.Errorf("clients sent %d, %d and %d messages, want four pings of each of two", a-1, b-1, c-1)
	}
}

// An answer is one to a ping of that client, and a refusal is an answer, too.
func TestAnswersToPings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		do     func(d *double)
		counts order.Counts
	}{
		{"another client's", func(d *double) { d.lines[0].reply(pingRef(2), "room:1", "ok", "{}") },
			order.Counts{Pings: 1, Errors: map[string]int64{"answer to no ping": 1}}},
		{"its own", func(d *double) { d.lines[0].reply(pingRef(1), "room:1", "ok", "{}") }, order.Counts{Pings: 1, Replies: 1}},
		{"its own, spelled otherwise", func(d *double) {
			d.lines[0].tell(fmt.Sprintf(`["1", %q, "room:1", "phx_reply", {"response": {}, "status": "ok"}]`, pingRef(1)))
		}, order.Counts{Pings: 1, Replies: 1}},
		{"refused", func(d *double) { d.lines[0].reply(pingRef(1), "room:1", "error", `{"reason":"overloaded"}`) },
			order.Counts{Pings: 1, Replies: 1, Errors: map[string]int64{"ping refused: overloaded": 1}}},
		{"with the stamp of a message", func(d *double) {
			d.lines[0].reply(string(channels.Stamp{Writer: 1, Seq: 1}.Append(nil)), "room:1", "ok", "{}")
		}, order.Counts{Pings: 1, Errors: map[string]int64{"reply to nothing that was sent": 1}}},
		{"never, at the end", func(d *double) { d.fleet.total(order.Stop{Sent: [][]int{{0}}, Unsent: [][][]order.Span{{nil}}}) },
			order.Counts{Pings: 1, Errors: map[string]int64{"ping not answered": 1}}},
		{"the client cannot send", func(d *double) {
			d.lines[1].broken = io.ErrShortWrite
			d.fleet.ping(5, 1)
		}, order.Counts{Pings: 1, Errors: map[string]int64{"ping: short write": 1}}},
	} {
		d := entered(t, 2, nil)
		d.answers = nil
		d.fleet.echo(&turns{}, order.Echo{InFlight: 1, Size: 128})
		test.do(d)
		d.run()
		test.counts.Connected, test.counts.Joined = 2, 2
		d.counted(t, test.name, test.counts)
	}
	d := entered(t, 1, nil)
	d.lines[0].cut(nil)
	d.run()
	d.fleet.echo(&turns{}, order.Echo{InFlight: 1, Size: 128})
	if d.fleet.counts.Errors["no client left to ping"] != 1 || d.fleet.counts.Pings != 0 {
		t.Errorf("counts %+v, want that nobody is left", d.fleet.counts)
	}
}

// Who leaves is back after a while, by a join of the same ref, and misses nothing that
// it is owed; writers stay.
func TestChurnOfAFleet(t *testing.T) {
	t.Parallel()
	d := entered(t, 4, nil)
	f := d.fleet
	f.churn(&turns{left: 3}, order.Pacer{Start: f.now() - 1e9, Interval: 1})
	d.run()
	for n, want := range map[uint32][]string{
		0: nil, 1: {`["1","5","room:1","phx_leave",{}]`}, 2: {`["1","5","room:1","phx_leave",{}]`}, 3: {`["1","5","room:1","phx_leave",{}]`},
	} {
		if got := d.lines[n].all(opText)[1:]; !slices.Equal(got, want) {
			t.Errorf("client %d sent %q, want %q: the first writes", n, got, want)
		}
	}
	d.counted(t, "left", order.Counts{Connected: 4, Joined: 4, Left: 3, Gone: 3})
	if l := d.lines[1]; l.client.phase != away || l.deadline != order.Pause || f.counts.Present() != 1 || f.late.Count() != 3 {
		t.Errorf("phase %d with %v to stay away, %d are present, %d late leaves", l.client.phase, l.deadline, f.counts.Present(), f.late.Count())
	}
	f.churn(&turns{left: 2}, order.Pacer{Start: f.now() - 1e9, Interval: 1})
	d.run()
	d.counted(t, "still away", order.Counts{Connected: 4, Joined: 4, Left: 3, Gone: 3, Errors: map[string]int64{skipped: 2}})
	for _, n := range []uint32{1, 2, 3} {
		d.lines[n].expire()
	}
	d.run()
	d.counted(t, "back", order.Counts{Connected: 4, Joined: 4, Left: 3, Gone: 3, Returned: 3, Errors: map[string]int64{skipped: 2}})
	if got := d.lines[1].all(opText); got[2] != `["1","1","room:1","phx_join",{}]` || d.lines[1].client.phase != joined || d.lines[1].deadline != 20*time.Second {
		t.Errorf("sent %q, in phase %d, want another join", got, d.lines[1].client.phase)
	}
	h := f.halted()
	joins, leaves := order.NewHistogram(3), order.NewHistogram(3)
	if err := errors.Join(order.Merge(joins, h.Latency), order.Merge(leaves, h.Leave)); err != nil || joins.TotalCount() != 3 || leaves.TotalCount() != 0 {
		t.Errorf("%d joins and %d leaves, %v, want those since the last churn began", joins.TotalCount(), leaves.TotalCount(), err)
	}
	for seq := range int32(2) { // all of them are there
		for n := range uint32(4) {
			d.lines[n].tell(of(seq+1, f.now()))
		}
	}
	d.run()
	schedule := order.Schedule{Pace: order.Pacer{Start: f.now(), Interval: 1e9}, Rooms: 1, Writers: 1}
	total := f.total(order.Stop{Sent: [][]int{{2}}, Unsent: [][][]order.Span{{nil}}, Schedule: schedule})
	if total.Delivered != 8 || total.Lost != 0 || total.Away != 0 {
		t.Errorf("%d delivered, %d lost, %d away, want 8 and none", total.Delivered, total.Lost, total.Away)
	}
}

// Leaves that do not come to an end are errors of their kind, and end nobody else's.
func TestLeavesThatFail(t *testing.T) {
	t.Parallel()
	leave := func(d *double, n uint32) {
		d.fleet.churning = &churning{leaves: order.NewHistogram(3), joins: order.NewHistogram(3)}
		d.lines[n].client.leave(d.lines[n], d.fleet.now())
	}
	for _, test := range []struct {
		name string
		do   func(d *double)
		want order.Counts
	}{
		{"no answer", func(d *double) {
			d.answers = nil
			leave(d, 1)
			d.lines[1].expire()
		}, order.Counts{Disconnected: 1, Left: 1, Errors: map[string]int64{"not left in 30 s": 1}}},
		{"a phx_error while it leaves", func(d *double) {
			d.answers = nil
			leave(d, 1)
			d.lines[1].tell(`["1","1","room:1","phx_error",{}]`)
		}, order.Counts{Disconnected: 1, Left: 1, Errors: map[string]int64{"channel closed by the server": 1}}},
		{"the writer", func(d *double) { leave(d, 0) }, order.Counts{Errors: map[string]int64{skipped: 1}}},
		{"who was cut off", func(d *double) {
			d.lines[1].cut(nil)
			d.run()
			leave(d, 1)
		}, order.Counts{Disconnected: 1, Errors: map[string]int64{skipped: 1, "connection closed by the server": 1}}},
		{"no answer to the join", func(d *double) {
			leave(d, 1)
			d.run()
			d.answers = nil
			d.lines[1].expire()
			d.lines[1].expire()
		}, order.Counts{Disconnected: 1, Left: 1, Gone: 1, Errors: map[string]int64{"not joined in 30 s": 1}}},
		{"the join is refused", func(d *double) {
			leave(d, 1)
			d.run()
			d.answers = nil
			d.lines[1].expire()
			d.lines[1].reply(joinRef, "room:1", "error", `{"reason":"full"}`)
		}, order.Counts{Disconnected: 1, Left: 1, Gone: 1, Errors: map[string]int64{"join refused: full": 1}}},
	} {
		d := entered(t, 2, nil)
		test.do(d)
		d.run()
		test.want.Connected, test.want.Joined = 2, 2
		d.counted(t, test.name, test.want)
	}
	alone := entered(t, 1, nil)
	alone.fleet.churn(&turns{left: 1}, order.Pacer{})
	alone.counted(t, "nobody but the writer", order.Counts{Connected: 1, Joined: 1, Errors: map[string]int64{"no client to leave": 1}})
}

// While a client is away its absence is an excuse, and nothing before or after it is.
func TestAbsenceInTheAccount(t *testing.T) {
	t.Parallel()
	d := entered(t, 2, nil)
	f := d.fleet
	f.churning = &churning{leaves: order.NewHistogram(3), joins: order.NewHistogram(3)}
	l, start := d.lines[1], f.now()-int64(time.Second)/2
	d.lines[1].client.leave(l, f.now())
	d.run()
	l.expire()
	d.run()
	schedule := order.Schedule{Pace: order.Pacer{Start: start, Interval: int64(time.Hour)}, Rooms: 1, Writers: 1}
	total := f.total(order.Stop{Sent: [][]int{{3}}, Unsent: [][][]order.Span{{nil}}, Schedule: schedule})
	// Message 1 was due half a second before it left, and may have been under way.
	if total.Away != 1 || total.Lost != 3+2 || total.Delivered != 0 {
		t.Errorf("%d away, %d lost, want the first message of the one who left, and the other five", total.Away, total.Lost)
	}
}

// in has a fleet behind a double in a bubble of synctest, whose clock begins at a second.
func in(t *testing.T, clients int, change func(*order.Orders), do func(t *testing.T, d *double)) {
	t.Helper()
	d := doubled(t, clients, change)
	synctest.Test(t, func(t *testing.T) {
		d.fleet.orders.Clock = 1e9 - order.Now()
		d.fleet.connect(t.Context(), order.Pacer{})
		d.run()
		do(t, d)
		d.fleet.close() // no more dials
		d.pass(time.Minute)
	})
}

func reconnecting(o *order.Orders) { o.Reconnect = true }

// Who is cut off comes back, each time later, as the official client does; what was
// sent meanwhile is missed, and not lost.
func TestClientsComeBack(t *testing.T) {
	t.Parallel()
	in(t, 2, reconnecting, func(t *testing.T, d *double) {
		f := d.fleet
		f.depart(f.now())
		d.dialed, d.refuse = nil, errors.New("refused")
		d.lines[1].cut(io.ErrUnexpectedEOF)
		d.run()
		d.counted(t, "cut off", order.Counts{Connected: 2, Disconnected: 1, Joined: 2, Left: 1})
		for n, wait := range []time.Duration{10, 50, 100, 150, 200, 250, 500, 1000, 2000, 5000, 5000, 5000} { // milliseconds
			d.pass(wait*time.Millisecond - 1)
			d.run()
			early := len(d.dialed)
			d.pass(1)
			d.run()
			if early != n || len(d.dialed) != n+1 {
				t.Errorf("%d tries before %d ms have passed, %d then, want %d and %d", early, wait, len(d.dialed), n, n+1)
			}
		}
		d.counted(t, "tried", order.Counts{Connected: 2, Disconnected: 1, Joined: 2, Left: 1, Retries: 12})
		d.refuse = nil
		d.pass(5 * time.Second)
		d.run()
		d.counted(t, "back", order.Counts{Connected: 3, Disconnected: 1, Joined: 2, Left: 1, Returned: 1, Retries: 12})
		if f.counts.Present() != 2 || f.groups[0].joined != 2 || f.groups[0].gone != 0 {
			t.Errorf("%d present, %d joined of whom %d are gone, want two and none", f.counts.Present(), f.groups[0].joined, f.groups[0].gone)
		}
		h := order.NewHistogram(3)
		if err := order.Merge(h, f.halted().Latency); err != nil || h.TotalCount() != 1 || h.Max() < 24_200_000 || h.Max() > 24_300_000 {
			t.Errorf("%d came back after %d µs, %v, want one after 24.26 s", h.TotalCount(), h.Max(), err)
		}
		if f.comebacks != nil {
			t.Error("the way back is still measured")
		}
	})
}

// A connection that ends while its client joins again is another try, and not another
// absence.
func TestClientsComeBackInSteps(t *testing.T) {
	t.Parallel()
	in(t, 1, reconnecting, func(t *testing.T, d *double) {
		f := d.fleet
		d.lines[0].cut(nil)
		d.run()
		for _, answer := range []func(l *line, s said){
			func(l *line, s said) { l.cut(nil) },
			func(l *line, s said) { l.give([]byte("HTTP/1.1 503 Service Unavailable\r\n\r\n")) },
			func(l *line, s said) {
				if lets(l, said{}); s.op != 0 {
					l.reply(joinRef, "room:1", "error", "{}")
				}
			},
		} {
			was := d.lines[0]
			d.answers = answer
			for d.lines[0] == was {
				d.pass(10 * time.Millisecond)
			}
			d.run()
			was.client.closed(was, io.EOF) // of a connection that is no more
		}
		if n := len(f.absences[0]); n != 1 || f.counts.Left != 1 || f.counts.Retries != 3 || len(f.counts.Errors) != 0 {
			t.Errorf("%d absences, counts %+v, want one, three tries and no error", n, f.counts)
		}
		was := d.lines[0]
		d.answers = lets
		for d.lines[0] == was {
			d.pass(10 * time.Millisecond)
		}
		d.run()
		if f.counts.Returned != 1 || f.absences[0][0].to == 0 || f.counts.Connected != f.counts.Disconnected+1 {
			t.Errorf("counts %+v, absence %+v, want that it is back", f.counts, f.absences[0])
		}
	})
}

// At the end nobody comes back.
func TestNobodyComesBackAtTheEnd(t *testing.T) {
	t.Parallel()
	in(t, 2, reconnecting, func(t *testing.T, d *double) {
		d.dialed = nil
		d.lines[0].cut(nil)
		d.run()
		d.fleet.close()
		d.lines[1].cut(nil)
		d.run()
		d.pass(time.Minute)
		if len(d.dialed) != 0 || !d.closed || d.fleet.counts.Left != 1 || d.fleet.counts.Disconnected != 2 {
			t.Errorf("%d dialed after the end, counts %+v, want nobody, and one that left before", len(d.dialed), d.fleet.counts)
		}
	})
}

// Each writer's messages are sent by a joined client of its room, at their moments, with
// a payload of the size that was asked for.
func TestBroadcastOfWriters(t *testing.T) {
	t.Parallel()
	d := entered(t, 2, func(o *order.Orders) {
		o.Messages, o.Writers, o.Writer = 2, 2, 11
		o.Shares = []order.Share{{Room: 0, Topic: "room:1", Addrs: []string{"127.0.0.1:1"}, Count: 2}, {Room: 1, Topic: "room:2", Addrs: []string{"127.0.0.1:1"}, First: 2, Count: 1}}
	})
	f := d.fleet
	d.answers, f.events = nil, nil
	start := f.now() - int64(time.Minute)
	f.broadcast(t.Context(), order.Broadcast{
		Schedule: order.Schedule{Pace: order.Pacer{Start: start, Interval: 1000}, Rooms: 2, Writers: 2}, Size: 150,
		Voices: []order.Voice{{Room: 1, Writer: 1}, {Room: 0, Writer: 1}, {Room: 1, Writer: 0}, {Room: 0, Writer: 0}},
	})
	want := []string{"sent 0/0 #1", "sent 0/1 #1", "sent 1/0 #1", "sent 1/1 #1", "sent 0/0 #2", "sent 0/1 #2", "sent 1/0 #2", "sent 1/1 #2"}
	if got := toldOf(f.events); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	for n, want := range map[uint32]string{0: "11 1 0 11 2 1000", 1: "12 1 250 12 2 1250", 2: "13 1 500 14 1 750 13 2 1500 14 2 1750"} {
		var got []string
		for _, text := range d.lines[n].all(opText)[1:] {
			m, err := channels.Decode([]byte(text))
			s, ok := channels.FindStamp(m.Payload)
			if err != nil || !ok || m.Event != "new_msg" || m.Ref != messageRef || m.JoinRef != "1" || len(m.Payload) != 150 {
				t.Fatalf("client %d sent %s: %v", n, text, err)
			}
			got = append(got, fmt.Sprint(s.Writer, " ", s.Seq, " ", s.Intended-start))
		}
		if all := strings.Join(got, " "); all != want {
			t.Errorf("client %d sent %q, want %q: writer, number and moment of each", n, all, want)
		}
	}
	if f.counts.Sent != 8 || f.late.Count() != 8 || f.late.Percentile(1) < 59e6 {
		t.Errorf("%d sent, %d late from %d µs on, want 8, all a minute late", f.counts.Sent, f.late.Count(), f.late.Percentile(1))
	}
}

// A writer that is gone has a successor at once, or the next client that joins; what
// nobody could send is owed to nobody.
func TestWritersAreReplaced(t *testing.T) {
	t.Parallel()
	d := entered(t, 3, nil)
	f, g := d.fleet, d.fleet.groups[0]
	speaker := func() int {
		c := g.speakerLocked(0)
		if c == nil {
			return -1
		}
		return int(c.number)
	}
	for n, want := range []int{1, 2, -1} {
		d.lines[uint32(n)].cut(nil)
		d.run()
		if got := speaker(); got != want {
			t.Fatalf("after client %d client %d writes, want %d", n, got, want)
		}
	}
	if g.vacant != 1 {
		t.Errorf("%d writers are missing, want one", g.vacant)
	}
	f.send([]*group{g}, 0, 1, f.now(), 128)
	if f.counts.Unsent != 1 || f.counts.Sent != 0 || f.counts.Errors["no client left to write"] != 1 {
		t.Errorf("counts %+v, want one message that nobody could send", f.counts)
	}
	total := f.total(order.Stop{Sent: [][]int{{1}}, Unsent: [][][]order.Span{{{{First: 1, Last: 1}}}}})
	if total.Lost != 0 {
		t.Errorf("%d lost of what was never sent", total.Lost)
	}
	broken := entered(t, 1, nil)
	broken.lines[0].broken = io.ErrClosedPipe
	broken.fleet.send(broken.fleet.groups, 0, 1, broken.fleet.now(), 128)
	broken.counted(t, "cannot write", order.Counts{Connected: 1, Joined: 1, Unsent: 1, Errors: map[string]int64{"write: io: read/write on closed pipe": 1}})
	few := entered(t, 1, func(o *order.Orders) { o.Writers = 3 })
	for writer := range 3 {
		few.fleet.send(few.fleet.groups, writer, 1, few.fleet.now(), 128)
	}
	if n := few.lines[0].heard(opText) - 1; n != 3 || few.fleet.groups[0].vacant != 2 {
		t.Errorf("the only client sent %d messages of three writers, %d writers are missing", n, few.fleet.groups[0].vacant)
	}
}

// Clients go to the addresses of their server by turns; those of a server that is no
// more go elsewhere, and nobody else.
func TestRemotes(t *testing.T) {
	t.Parallel()
	d := doubled(t, 1, func(o *order.Orders) {
		o.Shares = []order.Share{
			{Topic: "a", Addrs: []string{"127.0.0.1:1", "127.0.0.2:1"}, First: 10, Count: 3},
			{Topic: "a", Addrs: []string{"127.0.0.9:9"}, First: 13, Count: 1},
		}
	})
	f := d.fleet
	remotes := func() (list []string) {
		for place := range f.places() {
			c := f.client(place)
			if c.place() != place {
				t.Errorf("client %d is at place %d, want %d", c.number, c.place(), place)
			}
			list = append(list, f.remote(c).String())
		}
		return list
	}
	if got, want := fmt.Sprint(remotes()), "[127.0.0.1:1 127.0.0.2:1 127.0.0.1:1 127.0.0.9:9]"; got != want {
		t.Errorf("clients go to %s, want %s", got, want)
	}
	if err := f.move(order.Move{From: "127.0.0.1:1", To: []string{"127.0.0.5:5"}}); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(remotes()), "[127.0.0.5:5 127.0.0.5:5 127.0.0.5:5 127.0.0.9:9]"; got != want {
		t.Errorf("after the move clients go to %s, want %s", got, want)
	}
	for _, to := range [][]string{nil, {"nowhere"}, {"127.0.0.1"}} {
		if err := f.move(order.Move{From: "127.0.0.9:9", To: to}); err == nil {
			t.Errorf("a move to %q is no error", to)
		}
	}
	for name, change := range map[string]func(*order.Orders){
		"no address":      func(o *order.Orders) { o.Shares[0].Addrs = nil },
		"another family":  func(o *order.Orders) { o.From = sources(t, "2001:db8::/64") },
		"an unknown TCP":  func(o *order.Orders) { o.TCP = "pigeon" },
		"no WebSocket":    func(o *order.Orders) { o.Target.URL = "http://h" },
		"a bad authority": func(o *order.Orders) { o.Target.URL, o.Files.CA = "wss://h", []byte("no PEM") },
	} {
		o := order.Orders{Target: order.Target{URL: "ws://h"}, Writers: 1, Messages: 1, Shares: []order.Share{{Addrs: []string{"127.0.0.1:1"}, Count: 1}}}
		change(&o)
		if _, err := newFleet(o); err == nil {
			t.Errorf("orders with %s are followed", name)
		}
	}
}

func sources(t *testing.T, list string) order.Sources {
	t.Helper()
	s, err := order.ParseSources(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A report has what happened since the last one, an answer the counts as they are.
func TestReportsOfAFleet(t *testing.T) {
	t.Parallel()
	d := entered(t, 2, nil)
	f := d.fleet
	for n := range uint32(2) {
		d.lines[n].tell(of(1, f.now()))
	}
	d.run()
	for i, want := range []struct {
		events    int
		latencies int64
	}{{3, 2}, {1, 0}} { // all have joined, the receipts, and the counts; then those alone
		events := f.report()
		p := events[len(events)-1].Progress
		h := order.NewHistogram(2)
		if err := order.Merge(h, p.Latency); err != nil || len(events) != want.events || h.TotalCount() != want.latencies || p.Delivered != 2 || p.Strain.Link.Dropped != 7 || p.At != 0 {
			t.Errorf("report %d: %d events, %d latencies, %v, %+v, want %d and %d", i, len(events), h.TotalCount(), err, p.Counts, want.events, want.latencies)
		}
		p.Counts.Fault("changed by who reads it", 1)
	}
	if events := f.answer(order.Inquiry{}); len(events) != 1 || events[0].Progress.At == 0 || len(events[0].Progress.Errors) != 0 || events[0].Progress.Strain.Link.Dropped != 7 {
		t.Errorf("answer %+v, want the counts with their moment", events)
	}
}

// Whatever servers do to clients that come back, the account stays whole: each client is
// there or not, each connection has ended or not, and each message that was sent is
// delivered, lost or missed.
func TestFleetKeepsAccountOfAnything(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(61, 62))
	for range 8 {
		in(t, 6, reconnecting, func(t *testing.T, d *double) {
			f, g := d.fleet, d.fleet.groups[0]
			var sent int32
			schedule := order.Schedule{Pace: order.Pacer{Start: f.now(), Interval: int64(100 * time.Millisecond)}, Rooms: 1, Writers: 1}
			for step := range 60 {
				l := d.lines[uint32(random.IntN(6))]
				switch random.IntN(7) {
				case 0:
					if !l.ended {
						l.cut(io.EOF)
					}
				case 1:
					l.tell(`["1","1","room:1","phx_error",{}]`)
				case 2:
					l.give([]byte{0xf1, 0})
				case 3:
					d.refuse = nil
					if random.IntN(2) == 0 {
						d.refuse = errors.New("refused")
					}
				case 4:
					d.answers = lets
					if random.IntN(3) == 0 {
						d.answers = func(l *line, s said) { l.cut(nil) }
					}
				}
				if due := schedule.Of(order.Voice{}).Due(int(sent)); sent < 5 && f.now() >= due {
					sent++
					for n := range uint32(6) {
						if l := d.lines[n]; random.IntN(10) > 0 && l.client.phase == joined {
							l.tell(of(sent, due))
						}
					}
				}
				d.run()
				d.pass(time.Duration(random.IntN(60)) * time.Millisecond)
				d.run()
				present, open := int64(0), int64(0)
				for i := range g.clients {
					switch c := &g.clients[i]; c.phase {
					case joined:
						present, open = present+1, open+1
						if c.joinedOnce && c.awayLocked() {
							t.Fatalf("step %d: client %d has joined, and is away", step, i)
						}
					case joining:
						open++
					}
				}
				if c := f.counts; c.Present() != present || c.Connected-c.Disconnected != open || g.joined-g.gone != present || len(f.slots) != 0 {
					t.Fatalf("step %d: %d present, %d connections, %d in the room, %d slots taken, want %d, %d: %+v", step, c.Present(), c.Connected-c.Disconnected, g.joined-g.gone, len(f.slots), present, open, c)
				}
				if c := g.speakerLocked(0); (c == nil) != (present == 0) || c != nil && c.phase != joined {
					t.Fatalf("step %d: %d are present, and the writer is %+v", step, present, c)
				}
			}
			d.fleet.close()
			total := f.total(order.Stop{Sent: [][]int{{int(sent)}}, Unsent: [][][]order.Span{{nil}}, Schedule: schedule})
			if all := total.Delivered + total.Lost + total.Away; all != int64(sent)*6 || total.Duplicated+total.Reordered != 0 {
				t.Fatalf("%d delivered, %d lost, %d away of %d × 6; %d twice, %d reordered", total.Delivered, total.Lost, total.Away, sent, total.Duplicated, total.Reordered)
			}
		})
	}
}

// With a rate of connects a join counts from the moment at which its connect was due,
// without one from when there was a slot for it.
func TestConnectsAtARate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		interval time.Duration
		want     []int64 // seconds that the joins took, the longest first
	}{{time.Second, []int64{10, 9, 8}}, {0, []int64{0, 0, 0}}} {
		d := doubled(t, 3, nil)
		f := d.fleet
		f.connect(t.Context(), order.Pacer{Start: f.now() - 10e9, Interval: int64(test.interval)})
		if l := d.lines[0]; l.deadline != 0 || l.requests != 0 {
			t.Error("a client was touched outside of the loop")
		}
		d.answers = nil
		d.run()
		if l := d.lines[0]; l.deadline != joinTimeout || l.requests != 1 {
			t.Errorf("%d requests with %v for the join, want one with %v", l.requests, l.deadline, joinTimeout)
		}
		for n := range uint32(3) {
			d.answers = lets
			lets(d.lines[n], said{})
		}
		d.run()
		var took []int64
		for i := range f.groups[0].clients {
			took = append(took, (f.lastJoin-f.groups[0].clients[i].dialed+5e8)/1e9)
		}
		if !slices.Equal(took, test.want) || f.joinLatency.TotalCount() != 3 || f.joinLatency.Max()/1e6 != test.want[0] {
			t.Errorf("every %v: joins took %v s, the longest %d µs, want %v", test.interval, took, f.joinLatency.Max(), test.want)
		}
	}
	d := doubled(t, 3, nil)
	d.fleet.connect(&turns{left: 2}, order.Pacer{})
	if len(d.dialed) > 2 {
		t.Errorf("%d connects after the end", len(d.dialed))
	}
}

// A client's heartbeats, joins and leaves each have their own time to be answered, and
// one that was under way when it left is no fault when it is back.
func TestDeadlinesOfALeave(t *testing.T) {
	t.Parallel()
	d := entered(t, 2, nil)
	f, l := d.fleet, d.lines[1]
	f.churning = &churning{leaves: order.NewHistogram(3), joins: order.NewHistogram(3)}
	d.answers = nil
	l.expire() // a heartbeat that is not answered
	d.run()
	l.client.leave(l, f.now()-3e9)
	if l.deadline != joinTimeout || l.client.phase != leaving {
		t.Errorf("%v for the leave in phase %d, want %v", l.deadline, l.client.phase, joinTimeout)
	}
	l.tell(`["1","1","room:1","phx_close",{}]`)
	d.run()
	if l.deadline != order.Pause || f.churning.leaves.Min() < 2_900_000 {
		t.Errorf("%v away after a leave of %d µs, want %v and three seconds", l.deadline, f.churning.leaves.Min(), order.Pause)
	}
	l.expire()
	d.run()
	if l.deadline != joinTimeout || l.client.phase != joining {
		t.Errorf("%v for the join in phase %d, want %v", l.deadline, l.client.phase, joinTimeout)
	}
	l.reply(joinRef, "room:1", "ok", "{}")
	d.run()
	if f.churning.joins.TotalCount() != 1 || f.churning.joins.Max() > 2_000_000 {
		t.Errorf("%d joins of %d µs, want one that counts from its own beginning", f.churning.joins.TotalCount(), f.churning.joins.Max())
	}
	l.expire()
	d.run()
	if l.ended || l.deadline != 20*time.Second || l.heard(opText) != 5 {
		t.Errorf("ended because of %v after %d messages, want another heartbeat", l.why, l.heard(opText))
	}
}

// Who was never let in does not try again, though who was would.
func TestWhoNeverJoinedStaysOut(t *testing.T) {
	t.Parallel()
	d := doubled(t, 2, reconnecting)
	d.answers = func(l *line, s said) {
		if l.client.number == 1 && s.op == opText {
			l.reply(joinRef, "room:1", "error", `{"reason":"full"}`)
			return
		}
		lets(l, s)
	}
	d.fleet.connect(t.Context(), order.Pacer{})
	d.run()
	d.counted(t, "refused", order.Counts{Connected: 2, Disconnected: 1, Joined: 1, Errors: map[string]int64{"join refused: full": 1}})
	if len(d.fleet.events) != 1 || len(d.fleet.absences) != 0 || len(d.dialed) != 2 {
		t.Errorf("events %+v, %d absences, %d dials, want that all are done with", d.fleet.events, len(d.fleet.absences), len(d.dialed))
	}
}

// Messages of several writers have a ledger each, and what is told of a message is when
// the first and the last of its receivers had it.
func TestReceiptsOfWriters(t *testing.T) {
	t.Parallel()
	d := entered(t, 2, func(o *order.Orders) { o.Writers = 2 })
	f, g := d.fleet, d.fleet.groups[0]
	f.events = nil
	const second = int64(1e9)
	receive := func(client, writer int, seq int32, after int64) {
		s := channels.Stamp{Writer: 1 + uint32(writer), Seq: seq, Intended: 100 * second, Sent: 101 * second}
		g.received(&g.clients[client], writer, s, g.receive(&g.clients[client], writer, seq), s.Intended+after)
	}
	receive(1, 1, 1, 4*second)
	receive(0, 1, 1, 7*second)
	receive(0, 0, 1, 2*second)
	receive(0, 1, 3, 3*second) // 2 is missing
	receive(1, 0, 1, 5*second)
	if got, want := fmt.Sprint(toldOf(f.events)), "[2 of 0/1 #1 2 of 0/0 #1]"; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	for i, want := range [][2]int64{{4, 7}, {2, 5}} {
		if r := f.events[i].Receipts; r.First != want[0]*second || r.Last != want[1]*second {
			t.Errorf("message %d came after %d to %d ns, want %d to %d s", i, r.First, r.Last, want[0], want[1])
		}
	}
	if f.lastReceipt != 107*second || f.latency.TotalCount() != 5 || f.rawLatency.Max() < 5_990_000 || f.rawLatency.Max() > 6_010_000 || f.latency.Max() < 6_990_000 {
		t.Errorf("the last receipt at %d, latencies to %d µs and from the actual send to %d µs", f.lastReceipt, f.latency.Max(), f.rawLatency.Max())
	}
	total := f.total(order.Stop{Sent: [][]int{{1, 3}}, Unsent: [][][]order.Span{{nil, nil}}})
	if total.Lost != 1+2 || fmt.Sprint(total.Examples) != "[room 0 client 0 missed 2 of writer 1 room 0 client 1 missed 2..3 of writer 1]" {
		t.Errorf("%d lost: %q", total.Lost, total.Examples)
	}
}

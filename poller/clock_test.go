package poller

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A testAlarm is a clock that the test turns. Like the other tests of timers, these
// are inside the package.
type testAlarm struct {
	loop *loop
	at   time.Duration // the time
	goes time.Duration // when it goes off, or 0
	gone int           // how often it has
}

func (a *testAlarm) elapsed() time.Duration { return a.at }

func (a *testAlarm) set(in time.Duration) {
	if a.goes = 0; in > 0 {
		a.goes = a.at + in
	}
}

// run lets time pass.
func (a *testAlarm) run(until time.Duration) {
	for a.goes != 0 && a.goes <= until {
		a.at = max(a.at, a.goes)
		a.ring()
	}
	a.at = until
}

func (a *testAlarm) ring() {
	a.goes = 0
	a.gone++
	a.loop.tick()
}

func newTestLoop() (*loop, *testAlarm) {
	l := &loop{poller: &Poller{sweepTicks: 10}}
	a := &testAlarm{loop: l}
	l.clock = clock{alarm: a, asleep: true}
	return l, a
}

// timed is a handler that records when its deadlines pass.
type timed struct {
	Handler
	alarm *testAlarm
	at    []time.Duration
}

func (h *timed) Timeout(*Conn) { h.at = append(h.at, h.alarm.at) }

// begin adds a connection without a socket.
func (l *loop) begin(h Handler) *Conn {
	c := &Conn{loop: l, handler: h}
	l.now()
	l.timers.add(c, 1)
	return c
}

// naive works out the promises of SetIdle and SetDeadline the slow way.
type naive struct {
	conn  *Conn
	timed *timed
	want  []time.Duration
	idle  uint32 // ticks
	fixed bool
	since uint32 // tick that they count from
}

// pass has all deadlines pass until a time.
func (n *naive) pass(until time.Duration) {
	for n.idle > 0 && time.Duration(n.since+n.idle)*tickLength <= until {
		n.since += n.idle
		n.want = append(n.want, time.Duration(n.since)*tickLength)
	}
}

// Connections come and go, send, and have their deadlines moved, close together
// or with long pauses between: each deadline passes at its tick, and the clock is
// not asked for more.
func TestClockModel(t *testing.T) {
	if testing.Short() {
		t.Skip("slow in race builds, and nothing runs beside it")
	}
	for seed := range uint64(50) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			dice := rand.New(rand.NewPCG(seed, 0))
			l, alarm := newTestLoop()
			var conns []*naive
			for range 300 {
				alarm.run(alarm.at + time.Duration(dice.Int64N([]int64{2, 20, 600, 3000}[dice.IntN(4)]*int64(tickLength))))
				for _, n := range conns {
					n.pass(alarm.at)
				}
				if len(conns) == 0 || dice.IntN(10) == 0 {
					h := &timed{alarm: alarm}
					conns = append(conns, &naive{conn: l.begin(h), timed: h})
				}
				n := conns[dice.IntN(len(conns))]
				if n.conn.handler == nil {
					continue
				}
				switch dice.IntN(8) {
				case 0:
					d := time.Duration(dice.Int64N(int64(200 * time.Second)))
					n.conn.SetIdle(d)
					n.idle, n.fixed, n.since = ticks(d), false, ticksIn(alarm.at)
				case 1:
					d := time.Duration(dice.Int64N(int64(3 * time.Second)))
					n.conn.SetDeadline(d)
					n.idle, n.fixed, n.since = ticks(d), true, ticksIn(alarm.at)
				case 2:
					n.conn.handler, n.idle = nil, 0 // closed
				default:
					if n.conn.heard(); !n.fixed {
						n.since = ticksIn(alarm.at)
					}
				}
			}
			for i, n := range conns {
				for k := range max(len(n.want), len(n.timed.at)) {
					got, want := n.timed.at[min(k, len(n.timed.at)):], n.want[min(k, len(n.want)):]
					if len(got) == 0 || len(want) == 0 || got[0] != want[0] {
						t.Fatalf("connection %d: timeout %d at %v, want %v", i, k, got[:min(1, len(got))], want[:min(1, len(want))])
					}
				}
			}
		})
	}
}

// A loop that has nothing to wait for is not woken; one that has, only then.
func TestClockSleeps(t *testing.T) {
	l, alarm := newTestLoop()
	alarm.run(24 * time.Hour)
	if alarm.gone > 0 {
		t.Errorf("without connections, the alarm has gone off %d times", alarm.gone)
	}
	c := l.begin(&timed{alarm: alarm})
	c.SetIdle(time.Minute)
	alarm.run(alarm.at + time.Second)
	alarm.gone = 0
	for range 60 {
		c.heard()
		alarm.run(alarm.at + 30*time.Second)
	}
	if alarm.gone > 2*60 { // to take notice of the bytes, and of the time
		t.Errorf("with bytes 60 times in 30 minutes, it has gone off %d times", alarm.gone)
	}
	c.handler = nil
	alarm.run(alarm.at + 24*time.Hour)
	if alarm.goes != 0 {
		t.Errorf("after the last connection, it will go off after %v", alarm.goes-alarm.at)
	}
}

// After a pause of the whole process no peer whose bytes have come meanwhile counts as
// silent, and the time it took is made up for in steps between which the loop
// reads. Those who were silent are told.
func TestClockAfterPause(t *testing.T) {
	for _, readsFirst := range []bool{false, true} {
		l, alarm := newTestLoop()
		handlers := make([]*timed, 1000)
		conns := make([]*Conn, len(handlers))
		for i := range conns {
			alarm.run(alarm.at + 10*time.Millisecond)
			handlers[i] = &timed{alarm: alarm}
			conns[i] = l.begin(handlers[i])
			conns[i].SetIdle(20 * time.Second)
		}
		alarm.run(15 * time.Second)
		alarm.at = 5 * time.Minute // and the alarm is late
		lively := conns[:len(conns)/2]
		steps := 0
		read := func() {
			for _, c := range lively {
				c.heard()
			}
		}
		if readsFirst {
			read()
		}
		for l.timers.now < ticksIn(alarm.at) {
			before := l.timers.now
			alarm.at = max(alarm.at, alarm.goes)
			alarm.ring()
			if l.timers.skip(ticksIn(alarm.at)); l.timers.now > before {
				steps++
			}
			read()
		}
		for i, h := range handlers {
			if told := len(h.at) > 0; told != (i >= len(lively)) {
				t.Fatalf("reads first %v: connection %d of %d, of which %d are lively: told %v", readsFirst, i, len(conns), len(lively), h.at)
			}
		}
		if steps < 5 {
			t.Errorf("reads first %v: the pause was made up for in %d steps", readsFirst, steps)
		}
	}
}

// An alarm that is late by less than a pause loses no time.
func TestClockLate(t *testing.T) {
	l, alarm := newTestLoop()
	h := &timed{alarm: alarm}
	c := l.begin(h)
	c.SetDeadline(time.Second) // 11 ticks
	for alarm.goes <= time.Second {
		alarm.at = alarm.goes
		alarm.ring()
	}
	alarm.at = 1550 * time.Millisecond
	alarm.ring()
	alarm.run(2700 * time.Millisecond)
	if want := []time.Duration{1550 * time.Millisecond, 2200 * time.Millisecond}; !slices.Equal(h.at, want) {
		t.Errorf("timeouts at %v, want %v", h.at, want)
	}
}

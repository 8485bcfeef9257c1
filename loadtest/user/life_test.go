package user

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/script"
)

// A hall is an application of the test's own for all users of a crew: whoever comes
// in may join, and what one says all hear.
type hall struct {
	refuse func(n, attempt int) error                  // who does not get in; nil is nobody
	answer func(p *peer, m channels.Message) (ok bool) // of what is not said here; nil is nothing
	deaf   bool                                        // heartbeats are not answered
	beaten bool                                        // heartbeats are sent

	mu       sync.Mutex
	peers    map[int]*peer // who is in, by number
	attempts map[int]int
	opened   int
}

// opens has the users of a crew connect to the hall.
func (h *hall) opens(c *crew) {
	h.peers, h.attempts = make(map[int]*peer), make(map[int]int)
	c.orders.Clock = 1e9 - order.Now() // as in enter
	c.open = func(_ context.Context, _ *targets, _ *script.Script, scope *script.Scope) (transport, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.attempts[scope.N]++
		if h.refuse != nil {
			if err := h.refuse(scope.N, h.attempts[scope.N]); err != nil {
				return nil, err
			}
		}
		h.opened++
		p := newPeer(h.hears)
		p.deaf = h.deaf
		h.peers[scope.N] = p
		if h.beaten {
			return beating{p}, nil
		}
		return silentBeats{p}, nil
	}
}

// beating is a peer as a transport with heartbeats.
type beating struct{ *peer }

func (beating) beats() bool { return true }

func (h *hall) hears(p *peer, m channels.Message) {
	switch m.Event {
	case channels.Join:
		time.Sleep(time.Millisecond) // nobody is in at the moment at which another says something
		p.reply(m, "ok", "{}")
	case channels.Leave:
		p.reply(m, "ok", "{}")
		p.tell(m.JoinRef, m.JoinRef, m.Topic, channels.Close, "{}")
	default:
		if h.answer != nil && !h.answer(p, m) {
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, other := range h.peers {
			select {
			case <-other.closed:
			default:
				other.tell("", "", m.Topic, m.Event, string(m.Payload))
			}
		}
	}
}

// joining is more than all users need to connect and join.
const joining = time.Second

// round has a crew connect, go through the steps, settle and end.
func (h *hall) round(t *testing.T, c *crew) *order.Totals {
	t.Helper()
	c.connect(t.Context(), order.Pacer{})
	time.Sleep(joining)
	c.follow(t.Context(), order.Follow{Start: c.now()})
	c.mu.Lock()
	sent := c.events[len(c.events)-1].Followed.Sent
	c.mu.Unlock()
	synctest.Wait()
	c.settle(sent)
	c.close()
	return c.totals()
}

const says = "topics: [{topic: room:a}]\nsteps: [{push: say, payload: [\"{{stamp}}\"], broadcast: {within: 2s}}, {wait: 1s}]\n"

// All users hear all others, round after round, and each is accounted for.
func TestLivesOfACrew(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text   string
		users  int
		sent   int64
		length time.Duration
	}{
		{"rounds: 3\n" + says, 4, 12, 3 * time.Second},
		{"rounds: 1\n" + says, 1, 1, time.Second},
		{"for: 2500ms\n" + says, 3, 9, 3 * time.Second}, // the third round is under way
		{"rounds: 9\nfor: 1500ms\n" + says, 2, 4, 2 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := crewOf(t, test.text, test.users)
			h := new(hall)
			h.opens(c)
			begin := time.Now()
			totals := h.round(t, c)
			if took := time.Since(begin); took > joining+test.length {
				t.Errorf("%q: it takes %v, want %v at most", test.text, took, test.length)
			}
			n := totals.Counts
			if n.Connected != int64(test.users) || n.Joined != n.Connected || n.Disconnected != n.Connected || n.Sent != test.sent ||
				n.Delivered != test.sent*int64(test.users) || totals.Lost != 0 || len(n.Errors) > 0 || n.Left != 0 || n.Retries != 0 {
				t.Errorf("%q with %d users: %+v, %d lost, want %d sent", test.text, test.users, n, totals.Lost, test.sent)
			}
		})
	}
}

// Who is cut off comes back after a moment, joins again and goes on; it is owed nothing
// of the time between, and counted as who came back.
func TestLifeGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := crewOf(t, "rounds: 4\n"+says, 3)
		h := &hall{refuse: func(n, attempt int) error {
			if n == 2 && attempt > 1 && attempt < 4 {
				return errors.New("not yet")
			}
			return nil
		}}
		var said atomic.Int32
		h.answer = func(p *peer, m channels.Message) bool {
			if said.Add(1) == 5 {
				h.mu.Lock()
				h.peers[2].close()
				h.mu.Unlock()
			}
			return true
		}
		h.opens(c)
		totals := h.round(t, c)
		n := totals.Counts
		if n.Joined != 3 || n.Returned != 1 || n.Left != 1 || n.Gone != 0 || n.Retries != 2 || n.Connected != 4 || n.Disconnected != 4 || totals.Lost != 0 {
			t.Errorf("%+v, %d lost, want one that came back at the third attempt", n, totals.Lost)
		}
		if want := map[string]int64{"closed by the peer": 1, "not yet": 2}; !maps.Equal(n.Errors, want) {
			t.Errorf("errors %v, want %v", n.Errors, want)
		}
	})
}

// Who was never let in does not try again, and the others do not wait for it.
func TestLifeThatDoesNotBegin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := crewOf(t, "rounds: 2\n"+says, 3)
		h := &hall{refuse: func(n, _ int) error {
			if n == 1 {
				return &refusal{status: 403}
			}
			return nil
		}}
		h.opens(c)
		totals := h.round(t, c)
		n := totals.Counts
		if n.Joined != 2 || n.Sent != 4 || n.Delivered != 8 || n.Errors["upgrade: HTTP 403 Forbidden"] != 1 || h.attempts[1] != 1 || n.Retries != 0 {
			t.Errorf("%+v after %d attempts, want one that is refused once", n, h.attempts[1])
		}
		var ramped *order.Ramped
		for _, e := range c.events {
			if e.Ramped != nil {
				ramped = e.Ramped
			}
		}
		if ramped == nil || ramped.Joined[0] != 2 || ramped.Groups[0] != 1 || ramped.LastJoin < ramped.FirstDial {
			t.Errorf("told %+v, want two that have joined", ramped)
		}
	})
}

// A message that one user does not get is lost at that user, which is named.
func TestLossOfACrew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := crewOf(t, "rounds: 2\n"+says, 3)
		h := new(hall)
		var said atomic.Int32
		h.answer = func(p *peer, m channels.Message) bool {
			if said.Add(1) != 4 {
				return true
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			for n, other := range h.peers {
				if n != 3 {
					other.tell("", "", m.Topic, m.Event, string(m.Payload))
				}
			}
			return false
		}
		h.opens(c)
		totals := h.round(t, c)
		own := int64(0) // the one who did not get it may be the one who sent it, and waits for it
		for _, m := range c.meters {
			own += m.failed["did not come back in 2s"]
		}
		if totals.Counts.Delivered != 17 || totals.Lost != 1 || own > 1 || len(totals.Examples) != 1 || !strings.HasPrefix(totals.Examples[0], "user 3 missed message ") || !strings.HasSuffix(totals.Examples[0], " of say on room:a, and 0 others") {
			t.Errorf("%d delivered, %d lost, %q", totals.Counts.Delivered, totals.Lost, totals.Examples)
		}
	})
}

// A user that says nothing is heard by its heartbeats; one that is not answered ends
// the connection.
func TestHeartbeats(t *testing.T) {
	t.Parallel()
	const idle = "topics: [{topic: a}]\nfor: 10m\n"
	synctest.Test(t, func(t *testing.T) {
		c := crewOf(t, idle, 2)
		h := &hall{beaten: true}
		h.opens(c)
		n := h.round(t, c).Counts
		if n.Beats < 2*18 || n.Beats > 2*20 || len(n.Errors) > 0 || n.Connected != 2 {
			t.Errorf("%d heartbeats of two users in ten minutes, errors %v, want one in half a minute", n.Beats, n.Errors)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c := crewOf(t, "target: {url: ws://127.0.0.1:1/, heartbeat: 1m}\n"+idle, 1)
		h := &hall{beaten: true, deaf: true}
		h.opens(c)
		n := h.round(t, c).Counts
		if n.Beats != 0 || n.Errors[errHeartbeat.Error()] < 4 || n.Connected != n.Errors[errHeartbeat.Error()]+1 || n.Returned != n.Connected-1 {
			t.Errorf("%d heartbeats are answered, errors %v, %d connections, %d came back", n.Beats, n.Errors, n.Connected, n.Returned)
		}
	})
}

// Stages say how many users there are: who is too many goes, in order, and is owed
// nothing more.
func TestStagesOfACrew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := crewOf(t, strings.Replace(says, "steps", "stages: [{for: 4s, users: 8}, {for: 4s, users: 8}, {users: 3}, {for: 4s, users: 3}]\nsteps", 1), 8)
		h := new(hall)
		h.opens(c)
		seen := make(map[int]int) // users by second
		looked := make(chan struct{})
		go func() {
			defer close(looked)
			for second := range 12 {
				time.Sleep(900 * time.Millisecond) // just before it is over
				h.mu.Lock()
				for _, p := range h.peers {
					select {
					case <-p.closed:
					default:
						seen[second]++
					}
				}
				h.mu.Unlock()
				time.Sleep(100 * time.Millisecond)
			}
		}()
		c.follow(t.Context(), order.Follow{Start: c.now()})
		<-looked
		sent := c.events[len(c.events)-1].Followed.Sent
		c.settle(sent)
		c.close()
		totals := c.totals()
		for second, want := range map[int]int{0: 2, 1: 4, 2: 6, 3: 8, 5: 8, 7: 8, 9: 3, 11: 3} {
			if seen[second] != want {
				t.Errorf("in second %d there are %d users, want %d; all: %v", second, seen[second], want, seen)
			}
		}
		n := totals.Counts
		if n.Joined != 8 || n.Left != 5 || n.Gone != 5 || n.Returned != 0 || totals.Lost != 0 || len(n.Errors) > 0 {
			t.Errorf("%+v, %d lost, want 8 that have joined and 5 that have gone", n, totals.Lost)
		}
	})
}

// A user waits before it tries again as long as official clients do.
func TestBackoff(t *testing.T) {
	t.Parallel()
	for tries, want := range map[int]time.Duration{0: 10 * time.Millisecond, 1: 50 * time.Millisecond, 8: 2 * time.Second, 9: 5 * time.Second, 10: 5 * time.Second, 1000: 5 * time.Second} {
		if got := backoff(tries); got != want {
			t.Errorf("after %d tries %v, want %v", tries, got, want)
		}
	}
}

// A crew tells what it has counted, and what has been late since the last time.
func TestReportsOfACrew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := crewOf(t, "rounds: 1\n"+says, 2)
		h := new(hall)
		h.opens(c)
		c.connect(t.Context(), order.Pacer{})
		time.Sleep(joining)
		first := c.report()
		if len(first) != 2 || first[0].Ramped == nil || first[1].Progress == nil || first[1].Progress.Counts.Joined != 2 || first[1].Progress.Missing != nil {
			t.Errorf("first it tells %+v", first)
		}
		if again := c.report(); len(again) != 1 || again[0].Progress == nil {
			t.Errorf("again it tells %+v", again)
		}
		c.follow(t.Context(), order.Follow{Start: c.now()})
		synctest.Wait()
		told := c.report()
		if len(told) != 2 || told[0].Followed == nil || told[1].Progress.Counts.Sent != 2 || told[1].Progress.Latency == nil {
			t.Fatalf("after the rounds it tells %+v", told)
		}
		sent := told[0].Followed.Sent
		if moments := sent[place("room:a", "say")][c.writer]; len(moments) != 2 || moments[0] <= 0 || moments[1] < moments[0] {
			t.Errorf("sent %v", sent)
		}
		c.settle(sent)
		last := c.report()
		if p := last[0].Progress; p.Missing == nil || *p.Missing != 0 || p.Latency != nil {
			t.Errorf("at last it tells %+v, want that nothing is missing", p)
		}
		if e := c.answer(); len(e) != 1 || e[0].Progress.At == 0 {
			t.Errorf("asked, it tells %+v", e)
		}
		c.close()
		totals := c.totals()
		if len(totals.Readings) != len(c.script.Meters) || totals.Readings[0].OK != 2 || totals.LastReceipt == 0 || totals.Latency == nil || totals.Join == nil {
			t.Errorf("the account is %+v", totals)
		}
	})
}

// There are at most so many kinds of errors, however many an application makes up.
func TestFaultsAreBounded(t *testing.T) {
	t.Parallel()
	c := crewOf(t, says+"rounds: 1\n", 1)
	for n := range 2 * maxKinds {
		c.fault(fmt.Sprint("kind ", n))
	}
	c.fault("kind 0")
	if len(c.counts.Errors) != maxKinds+1 || c.counts.Errors[otherKinds] != maxKinds || c.counts.Errors["kind 0"] != 2 {
		t.Errorf("%d kinds, %d others, %d of the first", len(c.counts.Errors), c.counts.Errors[otherKinds], c.counts.Errors["kind 0"])
	}
	c.end()
}

// Handshakes are counted, and those that went on with a session of before.
func TestHandshakesAreCounted(t *testing.T) {
	t.Parallel()
	c := crewOf(t, says+"rounds: 1\n", 1)
	for _, resumed := range []bool{false, true, true} {
		c.targets.shook(resumed)
	}
	if n := c.counts; n.Secured != 3 || n.Resumed != 2 {
		t.Errorf("%d handshakes, %d of them resumed, want 3 and 2", n.Secured, n.Resumed)
	}
	c.end()
}

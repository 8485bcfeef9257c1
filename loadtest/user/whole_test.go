package user

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/script"
)

// A whole run of one process of users: they connect over WebSocket, make their rounds,
// and the account is what the application did. It loses the first message to one user.
// What was sent in the last second before the end is owed to nobody, so that is missing,
// and not lost.
func TestWholeRunOfUsers(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	members := make(map[string]func(string)) // by the number that users say
	said := 0
	a := &app{answer: func(m channels.Message, tell func(string)) {
		mu.Lock()
		defer mu.Unlock()
		var payload struct{ N string }
		if err := json.Unmarshal(m.Payload, &payload); err != nil {
			t.Error(err)
		}
		tell(answerTo(m, "ok", "{}"))
		if m.Event == channels.Join {
			members[payload.N] = tell
			return
		}
		said++
		lost := said == 1
		for n, tell := range members {
			if n == payload.N {
				continue
			}
			if !lost {
				tell(fmt.Sprintf(`[null,null,%q,%q,%s]`, m.Topic, m.Event, m.Payload))
			}
			lost = false
		}
	}}
	src := script.Source{Text: []byte(`target: {url: "ws://127.0.0.1:1/"}
topics: [{topic: room:a, payload: {n: "{{n}}"}}]
rounds: 2
steps: [{push: say, payload: {n: "{{n}}", body: "{{stamp}}"}, reply: {}, broadcast: {to: others}}]
`)}
	in, commands := io.Pipe()
	events, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- Serve(order.Orders{Script: &src, ScriptURL: a.listen(t), Users: 3, Window: 2, Late: time.Minute, Report: time.Hour, Shares: []order.Share{{Count: 3}}}, json.NewDecoder(in), json.NewEncoder(out))
		out.Close()
	}()
	told := make(chan order.Event, 1000) // so that the process never waits for the test
	go func() {
		defer close(told)
		for decoder := json.NewDecoder(events); ; {
			var e order.Event
			if decoder.Decode(&e) != nil {
				return // it has ended
			}
			told <- e
		}
	}()
	encoder := json.NewEncoder(commands)
	tell := func(c order.Command) {
		if err := encoder.Encode(c); err != nil {
			t.Error(err)
		}
	}
	until := func(is func(order.Event) bool) order.Event { // it asks until there is such an event
		for {
			tell(order.Command{Report: new(order.Inquiry)})
			for answered := false; !answered; {
				e, ok := <-told
				if !ok {
					t.Fatal("the process has ended")
				}
				if is(e) {
					return e
				}
				answered = e.Progress != nil && e.Progress.At > 0
			}
		}
	}
	tell(order.Command{Connect: new(order.Pacer)})
	if r := until(func(e order.Event) bool { return e.Ramped != nil }).Ramped; r.Joined[0] != 3 || r.LastJoin < r.FirstDial {
		t.Errorf("%+v, want that three have joined", r)
	}
	tell(order.Command{Follow: &order.Follow{Start: order.Now()}})
	sent := until(func(e order.Event) bool { return e.Followed != nil }).Followed.Sent
	until(func(e order.Event) bool { return e.Progress != nil && e.Progress.Delivered == 11 })
	tell(order.Command{Settle: sent})
	tell(order.Command{Halt: true})
	if p := until(func(e order.Event) bool { return e.Progress != nil && e.Progress.Missing != nil }).Progress; *p.Missing != 1 {
		t.Errorf("%d are missing, want the one that was lost", *p.Missing)
	}
	tell(order.Command{Stop: new(order.Stop)})
	var totals *order.Totals
	for e := range told {
		if e.Totals != nil {
			totals = e.Totals
		}
	}
	if totals == nil {
		t.Fatal("there are no totals")
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := totals.Counts; n.Connected != 3 || n.Disconnected != 3 || n.Joined != 3 || n.Sent != 6 || len(n.Errors) != 0 || n.Delivered != 11 || n.Duplicated != 0 || totals.Lost != 0 {
		t.Errorf("%+v, %d lost, want six messages that eleven got", n, totals.Lost)
	}
	if r := totals.Readings; len(r) != 3 || r[0].OK != 3 || r[1].OK != 6 || len(r[1].Latency) == 0 || len(r[2].Latency) != 0 {
		t.Errorf("readings %+v, want three joins and six replies", r)
	}
	if moments := sent[place("room:a", "say")]; len(moments) != 1 {
		t.Errorf("sent %v", sent)
	}
}

// A receipt is late from more than the bound on, and is counted from the intended send.
func TestLateReceipts(t *testing.T) {
	t.Parallel()
	c := crewOf(t, says+"rounds: 1\n", 1)
	defer c.end()
	c.orders.Late = 10 * time.Second
	for i, test := range []struct{ took, late int64 }{{0, 0}, {10e9, 0}, {10e9 + 1, 1}, {30e9, 2}} {
		c.delivered(channels.Stamp{Intended: 1e9, Sent: 1e9 + test.took/2}, 1e9+test.took)
		if c.counts.Late != test.late || c.counts.Delivered != int64(i+1) || c.lastReceipt != 1e9+test.took {
			t.Errorf("after %d ns: %d late of %d, the last at %d", test.took, c.counts.Late, c.counts.Delivered, c.lastReceipt)
		}
	}
	c.delivered(channels.Stamp{Intended: 1e9, Sent: 1e9}, 2e9) // it was under way when another came
	if c.lastReceipt != 31e9 || c.latency.Max() < 29_900_000 || c.rawLatency.Max() > 15_100_000 || c.interval.TotalCount() != 5 {
		t.Errorf("the last receipt at %d, latencies to %d and from the actual send to %d µs", c.lastReceipt, c.latency.Max(), c.rawLatency.Max())
	}
}

// A user connects from the address whose turn it is, so that each meets each target.
func TestSourcesOfUsers(t *testing.T) {
	t.Parallel()
	sources := func(list string) order.Sources {
		s, err := order.ParseSources(list)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, test := range []struct {
		name      string
		from      string
		perSource int
		to        string
		targets   int
		want      string // of users 1 to 5; "" is the kernel's choice
	}{
		{"the kernel's", "", 0, "127.0.0.1:1", 1, "[    ]"},
		{"two of each of loopback", "", 2, "127.0.0.1:1", 1, "[127.0.0.1 127.0.0.1 127.0.0.2 127.0.0.2 127.0.0.3]"},
		{"elsewhere loopback is of no use", "", 2, "192.0.2.1:1", 1, "[    ]"},
		{"by turns", "10.0.0.1,10.0.0.2", 2, "127.0.0.1:1", 1, "[10.0.0.1 10.0.0.2 10.0.0.1 10.0.0.2 10.0.0.1]"},
		{"by turns to two", "10.0.0.1,10.0.0.2", 0, "192.0.2.1:1", 2, "[10.0.0.1 10.0.0.1 10.0.0.2 10.0.0.2 10.0.0.1]"},
		{"of a prefix", "10.0.0.0/30", 0, "192.0.2.1:1", 1, "[10.0.0.1 10.0.0.2 10.0.0.1 10.0.0.2 10.0.0.1]"},
		{"of the family", "10.0.0.1,2001:db8::1", 0, "[2001:db8::9]:1", 1, "[2001:db8::1 2001:db8::1 2001:db8::1 2001:db8::1 2001:db8::1]"},
	} {
		to := &targets{perSource: test.perSource}
		if test.from != "" {
			to.from = sources(test.from)
		}
		var got []string
		for n := range 5 {
			d, err := to.dialer(target{addr: test.to}, n+1, test.targets)
			if err != nil {
				t.Fatal(err)
			}
			addr := ""
			if d.LocalAddr != nil {
				addr = d.LocalAddr.String()
				addr = addr[:len(addr)-len(":0")]
			}
			got = append(got, addr)
			if bound := test.from != ""; (d.ControlContext != nil) != bound {
				t.Errorf("%s: its socket is prepared: %t, want %t", test.name, d.ControlContext != nil, bound)
			}
		}
		if all := fmt.Sprint(got); all != test.want && all != "[[2001:db8::1] [2001:db8::1] [2001:db8::1] [2001:db8::1] [2001:db8::1]]" {
			t.Errorf("%s: users connect from %s, want %s", test.name, all, test.want)
		}
	}
	for _, addr := range []string{"host:1", "nonsense"} {
		if _, err := new(targets).dialer(target{addr: addr}, 1, 1); err == nil {
			t.Errorf("%s is an address", addr)
		}
	}
	if _, err := (&targets{from: sources("10.0.0.1")}).dialer(target{addr: "[::1]:1"}, 1, 1); err == nil {
		t.Error("an IPv4 address reaches an IPv6 one")
	}
}

// A user thinks for any time between two, and no longer than there are rounds.
func TestPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sc := enter(t, pushes+"  - wait: 1h\n", func(*peer, channels.Message) {})
		var least, most time.Duration = time.Hour, 0
		for range 300 {
			began := time.Now()
			if err := sc.life.pause(sc.s, script.Span{Least: 2 * time.Second, Most: 4 * time.Second}); err != nil {
				t.Fatal(err)
			}
			took := time.Since(began)
			least, most = min(least, took), max(most, took)
		}
		if least < 2*time.Second || least > 2200*time.Millisecond || most > 4*time.Second || most < 3800*time.Millisecond {
			t.Errorf("pauses of %v to %v, want any of 2 s to 4 s", least, most)
		}
		began := time.Now()
		if err := sc.life.pause(sc.s, script.Span{Least: time.Second, Most: time.Second}); err != nil || time.Since(began) != time.Second {
			t.Errorf("a pause of a second takes %v, %v", time.Since(began), err)
		}
		sc.done()
	})
}

// Of the messages that others overtook so many are remembered, the latest: one that
// comes after that is not known to be late.
func TestOvertakenAreBounded(t *testing.T) {
	t.Parallel()
	a := newAccount()
	for n := range int32(maxOvertaken + 1) {
		a.reorders("at", channels.Stamp{Writer: 7, Seq: 2*n + 2, After: 2*n + 1})
	}
	if a.reorders("at", channels.Stamp{Writer: 7, Seq: 1}) || len(a.due) != maxOvertaken {
		t.Errorf("the oldest of %d is remembered", len(a.due))
	}
	for _, seq := range []int32{3, 2*maxOvertaken + 1} {
		if s := (channels.Stamp{Writer: 7, Seq: seq}); !a.reorders("at", s) || a.reorders("at", s) {
			t.Errorf("message %d is not late, or twice", seq)
		}
	}
	if other := (channels.Stamp{Writer: 8, Seq: 5}); a.reorders("at", other) || a.reorders("elsewhere", channels.Stamp{Writer: 7, Seq: 5}) {
		t.Error("another writer's message, or another place's, is late")
	}
	if a.take("at", 7, 9); a.reorders("at", channels.Stamp{Writer: 7, Seq: 10, After: 9}) || slices.Contains(a.due, overtaken{"at", 7, 9}) && len(a.due) == maxOvertaken {
		t.Error("a message that is there was overtaken")
	}
}

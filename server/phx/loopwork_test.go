package phx_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// A query may have hundreds of parameters, for the log to show: the loop, which answers
// handshakes where the application has no say, leaves those to a turn.
func TestLongQueryHoldsNobody(t *testing.T) {
	connected := make(chan int, 10) // parameters
	cfg := longPolling(time.Minute)
	cfg.Telemetry = &phx.Telemetry{Connected: func(e phx.ConnectEvent) { connected <- len(e.Params) }}
	ep := startConfig(t, cfg)
	release := ep.HoldUnpackers()
	defer release() // lest a failure hang
	const short, long = "?vsn=2.0.0&a=1", "?vsn=2.0.0&a=1&b[c]=2"
	filler := "&d=" + strings.Repeat("x", 256)
	socket, polls := connect(t, ep), dialWeb(t, ep)
	socket.write(request("/socket/websocket" + long + filler))
	polls.send("GET", "/socket/longpoll"+long+filler, "")
	dialAt(t, ep, "/socket/websocket"+short)
	dialWeb(t, ep).do("GET", "/socket/longpoll"+short, "")
	if a := dialWeb(t, ep).do("GET", "/socket/longpoll"+short+"&e=%", ""); a.code != 400 {
		t.Errorf("a query that is none: %d, want 400", a.code)
	}
	var got []int
	for range 3 {
		got = append(got, within(t, "short query", connected))
	}
	if !slices.Equal(got, []int{2, 2, 0}) {
		t.Errorf("queries of %d parameters are answered, want the short ones alone", got)
	}
	release()
	if head := socket.head(); !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		t.Errorf("a long query: %q, want 101", head)
	}
	if a := polls.receive(); a.Status != 410 || a.Token == "" {
		t.Errorf("a long query: %s, want a session", a.body)
	}
	for range 2 {
		if n := within(t, "long query", connected); n != 4 {
			t.Errorf("a long query has %d parameters, want 4", n)
		}
	}
	if a := dialWeb(t, ep).do("GET", "/socket/longpoll"+long+filler+"&e=%", ""); a.code != 400 {
		t.Errorf("a long query that is none: %d, want 400", a.code)
	}
}

// A session is found by the end of a long query.
func TestLongQueryWithToken(t *testing.T) {
	ep := startConfig(t, longPolling(time.Minute))
	s := openSessionAt(t, ep, "/socket/longpoll?vsn=2.0.0&jwt="+strings.Repeat("x", 1000))
	s.say(beat(1))
	s.want(beaten(1))
}

// A POST may bring a hundred messages: so many are not for the loop either, however
// short.
func TestLongPostHoldsNobody(t *testing.T) {
	ep := startConfig(t, longPolling(time.Minute))
	many, few := openSession(t, ep), openSession(t, ep)
	release := ep.HoldUnpackers()
	defer release() // lest a failure hang
	var beats, answers []string
	for i := range 100 {
		beats, answers = append(beats, beat(i)), append(answers, beaten(i))
	}
	many.posts.send("POST", many.target, strings.Join(beats, "\n"), ndjson)
	few.say(beats[:10]...)
	few.want(answers[:10]...)
	if n := ep.BufferedPolls(); n != 0 {
		t.Errorf("%d bytes of answers to many messages, want none before there is a turn", n)
	}
	release()
	if a := many.posts.receive(); a.Status != 200 {
		t.Errorf("POST of 100 messages: %s, want status 200", a.body)
	}
	many.want(answers...)
}

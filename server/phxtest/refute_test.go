package phxtest_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxtest"
)

// refuted reports whether nothing was found to refute.
func refuted(t *testing.T, room func(testing.TB) *phxtest.Channel, event string) bool {
	return failure(t, func(t testing.TB) { room(t).RefutePush(event, phxtest.Any) }) == ""
}

// What a callback does late is not missed, however late: here each hands on to
// another channel, a few hundred times, and only the last one pushes.
func TestRefuteSeesTheEndOfAChain(t *testing.T) {
	const channels, hops = 8, 400
	var all [channels]atomic.Pointer[phx.Channel]
	ep := serve(t, "chain:*", phx.ChannelType{
		Join: func(ch *phx.Channel, _ phx.Payload) (any, error) {
			all[ch.Topic()[len("chain:")]-'0'].Store(ch)
			return nil, nil
		},
		In: phx.Events{"go": func(ch *phx.Channel, _ phx.Payload) (any, error) { return nil, ch.Send(1) }},
		Info: func(ch *phx.Channel, msg any) error {
			hop := msg.(int)
			if hop == hops {
				return ch.Socket().Endpoint().Broadcast("chain:0", "end", nil)
			}
			return all[(hop*5)%channels].Load().Send(hop + 1)
		},
	})
	var first *phxtest.Channel
	if refuted(t, func(t testing.TB) *phxtest.Channel {
		for i := range channels {
			ch := connect(t, ep).Join("chain:"+string(rune('0'+i)), nil)
			if i == 0 {
				first = ch
			}
		}
		first.Push("go", nil)
		return first
	}, "end") {
		t.Error("the end of the chain was not seen")
	}
}

// Terminate of another client's channel has its say, even when it takes a while.
func TestRefuteSeesTerminate(t *testing.T) {
	ep := serve(t, "room:*", phx.ChannelType{
		Terminate: func(ch *phx.Channel, _ phx.Reason) {
			<-time.After(20 * time.Millisecond) // the work of an application
			_ = ch.Socket().Endpoint().Broadcast(ch.Topic(), "left", nil)
		},
	})
	for name, leave := range map[string]func(*phxtest.Client, *phxtest.Channel){
		"leave": func(_ *phxtest.Client, ch *phxtest.Channel) { ch.Leave() },
		"close": func(c *phxtest.Client, _ *phxtest.Channel) { c.Close() },
		"crash": func(_ *phxtest.Client, ch *phxtest.Channel) { ch.Push("crash", nil); ch.ExpectError() },
	} {
		if refuted(t, func(t testing.TB) *phxtest.Channel {
			stays, leaves := connect(t, ep), connect(t, ep)
			room := stays.Join("room:1", nil)
			leave(leaves, leaves.Join("room:1", nil))
			return room
		}, "left") {
			t.Errorf("%s: the broadcast of Terminate was not seen", name)
		}
	}
}

// slow is a response that takes its time after the callback has returned it.
type slow struct{ began chan<- struct{} }

func (s slow) MarshalJSON() ([]byte, error) {
	close(s.began)
	<-time.After(20 * time.Millisecond)
	return []byte("{}"), nil
}

func TestRefuteSeesAReplyInTheMaking(t *testing.T) {
	began := make(chan struct{})
	ep := serve(t, "room:*", phx.ChannelType{In: phx.Events{
		"ask": func(*phx.Channel, phx.Payload) (any, error) { return slow{began}, nil },
	}})
	if failure(t, func(t testing.TB) {
		ask := connect(t, ep).Join("room:1", nil).Push("ask", nil)
		<-began
		ask.RefuteReply()
	}) == "" {
		t.Error("the reply was not seen")
	}
}

// Intercepted broadcasts take the way through the mailbox, and the topics with
// many subscribers through a pool.
func TestRefuteSeesBroadcastsOnTheirWay(t *testing.T) {
	ep := serve(t, "room:*", phx.ChannelType{
		In:        phx.Events{"say": func(ch *phx.Channel, _ phx.Payload) (any, error) { return nil, ch.Broadcast("said", nil) }},
		Intercept: []string{"said"},
		Out:       func(ch *phx.Channel, _ string, _ phx.Payload) error { return ch.Push("heard", nil) },
	})
	for range 300 {
		connect(t, ep).Join("room:big", nil)
	}
	for _, topic := range []string{"room:small", "room:big"} {
		if refuted(t, func(t testing.TB) *phxtest.Channel {
			says, hears := connect(t, ep).Join(topic, nil), connect(t, ep).Join(topic, nil)
			says.Push("say", nil)
			return hears
		}, "heard") {
			t.Errorf("%s: the broadcast was not seen", topic)
		}
	}
}

func TestRefuteGoesOn(t *testing.T) {
	room := connect(t, serve(t, "room:*", echo)).Join("room:1", nil)
	room.RefutePush("pushed", phxtest.Any)
	room.Push("echo", map[string]any{"n": 1}).ExpectReply("ok", phxtest.Any)
	room.RefutePush("pushed", map[string]any{"n": 2})
	room.RefuteBroadcast("pushed", phxtest.Any)
	room.ExpectPush("pushed", map[string]any{"n": 1})
}

// A join that is refused, or whose result nobody can encode, leaves nothing to
// wait for.
func TestRefuteAfterFailedJoins(t *testing.T) {
	c := connect(t, serve(t, "room:*", phx.ChannelType{
		Join: func(ch *phx.Channel, _ phx.Payload) (any, error) {
			switch ch.Topic() {
			case "room:refused":
				return nil, phx.Errorf("no")
			case "room:crashed":
				return func() {}, nil
			}
			return nil, nil
		},
	}))
	c.JoinError("room:refused", nil, map[string]any{"reason": "no"})
	c.JoinError("room:crashed", nil, map[string]any{"reason": "join crashed"})
	c.Join("room:1", nil).ExpectNothing()
}

func TestRefuteTellsWhatIsNeverQuiet(t *testing.T) {
	release := make(chan struct{})
	block := phx.ChannelType{In: phx.Events{"start": func(*phx.Channel, phx.Payload) (any, error) { <-release; return nil, nil }}}
	spin := phx.ChannelType{
		In:   phx.Events{"start": func(ch *phx.Channel, _ phx.Payload) (any, error) { return nil, ch.Send(true) }},
		Info: func(ch *phx.Channel, _ any) error { return ch.Send(true) },
	}
	for name, channel := range map[string]phx.ChannelType{"block": block, "spin": spin} {
		got := failure(t, func(t testing.TB) {
			c := phxtest.Dialer{Timeout: 500 * time.Millisecond}.Connect(t, serve(t, "room:*", channel), "/socket", nil)
			room := c.Join("room:1", nil)
			room.Push("start", nil).RefuteReply()
		})
		if want := "have not come to an end"; !strings.HasSuffix(got, want) {
			t.Errorf("%s: failed with %q, want %q", name, got, want)
		}
	}
	close(release)
}

// Plain variables are safe between the test and a callback that it waits for.
func TestVariablesOfTheTest(t *testing.T) {
	var given, seen int
	room := connect(t, serve(t, "room:*", phx.ChannelType{In: phx.Events{
		"copy": func(*phx.Channel, phx.Payload) (any, error) { seen = given; return phx.OK, nil },
		"add":  func(*phx.Channel, phx.Payload) (any, error) { seen += given; return nil, nil },
	}})).Join("room:1", nil)
	given = 1
	room.Push("copy", nil).ExpectReply("ok", nil)
	if seen != 1 {
		t.Errorf("copy saw %d, want 1", seen)
	}
	given = 2
	room.Push("add", nil).RefuteReply()
	if seen != 3 {
		t.Errorf("add made it %d, want 3", seen)
	}
}

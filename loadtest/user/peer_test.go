package user

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/script"
)

// A peer is the other end of a connection without a network: an application of the
// test's own, whose clock is that of synctest.
type peer struct {
	answer func(p *peer, m channels.Message) // to a message other than a heartbeat
	deaf   bool                              // heartbeats are not answered

	got    []channels.Message // but heartbeats; of the user's goroutine
	beats  int
	out    chan string // text messages; one that begins with \x00 is binary without it
	closed chan struct{}
	once   sync.Once
}

var errPeer = errors.New("closed by the peer")

func newPeer(answer func(p *peer, m channels.Message)) *peer {
	return &peer{answer: answer, out: make(chan string, 1000), closed: make(chan struct{})}
}

func (p *peer) send(data []byte, binary bool) error {
	select {
	case <-p.closed:
		return errPeer
	default:
	}
	m, err := channels.Decode(data)
	if binary { // the fields of a client's push, spec §2.3
		rest := data[5:]
		for i, field := range []*string{&m.JoinRef, &m.Ref, &m.Topic, &m.Event} {
			*field, rest = string(rest[:data[1+i]]), rest[data[1+i]:]
		}
		m.Binary, m.IsBinary, err = rest, true, nil
	}
	if err != nil {
		return err
	}
	if m.Event == "heartbeat" {
		if p.beats++; !p.deaf {
			p.reply(m, "ok", "{}")
		}
		return nil
	}
	p.got = append(p.got, m)
	p.answer(p, m)
	return nil
}

func (p *peer) receive() ([]byte, bool, error) {
	select {
	case text := <-p.out:
		rest, binary := strings.CutPrefix(text, "\x00")
		return []byte(rest), binary, nil
	default:
	}
	select {
	case text := <-p.out:
		rest, binary := strings.CutPrefix(text, "\x00")
		return []byte(rest), binary, nil
	case <-p.closed:
		return nil, false, errPeer
	}
}

func (p *peer) close() { p.once.Do(func() { close(p.closed) }) }

// tell sends an event.
func (p *peer) tell(joinRef, ref, topic, event, payload string) {
	quote := func(s string) string {
		if s == "" {
			return "null"
		}
		return fmt.Sprintf("%q", s)
	}
	p.out <- fmt.Sprintf("[%s,%s,%q,%q,%s]", quote(joinRef), quote(ref), topic, event, payload)
}

func (p *peer) reply(m channels.Message, status, response string) {
	p.tell(m.JoinRef, m.Ref, m.Topic, "phx_reply", fmt.Sprintf(`{"status":%q,"response":%s}`, status, response))
}

// A scene is one user before a peer.
type scene struct {
	*testing.T
	crew *crew
	life *life
	s    *session
	peer *peer
}

// crewOf makes the users of a script, who connect to nobody.
func crewOf(t *testing.T, text string, users int) *crew {
	t.Helper()
	if !strings.HasPrefix(text, "target") {
		text = "target: {url: ws://127.0.0.1:1/}\n" + text
	}
	src := script.Source{Text: []byte(text)}
	c, err := newCrew(order.Orders{Script: &src, Users: users, Window: users, Writer: 70, Late: 5e9, Shares: []order.Share{{Count: users}}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// play has a user go through the steps of a script before a peer that lets it join,
// in a bubble of synctest.
func play(t *testing.T, text string, answer func(p *peer, m channels.Message)) (sc scene, err error) {
	t.Helper()
	sc = enter(t, text, answer)
	err = sc.life.goThrough(sc.s, sc.crew.script.Steps)
	return sc, err
}

// enter has a user join its topics.
func enter(t *testing.T, text string, answer func(p *peer, m channels.Message)) scene {
	t.Helper()
	p := newPeer(func(p *peer, m channels.Message) {
		switch m.Event {
		case channels.Join:
			p.reply(m, "ok", "{}")
		case channels.Leave:
			p.reply(m, "ok", "{}")
			p.tell(m.JoinRef, m.JoinRef, m.Topic, channels.Close, "{}")
		default:
			answer(p, m)
		}
	})
	c := crewOf(t, text, 1)
	c.orders.Clock = 1e9 - order.Now() // stamps have no sign, and the bubble began long ago
	u := c.users[0]
	l := &life{user: u, rounds: c.ctx, leaves: make(chan struct{}), idled: make(chan struct{})}
	s := &session{conn: silentBeats{p}, gone: make(chan struct{}), stop: func() bool { return true }}
	c.active.Go(func() { u.read(s) })
	sc := scene{t, c, l, s, p}
	for i, topic := range c.script.Topics {
		if topic.Later {
			continue
		}
		if outcome, err := u.join(s, i, topic.Meter); err != nil || outcome != "" {
			t.Fatalf("join %s: %q, %v", topic.As, outcome, err)
		}
	}
	l.scope.Round++
	return sc
}

// silentBeats is a peer as a transport without heartbeats.
type silentBeats struct{ *peer }

func (silentBeats) beats() bool { return false }

// done ends the connection and returns what was counted.
func (sc scene) done() order.Counts {
	sc.Helper()
	sc.life.depart(sc.s, nil)
	sc.crew.end()
	sc.crew.active.Wait()
	return sc.crew.counts
}

// outcomes are what came of a meter: "" is a good one.
func (sc scene) outcomes(name, what string) map[string]int64 {
	sc.Helper()
	for i, m := range sc.crew.script.Meters {
		if m.Name != name || m.What != what {
			continue
		}
		all := maps.Clone(sc.crew.meters[i].failed)
		if all == nil {
			all = make(map[string]int64)
		}
		if n := sc.crew.meters[i].ok; n > 0 {
			all[""] = n
		}
		return all
	}
	sc.Fatalf("nothing is measured as %s: %s; there are %v", name, what, sc.crew.script.Meters)
	return nil
}

// want compares them.
func (sc scene) want(name, what string, want map[string]int64) {
	sc.Helper()
	if got := sc.outcomes(name, what); !maps.Equal(got, want) {
		sc.Errorf("%s: %s: %v, want %v", name, what, got, want)
	}
}

// good is one good outcome.
var good = map[string]int64{"": 1}

const pushes = "topics: [{topic: room:a}]\nrounds: 1\nsteps:\n"

// What an application answers is judged by its status, its fields, and its time.
func TestReplies(t *testing.T) {
	t.Parallel()
	const step = pushes + "  - push: say\n    payload: {a: 1}\n    reply: "
	reply := func(status, response string) func(*peer, channels.Message) {
		return func(p *peer, m channels.Message) { p.reply(m, status, response) }
	}
	raw := func(payload string) func(*peer, channels.Message) {
		return func(p *peer, m channels.Message) { p.tell(m.JoinRef, m.Ref, m.Topic, "phx_reply", payload) }
	}
	for _, test := range []struct {
		name, reply string
		answer      func(*peer, channels.Message)
		want        string // outcome
	}{
		{"ok", "{}", reply("ok", "{}"), ""},
		{"with a response of any kind", "{}", reply("ok", "7"), ""},
		{"with spaces, in another order, and more", "{match: {a: 1}}", raw(` { "more" : 1 , "response" : { "b" : 2, "a" : 1.0 } , "status" : "o\u006b" } `), ""},
		{"error", "{}", reply("error", `{"reason":"overloaded"}`), "error: overloaded"},
		{"error without a reason", "{}", reply("error", `{"code":7}`), `error: {"code":7}`},
		{"error of nothing", "{}", reply("error", "{}"), "error: {}"},
		{"another status", "{}", reply("later", `{"reason":"x"}`), "later: x"},
		{"an error that must come", "{status: error}", reply("error", `{"reason":"x"}`), ""},
		{"with that reason", "{status: error, match: {reason: x}}", reply("error", `{"reason":"x"}`), ""},
		{"with another reason", "{status: error, match: {reason: x}}", reply("error", `{"reason":"y"}`), `the response does not match: {"reason":"y"}`},
		{"ok where an error must come", "{status: error}", reply("ok", "{}"), "ok, where error is expected"},
		{"fields", "{match: {id: 1, in: {b: [x]}}}", reply("ok", `{"id":1,"in":{"b":["x"],"c":2}}`), ""},
		{"a field of another kind", "{match: {id: 1}}", reply("ok", `{"id":"1"}`), `the response does not match: {"id":"1"}`},
		{"a field that is not there", "{match: {id: 1}}", reply("ok", `[]`), "the response does not match: []"},
		{"a number as a text", "{match: {id: \"{{n}}\"}}", reply("ok", `{"id":"1"}`), ""},
		{"save of what is not there", "{save: {x: a.b}}", reply("ok", `{"a":{}}`), `the response has no a.b to save: {"a":{}}`},
		{"no status", "{}", raw(`{"response":{}}`), `the reply cannot be read: {"response":{}}`},
		{"a status that is a number", "{}", raw(`{"status":200,"response":{}}`), `the reply cannot be read: {"status":200,"response":{}}`},
		{"no object", "{}", raw(`"ok"`), `the reply cannot be read: "ok"`},
		{"null", "{}", raw(`null`), "the reply cannot be read: null"},
		{"never", "{}", func(*peer, channels.Message) {}, "no reply in 10s"},
		{"not in time", "{within: 1500ms}", func(*peer, channels.Message) {}, "no reply in 1.5s"},
		{"to another message", "{}", func(p *peer, m channels.Message) {
			m.Ref += "0"
			p.reply(m, "ok", "{}")
		}, "no reply in 10s"},
		{"with numbers as refs", "{}", func(p *peer, m channels.Message) {
			p.out <- fmt.Sprintf(`[%s, %s, "room:a", "phx_reply", {"status":"ok","response":{}}, "more"]`, m.JoinRef, m.Ref)
		}, ""},
		{"as an object of version 1", "{}", func(p *peer, m channels.Message) {
			p.out <- fmt.Sprintf(`{"ref":%q,"payload":{"response":{},"status":"ok"},"event":"phx_reply","topic":"room:a"}`, m.Ref)
		}, ""},
		{"in binary", "{}", func(p *peer, m channels.Message) {
			p.out <- "\x00\x01" + string([]byte{byte(len(m.JoinRef)), byte(len(m.Ref)), 6, 2}) + m.JoinRef + m.Ref + "room:aok" + "\xff"
		}, ""},
		{"in binary, where fields are wanted", "{match: {a: 1}}", func(p *peer, m channels.Message) {
			p.out <- "\x00\x01" + string([]byte{byte(len(m.JoinRef)), byte(len(m.Ref)), 6, 2}) + m.JoinRef + m.Ref + "room:aok" + "\xff"
		}, "the response does not match: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sc, err := play(t, step+test.reply+"\n", test.answer)
				if err != nil {
					t.Fatal(err)
				}
				sc.want("push say", "reply", map[string]int64{test.want: 1})
				sc.want("join room:a", "join", good)
				counts := sc.done()
				if counts.Sent != 1 || counts.Unreadable != 0 {
					t.Errorf("%d sent, %d unreadable, want 1 and 0", counts.Sent, counts.Unreadable)
				}
				if m := sc.peer.got[1]; m.Event != "say" || m.Topic != "room:a" || m.JoinRef != "1" || string(m.Payload) != `{"a":1}` {
					t.Errorf("sent %+v", m)
				}
			})
		})
	}
}

// A reply that nobody waits for is none of a step; an error is one all the same, and
// what cannot be read is told.
func TestRepliesToNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sc, err := play(t, pushes+"  - push: say\n  - wait: 1s\n", func(p *peer, m channels.Message) {
			p.tell("1", "900", m.Topic, "phx_reply", `{"status":"ok","response":{}}`)
			p.tell("1", "901", m.Topic, "phx_reply", `{"status":"error","response":{"reason":"busy"}}`)
			p.tell("1", "902", m.Topic, "phx_reply", `{"state":"none"}`)
			p.out <- "nonsense"
			p.out <- "\x00\x09"
		})
		if err != nil {
			t.Fatal(err)
		}
		sc.want("push say", "push", good)
		counts := sc.done()
		if counts.Unreadable != 3 || counts.Odd != `{"state":"none"}` || counts.Errors["error reply that no step waits for: busy"] != 1 || len(counts.Errors) != 1 {
			t.Errorf("%d unreadable (%s), errors %v", counts.Unreadable, counts.Odd, counts.Errors)
		}
	})
}

// What a reply had is there for the steps after it.
func TestSavedIsUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sc, err := play(t, pushes+`
  - {push: open, reply: {save: {id: room.id, name: room.name}}}
  - {push: "use", payload: {id: "{{saved.id | json}}", name: "<{{saved.name}}>", n: "{{n | number}}", round: "{{round}}"}, reply: {}}
`, func(p *peer, m channels.Message) { p.reply(m, "ok", `{"room":{"id":[7],"name":"a\"b"}}`) })
		if err != nil {
			t.Fatal(err)
		}
		sc.want("push use", "reply", good)
		if got, want := string(sc.peer.got[2].Payload), `{"id":[7],"name":"<a\"b>","n":1,"round":"1"}`; got != want {
			t.Errorf("payload %s, want %s", got, want)
		}
		sc.done()
	})
}

// A step that cannot be made is counted, and the next follows.
func TestStepsThatCannotBeMade(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sc, err := play(t, `topics: [{topic: room:a}, {topic: "room:{{saved.id}}", as: other, later: true}]
rounds: 1
steps:
  - {push: say, topic: other, name: too early}
  - {leave: other}
  - {join: other}
  - {push: say, name: without, payload: "{{saved.id | json}}"}
  - {expect: said, match: {id: "{{saved.id}}"}}
  - {push: open, reply: {save: {id: id}}}
  - {join: other}
  - {push: say, topic: other, name: then, reply: {}}
`, func(p *peer, m channels.Message) { p.reply(m, "ok", `{"id":"x"}`) })
		if err != nil {
			t.Fatal(err)
		}
		const unsaved = "no reply was saved under that name yet"
		for step, want := range map[[2]string]string{
			{"too early", "push"}: errNotJoined.Error(), {"leave other", "leave"}: errNotJoined.Error(),
			{"join other", "join"}: unsaved, {"without", "push"}: unsaved, {"expect said", "event"}: unsaved,
			{"push open", "reply"}: "", {"then", "reply"}: "",
		} {
			found := false
			for outcome := range sc.outcomes(step[0], step[1]) {
				found = found || want == outcome || want != "" && strings.HasSuffix(outcome, want)
			}
			if !found {
				t.Errorf("%v: %v, want %q", step, sc.outcomes(step[0], step[1]), want)
			}
		}
		if m := sc.peer.got[len(sc.peer.got)-1]; m.Topic != "room:x" {
			t.Errorf("the last message is %+v, want one to room:x", m)
		}
		sc.done()
	})
}

// stampOf is the stamp within a payload.
func stampOf(t *testing.T, m channels.Message) channels.Stamp {
	t.Helper()
	s, ok := channels.FindStamp(append([]byte(m.Payload), m.Binary...))
	if !ok {
		t.Fatalf("no stamp in %s", m.Payload)
	}
	return s
}

// A broadcast is known by its stamp, wherever that is, before the reply or after it,
// and waited for as long as the file says.
func TestBroadcasts(t *testing.T) {
	t.Parallel()
	back := func(event, payload string) func(*peer, channels.Message) {
		return func(p *peer, m channels.Message) {
			var fields map[string]json.RawMessage
			_ = json.Unmarshal(m.Payload, &fields) // the test's own
			p.tell("", "", m.Topic, event, strings.ReplaceAll(payload, "BODY", string(fields["body"])))
		}
	}
	const did = "did not come back in 10s"
	for _, test := range []struct {
		name, step  string
		answer      func(*peer, channels.Message)
		heard       string // outcome of the broadcast
		delivered   int64
		missing     int64
		unreadable  int64
		errorsWant  int64
		replyWanted string
	}{
		{"as it was", "broadcast: {}", back("say", `{"body":BODY}`), "", 1, 0, 0, 0, "none"},
		{"in another field, in a text", "broadcast: {}", back("say", `{"html":{"x":["<b>", BODY]}}`), "", 1, 0, 0, 0, "none"},
		{"as another event", "broadcast: {event: said}", back("said", `[BODY]`), "", 1, 0, 0, 0, "none"},
		{"as another event than the file says", "broadcast: {}", back("said", `[BODY]`), did, 0, 1, 0, 0, "none"},
		{"without its stamp", "broadcast: {}", back("say", `{"body":"stamp-"}`), did, 0, 1, 1, 0, "none"},
		{"never", "broadcast: {within: 2s}", func(*peer, channels.Message) {}, "did not come back in 2s", 0, 1, 0, 0, "none"},
		{"refused", "broadcast: {}", func(p *peer, m channels.Message) { p.reply(m, "error", `{"reason":"no"}`) }, "error: no", 0, 0, 0, 0, "none"},
		{"and replied to before", "broadcast: {}\n    reply: {}", func(p *peer, m channels.Message) {
			p.reply(m, "ok", "{}")
			back("say", "BODY")(p, m)
		}, "", 1, 0, 0, 0, ""},
		{"and replied to after", "broadcast: {}\n    reply: {}", func(p *peer, m channels.Message) {
			back("say", "BODY")(p, m)
			p.reply(m, "ok", "{}")
		}, "", 1, 0, 0, 0, ""},
		{"and refused in the reply", "broadcast: {}\n    reply: {}", func(p *peer, m channels.Message) { p.reply(m, "error", `{}`) }, "none", 0, 0, 0, 0, "error: {}"},
		{"and refused as it should be", "broadcast: {}\n    reply: {status: error}", func(p *peer, m channels.Message) {
			p.reply(m, "error", `{}`)
		}, did, 0, 1, 0, 0, ""},
		{"to the others", "broadcast: {to: others}", func(*peer, channels.Message) {}, "none", 0, 0, 0, 0, "none"},
		{"to itself alone", "broadcast: {to: self}", back("say", `BODY`), "", 0, 0, 0, 0, "none"},
		{"to itself alone, and not", "broadcast: {to: self}", func(*peer, channels.Message) {}, did, 0, 0, 0, 0, "none"},
		{"twice", "broadcast: {}", func(p *peer, m channels.Message) {
			back("say", "BODY")(p, m)
			back("say", "BODY")(p, m)
		}, "", 1, 0, 0, 0, "none"},
		{"of somebody else's run", "broadcast: {}", func(p *peer, m channels.Message) {
			p.tell("", "", m.Topic, "say", `"stamp-9-1-1000-1001-"`)
			back("say", "BODY")(p, m)
		}, "", 1, 0, 0, 0, "none"},
		{"with a number that was changed on the way", "broadcast: {}", func(p *peer, m channels.Message) {
			p.tell("", "", m.Topic, "say", `"stamp-70-3000000000-1000-1001-"`)
			back("say", "BODY")(p, m)
		}, "", 1, 0, 1, 0, "none"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sc, err := play(t, pushes+"  - push: say\n    payload: {body: \"I say {{stamp}}\"}\n    "+test.step+"\n  - wait: 1s\n", test.answer)
				if err != nil {
					t.Fatal(err)
				}
				if test.heard == "none" {
					sc.want("push say", "broadcast", map[string]int64{})
				} else {
					sc.want("push say", "broadcast", map[string]int64{test.heard: 1})
				}
				if test.replyWanted != "none" {
					sc.want("push say", "reply", map[string]int64{test.replyWanted: 1})
				}
				sc.crew.followed()
				sc.crew.settle(sc.crew.events[len(sc.crew.events)-1].Followed.Sent)
				missing, _ := total(sc.crew.missing())
				counts := sc.done()
				if counts.Delivered != test.delivered || missing != test.missing || counts.Unreadable != test.unreadable || counts.Sent != 1 || int64(len(counts.Errors)) != test.errorsWant {
					t.Errorf("%d delivered, %d missing, %d unreadable, %d sent, errors %v, want %d, %d, %d and 1",
						counts.Delivered, missing, counts.Unreadable, counts.Sent, counts.Errors, test.delivered, test.missing, test.unreadable)
				}
				if test.name == "twice" != (counts.Duplicated == 1) {
					t.Errorf("%d came twice", counts.Duplicated)
				}
			})
		})
	}
}

// Stamps of a user follow each other, and each says which it follows.
func TestStampsInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sc, err := play(t, `topics: [{topic: room:a}, {topic: room:b}]
rounds: 1
steps:
  - {repeat: {times: 2, steps: [{push: say, payload: ["{{stamp}}"], broadcast: {}}]}}
  - {push: say, topic: room:b, payload: ["{{stamp}}"], broadcast: {}}
  - {push: say, payload: ["{{stamp}}"], broadcast: {to: self}}
  - {push: say, payload: ["{{stamp}}"]}
  - {push: say, payload: ["{{stamp}}"], broadcast: {}}
`, func(p *peer, m channels.Message) { p.tell("", "", m.Topic, m.Event, string(m.Payload)) })
		if err != nil {
			t.Fatal(err)
		}
		var stamps []channels.Stamp
		for _, m := range sc.peer.got[2:] {
			stamps = append(stamps, stampOf(t, m))
		}
		for i, want := range []struct{ seq, after int32 }{{1, 0}, {2, 1}, {1, 0}, {-1, 0}, {private, 0}, {3, 2}} {
			s := stamps[i]
			if i == 3 && (s.Seq&private == 0 || s.Seq == private) {
				t.Errorf("the message that is the sender's alone has number %d", s.Seq)
			}
			if s.After != want.after || want.seq >= 0 && s.Seq != want.seq || s.Writer != 70 || s.Sent != s.Intended {
				t.Errorf("message %d has stamp %+v, want number %d after %d", i, s, want.seq, want.after)
			}
		}
		if counts := sc.done(); counts.Delivered != 4 || counts.Reordered != 0 || counts.Unreadable != 0 {
			t.Errorf("%d delivered, %d reordered, %d unreadable, want 4, 0 and 0", counts.Delivered, counts.Reordered, counts.Unreadable)
		}
	})
}

// What comes after one that was sent later is out of order, once.
func TestReordered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var held string
		sc, err := play(t, pushes+"  - {repeat: {times: 4, steps: [{push: say, payload: [\"{{stamp}}\"], broadcast: {within: 1s}}]}}\n  - wait: 1s\n", func(p *peer, m channels.Message) {
			if stampOf(t, m).Seq == 2 {
				held = string(m.Payload)
				return
			}
			p.tell("", "", m.Topic, m.Event, string(m.Payload))
			if held != "" {
				p.tell("", "", m.Topic, m.Event, held)
				held = ""
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		sc.want("push say", "broadcast", map[string]int64{"": 3, "did not come back in 1s": 1})
		if counts := sc.done(); counts.Delivered != 4 || counts.Reordered != 1 || counts.Duplicated != 0 {
			t.Errorf("%d delivered, %d reordered, %d twice, want 4, 1 and 0", counts.Delivered, counts.Reordered, counts.Duplicated)
		}
	})
}

// A step takes an event that has come already, the first that fits, and each once.
func TestExpected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sc, err := play(t, `topics: [{topic: room:a}, {topic: room:b}]
rounds: 1
steps:
  - push: go
  - wait: 1s
  - {expect: news, name: second, match: {n: 2}}
  - {expect: news, name: first}
  - {expect: news, name: of b, topic: room:b}
  - {expect: news, name: third}
  - {expect: news, name: no more, within: 2s}
  - {expect: later, name: later, within: 5s}
`, func(p *peer, m channels.Message) {
			p.tell("", "", "room:b", "news", `{"n":9}`)
			p.tell("", "", "room:a", "news", `{"n":1}`)
			p.tell("", "", "room:a", "news", `{"n":2,"more":true}`)
			p.tell("", "", "room:a", "other", `{"n":2}`)
			go func() { // in time for the last step
				<-time.After(4 * time.Second)
				p.tell("", "", "room:a", "later", `{}`)
			}()
		})
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"second": "", "first": "", "third": "", "no more": "did not come in 2s", "later": ""} {
			sc.want(name, "event", map[string]int64{want: 1})
		}
		// The first that fits "first" is that of room:b, which then has none.
		sc.want("of b", "event", map[string]int64{"did not come in 10s": 1})
		sc.done()
	})
}

// An inbox is bounded: the oldest go.
func TestInboxIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sc, err := play(t, pushes+"  - push: go\n  - wait: 1s\n  - {expect: news, name: oldest, match: {n: 36}, within: 1s}\n  - {expect: news, name: kept, match: {n: 37}, within: 1s}\n", func(p *peer, m channels.Message) {
			for n := range 100 {
				p.tell("", "", "room:a", "news", fmt.Sprintf(`{"n":%d}`, n+1))
				p.tell("", "", "room:a", "unexpected", "{}")
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		sc.want("oldest", "event", map[string]int64{"did not come in 1s": 1})
		sc.want("kept", "event", good)
		sc.done()
	})
}

// Who joins again ends its first join, and so gets its end: that is not the end of
// the second. What crashes or is closed by the server ends the connection.
func TestJoinAgain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		end  func(p *peer, m channels.Message)
		want error
	}{
		{"the old join ends", func(p *peer, m channels.Message) { p.tell("1", "1", "room:a", channels.Close, "{}") }, nil},
		{"it ends, in version 1", func(p *peer, m channels.Message) { p.tell("", "1", "room:a", channels.Close, "{}") }, nil},
		{"another topic ends", func(p *peer, m channels.Message) { p.tell("2", "2", "room:b", channels.Close, "{}") }, nil},
		{"the new join ends", func(p *peer, m channels.Message) { p.tell("2", "2", "room:a", channels.Close, "{}") }, errLeft},
		{"the new join crashes", func(p *peer, m channels.Message) { p.tell("2", "2", "room:a", channels.Error, "{}") }, errCrashed},
		{"it crashes, without refs", func(p *peer, m channels.Message) { p.tell("", "", "room:a", channels.Error, "{}") }, errCrashed},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sc, err := play(t, pushes+"  - join: room:a\n  - push: say\n  - wait: 1s\n  - {push: ping, reply: {}}\n", func(p *peer, m channels.Message) {
					if m.Event == "say" {
						test.end(p, m)
					} else {
						p.reply(m, "ok", "{}")
					}
				})
				if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
					t.Fatalf("the steps end with %v, want %v", err, test.want)
				}
				sc.want("join room:a", "join", map[string]int64{"": 2})
				if test.want == nil {
					sc.want("push ping", "reply", good)
					if m := sc.peer.got[3]; m.JoinRef != "2" {
						t.Errorf("the push is of join %s, want 2", m.JoinRef)
					}
				}
				sc.done()
			})
		})
	}
}

// Who has left a topic is not in it, and its end is expected.
func TestLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sc, err := play(t, pushes+"  - leave: room:a\n  - wait: 1s\n  - {push: say}\n  - join: room:a\n  - {push: ping, reply: {}}\n", func(p *peer, m channels.Message) { p.reply(m, "ok", "{}") })
		if err != nil {
			t.Fatal(err)
		}
		sc.want("leave room:a", "leave", good)
		sc.want("push say", "push", map[string]int64{errNotJoined.Error(): 1})
		sc.want("join room:a", "join", map[string]int64{"": 2})
		sc.want("push ping", "reply", good)
		if m := sc.peer.got[1]; m.Event != channels.Leave || m.JoinRef != "1" || m.Topic != "room:a" {
			t.Errorf("left with %+v", m)
		}
		if counts := sc.done(); counts.Disconnected != 1 || len(counts.Errors) != 0 {
			t.Errorf("%d disconnected, errors %v", counts.Disconnected, counts.Errors)
		}
	})
}

// When the connection ends, a step says so, and no other follows.
func TestConnectionEndsWithinAStep(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		step, name, what string
	}{
		{"{push: say, reply: {}}", "push say", "reply"},
		{"{push: say, payload: [\"{{stamp}}\"], broadcast: {}}", "push say", "broadcast"},
		{"{push: say, payload: [\"{{stamp}}\"], reply: {}, broadcast: {}}", "push say", "reply"},
	} {
		synctest.Test(t, func(t *testing.T) {
			sc, err := play(t, pushes+"  - "+test.step+"\n  - {push: next, reply: {}}\n", func(p *peer, m channels.Message) { p.close() })
			if !errors.Is(err, errPeer) {
				t.Errorf("%s: ends with %v", test.step, err)
			}
			sc.want(test.name, test.what, map[string]int64{"connection ended": 1})
			sc.want("push next", "reply", map[string]int64{})
			sc.crew.followed()
			sc.crew.settle(sc.crew.events[len(sc.crew.events)-1].Followed.Sent)
			if missing, _ := total(sc.crew.missing()); missing != 0 {
				t.Errorf("%s: %d are missing that nobody knows to have been broadcast", test.step, missing)
			}
			sc.done()
		})
	}
	synctest.Test(t, func(t *testing.T) { // while it waits for an event
		sc := enter(t, pushes+"  - {expect: news}\n", func(*peer, channels.Message) {})
		go func() { <-time.After(time.Second); sc.peer.close() }()
		if err := sc.life.goThrough(sc.s, sc.crew.script.Steps); err == nil {
			t.Error("the end of the connection is not seen")
		}
		sc.want("expect news", "event", map[string]int64{"connection ended": 1})
		sc.done()
	})
	synctest.Test(t, func(t *testing.T) { // while it thinks
		sc := enter(t, pushes+"  - wait: 1h\n", func(*peer, channels.Message) {})
		go func() { <-time.After(time.Second); sc.peer.close() }()
		if err := sc.life.goThrough(sc.s, sc.crew.script.Steps); err == nil {
			t.Error("the end of the connection is not seen")
		}
		sc.done()
	})
}

// Steps are chosen by weight, and repeated as often as the file says.
func TestChooseAndRepeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sc, err := play(t, pushes+`
  - repeat:
      times: 2000
      steps:
        - choose:
            - {weight: 3, steps: [{push: often}]}
            - {steps: [{push: seldom}, {push: with}]}
            - {weight: 0, steps: [{push: never}]}
`, func(*peer, channels.Message) {})
		if err != nil {
			t.Fatal(err)
		}
		often, seldom, with := sc.outcomes("push often", "push")[""], sc.outcomes("push seldom", "push")[""], sc.outcomes("push with", "push")[""]
		if often+seldom != 2000 || seldom != with || seldom < 400 || seldom > 600 || sc.outcomes("push never", "push")[""] != 0 {
			t.Errorf("often %d, seldom %d with %d, want 1,500 and 500 of each", often, seldom, with)
		}
		if counts := sc.done(); counts.Sent != 2000+seldom {
			t.Errorf("%d sent", counts.Sent)
		}
	})
}

// Rounds end after the step that is under way.
func TestRoundsEndAfterAStep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sc := enter(t, pushes+"  - wait: 1h\n  - push: say\n", func(*peer, channels.Message) {})
		rounds, rest := context.WithCancel(t.Context())
		sc.life.rounds = rounds
		go func() { <-time.After(2 * time.Second); rest() }()
		if err := sc.life.goThrough(sc.s, sc.crew.script.Steps); err != nil {
			t.Errorf("the rounds end with %v", err)
		}
		sc.want("push say", "push", map[string]int64{})
		sc.done()
	})
}

// Binary messages are sent as such, and known by their stamp when they come back.
func TestBinaryPush(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sc, err := play(t, pushes+"  - {push: up, binary: \"\\u0001{{stamp}}\\u00ff{{n}}\", broadcast: {}}\n", func(p *peer, m channels.Message) {
			if !m.IsBinary || m.Event != "up" || m.Topic != "room:a" || m.JoinRef != "1" || !strings.HasPrefix(string(m.Binary), "\x01stamp-70-1-") || !strings.HasSuffix(string(m.Binary), "-ÿ1") {
				t.Errorf("sent %+v", m)
			}
			p.out <- "\x00\x02" + string([]byte{6, 2}) + "room:aup" + string(m.Binary)
		})
		if err != nil {
			t.Fatal(err)
		}
		sc.want("push up", "broadcast", good)
		if counts := sc.done(); counts.Delivered != 1 || counts.Unreadable != 0 {
			t.Errorf("%d delivered, %d unreadable", counts.Delivered, counts.Unreadable)
		}
	})
}

package chat_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/chat"
	"github.com/roost-rt/roost/server/presence"
)

func TestRoom(t *testing.T) {
	ep := start(t, socket("room:*", chat.Room()))
	ada, bob := dial(t, ep, path), dial(t, ep, path)
	for _, c := range []*client{ada, bob} {
		c.say(`["1","2","room:lobby","phx_join",{}]`)
		c.want(`["1","2","room:lobby","phx_reply",{"status":"ok","response":{}}]`)
	}

	ada.say(`["1","3","room:lobby","new_msg",{"user":"Ada","body":"Hello"}]`)
	for _, c := range []*client{ada, bob} {
		c.want(`[null,null,"room:lobby","new_msg",{"user":"Ada","body":"Hello"}]`)
	}
	ada.say(`["1","4","room:lobby","ping",{"a":1}]`)
	ada.want(`["1","4","room:lobby","phx_reply",{"status":"ok","response":{"a":1}}]`)

	for _, payload := range []string{`[]`, `"text"`, `null`, `7`} {
		ada.say(`["1","5","room:lobby","new_msg",%s]`, payload)
		ada.want(`["1","5","room:lobby","phx_reply",{"status":"error","response":{"reason":"the payload must be an object"}}]`)
	}
	bob.wantNothing()
}

func TestRoomRemembers(t *testing.T) {
	ep := start(t, socket("room:*", chat.Room()))
	ada := dial(t, ep, path)
	ada.say(`["1","1","room:lobby","phx_join",{}]`)
	ada.want(`["1","1","room:lobby","phx_reply",{"status":"ok","response":{}}]`)
	ada.say(`["1","2","room:lobby","history",{}]`)
	ada.want(`["1","2","room:lobby","phx_reply",{"status":"ok","response":{"messages":[]}}]`)
	for i := range 2 {
		ada.say(`["1","3","room:lobby","new_msg",{"n":%d}]`, i)
		ada.want(fmt.Sprintf(`[null,null,"room:lobby","new_msg",{"n":%d}]`, i))
	}

	bob := dial(t, ep, path) // later
	bob.say(`["1","1","room:lobby","phx_join",{}]`)
	bob.want(`["1","1","room:lobby","phx_reply",{"status":"ok","response":{}}]`)
	bob.say(`["1","2","room:lobby","history",{}]`)
	var reply struct {
		Response struct {
			Messages []struct {
				At      int64
				Message struct{ N int }
			}
		}
	}
	text, _ := bob.read()
	if err := json.Unmarshal(text, &[]any{nil, nil, nil, nil, &reply}); err != nil {
		t.Fatal(err)
	}
	said := reply.Response.Messages
	if len(said) != 2 || said[0].Message.N != 0 || said[1].Message.N != 1 {
		t.Errorf("the room remembers %v, want 0 and 1", said)
	}
	if now := time.Now().UnixMilli(); said[0].At > now || said[0].At < now-60_000 {
		t.Errorf("it was said at %d, now is %d", said[0].At, now)
	}
}

func TestTypingIsForTheOthers(t *testing.T) {
	ep := start(t, socket("room:*", chat.Room()))
	ada, bob := dial(t, ep, path), dial(t, ep, path)
	for _, c := range []*client{ada, bob} {
		c.say(`["1","1","room:lobby","phx_join",{}]`)
		c.want(`["1","1","room:lobby","phx_reply",{"status":"ok","response":{}}]`)
	}
	ada.say(`["1","2","room:lobby","typing",{"user":"Ada"}]`)
	bob.want(`[null,null,"room:lobby","typing",{"user":"Ada"}]`)
	ada.say(`["1","3","room:lobby","typing",7]`)
	ada.want(`["1","3","room:lobby","phx_reply",{"status":"error","response":{"reason":"the payload must be an object"}}]`)
}

func TestPeople(t *testing.T) {
	here := presence.New(presence.Config{})
	t.Cleanup(here.Close)
	ep := start(t, socket("room:*", chat.People(chat.Room(), here)))
	ada := dial(t, ep, path)
	ada.say(`["1","1","room:lobby","phx_join",{}]`)
	ada.want(`["1","1","room:lobby","phx_reply",{"status":"ok","response":{}}]`)
	for _, name := range []string{"Ada", "Ada", "Adele"} {
		ada.say(`["1","2","room:lobby","enter",{"user":%q}]`, name)
		for reply := ""; !strings.Contains(reply, "phx_reply"); {
			text, _ := ada.read() // state and diff are package presence's
			reply = string(text)
		}
		if all := here.List("room:lobby"); len(all) != 1 || all[name] == nil || len(all[name].Metas) != 1 {
			t.Errorf("after %s has entered %v are there", name, all)
		}
	}
	for user, reason := range map[string]string{`""`: "user is empty", `"constructor"`: "this name does not go: "} {
		ada.say(`["1","3","room:lobby","enter",{"user":%s}]`, user)
		for reply := ""; !strings.Contains(reply, "phx_reply"); {
			text, _ := ada.read()
			if reply = string(text); strings.Contains(reply, "phx_reply") && !strings.Contains(reply, reason) {
				t.Errorf("%s: %s, want %s", user, reply, reason)
			}
		}
	}
}

// With -presence all who join a room are seen there, as long as they stay.
func TestEverybody(t *testing.T) {
	for mode, event := range map[string]string{"full": "presence_state", "sample": "presence_state", "count": "presence_count"} {
		t.Run(mode, func(t *testing.T) {
			mounts, here := chat.Rooms(t, "-presence", mode)
			t.Cleanup(here.Close)
			ep := start(t, mounts...)
			ada, bob := dial(t, ep, path), dial(t, ep, path)
			for i, c := range []*client{ada, bob} {
				c.say(`["1","1","room:lobby","phx_join",{}]`)
				for text := ""; !strings.Contains(text, event); {
					message, _ := c.read()
					text = string(message)
				}
				if n := here.Count("room:lobby"); n != i+1 {
					t.Errorf("%d are counted, want %d", n, i+1)
				}
			}
			bob.conn.Close()
			for deadline := time.Now().Add(patience); here.Count("room:lobby") != 1; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("one has left, and is counted")
				}
			}
		})
	}
}

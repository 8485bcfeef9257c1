package chat_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/chat"
	"github.com/roost-rt/roost/server/phx"
)

// tab connects as a user.
func tab(t *testing.T, ep *phx.Endpoint, user string) *client {
	t.Helper()
	return dial(t, ep, "/user/websocket?vsn=2.0.0&user="+user)
}

// signIn joins the list of a user with a session; answer is what must come back.
func (c *client) signIn(user string, session int, answer string) {
	c.t.Helper()
	c.say(`["1","2","user:%s","phx_join",{"session":%d}]`, user, session)
	c.want(fmt.Sprintf(`["1","2","user:%s","phx_reply",%s]`, user, answer))
}

func TestTabsOfAUserShareAList(t *testing.T) {
	ep := start(t, chat.NewUsers().Mount("/user"))
	one, two, other := tab(t, ep, "ann"), tab(t, ep, "ann"), tab(t, ep, "ben")
	one.signIn("ann", 0, `{"status":"ok","response":{"session":1,"items":[]}}`)
	two.signIn("ann", 0, `{"status":"ok","response":{"session":1,"items":[]}}`)
	other.signIn("ben", 0, `{"status":"ok","response":{"session":1,"items":[]}}`)

	for _, step := range []struct{ event, payload, items string }{
		{"add", `{"text":"Milk"}`, `[{"id":1,"text":"Milk","done":false}]`},
		{"add", `{"text":"Tea"}`, `[{"id":1,"text":"Milk","done":false},{"id":2,"text":"Tea","done":false}]`},
		{"check", `{"id":2,"done":true}`, `[{"id":1,"text":"Milk","done":false},{"id":2,"text":"Tea","done":true}]`},
		{"remove", `{"id":1}`, `[{"id":2,"text":"Tea","done":true}]`},
	} {
		items := fmt.Sprintf(`[null,null,"user:ann","items",{"items":%s}]`, step.items)
		one.say(`["1","3","user:ann",%q,%s]`, step.event, step.payload)
		one.want(items, `["1","3","user:ann","phx_reply",{"status":"ok","response":{}}]`)
		two.want(items)
	}
	other.wantNothing()

	later := tab(t, ep, "ann")
	later.signIn("ann", 0, `{"status":"ok","response":{"session":1,"items":[{"id":2,"text":"Tea","done":true}]}}`)
}

func TestSignOutEverywhere(t *testing.T) {
	ep := start(t, chat.NewUsers().Mount("/user"))
	one, two, other := tab(t, ep, "ann"), tab(t, ep, "ann"), tab(t, ep, "ben")
	one.signIn("ann", 0, `{"status":"ok","response":{"session":1,"items":[]}}`)
	two.signIn("ann", 0, `{"status":"ok","response":{"session":1,"items":[]}}`)
	other.signIn("ben", 0, `{"status":"ok","response":{"session":1,"items":[]}}`)

	one.say(`["1","3","user:ann","sign_out",{}]`)
	one.wantClosed(ws.StatusGoingAway)
	two.wantClosed(ws.StatusGoingAway)
	other.wantNothing()

	back := tab(t, ep, "ann") // its client comes back by itself
	back.signIn("ann", 1, `{"status":"error","response":{"reason":"signed out"}}`)
	back.signIn("ann", 0, `{"status":"ok","response":{"session":2,"items":[]}}`)
}

// After a restart nobody is known; who was signed in stays so.
func TestTabsComeBackAfterARestart(t *testing.T) {
	ep := start(t, chat.NewUsers().Mount("/user"))
	tab(t, ep, "ann").signIn("ann", 7, `{"status":"ok","response":{"session":7,"items":[]}}`)
	tab(t, ep, "ann").signIn("ann", 7, `{"status":"ok","response":{"session":7,"items":[]}}`)
	tab(t, ep, "ann").signIn("ann", 6, `{"status":"error","response":{"reason":"signed out"}}`)
}

func TestUsersAreRefused(t *testing.T) {
	ep := start(t, chat.NewUsers().Mount("/user"))
	for _, user := range []string{"", "Ann", "a%20b", "a:b", strings.Repeat("a", 21), "%C3%A9"} {
		if got := refusedWith(t, ep, "/user/websocket?vsn=2.0.0&user="+user); got != http.StatusForbidden {
			t.Errorf("connect as %q: status %d, want 403", user, got)
		}
	}
	if got := refusedWith(t, ep, "/user/websocket?vsn=2.0.0"); got != http.StatusForbidden {
		t.Errorf("connect as nobody: status %d, want 403", got)
	}
}

// Of a thousand users, the one who has been away longest is forgotten for the
// next: any session will do then.
func TestUsersAreBounded(t *testing.T) {
	ep := start(t, chat.NewUsers().Mount("/user"))
	visit := func(user string, session int, answer string) {
		c := tab(t, ep, user)
		c.signIn(user, session, answer)
		c.conn.Close()
	}
	visit("first", 5, `{"status":"ok","response":{"session":5,"items":[]}}`)
	for i := range 999 {
		visit(fmt.Sprintf("u%d", i), 5, `{"status":"ok","response":{"session":5,"items":[]}}`)
	}
	visit("first", 6, `{"status":"error","response":{"reason":"signed out"}}`) // still known, and now the newest
	visit("one1more", 5, `{"status":"ok","response":{"session":5,"items":[]}}`)
	visit("first", 6, `{"status":"error","response":{"reason":"signed out"}}`)
	visit("u0", 6, `{"status":"ok","response":{"session":6,"items":[]}}`)
}

func TestListRefuses(t *testing.T) {
	ep := start(t, chat.NewUsers().Mount("/user"))
	c := tab(t, ep, "ann")
	c.say(`["1","2","user:ben","phx_join",{"session":0}]`)
	c.want(`["1","2","user:ben","phx_reply",{"status":"error","response":{"reason":"not your list"}}]`)
	c.signIn("ann", -1, `{"status":"error","response":{"reason":"session is negative"}}`)
	c.signIn("ann", 0, `{"status":"ok","response":{"session":1,"items":[]}}`)

	for _, tt := range []struct{ event, payload, reason string }{
		{"add", `{}`, "text is empty"},
		{"add", `{"text":"  "}`, "text is empty"},
		{"add", fmt.Sprintf(`{"text":%q}`, strings.Repeat("é", 101)), "text is too long"},
		{"check", `{"id":1}`, "no such item"},
		{"remove", `{"id":1}`, "no such item"},
	} {
		c.say(`["1","3","user:ann",%q,%s]`, tt.event, tt.payload)
		c.want(fmt.Sprintf(`["1","3","user:ann","phx_reply",{"status":"error","response":{"reason":%q}}]`, tt.reason))
	}
}

func TestListIsBounded(t *testing.T) {
	ep := start(t, chat.NewUsers().Mount("/user"))
	c := tab(t, ep, "ann")
	c.signIn("ann", 0, `{"status":"ok","response":{"session":1,"items":[]}}`)
	for range 50 {
		c.say(`["1","3","user:ann","add",{"text":"Milk"}]`)
		c.read() // items
		c.want(`["1","3","user:ann","phx_reply",{"status":"ok","response":{}}]`)
	}
	c.say(`["1","3","user:ann","add",{"text":"Milk"}]`)
	c.want(`["1","3","user:ann","phx_reply",{"status":"error","response":{"reason":"the list is full: remove something first"}}]`)
}

package chat_test

import (
	"testing"

	"github.com/roost-rt/roost/server/chat"
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

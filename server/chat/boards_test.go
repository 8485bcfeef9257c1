package chat_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/chat"
)

// enter joins board:b and reads what a newcomer is told: the answer, then who is
// there.
func (c *client) enter(name string, id int) {
	c.t.Helper()
	c.say(`["1","2","board:b","phx_join",{"name":%q}]`, name)
	c.want(fmt.Sprintf(`["1","2","board:b","phx_reply",{"status":"ok","response":{"id":%d}}]`, id))
}

// push is a binary client message: the lengths of join_ref, ref, topic and event,
// these, and the payload.
func push(payload ...byte) []byte {
	return append([]byte("\x00\x01\x01\x07\x041"+"9"+"board:b"+"move"), payload...)
}

func TestBoardShowsOthersMove(t *testing.T) {
	ep := start(t, socket("board:*", chat.NewBoards().Type()))
	ada, bob := dial(t, ep, path), dial(t, ep, path)
	ada.enter("Ada", 1)
	ada.want(`["1",null,"board:b","people",{"people":[{"id":1,"name":"Ada","x":32768,"y":32768}]}]`)

	ada.sayBinary(push(0x01, 0x02, 0xff, 0xfe))
	ada.wantNothing() // her own moves she knows

	bob.enter("Bob", 2)
	ada.want(`[null,null,"board:b","enter",{"id":2,"name":"Bob","x":32768,"y":32768}]`)
	message, _ := bob.read()
	for _, want := range []string{`{"id":1,"name":"Ada","x":258,"y":65534}`, `"id":2`} {
		if !strings.Contains(string(message), want) {
			t.Errorf("the newcomer is told %s, want it to contain %s", message, want)
		}
	}

	ada.sayBinary(push(0, 0, 0, 7))
	// kind, lengths of topic and event, these, id, x, y
	bob.wantBinary([]byte("\x02\x07\x04board:bmove" + "\x00\x00\x00\x01" + "\x00\x00" + "\x00\x07"))
}

func TestBoardTellsWhoLeft(t *testing.T) {
	ep := start(t, socket("board:*", chat.NewBoards().Type()))
	ada, bob := dial(t, ep, path), dial(t, ep, path)
	ada.enter("Ada", 1)
	ada.read()
	bob.enter("Bob", 2)
	bob.read()
	ada.read()
	bob.conn.Close()
	ada.want(`[null,null,"board:b","leave",{"id":2}]`)

	carol := dial(t, ep, path)
	carol.enter("Carol", 3)
	carol.want(`["1",null,"board:b","people",{"people":[{"id":1,"name":"Ada","x":32768,"y":32768},{"id":3,"name":"Carol","x":32768,"y":32768}]}]`)
}

func TestBoardRefuses(t *testing.T) {
	ep := start(t, socket("board:*", chat.NewBoards().Type()))
	c := dial(t, ep, path)
	for _, tt := range []struct{ join, reason string }{
		{`{}`, "name is empty"},
		{`{"name":" \t"}`, "name is empty"},
		{fmt.Sprintf(`{"name":%q}`, strings.Repeat("é", 33)), "name is too long"},
		{`{"name":7}`, "invalid payload: name: number where a string is expected"},
	} {
		c.say(`["1","2","board:b","phx_join",%s]`, tt.join)
		c.want(fmt.Sprintf(`["1","2","board:b","phx_reply",{"status":"error","response":{"reason":%q}}]`, tt.reason))
	}

	c.enter("Ada", 1)
	c.read()
	const refusal = `["1","9","board:b","phx_reply",{"status":"error","response":{"reason":"a move must be 4 bytes: x and y"}}]`
	for _, payload := range []string{"", "\x01\x02\x03", "\x01\x02\x03\x04\x05"} {
		c.sayBinary(push([]byte(payload)...))
		c.want(refusal)
	}
	c.say(`["1","9","board:b","move",{"x":1,"y":2}]`)
	c.want(refusal)
}

func TestBoardIsFull(t *testing.T) {
	ep := start(t, socket("board:*", chat.NewBoards().Type()))
	for i := range 50 {
		c := dial(t, ep, path)
		c.enter("Ada", i+1)
	}
	late := dial(t, ep, path)
	late.say(`["1","2","board:b","phx_join",{"name":"Late"}]`)
	late.want(`["1","2","board:b","phx_reply",{"status":"error","response":{"reason":"the board is full"}}]`)
}

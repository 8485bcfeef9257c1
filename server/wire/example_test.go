package wire_test

import (
	"fmt"

	"github.com/roost-rt/roost/server/wire"
)

// A socket chooses its serializer once, then answers messages with it.
func Example() {
	s, ok := wire.ForVersion("2.0.0")
	if !ok {
		fmt.Println("refuse with 403")
		return
	}
	m, err := s.Decode([]byte(`["1","7","room:lobby","echo",{"body":"hi"}]`), false)
	if err != nil {
		fmt.Println("close with 1011:", err)
		return
	}
	reply, _, err := s.AppendReply(nil, m.JoinRef, m.Ref, m.Topic, "ok", m.Payload)
	if err != nil {
		fmt.Println("the channel's mistake:", err)
		return
	}
	fmt.Printf("%s\n", reply)
	// Output: ["1","7","room:lobby","phx_reply",{"status":"ok","response":{"body":"hi"}}]
}

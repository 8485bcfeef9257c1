package poller_test

import (
	"io"
	"testing"

	"github.com/roost-rt/roost/poller"
)

// What a peer has read is delivered, also when it hangs up then; what it leaves
// unread, and has no room for, is not.
func TestDelivered(t *testing.T) {
	const size = 4 << 20
	for _, reads := range []bool{true, false} {
		p := start(t, poller.Config{OutboundMax: 16 << 20})
		ended := make(chan bool, 1)
		c, nc := pair(t, p, hooks{closed: func(c *poller.Conn, _ error) { ended <- c.Delivered() }})
		if err := c.Send(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if reads {
			if _, err := io.CopyN(io.Discard, nc, size); err != nil {
				t.Fatal(err)
			}
			eventually(t, "all is confirmed", c.Delivered)
		}
		nc.Close()
		if got := within(t, ended); got != reads {
			t.Errorf("the peer reads: %v; Delivered() = %v at the end", reads, got)
		}
	}
}

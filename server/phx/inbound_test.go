package phx_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/phx"
)

// socketOf connects a client and returns the server's side of it, too.
func socketOf(t *testing.T, m phx.Mount) (*client, *phx.Socket) {
	t.Helper()
	got := make(chan *phx.Socket, 1)
	m.Path = "/socket"
	m.Connect = func(s *phx.Socket, _ phx.Params, _ *http.Request) error { got <- s; return nil }
	c := dial(t, startConfig(t, phx.Config{Mounts: []phx.Mount{m}}))
	return c, within(t, "socket", got)
}

// However small frames are, only so many are taken in a pass.
func TestPassIsBounded(t *testing.T) {
	for name, one := range map[string][]byte{
		"pings":           frame.AppendMasked(nil, ws.OpPing, mask, nil),
		"empty fragments": frame.AppendMasked(nil, ws.OpContinuation, mask, nil),
		"heartbeats":      frame.AppendMasked(nil, ws.OpText, mask, []byte(`[null,"1","phoenix","heartbeat",{}]`)),
	} {
		t.Run(name, func(t *testing.T) {
			c, s := socketOf(t, phx.Mount{})
			if one[0]&0x0f == 0 {
				one[0] = 0 // no FIN
				s.Feed(append([]byte{0x01}, one[1:]...))
			}
			data := bytes.Repeat(one, 200)
			for _, want := range []int{136, 72, 8, 0} {
				if data = s.Pass(data); len(data) != want*len(one) {
					t.Fatalf("%d bytes are left, want %d frames of %d", len(data), want, len(one))
				}
			}
			if one[0] == 0 {
				return
			}
			for range 200 {
				c.next()
			}
		})
	}
}

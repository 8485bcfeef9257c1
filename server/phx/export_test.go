package phx

import "github.com/roost-rt/roost/poller"

// Feed is what the event loop does with bytes from the client. Nothing may come
// from the client meanwhile.
func (s *Socket) Feed(data []byte) { s.Data(s.transport.(*poller.Conn), data) }

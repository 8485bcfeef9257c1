package phx

import "github.com/roost-rt/roost/poller"

// Waiting is how many bytes the kernel has not taken yet.
func (s *Socket) Waiting() int { return s.transport.(*poller.Conn).Waiting() }

package phx

import "github.com/roost-rt/roost/pubsub"

// Deliver delivers broadcasts of the channel's topic as pubsub does.
func (ch *Channel) Deliver(b *pubsub.Batch) { ch.events().Deliver(b) }

// Waiting is how many bytes the kernel has not taken yet.
func (s *Socket) Waiting() int { return s.conn().Waiting() }

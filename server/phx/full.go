package phx

import "github.com/roost-rt/roost/pubsub"

// full is pubsub.Config.Full: who is owed so much that it is not listened to gets no
// more while that is so for most of a room.
func (ep *Endpoint) full() func(pubsub.Subscriber) bool {
	if n, _ := ep.poller.Backlog(); n == 0 { // no client is owed anything
		return nil
	}
	return isFull
}

func isFull(s pubsub.Subscriber) bool {
	ch, ok := s.(*channelEvents)
	return ok && ch.socket.transport.Full()
}

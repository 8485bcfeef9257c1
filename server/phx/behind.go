package phx

import "github.com/roost-rt/roost/pubsub"

// behind reports whether more than a quarter of some subscribers are owed so much
// that they are not listened to. A room waits for the most of its members, so that
// who speaks faster than they read is refused, and not they. It does not wait for
// the few that are slower than the others. Locks of pubsub's are held.
func (ep *Endpoint) behind(of []pubsub.Subscriber) bool {
	if n, _ := ep.poller.Backlog(); n == 0 && len(ep.polls) == 0 { // nobody is owed anything
		return false
	}
	full := 0
	for _, s := range of {
		if ch, ok := s.(*Channel); ok && ch.socket.transport.Full() {
			full++
		}
	}
	return 4*full > len(of)
}

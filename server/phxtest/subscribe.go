package phxtest

import (
	"testing"

	"github.com/roost-rt/roost/server/phx"
)

// listenMount is where everybody may join everything, to listen.
func listenMount() phx.Mount {
	return phx.Mount{Path: "/phxtest", Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{}}}}
}

// A Subscription is a listener to the broadcasts on a topic.
type Subscription struct{ channel *Channel }

// Subscribe subscribes the test to a topic, joined by anybody or not, and without
// asking the application. It counts as one of the Endpoint's Subscribers.
func Subscribe(t testing.TB, ep *Endpoint, topic string) *Subscription {
	t.Helper()
	return &Subscription{Connect(t, ep, listenMount().Path, nil).Join(topic, nil)}
}

// ExpectBroadcast waits for a broadcast on the topic, whoever sent it.
func (s *Subscription) ExpectBroadcast(event string, payload any) Message {
	s.channel.client.t.Helper()
	return s.channel.ExpectBroadcast(event, payload)
}

// RefuteBroadcast is the opposite, for all that the test has caused so far; see
// the package documentation.
func (s *Subscription) RefuteBroadcast(event string, payload any) {
	s.channel.client.t.Helper()
	s.channel.RefuteBroadcast(event, payload)
}

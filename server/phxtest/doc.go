// Package phxtest tests channels the way their clients see them: it starts an
// endpoint in memory and connects to it as the official client does, with real
// handshakes, frames and messages.
//
//	func TestRoom(t *testing.T) {
//		ep := phxtest.Start(t, phx.Config{Mounts: mounts()})
//		ann := phxtest.Connect(t, ep, "/socket", phx.Params{"token": "ann's"})
//		bob := phxtest.Connect(t, ep, "/socket", phx.Params{"token": "bob's"})
//
//		room, other := ann.Join("room:1", nil), bob.Join("room:1", nil)
//		room.Push("ping", map[string]any{"n": 1}).ExpectReply("ok", map[string]any{"n": 1})
//		room.Push("new_msg", map[string]any{"body": "hi"})
//		other.ExpectBroadcast("new_msg", map[string]any{"body": "hi"})
//		other.RefutePush("typing", phxtest.Any)
//	}
//
// It is no load generator and no fuzzer: its clients keep to the protocol. They
// speak WebSocket, not long polling.
//
// # Expectations
//
// Messages wait until they are expected, in any number and for any time. An Expect
// method takes the first waiting message that fits, or waits for one; the others stay.
// So pushes, broadcasts and replies may come in any order. Where order matters, see
// [Channel.Next]. An expectation that is not met fails the test as Fatal does, and tells
// what came instead.
//
// The last argument of an expectation describes the payload. It is compared
// as JSON: a struct, a map and a json.RawMessage with the same members are equal.
// nil is the empty object, and [phx.Binary] holds the bytes of a binary payload.
// [Any] and the result of [Where] are functions that look at it instead, and
// [Decode] takes it apart afterwards.
//
// # Refutations
//
// Nothing sleeps, so nothing is refuted by not having come for a while. A Refute
// method waits until the endpoint is quiet: no mailbox holds a job, no callback of
// any channel runs, Terminate included, none of them has caused another one, and
// all that they sent has arrived. Then it looks. So it covers everything that the test
// has caused up to then through channels, and does so on a slow machine, too.
//
// It cannot know of three things. Goroutines and timers of the application may send
// something later: have the test wait for them. A connection that the server closes may
// have effects: expect the close first. And clients that the test connected without this
// package may have sent something that the server has not read yet.
//
// To find that out, Start puts its own callbacks around those of each
// [phx.ChannelType], clients send a heartbeat after each message and wait for its
// answer, and a Refute method broadcasts phxtest_sync on the topic in question, which
// clients of this package do not show.
//
// # Concurrency
//
// An [Endpoint] may be used by all goroutines of a test. A [Client] with its
// channels is for one at a time: the one that runs the test, because failing is
// only possible there (see testing.T.FailNow). Clients have no goroutine of their
// own; they read when something is expected.
package phxtest

// Package phxclient is a client of Phoenix Channels for services and bots: what the
// official JavaScript client is for pages.
//
//	client, err := phxclient.Dial(ctx, "wss://example.com/socket", phxclient.Config{AuthToken: token})
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	room := client.Channel("room:1", nil)
//	messages := room.Messages(ctx)
//	if _, err := room.Join(ctx); err != nil {
//		return err
//	}
//	answer, err := room.Request(ctx, "new_msg", map[string]any{"body": "hi"})
//	…
//	for m := range messages {
//		…
//	}
//
// It speaks WebSocket, without compression, neither long polling nor through an HTTP
// proxy, and is no load generator.
//
// # Connection and channels
//
// A [Client] has one connection. When that ends, whatever the Close code, 1000 and the
// 1012 of a server that restarts included, it connects again after a delay, and all its
// channels join again; only [Client.Close] is final. A channel that crashes (phx_error),
// or whose join has no answer within [Config.Timeout], joins again after a delay, too.
// One that the server closes (phx_close) has ended. Only [Dial] and [Channel.Join]
// return what went wrong at the first try, so that a wrong address or a refusal does
// not go unseen.
//
// What a server sends between the loss of a join and the next one is missed. Who must
// not be wrong about that fetches the state anew whenever [Channel.Messages] yields
// [Joined].
//
// # Bounds
//
// What waits to be sent, for the connection or for joins, has [Config.OutboxMax] bytes
// together; at that, Push and Request wait. What waits in a channel for the reader of
// Messages has [Config.InboxMax] bytes; at that, it is dropped, and the channel joins
// again, as after a crash: a message is never left out in silence. One channel that is
// read too slowly holds nobody else up. A message of the server beyond 10,000,000 bytes,
// or 8,000,000 if it comes in fragments, ends the connection with 1009.
//
// # Concurrency
//
// All methods may be called by several goroutines at a time. A client has two goroutines
// of its own, however many channels it has; they end before Close returns. None of them
// runs code of the application, [Config.Renew] and the delays apart.
package phxclient

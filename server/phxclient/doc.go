// Package phxclient is a client of Phoenix Channels for services and bots, as the
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
// A [Client] has one connection. When that ends, with whatever Close code, even 1000 or
// the 1012 of a server that restarts, it connects again after a delay, and all its
// channels join again; only [Client.Close] is final. A channel that crashes (phx_error),
// or whose join has no answer within [Config.Timeout], joins again after a delay, too.
// One that the server closes (phx_close) has ended. Only [Dial] and [Channel.Join]
// return the error of the first try, so that a wrong address or a refusal does not go
// unseen.
//
// Messages between the loss of a join and the next one are missed. If that matters,
// fetch the state anew whenever [Channel.Messages] yields [Joined].
//
// # Bounds
//
// Messages that wait to be sent, for the connection or for joins, have
// [Config.OutboxMax] bytes together; beyond that, Push and Request wait. Messages that
// wait in a channel for the reader of Messages have [Config.InboxMax] bytes; beyond that,
// they are dropped, and the channel joins again, as after a crash: no message is left out
// in silence. A channel that is read too slowly does not hold up the others. A message
// of the server beyond 10,000,000 bytes, or 8,000,000 if it comes in fragments, ends the
// connection with 1009.
//
// # Concurrency
//
// All methods may be called by several goroutines at a time. A client has two goroutines
// of its own, however many channels it has; they end before Close returns. They run no
// code of the application, except [Config.Renew] and the delays.
package phxclient

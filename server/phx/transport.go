package phx

import (
	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/server/frame"
)

// A transport carries packets to the client of one socket. A packet is a message
// in the transport's own form, which the socket's codec makes: a WebSocket frame
// or, for long polling, an element of a JSON array. So packets of a broadcast are
// the same bytes for all who share a codec, and several in a row can be sent as
// one. The methods may be called from any goroutine and do not wait.
type transport interface {
	// Send sends packets that are the caller's again afterwards.
	Send(packets []byte) error

	// SendShared sends packets that will never change.
	SendShared(packets []byte) error

	// Hold reports whether so much waits for the client that t, which would make
	// more, gets its turn on pool later; see poller.Conn.
	Hold(pool *poller.Pool, t poller.Turn) bool

	// Full reports whether Hold would make a turn wait, and has not for too long.
	Full() bool

	// Finish ends behind everything else. A client that can be told learns the
	// code of RFC 6455 §7.4 and the reason.
	Finish(code ws.StatusCode, reason string)

	// Kill ends at once and drops whatever waits.
	Kill(reason error)
}

// A webSocket is a connection as a transport: its packets are frames.
type webSocket struct{ *poller.Conn }

// Finish sends a Close frame with the code and the reason.
func (w webSocket) Finish(code ws.StatusCode, reason string) {
	w.Conn.Finish(frame.AppendClose(nil, code, reason))
}

package phx

import "github.com/roost-rt/roost/poller"

// A transport carries the frames of one socket to its client. For WebSockets it
// is the *poller.Conn itself, for long polling a session. Frames are complete,
// with their WebSocket headers, so that broadcasts are the same bytes for
// everybody. The methods may be called from any goroutine and do not wait.
type transport interface {
	// Send sends frames that are the caller's again afterwards.
	Send(frames []byte) error

	// SendShared sends frames that nobody will ever change.
	SendShared(frames []byte) error

	// Hold reports whether so much waits for the client that t, which would make
	// more, gets its turn on pool later; see poller.Conn.
	Hold(pool *poller.Pool, t poller.Turn) bool

	// Full reports whether Hold would make a turn wait.
	Full() bool

	// Finish sends a Close frame behind everything else, and ends.
	Finish(last []byte)

	// Kill ends at once. What waits is dropped.
	Kill(reason error)
}

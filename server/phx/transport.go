package phx

// A transport carries the frames of one socket to its client. For WebSockets it
// is the *poller.Conn itself, for long polling a session. Frames are complete,
// with their WebSocket headers, so that broadcasts are the same bytes for
// everybody. The methods may be called from any goroutine and do not wait.
type transport interface {
	// Send sends frames that are the caller's again afterwards.
	Send(frames []byte) error

	// SendShared sends frames that nobody will ever change.
	SendShared(frames []byte) error

	// Finish sends a Close frame behind everything else, and ends.
	Finish(last []byte)

	// Kill ends at once. What waits is dropped.
	Kill(reason error)
}

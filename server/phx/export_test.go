package phx

import (
	"log/slog"
	"net"
	"unsafe"
)

// What every client and every join costs at least, in bytes.
const (
	SocketSize  = unsafe.Sizeof(Socket{})
	ChannelSize = unsafe.Sizeof(Channel{})
)

// Feed is what the event loop does with bytes from the client. Nothing may come
// from the client meanwhile.
func (s *Socket) Feed(data []byte) {
	for len(data) > 0 {
		data = s.decode(data, s)
	}
}

// AcceptTLS accepts connections of ln as an endpoint with TLS does, until stop is
// called.
func AcceptTLS(ln net.Listener, log *slog.Logger) (stop func()) {
	l := serveTLS(&Endpoint{log: log}, ln, nil)
	return func() { l.Close(); l.wait() }
}

// Pass is Feed for one pass of the loop: it returns what is left for the next.
func (s *Socket) Pass(data []byte) (rest []byte) { return s.decode(data, s) }

// MailboxBytes is what the jobs that wait for the channel hold.
func (ch *Channel) MailboxBytes() int {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.mailbox.Bytes()
}

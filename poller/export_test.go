package poller

import "syscall"

// ListenTaking is Listen with an accept4(2) of the test's own; RawAccept is the
// real one.
func (p *Poller) ListenTaking(addr string, open func(*Conn) Handler, take func(fd int) (int, syscall.Errno)) (*Listener, error) {
	return p.listen(addr, open, take)
}

var RawAccept = rawAccept

package poller

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Dial opens a connection to remote without waiting for it. open is called on
// the connection's loop and returns the handler. Bytes sent before the
// connection is established wait in the outbound queue; Closed reports a
// failure to connect. local may be the zero Addr.
//
// The error is one of this machine: no descriptors, no ports for this pair of
// addresses (EADDRNOTAVAIL), the Poller closed (ErrStopped).
func (p *Poller) Dial(local netip.Addr, remote netip.AddrPort, open func(*Conn) Handler) error {
	if p.stopping.Load() {
		return fmt.Errorf("dial %s: %w", remote, ErrStopped)
	}
	fd, err := dial(local, remote, p.freeBind)
	if err != nil {
		return err
	}
	if err := p.adopt(fd, open); err != nil {
		return fmt.Errorf("dial %s: %w", remote, err)
	}
	return nil
}

func dial(local netip.Addr, remote netip.AddrPort, free bool) (_ int, err error) {
	family := unix.AF_INET
	if remote.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("dial %s: socket: %w", remote, err)
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return -1, fmt.Errorf("dial %s: %w", remote, err)
	}
	if local.IsValid() {
		// The port is chosen by connect, which knows the whole pair: bind alone
		// would need a port that is free towards everybody.
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return -1, fmt.Errorf("dial %s: %w", remote, err)
		}
		if free {
			if err := freeBind(fd, local); err != nil {
				return -1, fmt.Errorf("dial %s from %s: %w", remote, local, err)
			}
		}
		if err := unix.Bind(fd, sockaddr(netip.AddrPortFrom(local, 0))); err != nil {
			return -1, fmt.Errorf("dial %s from %s: bind: %w", remote, local, err)
		}
	}
	if err := unix.Connect(fd, sockaddr(remote)); err != nil && err != unix.EINPROGRESS {
		return -1, fmt.Errorf("dial %s: connect: %w", remote, err)
	}
	return fd, nil
}

// freeBind lets fd be bound to an address that is not of this host.
func freeBind(fd int, local netip.Addr) error {
	if local.Is4() {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_FREEBIND, 1)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1)
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

package tun

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// AddHost gives the namespace of the calling thread an address that servers can
// listen on, and switches loopback on, which has it.
func AddHost(host netip.Addr) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	all := netip.AddrFrom4([4]byte{255, 255, 255, 255})
	for _, step := range []struct {
		name    string
		request uint
		fill    func(*unix.Ifreq) error
	}{
		{"lo", unix.SIOCSIFFLAGS, up},
		{"lo:1", unix.SIOCSIFADDR, address(host)}, // lo's own stays 127.0.0.1
		{"lo:1", unix.SIOCSIFNETMASK, address(all)},
	} {
		if err := set(s, step.name, step.request, step.fill); err != nil {
			return fmt.Errorf("give loopback the address %s: %w", host, err)
		}
	}
	return nil
}

package order

import "net/netip"

// Loopback is the n-th address of 127.0.0.0/8, counted from 0: 127.0.0.1.
func Loopback(n int) netip.Addr {
	n++
	return netip.AddrFrom4([4]byte{127, byte(n >> 16), byte(n >> 8), byte(n)})
}

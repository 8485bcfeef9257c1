package tun

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
)

// CheckWay finds out whether a server's packets can come to a device of this network
// namespace: packets to clients come in where the way to the server goes out, and must be
// forwarded there. It cannot see whether the server's network has a route to the clients.
func CheckWay(server netip.AddrPort) error {
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(server)) // it sends nothing
	if err != nil {
		return fmt.Errorf("the way to %s: %w", server, err)
	}
	defer conn.Close()
	local := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr()
	if local == server.Addr() {
		return nil // it is of this host
	}
	name, err := interfaceOf(local)
	if err != nil {
		return fmt.Errorf("the way to %s: %w", server, err)
	}
	file := "/proc/sys/net/ipv4/conf/" + name + "/forwarding"
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if strings.TrimSpace(string(text)) != "1" {
		return fmt.Errorf("what %s sends to clients comes in at %s, which forwards nothing: set sysctl net.ipv4.conf.%s.forwarding=1", server, name, name)
	}
	return nil
}

// interfaceOf is the name of the interface that has an address.
func interfaceOf(a netip.Addr) (string, error) {
	all, err := net.Interfaces()
	if err != nil {
		return "", err
	}
	for i := range all {
		addrs, err := all[i].Addrs()
		if err != nil {
			return "", err
		}
		for _, has := range addrs {
			if p, err := netip.ParsePrefix(has.String()); err == nil && p.Addr() == a {
				return all[i].Name, nil
			}
		}
	}
	return "", fmt.Errorf("no interface has %s", a)
}

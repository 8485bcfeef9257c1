package tun

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Names and networks of devices.
const (
	prefix       = "vtcp"
	firstNetwork = 64 // 10.64.0.0/16
)

// setUp makes a device of an open /dev/net/tun, and switches it on.
func (d *Device) setUp(fd int) error {
	req, err := unix.NewIfreq(prefix + "%d") // the kernel counts
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	switch err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("make it: %w (it needs CAP_NET_ADMIN)", err)
	case err != nil:
		return fmt.Errorf("make it: %w (is /dev/net/tun one?)", err)
	}
	d.name = req.Name()
	elsewhere := d.config.Network.IsValid()
	if !elsewhere {
		n, err := strconv.Atoi(strings.TrimPrefix(d.name, prefix))
		if err != nil || n > 255-firstNetwork {
			return fmt.Errorf("%s has no addresses: they are for %d devices", d.name, 256-firstNetwork)
		}
		d.config.Network = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(firstNetwork + n)}), 16)
	}
	if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, unix.TUN_F_CSUM); err != nil {
		return fmt.Errorf("leave checksums to it: %w", err)
	}
	// Else IPv6 greets it with packets. A kernel without that has no such file.
	_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+d.name+"/disable_ipv6", []byte("1"), 0)
	// Else servers on 127.0.0.1 are for lo alone; or what clients send is for this host.
	way := "route_localnet"
	if elsewhere {
		way = "forwarding"
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/conf/"+d.name+"/"+way, []byte("1"), 0); err != nil {
		return err
	}
	if err := d.configure(); err != nil {
		return err
	}
	if d.config.Patience == 0 {
		return nil
	}
	if err := wait(d.index, d.config.Network, d.config.Patience); err != nil {
		return fmt.Errorf("have its route wait for acknowledgements: %w", err)
	}
	return nil
}

// configure sets what a device is born without. The last address of its network is
// its own, which makes a route to the others.
func (d *Device) configure() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	req, err := unix.NewIfreq(d.name)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(s, unix.SIOCGIFINDEX, req); err != nil {
		return fmt.Errorf("find it: %w", err)
	}
	d.index = int(req.Uint32())
	if err := unqueue(d.index); err != nil {
		return fmt.Errorf("take its queue away: %w", err)
	}
	for _, step := range []struct {
		what    string
		request uint
		fill    func(*unix.Ifreq) error
	}{
		{"MTU", unix.SIOCSIFMTU, number(uint32(d.config.MTU))},
		{"queue length", unix.SIOCSIFTXQLEN, number(uint32(d.config.Queue))},
		{"address", unix.SIOCSIFADDR, address(last(d.config.Network))},
		{"netmask", unix.SIOCSIFNETMASK, address(netip.AddrFrom4([4]byte(net.CIDRMask(d.config.Network.Bits(), 32))))},
		{"switch on", unix.SIOCSIFFLAGS, up},
	} {
		if err := set(s, d.name, step.request, step.fill); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

// set makes one request for a device, by any socket of its namespace, netdevice(7).
func set(s int, name string, request uint, fill func(*unix.Ifreq) error) error {
	req, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := fill(req); err != nil {
		return err
	}
	return unix.IoctlIfreq(s, request, req)
}

func up(r *unix.Ifreq) error {
	r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return nil
}

func number(n uint32) func(*unix.Ifreq) error {
	return func(r *unix.Ifreq) error { r.SetUint32(n); return nil }
}

func address(a netip.Addr) func(*unix.Ifreq) error {
	return func(r *unix.Ifreq) error { b := a.As4(); return r.SetInet4Addr(b[:]) }
}

// last is the last address of a network before that for all of it.
func last(p netip.Prefix) netip.Addr {
	a := p.Addr().As4()
	n := binary.BigEndian.Uint32(a[:]) | (1<<(32-p.Bits()) - 1) - 1
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
}

// unqueue replaces the queueing discipline of a device by noqueue: the device has
// a queue of its own, and a second one only costs, and drops at 500 packets. It is
// what "tc qdisc replace root noqueue" does, rtnetlink(7).
func unqueue(index int) error {
	ne := binary.NativeEndian
	m := make([]byte, 4)                  // struct tcmsg: family
	m = ne.AppendUint32(m, uint32(index)) //
	m = ne.AppendUint32(m, 0)             // handle
	m = ne.AppendUint32(m, root)
	m = ne.AppendUint32(m, 0)
	return ask(unix.RTM_NEWQDISC, attribute(m, kindAttribute, []byte("noqueue\x00")))
}

// wait has TCP send nothing again on the route to a network before so long has passed,
// like "ip route replace NETWORK dev DEVICE scope link rto_min TIME". The value is locked,
// as the kernel believes no other.
func wait(index int, network netip.Prefix, d time.Duration) error {
	ne := binary.NativeEndian
	ms := uint32((d + time.Millisecond - 1) / time.Millisecond)
	metrics := attribute(nil, unix.RTAX_LOCK, ne.AppendUint32(nil, 1<<unix.RTAX_RTO_MIN))
	metrics = attribute(metrics, unix.RTAX_RTO_MIN, ne.AppendUint32(nil, ms))
	m := []byte{ // struct rtmsg
		unix.AF_INET, byte(network.Bits()), 0, 0,
		unix.RT_TABLE_MAIN, unix.RTPROT_KERNEL, unix.RT_SCOPE_LINK, unix.RTN_UNICAST,
		0, 0, 0, 0,
	}
	m = attribute(m, unix.RTA_DST, network.Addr().AsSlice())
	m = attribute(m, unix.RTA_OIF, ne.AppendUint32(nil, uint32(index)))
	m = attribute(m, unix.RTA_METRICS, metrics)
	return ask(unix.RTM_NEWROUTE, m)
}

// attribute appends a struct rtattr with its value to a message, rtnetlink(7).
func attribute(m []byte, kind uint16, value []byte) []byte {
	m = binary.NativeEndian.AppendUint16(m, uint16(unix.SizeofRtAttr+len(value)))
	m = binary.NativeEndian.AppendUint16(m, kind)
	m = append(m, value...)
	return append(m, make([]byte, -len(value)&3)...)
}

// ask has the kernel make something of a kind, or replace it, netlink(7).
func ask(kind uint16, body []byte) error {
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	ne := binary.NativeEndian
	m := ne.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body))) // struct nlmsghdr
	m = ne.AppendUint16(m, kind)
	m = ne.AppendUint16(m, unix.NLM_F_REQUEST|unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_REPLACE)
	m = append(m, make([]byte, 8)...) // sequence number, port
	m = append(m, body...)
	if err := unix.Sendto(s, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(s, answer, 0)
	if err != nil {
		return err
	}
	if n < unix.SizeofNlMsghdr+4 {
		return fmt.Errorf("answer of %d bytes", n)
	}
	if errno := int32(ne.Uint32(answer[unix.SizeofNlMsghdr:])); errno != 0 { // struct nlmsgerr
		return unix.Errno(-errno)
	}
	return nil
}

// Constants of linux/pkt_sched.h and linux/rtnetlink.h.
const (
	root          = 0xffffffff // TC_H_ROOT
	kindAttribute = 1          // TCA_KIND
)

package swarm

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// discard is the port that they are sent to, RFC 863.
const discard = 9

// A prober sends datagrams to the virtual network, each with a moment in it. They
// are for no client.
type prober struct{ *net.UDPConn }

func newProber(network netip.Prefix) (*prober, error) {
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(network.Addr().Next(), discard)))
	if err != nil {
		return nil, err
	}
	return &prober{conn}, nil
}

// write sends what was due at a moment.
func (p *prober) write(due int64) {
	_, _ = p.Write(binary.BigEndian.AppendUint64(nil, uint64(due))) // lost at a full queue, which is counted there
}

// probed returns the moment in a datagram of a prober's.
func probed(packet []byte) (due int64, ok bool) {
	const headers, udp = 20 + 8, 17
	if len(packet) != headers+8 || packet[9] != udp {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(packet[headers:])), true
}

package vtcp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"
)

// Clients are found by their number: each address has 1<<portBits of them, with
// ports from firstPort on.
const (
	portBits  = 15
	firstPort = 16384
)

// ErrClosed is returned by what needs a connection that can still send.
var ErrClosed = errors.New("connection closed")

// A Config says how a Stack works.
type Config struct {
	// Records has one record for each client, all zero.
	Records []Record

	// Network is the IPv4 address before the one of the first 32,768 clients. The zero
	// Addr means 10.64.0.0.
	Network netip.Addr

	// MTU is the largest packet, in bytes, from 576 to 65,535. Zero means 1,500.
	MTU int

	// Send takes a packet on its way to a server. The bytes are lent. It is called
	// by the stack's methods, and must call none of them.
	Send func(packet []byte)

	// Partial says that the receiver of a packet completes its TCP checksum, or vouches
	// for it: the checksum covers the pseudo header alone.
	Partial bool

	// Claim waits until the fast path has ended with the packets that it has begun.
	// It is called after Fast was taken from a record, and before anything else of it
	// is read or written. Nil means that there is no fast path.
	Claim func()

	// Patience is the least time that a client waits for the acknowledgement of a segment,
	// except a SYN, before it sends it again. It is counted in ticks, and cut to a minute.
	// Less than 300 ms means 300 ms.
	Patience time.Duration

	// Timestamps offers the option of RFC 7323, as kernels do. It costs four bytes
	// a client, and twelve a segment.
	Timestamps bool
}

// Counts holds what a Stack has counted since it was made. All except Sent and Taken are
// signs of a link that loses, doubles or reorders packets, or of a stranger.
type Counts struct {
	Sent, Taken   int64 // packets
	Retransmitted int64 // packets that were sent again
	Early         int64 // segments that came before another that is missing: dropped
	Repeated      int64 // segments whose bytes had come
	Malformed     int64 // packets that are no TCP segment, or whose checksum is wrong
	Stray         int64 // segments to no connection
	GivenUp       int64 // connections whose peer acknowledged nothing any more
}

// A Stack is the TCP of many clients.
type Stack struct {
	config  Config
	network uint32
	records []Record
	recent  []uint32 // by client: the last TSval of its server; nil without timestamps
	servers []server
	flights map[uint32]*flight // by client; of those that wait for an acknowledgement
	wheel   wheel
	wait    uint32 // ticks until the first retransmission
	counts  Counts

	owing   int      // the client that owes an ACK, or -1
	packet  []byte   // the one under way
	options [16]byte // likewise
	due     []uint32 // clients whose deadline may have come
	failed  []uint32 // clients that have given up
}

// A server is one that clients talk to.
type server struct {
	endpoint
	mss int // what a segment to it may hold, in bytes
}

// New makes a Stack.
func New(c Config) (*Stack, error) {
	if !c.Network.IsValid() {
		c.Network = netip.AddrFrom4([4]byte{10, 64})
	}
	if c.MTU == 0 {
		c.MTU = 1500
	}
	switch {
	case !c.Network.Is4():
		return nil, fmt.Errorf("vtcp: Network %s: want an IPv4 address", c.Network)
	case c.MTU < 576 || c.MTU > math.MaxUint16:
		return nil, fmt.Errorf("vtcp: MTU %d: want 576 to 65535", c.MTU)
	case c.Send == nil:
		return nil, errors.New("vtcp: Send is nil: want what takes packets")
	}
	s := &Stack{
		config:  c,
		network: address(c.Network),
		records: c.Records,
		flights: make(map[uint32]*flight),
		wait:    uint32(min(max(c.Patience/Tick, firstWait), longestWait)),
		owing:   -1,
		packet:  make([]byte, c.MTU),
	}
	if c.Timestamps {
		s.recent = make([]uint32, len(c.Records))
	}
	return s, nil
}

// Counts are those until now.
func (s *Stack) Counts() Counts { return s.counts }

// Most returns how many clients can have addresses of a network. The last address before
// the broadcast address belongs to their device.
func Most(network netip.Prefix) int {
	return max(0, 1<<(32-network.Bits())-3) << portBits
}

// Addr is where a client sends from.
func (s *Stack) Addr(i int) netip.AddrPort {
	e := s.endpoint(i)
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, e.addr))), e.port)
}

func (s *Stack) endpoint(i int) endpoint {
	return endpoint{s.network + 1 + uint32(i>>portBits), uint16(firstPort + i&(1<<portBits-1))}
}

// client is the number of the client that has an endpoint, or -1.
func (s *Stack) client(e endpoint) int {
	i := int(e.addr-s.network-1)<<portBits | int(e.port-firstPort)
	if e.addr <= s.network || e.port < firstPort || e.port-firstPort >= 1<<portBits || i >= len(s.records) {
		return -1
	}
	return i
}

// Dial opens a connection: an Event tells the result. It forgets any connection before.
// Bytes sent before the connection stands wait.
func (s *Stack) Dial(i int, to netip.AddrPort) error {
	peer, err := s.peer(to)
	if err != nil {
		return err
	}
	r := &s.records[i]
	s.claim(r)
	first := r.SndNxt + 1<<16 // later than all that the last connection has sent: RFC 9293 §3.6.1
	if r.SndNxt == 0 {
		first = 1<<28 + uint32(i)*64
	}
	if s.recent != nil {
		s.recent[i] = 0
	}
	r.SndNxt = first + 1
	r.State, r.Flags, r.Tries, r.Peer, r.Timer = SynSent, 0, 0, peer, 0
	s.fly(i, first)
	s.emit(i, syn, first, nil)
	return nil
}

// peer is the place of a server in the list.
func (s *Stack) peer(to netip.AddrPort) (uint16, error) {
	if !to.Addr().Unmap().Is4() {
		return 0, fmt.Errorf("dial %s: want an IPv4 address", to)
	}
	e := endpoint{address(to.Addr().Unmap()), to.Port()}
	for i := range s.servers {
		if s.servers[i].endpoint == e {
			return uint16(i), nil
		}
	}
	if len(s.servers) > math.MaxUint16 {
		return 0, fmt.Errorf("dial %s: too many servers: at most 65536", to)
	}
	s.servers = append(s.servers, server{e, s.config.MTU - ipHeader - tcpHeader})
	return uint16(len(s.servers) - 1), nil
}

func address(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

// Send sends b, which may be reused at once: while it is not acknowledged, a copy
// is kept. How much may wait is the caller's to bound.
func (s *Stack) Send(i int, b []byte) error { return s.send(i, b, false) }

// SendShared is Send for bytes that will never change.
func (s *Stack) SendShared(i int, b []byte) error { return s.send(i, b, true) }

func (s *Stack) send(i int, b []byte, shared bool) error {
	r := &s.records[i]
	if r.State != SynSent && r.State != Established {
		return ErrClosed
	}
	if len(b) == 0 {
		return nil
	}
	f := s.flights[uint32(i)]
	if f == nil {
		f = s.fly(i, r.SndNxt)
	}
	f.add(b, shared)
	s.pump(i, f)
	return nil
}

// Waiting is how many bytes a client has sent that are not acknowledged.
func (s *Stack) Waiting(i int) int {
	if f := s.flights[uint32(i)]; f != nil {
		return len(f.data)
	}
	return 0
}

// Close sends what waits and then FIN. The client takes no more data; an Event
// tells the end, which the server can put off forever.
func (s *Stack) Close(i int) {
	r := &s.records[i]
	switch r.State {
	case SynSent:
		s.end(i)
	case Established:
		r.State = FinWait
		s.finish(i)
	}
}

// Abort ends a connection at once: the server gets RST. No Event follows.
func (s *Stack) Abort(i int) {
	s.claim(&s.records[i])
	if s.records[i].State > SynSent {
		s.emit(i, rst|ack, s.records[i].SndNxt, nil)
	}
	s.end(i)
}

// end forgets a connection.
func (s *Stack) end(i int) {
	r := &s.records[i]
	r.State, r.Flags, r.Timer = Closed, 0, 0
	delete(s.flights, uint32(i))
	if s.owing == i {
		s.owing = -1
	}
}

// Claim takes a client's record from the fast path, until Settle gives it back.
// What the path has received for it is final then. Take and what sends do so, too.
func (s *Stack) Claim(i int) { s.claim(&s.records[i]) }

// claim takes a record from the fast path, if that has it.
func (s *Stack) claim(r *Record) {
	if r.Flags&Fast == 0 {
		return
	}
	r.setFast(false)
	if s.config.Claim != nil {
		s.config.Claim()
	}
}

// Stall makes a client read no more: its window is 0 until Resume.
func (s *Stack) Stall(i int) {
	s.claim(&s.records[i])
	s.records[i].Flags |= stalled
	s.acknowledge(i)
}

// Resume makes it read again. The server learns so at once.
func (s *Stack) Resume(i int) {
	s.records[i].Flags &^= stalled
	s.acknowledge(i)
}

// acknowledge sends an ACK for all that has come, if there is a connection.
func (s *Stack) acknowledge(i int) {
	if r := &s.records[i]; r.State > SynSent {
		s.emit(i, ack, r.SndNxt, nil)
	}
}

// emit sends one segment of a client.
func (s *Stack) emit(i int, flags uint8, seq uint32, data []byte) {
	r := &s.records[i]
	out := segment{from: s.endpoint(i), to: s.servers[r.Peer].endpoint, seq: seq, flags: flags, window: Window, data: data}
	if r.Flags&stalled != 0 {
		out.window = 0
	}
	if flags&ack != 0 {
		out.ack = r.RcvNxt
		if s.owing == i {
			s.owing = -1
		}
	}
	s.transmit(&out, s.outOptions(i, flags))
}

// outOptions returns the options of a segment, RFC 9293 §3.2 and RFC 7323 §3.2.
func (s *Stack) outOptions(i int, flags uint8) []byte {
	b := s.options[:0]
	if flags&syn != 0 {
		b = append(b, optionMSS, 4)
		b = binary.BigEndian.AppendUint16(b, uint16(s.config.MTU-ipHeader-tcpHeader))
	}
	if s.recent != nil && (flags&syn != 0 || s.records[i].Flags&stamped != 0) {
		b = append(b, optionNop, optionNop, optionTimestamp, 10)
		b = binary.BigEndian.AppendUint32(b, Stamp(s.wheel.now))
		b = binary.BigEndian.AppendUint32(b, s.recent[i])
	}
	return b
}

func (s *Stack) transmit(out *segment, options []byte) {
	s.counts.Sent++
	s.config.Send(build(s.packet, out, options, s.config.Partial))
}

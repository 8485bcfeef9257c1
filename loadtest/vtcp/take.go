package vtcp

import "syscall"

// An Event tells what a segment or the time has brought to a client.
type Event struct {
	Client  int    // -1: nothing has come to any
	Data    []byte // what the server has sent, in order; lent until the next call of the stack
	Closed  bool   // the connection has ended, after Data
	Err     error  // why; nil if the server has closed it
	Expired bool   // its deadline has come
}

// Take takes a packet of a server. vouched says that its checksums are right for sure.
// Handle the event, then call Settle for its client.
//
// An error of an event is ECONNREFUSED or ECONNRESET, as a kernel has them.
func (s *Stack) Take(packet []byte, vouched bool) Event {
	s.counts.Taken++
	in, ok := parse(packet, vouched)
	if !ok {
		s.counts.Malformed++
		return Event{Client: -1}
	}
	i := s.client(in.to)
	if i < 0 || s.records[i].State == Closed || s.servers[s.records[i].Peer].endpoint != in.from {
		s.counts.Stray++
		s.refuse(&in)
		return Event{Client: -1}
	}
	r := &s.records[i]
	s.claim(r)
	if r.State == SynSent {
		return s.answered(i, &in)
	}
	return s.arrived(i, &in)
}

// refuse answers a segment to no connection, RFC 9293 §3.10.7.1.
func (s *Stack) refuse(in *segment) {
	if in.flags&rst != 0 {
		return
	}
	out := segment{from: in.to, to: in.from, flags: rst | ack, ack: in.seq + in.length()}
	if in.flags&ack != 0 {
		out.flags, out.seq, out.ack = rst, in.ack, 0
	}
	s.transmit(&out, nil)
}

// answered takes the answer to SYN, RFC 9293 §3.10.7.3.
func (s *Stack) answered(i int, in *segment) Event {
	r := &s.records[i]
	switch {
	case in.flags&ack != 0 && in.ack != r.SndNxt: // it is for the connection before
		s.refuse(in)
	case in.flags&(rst|ack) == rst|ack:
		s.end(i)
		return Event{Client: i, Closed: true, Err: syscall.ECONNREFUSED}
	case in.flags&(rst|syn|ack) == syn|ack:
		s.established(i, in)
	}
	return Event{Client: i}
}

// established begins the connection. The ACK waits for what may go with it.
func (s *Stack) established(i int, in *segment) {
	r := &s.records[i]
	r.State, r.Tries = Established, 0
	r.RcvNxt = in.seq + 1
	peer := &s.servers[r.Peer]
	if in.mss == 0 {
		in.mss = 536 // RFC 9293 §3.7.1
	}
	peer.mss = min(peer.mss, max(in.mss, 64))
	if s.recent != nil && in.stamped {
		r.Flags |= stamped
		s.recent[i] = in.stamp
	}
	s.owing = i
	f := s.flights[uint32(i)]
	f.una, f.due = in.ack, s.wheel.now+s.wait // SYN is no byte of data
	s.acknowledged(i, in)
}

// arrived takes a segment of a connection that stands, RFC 9293 §3.10.7.4.
func (s *Stack) arrived(i int, in *segment) Event {
	r := &s.records[i]
	next := r.RcvNxt
	switch ahead := int32(in.seq - next); {
	case in.flags&rst != 0:
		return s.reset(i, ahead)
	case in.flags&syn != 0, in.flags&ack != 0 && after(in.ack, r.SndNxt):
		s.acknowledge(i) // RFC 5961 §4.2
		return Event{Client: i}
	case in.flags&ack == 0:
		return Event{Client: i}
	case ahead > Window:
		s.acknowledge(i)
		return Event{Client: i}
	case ahead < 0 && in.length() == 0: // a probe: RFC 9293 §3.8.4, §3.8.6.1
		s.acknowledge(i)
	}
	if s.recent != nil && in.stamped && !after(in.seq, next) && !after(s.recent[i], in.stamp) {
		s.recent[i] = in.stamp
	}
	s.acknowledged(i, in)
	if in.length() == 0 || r.State == Closed {
		return Event{Client: i}
	}
	return s.received(i, in, next)
}

// reset takes RST: only the one that is next is believed, RFC 5961 §3.2.
func (s *Stack) reset(i int, ahead int32) Event {
	if ahead == 0 {
		told := s.records[i].State == LastAck
		if s.end(i); told {
			return Event{Client: i}
		}
		return Event{Client: i, Closed: true, Err: syscall.ECONNRESET}
	}
	if ahead > 0 && ahead <= Window {
		s.acknowledge(i)
	}
	return Event{Client: i}
}

// received takes the data of a segment, and its FIN.
func (s *Stack) received(i int, in *segment, next uint32) Event {
	r := &s.records[i]
	data, ends := in.data, in.flags&fin != 0
	old := int(next - in.seq) // bytes that have come before
	switch {
	case after(in.seq, next):
		s.counts.Early++
	case old > len(data), old == len(data) && !ends, r.State == LastAck:
		s.counts.Repeated++
	case r.Flags&stalled != 0 && len(data) > old: // it was told that there is no room
	default:
		data = data[old:]
		end := next + uint32(len(data))
		if ends {
			end++
		}
		r.RcvNxt = end
		s.owing = i
		return s.delivered(i, data, ends)
	}
	s.acknowledge(i)
	return Event{Client: i}
}

// delivered is the event of data that came in order.
func (s *Stack) delivered(i int, data []byte, ends bool) Event {
	e := Event{Client: i, Data: data, Closed: ends}
	r := &s.records[i]
	if r.State == FinWait {
		e.Data = nil // the client has closed and does not read it
	}
	if !ends {
		return e
	}
	r.Timer = 0
	switch waits := s.flights[uint32(i)] != nil; {
	case r.State == FinWait && !waits: // its own FIN is acknowledged
		s.acknowledge(i)
		s.end(i)
	case r.State == FinWait:
		r.State = LastAck // CLOSING
	default:
		r.State = LastAck
		s.finish(i)
	}
	return e
}

// Settle ends the handling of an event: the ACK goes out if nothing has taken it
// along. whole says that the client has no partial frame: then the fast path may
// take what comes.
func (s *Stack) Settle(i int, whole bool) {
	if i < 0 {
		return
	}
	if s.owing == i {
		s.acknowledge(i)
	}
	r := &s.records[i]
	if whole && r.State == Established && r.Flags&stalled == 0 && s.flights[uint32(i)] == nil {
		r.setFast(true)
	}
}

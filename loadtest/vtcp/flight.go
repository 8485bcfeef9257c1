package vtcp

// Times of retransmission, in ticks, and how often a segment is sent again. A SYN first
// waits as RFC 6298 §2.1 says, other segments somewhat longer than a kernel's, which has
// no ticks, or longer still if Config.Patience says so. The time doubles with each try, up
// to the longest.
const (
	synWait     = 10
	firstWait   = 3
	longestWait = 600
	mostTries   = 7
)

// A flight holds the data of one client that its server has not acknowledged.
type flight struct {
	una    uint32 // sequence number of the first byte of data; of the SYN while that is out
	data   []byte // never changed: it may be shared, unless
	owned  bool   // it is the flight's own, with the room behind it
	sent   int    // of data
	window int    // of the server: it takes so many bytes from una on
	fin    bool   // FIN follows data
	due    uint32 // when it is sent again
}

// fly begins a client's flight at a sequence number.
func (s *Stack) fly(i int, from uint32) *flight {
	f := &flight{una: from, window: Window, due: s.wheel.now + s.wait}
	s.flights[uint32(i)] = f
	s.claim(&s.records[i])
	s.records[i].Tries = 0
	if s.records[i].State == SynSent {
		f.due = s.wheel.now + synWait
	}
	return f
}

// add puts bytes behind those that wait, without a copy if they are alone and
// shared.
func (f *flight) add(b []byte, shared bool) {
	switch {
	case shared && len(f.data) == 0:
		f.data, f.owned = b, false
	case f.owned:
		f.data = append(f.data, b...)
	default:
		f.data, f.owned = append(f.data[:len(f.data):len(f.data)], b...), true
	}
}

// finish sends FIN behind what waits.
func (s *Stack) finish(i int) {
	f := s.flights[uint32(i)]
	if f == nil {
		f = s.fly(i, s.records[i].SndNxt)
	}
	f.fin = true
	s.pump(i, f)
}

// pump sends what the window allows and was not sent.
func (s *Stack) pump(i int, f *flight) {
	r := &s.records[i]
	if r.State == SynSent {
		return
	}
	mss := s.servers[r.Peer].mss
	if r.Flags&stamped != 0 {
		mss -= 12
	}
	for f.sent < min(len(f.data), f.window) {
		n := min(mss, len(f.data)-f.sent, f.window-f.sent)
		s.launch(i, f, n)
	}
	if last := f.una + uint32(len(f.data)); f.fin && f.sent == len(f.data) && r.SndNxt == last {
		r.SndNxt = last + 1
		s.emit(i, fin|ack, last, nil)
	}
}

// launch sends the next n bytes.
func (s *Stack) launch(i int, f *flight, n int) {
	r := &s.records[i]
	seq := f.una + uint32(f.sent)
	f.sent += n
	if next := seq + uint32(n); after(next, r.SndNxt) {
		r.SndNxt = next
	}
	s.emit(i, psh|ack, seq, f.data[f.sent-n:f.sent])
}

// acknowledged takes what a segment acknowledges, and the window that it has.
func (s *Stack) acknowledged(i int, in *segment) {
	f := s.flights[uint32(i)]
	if f == nil || after(f.una, in.ack) {
		return
	}
	r := &s.records[i]
	opened := f.window == 0 && in.window > 0
	f.window = int(in.window)
	n := int(in.ack - f.una)
	if n > 0 || in.window == 0 { // a server that is only full is alive, RFC 9293 §3.8.6.1
		r.Tries, f.due = 0, s.wheel.now+s.wait
	}
	f.una = in.ack
	if f.fin && n > len(f.data) {
		delete(s.flights, uint32(i))
		if r.State == LastAck {
			s.end(i)
		}
		return
	}
	f.data, f.sent = f.data[n:], max(f.sent-n, 0)
	switch {
	case len(f.data) == 0 && !f.fin:
		delete(s.flights, uint32(i))
	case opened:
		f.sent = 0 // the server has dropped what came while it was full
		fallthrough
	default:
		s.pump(i, f)
	}
}

// retransmit sends again what has waited too long, and gives up what was sent
// often enough.
func (s *Stack) retransmit() {
	for n, f := range s.flights {
		i, r := int(n), &s.records[n]
		switch {
		case after(f.due, s.wheel.now):
		case r.Tries == mostTries:
			s.counts.GivenUp++
			if r.State != LastAck { // that one's end was told
				s.failed = append(s.failed, n)
			}
			s.Abort(i)
		default:
			r.Tries++
			wait := s.wait
			if r.State == SynSent {
				wait = synWait
			}
			f.due = s.wheel.now + min(wait<<r.Tries, longestWait)
			s.again(i, f)
		}
	}
}

// again sends all that is not acknowledged, as far as the window goes; of what
// waits for a window a byte, to ask for one.
func (s *Stack) again(i int, f *flight) {
	r := &s.records[i]
	before, last := s.counts.Sent, f.una+uint32(len(f.data))
	closed := f.fin && after(r.SndNxt, last)
	f.sent = 0
	switch {
	case r.State == SynSent:
		s.emit(i, syn, f.una, nil)
	case f.window == 0 && len(f.data) > 0:
		s.launch(i, f, 1)
	default:
		s.pump(i, f)
	}
	if closed && f.sent == len(f.data) {
		s.emit(i, fin|ack, last, nil)
	}
	s.counts.Retransmitted += s.counts.Sent - before
}

// after reports whether a sequence number, or a tick, is later than another.
func after(a, b uint32) bool { return int32(a-b) > 0 }

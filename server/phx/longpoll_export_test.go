package phx

// WaitingPolls is how many sessions have a GET that waits for messages.
func (ep *Endpoint) WaitingPolls() (n int) {
	ep.eachPolled(func(s *Socket) {
		p := s.transport.(*pollSession)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.waiting != nil {
			n++
		}
	})
	return n
}

// WaitingPosts is how many POSTs wait for another of their session.
func (ep *Endpoint) WaitingPosts() (n int) {
	ep.eachPolled(func(s *Socket) {
		p := s.transport.(*pollSession)
		p.mu.Lock()
		defer p.mu.Unlock()
		n += len(p.posts)
	})
	return n
}

// LastPollFrom is the address of the client whose GET waits for messages.
func (ep *Endpoint) LastPollFrom() (addr string) {
	ep.eachPolled(func(s *Socket) {
		p := s.transport.(*pollSession)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.waiting != nil {
			addr = p.waiting.conn.RemoteAddr().String()
		}
	})
	return addr
}

// BufferedPolls is how many bytes wait for clients to poll.
func (ep *Endpoint) BufferedPolls() (n int) {
	ep.eachPolled(func(s *Socket) {
		p := s.transport.(*pollSession)
		p.mu.Lock()
		defer p.mu.Unlock()
		n += p.messages.size
	})
	return n
}

// SentPolls is how many bytes of answers there are that clients have not confirmed by
// another poll.
func (ep *Endpoint) SentPolls() (n int) {
	ep.eachPolled(func(s *Socket) {
		p := s.transport.(*pollSession)
		p.mu.Lock()
		defer p.mu.Unlock()
		n += p.sent.size
	})
	return n
}

// Reparcel decodes a parcel and encodes it again.
func Reparcel(b []byte) ([]byte, error) {
	p, err := decodeParcel(b)
	if err != nil {
		return nil, err
	}
	return p.encode(), nil
}

// MaxOutcomes is how many outcomes of a node's requests are kept.
const MaxOutcomes = maxOutcomes

// Outcomes are those of requests 1 to n, whose outcome is 200, as get then tells them;
// those that may have been forgotten are -1, those that never were 0.
func Outcomes(n uint64) (get func(n uint64) int) {
	taken := takenPosts{of: make(map[uint64]*outcomes)}
	for i := range n {
		taken.set(requestID{7, i + 1}, 0)
		taken.set(requestID{7, i + 1}, 200)
	}
	return func(n uint64) int {
		outcome, _ := taken.get(requestID{7, n})
		return outcome
	}
}

// TakenStarts is of how many nodes' starts outcomes are kept after POSTs of n.
func TakenStarts(n uint64) int {
	taken := takenPosts{of: make(map[uint64]*outcomes)}
	for i := range n {
		taken.set(requestID{i, 1}, 200)
	}
	return len(taken.of)
}

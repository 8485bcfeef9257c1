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
		n += len(p.messages)
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
		if p.last != nil {
			n += len(p.last.sent)
		}
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

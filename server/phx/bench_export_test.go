package phx

// Waiting is how many bytes the kernel has not taken yet.
func (s *Socket) Waiting() int { return s.conn().Waiting() }

package kernel

// Took exports took.
func (s *State) Took(key, value string) { s.took(key, value) }

package frame

// Idle reports whether d remembers nothing.
func (d *Decoder) Idle() bool { return d.p == nil }

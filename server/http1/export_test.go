package http1

// Between is between.
func (f *Framer) Between() bool { return f.between() }

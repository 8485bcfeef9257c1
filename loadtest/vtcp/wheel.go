package vtcp

// The wheel looks 1<<wheelBits ticks ahead, one by one, and as many periods of
// that length.
const wheelBits = 10

// Horizon is the longest deadline, in ticks.
const Horizon = 1<<(2*wheelBits) - 1<<wheelBits - 1

// A wheel finds the clients whose deadline has come. It holds a number for each
// deadline that was set, four bytes, and none of those that were moved is taken
// out: what counts is the record's Timer when the number comes up.
type wheel struct {
	now   uint32
	ticks [1 << wheelBits][]uint32 // of the period under way
	later [1 << wheelBits][]uint32 // by period
}

// add puts a client where its deadline is, which is later than now by at most the
// horizon.
func (w *wheel) add(i, deadline uint32) {
	b := &w.later[deadline>>wheelBits%uint32(len(w.later))]
	if deadline>>wheelBits == w.now>>wheelBits {
		b = &w.ticks[deadline%uint32(len(w.ticks))]
	}
	*b = append(*b, i)
}

// advance moves to the next tick, and returns clients whose deadline may be now. It lets
// go the memory of a bucket, or a crowd that moves round the wheel would leave its size in
// all of them.
func (w *wheel) advance(records []Record) []uint32 {
	w.now++
	if w.now%uint32(len(w.ticks)) == 0 {
		b := &w.later[w.now>>wheelBits%uint32(len(w.later))]
		begun := *b
		*b = nil
		for _, i := range begun {
			if t := records[i].Timer; t>>wheelBits == w.now>>wheelBits {
				w.add(i, t)
			}
		}
	}
	b := &w.ticks[w.now%uint32(len(w.ticks))]
	due := *b
	*b = nil
	return due
}

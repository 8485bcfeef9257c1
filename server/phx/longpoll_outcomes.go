package phx

// maxOutcomes is how many outcomes of requests are kept for each node: enough for some
// seconds, and an outcome is asked for within one or two.
const maxOutcomes = 4096

// unknownOutcome stands for the outcome of a request that may have been forgotten.
const unknownOutcome = -1

// outcomes holds the outcomes of the requests of one start of a node, by their numbers,
// because a parcel that tells one may be lost and asked for again. The oldest are
// forgotten, but not their numbers: no request is ever mistaken for a new one.
type outcomes struct {
	of        map[uint64]int
	order     []uint64 // a ring: the numbers in of
	next      int      // of it
	forgotten uint64   // the highest number that was
}

// set keeps the outcome of a request.
func (o *outcomes) set(n uint64, outcome int) {
	if o.of == nil {
		o.of = make(map[uint64]int)
	}
	if _, known := o.of[n]; !known {
		o.add(n)
	}
	o.of[n] = outcome
}

func (o *outcomes) add(n uint64) {
	if len(o.order) < maxOutcomes {
		o.order = append(o.order, n)
		return
	}
	oldest := o.order[o.next]
	delete(o.of, oldest)
	o.forgotten = max(o.forgotten, oldest)
	o.order[o.next] = n
	o.next = (o.next + 1) % maxOutcomes
}

// get returns the outcome of a request, or unknownOutcome. ok is false if there is none.
func (o *outcomes) get(n uint64) (outcome int, ok bool) {
	outcome, ok = o.of[n]
	if !ok && n <= o.forgotten {
		return unknownOutcome, true
	}
	return outcome, ok
}

// A takenPosts is the outcomes of POSTs that other nodes have sent, by their starts: a
// status, or 0 while the messages are being taken.
type takenPosts struct {
	of     map[uint64]*outcomes
	starts []uint64 // in the order of their first POSTs
}

// maxStarts is how many starts of nodes have outcomes: the latest ones.
const maxStarts = 1024

func (t *takenPosts) set(r requestID, status int) {
	o := t.of[r.start]
	if o == nil {
		if len(t.starts) == maxStarts {
			delete(t.of, t.starts[0])
			t.starts = t.starts[1:]
		}
		o = new(outcomes)
		t.of[r.start] = o
		t.starts = append(t.starts, r.start)
	}
	o.set(r.n, status)
}

func (t *takenPosts) get(r requestID) (status int, ok bool) {
	if o := t.of[r.start]; o != nil {
		return o.get(r.n)
	}
	return 0, false
}

package pubsub

// page is how many subscribers are stored together.
const page = 256

// A roster is a list of subscribers in pages, so that adding or removing one moves no
// others, however many there are. Only the first page grows by copying, as most topics
// are small; beyond it, growing copies one pointer a page.
type roster struct {
	first []Subscriber // up to page of them
	more  []*[page]Subscriber
	n     uint32 // of subscribers
}

// slot returns the place of subscriber i.
func (r *roster) slot(i uint32) *Subscriber {
	if i < page {
		return &r.first[i]
	}
	return &r.more[i/page-1][i%page]
}

// push appends a subscriber.
func (r *roster) push(sub Subscriber) {
	switch {
	case r.n < page:
		r.first = append(r.first[:r.n], sub)
	case int(r.n/page) > len(r.more):
		r.more = append(r.more, new([page]Subscriber))
		fallthrough
	default:
		*r.slot(r.n) = sub
	}
	r.n++
}

// pop removes the last one and returns it. A page is freed once it and half of the one
// before are empty, so that a subscriber that comes and goes at its edge does not
// allocate one each time.
func (r *roster) pop() Subscriber {
	r.n--
	sub := *r.slot(r.n)
	*r.slot(r.n) = nil
	if last := len(r.more); last > 0 && r.n+page/2 == uint32(last)*page {
		r.more[last-1] = nil
		r.more = r.more[:last-1]
	}
	return sub
}

// read fills dst with the subscribers from number i on, up to end, and returns how
// many.
func (r *roster) read(dst []Subscriber, i, end uint32) (n int) {
	for n < len(dst) && i < end {
		lie := r.first
		if i >= page {
			lie = r.more[i/page-1][:]
		}
		k := copy(dst[n:], lie[i%page:min(end-i/page*page, page)])
		n, i = n+k, i+uint32(k)
	}
	return n
}

package phx

// channels are those of a socket in the order of their joins, guarded by it.
// They are a list because most sockets have one, which then costs no more than
// its link, and looked through one by one because they are few.
type channels struct{ first *Channel }

func (l *channels) find(topic string) *Channel {
	for ch := l.first; ch != nil; ch = ch.next {
		if ch.topic == topic {
			return ch
		}
	}
	return nil
}

func (l *channels) add(ch *Channel) {
	link := &l.first
	for *link != nil {
		link = &(*link).next
	}
	*link = ch
}

// remove takes a channel out, if it is there.
func (l *channels) remove(ch *Channel) {
	for link := &l.first; *link != nil; link = &(*link).next {
		if *link == ch {
			*link, ch.next = ch.next, nil
			return
		}
	}
}

func (l *channels) len() (n int) {
	for ch := l.first; ch != nil; ch = ch.next {
		n++
	}
	return n
}

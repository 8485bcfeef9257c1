package poller

// maxVisits is how many connections are looked at in one pass, for an operator: there may
// be a million of them, for which clients must not wait.
const maxVisits = 256

// each calls do for every open connection, and done when that is over.
func (l *loop) each(do func(*Conn), done func()) {
	l.visit(func(from int) (next int) {
		next = min(from+maxVisits, len(l.set.conns))
		for _, c := range l.set.conns[from:next] { // of other Pollers, too
			if c != nil && c.loop == l && c.handler != nil {
				do(c)
			}
		}
		return rest(next, len(l.set.conns))
	}, done)
}

// rest is where to go on, or 0 if that is the end.
func rest(next, end int) int {
	if next == end {
		return 0
	}
	return next
}

// visit calls some on the loop, once a pass, from where the call before says, until that
// is 0.
func (l *loop) visit(some func(from int) (next int), done func()) {
	from := 0
	var pass func()
	pass = func() {
		at := from
		from = 0 // if it panics, too
		defer func() {
			if from == 0 || !l.post(pass) {
				done()
			}
		}()
		from = some(at)
	}
	if !l.post(pass) {
		done()
	}
}

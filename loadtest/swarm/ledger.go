package swarm

import "slices"

// A ledger is what one client knows of the messages of its room's writer, which
// are numbered 1, 2, 3 and so on. The zero value has received nothing.
type ledger struct {
	top     int32   // the highest number received
	missing *[]span // below top, ascending; nil for nearly all clients
}

// A span is the numbers First to Last.
type span struct {
	First int32 `json:"first"`
	Last  int32 `json:"last"`
}

func (s span) length() int64 { return int64(s.Last - s.First + 1) }

// A receipt is what a ledger says to a number.
type receipt int

const (
	inOrder   receipt = iota // new, above all others
	reordered                // new, but a later one was here first
	duplicate                // was here before
)

// receive enters one message.
func (l *ledger) receive(n int32) receipt {
	switch {
	case n == l.top+1:
		l.top = n
		return inOrder
	case n > l.top:
		if l.missing == nil {
			l.missing = new([]span)
		}
		*l.missing = append(*l.missing, span{l.top + 1, n - 1})
		l.top = n
		return inOrder
	case l.fill(n):
		return reordered
	}
	return duplicate
}

// fill takes n out of the missing ones.
func (l *ledger) fill(n int32) bool {
	if l.missing == nil {
		return false
	}
	spans := *l.missing
	i := slices.IndexFunc(spans, func(s span) bool { return s.First <= n && n <= s.Last })
	if i < 0 {
		return false
	}
	var rest []span
	if s := spans[i]; s.First < n {
		rest = append(rest, span{s.First, n - 1})
	}
	if s := spans[i]; n < s.Last {
		rest = append(rest, span{n + 1, s.Last})
	}
	*l.missing = slices.Replace(spans, i, i+1, rest...)
	return true
}

// has reports whether n was received.
func (l *ledger) has(n int32) bool {
	if n > l.top || l.missing == nil {
		return n <= l.top
	}
	return !slices.ContainsFunc(*l.missing, func(s span) bool { return s.First <= n && n <= s.Last })
}

// lost is what is missing of the numbers 1 to sent.
func (l *ledger) lost(sent int32) []span {
	var lost []span
	if l.missing != nil {
		lost = slices.Clone(*l.missing)
	}
	if l.top < sent {
		lost = append(lost, span{l.top + 1, sent})
	}
	return lost
}

// without takes the numbers of others out of spans. Both are ascending.
func without(spans, others []span) []span {
	for _, o := range others {
		var rest []span
		for _, s := range spans {
			if s.First < o.First {
				rest = append(rest, span{s.First, min(s.Last, o.First-1)})
			}
			if s.Last > o.Last {
				rest = append(rest, span{max(s.First, o.Last+1), s.Last})
			}
		}
		spans = rest
	}
	return spans
}

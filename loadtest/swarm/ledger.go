package swarm

import (
	"slices"

	"github.com/roost-rt/roost/loadtest/order"
)

// A ledger records which messages of its room's writer one client has received. They
// are numbered 1, 2, 3 and so on. The zero value has received nothing. group.ledger
// tells where it is kept.
type ledger struct {
	top     int32        // the highest number received
	missing []order.Span // below top, ascending; nil for nearly all clients
}

// A receipt is a ledger's answer to a number.
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
		l.missing = append(l.missing, order.Span{First: l.top + 1, Last: n - 1})
		l.top = n
		return inOrder
	case l.fill(n):
		return reordered
	}
	return duplicate
}

// fill takes n out of the missing ones.
func (l *ledger) fill(n int32) bool {
	i := slices.IndexFunc(l.missing, func(s order.Span) bool { return s.First <= n && n <= s.Last })
	if i < 0 {
		return false
	}
	var rest []order.Span
	if s := l.missing[i]; s.First < n {
		rest = append(rest, order.Span{First: s.First, Last: n - 1})
	}
	if s := l.missing[i]; n < s.Last {
		rest = append(rest, order.Span{First: n + 1, Last: s.Last})
	}
	l.missing = slices.Replace(l.missing, i, i+1, rest...)
	return true
}

// has reports whether n was received.
func (l ledger) has(n int32) bool {
	return n <= l.top && !slices.ContainsFunc(l.missing, func(s order.Span) bool { return s.First <= n && n <= s.Last })
}

// lost returns the numbers from 1 to sent that are missing.
func (l ledger) lost(sent int32) []order.Span {
	lost := slices.Clone(l.missing)
	if l.top < sent {
		lost = append(lost, order.Span{First: l.top + 1, Last: sent})
	}
	return lost
}

// without takes the numbers of others out of spans. Both are ascending.
func without(spans, others []order.Span) []order.Span {
	for _, o := range others {
		var rest []order.Span
		for _, s := range spans {
			if s.First < o.First {
				rest = append(rest, order.Span{First: s.First, Last: min(s.Last, o.First-1)})
			}
			if s.Last > o.Last {
				rest = append(rest, order.Span{First: max(s.First, o.Last+1), Last: s.Last})
			}
		}
		spans = rest
	}
	return spans
}

package swarm_test

import (
	"reflect"
	"testing"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/swarm"
)

func TestLedger(t *testing.T) {
	const ok, late, again = swarm.InOrder, swarm.Reordered, swarm.Duplicate
	for _, test := range []struct {
		name     string
		received []int32
		want     []swarm.Receipt
		sent     int32
		lost     string
	}{
		{"nothing sent", nil, nil, 0, ""},
		{"nothing received", nil, nil, 3, "1..3"},
		{"in order", []int32{1, 2, 3}, []swarm.Receipt{ok, ok, ok}, 3, ""},
		{"the end is missing", []int32{1, 2}, []swarm.Receipt{ok, ok}, 4, "3..4"},
		{"the beginning is missing", []int32{3}, []swarm.Receipt{ok}, 3, "1..2"},
		{"two gaps", []int32{1, 3, 7}, []swarm.Receipt{ok, ok, ok}, 7, "2, 4..6"},
		{"swapped", []int32{2, 1, 3}, []swarm.Receipt{ok, late, ok}, 3, ""},
		{"late in the middle of a gap", []int32{1, 6, 4}, []swarm.Receipt{ok, ok, late}, 6, "2..3, 5"},
		{"late at both ends of a gap", []int32{1, 6, 2, 5}, []swarm.Receipt{ok, ok, late, late}, 6, "3..4"},
		{"a gap filled backwards", []int32{5, 4, 3, 2, 1}, []swarm.Receipt{ok, late, late, late, late}, 5, ""},
		{"twice", []int32{1, 1, 2, 1}, []swarm.Receipt{ok, again, ok, again}, 2, ""},
		{"twice after a gap", []int32{1, 4, 2, 2, 4}, []swarm.Receipt{ok, ok, late, again, again}, 4, "3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var l swarm.Ledger
			var got []swarm.Receipt
			for _, n := range test.received {
				got = append(got, l.Receive(n))
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("receive %v = %v, want %v", test.received, got, test.want)
			}
			if lost := swarm.Spell(l.Lost(test.sent)); lost != test.lost {
				t.Errorf("lost(%d) after %v = %q, want %q", test.sent, test.received, lost, test.lost)
			}
		})
	}
}

func TestSpellIsShort(t *testing.T) {
	var l swarm.Ledger
	for n := int32(2); n < 100; n += 2 {
		l.Receive(n)
	}
	if got, want := swarm.Spell(l.Lost(100)), "1, 3, 5, 7, 9, …"; got != want {
		t.Errorf("spell = %q, want %q", got, want)
	}
}

func TestWithout(t *testing.T) {
	type spans = []order.Span
	for _, test := range []struct {
		spans, others spans
		want          string
	}{
		{nil, spans{{First: 1, Last: 3}}, ""},
		{spans{{First: 1, Last: 3}}, nil, "1..3"},
		{spans{{First: 1, Last: 9}}, spans{{First: 4, Last: 5}}, "1..3, 6..9"},
		{spans{{First: 1, Last: 9}}, spans{{First: 1, Last: 2}, {First: 9, Last: 9}}, "3..8"},
		{spans{{First: 1, Last: 4}, {First: 6, Last: 9}}, spans{{First: 3, Last: 7}}, "1..2, 8..9"},
		{spans{{First: 2, Last: 2}, {First: 5, Last: 6}}, spans{{First: 1, Last: 9}}, ""},
	} {
		if got := swarm.Spell(swarm.Without(test.spans, test.others)); got != test.want {
			t.Errorf("without(%v, %v) = %q, want %q", test.spans, test.others, got, test.want)
		}
	}
}

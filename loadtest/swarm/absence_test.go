package swarm

import (
	"fmt"
	"testing"

	"github.com/roost-rt/roost/loadtest/order"
)

func TestAbsenceExcuses(t *testing.T) {
	pace := order.Pacer{Start: 100e9, Interval: 1e9} // message n is due at 99+n s
	none := []int32{0, 0}
	gone := absence{from: 105e9, to: 112_500e6, had: none} // messages 6 to 13
	for _, test := range []struct {
		name     string
		absences []absence
		lost     []order.Span
		slowest  int64
		want     string
		away     int64
	}{
		{"never away", nil, []order.Span{{First: 1, Last: 2}}, 0, "[{1 2}]", 0},
		{"nothing lost", []absence{gone}, nil, 0, "[]", 0},
		{"all in its time", []absence{gone}, []order.Span{{First: 6, Last: 13}}, 0, "[]", 8},
		{"before and after", []absence{gone}, []order.Span{{First: 5, Last: 14}}, 0, "[{5 5} {14 14}]", 8},
		{"two spans", []absence{gone}, []order.Span{{First: 1, Last: 2}, {First: 12, Last: 20}}, 0, "[{1 2} {14 20}]", 2},
		{"twice away", []absence{gone, {from: 115e9, to: 116e9, had: none}}, []order.Span{{First: 13, Last: 18}}, 0, "[{14 15} {18 18}]", 3},
		{"cut off and never back", []absence{{from: 105e9, had: none}}, []order.Span{{First: 12, Last: 13}}, 0, "[{12 13}]", 0},
		{"left for good", []absence{{from: 105e9, to: stillAway, had: none}}, []order.Span{{First: 5, Last: 13}}, 0, "[{5 5}]", 8},
		{"what came before it left", []absence{{from: 105e9, to: 110_500e6, had: []int32{8, 0}}}, []order.Span{{First: 5, Last: 5}, {First: 9, Last: 13}}, 20e9, "[{5 5} {12 13}]", 3},
		{"what came of another writer", []absence{{from: 105e9, to: 110_500e6, had: []int32{8, 0}}}, []order.Span{{First: 6, Last: 7}}, 0, "[{6 7}]", 0},
		{"another writer is silent", []absence{{from: 105e9, to: 110_500e6, had: []int32{0, 8}}}, []order.Span{{First: 6, Last: 7}}, 0, "[]", 2},
		{"under way for as long as the slowest", []absence{gone}, []order.Span{{First: 1, Last: 7}}, 2e9, "[{1 3}]", 4},
		{"for the least", []absence{{from: 105e9, to: 112_500e6, had: none, least: 3e9}}, []order.Span{{First: 1, Last: 7}}, 2e9, "[{1 2}]", 5},
		{"but not for ever", []absence{{from: 135e9, to: 140e9, had: none}}, []order.Span{{First: 1, Last: 7}}, 60e9, "[{1 5}]", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			lost, away := excuse(test.absences, test.lost, 0, pace, test.slowest, 0)
			if got := fmt.Sprint(lost); got != test.want || away != test.away {
				t.Errorf("excuse(%v, %v) = %s, %d, want %s, %d", test.absences, test.lost, got, away, test.want, test.away)
			}
		})
	}
}

// A client that fails to come back, and is cut off once more, is away from the
// first time on.
func TestAbsenceGoesOn(t *testing.T) {
	f := &fleet{absences: make(map[uint32][]absence)}
	c := client{group: &group{fleet: f}}
	c.goneLocked(absence{from: 1})
	c.goneLocked(absence{from: 2})
	c.backLocked(3)
	c.goneLocked(absence{from: 4})
	if got, want := fmt.Sprint(f.absences[0]), "[{1 3 0 [] 0} {4 0 0 [] 0}]"; got != want {
		t.Errorf("absences %s, want %s", got, want)
	}
}

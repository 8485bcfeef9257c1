package swarm

import (
	"fmt"
	"testing"
)

func TestAbsenceExcuses(t *testing.T) {
	pace := pacer{Start: 100e9, Interval: 1e9}  // message n is due at 99+n s
	gone := absence{from: 105e9, to: 112_500e6} // messages 6 to 13
	for _, test := range []struct {
		absences []absence
		lost     []span
		want     string
		away     int64
	}{
		{nil, []span{{1, 2}}, "[{1 2}]", 0},
		{[]absence{gone}, nil, "[]", 0},
		{[]absence{gone}, []span{{6, 13}}, "[]", 8},
		{[]absence{gone}, []span{{5, 14}}, "[{5 5} {14 14}]", 8},
		{[]absence{gone}, []span{{1, 2}, {12, 20}}, "[{1 2} {14 20}]", 2},
		{[]absence{gone, {from: 115e9, to: 116e9}}, []span{{13, 18}}, "[{14 15} {18 18}]", 3},
		{[]absence{{from: 105e9}}, []span{{12, 13}}, "[{12 13}]", 0},                                   // it was cut off and never came back
		{[]absence{{from: 105e9, to: stillAway}}, []span{{5, 13}}, "[{5 5}]", 8},                       // it left
		{[]absence{{from: 1e9, to: 110_500e6, had: 8}}, []span{{5, 5}, {9, 13}}, "[{5 5} {12 13}]", 3}, // 6 to 8 had come, so 5 was lost before
	} {
		lost, away := excuse(test.absences, test.lost, pace, 0)
		if got := fmt.Sprint(lost); got != test.want || away != test.away {
			t.Errorf("excuse(%v, %v) = %s, %d, want %s, %d", test.absences, test.lost, got, away, test.want, test.away)
		}
	}
}

// A client that fails to come back, and is cut off once more, is away from the
// first time on.
func TestAbsenceGoesOn(t *testing.T) {
	var c client
	c.goneLocked(absence{from: 1})
	c.goneLocked(absence{from: 2})
	c.backLocked(3)
	c.goneLocked(absence{from: 4})
	if got, want := fmt.Sprint(*c.absences), "[{1 3 0} {4 0 0}]"; got != want {
		t.Errorf("absences %s, want %s", got, want)
	}
}

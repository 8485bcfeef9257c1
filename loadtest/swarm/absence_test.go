package swarm

import (
	"fmt"
	"testing"
)

func TestAbsenceExcuses(t *testing.T) {
	pace := pacer{Start: 100e9, Interval: 1e9}  // message n is due at 99+n s
	gone := absence{from: 110e9, to: 112_500e6} // messages 11 to 13, and from 6 on those that its server may have taken with it
	for _, test := range []struct {
		absence absence
		lost    []span
		want    string
		away    int64
	}{
		{gone, nil, "[]", 0},
		{gone, []span{{6, 13}}, "[]", 8},
		{gone, []span{{5, 14}}, "[{5 5} {14 14}]", 8},
		{gone, []span{{1, 2}, {12, 20}}, "[{1 2} {14 20}]", 2},
		{absence{from: 110e9}, []span{{12, 13}}, "[{12 13}]", 0}, // it never came back
	} {
		lost, away := test.absence.excuse(test.lost, pace, 0)
		if got := fmt.Sprint(lost); got != test.want || away != test.away {
			t.Errorf("%v excuse(%v) = %s, %d, want %s, %d", test.absence, test.lost, got, away, test.want, test.away)
		}
	}
}

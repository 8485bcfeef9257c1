package order_test

import (
	"testing"

	"github.com/roost-rt/roost/loadtest/order"
)

func TestPacer(t *testing.T) {
	for _, test := range []struct {
		name      string
		perSecond float64
		n         int
		want      int64
	}{
		{"the first", 4, 0, 1000},
		{"a later one", 4, 6, 1000 + 1_500_000_000},
		{"without limit", 0, 6, 1000},
	} {
		if got := order.NewPacer(1000, test.perSecond).Due(test.n); got != test.want {
			t.Errorf("%s: due at %d, want %d", test.name, got, test.want)
		}
	}
}

// Writers of a room share out the time between two messages of one, and so do rooms
// that take turns.
func TestScheduleSpreadsWriters(t *testing.T) {
	pace := order.Pacer{Start: 100, Interval: 60}
	for _, test := range []struct {
		name           string
		rooms, writers int
		voice          order.Voice
		want           int64
	}{
		{"the first", 1, 3, order.Voice{}, 100},
		{"the last of a room", 1, 3, order.Voice{Writer: 2}, 140},
		{"another room at the same time", 1, 3, order.Voice{Room: 5, Writer: 2}, 140},
		{"another room in turn", 2, 3, order.Voice{Room: 1}, 130},
		{"the last of all", 2, 3, order.Voice{Room: 1, Writer: 2}, 150},
	} {
		s := order.Schedule{Pace: pace, Rooms: test.rooms, Writers: test.writers}
		if got := s.Of(test.voice); got.Start != test.want || got.Interval != 60 {
			t.Errorf("%s: begins at %d, every %d, want %d, every 60", test.name, got.Start, got.Interval, test.want)
		}
	}
}

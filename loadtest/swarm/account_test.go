package swarm

import (
	"fmt"
	"testing"
)

// A writer that passes messages over could not send them; those that it never
// came to were planned all the same.
func TestUnsentIsNotExpected(t *testing.T) {
	for _, test := range []struct {
		sent     []int
		unsent   int64 // that the process counted
		spans    string
		expected int64
		untried  int64
	}{
		{nil, 0, "[]", 0, 10},
		{[]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 0, "[]", 100, 0},
		{[]int{1, 2, 3}, 7, "[]", 30, 0},
		{[]int{1, 2, 5, 6, 8}, 5, "[{3 4} {7 7}]", 50, 0},
		{[]int{4, 5}, 3, "[{1 3}]", 20, 5},
	} {
		r := newRun(Config{}.complete(), Plan{Rooms: []int{10}, Writers: 1, Messages: 10}, nil)
		room := &r.rooms[0]
		room.joined = 10
		for _, seq := range test.sent {
			room.wentOut(place{seq: seq})
		}
		if got := fmt.Sprint(room.unsent[0]); got != test.spans {
			t.Errorf("after sending %v unsent = %s, want %s", test.sent, got, test.spans)
		}
		if got := r.expected(); got != test.expected {
			t.Errorf("after sending %v expected() = %d, want %d", test.sent, got, test.expected)
		}
		if got := r.untried(counts{Sent: int64(len(test.sent)), Unsent: test.unsent}); got != test.untried {
			t.Errorf("after sending %v untried() = %d, want %d", test.sent, got, test.untried)
		}
		r.close()
	}
}

package user

import (
	"testing"

	"github.com/roost-rt/roost/loadtest/order"
)

func TestNumbers(t *testing.T) {
	var s numbers
	for _, n := range []int32{1, 63, 64, 65, 1000, 3} {
		if s.has(n) || !s.add(n) || !s.has(n) || s.add(n) {
			t.Errorf("number %d is not new once", n)
		}
	}
	if s.has(2) || s.has(999) || s.has(5000) {
		t.Error("numbers are there that nobody added")
	}
}

// A user is owed what was sent while it was there, but for what was under way when
// it left, and what never went out.
func TestMissing(t *testing.T) {
	const second = int64(1e9)
	at := place("room", "said")
	all := order.SentAccount{
		at:                     {7: {1 * second, 4 * second, 0, 8 * second, 9*second + 1, 15 * second, 22 * second}},
		place("other", "said"): {7: {5 * second}},
	}
	places := map[string][]string{"room": {at}, "other": {place("other", "said")}}
	for _, test := range []struct {
		name string
		do   func(*account)
		want int64
	}{
		{"all the time", func(a *account) { a.came("room", 0) }, 6},
		{"from 3 to 10 s", func(a *account) { a.came("room", 3*second); a.went("room", 10*second, leaving) }, 2}, // not what was sent in the last second
		{"cut off at 10 s", func(a *account) { a.came("room", 3*second); a.went("room", 10*second, cutOff) }, 1},
		{"twice", func(a *account) {
			a.came("room", 3*second)
			a.went("room", 10*second, leaving)
			a.came("room", 20*second)
		}, 3},
		{"one has come", func(a *account) { a.came("room", 0); a.take(at, 7, 2) }, 5},
		{"another's has come", func(a *account) { a.came("room", 0); a.take(at, 8, 2) }, 6},
		{"never", func(*account) {}, 0},
	} {
		a := newAccount()
		test.do(&a)
		n, example := a.missing(all, places)
		if n != test.want || (example != "") != (n > 0) {
			t.Errorf("%s: %d missing (%q), want %d", test.name, n, example, test.want)
		}
	}
}

func TestTakeOnce(t *testing.T) {
	a := newAccount()
	if !a.take("p", 1, 5) || a.take("p", 1, 5) || !a.take("p", 2, 5) || !a.take("q", 1, 5) {
		t.Error("a receipt is new once, for each place and sender")
	}
}

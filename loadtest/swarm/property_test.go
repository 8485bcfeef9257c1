package swarm

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
)

// deliver is how a server that loses, repeats and reorders has n messages come to
// one client.
func deliver(random *rand.Rand, n int) (numbers []int32) {
	for seq := range int32(n) {
		switch chance := random.IntN(20); {
		case chance == 0: // lost
		case chance == 1:
			numbers = append(numbers, seq+1, seq+1)
		default:
			numbers = append(numbers, seq+1)
		}
	}
	for range random.IntN(4) {
		if len(numbers) > 1 {
			i, j := random.IntN(len(numbers)), random.IntN(len(numbers))
			numbers[i], numbers[j] = numbers[j], numbers[i]
		}
	}
	if random.IntN(3) == 0 && len(numbers) > 0 { // the end is lost
		numbers = numbers[:random.IntN(len(numbers))]
	}
	return numbers
}

// told is what a list of the numbers says of one more.
func told(seen []int32, n int32) receipt {
	switch {
	case slices.Contains(seen, n):
		return duplicate
	case len(seen) > 0 && n < slices.Max(seen):
		return reordered
	}
	return inOrder
}

// numbersOf are all in some spans.
func numbersOf(spans []order.Span) (numbers []int32) {
	for _, s := range spans {
		for n := s.First; n <= s.Last; n++ {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// A ledger, which keeps next to nothing, says what a list of all numbers would.
func TestLedgerIsAList(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(11, 12))
	for range 800 {
		n := random.IntN(40)
		var l ledger
		var seen []int32
		for _, number := range deliver(random, n) {
			if got, want := l.receive(number), told(seen, number); got != want {
				t.Fatalf("%d after %v: %v, want %v", number, seen, got, want)
			}
			seen = append(seen, number)
		}
		var missing []int32
		for number := int32(1); number <= int32(n); number++ {
			was := slices.Contains(seen, number)
			if l.has(number) != was {
				t.Fatalf("has(%d) = %v after %v", number, !was, seen)
			}
			if !was {
				missing = append(missing, number)
			}
		}
		lost := l.lost(int32(n))
		if got := numbersOf(lost); !slices.Equal(got, missing) {
			t.Fatalf("lost(%d) = %v after %v, want %v", n, lost, seen, missing)
		}
		for i := 1; i < len(lost); i++ {
			if lost[i].First <= lost[i-1].Last {
				t.Fatalf("lost(%d) = %v: not in order", n, lost)
			}
		}
	}
}

// Taking spans out of others is taking numbers out of a set.
func TestWithoutIsASet(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(13, 14))
	spans := func() (list []order.Span) {
		for at := int32(1 + random.IntN(3)); at < 40; {
			last := at + int32(random.IntN(5))
			list = append(list, order.Span{First: at, Last: last})
			at = last + 2 + int32(random.IntN(6))
		}
		return list
	}
	for range 800 {
		all, others := spans(), spans()
		want := slices.DeleteFunc(numbersOf(all), func(n int32) bool { return slices.Contains(numbersOf(others), n) })
		if got := numbersOf(without(slices.Clone(all), others)); !slices.Equal(got, want) {
			t.Fatalf("without(%v, %v) = %v, want %v", all, others, got, want)
		}
	}
}

// Who was away is excused of what was sent then and of nothing else, whatever is
// missing: what remains and what is excused are what was lost.
func TestExcuseKeepsAccount(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(15, 16))
	pace := order.Pacer{Start: 0, Interval: int64(time.Second)}
	for range 500 {
		var absences []absence
		for at := int64(0); random.IntN(3) > 0; {
			from := at + random.Int64N(20e9)
			to := from + random.Int64N(10e9)
			absences, at = append(absences, absence{from: from, to: to, had: []int32{int32(random.IntN(int(from/1e9) + 1))}}), to
		}
		var l ledger
		for _, n := range deliver(random, 60) {
			l.receive(n)
		}
		lost, slowest := l.lost(60), random.Int64N(3e9)
		rest, away := excuse(absences, lost, 0, pace, slowest, 0)
		if got, want := int64(len(numbersOf(rest)))+away, int64(len(numbersOf(lost))); got != want {
			t.Fatalf("%d remain and %d are excused of %d", len(numbersOf(rest)), away, want)
		}
		for _, n := range numbersOf(rest) {
			due := pace.Due(int(n) - 1)
			for _, a := range absences {
				if n > a.had[0] && due >= a.from && due <= a.to {
					t.Fatalf("message %d, due at %d, is not excused by %+v", n, due, a)
				}
			}
		}
	}
}

// The account of a group is that of its server's faults, whatever these are: each
// receipt is counted once, under one name, and told once.
func TestGroupKeepsAccount(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(17, 18))
	const clients, messages, second = 8, 5, int64(time.Second)
	for range 40 {
		g := joinedGroup(t, clients)
		f := g.fleet
		var want order.Counts
		lost := int64(clients * messages)
		var arrivals [][2]int // client and number
		for c := range clients {
			for _, n := range deliver(random, messages) {
				arrivals = append(arrivals, [2]int{c, int(n)})
			}
		}
		// Between clients any order is possible; of each it is what it is.
		slices.SortStableFunc(arrivals, func(a, b [2]int) int { return a[1] - b[1] + random.IntN(3) - 1 })
		seen := make([][]int32, clients)
		for i, a := range arrivals {
			c, n := a[0], int32(a[1])
			switch told(seen[c], n) {
			case duplicate:
				want.Duplicated++
			case reordered:
				want.Reordered++
				fallthrough
			default:
				want.Delivered++
				lost--
			}
			seen[c] = append(seen[c], n)
			s := channels.Stamp{Writer: 1, Seq: n, Intended: int64(n) * second, Sent: int64(n) * second}
			g.received(&g.clients[c], 0, s, g.receive(&g.clients[c], 0, n), s.Intended+int64(i+1)*1e6)
		}
		total := f.total(order.Stop{Sent: [][]int{{messages}}, Unsent: [][][]order.Span{{nil}}})
		if total.Delivered != want.Delivered || total.Duplicated != want.Duplicated || total.Reordered != want.Reordered || total.Lost != lost {
			t.Fatalf("%v: delivered %d, duplicated %d, reordered %d, lost %d, want %d, %d, %d, %d", arrivals,
				total.Delivered, total.Duplicated, total.Reordered, total.Lost, want.Delivered, want.Duplicated, want.Reordered, lost)
		}
		if total.Delivered+total.Lost != clients*messages {
			t.Fatalf("%d delivered and %d lost are not %d", total.Delivered, total.Lost, clients*messages)
		}
		h := order.NewHistogram(3)
		if err := order.Merge(h, total.Latency); err != nil || h.TotalCount() != total.Delivered {
			t.Fatalf("%d latencies (%v) of %d receipts", h.TotalCount(), err, total.Delivered)
		}
		var toldOf int64
		messagesTold := make(map[int]int)
		for _, e := range f.events {
			if e.Receipts != nil {
				toldOf += e.Receipts.Latency.Count()
				messagesTold[e.Receipts.Seq]++
			}
		}
		if toldOf != total.Delivered {
			t.Fatalf("%d receipts are told of, of %d", toldOf, total.Delivered)
		}
		for seq, times := range messagesTold {
			if times != 1 {
				t.Fatalf("message %d is told of %d times", seq, times)
			}
		}
	}
}

// Losses are named for people, of a few clients and each in short.
func TestLossesAreNamed(t *testing.T) {
	t.Parallel()
	g := joinedGroup(t, 10)
	for i := range g.clients {
		if i%2 == 0 {
			g.received(&g.clients[i], 0, channels.Stamp{Writer: 1, Seq: 3}, g.receive(&g.clients[i], 0, 3), 1)
		}
	}
	total := g.fleet.total(order.Stop{Sent: [][]int{{4}}, Unsent: [][][]order.Span{{{{First: 1, Last: 1}}}}})
	if total.Lost != 5*2+5*3 || len(total.Examples) != maxExamples {
		t.Fatalf("%d lost with %d examples, want 25 with %d: nobody misses what could not be sent", total.Lost, len(total.Examples), maxExamples)
	}
	for i, want := range []string{"room 0 client 0 missed 2, 4", "room 0 client 1 missed 2..4"} {
		if total.Examples[i] != want {
			t.Errorf("example %q, want %q", total.Examples[i], want)
		}
	}
	two := &client{group: &group{speakers: make([]*client, 2)}, number: 7}
	if got, want := example(order.Voice{Room: 2, Writer: 1}, two, []order.Span{{First: 1, Last: 2}}), "room 2 client 7 missed 1..2 of writer 1"; got != want {
		t.Errorf("example %q, want %q", got, want)
	}
}

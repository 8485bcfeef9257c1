package capacity

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Rooms by Zipf's law have the sizes that it gives, the largest first, and hold all
// members, also where ranks are taken together.
func TestBands(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		w       Workload
		members float64
		want    []band
	}{
		{"all alike", Workload{RoomSize: 50}, 1000, []band{{20, 50}}},
		{"half a room is one", Workload{RoomSize: 50}, 20, []band{{1, 20}}},
		{"rounded to whole rooms", Workload{RoomSize: 50}, 120, []band{{2, 60}}},
		{"1/k", Workload{RoomSize: 11. / 3, Zipf: 1}, 11, []band{{1, 6}, {1, 3}, {1, 2}}},
		{"1/k²", Workload{RoomSize: 49. / 3, Zipf: 2}, 49, []band{{1, 36}, {1, 9}, {1, 4}}},
	} {
		got := tt.w.bands(tt.members)
		if !slices.EqualFunc(got, tt.want, func(a, b band) bool { return a.rooms == b.rooms && math.Abs(a.size-b.size) < 1e-9 }) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestBandsOfManyRooms(t *testing.T) {
	t.Parallel()
	const members, count = 5e7, 1_000_000
	all := Workload{RoomSize: 50, Zipf: 1}.bands(members)
	sum, rank := 0.0, 0
	for i, b := range all {
		sum += float64(b.rooms) * b.size
		if i > 0 && b.size >= all[i-1].size {
			t.Fatalf("rank %d has rooms of %v, the ones before of %v", rank, b.size, all[i-1].size)
		}
		// By the law the k-th room has 1/k of the first one's members.
		if k := float64(rank) + float64(b.rooms+1)/2; math.Abs(b.size*k/all[0].size-1) > 0.01 {
			t.Fatalf("the room of rank %v has %v, the first %v, want 1/k of it", k, b.size, all[0].size)
		}
		rank += b.rooms
	}
	if rank != count || math.Abs(sum/members-1) > 1e-9 || len(all) > 400 {
		t.Errorf("%d rooms with %v members in %d bands, want %d, %v and some hundred", rank, sum, len(all), count, members)
	}
	if n := rooms(all); n != count {
		t.Errorf("rooms of the bands: %v, want %d", n, count)
	}
}

// A member is drawn into a room as often as it has members.
func TestDraw(t *testing.T) {
	t.Parallel()
	const draws = 60_000
	d := newDraw([]band{{1, 30}, {2, 10}, {10, 1}}) // 60 members in 13 rooms
	r := rand.New(rand.NewPCG(1, 2))
	hits := make([]float64, 13)
	for range draws {
		hits[d.room(r)]++
	}
	for room, got := range hits {
		want := draws / 60 * []float64{30, 10, 10, 1}[min(room, 3)]
		if off := math.Abs(got - want); off > 5*math.Sqrt(want) {
			t.Errorf("room %d was drawn %v times of %d, want about %v", room, got, draws, want)
		}
	}
}

// A message is heard by the nodes that have one of the other members of its room; of
// one member there is none.
func TestPresent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ nodes, members, want float64 }{
		{2, 0, 0}, {2, 1, 0.5}, {2, 2, 0.75}, {4, 2, 1 - 9./16}, {10, 0.5, 1 - math.Sqrt(0.9)}, {3, 10_000, 1},
	} {
		if got := present(tt.nodes, tt.members); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("present(%v nodes, %v members) = %v, want %v", tt.nodes, tt.members, got, tt.want)
		}
	}
}

// A size that is no whole number is one of its neighbours, so often that the mean stays.
func TestWhole(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for _, size := range []float64{0, 0.25, 1, 2.5, 7.9} {
		const draws = 20_000
		sum := 0.0
		for range draws {
			n := float64(whole(r, size))
			if n < math.Floor(size) || n > math.Ceil(size) {
				t.Fatalf("%v became %v", size, n)
			}
			sum += n
		}
		if mean := sum / draws; math.Abs(mean-size) > 0.02 {
			t.Errorf("%v is %v on average", size, mean)
		}
	}
}

// On a single node everything is there; on several the fullest has more than its share.
func TestSpread(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	if s := spread(r, 1, []band{{3, 10}}); s.Busiest != 1 || s.Home != 1 || s.Hear != 1 || s.Buckets < 1 || s.Buckets > 3 {
		t.Errorf("three rooms on one node: %+v, want all of them there", s)
	}
	// A room of one member is at home on one node, and nobody else hears it, unless another
	// room of its bucket is there: 10 rooms in 1,024 buckets hardly ever share one.
	if s := spread(r, 4, []band{{10, 1}}); s.Home != 1 || s.Hear < 1 || s.Hear > 1.4 || s.Buckets < 2 || s.Buckets > 2.5 || s.Busiest < 1.2 {
		t.Errorf("ten rooms of one on four nodes: %+v, want each on one of them", s)
	}
	if s := spread(r, 4, []band{{10, 400}}); s.Home != 4 || s.Hear != 4 || s.Busiest > 1.2 || s.Busiest <= 1 {
		t.Errorf("ten large rooms on four nodes: %+v, want each on all of them", s)
	}
	// Of 4,096 rooms of one on four nodes each bucket is listened to by nearly all nodes,
	// so a message goes to nodes that have no member of its room.
	if s := spread(r, 4, []band{{4096, 1}}); s.Home != 1 || s.Hear < 2.3 || s.Hear > 3.3 {
		t.Errorf("many rooms of one on four nodes: %+v, want them heard by other nodes for their buckets", s)
	}
}

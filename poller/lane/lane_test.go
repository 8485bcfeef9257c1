package lane_test

import (
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/poller/lane"
)

// Every channel has a lane.
func TestLaneSize(t *testing.T) {
	if got := unsafe.Sizeof(lane.Lane[any]{}); got > 24 {
		t.Errorf("a Lane has %d bytes, want at most 24", got)
	}
}

// A modelled lane is one beside the list of jobs that it should hold.
type modelled struct {
	t    *testing.T
	pool *poller.Pool

	mu      sync.Mutex
	lane    lane.Lane[int]
	want    []int // begun by nobody, but perhaps the first
	done    int
	dropped int
	left    map[int]int // how often, by job
	begun   int         // has been taken off the list since; its turn goes on
}

func (m *modelled) Turn() { m.lane.Turn(m.pool, m, &m.mu, nil, m.do) }

func (m *modelled) do(j int, left bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case left && m.left[j] > 1 || !left && m.left[j] > 0 || left && m.left[j] == 0:
		m.t.Errorf("job %d was left %d times, and is told %t", j, m.left[j], left)
	case m.left[j] == 0 && j%20 == 7:
		m.left[j]++
		runtime.Goexit()
	case m.left[j] == 0 && j%20 == 14:
		m.left[j]++
		panic("on purpose")
	}
	if running, ok := m.lane.Running(); !ok || running != j {
		m.t.Errorf("job %d is done, Running = %d, %t", j, running, ok)
	}
	if len(m.want) == 0 || m.want[0] != j {
		m.t.Errorf("job %d is done, want the first of %v", j, m.want)
		return
	}
	m.want = m.want[1:]
	m.begun = j
	m.done++
	if j%25 == 3 {
		m.take()
	}
}

// take takes odd jobs out. The turn calls it.
func (m *modelled) take() {
	odd := func(j int) bool { return j%2 == 1 }
	var want, rest []int
	for _, j := range m.want {
		if odd(j) {
			want = append(want, j)
		} else {
			rest = append(rest, j)
		}
	}
	var taken, all lane.Lane[int]
	m.lane.Take(&taken, odd)
	all.Append(&taken)
	if sum := bytesOf(want); all.Len() != len(want) || all.Bytes() != sum || taken.Len() != 0 {
		m.t.Errorf("Take and Append moved %d jobs of %d bytes and left %d, want %d of %d and none", all.Len(), all.Bytes(), taken.Len(), len(want), sum)
	}
	if len(want) > 1 && len(want)%2 == 0 { // they come back, in two parts that become one
		m.comeBack(&all, want, rest)
		return
	}
	for _, w := range want {
		if j, ok := all.First(); !ok || j != w {
			m.t.Errorf("First = %d, %t, want %d", j, ok, w)
		}
		all.Drop(m.pool)
	}
	m.dropped += len(want)
	m.want = rest
}

// comeBack puts taken jobs behind the rest again.
func (m *modelled) comeBack(all *lane.Lane[int], taken, rest []int) {
	if m.lane.Append(all) {
		m.t.Error("Append has the turn ask for another one")
	}
	m.want = append(rest, taken...)
}

func bytesOf(jobs []int) (n int) {
	for _, j := range jobs {
		n += j
	}
	return n
}

// split is how many jobs at the front are the turn's already.
func (m *modelled) split() int {
	if j, ok := m.lane.Running(); ok && j != m.begun {
		return 1
	}
	return 0
}

func (m *modelled) step(j int, r *rand.Rand) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.IntN(100) == 0 {
		m.dropped += m.lane.Len()
		m.lane.Clear(m.pool)
		m.want = m.want[:m.split()]
	}
	m.want = append(m.want, j)
	if m.lane.Push(m.pool, j, j, j%3 == 0) {
		m.pool.Go(m)
	}
	sum := bytesOf(m.want[m.split():])
	if got, want := m.lane.Len(), len(m.want)-m.split(); got != want || m.lane.Bytes() != sum {
		m.t.Errorf("Len and Bytes = %d and %d, want %d and %d", got, m.lane.Bytes(), want, sum)
	}
}

// Whatever the order of pushes, turns and drops, and although some jobs panic or
// end their goroutine at first, each job that is not dropped is done once, in
// order, alone; and Len and Bytes are those of what waits. At the end no lane holds
// anything.
func TestLaneModel(t *testing.T) {
	const lanes, jobs = 8, 3000
	p, err := poller.NewPool(poller.PoolConfig{Places: 3, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	all := make([]*modelled, lanes)
	var posting sync.WaitGroup
	for i := range all {
		all[i] = &modelled{t: t, pool: p, left: make(map[int]int)}
		posting.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for j := range jobs {
				all[i].step(j+1, r)
			}
		})
	}
	posting.Wait()
	if err := p.Close(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	if n := p.Held(); n != 0 {
		t.Errorf("Held is %d when no jobs are left", n)
	}
	for i, m := range all {
		if m.done+m.dropped != jobs || len(m.want) > 0 {
			t.Errorf("lane %d: %d jobs done and %d dropped of %d, %d left", i, m.done, m.dropped, jobs, len(m.want))
		}
	}
}

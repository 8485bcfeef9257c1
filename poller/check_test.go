package poller_test

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/poller/lane"
)

// What is for the loop or the turn only ends programs built with the race detector
// when others do it, however it is recovered, and no other program.
func TestOnlyTheirGoroutines(t *testing.T) {
	for role, rule := range map[string]string{"loop": "loop only", "turn": "turn only", "another's turn": "turn only"} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childRole+"=trespasser "+role)
		out, err := cmd.CombinedOutput()
		if caught := err != nil && strings.Contains(string(out), "panic: "+rule+", but called on another goroutine"); caught != raceDetector {
			t.Errorf("%s: caught %t, want %t: %v\n%s", role, caught, raceDetector, err, out)
		}
		if !raceDetector && string(out) != "unnoticed\n" {
			t.Errorf("%s: %v\n%s", role, err, out)
		}
	}
}

// trespasser does what is not for its goroutine.
func trespasser(role string) error {
	do := map[string]func() error{"loop": trespassLoop, "turn": trespassTurn, "another's turn": trespassOtherTurn}[role]
	err := do()
	_, _ = os.Stdout.WriteString("unnoticed\n")
	return err
}

func trespassLoop() error {
	p, err := poller.New(poller.Config{})
	if err != nil {
		return err
	}
	defer p.Close()
	opened := make(chan *poller.Conn, 1)
	client, err := p.Pipe(func(c *poller.Conn) poller.Handler {
		c.CheckLoop()
		opened <- c
		return hooks{}
	})
	if err != nil {
		return err
	}
	defer client.Close()
	defer func() { _ = recover() }() // as callbacks' panics are
	(<-opened).Handler()
	return nil
}

func trespassTurn() error {
	defer func() { _ = recover() }()
	new(worker).lane.CheckTurn()
	return nil
}

func trespassOtherTurn() error {
	pool, err := poller.NewPool(poller.PoolConfig{Places: 1})
	if err != nil {
		return err
	}
	var other worker
	done := make(chan struct{})
	w := &worker{pool: pool, task: func(w *worker) {
		defer close(done)
		defer func() { _ = recover() }()
		w.lane.CheckTurn()
		other.lane.CheckTurn()
	}}
	w.mu.Lock()
	w.lane.Push(pool, struct{}{}, 0, false)
	w.mu.Unlock()
	pool.Go(w)
	<-done
	return pool.Close(time.Second)
}

// A worker does its task for each job.
type worker struct {
	pool *poller.Pool
	task func(*worker)

	mu   sync.Mutex
	lane lane.Lane[struct{}]
}

func (w *worker) Turn() {
	w.lane.Turn(w.pool, w, &w.mu, nil, func(struct{}, bool) { w.task(w) })
}

// Every client has a Conn, with checks or without.
func TestConnSize(t *testing.T) {
	if got := unsafe.Sizeof(poller.Conn{}); got > 64 {
		t.Errorf("a Conn has %d bytes, want at most 64", got)
	}
}

// What the checks cost: nothing, but with the race detector.
func BenchmarkCheck(b *testing.B) {
	p := start(b, poller.Config{})
	c, _ := pair(b, p, hooks{})
	done := make(chan struct{})
	c.Post(func() {
		defer close(done)
		for range b.N { // b.Loop would not let it be inlined
			c.CheckLoop()
		}
	})
	<-done
}

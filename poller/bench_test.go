package poller_test

import (
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/roost-rt/roost/poller"
)

// BenchmarkSend is a send that the kernel takes at once, over TCP on loopback,
// with a peer that reads. Where the peer is behind, it waits: the queue is not
// what is measured.
func BenchmarkSend(b *testing.B) {
	p := start(b, poller.Config{SendBuffer: 4 << 20})
	c, nc := pair(b, p, hooks{})
	nc.SetDeadline(time.Time{})
	var reader sync.WaitGroup
	reader.Go(func() { io.Copy(io.Discard, nc) })
	msg := make([]byte, 128)
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		if err := c.SendShared(msg); err != nil {
			b.Fatal(err)
		}
		for c.Waiting() > 0 {
			runtime.Gosched()
		}
	}
	c.Kill(poller.ErrClosed)
	reader.Wait()
}

// BenchmarkPoolMailbox is one job, posted to one of many mailboxes: the price of
// a message's way through a channel's mailbox, the pool included.
func BenchmarkPoolMailbox(b *testing.B) {
	for _, boxes := range []int{1, 1000} {
		b.Run(fmt.Sprintf("boxes=%d", boxes), func(b *testing.B) {
			p := newPool(b, 8)
			all := make([]mailbox, boxes)
			for i := range all {
				all[i] = mailbox{pool: p}
			}
			var done sync.WaitGroup
			job := done.Done
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				done.Add(1)
				all[i%boxes].post(job)
				i++
			}
			done.Wait()
			if err := p.Close(30 * time.Second); err != nil {
				b.Error(err)
			}
		})
	}
}

// shortTurn is a turn about as long as an echo's.
type shortTurn struct{ done *atomic.Int64 }

func (t shortTurn) Turn() {
	syscall.Getppid()
	syscall.Getppid()
	t.done.Add(1)
}

// What it costs to have turns done that are asked for in a burst, as a pass of the
// loop does: CPU time of the process for each.
func BenchmarkPoolBurst(b *testing.B) {
	for _, n := range []int{1, 4, 16, 64} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			pool, err := poller.NewPool(poller.PoolConfig{Places: 128})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { pool.Close(0) })
			var done atomic.Int64
			want, before := int64(0), cpuTime()
			for b.Loop() {
				for range n {
					pool.Go(shortTurn{&done})
					syscall.Getppid()
				}
				for want += int64(n); done.Load() < want; {
					runtime.Gosched()
				}
			}
			b.ReportMetric(float64(cpuTime()-before)/float64(want), "cpu-ns/turn")
		})
	}
}

func cpuTime() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

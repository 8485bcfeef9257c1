package poller_test

import (
	"fmt"
	"io"
	"runtime"
	"sync"
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
			if err := p.Close(10 * time.Second); err != nil {
				b.Error(err)
			}
		})
	}
}

package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A crowd is members of a room who read without pause: nothing may happen to
// them.
type crowd struct {
	members []*member
	wait    time.Duration
	readers sync.WaitGroup
}

type member struct {
	*client
	got   atomic.Int64 // broadcasts
	ended atomic.Bool
}

// gather has n clients join a topic.
func (t *target) gather(ctx context.Context, topic string, n int) (*crowd, error) {
	c := &crowd{wait: t.wait}
	for range n {
		ws, err := t.dial(ctx, "/socket/websocket?vsn=2.0.0")
		if err == nil {
			err = ws.join(topic)
		}
		if err != nil {
			return nil, err
		}
		m := &member{client: ws}
		c.members = append(c.members, m)
		c.readers.Go(m.listen)
	}
	return c, nil
}

// gone reports whether no one is left.
func (c *crowd) gone() bool { return c.all(func(m *member) bool { return m.ended.Load() }) }

func (m *member) listen() {
	for {
		message, err := m.receive()
		if err != nil {
			m.ended.Store(fate(err) != leftOpen)
			return
		}
		if isBroadcast(message) {
			m.got.Add(1)
		}
	}
}

// await waits until every member has got n broadcasts or lost its connection.
func (c *crowd) await(n int) {
	for end := time.Now().Add(c.wait); time.Now().Before(end) && !c.all(func(m *member) bool { return m.got.Load() >= int64(n) || m.ended.Load() }); {
		time.Sleep(time.Millisecond)
	}
}

func (c *crowd) all(have func(*member) bool) bool {
	for _, m := range c.members {
		if !have(m) {
			return false
		}
	}
	return true
}

// disperse counts what the members lost of n broadcasts, and ends them.
func (c *crowd) disperse(t *target, n int) {
	c.await(n)
	for _, m := range c.members {
		if m.ended.Load() {
			t.lose(1, 0)
		}
		t.lose(0, max(0, n-int(m.got.Load())))
		m.Close()
	}
	c.readers.Wait()
}

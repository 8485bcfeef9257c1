package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

const (
	// pace is how often a bystander pushes an echo and a heartbeat.
	pace = 100 * time.Millisecond

	// castEvery is how many of these lie between its messages to all bystanders.
	castEvery = 50

	// newcomerPace is how often a new client connects to a mount with a Connect
	// callback and joins.
	newcomerPace = 500 * time.Millisecond

	lobby = "room:lobby"
)

// A sample is one request of a bystander's.
type sample struct {
	intended time.Time     // when it should have been sent
	took     time.Duration // from then to the answer
	loop     bool          // answered by the event loop, rather than by a callback
}

// bystanders are the clients that an attack must not harm.
type bystanders struct {
	addr string
	all  []*bystander
	work sync.WaitGroup

	mu     sync.Mutex // guards the rest
	came   []sample   // newcomers
	turned int        // newcomers that failed
}

// A bystander is one of them.
type bystander struct {
	*client

	mu      sync.Mutex // guards the rest
	pending map[int]time.Time
	samples []sample
	cast    int // messages to all that the server accepted
	heard   int // those of all that came
	refused int
	ended   error
}

// settle connects n bystanders to the lobby and has them ping until ctx is done.
func settle(ctx context.Context, addr string, n int) (*bystanders, error) {
	b := &bystanders{addr: addr}
	for range n {
		c, err := visitor(ctx, addr, websocket, lobby)
		if err != nil {
			return nil, fmt.Errorf("a bystander connects: %w", err)
		}
		b.all = append(b.all, &bystander{client: c, pending: make(map[int]time.Time)})
	}
	start := time.Now()
	for i, each := range b.all {
		b.work.Go(each.listen)
		b.work.Go(func() { each.ping(ctx, start.Add(pace*time.Duration(i)/time.Duration(n)), i) })
	}
	b.work.Go(func() { b.welcome(ctx) })
	return b, nil
}

// The last digit of a ref says what the request was: 0 is an echo.
const (
	beatRef = 1 // a heartbeat
	castRef = 2 // a message to all
)

// ofLoop reports whether the event loop itself answers a request.
func ofLoop(ref int) bool { return ref%10 == beatRef }

// ping sends at the intended moments, or as soon as possible after them.
func (b *bystander) ping(ctx context.Context, start time.Time, number int) {
	for n := 0; ; n++ {
		intended := start.Add(pace * time.Duration(n))
		if !sleepUntil(ctx, intended) {
			return
		}
		ref := 10 * n
		data := push(strconv.Itoa(ref), lobby, "echo", "{}")
		data = append(data, text(fmt.Sprintf(`[null,"%d","phoenix","heartbeat",{}]`, ref+beatRef))...)
		refs := []int{ref, ref + beatRef}
		if (n+number)%castEvery == castEvery-1 {
			data = append(data, push(strconv.Itoa(ref+castRef), lobby, "new_msg", "{}")...)
			refs = append(refs, ref+castRef)
		}
		if !b.expect(refs, intended) {
			return
		}
		if _, err := b.Write(data); err != nil {
			return // listen learns it, too
		}
	}
}

// sleepUntil reports whether it is that time, rather than ctx's end.
func sleepUntil(ctx context.Context, t time.Time) bool {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// expect notes requests that are about to be sent, unless the connection has ended.
func (b *bystander) expect(refs []int, intended time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, ref := range refs {
		b.pending[ref] = intended
	}
	return b.ended == nil
}

// connected reports whether its connection has not ended.
func (b *bystander) connected() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ended == nil
}

func (b *bystander) listen() {
	for {
		message, err := b.receive()
		b.mu.Lock()
		if err != nil {
			b.ended = err
			b.mu.Unlock()
			return
		}
		b.heardLocked(message)
		b.mu.Unlock()
	}
}

// heardLocked takes a message: a broadcast or the reply to a ref.
func (b *bystander) heardLocked(message []byte) {
	if isBroadcast(message) {
		b.heard++
		return
	}
	_, rest, _ := bytes.Cut(message, []byte(`,"`))
	number, _, _ := bytes.Cut(rest, []byte(`"`))
	ref, _ := strconv.Atoi(string(number)) // a push has none, and nothing waits for 0 at that time
	intended, known := b.pending[ref]
	if !known {
		return
	}
	delete(b.pending, ref)
	if refusal(message) != "" {
		b.refused++
		return
	}
	b.samples = append(b.samples, sample{intended, time.Since(intended), ofLoop(ref)})
	if ref%10 == castRef {
		b.cast++
	}
}

// welcome has newcomers come until ctx is done.
func (b *bystanders) welcome(ctx context.Context) {
	start := time.Now()
	for n := 0; ; n++ {
		intended := start.Add(newcomerPace * time.Duration(n))
		if !sleepUntil(ctx, intended) {
			return
		}
		err := b.visit()
		b.mu.Lock()
		b.came = append(b.came, sample{intended: intended, took: time.Since(intended)})
		if err != nil {
			b.turned++
		}
		b.mu.Unlock()
	}
}

// visit is one newcomer.
func (b *bystanders) visit() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := visitor(ctx, b.addr, "/connect/websocket?vsn=2.0.0", "room:newcomers")
	if err != nil {
		return err
	}
	return c.Close()
}

// visitor connects and joins within patience. From then on it has no deadline.
func visitor(ctx context.Context, addr, path, topic string) (*client, error) {
	conn, err := dialTCP(ctx, addr, home)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	c, err := open(conn, addr, path)
	if err == nil {
		err = errors.Join(c.join(topic), c.SetDeadline(time.Time{}))
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// await waits for what is owed to the bystanders, for patience at most. Their pings
// have ended.
func (b *bystanders) await() {
	for end := time.Now().Add(patience); time.Now().Before(end) && b.owed() > 0; {
		time.Sleep(10 * time.Millisecond)
	}
}

// owed is how many replies and broadcasts are yet to come for those who are
// connected.
func (b *bystanders) owed() (n int) {
	cast := b.cast()
	for _, each := range b.all {
		each.mu.Lock()
		if each.ended == nil {
			n += len(each.pending) + max(0, cast-each.heard)
		}
		each.mu.Unlock()
	}
	return n
}

// cast is how many messages to all the server has accepted.
func (b *bystanders) cast() (n int) {
	for _, each := range b.all {
		each.mu.Lock()
		n += each.cast
		each.mu.Unlock()
	}
	return n
}

// result ends the bystanders and tells what they lost and how long they waited. What
// was never answered took until now.
func (b *bystanders) result() (lost losses, samples []sample) {
	cast := b.cast()
	now := time.Now()
	for _, each := range b.all {
		each.mu.Lock()
		if each.ended != nil {
			lost.Clients++
		} else {
			lost.Messages += max(0, cast-each.heard)
		}
		lost.Messages += len(each.pending) + each.refused
		samples = append(samples, each.samples...)
		for ref, intended := range each.pending {
			samples = append(samples, sample{intended, now.Sub(intended), ofLoop(ref)})
		}
		each.mu.Unlock()
		each.Close()
	}
	b.work.Wait()
	return lost, samples
}

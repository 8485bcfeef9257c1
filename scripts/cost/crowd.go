package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

const (
	// dialers connect or join at the same time.
	dialers = 64

	// calm lies before each broadcast, so that requests that wait have arrived.
	calm = 100 * time.Millisecond

	// pingPace is how often a client pings.
	pingPace = 5 * time.Millisecond
)

// A crowd is the clients of one server, in a process of their own. Its methods are
// called through net/rpc, one at a time.
type crowd struct {
	conns    []*conn
	joined   int          // of conns, the first ones
	sessions int          // of long polling
	heard    atomic.Int64 // broadcasts, by all together
	polling  atomic.Int64 // requests that wait
	failure  atomic.Pointer[error]
}

// beCrowd is that process: it serves its standard input.
func beCrowd() {
	server := rpc.NewServer()
	_ = server.RegisterName("Crowd", &crowd{}) // fails for types without such methods only
	server.ServeConn(struct {
		io.Reader
		io.WriteCloser
	}{os.Stdin, os.Stdout})
}

// Newcomers are clients that are to connect.
type Newcomers struct {
	Addr  string
	Count int
	TLS   bool
}

// Connect has them connect and upgrade.
func (c *crowd) Connect(n Newcomers, _ *struct{}) error {
	first := len(c.conns)
	c.conns = append(c.conns, make([]*conn, n.Count)...)
	return each(n.Count, func(i int) (err error) {
		if c.conns[first+i], err = dial(n.Addr, n.TLS); err != nil {
			return err
		}
		return c.conns[first+i].upgrade()
	})
}

// Join has all join the lobby who have not.
func (c *crowd) Join(struct{}, *struct{}) error {
	rest := c.conns[c.joined:]
	c.joined = len(c.conns)
	return each(len(rest), func(i int) error {
		if err := rest[i].join(lobby); err != nil {
			return err
		}
		go c.listen(rest[i]) // ends with the process
		return nil
	})
}

func (c *crowd) listen(conn *conn) {
	for {
		message, err := conn.receive()
		if err != nil {
			c.failure.CompareAndSwap(nil, &err)
			return
		}
		c.hear(message)
	}
}

func (c *crowd) hear(text []byte) { c.heard.Add(int64(bytes.Count(text, []byte("new_msg")))) }

// Poll has more clients open sessions of long polling, and poll.
func (c *crowd) Poll(n Newcomers, _ *struct{}) error {
	c.sessions += n.Count
	return each(n.Count, func(int) error {
		s, err := newSession(n.Addr)
		if err == nil {
			go c.poll(s) // ends with the process
		}
		return err
	})
}

func (c *crowd) poll(s *session) {
	for {
		c.polling.Add(1)
		text, err := s.ask("GET", "")
		c.polling.Add(-1)
		if err != nil {
			c.failure.CompareAndSwap(nil, &err)
			return
		}
		c.hear(text)
	}
}

// Broadcast has the first client send as many messages to the lobby, one after the
// other, and tells the mean time in ms until everybody had one.
func (c *crowd) Broadcast(times int, mean *float64) error {
	for range times {
		if err := c.until("polls wait", &c.polling, int64(c.sessions)); err != nil {
			return err
		}
		time.Sleep(calm)
		all := c.heard.Load() + int64(c.joined+c.sessions)
		begin := time.Now()
		if err := c.conns[0].send(lobby, "new_msg", `{"body":"a message of some length, as people write them to each other"}`); err != nil {
			return err
		}
		if err := c.until("messages came", &c.heard, all); err != nil {
			return err
		}
		*mean += ms(time.Since(begin)) / float64(times)
	}
	return c.until("polls wait", &c.polling, int64(c.sessions)) // these requests belong to the last one
}

// until waits until a number is reached.
func (c *crowd) until(what string, number *atomic.Int64, want int64) error {
	for end := time.Now().Add(patience); number.Load() < want; time.Sleep(time.Millisecond) {
		if failure := c.failure.Load(); failure != nil {
			return fmt.Errorf("a client: %w", *failure)
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d %s", number.Load(), want, what)
		}
	}
	return nil
}

// each calls do for 0 to n-1, some at the same time.
func each(n int, do func(int) error) error {
	var next atomic.Int64
	results := make(chan error)
	workers := min(n, dialers)
	for range workers {
		go func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					results <- nil
					return
				}
				if err := do(i); err != nil {
					results <- err
					return
				}
			}
		}()
	}
	var all error
	for range workers {
		all = cmp.Or(all, <-results)
	}
	return all
}

// A Pinger pings for a time.
type Pinger struct {
	Addr string
	For  time.Duration
}

// A Latency is how long answers took, in ms from when each ping was meant to leave.
type Latency struct{ P50, P99, Max float64 }

// Ping has one more client ping its own room.
func (c *crowd) Ping(p Pinger, l *Latency) error {
	conn, err := dial(p.Addr, false)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err = conn.upgrade(); err == nil {
		err = conn.join("room:ping")
	}
	if err != nil {
		return err
	}
	start, count := time.Now(), int(p.For/pingPace)
	meant := func(i int) time.Time { return start.Add(time.Duration(i) * pingPace) }
	sent := make(chan error, 1)
	go func() { // ends when all are sent
		var err error
		for i := 0; i < count && err == nil; i++ {
			time.Sleep(time.Until(meant(i)))
			err = conn.send("room:ping", "ping", "{}")
		}
		sent <- err
	}()
	took := make([]time.Duration, count)
	for i := range took { // answers of one channel keep their order
		if _, err := conn.receive(); err != nil {
			return err
		}
		took[i] = time.Since(meant(i))
	}
	slices.Sort(took)
	*l = Latency{ms(took[count/2]), ms(took[count*99/100]), ms(took[count-1])}
	return <-sent
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

package poller

import (
	"io"
	"net"
	"sync"
	"time"
)

// carryPatience is how long the peer of a carried connection may take for one
// write.
const carryPatience = 30 * time.Second

// carriers are the goroutines of connections that the loop cannot watch.
type carriers struct {
	running sync.WaitGroup

	mu     sync.Mutex // guards the rest, and deadlines of writes
	all    map[*carrier]struct{}
	closed bool // no more
}

// A carrier carries the bytes of a connection to and from a pipe, as a proxy
// would.
type carrier struct {
	net.Conn
	poller *Poller
}

// carry connects nc to open's handler. It does not wait.
func (p *Poller) carry(nc net.Conn, open func(*Conn) Handler) error {
	c := &carrier{nc, p}
	if !p.carriers.add(c) {
		nc.Close()
		return ErrStopped
	}
	pipe, err := p.Pipe(open)
	if err != nil {
		nc.Close()
		p.carriers.remove(c)
		return err
	}
	go c.run(pipe) // Poller.Close waits for it
	return nil
}

// run ends with the connection, or once the loop has closed its end of the pipe.
func (c *carrier) run(pipe net.Conn) {
	defer c.poller.carriers.remove(c)
	var out sync.WaitGroup
	out.Go(func() { c.out(pipe) })
	if _, err := io.Copy(pipe, c.Conn); err != nil || pipe.(*net.UnixConn).CloseWrite() != nil {
		pipe.Close() // for the loop, too, the connection broke
	}
	out.Wait()
	pipe.Close()
	c.Conn.Close()
}

// out carries what the loop sends until it closes its end. Then the peer has to
// close its own, as Config.Linger says. A peer that takes no more may have hung up:
// what it had sent before is still carried, and the loop learns of the end by that.
func (c *carrier) out(pipe net.Conn) {
	_, err := io.Copy(c, pipe)
	if err != nil {
		defer time.AfterFunc(c.poller.linger, func() { c.Conn.Close() }).Stop()
		_, _ = io.Copy(io.Discard, pipe) // no one wants the rest; left in the pipe, it would be a reset for the loop
	}
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if err != nil || !ok || half.CloseWrite() != nil || c.SetReadDeadline(time.Now().Add(c.poller.linger)) != nil {
		c.Conn.Close()
	}
}

// Write limits the time of each write, lest a peer that does not read holds a
// goroutine when the loop's end has long been closed.
func (c *carrier) Write(b []byte) (int, error) {
	c.extend()
	return c.Conn.Write(b)
}

// extend gives the next write its time, unless carriers.close has set the last.
func (c *carrier) extend() {
	all := &c.poller.carriers
	all.mu.Lock()
	defer all.mu.Unlock()
	if !all.closed {
		_ = c.SetWriteDeadline(time.Now().Add(carryPatience)) // without deadlines it ends with its peer
	}
}

// add reports false if it is too late.
func (cs *carriers) add(c *carrier) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.closed {
		return false
	}
	if cs.all == nil {
		cs.all = make(map[*carrier]struct{})
	}
	cs.all[c] = struct{}{}
	cs.running.Add(1)
	return true
}

func (cs *carriers) remove(c *carrier) {
	cs.mu.Lock()
	delete(cs.all, c)
	cs.mu.Unlock()
	cs.running.Done()
}

// close gives the connections, which the loop has let go of, a second to end,
// and returns when they have.
func (cs *carriers) close() {
	cs.mu.Lock()
	cs.closed = true
	for c := range cs.all {
		if c.SetDeadline(time.Now().Add(time.Second)) != nil {
			c.Conn.Close()
		}
	}
	cs.mu.Unlock()
	cs.running.Wait()
}

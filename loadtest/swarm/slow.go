package swarm

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/roost-rt/roost/poller"
)

const (
	// slowBuffer is the receive buffer of a slow client, in bytes.
	slowBuffer = 4 << 10

	// lastRead is how long a slow client reads at the end, to find out whether it
	// has been cut off: longer than the 5 s for which a server of ours holds a
	// connection that it has sent a Close frame.
	lastRead = 7 * time.Second
)

// slow reports whether a client is one of those that stop to read: they are
// spread evenly.
func (c *client) slow() bool {
	part := c.group.fleet.orders.Slow / 100
	return int(float64(c.number+1)*part) > int(float64(c.number)*part)
}

// stall takes a client that has just joined off the event loop. From now on
// nobody reads what the server sends to it, so no message is owed to it.
func (c *client) stall(conn *poller.Conn, now int64) {
	socket, err := conn.Detach()
	if err != nil {
		c.end(conn, fmt.Errorf("stop to read: %w", err))
		return
	}
	c.phase = stalled
	if tcp, ok := socket.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(slowBuffer) // if it fails, it only takes more to fill it
	}
	c.group.stalled(c, socket, now)
	c.group.fleet.beat(socket)
}

// beat goes on with the heartbeats of a client that does not read, until its
// socket is closed: without them the server would take it for dead, and a slow
// one is to be cut off for what it leaves unread alone.
func (f *fleet) beat(socket net.Conn) {
	time.AfterFunc(f.orders.Heartbeat, func() {
		_ = socket.SetWriteDeadline(time.Now().Add(f.orders.Heartbeat)) // it fails for a closed socket only, and so does Write
		if _, err := socket.Write(f.heartbeat); err == nil {
			f.beat(socket)
		}
	})
}

// stalled counts a slow client.
func (g *group) stalled(c *client, socket net.Conn, now int64) {
	f := g.fleet
	f.mu.Lock()
	defer f.mu.Unlock()
	c.conn = nil
	f.slow = append(f.slow, socket)
	f.counts.Slow++
	f.countJoinLocked(c, now)
}

// resume has the slow clients read what there is, and counts those that come to
// its end: the server has cut them off.
func (f *fleet) resume() {
	f.mu.Lock()
	sockets := f.slow
	f.slow = nil
	f.mu.Unlock()
	limit := time.Now().Add(lastRead)
	var reading sync.WaitGroup
	for _, s := range sockets {
		reading.Go(func() {
			defer s.Close()
			_ = s.SetReadDeadline(limit) // it fails for a closed socket only, and so does Copy
			if _, err := io.Copy(io.Discard, s); !errors.Is(err, os.ErrDeadlineExceeded) {
				f.mu.Lock()
				f.counts.CutOff++
				f.mu.Unlock()
			}
			f.disconnected()
		})
	}
	reading.Wait()
}

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

// stall has a client that has just joined read no more: no message is owed to it.
func (c *client) stall(conn connection, now int64) {
	if err := c.group.fleet.network.stall(c, conn); err != nil {
		c.end(conn, fmt.Errorf("stop to read: %w", err))
		return
	}
	c.phase = stalled
	c.group.stalled(c, now)
}

// stalled counts a slow client.
func (g *group) stalled(c *client, now int64) {
	f := g.fleet
	f.mu.Lock()
	defer f.mu.Unlock()
	c.linked = false
	f.counts.Slow++
	f.countJoinLocked(c, now)
}

// stall takes the client off the event loop.
func (s *sockets) stall(_ *client, conn connection) error {
	socket, err := conn.(*poller.Conn).Detach()
	if err != nil {
		return err
	}
	if tcp, ok := socket.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(slowBuffer) // if it fails, it only takes more to fill it
	}
	s.fleet.mu.Lock()
	s.slow = append(s.slow, socket)
	s.fleet.mu.Unlock()
	s.beat(socket)
	return nil
}

// beat goes on with the heartbeats of a client that does not read, until its
// socket is closed.
func (s *sockets) beat(socket net.Conn) {
	f := s.fleet
	time.AfterFunc(f.orders.Heartbeat, func() {
		_ = socket.SetWriteDeadline(time.Now().Add(f.orders.Heartbeat)) // it fails for a closed socket only, and so does Write
		if _, err := socket.Write(f.heartbeat); err == nil {
			s.beat(socket)
		}
	})
}

// resume has the slow clients read what there is, and counts those that come to
// its end: the server has cut them off.
func (s *sockets) resume() {
	f := s.fleet
	f.mu.Lock()
	slow := s.slow
	s.slow = nil
	f.mu.Unlock()
	limit := time.Now().Add(lastRead)
	var reading sync.WaitGroup
	for _, socket := range slow {
		reading.Go(func() {
			defer socket.Close()
			_ = socket.SetReadDeadline(limit) // it fails for a closed socket only, and so does Copy
			if _, err := io.Copy(io.Discard, socket); !errors.Is(err, os.ErrDeadlineExceeded) {
				f.mu.Lock()
				f.counts.CutOff++
				f.mu.Unlock()
			}
			f.disconnected()
		})
	}
	reading.Wait()
}

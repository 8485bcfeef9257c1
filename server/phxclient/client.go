package phxclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/internal/clientside"
)

// closeWait is how long Close waits for what is left to be sent and for the server's
// Close frame, and how long our own may take.
const closeWait = 3 * time.Second

// A Client is a socket: one connection, which is opened again whenever it ends.
type Client struct {
	cfg      Config   // with defaults
	url      *url.URL // of the mount, http or https
	protocol clientside.Protocol

	ctx    context.Context // ends when Close is called
	cancel context.CancelFunc
	done   chan struct{} // closed when the goroutines have ended

	mu       sync.Mutex // guards the rest and the channels; never held while anybody waits
	closed   bool
	link     *link // nil while not connected
	refs     int
	channels map[string]*Channel // by topic: those that are joined or want to be
	out      net.Buffers         // frames for the link
	outSize  int                 // what those count
	queued   int                 // that, what is being written, and what waits in the channels
	room     chan struct{}       // closed when queued has fallen; nil if no one waits for that
}

// Dial opens a socket at the URL of a mount, such as "wss://example.com/socket". It
// fails if the first try to connect does, with a [*RefusedError] if the server refuses;
// from then on, the client connects again by itself. The context is for this call alone.
// Close the client when it is of no more use.
func Dial(ctx context.Context, mount string, cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("phxclient: %w", err)
	}
	u, err := parseURL(mount)
	if err != nil {
		return nil, fmt.Errorf("phxclient: url: %w", err)
	}
	c := &Client{cfg: cfg, url: u, protocol: clientside.V2{}, done: make(chan struct{}), channels: make(map[string]*Channel)}
	if cfg.Version == V1 {
		c.protocol = clientside.V1{}
	}
	l, err := c.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("phxclient: connect to %s: %w", u.Host, err)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.attach(l)
	go c.run(l) // Close waits for it
	return c, nil
}

// Close ends all channels, sends what waits to be sent, and closes the connection with
// 1000. It waits for that, 3 s at most. It may be called several times, and from
// everywhere but Renew and the delays.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	for _, ch := range c.channels {
		ch.endLocked(ErrClosed)
	}
	c.roomLocked()
	c.mu.Unlock()
	c.cancel()
	select {
	case <-c.done:
		return
	case <-time.After(closeWait):
	}
	c.mu.Lock()
	if c.link != nil {
		_ = c.link.conn.Close() // so that reading and writing end
	}
	c.mu.Unlock()
	<-c.done
}

// run serves one connection after the other, until the client is closed.
func (c *Client) run(l *link) {
	defer close(c.done)
	for n := 0; l != nil; {
		opened := time.Now()
		err := l.serve()
		c.detach(err)
		if c.ctx.Err() != nil {
			return
		}
		c.cfg.Logger.Warn("connection lost", "host", c.url.Host, "err", err)
		if time.Since(opened) >= settled {
			n = 0
		}
		l = c.reconnect(&n)
	}
}

// reconnect tries until it has a connection. It returns nil if the client is closed.
func (c *Client) reconnect(n *int) *link {
	for {
		*n++
		select {
		case <-time.After(c.cfg.Reconnect(*n)):
		case <-c.ctx.Done():
			return nil
		}
		l, err := c.connect(c.ctx)
		switch {
		case err == nil:
			c.cfg.Logger.Info("connected again", "host", c.url.Host, "tries", *n)
			c.attach(l)
			return l
		case c.ctx.Err() != nil:
			return nil
		}
		c.cfg.Logger.Warn("connect failed", "host", c.url.Host, "tries", *n, "err", err)
	}
}

// attach makes l the connection, and all channels join there (spec §9.4).
func (c *Client) attach(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link = l
	for _, ch := range c.channels {
		ch.joinLocked()
	}
}

// detach gives the connection up: what waits for it was for joins that are lost now.
func (c *Client) detach(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link, c.out = nil, nil
	c.releaseLocked(c.outSize)
	c.outSize = 0
	for _, ch := range c.channels {
		ch.disconnectedLocked(fmt.Errorf("connection lost: %w", err))
	}
}

// receive passes on what has come.
func (c *Client) receive(l *link, m clientside.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.Topic == "phoenix" {
		if m.Ref == l.beat {
			l.beat = ""
		}
		return
	}
	ch := c.channels[m.Topic]
	if ch != nil && (m.JoinRef == "" || m.JoinRef == ch.joinRef) { // others are outdated (spec §9.3)
		ch.receiveLocked(m)
	}
}

// heartbeat sends one, unless the last one has not been answered.
func (c *Client) heartbeat(l *link) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.beat != "" {
		return false
	}
	l.beat = c.refLocked()
	c.sendLocked(clientside.Outgoing{Ref: l.beat, Topic: "phoenix", Event: "heartbeat", Payload: []byte("{}")})
	return true
}

// refLocked is a new ref.
func (c *Client) refLocked() string {
	c.refs++
	return strconv.Itoa(c.refs)
}

// sendLocked gives the link one of the client's own messages, which are few and always
// have room.
func (c *Client) sendLocked(m clientside.Outgoing) {
	size := len(m.Payload) + overhead
	c.queued += size
	c.putLocked(m, size)
}

// putLocked gives the link a message that counts in queued already. It has been encoded
// once before, unless it is the client's own: it does not fail.
func (c *Client) putLocked(m clientside.Outgoing, size int) {
	data, err := encodeFrame(c.protocol, m)
	if err != nil {
		c.releaseLocked(size)
		c.cfg.Logger.Error("message dropped", "topic", m.Topic, "event", m.Event, "err", err)
		return
	}
	c.out = append(c.out, data)
	c.outSize += size
	c.link.wakeUp()
}

// takeOut takes what the link is to write, and what that counts.
func (c *Client) takeOut(l *link) (frames net.Buffers, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	frames, size = c.out, c.outSize
	c.out, c.outSize = nil, 0
	if l.pong != nil {
		frames = append(frames, frame.AppendMasked(nil, opPong, newMask(), l.pong))
		l.pong = nil
	}
	return frames, size
}

// reserve waits until there is room for a message, and takes it.
func (c *Client) reserve(ctx context.Context, size int) error {
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return ErrClosed
		}
		if c.queued == 0 || c.queued+size <= c.cfg.OutboxMax {
			c.queued += size
			c.mu.Unlock()
			return nil
		}
		if c.room == nil {
			c.room = make(chan struct{})
		}
		room := c.room
		c.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return errors.Join(errors.New("too much waits to be sent"), ctx.Err())
		}
	}
}

func (c *Client) release(size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.releaseLocked(size)
}

func (c *Client) releaseLocked(size int) {
	c.queued -= size
	c.roomLocked()
}

// roomLocked has all that wait for room look again.
func (c *Client) roomLocked() {
	if c.room != nil {
		close(c.room)
		c.room = nil
	}
}

package main

import (
	"context"
	"time"
)

// A measure measures one side, with servers of its own.
type measure struct {
	name string
	says string
	of   func(context.Context, *trial) error
}

var measures = []measure{
	{"idle", "a server without clients, with clients who say nothing, and its memory after their joins", idle},
	{"clients", "memory of a client, connected and joined, after garbage collections; broadcasts to these clients", connected},
	{"chat", "joins and broadcasts, by loadtest", chat},
	{"echo", "replies, by loadtest", echo},
	{"longpoll", "sessions of long polling, and a WebSocket client beside them", longPoll},
	{"tls", "handshakes, memory and broadcasts with TLS", secured},
}

// A trial is one measure of one side in one round.
type trial struct {
	config
	program string // the server
	tell    func(figure, unit string, value float64)
}

// settled is how long a process that has just started, or got clients, may take to
// become quiet.
const settled = 5 * time.Second

func idle(ctx context.Context, t *trial) error {
	s, c, end, err := t.start(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := t.quiet(ctx, s, "idle, no clients"); err != nil {
		return err
	}
	before, err := s.look()
	if err == nil {
		err = c.connect(s.addr, t.Clients, false)
	}
	if err == nil {
		err = c.join()
	}
	joined := time.Now()
	if err != nil {
		return err
	}
	for _, moment := range []struct {
		when   string
		before func() error
	}{
		{"at once", func() error { return nil }},
		{"later", func() error {
			if err := t.quiet(ctx, s, "idle, joined clients"); err != nil {
				return err
			}
			return wait(ctx, time.Until(joined.Add(t.Later)))
		}},
	} {
		if err := moment.before(); err != nil {
			return err
		}
		now, err := s.look()
		if err != nil {
			return err
		}
		t.tell("memory after joins, "+moment.when, "B/client", (now.rss-before.rss)/float64(t.Clients))
	}
	return nil
}

// quiet measures a server that is left alone.
func (t *trial) quiet(ctx context.Context, s *server, name string) error {
	if err := wait(ctx, min(settled, t.Idle)); err != nil {
		return err
	}
	before, err := s.look()
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := wait(ctx, t.Idle); err != nil {
		return err
	}
	after, err := s.look()
	took := time.Since(begin).Seconds()
	t.tell(name, "% of a core", 100*(after.cpu-before.cpu).Seconds()/took)
	t.tell(name, "switches/s", (after.switches-before.switches)/took)
	return err
}

// connected measures what clients take of the memory, by the slope from a tenth of
// them to all, so that what a server takes anyway is left out.
func connected(ctx context.Context, t *trial) error {
	s, c, end, err := t.start(ctx)
	if err != nil {
		return err
	}
	defer end()
	first, more := t.split(t.Clients)
	if err := t.enter(s, c, first, false); err != nil {
		return err
	}
	few, _, err := s.collect()
	if err == nil {
		err = c.connect(s.addr, more, false)
	}
	if err != nil {
		return err
	}
	all, _, err := s.collect()
	if err == nil {
		err = c.join()
	}
	if err != nil {
		return err
	}
	joined, _, err := s.collect()
	if err != nil {
		return err
	}
	t.tell("memory, connected", "B/client", (all.rss-few.rss)/float64(more))
	t.tell("memory, joined", "B/client", (joined.rss-few.rss)/float64(more))
	return t.broadcast(s, c, t.Clients, "broadcast")
}

// split says who comes first where memory is measured by its slope.
func (t *trial) split(clients int) (first, more int) {
	first = max(1, clients/10)
	return first, clients - first
}

func (t *trial) enter(s *server, c *clients, count int, secure bool) error {
	if err := c.connect(s.addr, count, secure); err != nil {
		return err
	}
	return c.join()
}

// broadcast measures broadcasts to so many clients.
func (t *trial) broadcast(s *server, c *clients, receivers int, name string) error {
	before, err := s.look()
	if err != nil {
		return err
	}
	var mean float64
	if err := c.call("Broadcast", t.Broadcasts, &mean); err != nil {
		return err
	}
	after, err := s.look()
	t.tell(name, "µs CPU/delivery", micros(after.cpu-before.cpu)/float64(receivers*t.Broadcasts))
	t.tell(name, "ms to the last", mean)
	return err
}

// start starts a server, and clients for it.
func (t *trial) start(ctx context.Context, args ...string) (*server, *clients, func(), error) {
	s, err := startServer(ctx, t.program, args...)
	if err != nil {
		return nil, nil, nil, err
	}
	c, err := startClients(ctx, true)
	if err != nil {
		s.stop()
		return nil, nil, nil, err
	}
	return s, c, func() { s.stop(); c.end() }, nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

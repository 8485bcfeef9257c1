package main

import (
	"context"
	"time"
)

func longPoll(ctx context.Context, t *trial) error {
	s, c, end, err := t.start(ctx)
	if err != nil {
		return err
	}
	defer end()
	first, more := t.split(t.Sessions)
	poll := func(n int) error { return c.call("Poll", Newcomers{Addr: s.addr, Count: n}, &struct{}{}) }
	if err := t.enter(s, c, 1, false); err != nil { // who broadcasts
		return err
	}
	if err := poll(first); err != nil {
		return err
	}
	// What the joins were answered has gone with the first broadcast.
	if err := c.call("Broadcast", 1, new(float64)); err != nil {
		return err
	}
	few, _, err := s.collect()
	if err == nil {
		err = poll(more)
	}
	if err == nil {
		err = c.call("Broadcast", 1, new(float64))
	}
	if err != nil {
		return err
	}
	all, _, err := s.collect()
	if err != nil {
		return err
	}
	t.tell("long poll, waiting", "B/session", (all.rss-few.rss)/float64(more))
	if err := t.broadcast(s, c, t.Sessions+1, "long poll, broadcast"); err != nil {
		return err
	}
	return t.beside(ctx, s, c)
}

// beside measures a WebSocket client that pings: alone, and during broadcasts to
// sessions.
func (t *trial) beside(ctx context.Context, s *server, c *clients) error {
	one, err := startClients(ctx, false)
	if err != nil {
		return err
	}
	defer one.end()
	// As long as the broadcasts take, about.
	ping := Pinger{s.addr, time.Duration(t.Broadcasts) * 2 * calm}
	for _, during := range []struct {
		name   string
		others func() error
	}{
		{"ping, long polls wait", func() error { return nil }},
		{"ping, long polls get broadcasts", func() error { return c.call("Broadcast", t.Broadcasts, new(float64)) }},
	} {
		others := make(chan error, 1)
		go func() { others <- during.others() }() // ends with the call, or with the clients
		var l Latency
		err := one.call("Ping", ping, &l)
		if failed := <-others; err == nil {
			err = failed
		}
		if err != nil {
			return err
		}
		t.tell(during.name, "ms p50", l.P50)
		t.tell(during.name, "ms p99", l.P99)
		t.tell(during.name, "ms max", l.Max)
	}
	return nil
}

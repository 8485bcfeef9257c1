package main

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// spare is how many descriptors a server may need beside those of its clients.
const spare = 500

func secured(ctx context.Context, t *trial) error {
	s, c, end, err := t.start(ctx, "-tls")
	if err != nil {
		return err
	}
	defer end()
	clients, err := t.fitting(s, c)
	if err != nil {
		return err
	}
	first, more := t.split(clients)
	if err := t.enter(s, c, max(0, first-probes), true); err != nil {
		return err
	}
	few, fewRoutines, err := s.collect()
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := c.connect(s.addr, more, true); err != nil {
		return err
	}
	took := time.Since(begin)
	shaken, err := s.look()
	if err == nil {
		err = c.join()
	}
	if err != nil {
		return err
	}
	all, allRoutines, err := s.collect()
	if err != nil {
		return err
	}
	each := float64(more)
	t.tell("TLS, clients that fit", "clients", float64(clients))
	t.tell("TLS, handshakes", "connects/s", each/took.Seconds())
	t.tell("TLS, handshakes", "µs CPU/connect", micros(shaken.cpu-few.cpu)/each)
	t.tell("TLS, joined", "B/client", (all.rss-few.rss)/each)
	t.tell("TLS, joined", "files/client", (all.files-few.files)/each)
	t.tell("TLS, joined", "goroutines/client", (allRoutines-fewRoutines)/each)
	t.tell("TLS, joined", "threads", all.threads)
	return t.broadcast(s, c, max(first, probes)+more, "TLS, broadcast")
}

// probes are the first clients of TLS, to see how many will fit.
const probes = 10

// fitting has them join, and says for how many the limit of open files suffices.
func (t *trial) fitting(s *server, c *clients) (int, error) {
	before, err := s.look()
	if err == nil {
		err = t.enter(s, c, probes, true)
	}
	if err != nil {
		return 0, err
	}
	after, err := s.look()
	if err != nil {
		return 0, err
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("the limit of open files: %w", err)
	}
	fit := (float64(limit.Cur) - spare) * probes / (after.files - before.files)
	return min(t.Clients, int(fit)), nil
}

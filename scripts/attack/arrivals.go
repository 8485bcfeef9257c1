package main

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// arrivals are connections: many, short or slow ones.
func arrivals() []attack {
	return []attack{
		{name: "churn", says: "eight clients connect, upgrade and leave at full speed", do: churn(true)},
		{name: "churn-tcp", says: "the same without a handshake", do: churn(false)},
		{name: "slow-heads", says: "1,000 clients send the head of their request byte by byte", do: slowHeads},
		{name: "idle", says: "1,000 clients connect and send one byte", do: idle},
	}
}

// maxConnects bounds the connections of one attack: each leaves a local port in
// TIME_WAIT.
const maxConnects = 20_000

func churn(upgrade bool) func(context.Context, *target) error {
	return func(ctx context.Context, t *target) error {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for n := 0; n < maxConnects/8 && ctx.Err() == nil; n++ {
					if err := t.visit(ctx, upgrade); err == nil {
						t.happened("connections", 1)
					} else if sleepUntil(ctx, time.Now().Add(again)) {
						t.happened(fate(err), 1)
					}
				}
			})
		}
		all.Wait()
		return nil
	}
}

// visit connects and leaves.
func (t *target) visit(ctx context.Context, upgrade bool) error {
	var conn net.Conn
	var err error
	if upgrade {
		var c *client
		if c, err = t.dial(ctx, websocket); err == nil {
			conn = c
		}
	} else {
		conn, err = t.connect(ctx)
	}
	if err == nil {
		conn.Close()
	}
	return err
}

func slowHeads(ctx context.Context, t *target) error {
	head := request("GET", websocket, t.addr, append([]string{"X-Slow: " + filler(8000)}, upgradeHeaders...)...)
	conns, err := t.open(ctx, 1000)
	if err != nil {
		return err
	}
	ended := make([]bool, len(conns))
	for n := 1; n < len(head) && ctx.Err() == nil; n++ {
		for i, conn := range conns {
			if ended[i] {
				continue
			}
			if _, err := conn.Write([]byte{head[n]}); err != nil && ctx.Err() == nil {
				ended[i] = true
				t.happened(fate(err), 1)
			}
		}
	}
	t.leave(conns)
	return nil
}

func idle(ctx context.Context, t *target) error {
	conns, err := t.open(ctx, 1000)
	if err != nil {
		return err
	}
	<-ctx.Done()
	t.leave(conns)
	return nil
}

// open opens n connections, each with the first byte of a request: without one
// the kernel would keep them to itself.
func (t *target) open(ctx context.Context, n int) (conns []net.Conn, err error) {
	for range n {
		conn, err := t.connect(ctx)
		if err == nil {
			_, err = conn.Write([]byte("G"))
		}
		if err != nil {
			return nil, err
		}
		conns = append(conns, conn)
	}
	return conns, nil
}

// leave closes connections, and tells which had ended before.
func (t *target) leave(conns []net.Conn) {
	for _, conn := range conns {
		_ = conn.SetReadDeadline(time.Now().Add(time.Microsecond)) // it fails for a closed connection only, and so does Read
		if _, err := conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			t.happened("left open", 1)
		} else {
			t.happened("ended by the server", 1)
		}
		conn.Close()
	}
}

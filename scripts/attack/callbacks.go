package main

import (
	"bytes"
	"context"
	"fmt"
	"sync"
)

// callbacks are handlers of an application that wait or leave.
func callbacks() []attack {
	return []attack{
		{name: "blocked-128", says: "128 callbacks of two sockets wait for a minute", do: occupy(2, 64, 60_000)},
		{name: "slow-400", says: "400 callbacks of four sockets take 1 s, again and again", do: occupy(4, 100, 1000)},
		{name: "goexit", says: "200 callbacks end in runtime.Goexit", do: goexit},
	}
}

// occupy keeps the callbacks of each of a socket's channels waiting.
func occupy(sockets, channels, ms int) func(context.Context, *target) error {
	return func(ctx context.Context, t *target) error {
		var all sync.WaitGroup
		defer all.Wait()
		for range sockets {
			c, err := t.dial(ctx, websocket)
			if err != nil {
				return err
			}
			context.AfterFunc(ctx, func() { c.Close() })
			all.Go(func() {
				if err := t.pester(ctx, c, channels, fmt.Sprintf(`{"ms":%d}`, ms)); ctx.Err() == nil {
					t.happened(fate(err), 1)
				}
			})
		}
		return nil
	}
}

// pester asks every channel to wait, and again when it has answered.
func (t *target) pester(ctx context.Context, c *client, channels int, payload string) error {
	var round bytes.Buffer
	for n := range channels {
		topic := fmt.Sprintf("room:%d", n)
		if err := c.join(topic); err != nil {
			return err
		}
		round.Write(push("7", topic, "wait", payload))
	}
	for ctx.Err() == nil {
		t.happened("callbacks", channels)
		if _, err := t.exchange(c, round.Bytes(), channels); err != nil {
			return err
		}
	}
	return nil
}

// goexit ends the goroutines of callbacks; each channel should then tell its client
// of a crash.
func goexit(ctx context.Context, t *target) error {
	const channels = 100
	var clients []*client
	for range 2 {
		c, err := t.dial(ctx, websocket)
		if err != nil {
			return err
		}
		defer c.Close()
		var all bytes.Buffer
		for n := range channels {
			topic := fmt.Sprintf("room:%d", n)
			if err := c.join(topic); err != nil {
				return err
			}
			all.Write(push("7", topic, "goexit", "{}"))
		}
		if _, err := c.Write(all.Bytes()); err != nil {
			return err
		}
		t.happened("callbacks", channels)
		clients = append(clients, c)
	}
	for _, c := range clients {
		for range channels {
			answer, err := c.receive()
			switch {
			case err != nil:
				return err
			case bytes.Contains(answer, []byte("phx_error")):
				t.happened("phx_error", 1)
			default:
				t.happened("answered otherwise", 1)
			}
		}
	}
	return nil
}

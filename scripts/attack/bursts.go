package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"time"
)

const websocket = "/socket/websocket?vsn=2.0.0"

// bursts are much at once, for clients who read it all.
func bursts() []attack {
	return []attack{
		{name: "room-3x1.2MB", says: "a member of a room sends 3 x 1.2 MB in one go, again and again; 20 members read", do: burst("tell", 3, 1_200_000, 20)},
		{name: "room-15x600kB", says: "the same with 15 x 600 kB", do: burst("tell", 15, 600_000, 20)},
		{name: "own-100x20kB", says: "clients push 100 x 20 kB in one go and read their own replies", do: ownReplies(100, 20_000)},
		{name: "own-16MB", says: "clients push 800 x 20 kB in one go and read their own replies", do: ownReplies(800, 20_000)},
		{name: "joined-1.5MB", says: "Joined pushes 1.5 MB to each newcomer, who sends a heartbeat and reads", do: history},
		{name: "stalled-member", says: "one of 21 members does not read while the room gets 100 x 10 kB a second", do: stalledMember},
		{name: "not-utf8", says: "a channel broadcasts a json.RawMessage that is not UTF-8 to a room of 20", do: burst("raw", 3, 0, 20)},
	}
}

// burst has one client send count messages to a room at a time. Each one answered "ok" is
// owed to every member.
func burst(event string, count, size, members int) func(context.Context, *target) error {
	return func(ctx context.Context, t *target) error {
		const topic = "room:burst"
		c, err := t.gather(ctx, topic, members)
		if err != nil {
			return err
		}
		owed := 0
		defer func() { c.disperse(t, owed) }()
		publisher, err := t.dial(ctx, websocket)
		if err != nil {
			return err
		}
		defer publisher.Close()
		if err := publisher.join(topic); err != nil {
			return err
		}
		messages := bytes.Repeat(push("7", topic, event, filler(size)), count)
		for ctx.Err() == nil && !c.gone() {
			accepted, err := t.exchange(publisher, messages, count)
			owed += accepted
			if err != nil {
				return err
			}
			c.await(owed)
		}
		return nil
	}
}

// exchange sends messages that ask for count replies, reads until these are there,
// and returns how many were "ok".
func (t *target) exchange(c *client, messages []byte, count int) (accepted int, err error) {
	go func() { _, _ = c.Write(messages) }() // receive meets the end of the connection, too
	for replies := 0; replies < count; {
		message, err := c.receive()
		if err != nil {
			return accepted, err
		}
		if isBroadcast(message) {
			continue
		}
		replies++
		reason := refusal(message)
		if reason == "" && !bytes.Contains(message[:min(len(message), 200)], []byte(`"phx_reply"`)) {
			reason = "channel ended" // a callback's error is phx_error, and phx_close may follow
		}
		if reason != "" {
			t.happened(reason, 1)
			continue
		}
		accepted++
	}
	t.happened("accepted", accepted)
	return accepted, nil
}

// ownReplies has clients push much and read all: nothing may be lost, whatever the
// server makes them wait.
func ownReplies(count, size int) func(context.Context, *target) error {
	return func(ctx context.Context, t *target) error {
		const topic = "room:own"
		messages := bytes.Repeat(push("7", topic, "echo", filler(size)), count)
		for ctx.Err() == nil {
			c, err := t.dial(ctx, websocket)
			if err == nil {
				err = c.join(topic)
			}
			if err != nil {
				return err
			}
			t.happened("bursts", 1)
			accepted, err := t.exchange(c, messages, count)
			c.Close()
			if ctx.Err() != nil {
				return nil // it ran out of time
			}
			if err != nil {
				t.lose(1, count-accepted)
				t.happened(fate(err), 1)
			}
		}
		return nil
	}
}

// history joins a topic that greets with more than fits a queue, and speaks at
// once.
func history(ctx context.Context, t *target) error {
	for n := 0; ctx.Err() == nil; n++ {
		c, err := t.dial(ctx, websocket)
		if err != nil {
			return err
		}
		topic := fmt.Sprintf("big:%d", n)
		_, err = c.Write(slices.Concat(push("1", topic, "phx_join", "{}"), push("2", topic, "echo", "{}")))
		for got := 0; got < 3 && err == nil; got++ { // replies to both, and the history
			_, err = c.receive()
		}
		c.Close()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			t.lose(1, 0)
		}
		t.happened(fate(err), 1)
	}
	return nil
}

// stalledMember has a room get 100 messages a second while one member does not
// read.
func stalledMember(ctx context.Context, t *target) error {
	const topic = "room:stalled"
	c, err := t.gather(ctx, topic, 20)
	if err != nil {
		return err
	}
	owed := 0
	defer func() { c.disperse(t, owed) }()
	stalled, err := t.deaf(ctx, topic)
	if err != nil {
		return err
	}
	defer stalled.Close()
	publisher, err := t.dial(ctx, websocket)
	if err != nil {
		return err
	}
	defer publisher.Close()
	if err := publisher.join(topic); err != nil {
		return err
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	message := push("7", topic, "tell", filler(10_000))
	for ctx.Err() == nil {
		accepted, err := t.exchange(publisher, message, 1)
		owed += accepted
		if err != nil {
			return err
		}
		<-tick.C
	}
	c.await(owed)
	for err == nil {
		_, err = stalled.receive()
	}
	t.happened("stalled "+fate(err), 1)
	return nil
}

// deaf joins a topic and reads no more.
func (t *target) deaf(ctx context.Context, topic string) (*client, error) {
	c, err := t.dial(ctx, websocket)
	if err != nil {
		return nil, err
	}
	if err := c.Conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		return nil, err
	}
	return c, c.join(topic)
}

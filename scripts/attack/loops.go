package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roost-rt/roost/server/frame"
)

// maxSent bounds what one attack sends, in bytes.
const maxSent = 20 << 30

// logs make the server write lines.
func logs() []attack {
	return []attack{
		{name: "refused-joins", says: "one client joins topics without a route at full speed", do: flood(1, "joins", 500, text(`[null,"1","nowhere:1","phx_join",{}]`))},
		{name: "stalled-log", says: "the same while nobody reads the server's log", do: flood(1, "joins", 500, text(`[null,"1","nowhere:1","phx_join",{}]`)), deaf: true},
	}
}

// loops keep an event loop busy.
func loops() []attack {
	return []attack{
		{name: "ping-flood", says: "one client sends WebSocket pings at full speed and reads the pongs", do: flood(1, "pings", 1000, frame.AppendMasked(nil, opPing, mask, nil))},
		{name: "ping-unread", says: "the same without reading", do: unread(nil, bytes.Repeat(frame.AppendMasked(nil, opPing, mask, make([]byte, 125)), 10_000))},
		{name: "heartbeats", says: "one client sends heartbeats at full speed", do: flood(1, "heartbeats", 500, text(beat))},
		{name: "heartbeats-8MB", says: "four clients send heartbeats of 7.9 MB", do: flood(4, "heartbeats", 1, text(`[null,"1","phoenix","heartbeat",`+filler(7_900_000)+`]`))},
		{name: "join-leave", says: "one client joins and leaves at full speed", do: flood(1, "joins", 250, append(push("1", "room:a", "phx_join", "{}"), push("2", "room:a", "phx_leave", "{}")...))},
		{name: "empty-blocks", says: "a compressed message is 8 MB of empty DEFLATE blocks, again and again", do: deflated("\x03\x00")},
		{name: "stored-blocks", says: "the same with empty stored blocks", do: deflated("\x00\x00\x00\xff\xff")},
		{name: "code-blocks", says: "20 clients send compressed messages of 1,000 DEFLATE blocks with nothing but their codes", do: flood(20, "messages", 10, compressed(codeBlocks(1000)), deflate)},
		{name: "dense", says: "20 clients send heartbeats of 60 kB of empty arrays", do: flood(20, "heartbeats", 1, text(`[null,"1","phoenix","heartbeat",[`+strings.Repeat("[],", 20_000)+`1]]`))},
		{name: "many-channels", says: "20 clients push to 100 channels each at full speed", do: manyChannels(20, 100)},
		{name: "empty-fragments", says: "a message of endless empty fragments", do: emptyFragments},
		{name: "byte-fragments", says: "heartbeats of a million fragments of 1 byte", do: flood(1, "messages", 1, inFragments(" ", 1_000_000))},
		{name: "byte-by-byte", says: "20 clients send their frames in segments of 1 byte", do: byteByByte},
		{name: "after-close", says: "a client goes on at full speed after its Close frame", do: unread(frame.AppendMasked(nil, opClose, mask, nil), make([]byte, 1<<20))},
	}
}

// again is how long a client that was cut off waits before it comes back.
const again = 10 * time.Millisecond

// flood has some clients send the same again and again and read what comes back.
// Copies are sent together. A client that is cut off comes back.
func flood(clients int, what string, copies int, message []byte, headers ...string) func(context.Context, *target) error {
	return func(ctx context.Context, t *target) error {
		data := bytes.Repeat(message, copies)
		var all sync.WaitGroup
		for range clients {
			all.Go(func() {
				for ctx.Err() == nil {
					c, err := t.dial(ctx, websocket, headers...)
					if err != nil {
						t.happened(fate(err), 1)
						return
					}
					t.pour(ctx, c, what, copies, data)
					sleepUntil(ctx, time.Now().Add(again))
				}
			})
		}
		all.Wait()
		return nil
	}
}

// pour sends data until ctx or the connection ends, and tells which.
func (t *target) pour(ctx context.Context, c *client, what string, copies int, data []byte) {
	defer c.Close()
	var refused atomic.Int64
	ended := make(chan error, 1)
	go func() { // until c is closed
		err := t.listen(c, &refused)
		_ = c.SetWriteDeadline(time.Now()) // a closed connection needs none
		ended <- err
	}()
	var err error
	for sent := 0; err == nil && sent < maxSent; sent += len(data) {
		if _, err = c.Write(data); err == nil {
			t.happened(what, copies)
		}
	}
	if n := refused.Load(); n > 0 {
		t.happened("refused", int(n))
	}
	if err == nil || ctx.Err() != nil { // still there
		t.happened("left open", 1)
		return
	}
	t.happened(fate(<-ended), 1) // says more than the failed write
}

// listen reads until the connection ends.
func (t *target) listen(c *client, refused *atomic.Int64) error {
	for {
		message, err := c.receive()
		if err != nil {
			return err
		}
		if refusal(message) != "" {
			refused.Add(1)
		}
	}
}

// unread sends something first, then the same again and again, and never reads.
func unread(first, then []byte) func(context.Context, *target) error {
	return func(ctx context.Context, t *target) error {
		c, err := t.dial(ctx, websocket)
		if err != nil {
			return err
		}
		defer c.Close()
		data := first
		for sent := 0; sent < maxSent; sent += len(data) {
			if _, err := c.Write(data); err != nil {
				return err
			}
			t.happened("MB", len(data)>>20)
			data = then
		}
		return nil
	}
}

const deflate = "Sec-WebSocket-Extensions: permessage-deflate"

// deflated sends compressed messages of 8 MB that are made of one block.
func deflated(block string) func(context.Context, *target) error {
	return flood(1, "messages", 1, compressed(bytes.Repeat([]byte(block), 7_900_000/len(block))), deflate)
}

// compressed is a message that payload compresses.
func compressed(payload []byte) []byte {
	message := frame.AppendMasked(nil, opText, mask, payload)
	message[0] = fin | rsv1 | opText
	return message
}

// codeBlocks is n DEFLATE blocks of 92 bits, each with codes of its own (RFC 1951 §3.2.7)
// and nothing else: the most work for a byte. The stored block behind them is that of
// which the sender leaves the rest out.
func codeBlocks(n int) []byte {
	block := "001" + "00000" + "00000" + "0111" + // not the last; codes for 257 literals and one distance; 18 code lengths:
		"000" + "000" + "100" + "010" + strings.Repeat("000", 13) + "010" + // 18 has one bit, 0 and 1 have two
		"01111111" + "01101011" + "11" + "10" + // 138 and 118 without a code, one bit for the end, none for the distance
		"0" // the end
	bits := strings.Repeat(block, n) + "000"
	out := make([]byte, (len(bits)+7)/8)
	for i := range len(bits) {
		out[i/8] |= (bits[i] - '0') << (i % 8)
	}
	return out
}

// manyChannels has clients join topics of their own, and push to all of them.
func manyChannels(clients, topics int) func(context.Context, *target) error {
	return func(ctx context.Context, t *target) error {
		var all sync.WaitGroup
		defer all.Wait()
		for n := range clients {
			c, err := t.dial(ctx, websocket)
			if err != nil {
				return err
			}
			var pushes []byte
			for m := range topics {
				topic := fmt.Sprintf("room:%d-%d", n, m)
				if err := c.join(topic); err != nil {
					return err
				}
				pushes = append(pushes, push("7", topic, "echo", "{}")...)
			}
			all.Go(func() { t.pour(ctx, c, "pushes", topics, pushes) })
		}
		return nil
	}
}

// beat is a heartbeat.
const beat = `[null,"1","phoenix","heartbeat",{}]`

// inFragments is a heartbeat after n fragments with the same payload.
func inFragments(payload string, n int) []byte {
	return slices.Concat(part(opText, payload), bytes.Repeat(part(0, payload), n), part(fin, beat))
}

// emptyFragments sends a message that never ends.
func emptyFragments(ctx context.Context, t *target) error {
	c, err := t.dial(ctx, websocket)
	if err == nil {
		_, err = c.Write(part(opText, ""))
	}
	if err != nil {
		return err
	}
	const copies = 10_000
	t.pour(ctx, c, "fragments", copies, bytes.Repeat(part(0, ""), copies))
	return nil
}

// part is a frame whose first byte is given.
func part(first byte, payload string) []byte {
	b := text(payload)
	b[0] = first
	return b
}

// byteByByte has clients send heartbeats in the smallest segments there are.
func byteByByte(ctx context.Context, t *target) error {
	var all sync.WaitGroup
	for range 20 {
		c, err := t.dial(ctx, websocket)
		if err != nil {
			return err
		}
		if err := c.Conn.(*net.TCPConn).SetNoDelay(true); err != nil {
			return err
		}
		all.Go(func() { t.trickle(ctx, c) })
	}
	all.Wait()
	return nil
}

func (t *target) trickle(ctx context.Context, c *client) {
	defer c.Close()
	for n := 0; ctx.Err() == nil; n++ {
		for _, b := range text(fmt.Sprintf(`[null,"%d","phoenix","heartbeat",{}]`, n)) {
			if _, err := c.Write([]byte{b}); err != nil {
				t.happened(fate(err), 1)
				return
			}
		}
		if _, err := c.receive(); err != nil {
			t.happened(fate(err), 1)
			return
		}
		t.happened("heartbeats", 1)
	}
}

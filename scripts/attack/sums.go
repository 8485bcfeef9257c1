package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/roost-rt/roost/server/frame"
)

// large is nearly as large as a message may be, in bytes.
const large = 7_900_000

// sums are bytes that the server keeps: each within its limit, together too many.
func sums() []attack {
	return []attack{
		{name: "events-7.9MB", says: "75 messages whose event is 7.9 MB wait for a blocked channel", do: mailbox(1, 75, func(topic string) []byte { return push("7", topic, strings.Repeat("e", large), "{}") })},
		{name: "mailboxes", says: "two messages of 7.9 MB wait for each of 30 blocked channels", do: mailbox(30, 2, func(topic string) []byte { return push("7", topic, "echo", filler(large)) })},
		{name: "topics-7.9MB", says: "20 clients join topics of 7.9 MB that have no route", do: flood(20, "joins", 1, text(`["1","1","nowhere:`+strings.Repeat("t", large)+`","phx_join",{}]`))},
		{name: "refs-7.9MB", says: "20 clients send heartbeats with refs of 7.9 MB", do: flood(20, "heartbeats", 1, text(`[null,"`+strings.Repeat("9", large)+`","phoenix","heartbeat",{}]`))},
		{name: "partial-frames", says: "51 clients send 7.9 MB of a frame of 8 MB, then nothing", do: partialFrames},
		{name: "poll-bodies", says: "51 clients of long polling send 7.9 MB of a body of 8 MB, then nothing", do: pollBodies},
		{name: "listener", says: "200 broadcasts of 1 MB wait for a slow function of Endpoint.Subscribe", do: listener},
	}
}

// mailbox sends messages to channels whose callbacks are blocked.
func mailbox(channels, count int, message func(topic string) []byte) func(context.Context, *target) error {
	return func(ctx context.Context, t *target) error {
		c, err := t.dial(ctx, websocket)
		if err != nil {
			return err
		}
		defer c.Close()
		for n := range channels {
			topic := fmt.Sprintf("room:%d", n)
			if err := c.join(topic); err != nil {
				return err
			}
			if err := c.push("6", topic, "wait", `{"ms":60000}`); err != nil {
				return err
			}
		}
		go t.refusals(c)
		for n := range channels {
			data := message(fmt.Sprintf("room:%d", n))
			for range count {
				if _, err := c.Write(data); err != nil {
					return err
				}
				t.happened("sent", 1)
			}
		}
		<-ctx.Done()
		return nil
	}
}

// refusals counts the error replies that a client gets, and how it ends.
func (t *target) refusals(c *client) {
	for {
		message, err := c.receive()
		if err != nil {
			t.happened(fate(err), 1)
			return
		}
		if reason := refusal(message); reason != "" {
			t.happened(reason, 1)
		}
	}
}

// hold opens n connections, which send data and then wait for their end.
func (t *target) hold(ctx context.Context, n int, open func() (net.Conn, error), data []byte) error {
	var all sync.WaitGroup
	defer all.Wait()
	for range n {
		conn, err := open()
		if err != nil {
			return err
		}
		all.Go(func() {
			defer conn.Close()
			if end, ok := ctx.Deadline(); ok {
				_ = conn.SetReadDeadline(end) // it fails for a closed connection only, and so does Copy
			}
			_, err := conn.Write(data)
			if err == nil {
				_, err = io.Copy(io.Discard, conn)
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.happened("left open", 1)
			} else {
				t.happened("ended by the server", 1)
			}
		})
	}
	return nil
}

func partialFrames(ctx context.Context, t *target) error {
	whole := frame.AppendMasked(nil, opText, mask, make([]byte, 8_000_000))
	return t.hold(ctx, 51, func() (net.Conn, error) { return t.dial(ctx, websocket) }, whole[:large])
}

func pollBodies(ctx context.Context, t *target) error {
	token, err := t.session(ctx)
	if err != nil {
		return err
	}
	head := request("POST", longpoll+"&token="+url.QueryEscape(token), t.addr, "Content-Type: application/json", "Content-Length: 8000000")
	return t.hold(ctx, 51, func() (net.Conn, error) { return t.connect(ctx) }, append([]byte(head), make([]byte, large)...))
}

const longpoll = "/socket/longpoll?vsn=2.0.0"

// session is the token of a new session of long polling.
func (t *target) session(ctx context.Context) (string, error) {
	conn, err := t.connect(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request("GET", longpoll, t.addr)); err != nil {
		return "", err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", err
	}
	var body struct{ Token string }
	err = json.NewDecoder(answer.Body).Decode(&body)
	return body.Token, err
}

func listener(ctx context.Context, t *target) error {
	c, err := t.dial(ctx, websocket)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.join("room:listener"); err != nil {
		return err
	}
	message := push("7", "room:listener", "new_msg", filler(1_000_000))
	for n := 0; n < 200 && ctx.Err() == nil; n++ {
		if _, err := t.exchange(c, message, 1); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

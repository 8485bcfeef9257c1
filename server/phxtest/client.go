package phxtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/internal/clientside"
)

// A Client is the client's end of a socket.
type Client struct {
	// Subprotocol is the one that the server chose, or "".
	Subprotocol string

	t        testing.TB
	endpoint *Endpoint
	id       string
	timeout  time.Duration
	conn     net.Conn
	in       *bufio.Reader // of conn
	protocol clientside.Protocol
	decoder  frame.Decoder
	data     []byte // read, not decoded yet

	refs     int
	channels []*Channel
	inbox    []Message // messages not expected yet, in the order they came
	beat     string    // the ref of the latest heartbeat that was answered
	synced   int64     // the latest broadcast of syncEvent that has come
	closed   error     // why nothing more will come, or nil
}

// Join joins a topic and returns its channel. It fails the test unless the answer
// is "ok".
func (c *Client) Join(topic string, payload any) *Channel {
	c.t.Helper()
	ch := c.join(topic, payload)
	if ch.JoinReply.Status != "ok" {
		c.t.Fatalf("join %s: %v, want ok", topic, ch.JoinReply)
	}
	return ch
}

// JoinError fails the test unless the join is answered with "error" and the
// wanted response.
func (c *Client) JoinError(topic string, payload, response any) {
	c.t.Helper()
	want := newWant(c.t, response)
	if got := c.join(topic, payload).JoinReply; got.Status != "error" || !want.fits(got) {
		c.t.Fatalf("join %s: %v, want reply \"error\" %s", topic, got, want.text)
	}
}

func (c *Client) join(topic string, payload any) *Channel {
	c.t.Helper()
	ref := c.ref()
	ch := &Channel{client: c, topic: topic, joinRef: ref}
	c.channels = append(c.channels, ch)
	c.send(outgoing{ref, ref, topic, "phx_join", encode(c.t, payload)})
	ch.JoinReply = ch.expect("reply to the join", func(m Message) bool { return m.kind == reply && m.Ref == ref })
	ch.ended = ch.JoinReply.Status != "ok"
	return ch
}

// Close closes the connection as a browser does when its page is left. When it
// returns, the channels of the client have ended, except for their Terminate.
func (c *Client) Close() {
	c.t.Helper()
	if c.closed == nil {
		_, _ = c.conn.Write(frame.AppendMasked(nil, opClose, mask, []byte{normal >> 8, normal & 0xff})) // or it is closed already
	}
	if err := c.await(func() bool { return c.closed != nil }); err != nil {
		c.t.Fatalf("close: %v", err)
	}
	c.hangUp()
}

// ExpectClose waits until the server closes the connection, and fails the test if
// it does so with another code. A connection that ends without a Close frame has
// 1006.
func (c *Client) ExpectClose(code int) {
	c.t.Helper()
	if err := c.await(func() bool { return c.closed != nil }); err != nil {
		c.fatal(fmt.Sprintf("no end of the connection with %d", code), err, c.inbox)
	}
	var closed *closeError
	if !errors.As(c.closed, &closed) || closed.code != code {
		c.t.Fatalf("%v, want %d", c.closed, code)
	}
	c.hangUp()
}

// hangUp ends a connection that the server has ended.
func (c *Client) hangUp() {
	c.t.Helper()
	c.conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	if err := c.endpoint.activity.gone(ctx, c.id); err != nil {
		c.t.Fatalf("close: %v", err)
	}
}

// ref is a new ref.
func (c *Client) ref() string {
	c.refs++
	return strconv.Itoa(c.refs)
}

// fatal fails the test, and tells what came instead.
func (c *Client) fatal(what string, err error, came []Message) {
	c.t.Helper()
	var b strings.Builder
	for _, m := range came {
		fmt.Fprintf(&b, "\n\t%v", m)
	}
	if len(came) == 0 {
		b.WriteString(" nothing")
	}
	c.t.Fatalf("%s: %v; came instead:%s", what, err, b.String())
}

package chat_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/roost-rt/roost/server/phx"
)

// A client speaks version 2 in literal text. It shares nothing with the server.
type client struct {
	t    *testing.T
	conn io.ReadWriteCloser
}

// dial connects to path, which may have parameters before the version.
func dial(t *testing.T, ep *phx.Endpoint, path string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, early, _, err := ws.Dial(ctx, fmt.Sprintf("ws://%s%s", ep.Addr(), path))
	if err != nil {
		t.Fatalf("connect to %s: %v", path, err)
	}
	if early != nil {
		t.Fatalf("connect to %s: the server spoke first", path)
	}
	conn.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { conn.Close() })
	return &client{t, conn}
}

const path = "/socket/websocket?vsn=2.0.0"

func (c *client) say(format string, args ...any) {
	c.t.Helper()
	if err := wsutil.WriteClientText(c.conn, fmt.Appendf(nil, format, args...)); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

func (c *client) sayBinary(message []byte) {
	c.t.Helper()
	if err := wsutil.WriteClientBinary(c.conn, message); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

func (c *client) read() ([]byte, ws.OpCode) {
	c.t.Helper()
	message, op, err := wsutil.ReadServerData(c.conn)
	if err != nil {
		c.t.Fatalf("read a message: %v", err)
	}
	return message, op
}

// want checks that these messages are next.
func (c *client) want(messages ...string) {
	c.t.Helper()
	for _, want := range messages {
		got, _ := c.read()
		var x, y any
		if err := json.Unmarshal(got, &x); err != nil {
			c.t.Fatalf("got  %q\nwant %s", got, want)
		}
		if err := json.Unmarshal([]byte(want), &y); err != nil {
			c.t.Fatal(err)
		}
		if !reflect.DeepEqual(x, y) {
			c.t.Fatalf("got  %s\nwant %s", got, want)
		}
	}
}

func (c *client) wantBinary(want []byte) {
	c.t.Helper()
	got, op := c.read()
	if op != ws.OpBinary || !bytes.Equal(got, want) {
		c.t.Fatalf("got  %#x %q\nwant binary %q", op, got, want)
	}
}

// wantNothing checks that nothing has come before the answer to a heartbeat.
func (c *client) wantNothing() {
	c.t.Helper()
	c.say(`[null,"hb","phoenix","heartbeat",{}]`)
	c.want(`[null,"hb","phoenix","phx_reply",{"status":"ok","response":{}}]`)
}

// wantClosed checks that the server closes the connection with the code.
func (c *client) wantClosed(code ws.StatusCode) {
	c.t.Helper()
	message, _, err := wsutil.ReadServerData(c.conn)
	closed, ok := err.(wsutil.ClosedError)
	if !ok || closed.Code != code {
		c.t.Fatalf("got %q and error %v, want a Close frame with %d", message, err, code)
	}
}

// refusedWith is the status of a handshake that must fail.
func refusedWith(t *testing.T, ep *phx.Endpoint, path string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, _, _, err := ws.Dial(ctx, fmt.Sprintf("ws://%s%s", ep.Addr(), path))
	if err == nil {
		conn.Close()
		return http.StatusSwitchingProtocols
	}
	status, ok := err.(ws.StatusError)
	if !ok {
		t.Fatalf("connect to %s: %v, want a refusal", path, err)
	}
	return int(status)
}

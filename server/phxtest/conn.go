package phxtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/internal/clientside"
)

// Opcodes of RFC 6455 §5.2.
const (
	opText   = 1
	opBinary = 2
	opClose  = 8
	opPing   = 9
	opPong   = 10
)

// Close codes: of a page that is left, and of a connection that ended without a
// Close frame (RFC 6455 §7.4.1).
const (
	normal   = 1000
	abnormal = 1006
)

// mask is the mask of all frames. A random one would guard proxies, and there are none.
var mask = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// An outgoing is a client message. An empty joinRef is null.
type outgoing struct {
	joinRef, ref, topic, event string
	body                       body
}

// A closeError is the end of the connection.
type closeError struct {
	code   int
	reason string
}

func (e *closeError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("the connection was closed with %d %s", e.code, e.reason))
}

// send sends a message, and returns when the server has read it: what it causes
// is on its way then.
func (c *Client) send(m outgoing) {
	c.t.Helper()
	err := c.write(m)
	if err == nil {
		err = c.heartbeat()
	}
	if err != nil {
		c.t.Fatalf("send %q to %s: %v", m.event, m.topic, err)
	}
}

// heartbeat asks the event loop for an answer, and reads up to it, or to the end
// of the connection. The loop answers at once, so all that it read or sent before
// is done with.
func (c *Client) heartbeat() error {
	m := outgoing{ref: c.ref(), topic: "phoenix", event: "heartbeat", body: body{data: []byte("{}")}}
	err := c.write(m)
	if err == nil {
		err = c.await(func() bool { return c.beat == m.ref })
	}
	if c.closed != nil {
		return nil
	}
	return err
}

func (c *Client) write(m outgoing) error {
	if c.closed != nil {
		return c.closed
	}
	data, binary, err := c.protocol.Encode(clientside.Outgoing{
		JoinRef: m.joinRef, Ref: m.ref, Topic: m.topic, Event: m.event, Payload: m.body.data, Binary: m.body.binary,
	})
	switch {
	case err != nil:
		return err
	case binary:
		data = frame.AppendMasked(nil, opBinary, mask, data)
	default:
		data = frame.AppendMasked(nil, opText, mask, data)
	}
	c.endpoint.activity.fence()
	_ = c.conn.SetWriteDeadline(time.Now().Add(c.timeout))
	if _, err := c.conn.Write(data); err != nil {
		_ = c.await(func() bool { return c.closed != nil }) // what the server said tells more
		return errors.Join(err, c.closed)
	}
	return nil
}

// await reads until a condition holds. It fails when that takes too long or the
// connection has ended.
func (c *Client) await(condition func() bool) error {
	deadline := time.Now().Add(c.timeout)
	for !condition() {
		if c.closed != nil {
			return c.closed
		}
		err := c.receive(deadline)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("not within %v", c.timeout)
		case err != nil:
			c.closed = err
		}
	}
	return nil
}

// receive reads one frame and does what it says.
func (c *Client) receive(deadline time.Time) error {
	cfg := frame.Config{Client: true}
	for {
		f, ok, err := c.decoder.Next(&cfg, &c.data)
		if err != nil {
			return fmt.Errorf("the server sent a broken frame: %w", err)
		}
		if ok {
			c.endpoint.activity.fence()
			return c.handle(f)
		}
		b := make([]byte, 16<<10)
		_ = c.conn.SetReadDeadline(deadline)
		n, err := c.in.Read(b)
		if c.data = b[:n]; n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		} else if n == 0 && err != nil {
			return &closeError{abnormal, err.Error()}
		}
	}
}

func (c *Client) handle(f frame.Frame) error {
	switch f.Op {
	case opText, opBinary:
		m, err := c.protocol.Decode(f.Payload, f.Op == opBinary)
		if err != nil {
			return fmt.Errorf("the server sent %q: %w", f.Payload, err)
		}
		c.file(m)
	case opPing:
		_, _ = c.conn.Write(frame.AppendMasked(nil, opPong, mask, f.Payload)) // or the next read fails
	case opClose:
		code, reason := frame.ParseClose(f.Payload)
		return &closeError{int(code), reason}
	}
	return nil
}

// file keeps a message until it is expected.
func (c *Client) file(came clientside.Message) {
	m := Message{
		JoinRef: came.JoinRef, Ref: came.Ref, Topic: came.Topic, Event: came.Event, Status: came.Status,
		JSON: came.JSON, Binary: came.Binary, kind: came.Kind, t: c.t,
	}
	if m.Topic == "phoenix" {
		c.beat = m.Ref
		return
	}
	switch m.Event {
	case syncEvent:
		var s syncPayload
		if json.Unmarshal(m.JSON, &s) == nil {
			c.synced = max(c.synced, s.N)
		}
		return
	case "phx_close", "phx_error":
		for _, ch := range c.channels {
			if !ch.ended && ch.owns(m) {
				ch.ended = true
				break
			}
		}
	}
	c.inbox = append(c.inbox, m)
}

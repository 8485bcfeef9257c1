package swarm

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/server/frame"
)

// Opcodes, RFC 6455 §5.2.
const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xA
)

// mask is the mask of all our frames. RFC 6455 §5.3 wants it new for each, to
// protect proxies from scripts; here it only has to cost the server its work.
var mask = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// joinTimeout is how long a client has from connect to the reply to its join.
const joinTimeout = 30 * time.Second

// Why a client ends. The text is the kind of error in the records.
var (
	errHeartbeat   = errors.New("heartbeat not answered")
	errJoinRefused = errors.New("join refused")
	errJoinTimeout = errors.New("not joined in 30 s")
	errStayed      = errors.New("not left in 30 s")
	errLeft        = errors.New("channel closed by the server")
	errServerEnd   = errors.New("connection closed by the server")
)

type phase uint8

const (
	upgrading phase = iota
	joining
	joined
	leaving // until the phx_close
	away    // from the topic, by its own will
	stalled // reads no more
	ended
)

// reads reports whether frames are understood.
func (p phase) reads() bool { return p > upgrading && p < stalled }

// A client is one connection that joins one topic. It belongs to its event
// loop, and stands for as little memory as possible: the connection itself is
// known to the network alone, and what few clients have is in maps of the fleet and
// of the group.
type client struct {
	group  *group // immutable
	number uint32 // immutable; counts the clients of the run

	phase      phase
	joinedOnce bool // and so is owed every message
	waiting    bool // for the answer to a heartbeat
	linked     bool // it has a connection; guarded by fleet.mu
	frames     frame.Decoder
	dialed     int64 // or was meant to, or asked to join again, monotonic nanoseconds
}

// opened is the first call for a connection, which is being made.
func (c *client) opened(conn connection) {
	delete(c.group.fleet.heads, c.number)
	c.group.opened(c)
	conn.SetDeadline(joinTimeout)
}

// upgrade asks for the WebSocket.
func (c *client) upgrade(conn connection) {
	_ = conn.SendShared(c.group.fleet.upgrade) // if it fails, closed follows
}

// data takes what the server sent.
func (c *client) data(conn connection, data []byte) {
	now := c.group.fleet.now()
	if c.phase == upgrading {
		data = c.readHead(conn, data)
	}
	for c.phase.reads() {
		f, ok, err := c.frames.Next(&c.group.fleet.frames, &data)
		if err != nil {
			c.end(conn, fmt.Errorf("bad frame: %w", err))
			return
		}
		if !ok {
			return
		}
		c.take(conn, f, now)
	}
}

// readHead takes the response to the upgrade, and returns what follows it.
func (c *client) readHead(conn connection, data []byte) []byte {
	heads := c.group.fleet.heads
	if head := heads[c.number]; head != nil {
		data = append(head, data...)
	}
	rest, done, err := CheckUpgrade(data)
	switch {
	case err != nil:
		c.end(conn, err)
	case !done:
		heads[c.number] = bytes.Clone(data)
	default:
		delete(heads, c.number)
		c.phase = joining
		c.group.fleet.connected()
		c.join(conn)
	}
	return rest
}

func (c *client) take(conn connection, f frame.Frame, now int64) {
	switch f.Op {
	case opText:
		if c.group.fleet.orders.Raw {
			c.rawMessage(f.Payload, now)
			return
		}
		c.message(conn, f.Payload, now)
	case opPing: // RFC 6455 §5.5.3
		_ = conn.Send(frame.AppendMasked(nil, opPong, mask, f.Payload))
	case opPong: // to the heartbeat of a plain client
		c.beaten()
	case opClose: // RFC 6455 §5.5.1: echo the code
		_ = conn.Send(frame.AppendMasked(nil, opClose, mask, f.Payload[:min(2, len(f.Payload))]))
		code, _ := frame.ParseClose(f.Payload)
		c.end(conn, fmt.Errorf("closed by the server: %d", code))
	}
}

// message takes one Phoenix message, most often a broadcast: the one that another
// client of the process has just read is known by its bytes.
func (c *client) message(conn connection, text []byte, now int64) {
	f := c.group.fleet
	switch {
	case bytes.Equal(text, f.seen.text):
		c.broadcast(f.seen.stamp, now)
	case bytes.Equal(text, heartbeatReply):
		c.beaten()
	case c.phase == joining && bytes.Equal(text, c.group.welcome):
		c.admitted(conn, channels.Answer{Status: "ok"}, now)
	case !c.recognized(text, now):
		c.decoded(conn, text, now)
	}
}

// recognized takes the two messages that are most of all, if they are spelled as
// most servers do. It is a short cut: decoded would do the same with them.
func (c *client) recognized(text []byte, now int64) bool {
	g := c.group
	if payload, ok := bytes.CutPrefix(text, g.broadcastHead); ok {
		s, ok := channels.FindStamp(payload)
		if ok {
			g.saw(text, s)
			c.broadcast(s, now)
		}
		return ok
	}
	if rest, ok := bytes.CutPrefix(text, pongHead); ok {
		end := bytes.IndexByte(rest, '"')
		if end < 0 || !bytes.HasPrefix(rest[end:], g.okHead) {
			return false
		}
		s, ok := channels.FindStamp(rest[:end])
		if ok && s.Writer == nobody {
			g.fleet.echoed(c, s, now)
			return true
		}
	}
	return false
}

// decoded takes a message that is known by its meaning alone.
func (c *client) decoded(conn connection, text []byte, now int64) {
	f := c.group.fleet
	m, err := channels.Decode(text)
	switch {
	case err != nil:
		f.unreadable(text)
	case m.Event == channels.Reply && m.Topic == "phoenix":
		c.beaten()
	case m.Topic != c.group.topic: // nothing was asked for there
	case m.Event == channels.Reply:
		was := c.phase
		if c.reply(conn, m, now); was == joining && c.phase == joined {
			c.group.welcome = bytes.Clone(text)
		}
	case c.phase == leaving && m.Event == channels.Close:
		c.hasLeft(conn, now)
	case m.Event == channels.Error, m.Event == channels.Close:
		c.end(conn, errLeft)
	case m.Event == f.orders.Event:
		s, ok := channels.FindStamp(m.Payload)
		if !ok {
			f.unreadable(text)
			return
		}
		c.group.saw(text, s)
		c.broadcast(s, now)
	}
}

// beaten takes the answer to a heartbeat.
func (c *client) beaten() {
	c.waiting = false
	c.group.fleet.beaten()
}

func (c *client) broadcast(s channels.Stamp, now int64) {
	g := c.group
	writer := int(s.Writer - g.writer)
	if writer < 0 || writer >= len(g.speakers) {
		return // somebody else's
	}
	if s.Seq < 1 || int(s.Seq) > g.fleet.orders.Messages {
		g.fleet.fault("message that was never sent")
		return
	}
	g.received(c, writer, s, g.receive(c, writer, s.Seq), now)
}

// Refs of what clients send. Pings have their stamp for one.
const (
	joinRef    = "1"
	messageRef = "3"
	leaveRef   = "5"
)

// reply takes the answer to the join, to a message of the room's writer, to a
// ping or to a leave.
func (c *client) reply(conn connection, m channels.Message, now int64) {
	a, err := m.Answer()
	if err != nil {
		c.group.fleet.unreadable(m.Payload)
		return
	}
	switch ok := a.Status == "ok"; {
	case m.Ref == joinRef && c.phase == joining:
		c.admitted(conn, a, now)
	case m.Ref == messageRef && !ok:
		c.group.fleet.fault("message refused: " + a.Reason())
	case m.Ref == leaveRef && !ok:
		c.group.fleet.fault("leave refused: " + a.Reason())
	case m.Ref != joinRef && m.Ref != messageRef && m.Ref != leaveRef:
		c.pong(m.Ref, a, now)
	}
}

// admitted takes the answer to the join.
func (c *client) admitted(conn connection, a channels.Answer, now int64) {
	switch {
	case a.Status != "ok":
		c.end(conn, fmt.Errorf("%w: %s", errJoinRefused, a.Reason()))
	case c.slow():
		c.stall(conn, now)
	default:
		c.phase = joined
		c.group.joinedBy(c, now)
		conn.SetDeadline(c.group.fleet.orders.Heartbeat) // spread as the joins are
	}
}

// timeout sends a heartbeat, or finds that something was not answered.
func (c *client) timeout(conn connection) {
	switch {
	case c.phase == ended:
		conn.Kill(errServerEnd)
	case c.phase == away:
		c.rejoin(conn)
	case c.phase == leaving:
		c.end(conn, errStayed)
	case c.phase != joined:
		c.end(conn, errJoinTimeout)
	case c.waiting:
		c.end(conn, errHeartbeat)
	default:
		c.waiting = true
		_ = conn.SendShared(c.group.fleet.heartbeat) // if it fails, closed follows
		conn.SetDeadline(c.group.fleet.orders.Heartbeat)
	}
}

// end hangs up; err is why.
func (c *client) end(conn connection, err error) {
	conn.Kill(err)
	c.closed(conn, err)
}

// closed is the last call for a connection, which is nil if there never was one; err
// is nil if the server closed it. It may come twice: from end, and then from the
// network, when the client may have another.
func (c *client) closed(conn connection, err error) {
	if err == nil {
		err = errServerEnd
	}
	if c.phase == ended || !c.group.closed(c, conn) {
		return
	}
	was := c.phase
	c.phase = ended
	c.group.left(c, was, err)
}

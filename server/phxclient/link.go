package phxclient

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
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

// Close codes of RFC 6455 §7.4.1.
const (
	normal     = 1000
	noStatus   = 1005
	badPayload = 1007
)

var errSilent = errors.New("no answer to the heartbeat")

// A closeError is the server's Close frame.
type closeError struct {
	code   int
	reason string
}

func (e *closeError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("closed by the server with %d %s", e.code, e.reason))
}

// A link is one connection of a client.
type link struct {
	client *Client
	conn   net.Conn
	in     io.Reader     // of conn
	wake   chan struct{} // has one when there is something to write
	over   chan struct{} // closed when nothing more is read

	decoder frame.Decoder // the reader's

	// Guarded by client.mu.
	pong []byte // what to answer the latest ping with; nil means none (RFC 6455 §5.5.3)
	beat string // ref of the heartbeat that is not answered
}

func newLink(c *Client, conn net.Conn, in io.Reader) *link {
	return &link{client: c, conn: conn, in: in, wake: make(chan struct{}, 1), over: make(chan struct{})}
}

// serve reads and writes until the connection ends, and says why.
func (l *link) serve() error {
	written := make(chan error, 1)
	go func() { // ends before serve does
		err := l.write()
		if err != nil {
			_ = l.conn.SetReadDeadline(time.Unix(1, 0)) // or reading fails by itself
		}
		written <- err
	}()
	err := l.read()
	close(l.over)
	_ = l.conn.SetWriteDeadline(time.Now().Add(time.Second)) // for what is being written
	if failed := <-written; failed != nil {
		err = failed
	}
	if l.client.ctx.Err() == nil {
		_ = l.conn.SetWriteDeadline(time.Now().Add(closeWait))
		_, _ = l.conn.Write(l.goodbye(err)) // if it can still go
	}
	_ = l.conn.Close() // of no interest to anybody
	return err
}

// goodbye is the Close frame for the reason why a connection ends.
func (l *link) goodbye(err error) []byte {
	var closed *closeError
	var broken *frame.Error
	switch {
	case errors.As(err, &closed):
		return closeFrame(closed.code)
	case errors.As(err, &broken):
		return closeFrame(int(broken.Code))
	}
	return closeFrame(normal) // as the official client for a heartbeat without an answer (spec §1.9)
}

func closeFrame(code int) []byte {
	if code == noStatus {
		return frame.AppendMasked(nil, opClose, newMask(), nil)
	}
	return frame.AppendMasked(nil, opClose, newMask(), binary.BigEndian.AppendUint16(nil, uint16(code)))
}

// read reads until the connection ends.
func (l *link) read() error {
	cfg := frame.Config{Client: true}
	b := make([]byte, 16<<10)
	for {
		n, err := l.in.Read(b)
		for data := b[:n]; ; {
			f, ok, err := l.decoder.Next(&cfg, &data)
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			if err := l.handle(f); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}

func (l *link) handle(f frame.Frame) error {
	switch f.Op {
	case opText, opBinary:
		m, err := l.client.protocol.Decode(f.Payload, f.Op == opBinary)
		if err != nil {
			return errors.Join(fmt.Errorf("the server sent %.200q: %w", f.Payload, err), &frame.Error{Code: badPayload})
		}
		l.client.receive(l, m)
	case opPing:
		l.client.mu.Lock()
		l.pong = append([]byte{}, f.Payload...)
		l.client.mu.Unlock()
		l.wakeUp()
	case opClose:
		code, reason := frame.ParseClose(f.Payload)
		return &closeError{int(code), reason}
	}
	return nil
}

// write writes what there is, and heartbeats, until reading has ended or the client is
// closed: then a Close frame is the last.
func (l *link) write() error {
	beats := time.NewTicker(l.client.cfg.Heartbeat)
	defer beats.Stop()
	for {
		if err := l.flush(); err != nil {
			return err
		}
		select {
		case <-l.wake:
		case <-beats.C:
			if !l.client.heartbeat(l) {
				return errSilent
			}
		case <-l.over:
			return nil
		case <-l.client.ctx.Done():
			if err := l.flush(); err != nil {
				return err
			}
			_, err := l.conn.Write(closeFrame(normal))
			return err
		}
	}
}

// flush writes what waits for the connection.
func (l *link) flush() error {
	frames, size := l.client.takeOut(l)
	if len(frames) == 0 {
		return nil
	}
	_ = l.conn.SetWriteDeadline(time.Now().Add(l.client.cfg.Timeout)) // or writing fails
	_, err := frames.WriteTo(l.conn)
	l.client.release(size)
	return err
}

func (l *link) wakeUp() {
	select {
	case l.wake <- struct{}{}:
	default: // it is awake
	}
}

// newMask is the mask of one frame (RFC 6455 §5.3).
func newMask() (mask [4]byte) {
	_, _ = rand.Read(mask[:]) // never fails
	return mask
}

// encodeFrame makes the frame of a message.
func encodeFrame(p clientside.Protocol, m clientside.Outgoing) ([]byte, error) {
	data, binary, err := p.Encode(m)
	switch {
	case err != nil:
		return nil, err
	case binary:
		return frame.AppendMasked(nil, opBinary, newMask(), data), nil
	}
	return frame.AppendMasked(nil, opText, newMask(), data), nil
}

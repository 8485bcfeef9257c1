package user

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/script"
	"github.com/roost-rt/roost/server/frame"
)

// Opcodes, RFC 6455 §5.2.
const (
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xA
)

// mask is the mask of all our frames. RFC 6455 §5.3 wants it new for each, to protect
// proxies from scripts; here it only has to cost the server its work.
var mask = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// writeTimeout is how long the other end may take to accept a write.
const writeTimeout = 10 * time.Second

// A webSocket is RFC 6455's.
type webSocket struct {
	conn   net.Conn
	frames frame.Decoder
	buffer []byte
	data   []byte // of buffer, not decoded yet

	mu sync.Mutex // held while a frame is written
}

var frames = frame.Config{Client: true, MaxFrame: 64 << 20, MaxMessage: 64 << 20}

// dialWebSocket connects and upgrades, RFC 6455 §4.1.
func dialWebSocket(ctx context.Context, t *targets, s *script.Script, scope *script.Scope) (transport, error) {
	to := t.of(scope.N)
	q, err := query(to, s, scope)
	if err != nil {
		return nil, err
	}
	g, err := greeting(s, scope)
	if err != nil {
		return nil, err
	}
	conn, err := t.dial(ctx, scope.N)
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })() // it fails on closed connections, as the next call does
	w := &webSocket{conn: conn, buffer: make([]byte, 4<<10)}
	to.url.RawQuery = q
	if err := w.upgrade(order.Target{URL: to.url.String(), Greeting: g}); err != nil {
		conn.Close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	return w, nil
}

func (w *webSocket) upgrade(to order.Target) error {
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce) // it never fails
	key := base64.StdEncoding.EncodeToString(nonce)
	if _, err := w.conn.Write(to.Request(key)); err != nil {
		return err
	}
	reader := bufio.NewReader(w.conn)
	answer, err := http.ReadResponse(reader, &http.Request{Method: http.MethodGet})
	if err != nil {
		return fmt.Errorf("upgrade: %w", err)
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(io.LimitReader(answer.Body, 200)) // for people, as much as there is
		return &refusal{answer.StatusCode, strings.TrimSpace(string(bytes.ToValidUTF8(body, nil)))}
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // RFC 6455 §1.3
	if answer.Header.Get("Sec-WebSocket-Accept") != base64.StdEncoding.EncodeToString(sum[:]) {
		return errors.New("upgrade: wrong Sec-WebSocket-Accept")
	}
	if offers := len(to.Subprotocols) > 0 || to.AuthToken != ""; offers && answer.Header.Get("Sec-WebSocket-Protocol") == "" {
		return errors.New("upgrade: the server took none of the subprotocols, and browsers would hang up; does its socket allow them (auth_token: true for authToken)?")
	}
	w.data = make([]byte, reader.Buffered())
	_, err = io.ReadFull(reader, w.data)
	return err
}

func (w *webSocket) send(data []byte, binary bool) error {
	if binary {
		return w.write(frame.AppendMasked(nil, opBinary, mask, data))
	}
	return w.write(frame.AppendMasked(nil, opText, mask, data))
}

func (w *webSocket) write(frame []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.conn.SetWriteDeadline(time.Now().Add(writeTimeout)) // it fails for a closed connection only, and so does Write
	_, err := w.conn.Write(frame)
	return err
}

func (w *webSocket) receive() (data []byte, binary bool, err error) {
	for {
		f, ok, err := w.frames.Next(&frames, &w.data)
		if err != nil {
			return nil, false, fmt.Errorf("bad frame: %w", err)
		}
		if !ok {
			n, err := w.conn.Read(w.buffer)
			if n == 0 && err != nil {
				if errors.Is(err, io.EOF) {
					err = errors.New("connection closed by the server")
				}
				return nil, false, err
			}
			w.data = w.buffer[:n]
			continue
		}
		switch f.Op {
		case opText, opBinary:
			return bytes.Clone(f.Payload), f.Op == opBinary, nil
		case opPing: // RFC 6455 §5.5.3
			if err := w.write(frame.AppendMasked(nil, opPong, mask, f.Payload)); err != nil {
				return nil, false, err
			}
		case opClose: // RFC 6455 §5.5.1: echo the code
			_ = w.write(frame.AppendMasked(nil, opClose, mask, f.Payload[:min(2, len(f.Payload))])) // it is over anyway
			code, reason := frame.ParseClose(f.Payload)
			return nil, false, &closing{int(code), reason}
		}
	}
}

func (w *webSocket) beats() bool { return true }

func (w *webSocket) close() { w.conn.Close() }

// encode is a message as a transport carries it.
func encode(vsn string, m channels.Message) (data []byte, binary bool, err error) {
	if m.IsBinary {
		data, err = channels.EncodeBinary(nil, m)
		return data, true, err
	}
	return channels.Encode(nil, vsn, m), false, nil
}

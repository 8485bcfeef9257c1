package phx

import (
	"bytes"
	"cmp"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/http1"
)

// A handshake is what a request says of the WebSocket that it asks for (RFC 6455 §4.2.1).
// A field that it does not have is nil. ws.Upgrader would parse the head again, which took
// 1.2 µs, a twentieth of a connect and join.
type handshake struct {
	minor      int  // of the version of HTTP
	connection bool // Connection lists an upgrade
	upgrade    []byte
	version    []byte
	key        []byte
}

func readHandshake(h *http1.Head) handshake {
	asked := handshake{minor: h.Minor}
	for name, value := range h.Fields() {
		switch {
		case http1.Is(name, "connection"):
			asked.connection = asked.connection || http1.Lists(value, "upgrade")
		case http1.Is(name, "upgrade"):
			asked.upgrade = value
		case len(name) < len("sec-websocket-"):
		case http1.Is(name, "sec-websocket-version"):
			asked.version = value
		case http1.Is(name, "sec-websocket-key"):
			asked.key = value
		}
	}
	return asked
}

// check returns why the request opens no WebSocket. That it is a GET with a Host has been
// seen to.
func (asked *handshake) check() error {
	switch {
	case asked.minor == 0:
		return ws.ErrHandshakeBadProtocol
	case !http1.Is(asked.upgrade, "websocket"):
		return ws.ErrHandshakeBadUpgrade
	case !asked.connection:
		return ws.ErrHandshakeBadConnection
	case asked.version == nil:
		return ws.ErrHandshakeBadSecVersion
	case string(asked.version) != "13":
		return ws.ErrHandshakeUpgradeRequired
	case !isKey(asked.key):
		return ws.ErrHandshakeBadSecKey
	}
	return nil
}

// isKey reports whether a Sec-WebSocket-Key is 16 bytes in base64 (RFC 6455 §4.1,
// §4.2.1).
func isKey(value []byte) bool {
	var key [18]byte
	if len(value) != base64.StdEncoding.EncodedLen(16) {
		return false
	}
	n, err := base64.StdEncoding.Decode(key[:], value)
	return n == 16 && err == nil
}

// appendAnswer appends the answer that opens a WebSocket (RFC 6455 §4.2.2). The subprotocol
// and the extension are "" if there is none.
func appendAnswer(b, key []byte, protocol, extension string) []byte {
	b = append(b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = append(appendAccept(b, key), "\r\n"...)
	for _, field := range [...][2]string{{"Sec-WebSocket-Protocol: ", protocol}, {"Sec-WebSocket-Extensions: ", extension}} {
		if field[1] != "" {
			b = append(append(append(b, field[0]...), field[1]...), "\r\n"...)
		}
	}
	return append(b, "\r\n"...)
}

// appendAccept appends the proof that the key was read.
func appendAccept(b, key []byte) []byte {
	var proof [24 + 36]byte
	n := copy(proof[:], key)
	copy(proof[n:], "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
	sum := sha1.Sum(proof[:])
	return base64.StdEncoding.AppendEncode(b, sum[:])
}

// appendRefusal appends the answer to a request that is refused. It says that the
// connection ends with it (RFC 9112 §9.6): a client would else keep it, and send its next
// request into the end of it.
func appendRefusal(b []byte, err error) []byte {
	refusal := new(RefuseError)
	if fault := (*ws.ConnectionRejectedError)(nil); errors.As(err, &fault) {
		refusal.Status, refusal.Body = fault.StatusCode(), fault.Error()
	} else {
		_ = errors.As(err, &refusal) // there are no others
	}
	status := cmp.Or(refusal.Status, http.StatusForbidden)
	text := bytes.NewBuffer(b)
	fmt.Fprintf(text, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n", status, http.StatusText(status))
	if err == ws.ErrHandshakeUpgradeRequired { // RFC 6455 §4.2.2
		text.WriteString("Sec-WebSocket-Version: 13\r\n")
	}
	_ = refusal.Header.Write(text) // a bytes.Buffer takes everything
	fmt.Fprintf(text, "Content-Length: %d\r\n\r\n%s", len(refusal.Body), refusal.Body)
	return text.Bytes()
}

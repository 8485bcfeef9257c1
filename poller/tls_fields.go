package poller

import (
	"bytes"
	"crypto/tls"
	"net"
	"reflect"
	"sync"
	"unsafe"
)

// tlsFields are where a tls.Conn has what it does not let go of: its buffers, which
// are 5 KB after a handshake and 17 KB after a large record, for as long as the
// connection lives. No exported function reaches them. Each is found by name, and
// its type is checked. Where another version of Go keeps them elsewhere, they are
// left alone: connections need more memory then, and Attach carries the bytes of a
// tls.Conn that was made elsewhere.
var tlsFields = sync.OnceValue(func() (f struct {
	conn, rawInput, hand uintptr
	known                bool
}) {
	t := reflect.TypeFor[tls.Conn]()
	conn, ok1 := t.FieldByName("conn")
	raw, ok2 := t.FieldByName("rawInput")
	hand, ok3 := t.FieldByName("hand")
	buffer := reflect.TypeFor[bytes.Buffer]()
	f.conn, f.rawInput, f.hand = conn.Offset, raw.Offset, hand.Offset
	f.known = ok1 && ok2 && ok3 && conn.Type == reflect.TypeFor[net.Conn]() && raw.Type == buffer && hand.Type == buffer
	return f
})

// buffers returns the buffers of t's tls.Conn: the records that it has read, and the
// handshake messages in them.
func (t *tlsLayer) buffers() (rawInput, hand *bytes.Buffer, ok bool) {
	f := tlsFields()
	if !f.known {
		return nil, nil, false
	}
	at := unsafe.Pointer(t.conn)
	return (*bytes.Buffer)(unsafe.Add(at, f.rawInput)), (*bytes.Buffer)(unsafe.Add(at, f.hand)), true
}

// lend gives crypto/tls a buffer until takeBack.
func (t *tlsLayer) lend(b []byte) {
	if raw, _, ok := t.buffers(); ok && raw.Len() == 0 {
		*raw = *bytes.NewBuffer(b[:0])
	}
}

// takeBack leaves no buffers with crypto/tls beyond what it has still to read.
func (t *tlsLayer) takeBack() {
	raw, hand, ok := t.buffers()
	if !ok {
		return
	}
	for _, b := range []*bytes.Buffer{raw, hand} {
		*b = *bytes.NewBuffer(bytes.Clone(b.Bytes()))
	}
}

// graft puts a layer below a tls.Conn whose handshake is done. It returns what was
// below it, a socket. ok is false, and nothing changed, if that cannot be done.
func graft(conn *tls.Conn) (t *tlsLayer, raw net.Conn, ok bool) {
	if t, ours := conn.NetConn().(*tlsLayer); ours && t.raw != nil { // from Detach
		raw, t.raw = t.raw, nil
		return t, raw, true
	}
	raw = conn.NetConn()
	switch raw.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nil, nil, false
	}
	t = &tlsLayer{conn: conn}
	rawInput, _, ok := t.buffers()
	if !ok || !conn.ConnectionState().HandshakeComplete {
		return nil, nil, false
	}
	*(*net.Conn)(unsafe.Add(unsafe.Pointer(conn), tlsFields().conn)) = t
	t.in = bytes.Clone(rawInput.Bytes()) // it may end within a record
	rawInput.Reset()
	return t, raw, true
}

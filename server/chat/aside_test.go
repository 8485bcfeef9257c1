package chat_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roost-rt/roost/server/chat"
)

// pipes is a listener for clients of this process.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p pipes) Close() error   { close(p.done); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// Strangers where operators and other programs are take no descriptors for long, and not
// many.
func TestAsideIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := pipes{make(chan net.Conn), make(chan struct{})}
		defer chat.ServeAside(ln, http.NotFoundHandler())()
		connect := func() net.Conn {
			client, conn := net.Pipe()
			ln.conns <- conn
			return client
		}
		// Its body does not come, and nobody wants it.
		slow := connect()
		defer slow.Close()
		fmt.Fprint(slow, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
		if text, err := io.ReadAll(slow); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 404") {
			t.Errorf("a body that does not come: %q, %v, want an answer and the end", text, err)
		}
		for range chat.MaxAside {
			defer connect().Close()
		}
		begun := time.Now()
		if _, err := connect().Read(make([]byte, 1)); err != io.EOF || time.Since(begun) > 0 {
			t.Errorf("one connection too many: %v after %v, want EOF at once", err, time.Since(begun))
		}
	})
}

package poller_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/roost-rt/roost/poller"
)

// hander detaches its connection once it has had so many bytes.
type hander struct {
	after    int
	detached chan net.Conn
}

func (h *hander) Data(c *poller.Conn, b []byte) {
	if h.after -= len(b); h.after <= 0 {
		nc, err := c.Detach()
		if err != nil {
			panic(err)
		}
		h.detached <- nc
	}
}
func (h *hander) Timeout(*poller.Conn)       {}
func (h *hander) Closed(*poller.Conn, error) { close(h.detached) }

// A connection can be detached by the last that comes before the peer shuts its
// side: the answer still reaches it.
func TestDetachAtTheEnd(t *testing.T) {
	p, err := poller.New(poller.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	const size = 3 << 20 // more than one turn of the loop reads
	h := &hander{after: size, detached: make(chan net.Conn, 1)}
	ln, err := p.Listen("127.0.0.1:0", func(*poller.Conn) poller.Handler { return h })
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	go func() { // ends when all is read
		client.Write(make([]byte, size))
		client.(*net.TCPConn).CloseWrite()
	}()
	var server net.Conn
	select {
	case server = <-h.detached:
	case <-time.After(10 * time.Second):
	}
	if server == nil {
		t.Fatal("not detached")
	}
	if _, err := server.Write([]byte("answer")); err != nil {
		t.Fatal(err)
	}
	server.Close()
	client.SetReadDeadline(time.Now().Add(10 * time.Second))
	if got, err := io.ReadAll(client); string(got) != "answer" || err != nil {
		t.Errorf("got %q, %v, want the answer", got, err)
	}
	if n := p.Conns(); n != 0 {
		t.Errorf("%d connections are left, want 0", n)
	}
}

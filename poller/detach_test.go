package poller_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
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
	case <-time.After(30 * time.Second):
	}
	if server == nil {
		t.Fatal("not detached")
	}
	if _, err := server.Write([]byte("answer")); err != nil {
		t.Fatal(err)
	}
	server.Close()
	client.SetReadDeadline(time.Now().Add(30 * time.Second))
	if got, err := io.ReadAll(client); string(got) != "answer" || err != nil {
		t.Errorf("got %q, %v, want the answer", got, err)
	}
	if n := p.Conns(); n != 0 {
		t.Errorf("%d connections are left, want 0", n)
	}
}

// Without descriptors Detach and Pipe fail, and nothing has happened: a connection
// that cannot be detached stays with its handler, and nobody has the end of a pipe
// that has no other.
func TestNoDescriptors(t *testing.T) {
	if said := spawn(t, "pauper").end(); said != "" {
		t.Error(said)
	}
}

// pauper says what is wrong when there are no descriptors, or few.
func pauper(string) error {
	p, err := poller.New(poller.Config{})
	if err != nil {
		return err
	}
	defer p.Close()
	failed, closed := make(chan error, 1), make(chan error, 1)
	client, err := p.Pipe(func(*poller.Conn) poller.Handler {
		return hooks{
			data:   func(c *poller.Conn, _ []byte) { _, err := c.Detach(); failed <- err },
			closed: func(_ *poller.Conn, err error) { closed <- err },
		}
	})
	if err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 64, Max: 64}); err != nil {
		return err
	}
	var files []*os.File
	for err == nil {
		var file *os.File
		file, err = os.Open("/dev/null")
		files = append(files, file)
	}
	client.Write([]byte("x"))
	if err := <-failed; err == nil {
		fmt.Println("Detach succeeded, want an error")
	}
	client.Close()
	select {
	case <-closed:
	case <-time.After(30 * time.Second):
		fmt.Println("the handler of what was not detached never learns of its end")
	}
	for free := range 4 { // the server's end has gone, too: some are free already
		opened := false
		client, err := p.Pipe(func(*poller.Conn) poller.Handler { opened = true; return nil })
		p.Each(func(*poller.Conn) {}) // so open has been called if it is to be
		if (err != nil) == opened {
			fmt.Printf("Pipe with %d descriptors more: %v, open was called: %v\n", free, err, opened)
		}
		if err == nil {
			client.Close()
		}
		files[free].Close()
	}
	return nil
}

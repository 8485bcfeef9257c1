package api_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/roost-rt/roost/server/phx"
)

// pipes is a listener for clients of this process.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if conn, open := <-p; open {
		return conn, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// A body that does not come holds nothing up for long, whoever sends it.
func TestBodiesThatDoNotCome(t *testing.T) {
	_, h := application(t, phx.Config{})
	synctest.Test(t, func(t *testing.T) {
		ln := make(pipes)
		server := &http.Server{Handler: h}
		go server.Serve(ln) // until ln is closed
		defer server.Close()
		defer close(ln)

		const head = "POST /v1/broadcast HTTP/1.1\r\nHost: x\r\nContent-Length: 25\r\n"
		const bearer = "Authorization: Bearer " + token + "\r\n"
		send := func(text string) net.Conn {
			client, conn := net.Pipe()
			ln <- conn
			go io.WriteString(client, text) // until client is closed
			return client
		}
		for range 16 {
			defer send(head + bearer + "\r\n").Close()
		}
		for _, tt := range []struct{ text, want string }{
			{head + "\r\n", "HTTP/1.1 401"}, // once its time is over, and so is that of the others
			{head + bearer + "\r\n" + `{"topic":"a","event":"b"}`, "HTTP/1.1 204"},
		} {
			conn := send(tt.text)
			defer conn.Close()
			if line, err := bufio.NewReader(conn).ReadString('\n'); !strings.HasPrefix(line, tt.want) {
				t.Errorf("answered %q, %v, want %s", line, err, tt.want)
			}
		}
	})
}

// A stuck answer is one that its client does not take.
type stuck struct {
	*httptest.ResponseRecorder
	in, out chan struct{}
}

func (s stuck) Write([]byte) (int, error) { s.in <- struct{}{}; <-s.out; return 0, net.ErrClosed }

// Lists of presences may be large: only some are there at a time.
func TestPresencesThatAreNotTaken(t *testing.T) {
	_, h := application(t, phx.Config{})
	list := func(w http.ResponseWriter) {
		r := httptest.NewRequest("GET", "/v1/topics/room:lobby/presence", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		h.ServeHTTP(w, r)
	}
	in, out := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() { list(stuck{httptest.NewRecorder(), in, out}) })
		<-in
	}
	w := httptest.NewRecorder()
	if list(w); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("one list too many: %d, want 503 and when to come back", w.Code)
	}
	close(out)
	all.Wait()
	w = httptest.NewRecorder()
	if list(w); w.Code != 200 {
		t.Errorf("later: %d, want 200", w.Code)
	}
}

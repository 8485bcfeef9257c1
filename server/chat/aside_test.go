package chat_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
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

// A station serves a handler apart from clients, for pipes.
type station struct {
	pipes
	log  *bytes.Buffer // to be read after stop
	stop func()
}

func serveAside(h http.HandlerFunc) *station {
	s := &station{pipes{make(chan net.Conn), make(chan struct{})}, new(bytes.Buffer), nil}
	s.stop = chat.ServeAside(s, h, slog.New(slog.NewTextHandler(s.log, nil)))
	return s
}

// connect makes a connection, and sends so much.
func (s *station) connect(text string) net.Conn {
	client, conn := net.Pipe()
	s.conns <- conn
	if text != "" {
		fmt.Fprint(client, text)
	}
	return client
}

const ask = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// answered reads the head of an answer.
func answered(t *testing.T, c net.Conn) (status int) {
	t.Helper()
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode
}

// Strangers where operators and other programs are take no descriptors for long, and not
// many: while too many are there, the one that has asked nothing for longest has to go.
func TestAsideIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveAside(http.NotFound)
		defer s.stop()
		// Its body does not come, and nobody wants it.
		slow := s.connect("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
		defer slow.Close()
		if text, err := io.ReadAll(slow); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 404") {
			t.Errorf("a body that does not come: %q, %v, want an answer and the end", text, err)
		}
		begun, all := time.Now(), make([]net.Conn, chat.MaxAside)
		for i, text := range []string{"", "GET / HT", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", ask} {
			all[i] = s.connect(text)
			if text == ask {
				answered(t, all[i])
			}
			synctest.Wait()
		}
		for i := 4; i < len(all); i++ {
			all[i] = s.connect("")
			defer all[i].Close()
		}
		synctest.Wait()
		for i, was := range all[:4] { // kinds of strangers
			next := s.connect(ask)
			defer next.Close()
			if status := answered(t, next); status != 404 {
				t.Errorf("the next one is answered %d", status)
			}
			if _, err := io.Copy(io.Discard, was); err != nil || time.Since(begun) > time.Second {
				t.Errorf("stranger %d: %v after %v, want EOF at once", i, err, time.Since(begun))
			}
		}
	})
}

// Those whose requests are being handled keep their places.
func TestAsideFullOfRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := make(chan struct{})
		s := serveAside(func(http.ResponseWriter, *http.Request) { <-out })
		defer s.stop()
		var all []net.Conn
		for range chat.MaxAside {
			all = append(all, s.connect(ask))
			defer all[len(all)-1].Close()
		}
		synctest.Wait()
		begun := time.Now()
		if _, err := s.connect("").Read(make([]byte, 1)); err != io.EOF || time.Since(begun) > 0 {
			t.Errorf("one connection too many: %v after %v, want EOF at once", err, time.Since(begun))
		}
		close(out)
		for _, c := range all {
			if status := answered(t, c); status != 200 {
				t.Errorf("answered %d, want 200", status)
			}
		}
	})
}

// Who does not read its answer, or little of it, holds its place for seconds; who reads
// slowly gets all.
func TestAsideSlowReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 1 << 20
		failed := make(chan error, 2)
		s := serveAside(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Minute) // a profile
			_, err := w.Write(make([]byte, size))
			failed <- err
		})
		defer s.stop()
		mute, slow := s.connect(ask), s.connect(ask)
		defer mute.Close()
		defer slow.Close()
		answer, err := http.ReadResponse(bufio.NewReaderSize(slow, 16), nil)
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; n < size; {
			time.Sleep(time.Second)
			part, err := io.ReadFull(answer.Body, make([]byte, 16<<10))
			if n += part; err != nil {
				t.Fatalf("after %d bytes: %v", n, err)
			}
		}
		if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("who does not read: %v, want that it takes too long", err)
		}
		if err := <-failed; err != nil {
			t.Errorf("who reads slowly: %v", err)
		}
	})
}

// A connection is good for requests at any interval, also where the answer has no body.
func TestAsideKeepsConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveAside(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
		defer s.stop()
		c := s.connect("")
		defer c.Close()
		for range 3 {
			fmt.Fprint(c, ask)
			if status := answered(t, c); status != 204 {
				t.Errorf("answered %d, want 204", status)
			}
			time.Sleep(40 * time.Second)
		}
	})
}

// A page of another site has nothing done by way of an operator's browser.
func TestAsideForeignPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveAside(func(w http.ResponseWriter, _ *http.Request) {})
		defer s.stop()
		for fields, want := range map[string]int{
			"": 200, // a program
			"Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\n":       200, // typed
			"Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: no-cors\r\n": 200, // of the page itself
			"Origin: http://x\r\n": 200, // likewise, a WebSocket
			"Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n": 403, // an image
			"Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: navigate\r\n": 403, // a frame
			"Origin: http://x:1\r\n":                                    403, // a WebSocket
			"Origin: null\r\n":                                          403,
		} {
			c := s.connect("GET /debug/pprof/trace HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n")
			if status := answered(t, c); status != want {
				t.Errorf("%q: %d, want %d", fields, status, want)
			}
			c.Close()
		}
		c := s.connect("GET / HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n\r\n")
		defer c.Close()
		if status := answered(t, c); status != 200 {
			t.Errorf("a link to the page: %d, want 200", status)
		}
	})
}

// What net/http has to say goes to the log like all else: it waits for nobody.
func TestAsideLogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveAside(func(http.ResponseWriter, *http.Request) { panic("on purpose") })
		c := s.connect(ask)
		_, _ = io.Copy(io.Discard, c)
		s.stop()
		if text := s.log.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "on purpose") {
			t.Errorf("logged %q", text)
		}
	})
}

// Clients leave so many descriptors that operators and programs can come when all places
// of clients are taken.
func TestRoomForOperators(t *testing.T) {
	if got := chat.Limits(t).MaxConns; got != 0 {
		t.Errorf("without other listeners: %d connections, want what phx says", got)
	}
	one := chat.Limits(t, "-pprof", "127.0.0.1:0").MaxConns
	two := chat.Limits(t, "-pprof", "127.0.0.1:0", "-admin", "127.0.0.1:0").MaxConns
	if one-two != chat.MaxAside || two < 1 {
		t.Errorf("%d connections, with one listener more %d, want %d fewer", one, two, chat.MaxAside)
	}
	if got := chat.Limits(t, "-admin", "127.0.0.1:0", "-max-conns", "7").MaxConns; got != 7 {
		t.Errorf("%d connections, want 7", got)
	}
}

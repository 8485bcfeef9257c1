package phx_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// limit is what the endpoints below allow for a part of a request.
const limit = 200 * time.Millisecond

// pages starts an endpoint with few places, that waits so long for a part of a request.
func pages(t *testing.T, places int, limit time.Duration) *phx.Endpoint {
	t.Helper()
	cfg := longPolling(time.Minute)
	cfg.MaxHTTP, cfg.HandshakeTimeout, cfg.IncomingTimeout, cfg.WriteTimeout = places, limit, limit, limit
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/read", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprint(w, len(body), err)
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 32<<20)) })
	mux.HandleFunc("/hijack", func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	})
	cfg.HTTP = mux
	return startConfig(t, cfg)
}

// trickle sends text again and again, until the connection ends.
func trickle(t *testing.T, c *client, text string) {
	t.Helper()
	ended := make(chan struct{})
	go func() { // ends when the connection does
		defer close(ended)
		for _, err := io.WriteString(c.conn, text); err == nil; _, err = io.WriteString(c.conn, text) {
			<-time.After(5 * time.Millisecond)
		}
	}()
	within(t, "end of the drops", ended)
}

// Whatever a client does not do, its request ends, and its place is free again.
func TestHTTPRequestsEnd(t *testing.T) {
	const chunked = " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, tt := range []struct{ name, sent, drops string }{
		{"body that nobody reads", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nx", ""},
		{"body", "POST /read HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nx", ""},
		{"no body", "POST /read HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n", ""},
		{"expects 100", "POST /read HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n", ""},
		{"expects 100 from nobody", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n", ""},
		{"body in drops", "POST /read HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n", "x"},
		{"body in drops that nobody reads", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n", "x"},
		{"small chunks", "POST /read" + chunked, "1\r\nx\r\n"},
		{"small chunks that nobody reads", "POST /" + chunked, "1\r\nx\r\n"},
		{"a chunk's extension", "POST /read" + chunked + "1", ";a=b"},
		{"extensions of all chunks", "POST /read" + chunked, "1;a=" + strings.Repeat("b", 2000) + "\r\nx\r\n"},
		{"a chunk's size", "POST /read" + chunked, "0"},
		{"trailers", "POST /read" + chunked + "0\r\n", "A: b\r\n"},
		{"trailers that nobody reads", "POST /" + chunked + "0\r\n", "A: b\r\n"},
		{"a trailer", "POST /read" + chunked + "0\r\nA: ", "b"},
		{"answer that is not read", "GET /large HTTP/1.1\r\nHost: h\r\n\r\n", ""},
		{"answers that are not read", strings.Repeat("GET /large HTTP/1.1\r\nHost: h\r\n\r\n", 50), ""},
		{"many answers that are not read", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", strings.Repeat("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 1000)},
		{"half a head after a page", "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HT", ""},
		{"a head in drops after a page", "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\n", "A: b\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ep := pages(t, 1, limit)
			c := connect(t, ep)
			c.write([]byte(tt.sent))
			if tt.drops != "" {
				trickle(t, c, tt.drops)
			}
			eventually(t, "the place is free", func() bool {
				other := connect(t, ep)
				other.write([]byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
				answer := make([]byte, len("HTTP/1.1 200 "))
				_, err := io.ReadFull(other.conn, answer) // on a busy machine the limit may pass for this one, too
				return err == nil && string(answer) == "HTTP/1.1 200 "
			})
		})
	}
}

// Time passes for clients, not for the handler: it may take as long as it likes to
// read and to answer, and its context lives on.
func TestHTTPHandlerTakesItsTime(t *testing.T) {
	const limit = 500 * time.Millisecond
	cfg := phx.Config{IncomingTimeout: limit, WriteTimeout: limit, HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-time.After(2 * limit)
		body, err := io.ReadAll(r.Body)
		if r.URL.Path == "/stream" {
			_ = http.NewResponseController(w).Flush()
		}
		<-time.After(2 * limit)
		fmt.Fprint(w, len(body), err, r.Context().Err())
	})}
	ep := startConfig(t, cfg)
	for _, path := range []string{"/page", "/stream"} {
		for _, size := range []int{0, 10, 3_000_000} {
			t.Run(fmt.Sprint(path, size), func(t *testing.T) {
				t.Parallel()
				c := dialWeb(t, ep)
				for range 2 { // the connection is kept
					want := fmt.Sprint(size, nil, nil)
					if a := c.do("POST", path, strings.Repeat("x", size)); a.body != want {
						t.Errorf("POST %s of %d bytes: %q, want %q", path, size, a.body, want)
					}
				}
			})
		}
	}
}

// A body may take its time as long as enough of it comes, up to BodyTimeout.
func TestBodyTimeout(t *testing.T) {
	const limit = time.Second
	for _, tt := range []struct {
		name string
		most time.Duration
		ends bool
	}{{"long", time.Hour, false}, {"short", 2 * limit, true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			read := make(chan error, 1)
			ep := startConfig(t, phx.Config{
				IncomingTimeout: limit, IncomingRate: 2, BodyTimeout: tt.most, // a byte is worth 500 ms
				HTTP: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					_, err := io.ReadAll(r.Body)
					read <- err
				}),
			})
			c := connect(t, ep)
			const size = 100
			c.write([]byte(fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", size)))
			for range size {
				if _, err := c.conn.Write([]byte("x")); err != nil {
					break
				}
				<-time.After(3 * limit / size)
			}
			if err := within(t, "end of the body", read); (err != nil) != tt.ends {
				t.Errorf("read: %v, want an error: %v", err, tt.ends)
			}
		})
	}
}

// A handler may set a deadline of its own for what it writes, and what it hijacks is
// its own altogether.
func TestHTTPOwnDeadlines(t *testing.T) {
	t.Parallel()
	const size = 32 << 20 // more than the kernel takes
	for name, handle := range map[string]http.HandlerFunc{
		"later": func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(patience))
			_, _ = w.Write(make([]byte, size))
		},
		"hijacked": func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_ = c.SetDeadline(time.Time{})
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
			_, _ = c.Write(make([]byte, size))
		},
	} {
		t.Run(name, func(t *testing.T) {
			ep := startConfig(t, phx.Config{WriteTimeout: limit, HTTP: handle})
			c := dialWeb(t, ep)
			c.send("GET", "/", "")
			<-time.After(3 * limit) // in which a slow client would be cut
			if a := c.receive(); len(a.body) != size {
				t.Errorf("%d bytes came, want %d", len(a.body), size)
			}
		})
	}
}

// net/http removes the files of forms that handlers have read.
func TestHTTPForms(t *testing.T) {
	names := make(chan string, 1)
	ep := startConfig(t, phx.Config{HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1); err != nil {
			t.Error(err)
			return
		}
		f, err := r.MultipartForm.File["f"][0].Open()
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		names <- f.(interface{ Name() string }).Name()
	})})
	form := "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n" + strings.Repeat("x", 11<<20) + "\r\n--b--\r\n"
	if a := dialWeb(t, ep).do("POST", "/", form, "Content-Type: multipart/form-data; boundary=b"); a.code != 200 {
		t.Fatalf("POST: %d", a.code)
	}
	name := within(t, "file", names)
	eventually(t, "it is removed", func() bool { _, err := os.Stat(name); return errors.Is(err, os.ErrNotExist) })
}

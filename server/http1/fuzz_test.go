package http1_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/http1"
	"github.com/roost-rt/roost/server/http1/http1test"
)

// What is good here is good for net/http's server, which takes the same request
// for it. That is more lenient: with
//
//   - LF for CRLF, and folded lines
//   - CR within a line: it is a space there, or refused
//   - a version 1.x that Transfer-Encoding is ignored in, 1.0, and PRI of HTTP/2
//   - Content-Length beside Transfer-Encoding, or twice the same
//   - #, a user, any host and any scheme in a target; CONNECT; GET *
//   - any order of the characters of a host
//   - any number of fields, and two of those that there can be one of
func FuzzHead(f *testing.F) {
	for _, c := range http1test.Cases {
		f.Add([]byte(c.Request))
	}
	f.Add([]byte(browser))
	server := newOracle(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		head, rest, ok := http1.Cut(data)
		if !ok {
			return
		}
		sent := bytes.Clone(head)
		h, err := http1.Parse(head)
		if !bytes.Equal(head, sent) {
			t.Fatalf("%q has become %q", sent, head)
		}
		var refusal *http1.Error
		if err != nil {
			if !errors.As(err, &refusal) || refusal.Status < 400 || refusal.Reason == "" {
				t.Fatalf("%q is refused with %v", head, err)
			}
			return
		}
		all := append(bytes.Clone(head), rest...)
		want, err := server.reads(all)
		if err != nil {
			t.Fatalf("%q is good, but not for net/http: %v", head, err)
		}
		if n := headLength(t, all); n != len(head) {
			t.Fatalf("%q is a head for net/http, want %q", all[:n], head)
		}
		checkHead(t, &h, want)
		got, err := h.Request()
		if err != nil {
			t.Fatalf("%q is good, but no request: %v", head, err)
		}
		checkRequest(t, got, want)
	})
}

// What a Framer lets through as a request is one for net/http, too, with nothing left
// of it, or nothing more is read from there.
func FuzzFramer(f *testing.F) {
	for _, c := range http1test.Cases {
		f.Add([]byte(c.Request+"GET / HTTP/1.1\r\nHost: h\r\n\r\n"), uint16(len(c.Request)/2))
		f.Add([]byte(c.Request+"5;a\r\nhello\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), uint16(1000))
	}
	f.Fuzz(func(t *testing.T, data []byte, size uint16) {
		requests, _ := pieces(string(data), int(size)+1)
		for _, request := range requests[:len(requests)-1] { // the last may be part of one, or none
			from := bufio.NewReaderSize(strings.NewReader(request), len(request)+16)
			r, err := http.ReadRequest(from)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
			if left, _ := from.Peek(1); len(left) > 0 {
				rest, _ := io.ReadAll(from)
				t.Fatalf("of %q net/http leaves %q", request, rest)
			}
		}
	})
}

// An oracle is net/http's server, one connection at a time.
type oracle struct {
	conns    chan net.Conn
	requests chan *http.Request
}

func newOracle(f *testing.F) *oracle {
	o := &oracle{make(chan net.Conn), make(chan *http.Request, 1)}
	server := http.Server{
		ErrorLog:                     log.New(io.Discard, "", 0),
		DisableGeneralOptionsHandler: true,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close")
			o.requests <- r
		}),
	}
	ended := make(chan error)
	go func() { ended <- server.Serve(o) }() // ends with Close
	f.Cleanup(func() { server.Close(); <-ended })
	return o
}

func (o *oracle) Accept() (net.Conn, error) {
	c, open := <-o.conns
	if !open {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (o *oracle) Close() error   { close(o.conns); return nil }
func (o *oracle) Addr() net.Addr { return &net.TCPAddr{} }

// reads is what the server understands, or its answer if that is nothing.
func (o *oracle) reads(data []byte) (*http.Request, error) {
	c := &script{Reader: bytes.NewReader(data), closed: make(chan struct{})}
	o.conns <- c
	<-c.closed
	select {
	case r := <-o.requests:
		return r, nil
	default:
		return nil, errors.New(c.answer.String())
	}
}

// A script is a connection that sends some bytes, and ends.
type script struct {
	net.Conn // for its other methods, which nobody calls
	*bytes.Reader
	answer bytes.Buffer
	closed chan struct{}
	once   sync.Once
}

func (s *script) Read(b []byte) (int, error)       { return s.Reader.Read(b) }
func (s *script) Write(b []byte) (int, error)      { return s.answer.Write(b) }
func (s *script) Close() error                     { s.once.Do(func() { close(s.closed) }); return nil }
func (s *script) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (s *script) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// headLength is how long net/http takes a head to be.
func headLength(t *testing.T, data []byte) int {
	t.Helper()
	from := bufio.NewReaderSize(bytes.NewReader(data), len(data)+16)
	if _, err := http.ReadRequest(from); err != nil {
		t.Fatalf("%q is good for the server but not for ReadRequest: %v", data, err)
	}
	return len(data) - from.Buffered()
}

// checkHead compares what the head itself tells.
func checkHead(t *testing.T, h *http1.Head, want *http.Request) {
	t.Helper()
	if string(h.Method) != want.Method || string(h.Target) != want.RequestURI || string(h.Host) != want.Host ||
		h.Length != want.ContentLength || h.Close != want.Close {
		t.Errorf("got %+v, want %+v", h, want)
	}
	path, err := url.PathUnescape(string(h.Path))
	if err != nil || path != want.URL.Path && want.URL.Path != "" || string(h.Query) != want.URL.RawQuery {
		t.Errorf("target %q: path %q, %v and query %q, want %q and %q", h.Target, path, err, h.Query, want.URL.Path, want.URL.RawQuery)
	}
	for name, value := range h.Fields() {
		key := http.CanonicalHeaderKey(string(name))
		if first, _ := h.Get(strings.ToLower(key)); key != "Host" && string(first) != h.Values(strings.ToLower(key))[0] {
			t.Errorf("field %q: %q, of which the first is %q", name, value, first)
		}
	}
}

// checkRequest compares requests. What net/http makes of Trailer is left to it: no
// chunked body is read without it.
func checkRequest(t *testing.T, got, want *http.Request) {
	t.Helper()
	if len(want.Trailer) > 0 || want.TransferEncoding != nil {
		delete(got.Header, "Trailer")
		delete(want.Header, "Trailer")
		want.Trailer = nil
	}
	if got.Header.Get("Pragma") == "no-cache" && got.Header["Cache-Control"] == nil { // made up, for HTTP/1.0
		delete(want.Header, "Cache-Control")
	}
	got.Body, got.RemoteAddr = want.Body, want.RemoteAddr
	got, want = got.WithContext(context.Background()), want.WithContext(context.Background())
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

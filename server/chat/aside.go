package chat

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/roost-rt/roost/server/api"
)

// An aside is a listener apart from the one for clients.
type aside struct {
	addr  string // "" for none
	token string

	ln  net.Listener
	log *slog.Logger
	end func() // nil before it serves
}

// checkToken says what is wrong with the token, if there is one. It is from there, in
// words.
func (a *aside) checkToken(from string) error {
	if a.token != "" && len(a.token) < api.MinToken {
		return fmt.Errorf("%s has %d characters: want at least %d, such as those of: openssl rand -hex 16", from, len(a.token), api.MinToken)
	}
	return nil
}

// listen takes the address of a flag, if there is one.
func (a *aside) listen(flag string, log *slog.Logger) (err error) {
	if a.addr == "" {
		return nil
	}
	if a.ln, err = net.Listen("tcp", a.addr); err != nil {
		return adviseAddr(flag, a.addr, err)
	}
	a.log = log
	return nil
}

// serve answers until stop.
func (a *aside) serve(h http.Handler) { a.end = serveAside(a.ln, h, a.log) }

func (a *aside) stop() {
	switch {
	case a.end != nil:
		a.end()
	case a.ln != nil:
		_ = a.ln.Close() // no one has an answer yet
	}
}

const (
	// maxAside is how many connections a listener apart from clients has, whoever makes
	// them, or a sixteenth of the open files that there may be; see limits.
	maxAside = 1024

	// bodyTime is how long the body of a request there may take.
	bodyTime = 30 * time.Second

	// writeTime is how long who asked there may take for each writePart bytes of the
	// answer.
	writeTime = 10 * time.Second
	writePart = 64 << 10
)

// serveAside serves apart from clients until stop is called, which cuts off who still
// has a request.
func serveAside(ln net.Listener, h http.Handler, to *slog.Logger) (stop func()) {
	all := newCallers(asideConns(openFiles()))
	server := &http.Server{
		Handler: all.during(ownSite(inTime(h))), ConnState: all.changed,
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, callerKey{}, c) },
		ErrorLog:          log.New(httpErrors{to}, "", 0),
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	done := make(chan struct{})
	go func() { // stop waits for it
		defer close(done)
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			_ = ln.Close() // it cannot go on: who asks shall see that
		}
	}()
	return func() { _ = server.Close(); <-done }
}

// ownSite refuses what a browser asks because a page of another site wants it, without
// the person knowing: such a page could not read the answers, but have profiles taken and
// garbage collected. To follow a link to the page at / is no such thing.
func ownSite(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isForeign(r) {
			http.Error(w, "a page of another site has asked: open this address in a tab of its own", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// isForeign goes by what browsers say: by Fetch Metadata (W3C, section 2), which they send
// to hosts that they trust, and by the origin, which a WebSocket always has.
func isForeign(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" {
		from, err := url.Parse(origin)
		return err != nil || from.Host != r.Host
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return false
	}
	return r.URL.Path != "/" || r.Header.Get("Sec-Fetch-Mode") != "navigate"
}

// inTime gives bodies some time, because the server reads the rest of a body that no
// handler wanted. Requests without a body may wait longer, as those for profiles do.
// Answers have some time for each part.
func inTime(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, last := http.NewResponseController(w), writeTime
		if r.ContentLength != 0 {
			_ = conn.SetReadDeadline(time.Now().Add(bodyTime)) // a server of HTTP/1 can
			last += bodyTime
		}
		t := &timedAnswer{w, conn}
		h.ServeHTTP(t, r)
		t.extend(last) // the server reads the rest of the body, then sends what it has of the answer
	})
}

// A timedAnswer is written to who may be slow, or not read at all.
type timedAnswer struct {
	http.ResponseWriter
	conn *http.ResponseController
}

func (t *timedAnswer) extend(d time.Duration) {
	_ = t.conn.SetWriteDeadline(time.Now().Add(d)) // fails when closed, and for who has the connection for itself
}

// Write fails when too little of the answer is taken.
func (t *timedAnswer) Write(b []byte) (n int, err error) {
	for {
		t.extend(writeTime)
		written, err := t.ResponseWriter.Write(b[n:min(n+writePart, len(b))])
		if n += written; err != nil || n == len(b) {
			return n, err
		}
	}
}

// Unwrap is for http.ResponseController.
func (t *timedAnswer) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// httpErrors logs what net/http's server has to say, which would go past the log, and
// wait for who reads it.
type httpErrors struct{ log *slog.Logger }

func (h httpErrors) Write(line []byte) (int, error) {
	what, stack, panicked := strings.Cut(strings.TrimSuffix(string(line), "\n"), "\n")
	if panicked {
		h.log.Error("panic for operators or programs", "err", what, "stack", stack)
	} else {
		h.log.Warn("HTTP for operators or programs", "err", what)
	}
	return len(line), nil
}

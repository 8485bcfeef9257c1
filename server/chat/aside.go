package chat

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/roost-rt/roost/server/api"
)

// An aside is a listener apart from the one for clients.
type aside struct {
	addr  string // "" for none
	token string

	ln  net.Listener
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
func (a *aside) listen(flag string) (err error) {
	if a.addr == "" {
		return nil
	}
	if a.ln, err = net.Listen("tcp", a.addr); err != nil {
		return adviseAddr(flag, a.addr, err)
	}
	return nil
}

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
	// them: each takes a descriptor that a client may need.
	maxAside = 1024

	// bodyTime is how long the body of a request there may take.
	bodyTime = 30 * time.Second
)

// serveAside serves apart from clients until stop is called, which cuts off who still
// has a request.
func serveAside(ln net.Listener, h http.Handler) (stop func()) {
	server := &http.Server{
		Handler: inTime(h), ConnState: atMost(maxAside),
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

// inTime gives bodies some time, because the server reads the rest of a body that no
// handler wanted. Requests without a body may wait longer, as those for profiles do.
func inTime(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)) // a server of HTTP/1 can
		}
		h.ServeHTTP(w, r)
	})
}

// atMost closes connections beyond a number. Those that were hijacked are counted by
// whoever has them.
func atMost(most int32) func(net.Conn, http.ConnState) {
	var open atomic.Int32
	return func(c net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			if open.Add(1) > most {
				_ = c.Close() // the server finds out
			}
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		}
	}
}

package phx

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/server/internal/panics"
)

// forward has the loop answer a request of long polling, over a pipe.
func (ep *Endpoint) forward(w http.ResponseWriter, r *http.Request) {
	from, host := hostOf(r, func() {})
	defer host.end()
	v, ok := ep.admit(w, from, ep.admission.hasRoom)
	if !ok {
		return
	}
	pipe, err := ep.poller.Pipe(func(c *poller.Conn) poller.Handler {
		h := ep.acceptFrom(c, from)
		if h == nil {
			v.leave()
			return refuseEarly(c)
		}
		h.host, h.visitor = host, v
		return h
	})
	if err != nil {
		v.leave()
		ep.log.Warn("request refused", "remote", from.remote, "err", err)
		tryLater(w)
		return
	}
	defer pipe.Close()
	defer context.AfterFunc(r.Context(), func() { pipe.Close() })() // the client has hung up
	x := forwarding{pipe, r, w, http.NewResponseController(w), make(chan struct{}), ep.log}
	x.run()
}

// A forwarding is a request that is answered over a pipe.
type forwarding struct {
	pipe    net.Conn
	request *http.Request
	answer  http.ResponseWriter
	conn    *http.ResponseController
	read    chan struct{} // closed when there is no more of the body
	log     *slog.Logger
}

func (x *forwarding) run() {
	server, _ := x.request.Context().Value(http.ServerContextKey).(*http.Server)
	limited := server != nil && server.WriteTimeout > 0
	if limited { // it would count from the request on
		_ = x.conn.SetWriteDeadline(time.Time{})
	}
	sent := make(chan error, 1)
	go func() {
		err := panics.ErrExit
		defer func() { sent <- err }()
		err = x.send()
	}()
	answer, err := http.ReadResponse(bufio.NewReader(x.pipe), x.request)
	failed := x.stop(sent)
	if p := (*panics.Error)(nil); errors.As(failed, &p) {
		x.log.Error("panic in the body of a request", "err", p)
	}
	if limited {
		_ = x.conn.SetWriteDeadline(time.Now().Add(server.WriteTimeout))
	}
	switch {
	case err == nil:
		defer answer.Body.Close()
		answer.Header.Del("Connection")
		maps.Copy(x.answer.Header(), answer.Header)
		x.answer.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(x.answer, answer.Body) // an error is the client's end
	case failed != nil:
		http.Error(x.answer, "", http.StatusBadRequest)
	default:
		tryLater(x.answer)
	}
}

// send sends the request. It has a goroutine of its own, which would not survive the
// panic of a body that middleware has made.
func (x *forwarding) send() (err error) {
	defer func() {
		if err != nil {
			_ = x.pipe.(*net.UnixConn).CloseWrite() // the rest is not to be waited for
		}
	}()
	defer contain(&err)
	err = panics.ErrExit // unless it returns
	out := plain(x.request)
	out.Close = true
	out.Header.Del("Connection")
	if out.ContentLength == 0 {
		close(x.read)
	} else {
		out.Body = &forwardedBody{out.Body, out.ContentLength, sync.OnceFunc(func() { close(x.read) })}
	}
	return out.Write(x.pipe)
}

// stop waits for send once there is an answer. One that comes before the body has
// been read ends the connection: the rest does not matter. Any other must not have
// the deadline, which the server would take for the end of its client.
func (x *forwarding) stop(sent <-chan error) error {
	select {
	case <-x.read:
	default:
		if err := x.conn.SetReadDeadline(time.Now()); errors.Is(err, http.ErrNotSupported) {
			x.log.Warn("an answer waits for a request body that is not needed", "err", err, "fix", unwrapFix)
		}
	}
	return <-sent
}

// A forwardedBody tells when it has been read, before whoever reads knows.
type forwardedBody struct {
	io.Reader
	left int64 // negative if it has no length
	done func()
}

func (b *forwardedBody) Read(p []byte) (n int, err error) {
	n, err = b.Reader.Read(p)
	if b.left -= int64(n); b.left == 0 || err != nil {
		b.done()
	}
	return n, err
}

// Close leaves the body to the server.
func (b *forwardedBody) Close() error { return nil }

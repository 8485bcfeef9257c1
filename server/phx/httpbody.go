package phx

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// A timedBody is the body of a request that net/http reads. The client may make the
// reader wait as long as Config.IncomingTimeout and BodyTimeout say; the time that
// the reader itself takes does not count.
type timedBody struct {
	io.ReadCloser
	conn   *http.ResponseController
	in     *incoming
	max    time.Duration // Config.BodyTimeout
	read   int           // bytes
	waited time.Duration

	mu       sync.Mutex // guards the rest
	deadline time.Time
	end      time.Time // when Shutdown's patience ends, or zero
	over     bool      // all of it has come
}

// timed limits the time for the body of a request, if it has one. That includes the
// part the handler leaves unread, which net/http takes off the connection when the
// handler ends. Call done then.
func (ep *Endpoint) timed(w http.ResponseWriter, r *http.Request, d *detached) (_ *http.Request, done func()) {
	if r.Body == http.NoBody {
		return r, func() {}
	}
	b := &timedBody{ReadCloser: r.Body, conn: http.NewResponseController(w), in: &ep.incoming, max: ep.cfg.BodyTimeout}
	ep.http.places.attend(d, b)
	b.limit(time.Now())
	copied := r.WithContext(r.Context()) // net/http looks at the body in its own
	copied.Body = b
	return copied, func() { r.MultipartForm = copied.MultipartForm } // net/http removes its files
}

// limit sets the deadline for a part of the body that is read from now on.
func (b *timedBody) limit(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.setLocked(now.Add(min(b.in.patience(b.read), b.max) - b.waited))
}

// hurry makes end the last deadline.
func (b *timedBody) hurry(end time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end = end
	b.setLocked(b.deadline)
}

func (b *timedBody) setLocked(deadline time.Time) {
	if b.deadline = deadline; !b.end.IsZero() && b.end.Before(deadline) {
		b.deadline = b.end
	}
	if !b.over && !b.deadline.IsZero() {
		_ = b.conn.SetReadDeadline(b.deadline) // fails only when closed, as reading does
	}
}

// Read fails with os.ErrDeadlineExceeded when the body is too slow.
func (b *timedBody) Read(p []byte) (n int, err error) {
	began := time.Now()
	b.limit(began)
	n, err = b.ReadCloser.Read(p)
	b.read += n
	b.waited += time.Since(began)
	if err == io.EOF {
		b.finish()
	}
	return n, err
}

// finish lifts the deadline: net/http reads on, to see the client go.
func (b *timedBody) finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	_ = b.conn.SetReadDeadline(time.Time{}) // as above
}

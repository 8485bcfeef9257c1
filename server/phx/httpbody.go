package phx

import (
	"io"
	"net/http"
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
}

// timed limits the time for the body of a request, if it has one: also for what of it
// nobody reads, which net/http takes off the connection at the end of the handler.
// done is for then.
func (ep *Endpoint) timed(w http.ResponseWriter, r *http.Request) (_ *http.Request, done func()) {
	if r.Body == http.NoBody {
		return r, func() {}
	}
	b := &timedBody{ReadCloser: r.Body, conn: http.NewResponseController(w), in: &ep.incoming, max: ep.cfg.BodyTimeout}
	b.limit(time.Now())
	copied := r.WithContext(r.Context()) // net/http looks at the body in its own
	copied.Body = b
	return copied, func() { r.MultipartForm = copied.MultipartForm } // of which net/http removes the files
}

// limit sets the deadline for a part of the body that is read from now on.
func (b *timedBody) limit(now time.Time) {
	_ = b.conn.SetReadDeadline(now.Add(min(b.in.patience(b.read), b.max) - b.waited)) // fails only when closed, as reading does
}

// Read fails with os.ErrDeadlineExceeded when the body is too slow.
func (b *timedBody) Read(p []byte) (n int, err error) {
	began := time.Now()
	b.limit(began)
	n, err = b.ReadCloser.Read(p)
	b.read += n
	b.waited += time.Since(began)
	if err == io.EOF { // net/http reads on, to see the client go
		_ = b.conn.SetReadDeadline(time.Time{}) // as above
	}
	return n, err
}

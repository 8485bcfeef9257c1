package poller_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roost-rt/roost/poller"
)

// pauses returns b's pauses after n failures in a row, in milliseconds.
func pauses(b *poller.Backoff, err error, n int) (ms []int64) {
	for range n {
		ms = append(ms, b.Failed(err).Milliseconds())
	}
	return ms
}

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		b := &poller.Backoff{Log: slog.New(slog.NewTextHandler(&out, nil))}
		full := &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.ENOBUFS)}
		if got, want := pauses(b, full, 10), []int64{5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000}; !slices.Equal(got, want) {
			t.Errorf("pauses %v ms, want %v", got, want)
		}
		if n := strings.Count(out.String(), "\n"); n != 1 {
			t.Errorf("%d lines of log within a moment, want 1:\n%s", n, &out)
		}
		b.Accepted()
		if got := pauses(b, errors.New("something"), 2); !slices.Equal(got, []int64{5, 10}) {
			t.Errorf("pauses %v ms after a connection was accepted", got)
		}
		time.Sleep(11 * time.Second)
		pauses(b, syscall.EMFILE, 3)
		if s := out.String(); strings.Count(s, "\n") != 2 || !strings.Contains(s, "ulimit") {
			t.Errorf("11 s later the log is\n%s", &out)
		}
		b.Accepted()
		if got := pauses(b, syscall.ECONNABORTED, 127); slices.Max(got) != 0 {
			t.Errorf("connections that failed make pauses %v ms", got)
		}
		if got := pauses(b, syscall.EPERM, 1); got[0] == 0 {
			t.Error("however many connections fail in a row, there is no pause")
		}
	})
}

// A failing is an accept4(2) that fails the first times.
type failing struct {
	mu    sync.Mutex
	errno syscall.Errno
	left  int
	calls []time.Time
}

func (f *failing) accept(fd int) (int, syscall.Errno) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, time.Now())
	if f.left > 0 {
		f.left--
		return -1, f.errno
	}
	return poller.RawAccept(fd)
}

// Whatever accept fails with, the next connection is served: at once if it was
// that connection's fault, after pauses if the kernel is out of something.
func TestAcceptErrors(t *testing.T) {
	const times = 6 // calls that fail
	for _, tt := range []struct {
		errno  syscall.Errno
		pauses time.Duration
	}{
		{syscall.EINTR, 0}, {syscall.ECONNABORTED, 0}, {syscall.EPERM, 0}, {syscall.EPROTO, 0}, {syscall.ENETDOWN, 0}, {syscall.ENONET, 0},
		{syscall.ENOBUFS, 5 + 10 + 20 + 40 + 80 + 160}, {syscall.ENOMEM, 5 + 10 + 20 + 40 + 80 + 160}, {syscall.ENOSR, 5 + 10 + 20 + 40 + 80 + 160},
		{syscall.EMFILE, 5 + 10 + 20}, {syscall.ENFILE, 5 + 10 + 20}, // two calls each: with and without the spare descriptor
	} {
		t.Run(tt.errno.Error(), func(t *testing.T) {
			var out bytes.Buffer // written on the loop, read when that has stopped
			p, err := poller.New(poller.Config{Logger: slog.New(slog.NewTextHandler(&out, nil))})
			if err != nil {
				t.Fatal(err)
			}
			f := &failing{errno: tt.errno, left: times}
			ln, err := p.ListenTaking("127.0.0.1:0", func(c *poller.Conn) poller.Handler { c.Send([]byte("!")); return hooks{} }, f.accept)
			if err != nil {
				p.Close()
				t.Fatal(err)
			}
			expect(t, dial(t, ln.Addr().String()), []byte("!"))
			ln.Close()
			p.Close()
			if took := f.calls[times].Sub(f.calls[0]); took < tt.pauses*time.Millisecond {
				t.Errorf("%d calls within %v, want pauses of %d ms", times, took, tt.pauses)
			}
			want := min(int(tt.pauses), 1)
			if n := strings.Count(out.String(), "\n"); n != want {
				t.Errorf("%d lines of log, want %d:\n%s", n, want, &out)
			}
		})
	}
}

// Close ends a pause. Nothing of the listener is left.
func TestCloseWhileAcceptPauses(t *testing.T) {
	p := start(t, poller.Config{Logger: slog.New(slog.DiscardHandler)})
	before := descriptors(t)
	f := &failing{errno: syscall.ENOMEM, left: 1 << 30}
	ln, err := p.ListenTaking("127.0.0.1:0", nil, f.accept)
	if err != nil {
		t.Fatal(err)
	}
	nc := dial(t, ln.Addr().String())
	eventually(t, "accept has failed", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.calls) > 3
	})
	ln.Close()
	ln.Close()
	f.mu.Lock()
	calls := len(f.calls)
	f.mu.Unlock()
	if _, err := nc.Read(make([]byte, 1)); err == nil {
		t.Error("who waited was let in")
	}
	nc.Close()
	if n := descriptors(t); n != before {
		t.Errorf("%d descriptors, %d before", n, before)
	}
	<-time.After(100 * time.Millisecond) // longer than the pause that was under way
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.calls) != calls {
		t.Errorf("%d calls of accept after Close", len(f.calls)-calls)
	}
}

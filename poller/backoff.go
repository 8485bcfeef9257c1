package poller

import (
	"cmp"
	"errors"
	"log/slog"
	"slices"
	"syscall"
	"time"
)

const (
	minPause  = 5 * time.Millisecond
	maxPause  = time.Second
	warnEvery = 10 * time.Second
)

// A Backoff says how a loop that accepts connections continues after a failure.
// The zero value is ready. It is for one goroutine.
type Backoff struct {
	// Log gets at most one line every 10 s. Nil means slog.Default().
	Log *slog.Logger

	failed int           // connections in a row
	pause  time.Duration // the last one
	warned time.Time
}

// Accepted records that a connection was accepted: the next pause will be
// short.
func (b *Backoff) Accepted() { b.failed, b.pause = 0, 0 }

// Failed records a failure to accept, and returns how long to wait before the
// next try: no time if only that connection failed; otherwise 5 ms at first,
// twice as long each time, up to 1 s, because the kernel has run out of
// something that an immediate retry would not bring back.
func (b *Backoff) Failed(err error) time.Duration {
	if connectionFailed(err) {
		if b.failed++; b.failed < acceptBatch { // else the fault is not theirs
			return 0
		}
	}
	b.warn(err)
	b.pause = min(max(2*b.pause, minPause), maxPause)
	return b.pause
}

// warn logs that connections cannot be accepted.
func (b *Backoff) warn(err error) {
	now := time.Now()
	if now.Sub(b.warned) < warnEvery {
		return
	}
	b.warned = now
	log := cmp.Or(b.Log, slog.Default())
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		log.Error("out of file descriptors: refusing connections", "err", err, "fix", "raise the limit: ulimit -n, LimitNOFILE=, or docker --ulimit nofile=")
		return
	}
	log.Error("cannot accept connections: waiting before the next try", "err", err)
}

// connectionErrors are the errors of accept4(2) that concern one connection only:
// network errors that it already has, a firewall's refusal, an interrupted call.
var connectionErrors = []syscall.Errno{
	syscall.EINTR, syscall.ECONNABORTED, syscall.EPERM, syscall.EPROTO, syscall.ETIMEDOUT,
	syscall.ENETDOWN, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ENONET,
	syscall.ENOPROTOOPT, syscall.EOPNOTSUPP,
}

func connectionFailed(err error) bool {
	var errno syscall.Errno
	return errors.As(err, &errno) && slices.Contains(connectionErrors, errno)
}

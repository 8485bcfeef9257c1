package phx

import (
	"sync/atomic"
	"time"
)

// smallIncoming is how many bytes of a message may be held even if
// Config.IncomingMax is used up: a message that just came in two packets is no
// reason to lose a client.
const smallIncoming = 4 << 10

// incoming counts the bytes that an endpoint holds, for all clients together, of
// messages and bodies that are not complete or not decoded yet.
type incoming struct {
	max     int64
	timeout time.Duration
	rate    int // bytes a second
	held    atomic.Int64
}

// add counts n more bytes, or fewer if n is negative, of a client that has all of
// them now. It reports whether the client may keep them.
func (in *incoming) add(n, all int) (fits bool) {
	return in.held.Add(int64(n)) <= in.max || n <= 0 || all <= smallIncoming
}

// patience returns how long a message may take once n bytes of it have come.
func (in *incoming) patience(n int) time.Duration {
	return in.timeout + time.Duration(n)*time.Second/time.Duration(in.rate)
}

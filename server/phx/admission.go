package phx

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/roost-rt/roost/poller"
)

// Refusals count the connections refused so far, by the limit that refused
// them.
type Refusals struct {
	Full       int64 `json:"full"`        // Config.MaxConns
	PerAddress int64 `json:"per_address"` // Config.MaxConnsPerIP
	Rate       int64 `json:"rate"`        // Config.AcceptRate
}

// errCrowded refuses a client that has Config.MaxConnsPerIP connections.
var errCrowded = errors.New("the client's address has Config.MaxConnsPerIP connections already")

// An admission decides who may connect. Without limits it costs one comparison.
type admission struct {
	max, perAddress, rate atomic.Int64 // zero: no limit

	full, crowded, fast atomic.Int64 // refused so far

	mu       sync.Mutex // guards the rest
	visitors map[netip.Addr]*visitor
	tokens   float64 // of rate, at most one second's worth
	filled   time.Time
}

// A visitor is an address with the connections that it has. Nil is one that is
// not counted.
type visitor struct {
	admission *admission
	addr      netip.Addr
	conns     int // guarded by admission.mu
}

// reservedFiles is how many descriptors MaxConns leaves for everything else.
const reservedFiles = 64

func newAdmission(c *Config) *admission {
	a := &admission{visitors: make(map[netip.Addr]*visitor)}
	a.set(Limits{MaxConns: c.MaxConns, MaxConnsPerIP: c.MaxConnsPerIP, AcceptRate: c.AcceptRate})
	a.tokens, a.filled = float64(c.AcceptRate), time.Now()
	return a
}

func (a *admission) set(l Limits) {
	var files syscall.Rlimit
	if l.MaxConns == 0 && syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) == nil && files.Cur < 1<<31 {
		l.MaxConns = max(int(files.Cur)-reservedFiles, 1)
	}
	a.max.Store(int64(l.MaxConns))
	a.perAddress.Store(int64(l.MaxConnsPerIP))
	a.rate.Store(int64(l.AcceptRate))
}

// Limits are fields of Config that may change while an endpoint runs.
type Limits struct {
	MaxConns, MaxConnsPerIP, AcceptRate int // as in Config
}

// admits decides on a connection beside the ones that are open, as far as its
// address does not matter.
func (a *admission) admits(open int) bool {
	switch {
	case !a.hasRoom(open):
		return false
	case a.rate.Load() > 0 && !a.take(time.Now()):
		a.fast.Add(1)
		return false
	}
	return true
}

// hasRoom is admits for what is no new connection to the client.
func (a *admission) hasRoom(open int) bool {
	if most := a.max.Load(); most > 0 && int64(open) >= most {
		a.full.Add(1)
		return false
	}
	return true
}

// take takes a token of the accept rate.
func (a *admission) take(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	rate := float64(a.rate.Load())
	a.tokens = min(a.tokens+now.Sub(a.filled).Seconds()*rate, rate)
	a.filled = now
	if a.tokens < 1 {
		return false
	}
	a.tokens--
	return true
}

// enter counts a connection of an address, or reports that it has too many.
func (a *admission) enter(addr netip.Addr) (_ *visitor, ok bool) {
	most := int(a.perAddress.Load())
	if most == 0 || !addr.IsValid() {
		return nil, true
	}
	addr = household(addr)
	a.mu.Lock()
	defer a.mu.Unlock()
	v := a.visitors[addr]
	switch {
	case v == nil:
		v = &visitor{admission: a, addr: addr}
		a.visitors[addr] = v
	case v.conns >= most:
		a.crowded.Add(1)
		return nil, false
	}
	v.conns++
	return v, true
}

// household returns the addresses that count as one client: an IPv4 address, or the
// /64 network that an IPv6 client has to itself.
func household(addr netip.Addr) netip.Addr {
	if addr = addr.Unmap(); addr.Is4() {
		return addr
	}
	network, _ := addr.WithZone("").Prefix(64) // an IPv6 address has one
	return network.Addr()
}

// again counts one more connection of the same visitor, whatever the limit.
func (v *visitor) again() *visitor {
	if v != nil {
		v.admission.mu.Lock()
		defer v.admission.mu.Unlock()
		v.conns++
	}
	return v
}

// leave says that a connection of the visitor's has ended.
func (v *visitor) leave() {
	if v == nil {
		return
	}
	v.admission.mu.Lock()
	defer v.admission.mu.Unlock()
	if v.conns--; v.conns == 0 {
		delete(v.admission.visitors, v.addr)
	}
}

func (a *admission) refusals() Refusals {
	return Refusals{Full: a.full.Load(), PerAddress: a.crowded.Load(), Rate: a.fast.Load()}
}

// retryLater refuses a connection before its request is read. A client that has
// sent one already may see a reset instead.
const retryLater = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

// refuseEarly is the last word on a connection whose request is not read.
func refuseEarly(c *poller.Conn) poller.Handler {
	_ = c.Send([]byte(retryLater)) // it ends one way or the other
	return nil
}

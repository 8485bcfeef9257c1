package swarm

import (
	"crypto/tls"
	"runtime"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/poller"
)

// mostHandshakes is how many TLS handshakes of a process are under way at a time,
// each with a goroutine: more than may connect at a time, and a bound for clients
// that all come back at once.
const mostHandshakes = 1024

// A secure is shared by the clients of a wss URL.
type secure struct {
	config     *tls.Config
	handshakes *poller.Pool
}

// newSecure is nil without TLS.
func newSecure(o order.Orders) (*secure, error) {
	config, err := o.Target.ClientConfig(o.Files)
	if config == nil {
		return nil, err
	}
	places := runtime.GOMAXPROCS(0)
	pool, err := poller.NewPool(poller.PoolConfig{Places: places, MaxWorkers: max(mostHandshakes, places)})
	if err != nil {
		return nil, err
	}
	return &secure{config, pool}, nil
}

// close waits for the handshakes, whose connections are closed.
func (s *secure) close() {
	if s != nil {
		_ = s.handshakes.Close(10 * time.Second) // the process ends, and the totals have what came of them
	}
}

package phx

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/roost-rt/roost/poller"
)

// A Budget is a limit that all clients of an endpoint share, with its current
// use.
type Budget struct {
	Name string `json:"name"` // "connections", "incoming bytes", "mailbox bytes", "outbound bytes" or "broadcast bytes"
	Used int64  `json:"used"`
	Max  int64  `json:"max"` // 0: there is no limit
}

// Budgets returns the current budgets. It reads counters without counting
// anything, so it may be called often.
func (ep *Endpoint) Budgets() []Budget {
	outbound, outboundMax := ep.poller.Backlog()
	broadcasts, broadcastsMax := ep.pubsub.Pending()
	return []Budget{
		{"connections", int64(ep.conns()), ep.admission.max.Load()},
		{"incoming bytes", ep.incoming.held.Load(), ep.incoming.max},
		{"mailbox bytes", ep.workers.Held(), int64(ep.cfg.MailboxesMax)},
		{"outbound bytes", outbound, outboundMax},
		{"broadcast bytes", broadcasts, broadcastsMax},
	}
}

// ErrDraining is returned by [Endpoint.Ready] after Shutdown was called.
var ErrDraining = errors.New("draining")

// Ready returns the reason why a load balancer should send no clients here at
// the moment: the endpoint is draining, or one of its Budgets is used up. Nil
// means that clients are welcome.
func (ep *Endpoint) Ready() error {
	if ep.Draining() {
		return ErrDraining
	}
	for _, b := range ep.Budgets() {
		if b.Max > 0 && b.Used >= b.Max {
			return fmt.Errorf("%s: %d of %d in use", b.Name, b.Used, b.Max)
		}
	}
	return nil
}

// isReady reports whether a path is Config.ReadyPath.
func (ep *Endpoint) isReady(path string) bool {
	return ep.cfg.ReadyPath != "" && path == ep.cfg.ReadyPath
}

// readiness answers a request for Config.ReadyPath, which may be anybody's.
func (ep *Endpoint) readiness(method string) (status int, text string) {
	switch {
	case method != http.MethodGet && method != http.MethodHead:
		return http.StatusMethodNotAllowed, ""
	case ep.Ready() != nil:
		status, text = http.StatusServiceUnavailable, "not ready\n"
	default:
		status, text = http.StatusOK, "ready\n"
	}
	if method == http.MethodHead {
		text = ""
	}
	return status, text
}

// answerReady is for the loop.
func (ep *Endpoint) answerReady(c *poller.Conn, method string) {
	status, text := ep.readiness(method)
	answer(c, status, text)
}

// serveReady is for connections that net/http has.
func (ep *Endpoint) serveReady(w http.ResponseWriter, r *http.Request) {
	status, text := ep.readiness(r.Method)
	refuse(w, status)              // and close it, as the loop does
	_, _ = io.WriteString(w, text) // who is gone needs no answer
}

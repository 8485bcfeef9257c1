package phx

import (
	"net/http"

	"github.com/roost-rt/roost/poller"
)

type poll struct{}

func (p *poll) expire()  {}
func (p *poll) abandon() {}

func (ep *Endpoint) longPoll(c *poller.Conn, h *requests, r *http.Request, body []byte) {
	h.respond(c, r, http.StatusNotImplemented, nil, nil)
}

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/roost-rt/roost/server/phx"
)

// control answers what the suites ask outside of their sockets.
type control struct {
	endpoint atomic.Pointer[phx.Endpoint] // set once it runs; its handler is needed before
}

func (c *control) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /__conformance/alive", c.with(alive))
	mux.HandleFunc("POST /__conformance/broadcast", c.with(publish))
	for _, m := range missing() {
		mux.HandleFunc(m.path, func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "not served yet: it needs "+m.needs, http.StatusNotFound)
		})
	}
	return mux
}

// with gives a handler the endpoint.
func (c *control) with(handle func(ep *phx.Endpoint, w http.ResponseWriter, r *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ep := c.endpoint.Load()
		if ep == nil {
			http.Error(w, "starting", http.StatusServiceUnavailable)
			return
		}
		handle(ep, w, r)
	}
}

// alive says how many channels have joined a topic.
func alive(ep *phx.Endpoint, w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, ep.Subscribers(r.FormValue("topic")))
}

// publish sends a broadcast as the server's own.
func publish(ep *phx.Endpoint, w http.ResponseWriter, r *http.Request) {
	var e envelope
	err := json.NewDecoder(r.Body).Decode(&e)
	if err == nil {
		err = ep.Broadcast(e.Topic, e.Event, e.Payload)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/roost-rt/roost/server/phx"
)

// control answers what the suites ask outside of their sockets.
func control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /__conformance/alive", alive)
	mux.HandleFunc("POST /__conformance/broadcast", publish)
	return mux
}

// alive says how many channels have joined a topic.
func alive(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, phx.EndpointOf(r).Subscribers(r.FormValue("topic")))
}

// publish sends a broadcast as the server's own.
func publish(w http.ResponseWriter, r *http.Request) {
	var e envelope
	err := json.NewDecoder(r.Body).Decode(&e)
	if err == nil {
		err = phx.EndpointOf(r).Broadcast(e.Topic, e.Event, e.Payload)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

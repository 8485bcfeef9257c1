// Package live is a page on which operators watch an endpoint: connections, rates,
// topics, who does not keep up, callbacks and event loops, memory, the other nodes, and
// a drain as it goes on.
//
//	page, err := live.New(ep, events) // events of package metrics; they may be nil
//	…
//	mux.Handle("/", page)
//	…
//	page.Close()
//
// The page is a client of Channels itself, of an endpoint of its own: it gets a
// snapshot every second, or less often if taking one is work for a twentieth of the
// time. It computes nothing while no one looks.
//
// It does not authenticate callers: serve it where only operators can reach it. It
// shows addresses and ids of clients, and names of topics, but no parameters or
// payloads.
package live

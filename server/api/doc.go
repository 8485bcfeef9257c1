// Package api is for other programs of the application, in whatever language: over HTTP
// they broadcast, ask who is where, and close the sockets of a user.
//
//	handler, err := api.New(ep, api.Config{Token: os.Getenv("API_TOKEN"), Presence: here})
//	…
//	http.ListenAndServe("10.0.0.7:9001", handler)
//
// openapi.yaml describes it; the handler serves that at /openapi.yaml, to everybody. All
// else asks for the token. Serve it apart from clients, where only these programs get
// to: the token crosses the network as it is.
//
// Broadcasts have the context of their request: a handler around this one may put a trace
// there, as package tracing does.
//
// What it does on one node counts for all of a cluster, except the list of topics.
package api

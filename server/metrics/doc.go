// Package metrics exports an endpoint's metrics to Prometheus.
//
//	events := metrics.NewEvents()
//	cfg.Telemetry = events.Telemetry() // with hooks of your own: phx.JoinTelemetry
//	ep, err := phx.Start(cfg)
//	…
//	http.ListenAndServe("127.0.0.1:9000", metrics.Handler(ep, events))
//
// Names are API: they begin with roost_, times are in seconds, sizes in bytes,
// and a total only ever grows. Labels are mounts, patterns of topics and a few
// fixed words, never a topic, a user or an address, so a server has about a
// hundred series, however many clients it has.
//
// alerts.yml has alert rules and dashboard.json a dashboard for Grafana.
//
// # Cost
//
// A scrape reads the endpoint's own counts, which visits every connection as
// [phx.Endpoint.Stats] does. [Events] adds a few atomic additions to each
// connect, join, client message, push and publish; a broadcast counts once,
// however many clients get it.
//
// Everything may be called from any goroutine.
package metrics

package metrics

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/roost-rt/roost/server/phx"
)

// Events counts the events of an endpoint through its Config.Telemetry.
type Events struct {
	connects    *prometheus.CounterVec
	disconnects *prometheus.CounterVec
	joins       *prometheus.CounterVec
	crashes     *prometheus.CounterVec

	messages, messageBytes, callbackSeconds *prometheus.CounterVec
	pushes, pushBytes                       *prometheus.CounterVec

	broadcasts                *prometheus.CounterVec
	receivers, broadcastBytes prometheus.Counter
}

// NewEvents returns Events with all counts at zero.
func NewEvents() *Events {
	vector := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	one := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return &Events{
		connects:        vector("roost_connects_total", "Clients that have asked to connect, by result: ok or refused.", "mount", "transport", "result"),
		disconnects:     vector("roost_disconnects_total", "Sockets that have ended, by reason.", "reason"),
		joins:           vector("roost_joins_total", "Joins that were answered, by result: ok, refused, stopped or crashed.", "pattern", "result"),
		crashes:         vector("roost_channel_crashes_total", "Callbacks of channels that failed or panicked.", "pattern"),
		messages:        vector("roost_messages_received_total", "Client messages that callbacks have handled, by result: ok, refused, stopped or crashed. Joins, leaves and heartbeats are none.", "pattern", "result"),
		messageBytes:    vector("roost_received_payload_bytes_total", "Payloads of those client messages.", "pattern"),
		callbackSeconds: vector("roost_callback_seconds_total", "Time that callbacks have taken for those client messages.", "pattern"),
		pushes:          vector("roost_pushes_total", "Messages to one client, by result: ok or failed. Replies are none.", "pattern", "result"),
		pushBytes:       vector("roost_push_payload_bytes_total", "Payloads of pushes that did not fail.", "pattern"),
		broadcasts:      vector("roost_broadcasts_total", "Broadcasts published on this node, by result: ok or failed.", "result"),
		receivers:       one("roost_broadcast_receivers_total", "Subscriptions on this node that these broadcasts were for: messages out."),
		broadcastBytes:  one("roost_broadcast_payload_bytes_total", "Payloads of these broadcasts, once for each receiver: bytes out."),
	}
}

func (e *Events) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		e.connects, e.disconnects, e.joins, e.crashes, e.messages, e.messageBytes, e.callbackSeconds,
		e.pushes, e.pushBytes, e.broadcasts, e.receivers, e.broadcastBytes,
	}
}

// Describe implements [prometheus.Collector].
func (e *Events) Describe(to chan<- *prometheus.Desc) {
	for _, c := range e.collectors() {
		c.Describe(to)
	}
}

// Collect implements [prometheus.Collector].
func (e *Events) Collect(to chan<- prometheus.Metric) {
	for _, c := range e.collectors() {
		c.Collect(to)
	}
}

// Telemetry returns the hooks that count, for phx.Config.Telemetry.
func (e *Events) Telemetry() *phx.Telemetry {
	return &phx.Telemetry{
		Connected: func(c phx.ConnectEvent) {
			result := "ok"
			if c.Err != nil {
				result = "refused"
			}
			e.connects.WithLabelValues(c.Mount, c.Transport, result).Inc()
		},
		Disconnected: func(d phx.DisconnectEvent) { e.disconnects.WithLabelValues(reason(d.Reason)).Inc() },
		Joined:       func(j phx.JoinEvent) { e.joins.WithLabelValues(j.Channel.Pattern(), result(j.Err)).Inc() },
		HandledIn: func(m phx.MessageEvent) {
			pattern := m.Channel.Pattern()
			e.messages.WithLabelValues(pattern, result(m.Err)).Inc()
			e.messageBytes.WithLabelValues(pattern).Add(float64(size(m.Payload)))
			e.callbackSeconds.WithLabelValues(pattern).Add(m.Duration.Seconds())
		},
		Crashed:   func(c phx.CrashEvent) { e.crashes.WithLabelValues(c.Channel.Pattern()).Inc() },
		Pushed:    e.pushed,
		Broadcast: e.broadcast,
	}
}

func (e *Events) pushed(p phx.PushEvent) {
	pattern := p.Channel.Pattern()
	if p.Err != nil {
		e.pushes.WithLabelValues(pattern, "failed").Inc()
		return
	}
	e.pushes.WithLabelValues(pattern, "ok").Inc()
	e.pushBytes.WithLabelValues(pattern).Add(float64(p.Size))
}

func (e *Events) broadcast(b phx.BroadcastEvent) {
	if b.Err != nil {
		e.broadcasts.WithLabelValues("failed").Inc()
		return
	}
	e.broadcasts.WithLabelValues("ok").Inc()
	e.receivers.Add(float64(b.Subscribers))
	e.broadcastBytes.Add(float64(b.Subscribers) * float64(b.Size))
}

// result is a callback's error as a label.
func result(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, new(*phx.ReplyError)):
		return "refused"
	case errors.As(err, new(*phx.StopError)):
		return "stopped"
	}
	return "crashed"
}

// reason is a Reason as a label. Applications may have any number of their own.
func reason(r phx.Reason) string {
	switch r {
	case phx.Normal, phx.Shutdown, phx.Left, phx.Closed, phx.Disconnected, phx.Draining, phx.Inactive, phx.Crash:
		return string(r)
	}
	return "other"
}

// size returns the size of a payload in bytes.
func size(p phx.Payload) int {
	if b, binary := p.Binary(); binary {
		return len(b)
	}
	return len(p.JSON())
}

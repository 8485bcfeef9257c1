package live

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/roost-rt/roost/loadtest/record"
)

// A Run holds what is known of a run so far. It is safe for concurrent use.
type Run struct {
	mu   sync.Mutex // guards the rest
	tick *record.Tick
}

// Show takes a record of the run.
func (r *Run) Show(rec record.Record) {
	if rec.Tick == nil {
		return
	}
	r.mu.Lock()
	r.tick = rec.Tick
	r.mu.Unlock()
}

// Describe sends nothing: which metrics there are is only known when they are
// collected, as the kinds of errors.
func (r *Run) Describe(chan<- *prometheus.Desc) {}

// Collect sends the state of the run. Before its first tick there is nothing.
func (r *Run) Collect(to chan<- prometheus.Metric) {
	t := r.last()
	if t == nil {
		return
	}
	each(*t, func(name, help string, total bool, value float64, labels ...string) {
		var names, values []string
		for i := 0; i < len(labels); i += 2 {
			names, values = append(names, labels[i]), append(values, labels[i+1])
		}
		kind := prometheus.GaugeValue
		if total {
			kind = prometheus.CounterValue
		}
		to <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, names, nil), kind, value, values...)
	})
}

// last is the state of the run, nil before its first tick.
func (r *Run) last() *record.Tick {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tick // it never changes any more
}

// Handler answers requests for the metrics.
func (r *Run) Handler() http.Handler {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(r)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// What a request may take, and one that is under way at the end.
const (
	patience     = 10 * time.Second
	lastPatience = time.Second
)

// Serve answers at /metrics of an address until stop is called, which cuts off who
// is slow. It fails if it cannot listen there.
func (r *Run) Serve(addr string) (at net.Addr, stop func(), err error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, nil, fmt.Errorf("metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", r.Handler())
	s := &http.Server{Handler: mux, ReadHeaderTimeout: patience, WriteTimeout: patience}
	ended := make(chan struct{})
	go func() { // stop waits for it
		defer close(ended)
		_ = s.Serve(ln) // until stop; a run goes on without it
	}()
	return ln.Addr(), func() {
		ctx, cancel := context.WithTimeout(context.Background(), lastPatience)
		defer cancel()
		_ = s.Shutdown(ctx) // or else
		_ = s.Close()       // which ends what is left
		<-ended
	}, nil
}

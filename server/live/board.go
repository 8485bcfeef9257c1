package live

import (
	"net/http"

	"github.com/roost-rt/roost/server/metrics"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/presence"
)

// A Board is the page and the metrics of an endpoint, for who serves both at one address.
type Board struct {
	events *metrics.Events
	page   *Page // nil before Open
}

// NewBoard returns one that counts what the endpoint with its Telemetry does.
func NewBoard() *Board { return &Board{events: metrics.NewEvents()} }

// Telemetry is for the Config of the endpoint.
func (b *Board) Telemetry() *phx.Telemetry { return b.events.Telemetry() }

// Open returns what answers GET /metrics and the paths of the page, and passes others on.
// It is called once.
func (b *Board) Open(ep *phx.Endpoint, here *presence.Presence, others http.Handler) (http.Handler, error) {
	page, err := New(ep, b.events)
	if err != nil {
		return nil, err
	}
	b.page = page
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.Handler(ep, b.events, metrics.Presence(here)))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if page.Has(r) {
			page.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
	return mux, nil
}

// Close closes the page. Call it after the endpoint's Shutdown if the page should show
// the drain.
func (b *Board) Close() {
	if b.page != nil {
		b.page.Close()
	}
}

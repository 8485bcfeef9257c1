package live

import (
	"context"
	"embed"
	"net/http"
	"sync"
	"time"

	"github.com/roost-rt/roost/server/metrics"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/web"
)

//go:embed index.html live.css live.js
var files embed.FS

// shared are files of the demo's pages that this one uses, too.
var shared = []string{"/phoenix.mjs", "/connection.js", "/style.css", "/icon.svg"}

const (
	topic  = "node"
	period = time.Second
	share  = 20 // one part of so many of the time is for taking snapshots, at most

	maxViewers = 100 // connections: each takes a descriptor that a client may need, and a snapshot when it comes
)

// A Page serves the page, and tells those who look at it what there is to see. All
// methods may be called from any goroutine.
type Page struct {
	shown   *phx.Endpoint
	events  *metrics.Events // or nil
	started time.Time

	viewers *phx.Endpoint
	mux     *http.ServeMux
	end     context.CancelFunc
	watch   sync.WaitGroup
}

// New returns the page of an endpoint. The page takes its rates from events, which may
// be nil. Close it before the endpoint's Shutdown, or after it if the page should show
// the drain.
func New(ep *phx.Endpoint, events *metrics.Events) (*Page, error) {
	p := &Page{shown: ep, events: events, started: time.Now(), mux: http.NewServeMux()}
	node := &phx.ChannelType{
		Joined:  func(ch *phx.Channel, _ phx.Payload) error { return ch.Push("snapshot", p.snapshot()) },
		LogJoin: phx.LogOff,
	}
	var err error
	p.viewers, err = phx.New(phx.Config{
		Hosts: []string{phx.AnyHost}, // whoever serves the page has looked at the name
		Loops: 1, MaxConns: maxViewers,
		Mounts: []phx.Mount{{
			Path: "/live", Routes: []phx.Route{{Pattern: topic, Type: node}}, LongPoll: &phx.LongPoll{},
			LogConnect: phx.LogOff, Drain: func() phx.Drain { return phx.Drain{Off: true} },
		}},
	})
	if err != nil {
		return nil, err
	}
	p.routes()
	ctx, end := context.WithCancel(context.Background())
	p.end = end
	p.watch.Go(func() { p.tell(ctx) }) // Close waits for it
	return p, nil
}

func (p *Page) routes() {
	p.mux.Handle("GET /{$}", http.FileServerFS(files))
	for _, own := range []string{"/live.css", "/live.js"} {
		p.mux.Handle("GET "+own, http.FileServerFS(files))
	}
	for _, file := range shared {
		p.mux.Handle("GET "+file, http.FileServerFS(web.Files()))
	}
	p.mux.Handle("/live/", p.viewers)
}

// Has reports whether a request is for the page, rather than for what else may be
// served beside it.
func (p *Page) Has(r *http.Request) bool {
	_, pattern := p.mux.Handler(r)
	return pattern != ""
}

// ServeHTTP serves the page at / and what belongs to it.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

// Close shows those who look the last there is to see, and hangs up.
func (p *Page) Close() {
	p.end()
	p.watch.Wait()
	_ = p.viewers.Broadcast(topic, "snapshot", p.snapshot()) // a drain may have been short
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = p.viewers.Shutdown(ctx) // they lose nothing
}

// tell sends snapshots to those who look, if there are any.
func (p *Page) tell(ctx context.Context) {
	for wait := period; ; {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		wait = period
		if p.viewers.Subscribers(topic) == 0 {
			continue
		}
		begun := time.Now()
		s := p.snapshot()
		wait = max(period, share*time.Since(begun))
		_ = p.viewers.Broadcast(topic, "snapshot", s) // the next one says it, too
	}
}

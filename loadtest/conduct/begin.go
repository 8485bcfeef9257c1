package conduct

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/proc"
	"github.com/roost-rt/roost/loadtest/record"
)

// begin starts all processes and gives the orders.
func (r *run) begin(ctx context.Context) (err error) {
	if r.host, err = kernel.Here(); err != nil {
		return err
	}
	r.tally = root.Tally()
	r.emit(record.Record{Run: r.describe()})
	r.tick()
	if r.cfg.ServerPID != 0 {
		r.note("info", "the server's memory includes garbage: only a server that was started here is asked to collect it")
	}
	url, addrs, err := r.serve(ctx)
	if err != nil {
		return err
	}
	files, err := readPEM(r.cfg.TLS)
	if err != nil {
		return err
	}
	target := r.cfg.Target(url)
	r.tellAgents()
	for i, extents := range r.plan.Processes {
		if i < r.plan.Punctual {
			proc.Slacken(0) // a latency counts from the moment that was given
		} else {
			proc.Slacken(r.plan.Slack)
		}
		w, err := r.startWorker(i)
		if err != nil {
			return err
		}
		r.workers = append(r.workers, w)
		o := r.orders(addrs, extents)
		o.Target, o.Files = target, files
		if o.From = r.cfg.From; len(r.agents) > 0 {
			o.From = r.agentOf(i).From
		}
		o.Clock = r.clock(i)
		o.Turn = r.plan.Report * time.Duration(i) / time.Duration(len(r.plan.Processes))
		if err := w.tell(order.Command{Orders: o}); err != nil {
			return err
		}
	}
	return nil
}

// serve starts the servers if there is none to test. It returns the URL for all
// clients, and the addresses of each server.
func (r *run) serve(ctx context.Context) (url string, addrs [][]string, err error) {
	if r.cfg.URL != "" {
		addrs, err := r.lookUp(ctx)
		return r.cfg.URL, [][]string{addrs}, err
	}
	for i := range r.plan.Servers {
		s, err := r.startServer(ctx, i)
		if err != nil {
			return "", nil, err
		}
		r.servers = append(r.servers, s)
		addrs = append(addrs, []string{s.Addr})
	}
	return "ws://" + addrs[0][0], addrs, nil
}

// lookUp are the addresses of the server that runs already.
func (r *run) lookUp(ctx context.Context) (texts []string, err error) {
	addrs := r.cfg.Addrs
	if len(addrs) == 0 {
		families, err := r.cfg.Resolve(ctx)
		if err != nil {
			return nil, err
		}
		addrs = families[0]
	}
	for _, a := range addrs {
		texts = append(texts, a.String())
	}
	return texts, nil
}

// startServer starts server process i and watches it.
func (r *run) startServer(ctx context.Context, i int, args ...string) (*proc.Server, error) {
	proc.Slacken(r.plan.Slack)
	s, err := proc.StartServer(ctx, i, append(slices.Clone(r.cfg.ServerCommand), args...), r.plan.ServerProcs)
	if err == nil {
		r.waiting.Go(func() { r.watch(s) })
	}
	return s, err
}

// watch passes on that a server died before its time.
func (r *run) watch(s *proc.Server) {
	select {
	case <-s.Exited:
	case <-r.quit:
		return
	}
	var err error // nil, but news
	if !s.Leaving() {
		err = s.Failure()
	}
	select {
	case r.died <- err:
	case <-r.quit:
	}
}

// inFlight bounds the connects that all processes have under way together:
// well below the usual backlog of 4,096.
const inFlight = 1024

func (r *run) orders(addrs [][]string, extents []plan.Extent) *order.Orders {
	o := &order.Orders{
		Event:      r.cfg.Event,
		TCP:        r.plan.ClientTCP,
		Timestamps: r.cfg.Timestamps,
		PerSource:  r.plan.PerSource,
		Window:     max(16, min(256, inFlight/r.plan.Ramping)),
		Heartbeat:  r.plan.Heartbeat,
		Report:     r.plan.Report,
		Messages:   r.plan.Messages,
		Writers:    r.plan.Writers,
		Late:       r.cfg.Late,
		Tell:       r.waits(),
		Raw:        r.cfg.Protocol == plan.Raw,
		Reconnect:  r.cfg.Scenario.Reconnects(),
		Writer:     uint32(r.start>>10)<<10 | 1, // another run's writers in the same room have other names
	}
	if r.part.orders != nil {
		r.part.orders(r, o)
	}
	for _, e := range extents {
		if r.cfg.Script != nil {
			part := r.cfg.Script.Part(e.First, e.Count)
			o.Script = &part
		}
		o.Shares = append(o.Shares, order.Share{Room: e.Room, Topic: r.topic(e.Room), Addrs: addrs[e.Server], First: e.First, Count: e.Count})
	}
	return o
}

// topic returns the topic of a room. Rooms of separate servers may have the same.
func (r *run) topic(room int) string {
	if !r.plan.Spread {
		return r.cfg.Topic
	}
	prefix, _, _ := strings.Cut(r.cfg.Topic, ":")
	return prefix + ":" + strconv.Itoa(room+1)
}

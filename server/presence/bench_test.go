package presence_test

import (
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxtest"
	"github.com/roost-rt/roost/server/presence"
)

// Of a topic of 100,000 one goes and one comes, and clients are told after each
// thousand, which is 1 %. Beside it: what a presence takes on its node, and how many
// bytes each client gets for one that goes and comes, in diffs and counts.
func BenchmarkCrowd(b *testing.B) {
	for _, mode := range crowdModes {
		b.Run(mode.name, func(b *testing.B) { benchmarkCrowd(b, mode.cfg) })
	}
}

var crowdModes = []struct {
	name string
	cfg  presence.Config
}{
	{"full", presence.Config{MaxFull: -1}},
	{"sample", presence.Config{}},
	{"sample only", presence.Config{SampleOnly: func(string) bool { return true }}},
	{"count", presence.Config{CountOnly: func(string) bool { return true }}},
}

func benchmarkCrowd(b *testing.B, cfg presence.Config) {
	const crowd, each, topic = 100_000, 1_000, "crowd"
	cfg.Window = time.Hour // TellAt tells
	p := presence.New(cfg)
	b.Cleanup(p.Close)
	ep, channels := startCrowd(b, crowd, nil)
	var told atomic.Int64
	b.Cleanup(ep.Subscribe(topic, func(m phx.Broadcast) { told.Add(int64(len(m.Payload.JSON()))) }))
	now := time.Now()
	tell := func() {
		now = now.Add(2 * time.Hour)
		p.TellAt(now)
	}
	track := func(i int) {
		if _, err := p.TrackOn(channels[i], topic, fmt.Sprint("user ", i), map[string]string{"status": "online"}); err != nil {
			b.Fatal(err)
		}
	}

	before := heap()
	for i := range channels {
		track(i)
	}
	tell()
	size := float64(heap()-before) / crowd
	told.Store(0)
	n := 0
	for b.Loop() {
		i := n % crowd
		if cfg.CountOnly != nil {
			p.Stand(channels[i])
			p.Sit(channels[i], topic)
		} else {
			p.UntrackOn(channels[i], topic, fmt.Sprint("user ", i))
			track(i)
		}
		if n++; n%each == 0 {
			tell()
		}
	}
	b.ReportMetric(size, "B/presence")
	b.ReportMetric(float64(told.Load())/float64(n), "B/client")
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// startCrowd returns so many joined channels.
func startCrowd(b *testing.B, n int, link pubsub.Adapter) (*phxtest.Endpoint, []*phx.Channel) {
	joined := make(chan *phx.Channel, 1)
	ep := phxtest.Start(b, phx.Config{Logger: slog.New(slog.DiscardHandler), Adapter: link, Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{
		Joined: func(ch *phx.Channel, _ phx.Payload) error { joined <- ch; return nil },
	}}}}}})
	var all []*phx.Channel
	for len(all) < n {
		c := phxtest.Connect(b, ep, "/socket", nil)
		for i := range 100 {
			c.Join(fmt.Sprint("topic ", i), nil)
			all = append(all, <-joined)
		}
	}
	return ep, all
}

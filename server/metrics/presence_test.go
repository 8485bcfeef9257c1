package metrics_test

import (
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/roost-rt/roost/pubsub/pubsubtest"
	"github.com/roost-rt/roost/server/metrics"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxtest"
	"github.com/roost-rt/roost/server/presence"
)

// Who is somewhere is what a scrape says, on other nodes, too, and of a Presence that
// only counts.
func TestScrapeOfPresence(t *testing.T) {
	t.Parallel()
	var network pubsubtest.Network
	start := func(node string) (*phxtest.Endpoint, *presence.Presence, *presence.Presence) {
		here := presence.New(presence.Config{Logger: slog.New(slog.DiscardHandler)})
		counts := presence.New(presence.Config{Name: "counts", CountOnly: func(string) bool { return true }, Logger: slog.New(slog.DiscardHandler)})
		cfg := config(metrics.NewEvents())
		cfg.Adapter = network.Node(node)
		cfg.Mounts[0].Routes = []phx.Route{{Pattern: "room:*", Type: &phx.ChannelType{Joined: func(ch *phx.Channel, _ phx.Payload) error {
			if _, err := counts.Track(ch, "", nil); err != nil {
				return err
			}
			_, err := here.Track(ch, ch.Topic(), nil)
			return err
		}}}}
		t.Cleanup(here.Close)
		t.Cleanup(counts.Close)
		ep := phxtest.Start(t, cfg)
		if err := here.Attach(ep.Endpoint); err != nil {
			t.Fatal(err)
		}
		return ep, here, counts
	}
	a, hereA, countsA := start("a")
	b, hereB, _ := start("b")
	phxtest.Connect(t, a, "/socket", nil).Join("room:1", nil)
	c := phxtest.Connect(t, b, "/socket", nil)
	c.Join("room:1", nil)
	c.Join("room:2", nil)
	all := metrics.Presence(hereA, countsA)
	h := metrics.Handler(a.Endpoint, nil, all)
	expect(t, h, `roost_presence_entries{presence="presence"} 3`, `roost_presence_topics{presence="presence"} 2`,
		`roost_presence_nodes_up{presence="presence"} 1`, `roost_presence_nodes_down{presence="presence"} 0`,
		`roost_presence_entries{presence="counts"} 3`, `roost_presence_diffs_total{presence="counts"} 0`)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(all)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := promlint.NewWithMetricFamilies(families).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}
	if st := hereA.Stats(); st.Diffs == 0 || st.DiffBytes < 50 {
		t.Errorf("%+v", st)
	}
	c.Close()
	expect(t, h, `roost_presence_entries{presence="presence"} 1`, `roost_presence_topics{presence="presence"} 1`, `roost_presence_entries{presence="counts"} 1`)
	hereB.Close()
}

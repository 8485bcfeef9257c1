package otlp_test

import (
	"fmt"
	"testing"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/tracing/otlp"
)

// BenchmarkBroadcast is what a broadcast to nobody costs: without tracing, and with a
// share of it.
func BenchmarkBroadcast(b *testing.B) {
	for _, ratio := range []float64{0, 0.01, 1} {
		b.Run(fmt.Sprintf("ratio=%v", ratio), func(b *testing.B) {
			var hooks *phx.Telemetry
			if ratio > 0 {
				sender, err := otlp.Start(otlp.Config{URL: "http://127.0.0.1:9", Ratio: ratio})
				if err != nil {
					b.Fatal(err)
				}
				defer sender.Shutdown(b.Context())
				hooks = sender.Telemetry()
			}
			ep, err := phx.New(phx.Config{Telemetry: hooks, Mounts: []phx.Mount{{Path: "/socket"}}})
			if err != nil {
				b.Fatal(err)
			}
			defer ep.Shutdown(b.Context())
			payload := map[string]int{"n": 1}
			b.ReportAllocs()
			for b.Loop() {
				if err := ep.Broadcast("room:1", "news", payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

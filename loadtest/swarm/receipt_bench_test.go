package swarm

import (
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/server/frame"
)

// BenchmarkReceipt is one broadcast at one of 10,000 joined clients, from the bytes
// of its connection to the ledger and the histograms. It must not allocate.
func BenchmarkReceipt(b *testing.B) {
	const clients = 10_000
	f, err := newFleet(order.Orders{
		Target: order.Target{URL: "ws://127.0.0.1:1"}, Window: 1, Event: "new_msg", Writer: 1, Writers: 1, Messages: b.N/clients + 1, Late: time.Hour,
		Shares: []order.Share{{Topic: "room:lobby", Count: clients, Addrs: []string{"127.0.0.1:1"}}},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer f.close()
	g := f.groups[0]
	for i := range g.clients {
		g.clients[i].phase, g.clients[i].joinedOnce = joined, true
	}
	g.joined = clients
	now := f.now()
	b.ReportAllocs()
	b.ResetTimer()
	var data []byte
	for n := range b.N {
		if n%clients == 0 {
			text := append(g.broadcastHead[:len(g.broadcastHead):len(g.broadcastHead)], appendPayload(nil, channels.Stamp{Writer: 1, Seq: int32(n/clients) + 1, Intended: now, Sent: now}, 128)...)
			data = frame.Append(nil, opText, append(text, ']'))
		}
		g.clients[n%clients].data(nil, data)
	}
	b.StopTimer()
	if got := f.counts.Delivered; got != int64(b.N) {
		b.Errorf("%d receipts, want %d", got, b.N)
	}
}

package swarm_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/swarm"
)

func TestPayloadIsAsLongAsAsked(t *testing.T) {
	for _, size := range []int{order.MinSize, 128, 1000} {
		b := swarm.AppendPayload([]byte("before"), channels.Stamp{Writer: 7, Seq: 3, Intended: 1000, Sent: 1001}, size)[len("before"):]
		if len(b) != size || !json.Valid(b) {
			t.Errorf("payload of %d bytes = %q with %d bytes", size, b, len(b))
		}
	}
	// A month of uptime, and the largest names and numbers there can be.
	largest := channels.Stamp{Writer: math.MaxUint32, Seq: 9_999_999, Intended: 2_600_000_000_000_000, Sent: 2_600_000_000_000_001}
	b := swarm.AppendPayload(nil, largest, order.MinSize)
	if len(b) != order.MinSize {
		t.Errorf("payload %q has %d bytes, want %d", b, len(b), order.MinSize)
	}
	if got, ok := channels.FindStamp(b); !ok || got != largest {
		t.Errorf("stamp of %s = %+v, %t, want %+v", b, got, ok, largest)
	}
}

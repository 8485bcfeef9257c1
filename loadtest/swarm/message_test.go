package swarm_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/swarm"
)

func TestPayloadIsAsLongAsAsked(t *testing.T) {
	for _, size := range []int{order.MinSize, 128, 1000} {
		b := swarm.AppendPayload([]byte("before"), 7, 3, 1000, 1001, size)[len("before"):]
		if len(b) != size || !json.Valid(b) {
			t.Errorf("payload of %d bytes = %q with %d bytes", size, b, len(b))
		}
	}
	// A month of uptime, and the largest names and numbers there can be.
	b := swarm.AppendPayload(nil, math.MaxUint32, 9_999_999, 2_600_000_000_000_000, 2_600_000_000_000_001, order.MinSize)
	if len(b) != order.MinSize {
		t.Errorf("payload %q has %d bytes, want %d", b, len(b), order.MinSize)
	}
}

func TestParseStamp(t *testing.T) {
	want := `{"w":7,"s":3,"t":1000,"a":1001,"body":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}`
	if got := string(swarm.AppendPayload(nil, 7, 3, 1000, 1001, order.MinSize)); got != want {
		t.Fatalf("payload = %s, want %s", got, want)
	}
	for _, test := range []struct {
		payload string
		ok      bool
	}{
		{want, true},
		{`{"a":1001,"body":"x","s":3,"t":1000,"w":7}`, true}, // another encoder's order
		{`{"w":7,"s":3,"t":1000,"body":"x"}`, false},
		{`{"w":"7","s":3,"t":1000,"a":1}`, false},
		{`{"body":"hello"}`, false},
		{``, false},
	} {
		got, ok := swarm.ParseStamp([]byte(test.payload))
		if ok != test.ok || ok && got != swarm.NewStamp(7, 3, 1000, 1001) {
			t.Errorf("parseStamp(%s) = %+v, %t, want %t", test.payload, got, ok, test.ok)
		}
	}
}

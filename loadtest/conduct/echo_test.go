package conduct_test

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"

	"github.com/roost-rt/roost/loadtest/swarm"
)

// A process that is late with its pings sends them all at once. What they waited
// for it counts as latency, and the raw one beside it is without.
func TestPingsCountFromTheIntendedSend(t *testing.T) {
	t.Parallel()
	const late = 2 * time.Second
	f := (&fake{}).start(t)
	in, commands := io.Pipe()
	events, out := io.Pipe()
	served := make(chan error, 1)
	go func() { served <- swarm.Serve(in, out); out.Close() }()
	say := func(format string, args ...any) {
		if _, err := fmt.Fprintf(commands, format+"\n", args...); err != nil {
			t.Error(err)
		}
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	go say(`{"orders":{"target":{"url":"ws://x"},"event":"new_msg","window":16,"heartbeat":30000000000,"messages":1,"writers":1,"writer":1,`+
		`"shares":[{"topic":"room:lobby","addrs":[%q],"count":5}]}} {"connect":{}}`, strings.TrimPrefix(f.url, "ws://"))

	var latency, raw *hdrhistogram.Histogram
	told, halting := json.NewDecoder(events), false
	for latency == nil {
		var e struct {
			Ramped   *struct{}
			Progress struct{ Replies int64 }
			Halted   *struct{ Latency, Raw []byte }
		}
		if err := told.Decode(&e); err != nil {
			t.Fatalf("no latencies: %v", err)
		}
		switch {
		case e.Ramped != nil:
			go say(`{"echo":{"pace":{"start":%d,"interval":%d},"size":128}}`, now.Nano()-int64(late), 10*time.Millisecond)
		case e.Progress.Replies >= 200 && !halting:
			halting = true
			go say(`{"halt":true}`)
		case e.Halted != nil:
			latency, raw = decode(t, e.Halted.Latency), decode(t, e.Halted.Raw)
		}
	}
	go func() { _, _ = io.Copy(io.Discard, events) }() // ends with Serve
	commands.Close()
	if err := <-served; err != nil {
		t.Errorf("Serve() = %v", err)
	}
	if got := time.Duration(latency.Max()) * time.Microsecond; got < late {
		t.Errorf("latency of the first ping %v, want at least %v: so late was it sent", got, late)
	}
	if got := time.Duration(raw.Max()) * time.Microsecond; got >= late {
		t.Errorf("raw latency up to %v, want less than %v: it counts from the actual send", got, late)
	}
	if latency.TotalCount() != raw.TotalCount() || latency.TotalCount() < 200 {
		t.Errorf("%d latencies and %d raw ones, want as many, and at least 200", latency.TotalCount(), raw.TotalCount())
	}
}

func decode(t *testing.T, encoded []byte) *hdrhistogram.Histogram {
	t.Helper()
	h, err := hdrhistogram.Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

package live

import (
	"bytes"
	"os"
	"runtime/metrics"
	"strconv"
	"time"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/phx"
)

// mostTopics is how many topics the page has room for.
const mostTopics = 10

// A snapshot is the state of the endpoint at one moment. The page makes rates of two.
type snapshot struct {
	At       int64               `json:"at"`        // milliseconds since 1970
	Uptime   int64               `json:"uptime"`    // seconds since the page was made
	NotReady string              `json:"not_ready"` // why no clients are welcome, or ""
	Draining bool                `json:"draining"`
	Stats    phx.Stats           `json:"stats"`
	Totals   map[string]float64  `json:"totals"`
	Budgets  []phx.Budget        `json:"budgets"`
	Ledger   phx.Ledger          `json:"ledger"`
	Loops    []loop              `json:"loops"`
	Topics   []phx.TopicInfo     `json:"topics"`
	Memory   memory              `json:"memory"`
	Node     string              `json:"node"` // "" without a cluster
	Cluster  pubsub.AdapterStats `json:"cluster"`
}

// A loop is how often an event loop was busy for so long so far: the numbers of passes
// of at least 2, 10 and 100 ms.
type loop struct {
	Ms2   uint64 `json:"ms2"`
	Ms10  uint64 `json:"ms10"`
	Ms100 uint64 `json:"ms100"`
}

// memory is in bytes, 0 where the system does not tell.
type memory struct {
	RSS  uint64 `json:"rss"`  // of the process
	Heap uint64 `json:"heap"` // live and dead objects of Go, part of RSS
	TCP  uint64 `json:"tcp"`  // buffers of all TCP connections of the host
}

func (p *Page) snapshot() snapshot {
	ep, now := p.shown, time.Now()
	s := snapshot{
		At: now.UnixMilli(), Uptime: int64(now.Sub(p.started).Seconds()), Draining: ep.Draining(),
		Stats: ep.Stats(), Budgets: ep.Budgets(), Ledger: ep.Ledger(), Topics: ep.Topics(mostTopics),
		Memory: memory{rss(), heap(), tcpBuffers()}, Node: ep.Node(),
	}
	if err := ep.Ready(); err != nil {
		s.NotReady = err.Error()
	}
	if s.Node != "" {
		s.Cluster = ep.Cluster()
	}
	if p.events != nil {
		s.Totals = p.events.Totals()
	}
	for _, passes := range ep.SlowPasses() {
		var l loop
		for _, slow := range passes {
			for at, n := range map[time.Duration]*uint64{2 * time.Millisecond: &l.Ms2, 10 * time.Millisecond: &l.Ms10, 100 * time.Millisecond: &l.Ms100} {
				if slow.From >= at {
					*n += slow.Took
				}
			}
		}
		s.Loops = append(s.Loops, l)
	}
	return s
}

func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}

func rss() uint64 { return pages("/proc/self/statm", "", 1) }

// tcpBuffers reads a line such as "TCP: inuse 27 orphan 0 tw 65 alloc 38 mem 4".
func tcpBuffers() uint64 { return pages("/proc/net/sockstat", "TCP:", 10) }

// pages is a number of pages, in bytes: a word of the line of a file that begins with
// first.
func pages(file, first string, word int) uint64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		words := bytes.Fields(line)
		if !bytes.HasPrefix(line, []byte(first)) || len(words) <= word {
			continue
		}
		n, err := strconv.ParseUint(string(words[word]), 10, 64)
		if err != nil {
			return 0
		}
		return n * uint64(os.Getpagesize())
	}
	return 0
}

package capacity

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// A Report is a plan for each number of clients, and what to know about them.
type Report struct {
	Schema      int      `json:"schema"` // 1
	Config      Config   `json:"config"` // with its defaults
	Measured    Measured `json:"measured"`
	Plans       []Plan   `json:"plans"`
	Assumed     []string `json:"assumed"`
	NotMeasured []string `json:"not_measured"`
}

// New plans and simulates. It fails on values out of bounds, which it names, on what
// was not measured, and on clients that no number of nodes up to 10,000 holds.
func New(c Config, m Measured) (*Report, error) {
	c = c.WithDefaults()
	if err := c.Check(); err != nil {
		return nil, err
	}
	if err := m.Check(); err != nil {
		return nil, err
	}
	if m.PushUs.Value == 0 {
		m.PushUs = Figure{Value: defaultPush}
	}
	r := &Report{Schema: 1, Config: c, Measured: m, NotMeasured: notMeasured(), Assumed: c.assumed(m)}
	for _, clients := range c.Clients {
		p, err := c.plan(m, clients)
		if err != nil {
			return nil, err
		}
		bands := c.Workload.bands(float64(clients) * float64(c.Workload.Topics))
		random := rand.New(rand.NewPCG(c.Seed, uint64(clients)))
		p.Spread = spread(random, p.Nodes, bands)
		p.Churn = c.churn(random, p, bands)
		p.Storm = c.storm(random, m, p, bands)
		r.Plans = append(r.Plans, p)
	}
	return r, nil
}

// rank sorts, and returns the value that a share is not above.
func rank(values []float64, share float64) float64 {
	slices.Sort(values)
	return values[max(0, int(math.Ceil(share*float64(len(values))))-1)]
}

func (c Config) assumed(m Measured) []string {
	w := c.Workload
	sizes := "All rooms have the same number of members."
	if w.Zipf > 0 {
		sizes = fmt.Sprintf("The k-th room has 1/k^%v of the members of the first one.", w.Zipf)
	}
	all := []string{
		"Figures per client, message and join hold for more clients and cores than were measured, and for other rooms and sizes of message.",
		sizes + " Members are random clients, clients are on random nodes, and all rooms get the same rate of messages.",
		fmt.Sprintf("A message at a client is %d bytes more than its payload: envelope 60, frame 4, TCP/IP and Ethernet 70. Each delivery is a packet, and has an acknowledgement of %d bytes. A connect is %s bytes in each direction. No TLS, no compression.", around, ackBytes, count(joinBytes)),
		fmt.Sprintf("A further topic of a client takes %d bytes of the server (server/CAPACITY.md) and the CPU of a whole join.", topicBytes),
		fmt.Sprintf("A message to or from NATS takes %v µs of CPU at a node (results/cluster), and %d bytes around the payload. A broadcast goes to NATS once, and from there to the other nodes that listen to its bucket, one of %s.", clusterUs, natsAround, count(buckets)),
		fmt.Sprintf("A node sends a heartbeat to all others every %d s, with %d bytes for each bucket that it listens to. NATS is one server: between several, messages cross once more.", beatSeconds, rowBytes),
		fmt.Sprintf("Clients stay for %s on average, at random, and others take their places at once.", w.Stay),
		fmt.Sprintf("When a process dies, its clients notice at once and come back as the official client does, after 10, 50, 100, 150, 200, 250, 500 ms, 1, 2 and 5 s, without jitter. Each try goes to a random node; for %s that includes the dead one, which refuses. A node serves joins in turn with all free processors, headroom included; a client does not give up after waiting for 10 s. Other nodes have no other load.", c.Down),
	}
	if m.PushUs.From == "" {
		all = append(all, fmt.Sprintf("A client's message takes %v µs of CPU with its reply (results/echo-10k; name a run of echo to have yours).", defaultPush))
	}
	return all
}

func notMeasured() []string {
	return []string{
		"Many cores: on a machine of more cores than the runs had, locks, caches, memory bandwidth and the kernel's accept may cost more.",
		"A real network: loss, round trips, slow clients and their backlog, network cards and their interrupts.",
		"NATS itself: how many servers carry this load, and what they add in latency. No run had that many nodes.",
		"Load balancers, TLS, presence, what your application does and keeps, and the bursts of a real day: that is what the headroom is for.",
	}
}

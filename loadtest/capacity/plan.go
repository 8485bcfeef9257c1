package capacity

import "fmt"

// A Demand lists the resources that clients take on one node, or on all together.
type Demand struct {
	Clients float64 `json:"clients"`
	Memory  float64 `json:"memory"` // bytes, of the process and of the kernel
	Files   float64 `json:"files"`
	Cores   Cores   `json:"cores"`
	In      float64 `json:"in"`  // bits a second, of clients and of NATS
	Out     float64 `json:"out"` // likewise
}

// Cores are processors in use, by what for.
type Cores struct {
	Deliveries float64 `json:"deliveries"`
	Heartbeats float64 `json:"heartbeats"`
	Joins      float64 `json:"joins"`  // of clients that come and go
	Pushes     float64 `json:"pushes"` // messages of clients
	Cluster    float64 `json:"cluster"`
	All        float64 `json:"all"`
}

// A Plan is for a number of clients.
type Plan struct {
	Nodes  int    `json:"nodes"`
	Bound  string `json:"bound"` // what a node has least of: memory, files, CPU or network
	Node   Demand `json:"node"`  // of each
	Whole  Demand `json:"whole"`
	NATS   NATS   `json:"nats"`
	Spread Spread `json:"spread"`
	Churn  Churn  `json:"churn"`
	Storm  Storm  `json:"storm"`
}

// What is not measured by a run of one topic on one host. The report says all of it.
const (
	ownFiles    = 64   // of a server process
	topicBytes  = 430  // of the server, for a further topic of a client
	clusterUs   = 2.2  // CPU of a node for a message to or from NATS
	defaultPush = 10   // µs
	around      = 134  // bytes around a payload at a client: envelope 60, frame 4, TCP/IP and Ethernet 70
	ackBytes    = 70   // of a packet without payload
	joinBytes   = 2000 // in each direction, of connect, upgrade and join
	natsAround  = 110  // bytes around a payload in NATS: envelope 60, subject and protocol 50
	rowBytes    = 8    // of a bucket in the table of a beat
	buckets     = 1024 // of package pubsub/cluster
	beatSeconds = 5    // likewise
	otherTopics = 3    // subjects of a node beside its buckets
)

// plan finds the fewest nodes that do.
func (c Config) plan(m Measured, clients int64) (Plan, error) {
	bands := c.Workload.bands(float64(clients) * float64(c.Workload.Topics))
	var p Plan
	for n := 1; n <= mostNodes; n++ {
		p = c.with(m, clients, n, bands)
		share, bound := c.Machine.used(p.Node)
		p.Bound = bound
		if share <= 1-c.Machine.Headroom {
			return p, nil
		}
	}
	return p, fmt.Errorf("%s clients: even with %s nodes, the maximum here, a node has too little %s: use larger nodes, or quieter rooms", count(clients), count(mostNodes), p.Bound)
}

// with is the plan of so many nodes, whether they do or not.
func (c Config) with(m Measured, clients int64, n int, bands []band) Plan {
	w := c.Workload
	p := Plan{Nodes: n, NATS: w.nats(n, bands)}
	each := float64(clients) / float64(n)
	topics := float64(w.Topics)
	deliveries := each * topics * w.Rate
	pushes := w.Rate * rooms(bands) / float64(n)
	beats := each / w.Heartbeat.Seconds()
	joins := each / w.Stay.Seconds()
	published, heard := p.NATS.InMessages/float64(n), p.NATS.OutMessages/float64(n)
	cores := Cores{
		Deliveries: deliveries * m.DeliveryUs.Value / 1e6,
		Heartbeats: beats * m.HeartbeatUs.Value / 1e6,
		Joins:      joins * topics * m.JoinUs.Value / 1e6,
		Pushes:     pushes * m.PushUs.Value / 1e6,
		Cluster:    (published + heard) * clusterUs / 1e6,
	}
	cores.All = cores.Deliveries + cores.Heartbeats + cores.Joins + cores.Pushes + cores.Cluster
	payload := float64(w.Bytes + around)
	p.Node = Demand{
		Clients: each,
		Memory:  m.EmptyBytes.Value + each*(m.ServerBytes.Value+m.KernelBytes.Value+(topics-1)*topicBytes),
		Files:   each + ownFiles,
		Cores:   cores,
		In:      8 * (pushes*payload + deliveries*ackBytes + 2*beats*around + joins*joinBytes + p.NATS.OutBytes/float64(n)),
		Out:     8 * (pushes*ackBytes + deliveries*payload + 2*beats*around + joins*joinBytes + p.NATS.InBytes/float64(n)),
	}
	p.Whole = p.Node.times(float64(n))
	return p
}

// used is the largest share of what a machine has, and of what that is.
func (m Machine) used(d Demand) (share float64, bound string) {
	for _, part := range []struct {
		name       string
		needs, has float64
	}{
		{"memory", d.Memory, m.Memory},
		{"files", d.Files, float64(m.Files)},
		{"CPU", d.Cores.All, m.Cores},
		{"network", max(d.In, d.Out), m.Network},
	} {
		if s := part.needs / part.has; s > share {
			share, bound = s, part.name
		}
	}
	return share, bound
}

func (d Demand) times(n float64) Demand {
	c := d.Cores
	return Demand{d.Clients * n, d.Memory * n, d.Files * n,
		Cores{c.Deliveries * n, c.Heartbeats * n, c.Joins * n, c.Pushes * n, c.Cluster * n, c.All * n}, d.In * n, d.Out * n}
}

func rooms(bands []band) (n float64) {
	for _, b := range bands {
		n += float64(b.rooms)
	}
	return n
}

package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
)

// defaultClients is the default number of clients.
const defaultClients = 10_000

// A Plan is how a run uses the machine.
type Plan struct {
	Clients  int
	Writers  int     // of each room
	Messages int     // of each writer
	Rate     float64 // of each writer, a second; 0 is all at once
	Churn    float64 // clients that leave, a second

	Heartbeat time.Duration // between two of one client
	Tick      time.Duration // between two looks at the whole run; 0 is a second
	Report    time.Duration // between two reports of a process of clients; 0 is 250 ms
	Slack     time.Duration // how late timers of the processes may be, but the first Punctual of the clients'; 0 is the kernel's default of 50 µs

	Servers   []int      // clients by server process
	Rooms     []int      // clients by room: of all servers of a cluster, or one for each
	Spread    bool       // each room is at all servers, and has a topic of its own
	Processes [][]Extent // of clients
	Sites     []int      // that the processes are at, one for each, as numbered for NewAt; none if they are here
	ClientTCP order.TCP  // of the clients
	Punctual  int        // how many of these, the first, send at given moments
	Ramping   int        // how many of these connect at a time
	PerSource int        // connections from one address to one server; 0 leaves the address to the kernel

	// How many processors Go uses in each server and in each process of clients; 0
	// is all. Where there are more processes than processors it is one: they share
	// them better than the threads of each would.
	ServerProcs, ClientProcs int

	Demand kernel.Demand // on this machine
	Why    []string      // the plan in sentences, for people

	Local bool // the servers are on this host, or at an address of 127.0.0.0/8

	apart bool // servers have nothing to do with each other
}

// An Extent is the clients First to First+Count-1, of one room and at one server.
type Extent struct{ Room, Server, First, Count int }

// Clustered says that the servers are one cluster.
func (p *Plan) Clustered() bool { return len(p.Servers) > 1 && !p.apart }

// New plans a run. It fails with ErrTooMany for clients that were asked
// for and do not fit; without a number, it takes what fits.
func New(c Config, h kernel.Host) (Plan, error) {
	c = c.Complete()
	p := &planner{config: c, host: h}
	p.Local = c.isLoopback()
	var err error
	if p.ClientTCP, p.whyTCP, err = c.ChooseTCP(h); err != nil {
		return Plan{}, err
	}
	if c.Timestamps && !p.virtual() {
		return Plan{}, fmt.Errorf("client-timestamps: the clients have kernel sockets (%s), and net.ipv4.tcp_timestamps decides for those: use client-tcp tun or bpf", p.whyTCP)
	}
	if c.URL != "" && (!p.Local || len(c.From) > 0) && !p.virtual() {
		p.pairs = c.pairs()
	}
	p.Clients = c.Clients
	if p.Clients == 0 {
		p.Clients = p.most(defaultClients)
	}
	if err := p.fit(); err != nil {
		return Plan{}, err
	}
	if err := p.divide(); err != nil {
		return Plan{}, err
	}
	p.Demand = p.demandOf(p.Clients)
	p.pace()
	p.explain()
	return p.Plan, nil
}

type planner struct {
	Plan
	config Config
	host   kernel.Host
	whyTCP string
	pairs  int // of addresses to connect from and to; 0 is as many as it takes
}

// isLoopback reports whether all that clients connect to is in 127.0.0.0/8.
func (c Config) isLoopback() bool {
	if c.URL == "" {
		return true
	}
	addrs := c.addrs()
	return len(addrs) > 0 && !slices.ContainsFunc(addrs, func(a netip.AddrPort) bool { return !a.Addr().Is4() || !a.Addr().IsLoopback() })
}

package plan

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
)

// A Site is a load machine other than this one.
type Site struct {
	Addr   string        // of its agent
	Commit string        // of the agent's program, "" if that does not know it
	From   order.Sources // what its clients connect from; none leaves it to the kernel
	TCP    order.TCP     // of its clients: KernelTCP, the default, or TUN
	Host   kernel.Host   // its machine
}

// NewAt plans a run whose clients are at sites: as many at each, in as many
// processes as its machine needs. It fails with ErrTooMany, naming the agent, where
// they do not fit.
func NewAt(c Config, sites []Site) (Plan, error) {
	if c.URL == "" {
		return Plan{}, errors.New("agents: only a running server can be tested from other machines: give its url")
	}
	c = c.Complete()
	total := cmp.Or(c.Clients, defaultClients)
	spare := sites[min(total, len(sites)):]
	sites = sites[:len(sites)-len(spare)]
	share := c
	share.ClientCommand = []string{"of the agent"} // processes can be started
	share.Scenario = Chat                          // rooms are dealt over all agents
	shares := make([]Plan, len(sites))
	for i, n := range Split(total, len(sites)) {
		share.Clients, share.From, share.ClientTCP = n, sites[i].From, cmp.Or(sites[i].TCP, order.KernelTCP)
		err := sameTCP(sites[0], sites[i])
		if err == nil {
			err = share.checkTCP()
		}
		if err != nil {
			return Plan{}, fmt.Errorf("agent %s: %w", sites[i].Addr, err)
		}
		if shares[i], err = New(share, sites[i].Host); err != nil {
			return Plan{}, fmt.Errorf("agent %s: %w", sites[i].Addr, err)
		}
	}
	p := planner{Plan: merged(shares), config: c, whyTCP: "the agents say so"}
	for _, s := range sites {
		p.host.Cores += s.Host.Cores
	}
	p.spread()
	p.pace()
	p.explainSites(shares, sites)
	for _, s := range spare {
		p.Why = append(p.Why, fmt.Sprintf("Agent %s: no clients: there are only %s.", s.Addr, grouped(total)))
	}
	return p.Plan, nil
}

// sameTCP wants clients of two sites to have the same TCP: figures of the one say nothing
// of the other.
func sameTCP(a, b Site) error {
	if x, y := cmp.Or(a.TCP, order.KernelTCP), cmp.Or(b.TCP, order.KernelTCP); x != y {
		return fmt.Errorf("its clients have TCP of %s, those of agent %s of %s: start all with the same -client-tcp", y, a.Addr, x)
	}
	return nil
}

// merged is the plan of all shares: one room at one server.
func merged(shares []Plan) Plan {
	p := Plan{ClientTCP: shares[0].ClientTCP, PerSource: shares[0].PerSource, ClientProcs: shares[0].ClientProcs}
	first := make([]int, len(shares)) // number of the first client of each
	longest := 0
	for i, s := range shares {
		first[i] = p.Clients
		p.Clients += s.Clients
		p.Ramping += s.Ramping
		p.PerSource, p.ClientProcs = min(p.PerSource, s.PerSource), min(p.ClientProcs, s.ClientProcs)
		longest = max(longest, len(s.Processes))
	}
	p.Servers, p.Rooms = []int{p.Clients}, []int{p.Clients}
	for n := range longest { // in turn, so that all agents ramp at a time
		for i, s := range shares {
			if n >= len(s.Processes) {
				continue
			}
			e := s.Processes[n][0] // the only one
			e.First += first[i]
			p.Processes = append(p.Processes, []Extent{e})
			p.Sites = append(p.Sites, i)
		}
	}
	return p
}

func (p *planner) explainSites(shares []Plan, sites []Site) {
	say := func(format string, args ...any) { p.Why = append(p.Why, fmt.Sprintf(format, args...)) }
	say("%s clients of %s, at %s.", grouped(p.Clients), p.config.URL, plural(len(sites), "agent", "agents"))
	for i, s := range sites {
		say("Agent %s: %s clients in %s; %s files per process, %s ports, %s, %s of memory available, commit %s.",
			s.Addr, grouped(shares[i].Clients), plural(len(shares[i].Processes), "process", "processes"), s.Host.FilesHard,
			s.Host.Ports, plural(s.Host.Cores, "core", "cores"), gigabytes(s.Host.FreeMemory()), cmp.Or(s.Commit, "unknown"))
		if len(s.From) > 0 {
			say("Clients of agent %s connect from %s in turn.", s.Addr, s.From)
		}
	}
	p.explainTCP(say)
	if p.config.Scenario.Sends() {
		say("In %s, %s each: a writer sends %s of %d bytes, %s.",
			plural(len(p.Rooms), "room", "rooms"), plural(p.Writers, "writer", "writers"),
			plural(p.Messages, "message", "messages"), p.config.Size, p.pacing())
	}
}

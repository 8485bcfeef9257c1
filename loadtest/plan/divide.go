package plan

import (
	"fmt"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
)

const (
	// maxPerSource bounds the connections from one address to one server,
	// whatever the range of ports.
	maxPerSource = 28_000

	// timerSlack is how late timers of the processes may be. Go's runtime has a
	// thread that looks after the others every 20 µs while they work; every look
	// is two switches, a tenth of the server's CPU time in a broadcast. (For a
	// service, TimerSlackNSec= of systemd does the same.) In many processes they
	// take a quarter of the processors: crowdedSlack.
	timerSlack   = 5 * time.Millisecond
	crowdedSlack = 100 * time.Millisecond

	// clientsPerLoop is from how many clients on more than one process is worth
	// a processor.
	clientsPerLoop = 10_000

	// packetsPerDevice is how many packets wait in a TUN device at most. More clients
	// than that have more devices: servers may send them all a message before anybody
	// reads.
	packetsPerDevice = 500_000
)

// rarely is how often one of many processes reports: a report costs a histogram's
// worth of garbage.
const rarely = 2 * time.Second

// divide chooses rooms, processes and addresses.
func (p *planner) divide() error {
	p.divideServers()
	if err := p.divideRooms(); err != nil {
		return err
	}
	p.divideClients()
	p.divideProcessors()
	if p.Local && len(p.config.From) == 0 && !p.virtual() {
		// Past half of the range the kernel has tried all ports of one parity
		// and scans them anew for each connect: 20 µs become 800.
		ports := int(max(0, p.host.Ports))
		p.PerSource = max(1, min(maxPerSource, ports/2-ports/64))
	}
	return nil
}

func (p *planner) divideServers() {
	servers := 1
	if p.config.URL == "" {
		servers = max(atLeast(p.Clients, p.perProcess())+p.config.Scenario.kind().spare, p.config.Servers)
	}
	p.Servers = Split(p.Clients, servers)
	p.apart = p.config.Apart
}

func (p *planner) divideRooms() error {
	switch {
	case p.config.Scenario.kind().rooms != nil && p.apart && len(p.Servers) > 1:
		return fmt.Errorf("%s: of one server or of a cluster, not of servers apart", p.config.Scenario)
	case p.apart:
		p.Rooms = p.Servers
	default:
		p.Rooms = []int{p.Clients}
	}
	return nil
}

// spread deals the clients of all processes out to rooms, where the scenario has
// some of its own.
func (p *planner) spread() {
	if sizes := p.config.Scenario.kind().rooms; sizes != nil {
		p.Rooms, p.Spread = sizes(p.config, p.Clients), true
		p.Processes = deal(p.Rooms, p.Processes)
	}
}

// divideClients gives each process its clients, server by server.
func (p *planner) divideClients() {
	server, taken := 0, 0 // clients of this server that have a process
	number := 0           // of the next client
	for _, n := range Split(p.Clients, p.processes()) {
		var extents []Extent
		for n > 0 {
			e := Extent{Server: server, First: number, Count: min(n, p.Servers[server]-taken)}
			if p.apart {
				e.Room = server
			}
			extents = append(extents, e)
			n, taken, number = n-e.Count, taken+e.Count, number+e.Count
			if taken == p.Servers[server] {
				server, taken = server+1, 0
			}
		}
		p.Processes = append(p.Processes, extents)
	}
	p.spread()
}

// processes is how many hold the clients.
func (p *planner) processes() int {
	switch {
	case len(p.config.ClientCommand) == 0, p.ClientTCP == order.BPF:
		return 1
	case p.virtual() && p.config.URL != "": // one has the prefix
		return 1
	case p.ClientTCP == order.TUN: // one reads a device
		n := min(max(1, p.host.Cores), atLeast(p.Clients, clientsPerLoop))
		return max(n, atLeast(p.Clients, packetsPerDevice))
	}
	n := max(atLeast(p.Clients, p.perProcess()), min(p.host.Cores/2, atLeast(p.Clients, clientsPerLoop)))
	if p.config.Scenario.kind().busy { // and it has one loop
		n = max(n, min(p.host.Cores, p.Clients))
	}
	return n
}

// divideProcessors chooses how many processes and threads work at a time.
func (p *planner) divideProcessors() {
	servers, processes, cores := len(p.Servers), len(p.Processes), max(1, p.host.Cores)
	p.Slack = timerSlack
	if servers+processes > 4*cores {
		p.Slack, p.Report = crowdedSlack, rarely
	}
	p.Punctual = p.punctual()
	p.Ramping = min(processes, 2*cores) // many that each do a little cost more in switching between them
	if servers > cores {
		p.ServerProcs = 1
	}
	p.ClientProcs = 2 // one for the event loop, one for what must not make it wait
	if processes > cores {
		p.ClientProcs = 1
	}
}

// punctual is how many processes of clients send at given moments: those that
// have a writer (see voices), or all.
func (p *planner) punctual() int {
	processes := len(p.Processes)
	all := p.config.Scenario.kind().punctual
	if all != nil && all(p.config) || len(p.Rooms) > 1 {
		return processes
	}
	return min(p.config.Writers, processes)
}

// sources is how many addresses the clients connect from.
func (p *planner) sources() int {
	if p.PerSource == 0 {
		return 1
	}
	return atLeast(p.Clients, p.PerSource)
}

// atLeast is n/per, rounded up.
func atLeast(n, per int) int { return (n + per - 1) / per }

// Split divides n into parts that differ by one at most, the larger first.
func Split(n, parts int) []int {
	list := make([]int, parts)
	for i := range list {
		list[i] = n / parts
		if i < n%parts {
			list[i]++
		}
	}
	return list
}

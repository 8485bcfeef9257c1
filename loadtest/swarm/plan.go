package swarm

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ErrTooMany: the machine cannot hold the clients that were asked for.
var ErrTooMany = errors.New("too many clients for this machine")

const (
	defaultClients = 10_000

	// spareFiles is what a process needs besides its connections.
	spareFiles = 200

	// clientBytes is what one client is expected to take, all told: 8.3 KB of
	// the kernel for both ends, the rest for the server and for itself. Of slab
	// there is more, but the kernel can take that back.
	clientBytes = 9_400

	// processBytes is what a process takes before its first client.
	processBytes = 10_000_000

	// maxPerSource bounds the connections from one address to one server,
	// whatever the range of ports.
	maxPerSource = 28_000

	// deliveriesPerCore is about half of what a processor can deliver in a
	// second, with server and clients on one host.
	deliveriesPerCore = 25_000

	// broadcasts is how many a second, over all rooms, are accounted for one by
	// one at little cost.
	broadcasts = 500.

	// beat is the time between heartbeats that official clients keep.
	beat = 30 * time.Second

	// beatsPerCore is how many heartbeats a second, with both ends on this host,
	// take some 4 % of a processor.
	beatsPerCore = 1_700

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
)

// A Plan is how a run uses the machine.
type Plan struct {
	Clients  int
	Writers  int     // of each room
	Messages int     // of each writer
	Rate     float64 // of each writer, a second
	Churn    float64 // clients that leave, a second

	Heartbeat time.Duration // between those of one client
	Report    time.Duration // between two reports of a process of clients; 0 is 250 ms
	Slack     time.Duration // how late timers of the processes may be; 0 is the kernel's default of 50 µs

	Servers   []int      // clients by server process
	Rooms     []int      // clients by room: of all servers of a cluster, or one for each
	Processes [][]extent // of clients
	Agents    []*Agent   // that the processes are at, one for each; none if they are here
	Ramping   int        // how many of these connect at a time
	PerSource int        // connections from one address to one server; 0 leaves the address to the kernel

	// How many processors Go uses in each server and in each process of clients; 0
	// is all. Where there are more processes than processors it is one: they share
	// them better than the threads of each would.
	ServerProcs, ClientProcs int

	Why []string // the plan in sentences, for people

	apart bool // servers have nothing to do with each other
}

// An extent is the clients First to First+Count-1, of one room and at one server.
type extent struct{ Room, Server, First, Count int }

// Clustered says that the servers are one cluster.
func (p *Plan) Clustered() bool { return len(p.Servers) > 1 && !p.apart }

// NewPlan plans a run. It fails with ErrTooMany for clients that were asked
// for and do not fit; without a number, it takes what fits.
func NewPlan(c Config, l Limits) (Plan, error) {
	c = c.complete()
	p := &planner{config: c, limits: l, local: c.URL == "" || isLoopback(c.URL)}
	p.Clients = c.Clients
	if p.Clients == 0 {
		p.Clients = max(1, min(defaultClients, p.most()))
	}
	if err := p.fit(); err != nil {
		return Plan{}, err
	}
	if err := p.divide(); err != nil {
		return Plan{}, err
	}
	p.pace()
	p.explain()
	return p.Plan, nil
}

func isLoopback(rawURL string) bool {
	t, err := parseTarget(rawURL)
	if err != nil {
		return false
	}
	addr, err := t.resolve()
	return err == nil && addr.Addr().Is4() && addr.Addr().IsLoopback()
}

type planner struct {
	Plan
	config Config
	limits Limits
	local  bool // server on an address of 127.0.0.0/8
}

// perProcess is how many connections one process can hold.
func (p *planner) perProcess() int { return max(1, p.limits.Files-spareFiles) }

// ends is how many ends of a connection are on this machine.
func (p *planner) ends() int {
	if p.local {
		return 2
	}
	return 1
}

// most is the largest number of clients that fits.
func (p *planner) most() int {
	most := min(p.byMemory(), p.byFiles())
	if !p.local {
		most = min(most, p.limits.Ports)
	}
	return most
}

func (p *planner) byMemory() int {
	perClient := int64(clientBytes + p.ends()*processBytes/p.perProcess())
	return int(max(0, p.limits.Memory-int64(p.ends()*processBytes)) / perClient)
}

func (p *planner) byFiles() int { return max(0, p.limits.SystemFiles-10*spareFiles) / p.ends() }

func (p *planner) fit() error {
	switch n := p.Clients; {
	case p.config.Force:
	case n > p.byMemory():
		return fmt.Errorf("%w: %s of memory are available, enough for about %s clients (-force tries it anyway)",
			ErrTooMany, gigabytes(p.limits.Memory), grouped(p.byMemory()))
	case n > p.byFiles():
		return fmt.Errorf("%w: the system may open %s more files, enough for %s clients (sysctl fs.file-max; -force tries it anyway)",
			ErrTooMany, grouped(p.limits.SystemFiles), grouped(p.byFiles()))
	case !p.local && n > p.limits.Ports:
		return fmt.Errorf("%w: one address has %s ports towards a server (sysctl net.ipv4.ip_local_port_range)",
			ErrTooMany, grouped(p.limits.Ports))
	}
	return nil
}

// divide chooses rooms, processes and addresses.
func (p *planner) divide() error {
	servers := 1
	if p.config.URL == "" {
		servers = max(atLeast(p.Clients, p.perProcess()), p.config.Servers)
		if p.config.Scenario == Kill { // the others must have room for its clients
			servers = max(2, atLeast(p.Clients, p.perProcess())+1, p.config.Servers)
		}
	}
	p.Servers = split(p.Clients, servers)
	p.apart = p.config.Apart
	switch {
	case p.config.Scenario == Rooms && p.apart && servers > 1:
		return errors.New("rooms: of one server or of a cluster, not of servers apart")
	case p.config.Scenario == Rooms:
		p.Rooms = zipf(p.Clients, min(p.config.Rooms, p.Clients), p.config.Zipf)
	case p.apart:
		p.Rooms = p.Servers
	default:
		p.Rooms = []int{p.Clients}
	}

	processes := 1
	if len(p.config.ClientCommand) > 0 {
		processes = max(atLeast(p.Clients, p.perProcess()), min(p.limits.Cores/2, atLeast(p.Clients, clientsPerLoop)))
		if p.config.Scenario == Echo { // a client does as much as the server here, and has one loop
			processes = max(processes, min(p.limits.Cores, p.Clients))
		}
	}
	server, taken := 0, 0 // clients of this server that have a process
	number := 0           // of the next client
	for _, n := range split(p.Clients, processes) {
		var extents []extent
		for n > 0 {
			e := extent{Server: server, First: number, Count: min(n, p.Servers[server]-taken)}
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
	if p.config.Scenario == Rooms {
		p.Processes = deal(p.Rooms, p.Processes)
	}

	cores := max(1, p.limits.Cores)
	p.Slack = timerSlack
	if servers+processes > 4*cores {
		p.Slack, p.Report = crowdedSlack, rarely
	}
	p.Ramping = min(processes, 2*cores) // many that each do a little cost more in switching between them
	if servers > cores {
		p.ServerProcs = 1
	}
	p.ClientProcs = 2 // one for the event loop, one for what must not make it wait
	if processes > cores {
		p.ClientProcs = 1
	}

	if p.local {
		// Past half of the range the kernel has tried all ports of one parity
		// and scans them anew for each connect: 20 µs become 800.
		p.PerSource = max(1, min(maxPerSource, p.limits.Ports/2-p.limits.Ports/64))
	}
	return nil
}

// pace chooses how much is sent.
func (p *planner) pace() {
	p.Writers = p.config.Writers
	p.Rate = p.config.Rate
	if p.Rate == 0 {
		p.Rate = min(2, float64(deliveriesPerCore*p.limits.Cores)/float64(p.Clients*p.Writers))
		p.Rate = min(p.Rate, broadcasts/float64(len(p.Rooms)*p.Writers))
	}
	p.Messages = p.config.Messages
	switch {
	case p.Messages > 0:
	case p.config.Scenario == Soak:
		p.Messages = max(1, int(p.config.For.Seconds()*p.Rate))
	default:
		p.Messages = max(5, min(20, int(60*p.Rate)))
	}
	p.Churn = p.config.Churn
	if p.Churn == 0 {
		p.Churn = float64(p.Clients) / 100
	}
	p.Heartbeat = p.config.Heartbeat
	if p.Heartbeat == 0 {
		p.Heartbeat = beat
		if p.config.URL == "" { // only our own servers can be told to wait longer
			seconds := atLeast(p.Clients, beatsPerCore*p.limits.Cores)
			p.Heartbeat = max(beat, beat*time.Duration(atLeast(seconds, 30)))
		}
	}
}

func (p *planner) explain() {
	say := func(format string, args ...any) { p.Why = append(p.Why, fmt.Sprintf(format, args...)) }
	limit := fmt.Sprintf("the limit is %s files per process", grouped(p.limits.Files))
	switch servers := len(p.Servers); {
	case p.config.URL != "":
		say("%s clients of %s.", grouped(p.Clients), p.config.URL)
	case servers == 1:
		say("%s clients of 1 server process, %s.", grouped(p.Clients), p.rooms("all in one room", "in "))
	case p.Clustered():
		say("%s clients of %d server processes with up to %s each: %s. They are one cluster over NATS, with %s.",
			grouped(p.Clients), servers, grouped(p.Servers[0]), limit, p.rooms("one room for all clients", ""))
	default:
		say("%s clients of %d server processes with up to %s each: %s. Each process is a room of its own.",
			grouped(p.Clients), servers, grouped(p.Servers[0]), limit)
	}
	because := ""
	if atLeast(p.Clients, p.perProcess()) > 1 {
		because = ": " + limit
	}
	say("%s of clients%s.", plural(len(p.Processes), "process", "processes"), because)
	say("They have the scheduling policy SCHED_BATCH: a client that wakes up does not interrupt a server that writes.")
	if n := p.sources(); n > 1 {
		say("Clients connect from %d addresses, %s to %s: with more than %s connections from one address to one server the kernel searches long for a free port.",
			n, loopback(0), loopback(n-1), grouped(p.PerSource))
	}
	if p.Slack > 0 {
		say("The timers of all processes but the writer's may be %v late (timer slack), so that Go's own housekeeping does not interrupt the work.", p.Slack)
	}
	if p.Heartbeat != beat {
		say("A client sends a heartbeat every %v, where official ones do every %v: with so many clients on the processors of their servers, those would be a load of their own.", p.Heartbeat, beat)
	}
	say("Memory: about %s are needed, %s are available.",
		gigabytes(int64(p.Clients)*clientBytes+int64((len(p.Servers)+len(p.Processes))*processBytes)), gigabytes(p.limits.Memory))
	if !p.config.Scenario.sends() {
		return
	}
	who := "Each room's writer"
	if p.Writers > 1 {
		who = fmt.Sprintf("Each of the %d writers of a room", p.Writers)
	}
	say("%s sends %s of %d bytes, %s a second.",
		who, plural(p.Messages, "message", "messages"), p.config.Size, strconv.FormatFloat(p.Rate, 'g', 3, 64))
	p.explainScenario(say)
}

func (p *planner) explainScenario(say func(format string, args ...any)) {
	switch p.config.Scenario {
	case Churn:
		say("%s clients a second leave, and join again %v later.", strconv.FormatFloat(p.Churn, 'g', 3, 64), pause)
	case Slow:
		say("%v %% of the clients do not read, once they have joined.", p.config.Slow)
		if p.config.URL == "" {
			say("Servers hold up to %d KiB for such a client (-outbound-max) instead of 1 MiB: sooner cut off, shorter to wait for.", HeldBack>>10)
		}
	}
}

// rooms tells the rooms: what to say of a single one, or their sizes after a
// preposition.
func (p *planner) rooms(single, preposition string) string {
	if p.config.Scenario != Rooms {
		return single
	}
	return fmt.Sprintf("%s%s of %s to %s clients", preposition, plural(len(p.Rooms), "room", "rooms"),
		grouped(p.Rooms[len(p.Rooms)-1]), grouped(p.Rooms[0]))
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

// split divides n into parts that differ by one at most, the larger first.
func split(n, parts int) []int {
	list := make([]int, parts)
	for i := range list {
		list[i] = n / parts
		if i < n%parts {
			list[i]++
		}
	}
	return list
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

func gigabytes(n int64) string { return fmt.Sprintf("%.1f GB", float64(n)/1e9) }

// grouped writes 1234567 as 1,234,567.
func grouped(n int) string {
	digits := strconv.Itoa(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

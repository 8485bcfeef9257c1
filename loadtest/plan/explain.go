package plan

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
)

func (p *planner) explain() {
	say := func(format string, args ...any) { p.Why = append(p.Why, fmt.Sprintf(format, args...)) }
	limit := fmt.Sprintf("the limit is %s files per process", p.host.FilesHard)
	switch servers := len(p.Servers); {
	case p.config.URL != "":
		say("%s clients of %s.", grouped(p.Clients), p.config.URL)
	case servers == 1:
		say("%s clients of 1 server process, %s.", grouped(p.Clients), p.rooms("all in one room", "in "))
	case p.Clustered():
		over := "one cluster over NATS"
		if p.config.foreign() {
			over = "one cluster, whose nodes find each other"
		}
		say("%s clients of %d server processes with up to %s each: %s. They are %s, with %s.",
			grouped(p.Clients), servers, grouped(p.Servers[0]), limit, over, p.rooms("one room for all clients", ""))
	default:
		say("%s clients of %d server processes with up to %s each: %s. Each process is a room of its own.",
			grouped(p.Clients), servers, grouped(p.Servers[0]), limit)
	}
	if p.config.Node != "" {
		say("The servers are %s, which contains nothing of the load generator.", p.config.Node)
	}
	p.explainTCP(say)
	because := ""
	if atLeast(p.Clients, p.perProcess()) > 1 && !p.virtual() {
		because = ": " + limit
	}
	say("%s of clients%s.", plural(len(p.Processes), "process", "processes"), because)
	batch := "Client processes run as SCHED_BATCH, so they do not preempt a server that writes"
	if p.ClientTCP == order.TUN {
		batch += ", and with nice -10, because each reads what all servers send to its device"
	}
	say("%s.", batch)
	if n := p.sources(); n > 1 {
		say("Clients connect from %d addresses, %s to %s: beyond %s connections from one address to one server, the kernel takes long to find a free port.",
			n, order.Loopback(0), order.Loopback(n-1), grouped(p.PerSource))
	}
	p.config.explainFrom(say)
	if p.Slack > 0 {
		say("Timer slack is %v in processes that do not send on a schedule, so that Go's own housekeeping interrupts less.", p.Slack)
	}
	if p.Heartbeat != beat {
		say("A client sends a heartbeat every %v; official clients send one every %v, which would be a load of its own with so many clients on the processors of their servers.", p.Heartbeat, beat)
	}
	say("Memory: about %s are needed, %s are available.", gigabytes(p.check(p.Clients).MemoryNeeded), gigabytes(p.host.FreeMemory()))
	if p.config.Scenario.Sends() {
		who := "Each room's writer"
		if p.Writers > 1 {
			who = fmt.Sprintf("Each of the %d writers of a room", p.Writers)
		}
		say("%s sends %s of %d bytes, %s.",
			who, plural(p.Messages, "message", "messages"), p.config.Size, p.pacing())
	}
	if explain := p.config.Scenario.kind().explain; explain != nil {
		explain(p, say)
	}
}

// explainFrom says what clients connect from, and to, where that is not one address.
func (c Config) explainFrom(say func(format string, args ...any)) {
	if len(c.From) > 0 {
		say("Clients connect from %s in turn: %s.", c.From, plural(c.From.Count(), "address", "addresses"))
	}
	if c.URL == "" {
		return
	}
	if addrs := c.addrs(); len(addrs) > 1 {
		var list []string
		for _, a := range addrs {
			list = append(list, a.Addr().String())
		}
		say("The server has %d addresses, to which clients connect in turn: %s.", len(addrs), strings.Join(list, ", "))
	}
}

// rooms tells the rooms: what to say of a single one, or their sizes after a
// preposition.
func (p *planner) rooms(single, preposition string) string {
	if !p.Spread {
		return single
	}
	return fmt.Sprintf("%s%s of %s to %s clients", preposition, plural(len(p.Rooms), "room", "rooms"),
		grouped(p.Rooms[len(p.Rooms)-1]), grouped(p.Rooms[0]))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

// gigabytes are megabytes where they would be a fraction.
func gigabytes(bytes kernel.Count) string {
	if bytes < 1e9 {
		return fmt.Sprintf("%.0f MB", float64(bytes)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
}

// pacing is how fast a writer sends.
func (p *planner) pacing() string {
	if p.Rate == 0 {
		return "all in one go"
	}
	return perSecond(p.Rate) + " a second"
}

// perSecond is a rate to three digits, or all that it has before the point.
func perSecond(rate float64) string {
	if rate >= 999.5 {
		return grouped(int(math.Round(rate)))
	}
	decimals := 2 - int(math.Floor(math.Log10(max(rate, 1e-9))))
	short, _ := strconv.ParseFloat(strconv.FormatFloat(rate, 'f', decimals, 64), 64) // it was just written
	return strconv.FormatFloat(short, 'f', -1, 64)
}

// foreign says that the servers are not ours: those are this program, as its clients
// are, or Node.
func (c Config) foreign() bool {
	return c.Node == "" && len(c.ServerCommand) > 0 && len(c.ClientCommand) > 0 && c.ServerCommand[0] != c.ClientCommand[0]
}

// grouped writes 1234567 as 1,234,567.
func grouped(n int) string { return kernel.Count(n).String() }

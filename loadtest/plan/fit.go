package plan

import (
	"errors"
	"fmt"
	"strings"

	"github.com/roost-rt/roost/loadtest/kernel"
)

// ErrTooMany: the machine cannot hold the clients that were asked for.
var ErrTooMany = errors.New("too many clients for this machine")

// perProcess is how many connections one process can hold.
func (p *planner) perProcess() int {
	return int(max(1, min(p.host.FilesHard, 1<<30)-kernel.SpareFiles))
}

// check judges the machine for so many clients, as "loadtest doctor" does.
func (p *planner) check(clients int) kernel.Report {
	return kernel.Check(p.host, p.demandOf(clients))
}

func (p *planner) demandOf(clients int) kernel.Demand {
	return kernel.Demand{
		Clients: kernel.Count(clients), SameHost: p.Local, Remote: !p.Local, Addresses: kernel.Count(p.pairs), OneAddress: p.config.URL != "",
		OneEnd: p.virtual(), Users: p.config.Script != nil, TLS: strings.HasPrefix(p.config.URL, "wss:"),
	}
}

// most is the largest number of clients that fits, up to limit.
func (p *planner) most(limit int) int {
	rep := p.check(limit)
	if rep.Enough {
		return limit
	}
	return int(max(1, rep.First.Clients))
}

func (p *planner) fit() error {
	if rep := p.check(p.Clients); !p.config.Force && !rep.Enough {
		return fmt.Errorf("%w: %s (roost doctor explains more, -force tries anyway)", ErrTooMany, rep.Refusal())
	}
	return nil
}

package swarm

import (
	"errors"
	"fmt"
)

// ErrTooMany: the machine cannot hold the clients that were asked for.
var ErrTooMany = errors.New("too many clients for this machine")

const (
	// spareFiles is what a process needs besides its connections.
	spareFiles = 200

	// clientBytes is what one client is expected to take, all told: 8.3 KB of
	// the kernel for both ends, the rest for the server and for itself. Of slab
	// there is more, but the kernel can take that back.
	clientBytes = 9_400

	// processBytes is what a process takes before its first client.
	processBytes = 10_000_000
)

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

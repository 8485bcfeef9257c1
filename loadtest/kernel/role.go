package kernel

import (
	"fmt"
	"slices"
)

// A Role is the part of a host in a load test.
type Role string

// Roles.
const (
	Servers Role = "server" // the servers are here, clients elsewhere
	Load    Role = "load"   // the clients are here, servers elsewhere
	Both    Role = "both"
)

// roles are all.
var roles = []Role{Servers, Load, Both}

// ParseRole takes the name of a role.
func ParseRole(name string) (Role, error) {
	if r := Role(name); slices.Contains(roles, r) {
		return r, nil
	}
	return "", fmt.Errorf("no role %q: want %s, %s or %s", name, roles[0], roles[1], roles[2])
}

// As is d in a role.
func (d Demand) As(r Role) Demand {
	d.SameHost, d.Remote = r == Both, r == Load
	return d
}

// role returns the role for d.
func (d Demand) role() Role {
	switch {
	case d.Remote:
		return Load
	case d.SameHost:
		return Both
	}
	return Servers
}

// Says tells which programs run where.
func (r Role) Says() string {
	switch r {
	case Load:
		return "the clients here, servers elsewhere"
	case Both:
		return "servers and clients both here"
	}
	return "the servers here, clients elsewhere"
}

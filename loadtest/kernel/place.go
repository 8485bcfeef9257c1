package kernel

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

// A Place says what may be tuned from here.
type Place struct {
	Writable   bool // /proc/sys is not mounted read-only
	FirstUsers bool // the first user namespace: root here is root of the host
	FirstNet   bool // the first network namespace: what is set counts for the host

	Net string // the network namespace: firstNet, what Linux calls it, or otherNet
}

const (
	firstNet = "first"
	otherNet = "another" // whose name cannot be read
)

// place looks where this process is.
func (r Root) place() (Place, error) {
	p := Place{Writable: true}
	mounts, err := r.mounts()
	if err != nil {
		return p, err
	}
	for _, m := range mounts { // a later mount hides an earlier one
		if m.point == "/proc" || m.point == "/proc/sys" {
			p.Writable = !m.readOnly
		}
	}
	// user_namespaces(7): the first one maps all ids to themselves.
	ids, err := r.text("proc/self/uid_map")
	p.FirstUsers = errors.Is(err, fs.ErrNotExist) || sameValue(ids, "0 0 4294967295")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return p, err
	}
	// What is not per network namespace is shown in the first one only.
	_, err = r.text(sysctl("net.core.netdev_max_backlog"))
	p.FirstNet = err == nil
	p.Net = firstNet
	if !p.FirstNet {
		if p.Net, err = os.Readlink(r.path("proc/self/ns/net")); err != nil {
			p.Net = otherNet
		}
	}
	return p, nil
}

// refusal is why s must not be touched from here, "" if it may be.
func (p Place) refusal(s Setting) string {
	var why []string
	if !p.Writable {
		why = append(why, "/proc/sys is read-only")
	}
	if s.Scope == Machine && !p.FirstUsers {
		why = append(why, "this is not the first user namespace")
	}
	if s.Scope == Machine && !p.FirstNet {
		why = append(why, "this is not the first network namespace")
	}
	return strings.Join(why, ", ")
}

// elsewhere is why what was applied in the network namespace net must not be
// touched from here, "" if it may be. A sysctl of the same name is another one
// here, or is not shown.
func (p Place) elsewhere(net string) string {
	switch {
	case net == p.Net || net == "": // a state from before it was noted has none
		return ""
	case net == firstNet:
		return "it was applied in the first network namespace, the host's: run it there (nsenter -t 1 -n, from the host's process namespace)"
	}
	return "it was applied in network namespace " + net + ": run it there. If that is gone, its values are, too, and " +
		strings.Join([]string{StateFile, SysctlFile, UnitFile}, ", ") + " can be removed"
}

package kernel

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

const (
	// Numbers of CAP_NET_ADMIN and CAP_SYS_ADMIN, capabilities(7).
	capNetAdmin = 12
	capSysAdmin = 21

	// firstUsers is the first user namespace (PROC_USER_INIT_INO of the kernel).
	firstUsers = "user:[4026531837]"
)

// filesExempt reports whether fs.file-max does not bind this process: the kernel
// asks for CAP_SYS_ADMIN in the first user namespace (alloc_empty_file). Root of a
// container has neither by itself.
func (r Root) filesExempt() bool { return r.capable(capSysAdmin) && r.inFirstUsers() }

// tun reports whether this process may make a network namespace, and a TUN device in
// it.
func (r Root) tun() bool {
	_, err := os.Stat(r.path("dev/net/tun"))
	return err == nil && r.capable(capSysAdmin) && r.capable(capNetAdmin)
}

// isLinux reports whether the kernel is of a version, or of a later one.
func (r Root) isLinux(major, minor int) bool {
	text, err := r.text(sysctl("kernel.osrelease"))
	if err != nil {
		return false
	}
	var x, y int
	_, err = fmt.Sscanf(text, "%d.%d", &x, &y)
	return err == nil && (x > major || x == major && y >= minor)
}

// capable reports whether this process has a capability, in its user namespace.
func (r Root) capable(number int) bool {
	text, err := r.text("proc/self/status")
	if err != nil {
		return false
	}
	for line := range strings.Lines(text) {
		if mask, found := strings.CutPrefix(line, "CapEff:"); found {
			effective, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			return err == nil && effective>>number&1 == 1
		}
	}
	return false
}

// inFirstUsers reports whether this is the first user namespace. Another one may map
// all ids to themselves, too, so the name decides where it can be read.
func (r Root) inFirstUsers() bool {
	if name, err := os.Readlink(r.path("proc/self/ns/user")); err == nil {
		return name == firstUsers
	}
	ids, err := r.text("proc/self/uid_map")
	return err == nil && sameValue(ids, "0 0 4294967295")
}

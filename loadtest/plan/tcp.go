package plan

import (
	"errors"
	"fmt"
	"strings"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
)

// AutoTCP has ChooseTCP choose.
const AutoTCP order.TCP = "auto"

// virtualFrom is from how many clients on AutoTCP leaves the kernel's sockets.
const virtualFrom = 100_000

// ParseTCP takes a value of Config.ClientTCP.
func ParseTCP(name string) (order.TCP, error) {
	switch tcp := order.TCP(name); tcp {
	case order.KernelTCP, order.TUN, order.BPF, AutoTCP:
		return tcp, nil
	}
	return "", fmt.Errorf("%q: want %s, %s, %s or %s", name, order.KernelTCP, order.TUN, order.BPF, AutoTCP)
}

// ChooseTCP says whose TCP the clients are to have on a host, and why. AutoTCP is BPF,
// or TUN where no program can be loaded, for 100,000 clients or more of servers that are
// started here. It is KernelTCP for fewer, where the host has no way to either, for servers
// elsewhere, for users of a scenario file, and for Echo, whose latencies are also those of
// who waits. It fails where the host has no way to what was asked for, or refuses it.
func (c Config) ChooseTCP(h kernel.Host) (tcp order.TCP, why string, err error) {
	if c.ClientTCP != "" && c.ClientTCP != AutoTCP {
		switch refused := c.Refused[c.ClientTCP]; {
		case refused != nil:
			return "", "", fmt.Errorf("client-tcp: %s: %w", c.ClientTCP, refused)
		case c.ClientTCP == order.TUN && !h.TUN:
			return "", "", errors.New("client-tcp: tun needs root (CAP_SYS_ADMIN and CAP_NET_ADMIN), and /dev/net/tun (modprobe tun)")
		case c.ClientTCP == order.BPF && !h.BPF:
			return "", "", errors.New("client-tcp: bpf needs root of the host, Linux 6.6, and /dev/net/tun (modprobe tun)")
		}
		return c.ClientTCP, "it was asked for", nil
	}
	switch {
	case c.URL != "":
		return order.KernelTCP, "clients without sockets only reach servers that are started here, unless a prefix is routed to this host", nil
	case c.Script != nil:
		return order.KernelTCP, errScript.Error(), nil
	case c.Clients < virtualFrom:
		return order.KernelTCP, fmt.Sprintf("they are fewer than %s", grouped(virtualFrom)), nil
	case c.Scenario == Echo:
		return order.KernelTCP, "the wake-up of a client is part of an echo's latency", nil
	case !h.TUN:
		return order.KernelTCP, "clients without sockets need root and /dev/net/tun", nil
	case c.Refused[order.TUN] != nil:
		return order.KernelTCP, fmt.Sprintf("no other TCP is available: %v", c.Refused[order.TUN]), nil
	}
	why = fmt.Sprintf("they are %s or more", grouped(virtualFrom))
	switch refused := c.Refused[order.BPF]; {
	case refused != nil:
		return order.TUN, fmt.Sprintf("%s, and a program in the kernel is not available: %v", why, refused), nil
	case !h.BPF:
		return order.TUN, why + ", and a program in the kernel needs root of the host and Linux 6.6", nil
	}
	return order.BPF, why, nil
}

// checkTCP finds what no client without a socket can do.
func (c Config) checkTCP() error {
	if c.ClientTCP != order.TUN && c.ClientTCP != order.BPF {
		return nil
	}
	if err := c.needSockets(); err != nil {
		return fmt.Errorf("client-tcp: %s is not possible: %w", c.ClientTCP, err)
	}
	return nil
}

var errScript = errors.New("users of a scenario file need sockets")

// needSockets is why clients must have sockets that were to have none; nil if they need
// not.
func (c Config) needSockets() error {
	switch {
	case c.Script != nil:
		return errScript
	case c.URL == "":
		return nil
	case strings.HasPrefix(c.URL, "wss:"):
		return errors.New("TLS takes sockets")
	case c.ClientTCP == order.BPF:
		return errors.New("the program in the kernel relies on the lock of the server's socket to get a client's packets one by one, and that socket is elsewhere: use tun")
	}
	return c.From.CheckRouted()
}

// virtual says that the clients have no sockets.
func (p *planner) virtual() bool { return p.ClientTCP != order.KernelTCP }

// explainTCP says whose TCP the clients have, if they are many or somebody asked.
func (p *planner) explainTCP(say func(format string, args ...any)) {
	switch {
	case p.virtual() && p.config.URL != "":
		say("The clients' TCP is in their processes (-client-tcp %s): %s. They take no files, no ports and no kernel memory here; the kernel forwards their packets.", p.ClientTCP, p.whyTCP)
	case p.virtual():
		say("The clients' TCP is in their process (-client-tcp %s): %s. They take no files, no ports and no kernel memory.", p.ClientTCP, p.whyTCP)
	case p.Clients >= virtualFrom || p.config.ClientTCP == order.KernelTCP:
		say("The clients have kernel sockets (-client-tcp %s): %s.", p.ClientTCP, p.whyTCP)
	}
	if p.ClientTCP == order.BPF {
		say("A program in the kernel compares and acknowledges most broadcasts. The process handles everything else.")
	}
}

package cli

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/swarm"
)

// isolateFrom is from how many clients on a run gets a network namespace of its
// own: with fewer, the host's tables do.
const isolateFrom = 100_000

// maxBuckets is the kernel's bound for tcp_child_ehash_entries.
const maxBuckets = 1 << 24

// isolatedEnv tells the program that it was started anew by isolate. Its value
// is the size of the table.
const isolatedEnv = "ROOST_ISOLATED"

// A whether is the value of -netns.
type whether string

const (
	auto whether = "auto"
	yes  whether = "yes"
	no   whether = "no"
)

func (w *whether) String() string { return string(*w) }

func (w *whether) Set(s string) error {
	switch whether(s) {
	case auto, yes, no:
		*w = whether(s)
		return nil
	}
	return errors.New("want auto, yes or no")
}

// isolate goes on in a network namespace of the run's own, by starting the
// program anew in it: it has all ports of the loopback addresses to itself, and
// a hash table of connections that is large enough: the host's is made for a
// few hundred thousand, and beyond every packet looks through a longer chain.
// Clients without sockets have their network device there, whatever their number. It
// returns a sentence for the plan.
func (o *options) isolate(h kernel.Host) (says string, err error) {
	if buckets := os.Getenv(isolatedEnv); buckets != "" {
		if err := o.tryTCP(h, swarm.TryTCP); err != nil {
			return "", err
		}
		return fmt.Sprintf("Everything runs in its own network namespace, with a TCP hash table of %s buckets and congestion control reno.", buckets), nil
	}
	tcp, _, err := o.config.ChooseTCP(h)
	switch {
	case err != nil:
		return "", err
	case tcp != order.KernelTCP && o.config.URL != "": // the way there begins here
		if o.netns == yes {
			return "", errNoWay
		}
		return "", nil
	case tcp != order.KernelTCP:
		return o.isolateLink(tcp)
	case o.netns == no:
		return "", nil
	case o.config.URL != "" || o.nats != "":
		if o.netns == yes {
			return "", errNoWay
		}
		return "", nil
	case o.netns == auto && o.config.Clients < isolateFrom:
		return "", nil
	}
	err = enterNamespace(2 * o.config.Clients)
	if o.netns == yes {
		return "", fmt.Errorf("-netns yes: %w", err)
	}
	return fmt.Sprintf("It uses the host's network namespace, because it cannot have its own: %v.", err), nil
}

var errNoWay = errors.New("-netns yes: a separate network namespace cannot reach -url or -nats")

// isolateLink is isolate for clients without sockets. They get sockets if there is no way
// to a namespace and the user asked neither for one nor for such clients: the plan says so.
func (o *options) isolateLink(tcp order.TCP) (says string, err error) {
	switch {
	case o.netns == no:
		err = errors.New("-netns no")
	case o.nats != "":
		err = errors.New("-nats cannot be reached from there")
	default:
		err = enterNamespace(o.config.Clients)
	}
	err = fmt.Errorf("-client-tcp %s needs a network namespace of its own: %w", tcp, err)
	if o.netns == yes || o.config.ClientTCP == tcp {
		return "", err
	}
	o.config.Refused = map[order.TCP]error{order.BPF: err, order.TUN: err}
	return "", nil
}

// tryTCP tries what the clients are to have, as a host may refuse what it seems to
// have, and then what comes next. It fails if somebody asked for just that.
func (o *options) tryTCP(h kernel.Host, try func(order.TCP) error) error {
	o.config.Refused = make(map[order.TCP]error)
	for {
		tcp, _, err := o.config.ChooseTCP(h)
		if err != nil || tcp == order.KernelTCP {
			return err
		}
		if o.config.Refused[tcp] = try(tcp); o.config.Refused[tcp] == nil {
			return nil
		}
	}
}

// enterNamespace makes a namespace for a number of sockets. It only returns if it
// fails, with this process as it was.
func enterNamespace(sockets int) error {
	buckets := min(1<<bits.Len(uint(2*max(sockets, 1)-1)), maxBuckets) // a power of two, at a load of a half
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// Only this thread enters; it is the one that exec keeps. Where that fails
	// it is not unlocked, and ends with its goroutine.
	failed := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := makeNamespace(buckets); err != nil {
			failed <- err
			return
		}
		env := append(os.Environ(), isolatedEnv+"="+strconv.Itoa(buckets))
		failed <- fmt.Errorf("start anew: %w", unix.Exec(self, os.Args, env))
	}()
	return <-failed
}

// makeNamespace puts this thread into a new network namespace. The table is
// made with a namespace, by a setting of the one before: so there are two.
func makeNamespace(buckets int) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("unshare: %w (it needs root)", err)
	}
	if err := setting("net/ipv4/tcp_child_ehash_entries", strconv.Itoa(buckets)); err != nil {
		return err // Linux before 6.1
	}
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	for _, s := range [][2]string{
		{"net/ipv4/ip_local_port_range", "1024 65535"},
		{"net/core/somaxconn", "65535"},
		{"net/ipv4/tcp_max_syn_backlog", "65535"},
		// Clients behind a device of their own reach servers on 127.0.0.1, from addresses
		// that only it has.
		{"net/ipv4/conf/all/route_localnet", "1"},
		{"net/ipv4/conf/all/rp_filter", "0"},
		{"net/ipv4/conf/default/rp_filter", "0"},
		{"net/ipv4/tcp_congestion_control", "reno"}, // bbr paces each connection with a timer: 6 % more CPU a message
	} {
		if err := setting(s[0], s[1]); err != nil {
			return err
		}
	}
	return loopbackUp()
}

func setting(name, value string) error { return os.WriteFile("/proc/sys/"+name, []byte(value), 0) }

// loopbackUp switches on lo, which is off in a new namespace.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("switch on lo: %w", err)
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("switch on lo: %w", err)
	}
	return nil
}

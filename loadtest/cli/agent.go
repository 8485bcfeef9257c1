package cli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/roost-rt/roost/loadtest/agent"
	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/server/settings"
)

const agentUsage = `usage: loadtest agent [flags]

Makes this host a load machine: it holds clients for the coordinator of a run
elsewhere, one coordinator at a time.

  loadtest agent -listen 10.0.0.7:7000                          on each load machine
  loadtest -url ws://HOST:4000 -agents 10.0.0.7:7000,10.0.0.8:7000  on the coordinator

With -client-tcp tun its clients have no sockets. Their addresses come from a prefix
that is routed to this host, which forwards their packets: loadtest/kernel/TUNING.md
describes what the network has to do.

Both take the token from the environment variable ` + tokenEnv + `. Neither
the token nor anything else is encrypted: use it on a network of your own. Anybody
with the token can make this host connect to any other.

Ctrl-C ends it. Exit codes: 0 ended by a signal, 1 it cannot listen, 2 wrong
arguments.

flags:
`

// tokenEnv holds what a coordinator must know. There is no flag for it on the
// coordinator's side: results record the command.
const tokenEnv = "ROOST_AGENT_TOKEN"

// beAgent is the subcommand of that name. It returns its exit code.
func (p Program) beAgent(ctx context.Context, args []string) int {
	return p.serveAgent(ctx, args, os.Stdout, os.Stderr)
}

func (p Program) serveAgent(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f := flag.NewFlagSet("agent", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	listen := f.String("listen", "127.0.0.1:7000", "`address` to listen on; an address that other hosts can reach requires a token")
	token := f.String("token", "", "`secret` that coordinators must know; other users of this host can see it here (default $"+tokenEnv+")")
	var from order.Sources
	tcp := order.KernelTCP
	f.Func("client-tcp", "where the TCP of the clients is: `kernel` for sockets, or tun for their own process, whose packets this host forwards: then -from is an IPv4 prefix that is routed to it (default kernel)", func(name string) (err error) {
		tcp, err = agentTCP(name)
		return err
	})
	f.Var((*sources)(&from), "from", "`addresses` of this host, and prefixes such as 2001:db8::/64, that clients connect from in turn (default the one that the kernel chooses)")
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, p.help(agentUsage))
		settings.PrintDefaults(stdout, f)
		return exitOK
	case err != nil:
		return p.misused(stderr, "agent", err)
	case f.NArg() > 0:
		return p.misused(stderr, "agent", fmt.Errorf("unexpected argument %q", f.Arg(0)))
	}
	if tcp == order.TUN {
		if err := checkRouted(from); err != nil {
			return p.misused(stderr, "agent", fmt.Errorf("-client-tcp tun: %w", err))
		}
	}
	if *token == "" {
		*token = os.Getenv(tokenEnv)
	}
	command, err := p.self(clientsRole)
	if err != nil {
		return p.failed(stderr, "agent", err)
	}
	ln, err := net.Listen("tcp", *listen)
	if err != nil {
		return p.failed(stderr, "agent", err)
	}
	err = agent.Serve(ctx, ln, agent.Config{
		Token:   *token,
		Command: command,
		Commit:  commit(),
		From:    from,
		TCP:     tcp,
		Log:     func(line string) { fmt.Fprintln(stdout, line) },
	})
	switch {
	case errors.Is(err, agent.ErrNoToken):
		return p.misused(stderr, "agent", fmt.Errorf("%w: set -token or %s", err, tokenEnv))
	case err != nil:
		return p.failed(stderr, "agent", err)
	}
	return exitOK
}

// agentTCP takes a value of -client-tcp.
func agentTCP(name string) (order.TCP, error) {
	switch tcp, err := plan.ParseTCP(name); {
	case err == nil && (tcp == order.KernelTCP || tcp == order.TUN):
		return tcp, nil
	case tcp == order.BPF:
		return "", errors.New("bpf counts on the server's socket, which is on another host: want kernel or tun")
	}
	return "", fmt.Errorf("%q: want kernel or tun", name)
}

// checkRouted finds what keeps clients without sockets from having addresses here.
func checkRouted(from order.Sources) error {
	host, err := kernel.Here()
	if err == nil && !host.TUN {
		err = errors.New("it needs root, and /dev/net/tun (modprobe tun)")
	}
	return cmp.Or(err, from.CheckRouted())
}

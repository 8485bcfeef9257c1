package cli

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/server/settings"
)

const doctorUsage = `usage: loadtest doctor [flags]

Says which limit of this machine a number of clients hits first, and at how many
clients. Changes nothing and needs no root.

  loadtest doctor -clients 1000000              the servers here, clients elsewhere
  loadtest doctor -clients 1000000 -same-host   servers and clients both here, as
                                                a run without -url and "tune" have
                                                them (-role both)
  loadtest doctor -clients 50000 -role load     the clients here, servers elsewhere
  loadtest doctor -clients 50000 -single        one server process for all

It shows the limits in the way, which keep clients from connecting, and the slow
ones, which only cost time: the value now, the value needed, and the number of
clients from which it matters. -all also shows the limits that are high enough, and
why others do not apply here.

Exit codes: 0 enough, 99 something is in the way or slow ("tune diff" of the same
role says the same), 1 the limits could not be read, 2 wrong arguments.

flags:
`

// doctor is the subcommand of that name. It returns its exit code.
func (p Program) doctor(args []string) int {
	return p.examine(kernel.Here, args, os.Stdout, os.Stderr)
}

// examine is doctor for the machine that read finds.
func (p Program) examine(read func() (kernel.Host, error), args []string, stdout, stderr io.Writer) int {
	var d kernel.Demand
	f := flag.NewFlagSet("doctor", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Int64Var((*int64)(&d.Clients), "clients", defaultDemand, "`number` of clients")
	f.BoolVar(&d.SameHost, "same-host", false, "the clients are on this host, too (default: only the servers)")
	clientTCP := plan.AutoTCP
	f.Func("client-tcp", "with servers and clients both here, where the TCP of the clients runs: `kernel`, tun or bpf, as in a run (default kernel)", func(name string) (err error) {
		clientTCP, err = plan.ParseTCP(name)
		return err
	})
	f.BoolVar(&d.Single, "single", false, "one server process holds all (default: as many as the file limit requires)")
	f.Int64Var((*int64)(&d.FilesPerProcess), "files-per-process", 0, "limit of open `files` to assume (default: this process's)")
	f.Int64Var((*int64)(&d.Addresses), "addresses", 0, "with clients here, `number` of addresses that they connect from (default: as many of 127.0.0.0/8 as it takes; with -role load one)")
	f.BoolVar(&d.Users, "users", false, "with clients here, they are users of a scenario file, who take more memory")
	f.BoolVar(&d.TLS, "tls", false, "with clients here, they use TLS, which also takes more memory")
	role := f.String("role", "", "role of this host: `server`, load or both (default server)")
	var from order.Sources
	f.Func("from", "with -role load, `addresses` and prefixes that clients connect from, as a run has them", func(list string) (err error) {
		from, err = order.ParseSources(list)
		return err
	})
	everything := f.Bool("all", false, "also show settings that are sufficient")
	asJSON := f.Bool("json", false, "print the full report as JSON")
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, p.help(doctorUsage))
		settings.PrintDefaults(stdout, f)
		return exitOK
	case err != nil:
		return p.misused(stderr, "doctor", settings.Explain(f, err))
	case f.NArg() > 0:
		return p.misused(stderr, "doctor", fmt.Errorf("unexpected argument %q", f.Arg(0)))
	case d.Clients < 1 || d.Clients > mostDemand:
		return p.misused(stderr, "doctor", fmt.Errorf("-clients is %d: want 1 to %d", int64(d.Clients), mostDemand))
	case *role != "" && d.SameHost:
		return p.misused(stderr, "doctor", errors.New("-same-host means -role both: use only one of them"))
	case len(from) > 0 && (*role != string(kernel.Load) || d.Addresses != 0):
		return p.misused(stderr, "doctor", errors.New("-from is for -role load, and sets the number of -addresses"))
	case d.FilesPerProcess < 0 || d.Addresses < 0:
		return p.misused(stderr, "doctor", errors.New("-files-per-process and -addresses cannot be negative"))
	}

	if *role != "" {
		r, err := kernel.ParseRole(*role)
		if err != nil {
			return p.misused(stderr, "doctor", fmt.Errorf("-role: %w", err))
		}
		d = d.As(r)
	}
	if d.Remote && d.Single {
		return p.misused(stderr, "doctor", errors.New("-single is about servers, and a load machine has none"))
	}
	if (d.Users || d.TLS) && !d.Remote && !d.SameHost {
		return p.misused(stderr, "doctor", errors.New("-users and -tls are about clients, and there are none here: use -role load or both"))
	}
	d.OneEnd = clientTCP == order.TUN || clientTCP == order.BPF
	if d.OneEnd && (!d.SameHost || d.Users || d.TLS) {
		return p.misused(stderr, "doctor", errors.New("-client-tcp: clients without sockets must be on the host of their servers, and exclude -users and -tls: use -role both"))
	}
	if len(from) > 0 {
		d.Addresses = kernel.Count(from.Count())
	}
	host, err := read()
	if err != nil {
		return p.failed(stderr, "doctor", err)
	}
	report := kernel.Check(host, d)
	if *asJSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		err = e.Encode(report)
	} else {
		err = report.WriteText(stdout, *everything)
	}
	switch {
	case err != nil:
		return p.failed(stderr, "doctor", err)
	case report.Verdict() != kernel.OK:
		return exitMissed
	}
	return exitOK
}

const (
	defaultDemand = 1_000_000

	// mostDemand keeps sums of bytes far from the largest int64.
	mostDemand = 1_000_000_000
)

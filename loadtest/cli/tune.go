package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/server/settings"
)

const tuneUsage = `usage: loadtest tune diff|apply|status|rollback [flags]

Raises the settings of Linux that many clients need, and restores them.

  loadtest tune diff -clients 1000000   what would change, and why: settings
                                        that "loadtest doctor -same-host" finds
                                        too low, or that the drop-in below needs
  loadtest tune diff -role load         the same for a host with the clients alone
  loadtest tune apply -clients 1000000  changes it (root)
  loadtest tune status                  what is applied, and what changed since
  loadtest tune rollback                restores every value (root)

apply never lowers a bound. It writes
  ` + kernel.SysctlFile + `
  ` + kernel.UnitFile + `, on a load machine instead
  ` + kernel.LimitsFile + `
and keeps the old values in ` + kernel.StateFile + `. In a container it leaves the
host's settings alone, and prints the settings for Docker and Kubernetes.

rollback leaves alone a setting that it cannot see from here, and says where to run
it; it also leaves alone a value that somebody else has set since. Neither apply nor
rollback touches a file that was edited since. Both name what they leave and keep
its old value: roll back again once the setting can be seen, or is as apply left it,
or as it was before.

Exit codes: 0 done, or nothing to do; 99 something is in the way or slow, even if it
cannot be tuned, as "doctor" of the same role says (diff), was not touched (apply,
rollback) or has changed since (status); 1 it failed; 2 wrong arguments.
`

// tune is the subcommand of that name. It returns its exit code.
func (p Program) tune(args []string) int { return p.adjust(args, os.Stdout, os.Stderr) }

func (p Program) adjust(args []string, stdout, stderr io.Writer) int {
	clients := kernel.Count(defaultDemand)
	f := flag.NewFlagSet("tune", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Int64Var((*int64)(&clients), "clients", defaultDemand, "`number` of clients")
	role := f.String("role", string(kernel.Both), "role of this host: `server`, load or both")
	var addresses int64
	f.Func("from", "with -role load, `addresses` and prefixes that clients connect from, as a run has them", func(list string) error {
		from, err := order.ParseSources(list)
		addresses = int64(from.Count())
		return err
	})
	dir := f.String("dir", "/", "`folder` that /proc, /etc and /var are in, for tests")

	job := ""
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		job, args = args[0], args[1:]
	}
	err := f.Parse(args)
	as, roleErr := kernel.ParseRole(*role)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, p.help(tuneUsage))
		writeOmissions(stdout, as)
		fmt.Fprint(stdout, "\nflags:\n")
		settings.PrintDefaults(stdout, f)
		return exitOK
	case err != nil:
		return p.misused(stderr, "tune", settings.Explain(f, err))
	case f.NArg() > 0:
		return p.misused(stderr, "tune", fmt.Errorf("unexpected argument %q", f.Arg(0)))
	case roleErr != nil:
		return p.misused(stderr, "tune", fmt.Errorf("-role: %w", roleErr))
	case addresses > 0 && as != kernel.Load:
		return p.misused(stderr, "tune", errors.New("-from is for -role load"))
	case clients < 1 || clients > mostDemand:
		return p.misused(stderr, "tune", fmt.Errorf("-clients is %d: want 1 to %d", int64(clients), mostDemand))
	}

	t := kernel.Tuner{Root: kernel.Root(*dir), Out: stdout, Role: as, Addresses: kernel.Count(addresses)}
	code := exitOK
	switch job {
	case "diff":
		code, err = tuneDiff(t, clients, stdout)
	case "apply":
		code, err = tuneApply(t, clients, stdout)
	case "status":
		code, err = tuneStatus(t, stdout)
	case "rollback":
		err = t.Rollback()
	default:
		return p.misused(stderr, "tune", errors.New("want diff, apply, status or rollback"))
	}
	if errors.Is(err, kernel.ErrNotApplied) {
		fmt.Fprintln(stdout, "Nothing is applied.")
		return exitOK
	}
	if err != nil {
		failed := p.failed(stderr, "tune", err)
		if errors.Is(err, os.ErrPermission) {
			fmt.Fprintf(stderr, "%s: it takes root\n", p.name("tune"))
		}
		if onlyLeft(err) {
			return exitMissed
		}
		return failed
	}
	return code
}

func tuneDiff(t kernel.Tuner, clients kernel.Count, w io.Writer) (int, error) {
	d, err := t.Diff(clients)
	if err != nil {
		return exitBroken, err
	}
	for _, c := range d.Changes {
		fmt.Fprintln(w, c)
	}
	writeRefusals(w, d)
	if len(d.Changes)+len(d.Refusals) == 0 {
		fmt.Fprintf(w, "Nothing to change for %s clients.\n", clients)
	}
	writeOmissions(w, d.Role)
	fmt.Fprintf(w, "\nAs it is, %s: %s\n", d.Role.Says(), d.Report.Sentence())
	if d.Report.Verdict() != kernel.OK {
		return exitMissed, nil
	}
	return exitOK, nil
}

func tuneApply(t kernel.Tuner, clients kernel.Count, w io.Writer) (int, error) {
	d, err := t.Apply(clients)
	if err != nil && !onlyLeft(err) {
		return exitBroken, err
	}
	writeRefusals(w, d)
	if err != nil {
		return exitMissed, err
	}
	switch {
	case len(d.Refusals) > 0:
		return exitMissed, nil
	case len(d.Changes) == 0:
		fmt.Fprintf(w, "Nothing to change for %s clients.\n", clients)
	}
	return exitOK, nil
}

func tuneStatus(t kernel.Tuner, w io.Writer) (int, error) {
	s, err := t.Status()
	if err != nil {
		return exitBroken, err
	}
	if s.State == nil {
		return exitOK, kernel.ErrNotApplied
	}
	fmt.Fprintf(w, "Applied for %s clients:\n", s.State.Clients)
	for _, c := range s.State.Changes {
		fmt.Fprintln(w, c)
	}
	if s.Elsewhere != "" {
		fmt.Fprintf(w, "Not compared: %s\n", s.Elsewhere)
		return exitMissed, nil
	}
	for _, c := range s.Drifted {
		fmt.Fprintf(w, "changed since: %s\n", c)
	}
	for _, name := range s.Missing {
		fmt.Fprintf(w, "gone since: %s\n", name)
	}
	for _, name := range s.Edited {
		fmt.Fprintf(w, "edited since: %s\n", name)
	}
	if len(s.Drifted)+len(s.Missing)+len(s.Edited) > 0 {
		return exitMissed, nil
	}
	return exitOK, nil
}

func writeRefusals(w io.Writer, d kernel.Diff) {
	if len(d.Refusals) == 0 {
		return
	}
	fmt.Fprintln(w, "\nNot touched from here:")
	for _, r := range d.Refusals {
		fmt.Fprintf(w, "%s: %s  (%s)\n", r.Key, r.Why, r.Reason)
	}
	fmt.Fprintf(w, "\n%s", kernel.ContainerText(d.Role, d.Clients))
}

func writeOmissions(w io.Writer, role kernel.Role) {
	fmt.Fprintln(w, "\nLeft out on purpose:")
	for _, o := range kernel.Omissions(role) {
		fmt.Fprintf(w, "  %-35s %s", o.Entry, strings.TrimLeft(settings.Filled(o.Reason, strings.Repeat(" ", 38)), " "))
	}
}

// onlyLeft says that nothing failed but that something was left as it is.
func onlyLeft(err error) bool {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range all.Unwrap() {
			if !onlyLeft(e) {
				return false
			}
		}
		return true
	}
	return errors.Is(err, kernel.ErrLeft)
}

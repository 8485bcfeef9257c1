package chat

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"
)

const configUsage = `usage: %[1]s check|print [flags]

  %[1]s check -config FILE   says what is wrong with the settings; starts nothing
  %[1]s print -config FILE   shows all settings, and where each comes from, as a file
                       that sets them. What is secret is masked

Flags and environment are those of the server, and count as they do there.

Exit codes: 0 all is well, 1 the server could not start, 2 wrong settings.
`

// MainConfig is the command that checks or shows the settings of the server. It
// returns its exit code. The name is how people call it.
func MainConfig(name string, args []string, stdout, stderr io.Writer) int {
	job := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		job, args = args[0], args[1:]
	}
	o, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(stdout, configUsage, name)
		o.values.Help(stdout, groups)
		return 0
	case job != "check" && job != "print":
		fmt.Fprintf(stderr, "%s: want check or print; see -help\n", name)
		return 2
	case err != nil:
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 2
	}
	for _, sentence := range o.values.Strange() {
		fmt.Fprintf(stderr, "%s: %s\n", name, sentence)
	}
	if job == "print" {
		if err := o.values.Print(stdout); err != nil {
			fmt.Fprintf(stderr, "%s: %v\n", name, err)
			return 1
		}
		return 0
	}
	if err := o.checkAll(); err != nil {
		fmt.Fprintf(stderr, "%s: %s\n", name, inFlags(err))
		return 1
	}
	fmt.Fprintln(stdout, "OK")
	return 0
}

// checkAll says what would keep a server from starting, as far as that can be said
// without listening or connecting. Each start begins with it.
func (o *options) checkAll() error {
	here := o.people(nil)
	defer here.Close()
	cfg := o.endpoint
	cfg.Mounts = o.mounts(NewScores(), here)
	err := errors.Join(cfg.Check(), o.checkApart())
	if o.link.URL != "" {
		err = errors.Join(err, o.link.Check())
	}
	return err
}

// checkApart finds two flags that say to listen at the same place.
func (o *options) checkApart() error {
	taken := make(map[string]string) // names of flags
	for _, at := range [][2]string{{"addr", o.endpoint.Addr}, {"admin", o.admin.addr}, {"api", o.outside.addr}, {"pprof", o.profiling}} {
		name, addr := at[0], at[1]
		if _, port, err := net.SplitHostPort(addr); err != nil || port == "0" {
			continue // nowhere, a Unix socket, or any free one
		}
		if other := taken[addr]; other != "" {
			return fmt.Errorf("-%s and -%s are both %q: choose another port for one of them", other, name, addr)
		}
		taken[addr] = name
	}
	return nil
}

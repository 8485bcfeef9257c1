package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/script"
)

// isScript tells an argument that names a scenario file for any application.
func isScript(arg string) bool {
	return strings.HasSuffix(arg, ".yaml") || strings.HasSuffix(arg, ".yml")
}

// loadScript makes the run one of a scenario file. A -url is where its users
// connect instead.
func (o *options) loadScript() error {
	c, name := &o.config, o.script
	src, _, err := script.Load(name, os.ReadFile, os.LookupEnv)
	if err != nil {
		return err
	}
	src.Rate, src.For = c.Rate, script.Time(c.For)
	s, err := src.Script()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	ts, err := thresholdsIn(s)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := o.thresholds.fit(s); err != nil {
		return fmt.Errorf("-slo: %w", err)
	}
	o.thresholds = append(o.thresholds, ts...)
	c.Scenario, c.Script, c.ScriptName, c.ScriptURL, c.SLO = plan.App, &src, name, c.URL, s.SLO
	if c.URL == "" && len(s.Target.URLs) == 0 {
		return fmt.Errorf("%s: target.url: say where the application is, here or with -url", name)
	}
	if c.URL == "" {
		c.URL = s.Target.URLs[0]
	}
	if c.URL, err = public(c.URL); err != nil {
		return err
	}
	return nil
}

// public is a URL without what it may hold of secrets.
func public(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", errors.New("url: want ws://host:port/socket or wss://host/socket")
	}
	u.User, u.RawQuery = nil, ""
	u.Scheme = strings.Replace(u.Scheme, "http", "ws", 1)
	return u.String(), nil
}

const checkUsage = `usage: loadtest check FILE.yaml…
       loadtest check -schema

Reads scenario files and the files they refer to. It lists the mistakes in them, or
says what a run of each would do. It connects to nothing. -schema prints the JSON
schema of scenario files, for editors.

`

// check reads scenario files.
func (p Program) check(args []string, out, errs io.Writer) int {
	f := flag.NewFlagSet("check", flag.ContinueOnError)
	f.SetOutput(errs)
	f.Usage = func() { fmt.Fprint(errs, p.help(checkUsage)) }
	schema := f.Bool("schema", false, "print the JSON schema")
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return exitUsage
	case *schema:
		_, _ = out.Write(script.Schema) // as fmt.Print would
		return exitOK
	case f.NArg() == 0:
		fmt.Fprint(errs, p.help(checkUsage))
		return exitUsage
	}
	code := exitOK
	for _, name := range f.Args() {
		_, s, err := script.Load(name, os.ReadFile, os.LookupEnv)
		if err == nil {
			if _, err = thresholdsIn(s); err != nil {
				err = fmt.Errorf("%s: %w", name, err)
			}
		}
		if err != nil {
			fmt.Fprintf(errs, "%s: %v\n", p.name(""), err)
			code = exitUsage
			continue
		}
		fmt.Fprintf(out, "%s: OK: %d %s\n", name, s.Count(), s)
	}
	return code
}

// scripted are flags whose part a scenario file has.
var scripted = []string{
	"header", "param", "subprotocol", "auth-token", "ca", "cert", "key", "server-name", "insecure", "resume",
	"topic", "protocol", "heartbeat", "server", "servers", "one-room", "apart", "nats", "presence",
}

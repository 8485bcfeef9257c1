// Package cli is the load generator as a program: its commands, their flags and
// help, and what they print.
//
// It measures a Phoenix Channels server with many clients: how fast they join, what
// one costs in memory, and whether each gets every message, and when. See -help, and
// packages conduct and swarm for how it works.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/roost-rt/roost/loadtest/agent"
	"github.com/roost-rt/roost/loadtest/conduct"
	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/live"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/proc"
	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
	"github.com/roost-rt/roost/loadtest/swarm"
	"github.com/roost-rt/roost/loadtest/user"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
	"github.com/roost-rt/roost/server/chat"
	"github.com/roost-rt/roost/server/settings"
)

// Exit codes.
const (
	exitOK          = 0
	exitBroken      = 1  // the run could not be made, or not to its end
	exitUsage       = 2  // wrong arguments
	exitMissed      = 99 // messages or clients are missing, or a threshold was missed
	exitInterrupted = 130
)

// The first argument of the processes that a run starts, which are this program
// too.
const (
	serverRole  = "internal-server"
	clientsRole = "internal-clients"
)

// outlivePipes makes a write fail when no one reads any more, as behind "| head", instead
// of letting SIGPIPE end the process. No one reads the Go channel; children have the
// signal as it was.
func outlivePipes() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// Signals are those that end a run, which Main's context has to be done at.
func Signals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} }

// Main runs the program with its arguments until it has done what they ask for, or
// ctx is done, and returns its exit code, which -help explains. It takes the standard
// streams. It starts processes of the same executable.
func (p Program) Main(ctx context.Context, args []string) int {
	if len(args) > 0 {
		switch args[0] {
		case serverRole:
			return chat.Child(args[1:])
		case clientsRole:
			return beClients()
		case "agent":
			outlivePipes()
			return p.beAgent(ctx, args[1:])
		case "list":
			return p.list()
		case "check":
			return p.check(args[1:], os.Stdout, os.Stderr)
		case "compare":
			return p.compare(args[1:], os.Stdout)
		case "report":
			return p.rerender(args[1:], os.Stdout)
		case "compare-servers":
			outlivePipes()
			return p.compareServers(ctx, args[1:])
		case "knee":
			return p.findKnee(ctx, args[1:])
		case "plan":
			return p.sayPlan(ctx, args[1:])
		case "capacity":
			outlivePipes()
			return p.forecast(args[1:], os.Stdout, os.Stderr)
		case "doctor":
			return p.doctor(args[1:])
		case "tune":
			return p.tune(args[1:])
		}
	}
	o, err := p.parseOptions(args, os.Stdout)
	switch {
	case errors.Is(err, errHelp):
		return exitOK
	case err != nil:
		return p.misused(os.Stderr, "", err)
	}
	outlivePipes()
	code, err := coordinate(ctx, o)
	if err != nil {
		p.failed(os.Stderr, "", err)
	}
	return code
}

// list explains the scenarios.
func (p Program) list() int {
	fmt.Printf("%s SCENARIO -help has the flags. All clients join; then\n", p.name(""))
	for _, s := range plan.Scenarios() {
		fmt.Printf("  %-6s %s", s, strings.TrimLeft(settings.Filled(p.help(s.Says()), strings.Repeat(" ", 9)), " "))
	}
	fmt.Printf("\nFiles hold a scenario and its flags, one a line; flags of the command line come first.\nThese come with the program (\"%s chat-10k.conf\"), in loadtest/scenarios:\n", p.name(""))
	if err := listFiles(); err != nil {
		return p.failed(os.Stderr, "list", err)
	}
	return exitOK
}

// beClients is a process full of clients.
func beClients() int {
	proc.YieldToServers()
	if err := swarm.Serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitBroken
	}
	return exitOK
}

// sayPlan is the command "plan". It returns its exit code.
func (p Program) sayPlan(ctx context.Context, args []string) int {
	o, err := p.parseOptions(args, os.Stdout)
	if err == nil {
		err = o.setCommands()
	}
	if err == nil {
		err = o.config.Check()
	}
	switch {
	case errors.Is(err, errHelp):
		return exitOK
	case err != nil:
		return p.misused(os.Stderr, "plan", err)
	}
	made, agents, err := o.plan(ctx)
	if err != nil {
		return p.failed(os.Stderr, "plan", err)
	}
	agent.Close(agents)
	for _, sentence := range made.Why {
		fmt.Println(record.Masked(sentence))
	}
	return exitOK
}

// setCommands says how the processes of a run are started.
func (o *options) setCommands() (err error) {
	c := &o.config
	if c.ClientCommand, err = o.program.self(clientsRole); err != nil {
		return err
	}
	switch {
	case o.server != "":
		c.ServerCommand = strings.Fields(o.server)
		c.Apart = !o.oneRoom
	case c.Node != "":
		c.ServerCommand = []string{c.Node}
	case c.URL == "":
		c.ServerCommand, err = o.program.self(serverRole)
	}
	return err
}

// coordinate makes the run and its report.
func coordinate(ctx context.Context, o options) (code int, err error) {
	people := os.Stdout
	if o.json == report.Stdout {
		people = os.Stderr
	}
	if err := o.setCommands(); err != nil {
		return exitBroken, err
	}
	if err := errors.Join(o.config.Check(), checkFolder(o.out), checkNode(o.config.Node)); err != nil {
		return exitUsage, err
	}
	host, err := kernel.Here()
	if err != nil {
		return exitBroken, err
	}
	namespace, err := o.isolate(host)
	if err != nil {
		return exitUsage, err
	}
	if o.config.Script != nil {
		without, err := conduct.Try(ctx, o.config)
		o.warnings = append(o.warnings, without...)
		switch {
		case err != nil && ctx.Err() != nil:
			return exitInterrupted, nil
		case err != nil && len(o.agents) > 0 && user.Unreachable(err):
			o.warnings = append(o.warnings, fmt.Sprintf("No user tried the steps first, because this host cannot reach the application: %v.", err))
		case err != nil:
			return exitBroken, fmt.Errorf("%s: the first user does not get through:\n%w", o.config.ScriptName, err)
		}
	} else if o.config.URL != "" && len(o.agents) == 0 {
		var without []string
		o.config.Addrs, without, err = conduct.Probe(ctx, o.config)
		switch {
		case err != nil && ctx.Err() != nil:
			return exitInterrupted, nil
		case err != nil:
			return exitBroken, err
		}
		o.warnings = append(o.warnings, without...)
	}
	p, agents, err := o.plan(ctx)
	switch {
	case err != nil && ctx.Err() != nil: // while agents were called
		return exitInterrupted, nil
	case err != nil:
		return exitBroken, err
	}
	defer agent.Close(agents)
	if namespace != "" {
		p.Why = append(p.Why, namespace)
	}
	if !o.quiet {
		for _, sentence := range append(p.Why, o.warnings...) {
			fmt.Fprintln(people, record.Masked(sentence))
		}
		fmt.Fprintln(people)
	}

	if o.config.URL == "" && o.server == "" {
		stop, err := o.configureServers(p)
		if err != nil {
			return exitBroken, err
		}
		defer stop()
	}
	out, err := newOutput(o, p.Clients, time.Now())
	if err != nil {
		return exitBroken, err
	}
	result, runErr := o.measure(ctx, p, agents, out, people)
	if result == nil {
		return exitBroken, errors.Join(runErr, out.close())
	}
	judge(result, o.thresholds) // before it is saved: what was missed is part of the result
	if !o.quiet {
		fmt.Fprintln(people)
	}
	if err := out.save(result, people); err != nil {
		return exitBroken, errors.Join(runErr, err)
	}
	switch ok, _ := report.Verdict(result.Summary); {
	case ctx.Err() != nil:
		return exitInterrupted, nil
	case runErr != nil:
		return exitBroken, runErr
	case !ok:
		return exitMissed, nil
	}
	return exitOK, nil
}

// plan plans for this machine, or for agents, which the caller has to close.
func (o options) plan(ctx context.Context) (p plan.Plan, agents []*agent.Agent, err error) {
	if len(o.agents) == 0 {
		host, err := kernel.Here()
		if err != nil {
			return p, nil, err
		}
		p, err = plan.New(o.config, host)
		return p, nil, err
	}
	if agents, err = agent.Dial(ctx, o.agents, os.Getenv(tokenEnv)); err != nil {
		return p, nil, err
	}
	var sites []plan.Site
	for _, a := range agents {
		sites = append(sites, plan.Site{Addr: a.Addr, Commit: a.Commit, Host: a.Host, From: a.From, TCP: a.TCP})
	}
	if p, err = plan.NewAt(o.config, sites); err != nil {
		agent.Close(agents)
	}
	return p, agents, err
}

// configureServers completes the command of our own servers: what another one
// is told is in its -server. stop ends what connects them.
func (o *options) configureServers(p plan.Plan) (stop func(), err error) {
	add := func(args ...string) { o.config.ServerCommand = append(o.config.ServerCommand, args...) }
	add("-idle", (2 * p.Heartbeat).String())
	add(o.config.Scenario.ServerFlags()...)
	if o.config.Presence != "" {
		add("-presence", o.config.Presence)
	}
	if !p.Clustered() {
		return func() {}, nil
	}
	url, stop, err := o.startNATS()
	add("-cluster", url)
	return stop, err
}

// startNATS returns the URL of the NATS server that is to connect the servers,
// and what ends it.
func (o options) startNATS() (url string, stop func(), err error) {
	if o.nats != "" {
		return o.nats, func() {}, nil
	}
	s, err := natsserver.Start(natsserver.Config{Addr: "127.0.0.1:0"})
	if err != nil {
		return "", nil, err
	}
	return s.URL(), s.Close, nil
}

// measure makes the run. The result is of what was recorded, nil if nothing can
// be said.
func (o options) measure(ctx context.Context, p plan.Plan, agents []*agent.Agent, out *output, people *os.File) (*report.Result, error) {
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("not finished within -timeout %s", o.timeout))
		defer cancel()
	}
	shown, stop, err := o.watchers(people)
	if err != nil {
		return nil, err
	}
	var records []record.Record
	var writeErr error
	err = conduct.Run(ctx, o.config, p, agents, func(r record.Record) {
		if r.Run != nil {
			run := r.Run.Masked()
			run.Commit = commit()
			r.Run = &run
		}
		records = append(records, r)
		writeErr = errors.Join(writeErr, out.records.Write(r))
		for _, show := range shown {
			show(r)
		}
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil { // of -timeout, while something waited
		err = context.Cause(ctx)
	}
	stop()
	result, reportErr := report.New(records)
	return result, errors.Join(err, writeErr, reportErr)
}

// watchers are told each record while the run goes on: the screen, who serves
// metrics, and who sends them. stop ends them.
func (o options) watchers(people *os.File) (shown []func(record.Record), stop func(), err error) {
	var ends []func()
	stop = func() {
		for _, end := range slices.Backward(ends) {
			end()
		}
	}
	run := new(live.Run)
	if o.metrics != "" {
		addr, stopServing, err := run.Serve(o.metrics)
		if err != nil {
			return nil, nil, err
		}
		if !o.quiet {
			fmt.Fprintf(people, "metrics: http://%s/metrics\n\n", addr)
		}
		ends = append(ends, stopServing)
	}
	if o.otlp != "" {
		stopSending, err := run.Push(o.otlp, os.Getenv("OTEL_EXPORTER_OTLP_HEADERS"))
		if err != nil {
			stop()
			return nil, nil, err
		}
		ends = append(ends, func() {
			if err := stopSending(); err != nil { // the run does not suffer from it
				fmt.Fprintf(os.Stderr, "loadtest: %v\n", err)
			}
		})
	}
	if o.metrics != "" || o.otlp != "" {
		shown = append(shown, run.Show)
	}
	if !o.quiet {
		screen := newScreen(people)
		shown, ends = append(shown, screen.show), append(ends, screen.end)
	}
	return shown, stop, nil
}

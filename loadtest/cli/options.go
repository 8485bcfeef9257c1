package cli

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/server/settings"
)

const usage = `usage: loadtest [SCENARIO|FILE.conf|FILE.yaml] [flags]

Starts the chat server, connects 10,000 clients, has all of them join a room,
broadcasts to it, and reports whether everybody got everything and when.

  go run ./loadtest                        10,000 clients, about 15 seconds
  go run ./loadtest -clients 100000        as many processes as the file limit requires
  go run ./loadtest -url ws://host:4000    any server with room:* channels that broadcast new_msg
  go run ./loadtest app.yaml               any application with channels, see loadtest/examples
  go run ./loadtest echo                   another scenario; "loadtest list" explains them
  go run ./loadtest churn-10k.conf         a scenario with its flags from a file
  go run ./loadtest -slo 'p99<500ms'       exit 99 if the slowest percent took longer

Exit codes: 0 everything delivered and all thresholds met, 99 otherwise, 1 the run
failed, 2 wrong arguments, 130 interrupted. "go run" turns every code but 0 into 1:
build the program for use in scripts. Ctrl-C ends a run early, with a report; a
second one ends it at once.

Other commands (-help explains each of them, and each scenario):
  check            finds mistakes in a scenario file for any application
  knee             finds the highest rate, or the most clients, that meet thresholds
  compare A B      compares results
  compare-servers  measures Roost and other servers in turn
  report           rebuilds the reports of a run from its records
  list             explains the scenarios
  agent            holds clients for a run on another machine
  plan             says what a run would do on this machine, without running it
  capacity RUN…    estimates clusters for 1 to 100 million clients from your runs
  doctor, tune     find the limits in the way of many clients, and raise them
`

// errHelp: the usage was asked for and printed.
var errHelp = flag.ErrHelp

type options struct {
	program    Program
	config     plan.Config
	out        string // folder of the run
	json       string
	junit      string // file; "" for none
	metrics    string // address to be scraped at; "" for none
	otlp       string // URL of a receiver; "" for none
	quiet      bool
	thresholds thresholds
	server     string // command of another server
	oneRoom    bool   // its processes are a cluster
	nats       string // URL of a NATS server for the cluster
	timeout    time.Duration
	agents     []string // addresses of load machines; none for this one
	netns      whether  // to run in a network namespace of its own
	script     string   // scenario file for any application
	warnings   []string // sentences for people, beside those of the plan
}

func (p Program) parseOptions(args []string, help io.Writer) (o options, err error) {
	c := &o.config
	o.program, o.netns = p, auto
	if len(args) > 0 && args[0] == "help" {
		args = []string{"-help"}
	}
	var file scenarioFile
	if len(args) > 0 && isScript(args[0]) {
		args = append([]string{"-scenario", args[0]}, args[1:]...)
	}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name := args[0]
		if isScenarioFile(name) {
			if file, err = readScenarioFile(name); err != nil {
				return o, err
			}
			name = cmp.Or(file.values["scenario"], string(plan.Chat))
		}
		if err := c.Scenario.UnmarshalText([]byte(name)); err != nil {
			return o, err
		}
		args = args[1:]
	}
	f := o.flags()
	if err = f.Parse(args); err == nil {
		err = file.apply(f)
	}
	if err == nil && o.script != "" && (c.Scenario == "" || c.Scenario == plan.App) { // checkIdle refuses others
		err = o.loadScript()
	} else if err == nil {
		err = o.thresholds.fit(nil)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		if o.script != "" {
			c.Scenario = plan.App
		}
		p.printHelp(help, f, c.Scenario)
		return o, errHelp
	case err != nil:
		return o, settings.Explain(f, err)
	case len(o.agents) > 0 && c.URL == "":
		return o, errors.New("-agents: only a running server can be tested from other machines: give its -url")
	case len(o.agents) > 0 && len(c.From) > 0:
		return o, errors.New("-from and -agents: the agents hold the clients: give -from to each agent")
	case len(o.agents) > 0 && (c.ClientTCP == order.TUN || c.ClientTCP == order.BPF):
		return o, errors.New("-client-tcp and -agents: the agents hold the clients: give -client-tcp to each agent")
	case o.oneRoom && c.Apart:
		return o, errors.New("-one-room and -apart exclude each other")
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.server != "" && c.URL != "":
		return o, errors.New("-server and -url exclude each other: one starts a server, the other names a running one")
	case o.server == "" && c.URL == "" && c.Protocol == plan.Raw:
		return o, errors.New("-protocol raw: Roost has channels: give the -url of another server, or start one with -server")
	case c.ServerPID != 0 && c.URL == "":
		return o, errors.New("-server-pid is for the server of -url; a server that is started here is always measured")
	}
	return o, cmp.Or(checkNumbers(f), o.checkIdle(f), checkProcess(c.ServerPID))
}

// flags returns the flags of a run.
func (o *options) flags() *flag.FlagSet {
	c := &o.config
	f := flag.NewFlagSet("run", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.DurationVar(&c.For, "for", 0, "`time` that echo, idle and soak last (default 10s, 1m, 1h); with a scenario file it overrides the file's")
	f.IntVar(&c.InFlight, "inflight", 256, "`number` of pings in flight in echo without -rate")
	f.StringVar(&c.How, "how", plan.Drain, "how servers stop in storm: `drain` or kill")
	f.IntVar(&c.Rooms, "rooms", 0, "`number` of rooms in the scenario rooms (default 100, or one for each client)")
	f.Float64Var(&c.Zipf, "zipf", 1, "`s`: the k-th of -rooms has 1/k^s as many clients as the first; close to 0, all have the same number")
	f.Float64Var(&c.Churn, "churn", 0, "clients `a second` that leave and join again in churn (default one in a hundred)")
	f.Float64Var(&c.Slow, "slow", 5, "`percent` of the clients that stop reading in slow")
	f.IntVar(&c.Pushers, "pushers", 0, "`number` of clients that push in burst (default 10, or all if there are fewer)")
	f.IntVar(&c.Push, "push", 16_000_000, "`bytes` that each of them pushes at once, in messages of 20 kB")
	f.IntVar(&c.Servers, "servers", 0, "minimum `number` of server processes (default as many as the file limit requires)")
	f.StringVar(&o.server, "server", "", "`program` with arguments to start as server instead of Roost, such as 'scripts/floor/floor server'")
	f.StringVar(&c.Node, "node", "", "`program` built from ./loadtest/node to run as the servers: many of them take less of the host than this program (default this program)")
	f.StringVar(&c.Presence, "presence", "", "our servers tell clients who is in their room: `full|sample|count`, as with -presence of the server (default no presence)")
	f.BoolVar(&o.oneRoom, "one-room", false, "the processes of -server find each other and form one room (Roost's always do)")
	f.IntVar(&c.Clients, "clients", 0, "`number` of clients (default 10,000, or fewer if memory is short; in burst 1,000; with a scenario file, its number)")
	f.IntVar(&c.Writers, "writers", 1, "`number` of clients that write, in each room")
	f.IntVar(&c.Messages, "messages", 0, "`number` of messages of each writer (default 20, fewer if that takes over a minute; in burst 3)")
	f.Float64Var(&c.Rate, "rate", 0, "messages `a second` of each writer (default 2, fewer if the processors cannot keep up); with a scenario file, rounds a second over all users, overriding the file")
	f.IntVar(&c.Size, "size", 0, "`bytes` of a message: its JSON object alone, at least 100 (default 128, in slow 16384, in burst 1200000)")
	f.StringVar(&c.URL, "url", "", "running server to test, `ws://host:port/path` or wss (default path /socket/websocket); clients use all IPv4 addresses of the name in turn, or all IPv6 addresses if none of those answers")
	targetFlags(f, c)
	f.IntVar(&c.ServerPID, "server-pid", 0, "id of the server `process` to measure with -url, if it is on this host")
	f.StringVar(&o.script, "scenario", "", "`file.yaml` that describes the users of any application with channels; \"loadtest check\" explains it")
	f.StringVar(&c.Protocol, "protocol", plan.Phoenix, "`protocol` of the server: phoenix, or raw for plain WebSocket without channels; such a server sends each text to all clients at /chat, and back to its sender at /echo")
	f.StringVar(&c.Topic, "topic", "room:lobby", "`topic` to join")
	f.StringVar(&c.Event, "event", "new_msg", "`event` to send and to expect")
	f.Float64Var(&c.ConnectRate, "connect-rate", 0, "maximum connects `a second` (default as fast as the server answers)")
	f.DurationVar(&c.Drain, "drain", 10*time.Second, "`time` without a receipt after which missing messages count as lost")
	f.DurationVar(&c.Late, "late", 10*time.Second, "`latency` above which a receipt counts as late")
	f.DurationVar(&c.Heartbeat, "heartbeat", 0, "`time` between the heartbeats of a client (default 30s, longer for very many on one host)")
	f.BoolVar(&c.Apart, "apart", false, "no cluster: each server process is a room of its own")
	f.StringVar(&o.nats, "nats", "", "NATS server for the cluster, `nats://host:port` (default one that the run starts)")
	f.Func("agents", "load machines that hold the clients, `host:port,…`, each running \"loadtest agent\"; with -url", func(list string) error {
		o.agents = strings.Split(list, ",")
		return nil
	})
	f.Func("client-tcp", "where the TCP of the clients runs: `kernel` for sockets, tun for their own process, bpf for tun plus a program in the kernel that takes most broadcasts, or auto: bpf from 100,000 clients on as root, except with -url and in echo (default auto)", func(name string) (err error) {
		c.ClientTCP, err = plan.ParseTCP(name)
		return err
	})
	f.BoolVar(&c.Timestamps, "client-timestamps", false, "clients without sockets offer TCP timestamps, as sockets do")
	f.Var(&o.netns, "netns", "network namespace of its own, with a large TCP hash table: `auto` (if root and from 100,000 clients on), yes or no")
	f.BoolVar(&c.Force, "force", false, "try even if memory or ports seem insufficient")
	f.StringVar(&o.out, "out", "", "`folder` for the results (default results/TIME-CLIENTS)")
	f.StringVar(&o.json, "json", "", "`file` for the figures as JSON; - means standard output, with everything else on standard error, and no folder unless -out names one")
	f.StringVar(&o.junit, "junit", "", "`file` for the verdict and each threshold as test cases in JUnit XML, for a pipeline")
	f.StringVar(&o.metrics, "metrics", "", "`address` at which Prometheus can scrape /metrics during the run, such as 127.0.0.1:9464")
	f.StringVar(&o.otlp, "otlp", "", "OTLP receiver over HTTP that gets the same metrics once a second, such as `http://host:4318`; headers come from OTEL_EXPORTER_OTLP_HEADERS")
	f.BoolVar(&o.quiet, "quiet", false, "print only the report, no plan and no progress")
	f.Var(&o.thresholds, "slo", "`thresholds`, such as 'p99<500ms,server<3000': "+thresholdNames)
	f.DurationVar(&o.timeout, "timeout", 0, "maximum `time` of the whole run (default none)")
	return f
}

// checkProcess wants a process of that number, if it is not 0.
func checkProcess(pid int) error {
	if pid == 0 {
		return nil
	}
	if _, err := os.Stat("/proc/" + strconv.Itoa(pid)); err != nil {
		return fmt.Errorf("-server-pid %d: no such process", pid)
	}
	return nil
}

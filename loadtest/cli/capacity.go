package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"

	"github.com/roost-rt/roost/loadtest/capacity"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/report"
	"github.com/roost-rt/roost/server/settings"
)

const capacityUsage = `usage: loadtest capacity RUN… [flags]

Estimates from your own runs what a cluster for many clients would take: nodes,
memory, processors, network and the load of NATS. Then it simulates those nodes: the
placement of rooms, clients that come and go, and the death of one node. It measures
nothing, and lists its assumptions.

  loadtest -clients 100000 -out a           measures memory, joins and deliveries
  loadtest idle -clients 100000 -out b      measures heartbeats
  loadtest capacity a b -clients 1000000,10000000 -cores 8 -memory 32GiB

A run is the folder of its results, its summary.json or its records.jsonl. Each figure
comes from the first run that has it. Only runs that start the server measure memory.

Exit codes: 0 computed, 1 a run cannot be read or lacks something, or no number of
nodes is enough, 2 wrong arguments.

flags, before or after the runs:
`

// A forecast holds the arguments of the command.
type forecast struct {
	runs   []string
	config capacity.Config
	json   bool
}

// forecast runs the subcommand "capacity" and returns the exit code.
func (p Program) forecast(args []string, stdout, stderr io.Writer) int {
	c, err := p.parseForecast(args, stdout)
	switch {
	case errors.Is(err, errHelp):
		return exitOK
	case err != nil:
		return p.misused(stderr, "capacity", err)
	}
	result, err := c.make()
	switch {
	case err != nil:
	case c.json:
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		err = e.Encode(result)
	default:
		err = result.WriteText(stdout)
	}
	if err != nil {
		return p.failed(stderr, "capacity", errors.New(p.help(err.Error())))
	}
	return exitOK
}

func (p Program) parseForecast(args []string, help io.Writer) (c forecast, err error) {
	f := flag.NewFlagSet("capacity", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	c.config = capacity.Config{}.WithDefaults()
	w, m := &c.config.Workload, &c.config.Machine
	f.Func("clients", "`numbers` of clients to plan for, up to four (default 1000000,10000000,100000000)", func(list string) (err error) {
		c.config.Clients, err = parseCounts(list)
		return err
	})
	f.IntVar(&w.Topics, "topics", w.Topics, "`number` of rooms that each client joins")
	f.Float64Var(&w.RoomSize, "room", w.RoomSize, "`clients` of a room, on average")
	f.Float64Var(&w.Zipf, "zipf", 0, "`s`: the k-th room has 1/k^s of the first's clients (default 0: all have as many)")
	f.Float64Var(&w.Rate, "rate", w.Rate, "messages `a second` in each room")
	f.IntVar(&w.Bytes, "size", w.Bytes, "`bytes` of a message's payload")
	f.DurationVar(&w.Heartbeat, "heartbeat", w.Heartbeat, "`time` between the heartbeats of a client")
	f.DurationVar(&w.Stay, "stay", w.Stay, "`time` that a client stays, on average")
	f.Float64Var(&m.Cores, "cores", m.Cores, "`processors` of a node")
	f.Func("memory", "memory of a node, `bytes` or such as 24GiB (default 64GiB)", func(text string) (err error) {
		m.Memory, err = parseBytes(text)
		return err
	})
	f.Int64Var(&m.Files, "files", m.Files, "open `files` of a server process")
	f.Func("network", "network of a node in each direction, `Gbit/s` (default 10)", func(text string) error {
		g, err := strconv.ParseFloat(text, 64)
		if err != nil || !(g > 0) {
			return errors.New("want more than 0")
		}
		m.Network = g * 1e9
		return nil
	})
	f.Float64Var(&m.Headroom, "headroom", m.Headroom, "`share` of these resources to keep free")
	f.DurationVar(&c.config.Down, "down", c.config.Down, "`time` until a node that died is back")
	f.Uint64Var(&c.config.Seed, "seed", 0, "seed `number` of the simulation: the same seed gives the same result")
	f.BoolVar(&c.json, "json", false, "the report as JSON")
	for err = f.Parse(args); err == nil && f.NArg() > 0; err = f.Parse(f.Args()[1:]) {
		c.runs = append(c.runs, f.Arg(0))
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(help, p.help(capacityUsage))
		settings.PrintDefaults(help, f)
		return c, errHelp
	case err != nil:
		return c, settings.Explain(f, err)
	case len(c.runs) == 0:
		return c, errors.New("want the folder of a run")
	}
	f.Visit(func(each *flag.Flag) { // zero would be the default
		if number, is := each.Value.(flag.Getter); is && each.Name != "zipf" && each.Name != "seed" && each.Name != "json" && reflect.ValueOf(number.Get()).IsZero() {
			err = fmt.Errorf("-%s is 0: want more than 0", each.Name)
		}
	})
	return c, cmp.Or(err, c.config.Check())
}

func parseCounts(list string) (all []int64, err error) {
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q: want a number such as 1000000", text)
		}
		all = append(all, n)
	}
	return all, nil
}

// parseBytes reads a number of bytes, which may have a unit.
func parseBytes(text string) (float64, error) {
	number, unit := text, 1.0
	for i, suffix := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if cut, found := strings.CutSuffix(text, suffix); found {
			number, unit = cut, float64(int64(1)<<(10*(i+1)))
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n > 0) {
		return 0, errors.New("want bytes, or a number with KiB, MiB, GiB or TiB")
	}
	return n * unit, nil
}

func (c forecast) make() (*capacity.Report, error) {
	var m capacity.Measured
	for _, path := range c.runs {
		found, err := readRuns(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for _, run := range found {
			if !run.Summary.Ended {
				return nil, fmt.Errorf("%s: the run did not finish: repeat it", path)
			}
			m.Merge(measuredBy(run, path))
		}
	}
	return capacity.New(c.config, m)
}

// measuredBy returns the figures of a run for one client.
func measuredBy(r *report.Result, path string) (m capacity.Measured) {
	s := r.Summary
	set := func(f *capacity.Figure, v *float64) {
		if v != nil && *v > 0 {
			*f = capacity.Figure{Value: *v, From: path}
		}
	}
	set(&m.JoinUs, s.ServerCPUUsPerJoin)
	set(&m.DeliveryUs, s.ServerCPUUsPerDelivery)
	if s.Idle != nil {
		set(&m.HeartbeatUs, s.Idle.ServerCPUUsPerHeartbeat)
	}
	if s.Echo != nil {
		set(&m.PushUs, s.Echo.ServerCPUUsPerReply)
	}
	if r.Run == nil {
		return m
	}
	on := r.Run.Machine
	m.Runs = []string{fmt.Sprintf("%s: %s, %d clients, commit %.12s; %s, %d cores, %s, %s.", path, s.Scenario, *cmp.Or(s.Clients, new(int64)), r.Run.Commit, on.CPU, on.Cores, on.OS, on.Go)}
	if r.Run.Config["url"] != nil { // whose ends the kernel's memory is of cannot be told
		return m
	}
	set(&m.ServerBytes, s.ServerBytesPerClient)
	if s.KernelBytesPerClient != nil {
		of := *s.KernelBytesPerClient
		if s.ClientTCP == "" || s.ClientTCP == string(order.KernelTCP) {
			of /= 2 // the clients' ends, on the same host, are as large
		}
		set(&m.KernelBytes, &of)
	}
	for _, moment := range r.Memory {
		if moment.When == "empty" && s.ServerProcesses != nil {
			each := float64(moment.ServerRSS) / float64(*s.ServerProcesses)
			set(&m.EmptyBytes, &each)
		}
	}
	return m
}

package cli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/roost-rt/roost/loadtest/knee"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
	"github.com/roost-rt/roost/server/settings"
)

const kneeUsage = `usage: loadtest knee [SCENARIO|FILE.conf|FILE.yaml] -slo THRESHOLDS -vary rate|clients [flags]

Finds the highest rate, or the most clients, at which a run still meets its
thresholds. It doubles until a run breaks, halves the interval that is left, and
repeats runs at the border, because a single run may be luck.

  go run ./loadtest knee -slo 'p99<200ms,lost=0' -vary rate -clients 1000
  go run ./loadtest knee echo -slo 'p99<50ms' -vary rate -from 1000 -each 5s
  go run ./loadtest knee -slo 'p99<1s' -vary clients -url ws://host:4000
  go run ./loadtest knee app.yaml -slo 'p99<200ms' -vary rate -clients 200

A run also breaks when messages are lost, when a queue grows, or when it cannot be
made, for example because the host lacks memory for so many clients. All other flags
are those of a run ("loadtest -help") and apply to each run. In a chat, a run sends
messages for the time of -each, unless -messages sets their number. With
-vary clients the rate is 2 a second, unless -rate sets another. With a scenario
file, -vary rate varies the rounds a second over all users and replaces the file's
stages; with -vary clients, users go through the steps as the file says.

The folder gets knee.html, knee.txt, knee.json, and each run. Ctrl-C ends the
search and reports the results so far.

Exit codes: 0 something holds, 99 nothing does, 1 the first run could not be made
or a file could not be written, 2 wrong arguments, 130 interrupted.

flags of knee:
`

// A kneeSearch is the command with its arguments.
type kneeSearch struct {
	program Program
	vary    string
	slo     string
	slos    thresholds // those and the scenario file's
	each    time.Duration
	within  time.Duration
	out     string
	json    string
	quiet   bool
	search  knee.Config
	run     []string // arguments of each run: the scenario, if one was said, and flags
	given   options  // what they mean
}

// findKnee runs the subcommand "knee" and returns the exit code.
func (p Program) findKnee(ctx context.Context, args []string) int {
	k, err := p.parseKnee(args, os.Stdout)
	switch {
	case errors.Is(err, errHelp):
		return exitOK
	case err != nil:
		return p.misused(os.Stderr, "knee", err)
	}
	sweep, err := k.find(ctx, k.trial, os.Stdout)
	if len(sweep.Trials) > 0 {
		err = errors.Join(err, k.save(sweep, os.Stdout))
	}
	if err != nil {
		p.failed(os.Stderr, "knee", err)
	}
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case err != nil:
		return exitBroken
	case sweep.Holds == nil:
		return exitMissed
	}
	return exitOK
}

func (p Program) parseKnee(args []string, help io.Writer) (k kneeSearch, err error) {
	f := flag.NewFlagSet("knee", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&k.vary, "vary", "rate", "quantity to vary: `rate` or clients")
	f.StringVar(&k.slo, "slo", "", "`thresholds` that a run has to meet, as for a single run; those of times, counts and generator=ok")
	f.Float64Var(&k.search.From, "from", 0, "`number` to start from (default a rate of 1, in echo 100; 100 clients)")
	f.Float64Var(&k.search.Least, "least", 0, "lowest `number` to try (default a thousandth of -from)")
	f.Float64Var(&k.search.Most, "most", 0, "highest `number` to try (default a million times -from)")
	f.Float64Var(&k.search.Precision, "precision", 0.05, "how much the number that breaks may exceed the one that holds, as a `part` of it")
	f.IntVar(&k.search.Repeats, "repeats", 5, "`number` of runs that decide at the border; one in five may break")
	f.IntVar(&k.search.Trials, "runs", 60, "maximum number of `runs`")
	f.DurationVar(&k.each, "each", 10*time.Second, "`time` that the scenario of each run lasts")
	f.DurationVar(&k.within, "within", time.Hour, "maximum `time` of the search, which then ends with its results so far")
	f.StringVar(&k.out, "out", "", "new `folder` for the results (default results/TIME-knee)")
	f.StringVar(&k.json, "json", "", "`file` for the result as JSON")
	f.BoolVar(&k.quiet, "quiet", false, "print no line for each run")
	own, run := divideFlags(f, args)
	if err = f.Parse(own); errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(help, p.help(kneeUsage))
		settings.PrintDefaults(help, f)
		return k, errHelp
	}
	if err != nil {
		return k, settings.Explain(f, err)
	}
	k.program, k.run = p, run
	return k, k.complete()
}

// divideFlags tells the arguments that f knows, and -help, from the others.
func divideFlags(f *flag.FlagSet, args []string) (own, others []string) {
	for i := 0; i < len(args); i++ {
		name, _, joined := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		known := f.Lookup(name)
		switch {
		case !strings.HasPrefix(args[i], "-") || known == nil && name != "help" && name != "h":
			others = append(others, args[i])
			continue
		case !joined && known != nil && !isSwitch(known) && i+1 < len(args):
			own = append(own, args[i])
			i++
		}
		own = append(own, args[i])
	}
	return own, others
}

// isSwitch says that a flag takes no value.
func isSwitch(f *flag.Flag) bool {
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// complete fills in defaults and finds what cannot be meant.
func (k *kneeSearch) complete() (err error) {
	if k.given, err = k.program.parseOptions(k.run, io.Discard); err != nil {
		return err
	}
	switch {
	case k.vary != "rate" && k.vary != "clients":
		return fmt.Errorf("-vary %s: want rate or clients", k.vary)
	case k.slo == "" && len(k.given.thresholds) == 0:
		return errors.New("no -slo: say what a run has to meet, such as 'p99<200ms,lost=0'")
	case k.each <= 0 || k.within <= 0:
		return errors.New("-each and -within must be more than 0")
	case slices.ContainsFunc(k.run, func(arg string) bool { return flagNamed(arg, k.vary) }):
		return fmt.Errorf("-%s: -vary sets it: use -from to choose where to start", k.vary)
	}
	k.slos = slices.Clone(k.given.thresholds) // of a scenario file
	if k.slo != "" {
		if err := k.slos.Set(k.slo); err != nil {
			return fmt.Errorf("-slo: %w", err)
		}
		k.run = append(slices.Clone(k.run), "-slo", k.slo)
	}
	k.search.Whole = k.vary == "clients"
	if s, err := k.given.config.Script.Script(); err == nil && k.search.Whole && k.search.Most == 0 {
		k.search.Most = float64(s.Most())
	}
	if k.search.From == 0 {
		k.search.From = 1
		if k.vary == "clients" || k.given.config.Scenario == plan.Echo {
			k.search.From = 100
		}
		if k.search.Most > 0 {
			k.search.From = min(k.search.From, k.search.Most)
		}
	}
	if _, err := knee.New(k.search); err != nil {
		return err
	}
	if _, err := k.program.parseOptions(k.arguments(k.search.From), io.Discard); err != nil { // what is varied may do nothing
		return err
	}
	if _, err := os.Stat(k.out); k.out != "" && err == nil {
		return fmt.Errorf("-out %s exists already: its runs would be mistaken for new ones", k.out)
	}
	if k.out == "" {
		k.out = filepath.Join("results", time.Now().UTC().Format("20060102T150405Z")+"-knee")
	}
	return nil
}

// flagNamed says that an argument is the flag of a name.
func flagNamed(arg, name string) bool {
	is, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	return strings.HasPrefix(arg, "-") && is == name
}

// find makes runs by trial, with a line to the terminal for each. It fails if the first
// run could not be made.
func (k kneeSearch) find(ctx context.Context, trial func(ctx context.Context, value float64, number int) (report.Trial, error), terminal io.Writer) (*report.Sweep, error) {
	sweep := &report.Sweep{
		Start: time.Now().UTC().Format(time.RFC3339), Vary: k.vary, SLO: k.slos.String(),
	}
	said := record.Run{Command: append([]string{filepath.Base(os.Args[0])}, os.Args[1:]...)}
	sweep.Command = said.Masked().Command
	search, err := knee.New(k.search)
	if err != nil {
		return sweep, err
	}
	within, cancel := context.WithTimeout(ctx, k.within)
	defer cancel()
	for value, more := search.Next(); more && within.Err() == nil; value, more = search.Next() {
		made, err := trial(within, value, len(sweep.Trials)+1)
		if within.Err() != nil {
			break // it was cut short, so it says nothing
		}
		if err != nil && len(sweep.Trials) == 0 {
			return sweep, err
		}
		sweep.Trials = append(sweep.Trials, made)
		search.Tell(value, made.Held)
		if !k.quiet {
			fmt.Fprintf(terminal, "%3d  %s %s\n", len(sweep.Trials), k.vary, made)
			if reason := made.Reason(); reason != "" {
				fmt.Fprint(terminal, settings.Filled(reason, "     "))
			}
		}
	}
	switch {
	case ctx.Err() != nil:
		sweep.Ended = "interrupted"
	case within.Err() != nil:
		sweep.Ended = fmt.Sprintf("after -within %s", k.within)
	}
	found := search.Knee()
	sweep.Holds, sweep.Breaks, sweep.Sure = pointOf(found.Holds), pointOf(found.Breaks), found.Sure
	return sweep, nil
}

func pointOf(p *knee.Point) *report.SweepPoint {
	if p == nil {
		return nil
	}
	return &report.SweepPoint{Value: p.Load, Held: p.Held, Runs: p.Runs, From: p.From, To: p.To}
}

// trial makes one run. One that cannot be made, or not to its end, does not hold, and
// is an error.
func (k kneeSearch) trial(ctx context.Context, value float64, number int) (report.Trial, error) {
	folder := filepath.Join(k.out, fmt.Sprintf("%02d-%s", number, strconv.FormatFloat(value, 'g', 5, 64)))
	said, runErr := k.program.runSelf(ctx, folder, append(k.arguments(value), "-quiet", "-out", folder))
	runs, err := readRuns(folder)
	if err != nil || len(runs) == 0 {
		if said == "" {
			said = fmt.Sprintf("%v", errors.Join(runErr, err))
		}
		return report.TrialOf(value, nil, said), errors.New(said)
	}
	result := runs[0]
	judge(result, k.slos)
	if broke(runErr) {
		err = errors.New(said)
	}
	t := report.TrialOf(value, result)
	if err != nil { // what it has measured meets some thresholds, or is nothing
		t = report.TrialOf(value, result, said)
	}
	t.Folder = filepath.Base(folder)
	return t, err
}

// broke says that a run did not come to its end, by how its process ended.
func broke(err error) bool {
	var exit *exec.ExitError
	return err != nil && (!errors.As(err, &exit) || exit.ExitCode() != exitMissed)
}

// arguments returns the arguments of the run of a value.
func (k kneeSearch) arguments(value float64) []string {
	args := slices.Clone(k.run)
	add := func(name, value string) {
		if !slices.ContainsFunc(k.run, func(arg string) bool { return flagNamed(arg, name) }) {
			args = append(args, "-"+name, value)
		}
	}
	rate := value
	if k.vary == "clients" {
		if tcp := k.given.config.ClientTCP; tcp == "" || tcp == plan.AutoTCP { // it would change on the way
			args = append(args, "-client-tcp", string(order.KernelTCP))
		}
		rate = cmp.Or(k.given.config.Rate, 2)
	}
	number := strconv.FormatFloat(value, 'f', -1, 64)
	if k.vary == "rate" {
		number = strconv.FormatFloat(value, 'g', 6, 64)
	}
	add(k.vary, number)
	scenario := k.given.config.Scenario
	if scenario == "" {
		scenario = plan.Chat
	}
	if k.vary == "clients" && slices.Contains(scenario.Flags(), "rate") && scenario != plan.App { // users have a pace of their own
		add("rate", strconv.FormatFloat(rate, 'g', 6, 64))
	}
	if slices.Contains(scenario.Flags(), "for") {
		add("for", k.each.String())
	} else if slices.Contains(scenario.Flags(), "messages") {
		add("messages", strconv.Itoa(max(5, int(math.Round(rate*k.each.Seconds())))))
	}
	return args
}

// runSelf makes a run, a child of ours, with a log in its folder. said is its last
// error.
func (p Program) runSelf(ctx context.Context, folder string, args []string) (said string, err error) {
	command, err := p.self(args...)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	log, err := os.Create(filepath.Join(folder, "run.log"))
	if err != nil {
		return "", err
	}
	defer log.Close()
	// The kernel ties a child's life to the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	child := exec.CommandContext(ctx, command[0], command[1:]...)
	var words strings.Builder
	child.Stdout, child.Stderr = log, io.MultiWriter(log, &words)
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL} // Ctrl-C is for us
	child.Cancel = func() error { return child.Process.Signal(os.Interrupt) }
	child.WaitDelay = time.Minute // for its report
	err = child.Run()
	lines := strings.Split(strings.TrimSpace(words.String()), "\n")
	return strings.TrimPrefix(lines[len(lines)-1], p.name("")+": "), err
}

// save writes what was found to the folder, and then to the terminal.
func (k kneeSearch) save(s *report.Sweep, terminal io.Writer) error {
	err := errors.Join(
		os.MkdirAll(k.out, 0o755),
		report.WriteFile(filepath.Join(k.out, "knee.html"), s.WriteHTML),
		report.WriteFile(filepath.Join(k.out, "knee.txt"), s.WriteText),
		report.WriteFile(filepath.Join(k.out, "knee.json"), s.WriteJSON),
	)
	if k.json != "" {
		err = errors.Join(err, report.WriteFile(k.json, s.WriteJSON))
	}
	fmt.Fprintln(terminal)
	err = errors.Join(err, s.WriteText(terminal))
	if err == nil {
		fmt.Fprintf(terminal, "\nSaved in %s (knee.html shows it).\n", k.out)
	}
	return err
}

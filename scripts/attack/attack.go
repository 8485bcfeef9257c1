package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"slices"
	"syscall"
	"time"
)

// An attack is one way to harm others. It ends with its context and is bounded
// in connections and bytes.
type attack struct {
	name string
	says string
	do   func(context.Context, *target) error

	deaf  bool // no one reads the server's log
	fails bool // must fail by its nature, to show that harm is seen: runs only if asked for
}

// attacks are all that there are, by theme. Some hold megabytes to send, so the
// server's process does not ask for them.
func attacks() []attack {
	return slices.Concat(controls(), bursts(), callbacks(), logs(), loops(), sums(), arrivals())
}

func find(name string) (attack, error) {
	for _, a := range attacks() {
		if a.name == name {
			return a, nil
		}
	}
	return attack{}, fmt.Errorf("no attack is called %q; see -list", name)
}

func printAttacks(w io.Writer) {
	for _, a := range attacks() {
		fmt.Fprintf(w, "%-16s %s\n", a.name, a.says)
	}
}

// A target is the server as one attack sees it, and what came of the attack.
type target struct {
	addr   string
	server int           // process id
	wait   time.Duration // for what must still come at the end
	tally
}

// lowPriority keeps the attacker, who would have a machine of its own, from
// taking the processor from the server and the bystanders.
const lowPriority = 10

// attackOnce is the attacker's process. It prints its outcome as JSON.
func attackOnce(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("attack do", flag.ContinueOnError)
	name := flags.String("name", "", "`name` of the attack")
	addr := flags.String("addr", "", "`host:port` of the server")
	server := flags.Int("server", 0, "process `id` of the server")
	long := flags.Duration("for", 4*time.Second, "`time` that it takes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	a, err := find(*name)
	if err != nil {
		return err
	}
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, lowPriority); err != nil {
		return fmt.Errorf("lower the attacker's priority: %w", err)
	}
	o := a.strike(ctx, &target{addr: *addr, server: *server, wait: patience}, *long)
	return json.NewEncoder(stdout).Encode(o)
}

// strike attacks for that long, however soon there is nothing left to do: the
// bystanders are to be measured as long.
func (a attack) strike(ctx context.Context, t *target, long time.Duration) outcome {
	ctx, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	if err := a.do(ctx, t); err != nil {
		t.happened(fate(err), 1)
	}
	<-ctx.Done()
	return t.outcome()
}

// controls show what the measurement does by itself.
func controls() []attack {
	return []attack{
		{name: "nothing", says: "no attack: what the bystanders see by themselves", do: nothing},
		{name: "busy", says: "a loop in the attacker's process: what sharing the host's processors costs", do: busy},
		{name: "stopped", says: "the server is stopped for half the time: the table must show harm", do: stopped, fails: true},
	}
}

func nothing(ctx context.Context, _ *target) error {
	<-ctx.Done()
	return nil
}

func busy(ctx context.Context, _ *target) error {
	for ctx.Err() == nil {
		continue
	}
	return nil
}

func stopped(ctx context.Context, t *target) error {
	if err := syscall.Kill(t.server, syscall.SIGSTOP); err != nil {
		return err
	}
	end, _ := ctx.Deadline()
	time.Sleep(time.Until(end) / 2)
	return syscall.Kill(t.server, syscall.SIGCONT)
}

package cli

import (
	"flag"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/plan"
)

// A trial is a value that a flag may have, and where it does something: in all
// scenarios, or those named. Others go before it: what it needs beside it.
type trial struct {
	value, in, others string
}

const all = "chat echo idle rooms churn slow storm kill burst soak app"

// writing are scenarios in which writers write at a rate.
const writing = "chat rooms churn slow storm kill soak"

var trials = map[string]trial{
	"agents":            {"h:1", all, "-url ws://h"},
	"apart":             {"true", all, ""},
	"auth-token":        {"x", all, ""},
	"ca":                {"x", all, ""},
	"cert":              {"x", all, ""},
	"churn":             {"5", "churn", ""},
	"clients":           {"10", all, ""},
	"client-tcp":        {"kernel", all, ""},
	"client-timestamps": {"true", all, ""},
	"connect-rate":      {"5", all, ""},
	"drain":             {"1s", writing + " echo burst app", ""},
	"event":             {"x", writing + " burst", ""},
	"for":               {"2m", "echo idle soak app", ""},
	"force":             {"true", all, ""},
	"from":              {"127.0.0.5", all, "-url ws://h"},
	"header":            {"A: b", all, ""},
	"heartbeat":         {"1s", all, ""},
	"how":               {"kill", "storm", ""},
	"inflight":          {"5", "echo", ""},
	"insecure":          {"true", all, ""},
	"json":              {"x", all, ""},
	"junit":             {"x", all, ""},
	"key":               {"x", all, ""},
	"late":              {"1s", writing + " burst app", ""},
	"messages":          {"5", writing + " burst", ""},
	"metrics":           {"127.0.0.1:9091", all, ""},
	"otlp":              {"http://127.0.0.1:4318", all, ""},
	"nats":              {"nats://h:1", all, ""},
	"netns":             {"no", all, ""},
	"node":              {"x", all, ""},
	"one-room":          {"true", all, "-server x"},
	"out":               {"x", all, ""},
	"param":             {"a=b", all, ""},
	"presence":          {"count", all, ""},
	"protocol":          {"raw", all, "-url ws://h"},
	"push":              {"500", "burst", ""},
	"pushers":           {"5", "burst", ""},
	"quiet":             {"true", all, ""},
	"rate":              {"5", writing + " echo app", ""},
	"resume":            {"true", all, ""},
	"rooms":             {"5", "rooms", ""},
	"scenario":          {"../examples/chat.yaml", "app", ""},
	"server":            {"x", all, ""},
	"server-name":       {"x", all, ""},
	"server-pid":        {"1", all, "-url ws://h"},
	"servers":           {"2", all, ""},
	"size":              {"500", writing + " echo burst", ""},
	"slo":               {"lost=0", all, ""},
	"slow":              {"5", "slow", ""},
	"subprotocol":       {"x", all, ""},
	"timeout":           {"5m", all, ""},
	"topic":             {"x", all, ""},
	"url":               {"ws://h", all, ""},
	"writers":           {"5", writing + " burst", ""},
	"zipf":              {"2", "rooms", ""},
}

// Each flag is taken in the scenarios where it does something, and refused with a
// sentence in the others.
func TestFlagsOfEachScenario(t *testing.T) {
	t.Parallel()
	new(options).flags().VisitAll(func(f *flag.Flag) {
		of, known := trials[f.Name]
		if !known {
			t.Errorf("-%s: in which scenarios does it do something? Say so in trials", f.Name)
			return
		}
		for _, s := range plan.Scenarios() {
			args := append([]string{string(s)}, strings.Fields(of.others)...)
			_, err := Program{}.parseOptions(append(args, "-"+f.Name+"="+of.value), io.Discard)
			fits := slices.Contains(strings.Fields(of.in), string(s))
			switch {
			case fits && err != nil:
				t.Errorf("%s -%s: %v, want it taken", s, f.Name, err)
			case !fits && (err == nil || !strings.HasPrefix(err.Error(), "-"+f.Name+" has no effect in "+string(s)+", only in ")):
				t.Errorf("%s -%s: %v, want it refused", s, f.Name, err)
			}
		}
	})
	for name := range trials {
		if new(options).flags().Lookup(name) == nil {
			t.Errorf("there is no flag -%s: take it out of trials", name)
		}
	}
}

// A flag may do nothing beside another one.
func TestFlagsBesideEachOther(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"echo -rate 5 -inflight 9":              "-inflight has no effect beside -rate",
		"-url ws://h -servers 2":                "-servers has no effect beside -url",
		"-url ws://h -apart":                    "-apart has no effect beside -url",
		"-url ws://h -nats nats://h:1":          "-nats has no effect except with our own servers",
		"-server x -nats nats://h:1":            "-nats has no effect except with our own servers",
		"-apart -nats nats://h:1":               "-nats has no effect beside -apart",
		"../examples/chat.yaml -topic a":        "-topic has no effect beside a scenario file, which says so itself",
		"-scenario ../examples/chat.yaml -ca x": "-ca has no effect beside a scenario file",
		"-url ws://h -presence count":           "-presence has no effect except with our own servers",
		"-server x -presence count":             "-presence has no effect except with our own servers",
		"-one-room":                             "-one-room has no effect without -server",
		"-url ws://h -protocol raw -topic a":    "-topic has no effect with -protocol raw",
		"-url ws://h -protocol raw -event a":    "-event has no effect with -protocol raw",
		"-rate NaN":                             "-rate is NaN: want a number",
		"-rate +Inf":                            "-rate is +Inf",
		"-connect-rate -Inf":                    "-connect-rate is -Inf",
		"rooms -zipf nan":                       "-zipf is NaN",
		"churn -churn inf":                      "-churn is +Inf",
		"slow -slow NaN":                        "-slow is NaN",
		"-slo lost<Inf":                         "want a limit",
		"-url ws://h -server-pid 1 -servers 3":  "-servers has no effect beside -url",
	} {
		if _, err := (Program{}).parseOptions(strings.Fields(args), io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("loadtest %s: %v, want %q", args, err, want)
		}
	}
}

// Our servers are told what they are to tell clients of who is in the room.
func TestPresence(t *testing.T) {
	t.Parallel()
	o, err := Program{}.parseOptions([]string{"-presence", "sample"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	stop, err := o.configureServers(plan.Plan{})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if told := strings.Join(o.config.ServerCommand, " "); !strings.HasSuffix(told, " -presence sample") {
		t.Errorf("the servers are told %s", told)
	}
}

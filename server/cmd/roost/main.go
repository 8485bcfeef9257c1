// Roost is the program: the server, the load generator, and what prepares a host for
// both. See --help.
//
// Each command has its flags, its help and its exit codes in the package that does the
// work; cobra finds the command, groups them in --help, and completes their words.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/roost-rt/roost/loadtest/cli"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/server/chat"
	"github.com/roost-rt/roost/server/internal/gen"
	"github.com/roost-rt/roost/server/live"
	"github.com/roost-rt/roost/server/tracing/otlp"
)

func main() { os.Exit(run(os.Args[1:])) }

// run returns the exit code of the command that the arguments name.
func run(args []string) int {
	if len(args) > 0 && (args[0] == "-help" || args[0] == "-version") { // as the commands have it
		args = append([]string{"-" + args[0]}, args[1:]...)
	}
	root := newRoot()
	root.SetArgs(args)
	err := root.Execute()
	var code exitCode
	switch {
	case errors.As(err, &code):
		return int(code)
	case err != nil:
		fmt.Fprintf(os.Stderr, "roost: %s\nSee roost --help.\n", strings.TrimSpace(err.Error()))
		return 2
	}
	return 0
}

// An exitCode is the error of a command that has reported its fault by itself.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// A command has a word of its own. It parses what follows by itself.
type command struct {
	name, says string
	words      []string    // that may follow, for completion
	stops      []os.Signal // that end its context
	run        func(ctx context.Context, args []string) int
}

// quit are the signals that end a server.
var quit = []os.Signal{os.Interrupt, syscall.SIGTERM}

const address = "Roost is a Phoenix Channels server for very many WebSocket connections, with tools to measure it.\n\n" +
	"Documentation: https://github.com/roost-rt/roost"

// groups are the commands by use.
func groups() []struct {
	title    string
	commands []command
} {
	load := cli.Program{Parent: "roost"}
	beside := func(name string) func(context.Context, []string) int {
		return func(ctx context.Context, args []string) int { return load.Main(ctx, append([]string{name}, args...)) }
	}
	return []struct {
		title    string
		commands []command
	}{
		{"Serve and build:", []command{
			{"serve", "serve chat rooms and other demos", nil, quit, serve},
			{"config", "check the settings of serve, or show the source of each", []string{"check", "print"}, nil, configure},
			{"gen", "write a channel, a socket or a presence to start from, with tests", []string{"channel", "socket", "presence"}, nil, generate},
		}},
		{"Measure:", []command{
			{"bench", "connect many clients, broadcast to them, and report", benchWords(), cli.Signals(), load.Main},
			{"plan", "show what a run of bench would do on this host", benchWords(), cli.Signals(), beside("plan")},
			{"capacity", "estimate clusters for many clients from results of bench", nil, nil, beside("capacity")},
			{"compare", "compare results of bench", nil, nil, beside("compare")},
		}},
		{"Prepare a host:", []command{
			{"doctor", "find the limit of this host that many clients hit first", nil, nil, beside("doctor")},
			{"tune", "raise the limits of this host, or restore them", []string{"diff", "apply", "status", "rollback"}, nil, beside("tune")},
		}},
	}
}

func serve(ctx context.Context, args []string) int {
	return chat.Program{Name: "roost serve", Traces: startTracer, Board: newBoard}.Main(ctx, args, os.Stdout, os.Stderr)
}

func startTracer(url string, ratio float64, log *slog.Logger) (chat.Tracer, error) {
	return otlp.Start(otlp.Config{URL: url, Ratio: ratio, Logger: log})
}

func newBoard() chat.Board { return live.NewBoard() }

func configure(_ context.Context, args []string) int {
	return chat.MainConfig("roost config", args, os.Stdout, os.Stderr)
}

func generate(_ context.Context, args []string) int {
	return gen.Main("roost gen", args, os.Stdout, os.Stderr)
}

func benchWords() (words []string) {
	for _, s := range plan.Scenarios() {
		words = append(words, string(s))
	}
	return append(words, cli.Commands()...)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use: "roost", Short: "Phoenix Channels for very many connections", Long: address,
		Version: version(), SilenceErrors: true, SilenceUsage: true,
	}
	root.SetVersionTemplate("{{.Version}}")
	for _, group := range groups() {
		root.AddGroup(&cobra.Group{ID: group.title, Title: group.title})
		for _, c := range group.commands {
			root.AddCommand(c.cobra(group.title))
		}
	}
	const others = "Others:"
	root.AddGroup(&cobra.Group{ID: others, Title: others})
	root.AddCommand(&cobra.Command{
		Use: "version", Short: "print version, commit and Go of this program", GroupID: others, Args: cobra.NoArgs,
		Run: func(*cobra.Command, []string) { fmt.Print(version()) },
	})
	root.SetCompletionCommandGroupID(others)
	root.InitDefaultCompletionCmd()
	root.SetHelpCommand(helpOn(root, others))
	for _, made := range root.Commands() {
		if made.Name() == "completion" {
			made.Short = "print the completion script for bash, zsh, fish or powershell"
			made.Args, made.RunE = cobra.NoArgs, func(*cobra.Command, []string) error { return errors.New("want a shell: bash, zsh, fish or powershell") }
		}
	}
	return root
}

// helpOn is the command that shows the help of another. Cobra's own calls one that there
// is not a success.
func helpOn(root *cobra.Command, group string) *cobra.Command {
	return &cobra.Command{
		Use: "help [command]", Short: "print the help of a command", GroupID: group,
		ValidArgsFunction: func(*cobra.Command, []string, string) (words []string, _ cobra.ShellCompDirective) {
			for _, c := range root.Commands() {
				if c.IsAvailableCommand() {
					words = append(words, c.Name()+"\t"+c.Short)
				}
			}
			return words, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			found, rest, err := root.Find(args)
			if err == nil && len(rest) > 0 && found.HasSubCommands() {
				err = fmt.Errorf("unknown command %q", rest[0])
			}
			if err != nil {
				return err
			}
			return found.Help()
		},
	}
}

func (c command) cobra(group string) *cobra.Command {
	made := &cobra.Command{
		Use: c.name, Short: c.says, GroupID: group, DisableFlagParsing: true, ValidArgsFunction: c.complete,
		RunE: func(_ *cobra.Command, args []string) error {
			ctx := context.Background()
			if len(c.stops) > 0 {
				var stop func()
				ctx, stop = signal.NotifyContext(ctx, c.stops...)
				context.AfterFunc(ctx, stop) // a second signal ends the process at once
			}
			if code := c.run(ctx, args); code != 0 {
				return exitCode(code)
			}
			return nil
		},
	}
	made.SetHelpFunc(func(*cobra.Command, []string) { c.run(context.Background(), []string{"-help"}) })
	return made
}

// complete finds the words that may come next, and flags in the help of the command.
func (c command) complete(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if dashes := begun[:len(begun)-len(strings.TrimLeft(begun, "-"))]; dashes != "" {
		return flagsOf(append([]string{c.name}, args...), dashes), cobra.ShellCompDirectiveNoFileComp
	}
	if len(args) == 0 {
		return c.words, cobra.ShellCompDirectiveDefault // or a file
	}
	return nil, cobra.ShellCompDirectiveDefault
}

package chat

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/server/asynclog"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/presence"
)

// usage has the name of the program for %[1]s.
const usage = `usage: %[1]s [flags]

Serves chat rooms over Phoenix Channels: sockets at /socket, topics room:*, and
at / a page to chat with. Events: new_msg and shout go to everybody in the room,
ping is answered with its payload. The page leads to more examples, of scores:*,
board:* and, with sockets at /user, user:*.

With -admin HOST:PORT, or ROOST_ADMIN, operators get, there and nowhere else:

/                   a page that shows what goes on, as it does
/metrics            for Prometheus
/healthz            200 while the process runs
/readyz             200, or 503 with the reason when nobody should be sent here: it
                    drains, or is full
/stats /ledger /topics /sockets /channels   what goes on, as JSON
/debug/pprof/       profiles

Without a token it must be a loopback address. With one, in the environment as
ROOST_ADMIN_TOKEN, all but /healthz and /readyz want "Authorization: Bearer TOKEN",
or, from browsers, the token as the password of any name.

kill -HUP PID    reads the file of -config, and the files of -tls-cert and -tls-key, again:
                 certificate, log level, -max-conns, -max-conns-per-ip and -accept-rate
                 count at once; the log names what takes a restart
kill -USR1 PID   collects garbage, gives free memory back to the system, and
                 logs connections, channels and memory
Ctrl-C           closes all sockets (1012: clients come back) and ends;
                 a second one ends at once

Each flag may also be in the environment or in the file of -config.
`

// patience is how long a standard stream may take for what the server has to say.
const patience = time.Second

// fewFiles is a limit of open files that is likely to be a surprise.
const fewFiles = 10_000

// Main is Program.Main of a program without traces, and without a board.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return Program{}.Main(ctx, args, stdout, stderr)
}

// A Program is the chat server as a program.
type Program struct {
	// Name is how people call it. "" means server.
	Name string

	// Traces starts what sends traces. Nil: the program has none.
	Traces StartTracer

	// Board makes what -admin shows beside health, profiles and states. Nil: it has
	// neither metrics nor a page.
	Board func() Board
}

// Main runs the program until ctx is done, and returns its exit code: 0 after a clean
// end, 1 if it could not run, 2 for wrong arguments. It prints "listening on HOST:PORT"
// to stdout when it is ready. With config as the first word it is [MainConfig].
func (p Program) Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	name := cmp.Or(p.Name, "server")
	if len(args) > 0 && args[0] == "config" {
		return MainConfig(name+" config", args[1:], stdout, stderr)
	}
	o, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(stdout, usage, name)
		o.values.Help(stdout, groups)
		return 0
	case err != nil:
		printTo(stderr, "%s: %v\n", name, err)
		return 2
	}
	o.traces.start, o.admin.start = p.Traces, p.Board
	level := new(slog.LevelVar)
	level.Set(o.level)
	handler := asynclog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}), o.lines)
	defer func() { _ = handler.Close(patience) }() // no one reads the lines that are lost
	if err := o.serve(ctx, args, slog.New(handler), level, stdout); err != nil {
		printTo(stderr, "%s: %s\n", name, inFlags(err))
		return 1
	}
	return 0
}

// serve starts what the options ask for, and ends it in the reverse order.
func (o *options) serve(ctx context.Context, args []string, log *slog.Logger, level *slog.LevelVar, stdout io.Writer) error {
	for _, sentence := range o.values.Strange() {
		log.Warn("the environment", "says", sentence)
	}
	if err := o.checkAll(); err != nil {
		return err
	}
	followMemory(log, memlimit.FromCgroup)
	defer keepHouse(lull, debug.FreeOSMemory).stop()
	if o.link.URL != "" {
		o.link.Logger = log
		o.endpoint.Adapter = cluster.New(o.link)
	}
	if o.profiling != "" {
		ln, err := net.Listen("tcp", o.profiling)
		if err != nil {
			return adviseAddr("pprof", o.profiling, err)
		}
		inside := profiles()
		if host, _, _ := net.SplitHostPort(o.profiling); isLoopback(host) { // checked
			inside = local(inside)
		}
		defer serveAside(ln, inside, log)()
		log.Info("profiles", "url", fmt.Sprintf("http://%s/debug/pprof/", ln.Addr()))
	}
	if err := o.admin.listen(log); err != nil {
		return err
	}
	defer o.admin.stop()
	if err := o.outside.listen(log); err != nil {
		return err
	}
	defer o.outside.stop()
	if err := o.traces.begin(log); err != nil {
		return err
	}
	defer o.traces.stop(log)
	scores, here := NewScores(), o.people(log)
	defer here.Close()
	cfg := &o.endpoint
	cfg.MaxConns = o.limits().MaxConns
	cfg.Logger, cfg.Mounts, cfg.HTTP, cfg.Telemetry, cfg.TLS = log, o.mounts(scores, here), page(), phx.JoinTelemetry(o.admin.telemetry(), o.traces.telemetry()), o.cert.config(log)
	return o.run(ctx, &reloader{args: args, now: o.values.Texts(), level: level, cert: &o.cert, log: log}, scores, here, stdout)
}

func (o *options) run(ctx context.Context, again *reloader, scores *Scores, here *presence.Presence, stdout io.Writer) error {
	cfg := o.endpoint
	signal.Ignore(syscall.SIGPIPE)  // a reader of the log that dies would take the server with it
	usr1 := make(chan os.Signal, 1) // before clients know the process: an unexpected one would end it
	signal.Notify(usr1, syscall.SIGUSR1)
	defer signal.Stop(usr1)
	hup := make(chan os.Signal, 1)
	if cfg.TLS != nil || o.values.From("config") != "" { // else there is nothing to read
		signal.Notify(hup, syscall.SIGHUP)
		defer signal.Stop(hup)
	}

	ep, err := phx.Start(cfg)
	if err != nil {
		if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "listen" {
			err = adviseAddr("addr", cfg.Addr, err)
		}
		return err
	}
	if err := errors.Join(o.admin.serve(ep, here), o.outside.serve(ep, here, o.traces.handler)); err != nil {
		return errors.Join(err, ep.Shutdown(ctx))
	}
	warnFewFiles(cfg.Logger, cfg.MaxConns)
	warnNoSecret(&cfg)
	printTo(stdout, "listening on %s\n", ep.Addr())

	var playing sync.WaitGroup // the drain below waits for it
	playing.Go(func() { scores.Run(ctx, ep) })
	for {
		select {
		case <-usr1:
			logMemory(cfg.Logger, ep)
		case <-hup:
			again.reload(ep)
		case <-ctx.Done():
			playing.Wait()
			drain, cancel := context.WithTimeout(context.Background(), cfg.DrainTimeout) // batches of clients included
			defer cancel()
			if err := ep.Shutdown(drain); err != nil {
				return fmt.Errorf("shut down: %w", err)
			}
			return nil
		}
	}
}

// printTo writes to a standard stream. It gives up when the text is not taken in time: a
// pipe may be full.
func printTo(w io.Writer, format string, args ...any) {
	said := make(chan struct{})
	go func() { // ends with the process if no one ever reads
		defer close(said)
		fmt.Fprintf(w, format, args...)
	}()
	select {
	case <-said:
	case <-time.After(patience):
	}
}

// warnFewFiles says how many clients fit where that is a surprise. Go has raised
// the soft limit to the hard one already.
func warnFewFiles(log *slog.Logger, maxConns int) {
	if files := openFiles(); 0 < files && files < fewFiles {
		log.Warn("low limit of open files: each client needs one", "clients_at_most", cmp.Or(maxConns, max(int(files)-ownFiles, 1)),
			"fix", "raise it before the start: ulimit -n 1000000, LimitNOFILE= in systemd, --ulimit nofile= in docker")
	}
}

package chat

import (
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
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/server/asynclog"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/presence"
)

const usage = `usage: server [flags]

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

kill -HUP PID    reads the files of -tls-cert and -tls-key again
kill -USR1 PID   collects garbage, gives free memory back to the system, and
                 logs connections, channels and memory
Ctrl-C           closes all sockets (1012: clients come back) and ends;
                 a second one ends at once

flags:
`

// drainTime is how long a clean end may take.
const drainTime = 8 * time.Second

// patience is how long a standard stream may take for what the server has to say.
const patience = time.Second

// fewFiles is a limit of open files that is likely to be a surprise.
const fewFiles = 10_000

// Main runs the chat server as a program until ctx is done, and returns its exit
// code: 0 after a clean end, 1 if it could not run, 2 for wrong arguments. It
// prints "listening on HOST:PORT" to stdout when it is ready.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var cfg phx.Config
	var level slog.Level
	var lines asynclog.Config
	flags.StringVar(&cfg.Addr, "addr", "127.0.0.1:4000", "`HOST:PORT` to listen on; port 0 picks a free one, an empty host is all addresses; unix:PATH is a Unix socket")
	flags.TextVar(&level, "log", slog.LevelInfo, "log `level`: debug, info, warn or error")
	flags.IntVar(&lines.Rate, "log-rate", 100, "log `lines` of one kind that are written in a second, averaged over ten; further ones are counted")
	flags.IntVar(&cfg.Loops, "loops", 0, "event loops; 0 is one for every two processors")
	flags.IntVar(&cfg.Workers, "workers", 0, "callbacks that run at the same time; 0 is 64 for each processor")
	flags.IntVar(&cfg.OutboundMax, "outbound-max", 64<<20, "`bytes` that may wait for one client before it is closed as a slow consumer")
	flags.StringVar(&cfg.ReadyPath, "ready", "/ready", "`path` that answers 200, or 503 when nobody should be sent here: when it drains, or is full; empty is none")
	limitFlags(flags, &cfg)
	link := clusterFlags(flags)
	secret := secretFlag(flags)
	cert := certificateFlags(flags)
	idle := flags.Duration("idle", time.Minute, "`time`, such as 90s, without any bytes from a client after which it is closed; clients send a heartbeat every 30 s")
	admin := adminFlags(flags)
	profiling := flags.String("pprof", "", "`HOST:PORT` to serve profiles alone on, at /debug/pprof/, such as 127.0.0.1:6060; default nowhere")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "server: unexpected argument %q; see -help\n", flags.Arg(0))
		return 2
	}
	if err := errors.Join(fromEnv(flags, "tls"), fromEnv(flags, "admin"), fromEnv(flags, "secret-file"), clusterFromEnv(flags, link)); err != nil {
		fmt.Fprintf(stderr, "server: %v\n", err)
		return 2
	}
	err := errors.Join(checkAddr(cfg.Addr), admin.check())
	if *profiling != "" {
		err = errors.Join(err, checkHostPort("pprof", *profiling, ""))
	}
	if *idle < 0 {
		err = errors.Join(err, fmt.Errorf("-idle is %v: want a time such as 60s, or 0, which is that", *idle))
	}
	text, bad := readSecret(*secret)
	if err = errors.Join(err, bad); err != nil {
		fmt.Fprintf(stderr, "server: %v\n", err)
		return 2
	}
	cfg.Secret = text
	if lines.Rate < 1 {
		fmt.Fprintf(stderr, "server: -log-rate is %d: want at least 1; -log error keeps a log small\n", lines.Rate)
		return 2
	}
	handler := asynclog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}), lines)
	defer func() { _ = handler.Close(patience) }() // nobody reads what is lost
	log := slog.New(handler)
	followMemory(log, memlimit.FromCgroup)
	defer keepHouse(lull, debug.FreeOSMemory).stop()
	if cfg.TLS, err = cert.config(log); err != nil {
		printTo(stderr, "server: %v\n", err)
		return 2
	}
	if link.URL != "" {
		link.Logger = log
		cfg.Adapter = cluster.New(*link)
	}
	if *profiling != "" {
		ln, err := net.Listen("tcp", *profiling)
		if err != nil {
			printTo(stderr, "server: %v\n", adviseAddr("pprof", *profiling, err))
			return 1
		}
		defer serveAside(ln, profiles())()
		log.Info("profiles", "url", fmt.Sprintf("http://%s/debug/pprof/", ln.Addr()))
	}
	if err := admin.listen(log); err != nil {
		printTo(stderr, "server: %v\n", err)
		return 1
	}
	defer admin.stop()
	scores, here := NewScores(), presence.New(presence.Config{Logger: log})
	defer here.Close()
	cfg.Logger, cfg.Mounts, cfg.HTTP, cfg.Telemetry = log, mounts(scores, here), page(), admin.telemetry()
	for i := range cfg.Mounts {
		cfg.Mounts[i].Idle = *idle
	}
	if err := run(ctx, cfg, cert, admin, scores, stdout); err != nil {
		printTo(stderr, "server: %s\n", inFlags(err))
		return 1
	}
	return 0
}

func run(ctx context.Context, cfg phx.Config, cert *certificate, admin *admin, scores *Scores, stdout io.Writer) error {
	signal.Ignore(syscall.SIGPIPE)  // a reader of the log that dies would take the server with it
	usr1 := make(chan os.Signal, 1) // before clients know the process: an unexpected one would end it
	signal.Notify(usr1, syscall.SIGUSR1)
	defer signal.Stop(usr1)
	hup := make(chan os.Signal, 1)
	if cfg.TLS != nil {
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
	if err := admin.serve(ep); err != nil {
		return errors.Join(err, ep.Shutdown(ctx))
	}
	warnFewFiles(cfg.Logger)
	warnNoSecret(&cfg)
	printTo(stdout, "listening on %s\n", ep.Addr())

	var playing sync.WaitGroup // the drain below waits for it
	playing.Go(func() { scores.Run(ctx, ep) })
	for {
		select {
		case <-usr1:
			logMemory(cfg.Logger, ep)
		case <-hup:
			cert.reload()
		case <-ctx.Done():
			playing.Wait()
			drain, cancel := context.WithTimeout(context.Background(), drainTime)
			defer cancel()
			if err := ep.Shutdown(drain); err != nil {
				return fmt.Errorf("shut down: %w", err)
			}
			return nil
		}
	}
}

// printTo writes to a standard stream. It goes on without it when nobody takes that
// in time: a pipe may be full.
func printTo(w io.Writer, format string, args ...any) {
	said := make(chan struct{})
	go func() { // ends with the process if nobody ever reads
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
func warnFewFiles(log *slog.Logger) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil && limit.Cur < fewFiles {
		log.Warn("low limit of open files: each client needs one", "clients_at_most", strconv.FormatUint(max(limit.Cur, 32)-32, 10),
			"fix", "raise it before the start: ulimit -n 1000000, LimitNOFILE= in systemd, --ulimit nofile= in docker")
	}
}

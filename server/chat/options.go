package chat

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/server/asynclog"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/settings"
)

// program names the settings.
var program = settings.Program{Prefix: "ROOST_", Secrets: []string{"secret", "cluster-secret", "admin-token", "api-token"}}

// groups are the flags by what they are for. Each is in one of them.
var groups = []settings.Group{
	{Title: "clients", Flags: "addr hosts tls-cert tls-key trusted-proxies proxy-protocol ready presence"},
	{Title: "limits", Flags: "max-conns max-conns-per-ip accept-rate idle drain outbound-max loops workers"},
	{Title: "cluster", Flags: "cluster cluster-ca cluster-cert cluster-key cluster-creds cluster-nkey cluster-secret-file secret-file"},
	{Title: "operators and other programs", Flags: "admin api pprof otlp-traces trace-ratio log log-rate config"},
	{Title: "in the environment or the file of -config alone", Flags: "secret cluster-secret admin-token api-token"},
}

// options hold the settings of the program.
type options struct {
	endpoint   phx.Config
	level      slog.Level
	lines      asynclog.Config
	link       cluster.Config
	secretFile string
	secret     string

	clusterSecretFile, clusterSecret string

	cert      certificate
	admin     admin
	outside   outside
	traces    traces
	profiling string
	idle      time.Duration
	presence  string // of everybody; see everybody

	values *settings.Values
}

// flags returns the flags of the program.
func (o *options) flags() *flag.FlagSet {
	f := flag.NewFlagSet("", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	cfg := &o.endpoint
	f.StringVar(&cfg.Addr, "addr", "127.0.0.1:4000", "`HOST:PORT` to listen on; port 0 picks a free one, an empty host means all addresses; unix:PATH is a Unix socket")
	f.TextVar(&o.level, "log", slog.LevelInfo, "log `level`: debug, info, warn or error")
	f.IntVar(&o.lines.Rate, "log-rate", 100, "log `lines` of one kind written per second, averaged over ten seconds; further ones are only counted")
	f.IntVar(&cfg.Loops, "loops", 0, "event `loops`; 0 means one for every two processors")
	f.IntVar(&cfg.Workers, "workers", 0, "`callbacks` that run at the same time; 0 means 64 for each processor")
	f.IntVar(&cfg.OutboundMax, "outbound-max", 64<<20, "`bytes` that may wait for one client before it is closed as a slow consumer")
	f.StringVar(&cfg.ReadyPath, "ready", "/ready", "`path` that answers 200, or 503 when the server should get no more clients because it is draining or full; empty means none")
	f.DurationVar(&cfg.DrainTimeout, "drain", 8*time.Second, "`time` that a clean shutdown may take: clients are told to leave, 10,000 in two seconds, and then the rest are closed")
	limitFlags(f, cfg)
	clusterFlags(f, &o.link)
	f.StringVar(&o.secretFile, "secret-file", "", "`file` with the secret that signs long-polling sessions, at least 20 random bytes, the same on all servers of a cluster; default a secret of this server's own")
	f.StringVar(&o.secret, "secret", "", "the `secret` of -secret-file itself")
	f.StringVar(&o.clusterSecretFile, "cluster-secret-file", "", "`file` with the secret that signs messages between the servers of a cluster, at least 20 random bytes, the same on all of them; default none: nothing is signed")
	f.StringVar(&o.clusterSecret, "cluster-secret", "", "the `secret` of -cluster-secret-file itself")
	o.cert.flags(f)
	f.DurationVar(&o.idle, "idle", time.Minute, "`time`, such as 90s, after which a client that sends nothing is closed; clients send a heartbeat every 30 s")
	f.StringVar(&o.presence, "presence", "", "all who join a room are seen there at once, as guests: clients are told `full|sample|count` (default: only who enters a name is seen)")
	o.admin.flags(f)
	o.outside.flags(f)
	o.traces.flags(f)
	f.StringVar(&o.profiling, "pprof", "", "`HOST:PORT` on which to serve only profiles, at /debug/pprof/, such as 127.0.0.1:6060; default nowhere")
	return f
}

// parse reads flags, environment and file. Values that make no sense are an error,
// as far as that can be said without listening or connecting.
func parse(args []string) (*options, error) {
	o := new(options)
	f := o.flags()
	var err error
	o.values, err = program.Parse(f, args)
	switch {
	case err != nil:
		return o, err
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q; see -help", f.Arg(0))
	}
	return o, o.check()
}

func (o *options) check() error {
	err := errors.Join(o.checkCluster(), checkAddr(o.endpoint.Addr), o.admin.check(o.values.From("admin-token")), o.outside.check(o.values.From("api-token")))
	if o.profiling != "" {
		err = errors.Join(err, checkHostPort("pprof", o.profiling, ""))
	}
	if !slices.Contains([]string{"", "full", "sample", "count"}, o.presence) {
		err = errors.Join(err, fmt.Errorf("-presence is %q: want full, sample or count", o.presence))
	}
	if o.idle < 0 {
		err = errors.Join(err, fmt.Errorf("-idle is %v: want a time such as 60s, or 0, which is that", o.idle))
	}
	if o.endpoint.DrainTimeout <= 0 {
		err = errors.Join(err, fmt.Errorf("-drain is %v: want a time such as 8s", o.endpoint.DrainTimeout))
	}
	if o.lines.Rate < 1 {
		err = errors.Join(err, fmt.Errorf("-log-rate is %d: want at least 1; -log error keeps a log small", o.lines.Rate))
	}
	return errors.Join(err, o.readSecrets(), o.cert.check(), o.traces.check())
}

package phxclient

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"
)

// A Version is one of the protocol, the vsn parameter.
type Version string

// V1 has neither binary payloads nor join refs: the end of a channel that was left may
// be mistaken for the end of the next one. Both are there for old servers.
const (
	V1 Version = "1.0.0"
	V2 Version = "2.0.0"
)

// A Config says how to connect. The zero value works; none of it may change while a
// client has it.
type Config struct {
	// Params are sent in the query of each connect. Maps and slices are encoded as the
	// official client does (spec §1.2). Nil means none.
	Params map[string]any

	// AuthToken is sent as the official client's authToken (spec §1.5). Empty means none.
	AuthToken string

	// Header has further fields of the handshake, such as Origin. Nil means none.
	Header http.Header

	// Renew is called before each connect, with a copy of this Config in which it may set
	// Params, AuthToken and Header: tokens expire. An error counts as a connect that
	// failed. The context ends with the connect's time. Nil means that they stay.
	Renew func(ctx context.Context, cfg *Config) error

	// TLS is for wss; its NextProtos are not used. Nil means the defaults of crypto/tls,
	// with the roots of the system.
	TLS *tls.Config

	// Version is the version of the protocol. Empty means V2.
	Version Version

	// Heartbeat is how often the client sends a sign of life. Without an answer when the
	// next one is due, the connection is closed and opened again. Zero means 30 s.
	Heartbeat time.Duration

	// Timeout is how long a connect, a join, a Request or a write may take. Zero means
	// 10 s.
	Timeout time.Duration

	// Reconnect is how long to wait before the client connects for the nth time in a row,
	// from 1. Connections that have lasted 5 s end the row. Nil means 10, 50, 100, 150, 200,
	// 250, 500, 1,000, 2,000, then 5,000 ms, each times a random factor from 0.5 to 1.5.
	Reconnect func(n int) time.Duration

	// Rejoin is how long to wait before a channel that crashed, or was refused when it
	// joined again, joins for the nth time in a row. Nil means 1, 2, 5, then 10 s, with the
	// same factor. Like Reconnect it must not call the client.
	Rejoin func(n int) time.Duration

	// OutboxMax is how many bytes may wait to be sent, including pushes before the join.
	// Each message counts as its payload and 256 bytes; one always has room.
	// Zero means 1 MiB.
	OutboxMax int

	// InboxMax is how many bytes may wait in a channel for Messages to yield them, counted
	// alike. Zero means 16 MiB, which has room for the presences of 100,000 users.
	InboxMax int

	// Logger gets lost connections and failed joins, at level Warn, and their mending, at
	// level Info. Its handler must not call the client. Nil means that nothing is logged.
	Logger *slog.Logger
}

// overhead is how many bytes a message counts beside its payload.
const overhead = 256

// settled is how long a connection must last to have been no failure.
const settled = 5 * time.Second

// Delays of the official client (spec §9.1), which has no jitter.
var (
	reconnects = []time.Duration{
		10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 150 * time.Millisecond, 200 * time.Millisecond,
		250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second,
	}
	rejoins = []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second}
)

// jittered takes the nth of some delays, or the last one.
func jittered(delays []time.Duration) func(n int) time.Duration {
	return func(n int) time.Duration {
		d := delays[min(n, len(delays))-1]
		return d/2 + rand.N(d)
	}
}

// withDefaults checks cfg and fills in what is zero.
func (cfg Config) withDefaults() (Config, error) {
	cfg.Version = cmp.Or(cfg.Version, V2)
	cfg.Heartbeat = cmp.Or(cfg.Heartbeat, 30*time.Second)
	cfg.Timeout = cmp.Or(cfg.Timeout, 10*time.Second)
	cfg.OutboxMax = cmp.Or(cfg.OutboxMax, 1<<20)
	cfg.InboxMax = cmp.Or(cfg.InboxMax, 16<<20)
	if cfg.Reconnect == nil {
		cfg.Reconnect = jittered(reconnects)
	}
	if cfg.Rejoin == nil {
		cfg.Rejoin = jittered(rejoins)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case cfg.Version != V1 && cfg.Version != V2:
		return cfg, fmt.Errorf("Config.Version is %q: use V1 or V2", cfg.Version)
	case cfg.Heartbeat < 0:
		return cfg, fmt.Errorf("Config.Heartbeat is %v: use a positive duration, or 0 for 30 s", cfg.Heartbeat)
	case cfg.Timeout < 0:
		return cfg, fmt.Errorf("Config.Timeout is %v: use a positive duration, or 0 for 10 s", cfg.Timeout)
	case cfg.OutboxMax < 0:
		return cfg, fmt.Errorf("Config.OutboxMax is %d: use a positive number of bytes, or 0 for 1 MiB", cfg.OutboxMax)
	case cfg.InboxMax < 0:
		return cfg, fmt.Errorf("Config.InboxMax is %d: use a positive number of bytes, or 0 for 16 MiB", cfg.InboxMax)
	}
	return cfg, nil
}

// Package natsserver runs a NATS server inside this process, for clusters on one
// host and for tests. It writes no files and handles no signals.
//
// It is a package of its own because linking the NATS server costs every process
// some 3.5 MB of memory, used or not: nodes that only connect do without.
package natsserver

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	startTimeout = 10 * time.Second // far more than a start takes

	// How long a node may take to read what waits for it and to say who it is. It
	// may share its host with a hundred others that all have a broadcast to deliver;
	// NATS's own 10 s and 2 s end the links of busy nodes.
	writeDeadline = 30 * time.Second
	authTimeout   = 30 * time.Second
)

// A Config says how a Server works. The zero value is usable.
type Config struct {
	// Addr is where to listen. Port 0 is any free one. Empty means
	// "127.0.0.1:4222", where nodes look by default.
	Addr string

	// Token is what clients have to know. Without one Addr must be of this host
	// only.
	Token string `json:"-"`

	// MaxPayload is how many bytes a message between nodes may have. Zero means
	// 8 MiB, more than a client can send.
	MaxPayload int

	// Logger takes what the server has to say. Nil means slog.Default.
	Logger *slog.Logger `json:"-"`
}

// A Server is a running NATS server.
type Server struct {
	nats *server.Server
	url  string
}

// Start starts a server. It listens when Start returns.
func Start(cfg Config) (*Server, error) {
	options, err := cfg.options()
	if err != nil {
		return nil, fmt.Errorf("natsserver: %w", err)
	}
	s, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("natsserver: %w", err)
	}
	log := &logger{log: cmp.Or(cfg.Logger, slog.Default())}
	s.SetLoggerV2(log, false, false, false)
	s.Start()
	if fatal := log.fatal.Load(); fatal != nil || !s.ReadyForConnections(startTimeout) {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, fmt.Errorf("natsserver: not started; choose another Config.Addr if that is in use: %w", cmp.Or(fatal, &fatalError{"not ready"}))
	}
	u := url.URL{Scheme: "nats", Host: s.Addr().String()}
	if cfg.Token != "" {
		u.User = url.User(cfg.Token)
	}
	return &Server{s, u.String()}, nil
}

func (c Config) options() (*server.Options, error) {
	host, port, err := net.SplitHostPort(cmp.Or(c.Addr, "127.0.0.1:4222"))
	if err != nil {
		return nil, fmt.Errorf("Config.Addr: %w", err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("Config.Addr: port %q: use a number from 0 to 65535", port)
	}
	if ip := net.ParseIP(host); c.Token == "" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("Config.Addr %q is open to others: set Config.Token", c.Addr)
	}
	if c.MaxPayload < 0 || c.MaxPayload > server.MAX_PENDING_SIZE {
		return nil, fmt.Errorf("Config.MaxPayload is %d: use 0 to %d", c.MaxPayload, server.MAX_PENDING_SIZE)
	}
	options := &server.Options{
		Host:            host,
		Port:            int(n),
		Authorization:   c.Token,
		MaxPayload:      int32(cmp.Or(c.MaxPayload, 8<<20)),
		WriteDeadline:   writeDeadline,
		AuthTimeout:     authTimeout.Seconds(),
		NoSigs:          true,
		NoSystemAccount: true,
	}
	if n == 0 {
		options.Port = server.RANDOM_PORT
	}
	return options, nil
}

// URL is where clients on this host find the server, with the token.
func (s *Server) URL() string { return s.url }

// Close drops all clients and returns when the server has ended.
func (s *Server) Close() {
	s.nats.Shutdown()
	s.nats.WaitForShutdown()
}

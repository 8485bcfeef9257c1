// The app command is a program that somebody may write with Roost: a module of its
// own, with a router, TLS, a database and a cluster. CI builds and tests it, so that
// what it uses stays as it is.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/roost-rt/roost/pubsub/cluster"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	addr := flag.String("addr", "127.0.0.1:4443", "`HOST:PORT` to listen on")
	cert := flag.String("cert", "cert.pem", "`file` of the certificate")
	key := flag.String("key", "key.pem", "`file` of its key")
	path := flag.String("db", "app.sqlite", "`file` of the database")
	nats := flag.String("nats", "nats://127.0.0.1:4222", "`URL` of the NATS server that joins the nodes")
	flag.Parse()

	s, err := openStore(ctx, *path)
	if err != nil {
		return err
	}
	defer s.db.Close()
	a, err := newApp(s, cluster.New(cluster.Config{URL: *nats}), slog.Default())
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return errors.Join(err, a.endpoint.Shutdown(ctx))
	}
	return serve(ctx, a, ln, func(server *http.Server) error { return server.ServeTLS(ln, *cert, *key) })
}

// serve serves the app until ctx is done, then has its clients go to another node.
func serve(ctx context.Context, a *app, ln net.Listener, begin func(*http.Server) error) error {
	server := &http.Server{Handler: a.routes(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- begin(server) }() // until Shutdown, below
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
	}
	late, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	// The endpoint first: the server does not know its WebSockets, and waits for polls.
	return errors.Join(err, a.endpoint.Shutdown(late), server.Shutdown(late))
}

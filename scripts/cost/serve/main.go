// Serve is the server that scripts/cost measures: the chat server or, with -tls,
// its rooms behind TLS. It uses only what there was at commit 3529a58, so that the
// same source measures what later commits changed.
//
// It prints "listening on HOST:PORT" and ends with its standard input. SIGUSR1 has
// it collect its garbage, and then write a line with msg=memory to standard error.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/roost-rt/roost/server/chat"
	"github.com/roost-rt/roost/server/phx"
)

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, os.Stdin) // its end is all that matters
		cancel()
	}()
	if !slices.Contains(os.Args[1:], "-tls") {
		os.Exit(chat.Main(ctx, []string{"-addr", "127.0.0.1:0"}, os.Stdout, os.Stderr))
	}
	if err := serveTLS(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

func serveTLS(ctx context.Context) error {
	usr1 := make(chan os.Signal, 1) // before clients know the process: an unexpected one would end it
	signal.Notify(usr1, syscall.SIGUSR1)
	cert, err := certificate()
	if err != nil {
		return err
	}
	ep, err := phx.Start(phx.Config{
		Addr: "127.0.0.1:0",
		TLS:  &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13},
		Mounts: []phx.Mount{
			{Path: "/socket", LogConnect: slog.LevelDebug, Routes: []phx.Route{{Pattern: "room:*", Type: chat.Room()}}},
		},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	fmt.Printf("listening on %s\n", ep.Addr())
	for {
		select {
		case <-usr1:
			debug.FreeOSMemory()
			debug.FreeOSMemory() // what had finalizers or was in pools goes with the second
			fmt.Fprintf(os.Stderr, "msg=memory goroutines=%d\n", runtime.NumGoroutine())
		case <-ctx.Done():
			return nil
		}
	}
}

// certificate signs itself: clients here verify none.
func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

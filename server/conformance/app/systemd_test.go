package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/activation"

	"github.com/roost-rt/roost/server/phx"
)

// activated is set for the process that systemd would start.
const activated = "APP_ACTIVATED"

func TestMain(m *testing.M) {
	if os.Getenv(activated) == "" {
		os.Exit(m.Run())
	}
	if err := serveActivated(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serveActivated serves the sockets that systemd has opened, until end ends.
func serveActivated(end io.Reader) error {
	listeners, err := activation.Listeners()
	if err != nil {
		return err
	}
	ep, err := phx.New(phx.Config{Logger: slog.New(slog.DiscardHandler), Mounts: []phx.Mount{{Path: "/socket"}}})
	if err != nil {
		return err
	}
	for _, ln := range listeners {
		go ep.Serve(ln) // until Shutdown
	}
	_, _ = io.Copy(io.Discard, end)
	return ep.Shutdown(context.Background())
}

// Sockets of systemd's are served, of TCP and Unix, also for those who connected before
// the process was there.
func TestSystemdSockets(t *testing.T) {
	var sockets []*os.File
	var conns []net.Conn
	for network, addr := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "s")} {
		ln, err := net.Listen(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		socket, err := ln.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close()
		conn, err := net.Dial(network, ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience)) // a failure shows below
		io.WriteString(conn, "GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"+
			"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		sockets, conns = append(sockets, socket), append(conns, conn)
	}
	server := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0"`, os.Args[0])
	server.Env = append(os.Environ(), activated+"=yes", "LISTEN_FDS=2")
	server.ExtraFiles = sockets // descriptors from 3 on, as LISTEN_FDS says
	server.Stderr = os.Stderr
	end, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	for _, conn := range conns {
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "HTTP/1.1 101 ") {
			t.Errorf("answer over %s: %q, %v, want 101", conn.LocalAddr().Network(), line, err)
		}
		conn.Close()
	}
	end.Close()
	if err := server.Wait(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
}

package phx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/roost-rt/roost/server/phx"
)

// An endpoint below a router of net/http's, beside other routes of the same server.
// Echo takes it by echo.WrapHandler; for chi see server/conformance/app.
func ExampleEndpoint_ServeHTTP() {
	ep, err := phx.New(phx.Config{
		Logger: slog.New(slog.DiscardHandler),
		Host:   "example.test", // beside localhost, which is all that a loopback address has by itself
		Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "room:*", Type: &phx.ChannelType{}}}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/socket/", ep)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "a page") })
	server := httptest.NewServer(mux) // in a program: http.Server.ListenAndServe

	fmt.Println(answerOf(net.Dial("tcp", server.Listener.Addr().String())))

	// The endpoint first: it tells its clients to go. Then the server, which does not
	// know them.
	fmt.Println(ep.Shutdown(context.Background()))
	server.Close()
	// Output:
	// HTTP/1.1 101 Switching Protocols
	// <nil>
}

// An endpoint on a Unix socket, for a proxy on the same host. Systemd's sockets are
// served likewise: activation.Listeners of github.com/coreos/go-systemd/v22 returns
// them.
func ExampleEndpoint_Serve() {
	ep, err := phx.New(phx.Config{
		Logger: slog.New(slog.DiscardHandler),
		Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "room:*", Type: &phx.ChannelType{}}}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	dir, err := os.MkdirTemp("", "roost")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "roost.sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan error)
	go func() { served <- ep.Serve(ln) }()

	fmt.Println(answerOf(net.Dial("unix", path)))

	fmt.Println(ep.Shutdown(context.Background()))
	fmt.Println(errors.Is(<-served, http.ErrServerClosed))
	// Output:
	// HTTP/1.1 101 Switching Protocols
	// <nil>
	// true
}

// answerOf asks for a WebSocket and returns the first line of the answer.
func answerOf(conn net.Conn, err error) string {
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	if _, err := conn.Write(request("/socket/websocket?vsn=2.0.0")); err != nil {
		return err.Error()
	}
	answer := make([]byte, 1024)
	n, err := conn.Read(answer)
	if err != nil {
		return err.Error()
	}
	line, _, _ := strings.Cut(string(answer[:n]), "\r\n")
	return line
}

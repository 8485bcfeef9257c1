package phx_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/phx"
)

// Requests for no mount go to Config.HTTP: with bodies, over connections that
// are kept, beside sockets on the same port.
func TestHTTP(t *testing.T) {
	ep := startConfig(t, phx.Config{
		Mounts: []phx.Mount{{Path: "/socket"}},
		HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			fmt.Fprintln(w, r.Method, r.URL, len(body), err)
		}),
	})
	socket := dial(t, ep)
	var dials int
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials++
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	defer transport.CloseIdleConnections()
	web := http.Client{Transport: transport, Timeout: patience}
	for _, size := range []int{0, 10, 300_000} {
		resp, err := web.Post("http://"+ep.Addr().String()+"/x?y=1", "text/plain", strings.NewReader(strings.Repeat("b", size)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if want := fmt.Sprintln("POST", "/x?y=1", size, nil); string(got) != want || err != nil {
			t.Errorf("body of %d bytes: got %q, %v, want %q", size, got, err, want)
		}
		socket.heartbeat()
	}
	if dials != 1 {
		t.Errorf("%d connections for three requests, want one that is kept", dials)
	}
}

// Requests may be sent without waiting for the answers, and in pieces.
func TestHTTPPipelined(t *testing.T) {
	ep := startConfig(t, phx.Config{HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) })})
	c := connect(t, ep)
	c.write([]byte("GET /a HTTP/1.1\r\nHo"))
	eventually(t, "the connection is there", func() bool { return ep.Stats().Connections == 1 })
	c.write([]byte("st: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\nGET /c HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))
	all, err := io.ReadAll(c.conn)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/a", "/b", "/c"} {
		if !strings.Contains(string(all), "\r\n\r\n"+path) {
			t.Errorf("no answer to %s in %q", path, all)
		}
	}
}

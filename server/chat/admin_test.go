package chat_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/chat"
	"github.com/roost-rt/roost/server/live"
)

// withBoard is the program as it is shipped, without traces.
var withBoard = chat.Program{Board: func() chat.Board { return live.NewBoard() }}

// adminServer is the program with -admin.
type adminServer struct {
	t           *testing.T
	url, listen string // of operators, without the path; where clients connect
	end         func() // begins the end
	code        chan int
}

func runAdmin(t *testing.T, args ...string) *adminServer {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	outR, stdout := io.Pipe()
	errR, stderr := io.Pipe()
	s := &adminServer{t: t, end: cancel, code: make(chan int, 1)}
	go func() { // wait waits for it
		s.code <- withBoard.Main(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), stdout, stderr)
		stderr.Close()
	}()
	logged := bufio.NewReader(errR)
	line, err := logged.ReadString('\n')
	url := regexp.MustCompile(`msg=admin url=(http://\S+)/ `).FindStringSubmatch(line)
	if err != nil || url == nil {
		t.Fatalf("the server logs %q, %v; want the URL for operators", line, err)
	}
	go io.Copy(io.Discard, logged) // until stderr is closed
	line, err = bufio.NewReader(outR).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("the server says %q, %v; want listening on HOST:PORT", line, err)
	}
	s.url, s.listen = url[1], addr
	return s
}

// get asks for a path of operators.
func (s *adminServer) get(path, token, host string) (status int, body string) {
	s.t.Helper()
	r, err := http.NewRequest("GET", s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Host, r.Close = host, true
	switch {
	case strings.HasPrefix(token, "Basic "):
		r.Header.Set("Authorization", token)
	case token != "":
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// wait ends the server.
func (s *adminServer) wait() {
	s.t.Helper()
	s.end()
	if got := <-s.code; got != 0 {
		s.t.Errorf("Main = %d, want 0", got)
	}
	if _, err := http.Get(s.url + "/healthz"); err == nil {
		s.t.Error("operators are still answered after the end")
	}
}

// connect is a client that never reads.
func (s *adminServer) connect() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.listen)
	if err != nil {
		s.t.Fatal(err)
	}
	fmt.Fprintf(c, "GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		s.t.Fatalf("the handshake: %v, %v", answer, err)
	}
	return c
}

// Operators have all there is at one address, where clients have none of it; whoever
// leads a browser there by another name has nothing either.
func TestAdmin(t *testing.T) {
	s := runAdmin(t, "-admin", "127.0.0.1:0")
	client := s.connect()
	defer client.Close()
	for _, tt := range []struct {
		path, host string
		status     int
		want       string // in the body
	}{
		{"/metrics", "", 200, "\nroost_sockets{transport=\"websocket\"} 1\n"},
		{"/metrics", "", 200, "\nroost_connects_total{mount=\"/socket\",result=\"ok\",transport=\"websocket\"} 1\n"},
		{"/metrics", "", 200, "\nroost_presence_entries{presence=\"presence\"} 0\n"},
		{"/metrics", "", 200, "\nprocess_resident_memory_bytes "},
		{"/metrics", "", 200, "\ngo_memstats_heap_alloc_bytes "},
		{"/", "", 200, "live.js"},
		{"/", "evil.example", 421, ""},
		{"/topics", "", 200, `{"topics":[]`},
		{"/metrics", "localhost:9000", 200, "roost_ready 1"},
		{"/metrics", "evil.example", 421, "ask for localhost"},
		{"/healthz", "", 200, "ok\n"},
		{"/readyz", "", 200, "ok\n"},
		{"/stats", "", 200, `"sockets":1`},
		{"/ledger", "", 200, `"cuts":[]`},
		{"/sockets", "", 200, `"mount":"/socket"`},
		{"/sockets", "evil.example:80", 421, ""},
		{"/debug/pprof/", "", 200, "profile?seconds=30"},
		{"/nothing", "", 404, ""},
	} {
		if status, body := s.get(tt.path, "", tt.host); status != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("GET %s for host %q: %d %.200q, want %d and %q in it", tt.path, tt.host, status, body, tt.status, tt.want)
		}
	}
	clients := adminServer{t: t, url: "http://" + s.listen}
	for _, path := range []string{"/metrics", "/healthz", "/stats", "/debug/pprof/"} {
		if status, _ := clients.get(path, "", ""); status != 404 {
			t.Errorf("GET %s where clients connect: %d, want 404", path, status)
		}
	}
	client.Close()
	s.wait()
}

// With a token it may be reached from anywhere, by who has it; probes need none.
func TestAdminToken(t *testing.T) {
	const token = "0123456789abcdef"
	t.Setenv("ROOST_ADMIN", "0.0.0.0:0")
	t.Setenv("ROOST_ADMIN_TOKEN", token)
	s := runAdmin(t)
	s.url = strings.Replace(s.url, "[::]", "127.0.0.1", 1)
	basic := func(password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte("ann:"+password))
	}
	for _, tt := range []struct {
		path, token string
		status      int
	}{
		{"/", basic(token), 200}, // a browser's
		{"/live/websocket", basic(""), 401},
		{"/", basic("wrong"), 401},
		{"/metrics", token, 200},
		{"/metrics", "", 401},
		{"/metrics", token + "0", 401},
		{"/stats", "wrong", 401},
		{"/stats", token, 200},
		{"/debug/pprof/heap", "", 401},
		{"/healthz", "", 200},
		{"/readyz", "", 200},
	} {
		if status, body := s.get(tt.path, tt.token, "node.example"); status != tt.status {
			t.Errorf("GET %s with the token %q: %d %.80q, want %d", tt.path, tt.token, status, body, tt.status)
		}
	}
	s.wait()
	t.Setenv("ROOST_ADMIN_TOKEN", "short")
	var stderr strings.Builder
	if got := chat.Main(context.Background(), nil, io.Discard, &stderr); got != 2 || !strings.Contains(stderr.String(), "ROOST_ADMIN_TOKEN has 5 characters") {
		t.Errorf("Main with a short token = %d, %q", got, stderr.String())
	}
}

// A load balancer sees a drain while clients are still there, and the process lives.
func TestAdminInDrain(t *testing.T) {
	s := runAdmin(t, "-admin", "127.0.0.1:0")
	client := s.connect()
	defer client.Close()
	s.end()
	status, body := 0, ""
	for end := time.Now().Add(patience); status != 503 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		status, body = s.get("/readyz", "", "")
	}
	if status != 503 || body != "draining\n" {
		t.Errorf("GET /readyz in a drain: %d %q, want 503", status, body)
	}
	if status, _ := s.get("/healthz", "", ""); status != 200 {
		t.Errorf("GET /healthz in a drain: %d, want 200", status)
	}
	client.Close()
	s.wait()
}

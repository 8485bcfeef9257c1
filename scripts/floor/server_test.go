package main_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/conduct"
	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/record"
)

// startServer starts floor server and returns its address. It ends with the
// test, by the end of its standard input.
func startServer(t *testing.T, args ...string) string {
	t.Helper()
	c := exec.Command(floor, append([]string{"server"}, args...)...)
	stdin, err1 := c.StdinPipe()
	stdout, err2 := c.StdoutPipe()
	var stderr bytes.Buffer
	c.Stderr = &stderr
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		timer := time.AfterFunc(patience, func() { _ = c.Process.Kill() })
		defer timer.Stop()
		if err := c.Wait(); err != nil || stderr.Len() > 0 {
			t.Errorf("floor server ended with %v, want 0 and no words, got:\n%s", err, &stderr)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	addr, found := strings.CutPrefix(line, "listening on ")
	if err != nil || !found {
		t.Fatalf("floor server prints %q, %v, want its address", line, err)
	}
	return strings.TrimSpace(addr)
}

const (
	request = "GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	response = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)

// masked is a text frame of a client with the mask "abcd", RFC 6455 §5.2.
func masked(text string) string {
	b := []byte{0x81, 0x80 | byte(len(text))}
	if len(text) > 125 {
		b = []byte{0x81, 0x80 | 126, byte(len(text) >> 8), byte(len(text))}
	}
	b = append(b, "abcd"...)
	for i := range len(text) {
		b = append(b, text[i]^"abcd"[i&3])
	}
	return string(b)
}

// A peer is a client that is one connection.
type peer struct {
	t *testing.T
	net.Conn
}

func dial(t *testing.T, addr string) peer {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return peer{t, c}
}

func (p peer) say(bytes string) {
	p.t.Helper()
	if _, err := io.WriteString(p, bytes); err != nil {
		p.t.Fatal(err)
	}
}

func (p peer) want(bytes string) {
	p.t.Helper()
	got := make([]byte, len(bytes))
	if n, err := io.ReadFull(p, got); err != nil || string(got) != bytes {
		p.t.Fatalf("read %q, %v, want %q", got[:n], err, bytes)
	}
}

// What Roost with its chat server answers, byte for byte.
var (
	long      = `{"w":1,"body":"` + strings.Repeat("x", 112) + `"}` // 129 bytes
	exchanges = []struct{ name, say, want string }{
		{"upgrade", request, response},
		{"join", masked(`["1","1","room:lobby","phx_join",{}]`),
			"\x81\x40" + `["1","1","room:lobby","phx_reply",{"status":"ok","response":{}}]`},
		{"heartbeat", masked(`[null,"2","phoenix","heartbeat",{}]`),
			"\x81\x3e" + `[null,"2","phoenix","phx_reply",{"status":"ok","response":{}}]`},
		{"broadcast", masked(`["1","3","room:lobby","new_msg",{"body":"]}"}]`),
			"\x81\x30" + `[null,null,"room:lobby","new_msg",{"body":"]}"}]`},
		{"broadcast with an extended length", masked(`["1","3","room:lobby","new_msg",` + long + `]`),
			"\x81\x7e\x00\xa4" + `[null,null,"room:lobby","new_msg",` + long + `]`},
		{"echo", masked(`["1","4","room:lobby","echo",{"a":[1,"2"]}]`),
			"\x81\x4b" + `["1","4","room:lobby","phx_reply",{"status":"ok","response":{"a":[1,"2"]}}]`},
		{"ping", masked(`["1","5","room:lobby","ping",{}]`),
			"\x81\x40" + `["1","5","room:lobby","phx_reply",{"status":"ok","response":{}}]`},
	}
)

func TestServerAnswers(t *testing.T) {
	p := dial(t, startServer(t))
	for _, e := range exchanges {
		p.say(e.say)
		p.want(e.want)
	}
}

func TestServerTakesSplitAndJoinedInput(t *testing.T) {
	addr := startServer(t)
	var all, answers string
	for _, e := range exchanges {
		all, answers = all+e.say, answers+e.want
	}
	pieces := dial(t, addr) // alone in the room, as the other has not joined
	for i := range all {
		pieces.say(all[i : i+1])
	}
	pieces.want(answers)
	pieces.Close()

	whole := dial(t, addr)
	whole.say(all)
	whole.want(answers)
}

func TestServerBroadcastsToThoseWhoStay(t *testing.T) {
	for _, writers := range []string{"1", "3"} {
		addr := startServer(t, "-writers", writers)
		var room []peer
		for range 900 { // more than one block stays
			p := dial(t, addr)
			p.say(request + exchanges[1].say)
			p.want(response + exchanges[1].want)
			room = append(room, p)
		}
		var stay []peer
		for i, p := range room { // some of those who go have taken the place of another
			if i%3 == 0 {
				stay = append(stay, p)
			} else {
				p.Close()
			}
		}
		stay[0].say(exchanges[3].say)
		for _, p := range stay {
			p.want(exchanges[3].want)
		}
		stay[1].say(exchanges[2].say) // nothing but the message has come before the answer
		stay[1].want(exchanges[2].want)
	}
}

// Processes of one -room hear what is said at each of them, once.
func TestServersAreOneRoom(t *testing.T) {
	pid := os.Getpid()
	room := fmt.Sprintf("239.255.%d.%d:%d", pid>>8&0xff, pid&0xff, 20000+pid%10000)
	var members []peer
	for range 3 {
		p := dial(t, startServer(t, "-room", room))
		p.say(request + exchanges[1].say)
		p.want(response + exchanges[1].want)
		members = append(members, p)
	}
	for _, p := range members {
		p.say(exchanges[3].say)
		for _, all := range members {
			all.want(exchanges[3].want)
		}
	}
	for _, p := range members { // nothing but the messages has come before the answer
		p.say(exchanges[2].say)
		p.want(exchanges[2].want)
	}
}

// TestServerServesOurClients has the load test take it for a Channels server.
func TestServerServesOurClients(t *testing.T) {
	host, err := kernel.Here()
	if err != nil {
		t.Fatal(err)
	}
	cfg := plan.Config{Clients: 500, Messages: 10, Rate: 50, Heartbeat: 5 * time.Second,
		ServerCommand: []string{floor, "server", "-writers", "2"}}
	p, err := plan.New(cfg, host)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	var end *record.End
	memory := 0
	err = conduct.Run(ctx, cfg, p, nil, func(r record.Record) {
		if r.End != nil {
			end = r.End
		}
		if r.Memory != nil {
			memory++
		}
	})
	if err != nil || end == nil {
		t.Fatalf("swarm.Run() = %v", err)
	}
	type account struct{ Joined, Delivered, Lost, Duplicated, Reordered int64 }
	got, want := account{end.Joined, end.Delivered, end.Lost, end.Duplicated, end.Reordered}, account{500, 5000, 0, 0, 0}
	if got != want || len(end.Errors) > 0 {
		t.Errorf("account %+v with errors %v, want %+v", got, end.Errors, want)
	}
	if memory != 3 {
		t.Errorf("%d records of memory, want 3: empty, joined, after", memory)
	}
}

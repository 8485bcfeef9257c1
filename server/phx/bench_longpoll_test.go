package phx_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// pollers are clients of long polling that have all joined one topic, each with a
// GET that waits on a connection of its own. The server is another process.
type pollers struct {
	t       testing.TB
	server  *memoryServer
	conns   []net.Conn
	got     sync.WaitGroup // answers with messages that are still to come
	running sync.WaitGroup
}

const lobbyJoined = `[\"1\",\"1\",\"room:lobby\",\"phx_reply\"`

// add lets one more in. Its goroutine ends with its connection.
func (p *pollers) add() {
	p.t.Helper()
	conn, err := net.DialTimeout("tcp", p.server.addr, patience)
	if err != nil {
		p.t.Fatal(err)
	}
	c := &webConn{p.t, conn, bufio.NewReaderSize(conn, 2<<10)}
	const target = "/socket/longpoll?vsn=2.0.0"
	token := c.do("GET", target, "", browserHeaders...).Token
	session := target + "&token=" + token
	if a := c.do("POST", session, `["1","1","room:lobby","phx_join",{}]`, append(browserHeaders, ndjson)...); a.Status != 200 {
		p.t.Fatalf("join: %s", a.body)
	}
	if a := c.do("GET", session, "", browserHeaders...); !strings.Contains(a.body, lobbyJoined) {
		p.t.Fatalf("poll: %s", a.body)
	}
	p.conns = append(p.conns, conn)
	request := []byte("GET " + session + " HTTP/1.1\r\nHost: example.test:4000\r\n" + strings.Join(browserHeaders, "\r\n") + "\r\n\r\n")
	p.running.Go(func() { p.poll(conn, c.in, request) })
}

// browserHeaders are the fields that Firefox sends with a request of the official client.
var browserHeaders = []string{
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
	"Accept: application/json", "Accept-Language: en-US,en;q=0.5", "Accept-Encoding: gzip, deflate, br, zstd",
	"Referer: http://example.test:4000/", "Connection: keep-alive", "Sec-Fetch-Dest: empty", "Sec-Fetch-Mode: cors", "Sec-Fetch-Site: same-origin",
}

// poll asks for messages, again and again.
func (p *pollers) poll(conn net.Conn, in *bufio.Reader, request []byte) {
	for {
		if _, err := conn.Write(request); err != nil {
			return
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return
		}
		if strings.HasPrefix(string(body), `{"status":200`) {
			p.got.Done()
		}
	}
}

func (p *pollers) grow(to int) {
	for len(p.conns) < to {
		p.add()
	}
}

// broadcast returns when every client has got it.
func (p *pollers) broadcast() {
	p.got.Add(len(p.conns))
	p.server.ask(p.t, "broadcast")
	p.got.Wait()
}

func (p *pollers) end() {
	for _, conn := range p.conns {
		conn.Close()
	}
	p.running.Wait()
	p.server.end()
}

// BenchmarkPollFanOut measures the time that the server process uses for one delivery of
// a broadcast to a session that polls: its own user and system time, from the
// broadcast to the next GET that waits. Meanwhile a WebSocket client in a third process
// sends one heartbeat after the other: how long it waits for its reply at most.
func BenchmarkPollFanOut(b *testing.B) {
	for _, n := range []int{100, 2000} {
		b.Run(fmt.Sprintf("sessions=%d", n), func(b *testing.B) {
			p := &pollers{t: b, server: startProcess(b, "long polling")}
			defer p.end()
			p.grow(n)
			bystander := startProcess(b, "bystander of "+p.server.addr)
			defer bystander.end()
			p.broadcast()
			bystander.ask(b, "slowest")
			before, rounds := p.server.ask(b, "cpu"), 0
			for b.Loop() {
				p.broadcast()
				rounds++
			}
			cpu := p.server.ask(b, "cpu") - before
			b.ReportMetric(float64(cpu)/float64(rounds*n)/1e3, "cpu-µs/delivery")
			b.ReportMetric(float64(bystander.ask(b, "slowest"))/1e6, "max-ms/heartbeat")
		})
	}
}

// BenchmarkPollMemory measures the memory that the server keeps for a session with a GET
// that waits, on a connection of its own: the slope of its resident memory from 500 to
// 4,000 of them, each after a broadcast and a garbage collection. Kernel memory is
// not in it. Run it with -benchtime 1x.
func BenchmarkPollMemory(b *testing.B) {
	const few, many = 500, 4000
	for b.Loop() {
		p := &pollers{t: b, server: startProcess(b, "long polling")}
		resident := func(n int) int {
			p.grow(n)
			p.broadcast()
			return p.server.resident(b)
		}
		before := resident(few)
		b.ReportMetric(float64(resident(many)-before)/(many-few), "B/session")
		p.end()
	}
	b.ReportMetric(0, "ns/op") // means nothing here
}

// bystand sends heartbeats until its input ends. It answers each line of it with how
// long the slowest reply has taken since the line before, in ns.
func bystand(addr string) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	c := &client{t: new(testing.B), conn: conn}
	c.write(request("/socket/websocket?vsn=2.0.0"))
	c.head()
	var mu sync.Mutex // guards slowest
	var slowest time.Duration
	go func() { // ends with the process
		for range time.Tick(time.Millisecond) {
			begin := time.Now()
			c.heartbeat()
			mu.Lock()
			slowest = max(slowest, time.Since(begin))
			mu.Unlock()
		}
	}()
	fmt.Println(addr)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		mu.Lock()
		fmt.Println(slowest.Nanoseconds())
		slowest = 0
		mu.Unlock()
	}
	return nil
}

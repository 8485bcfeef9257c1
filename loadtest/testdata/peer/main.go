// Peer is a plain WebSocket server to try load tests on: a text to /chat goes to
// all who are connected, one to /echo goes back.
package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/gobwas/ws"
)

// most is the longest frame that is read, in bytes.
const most = 1 << 20

// A peer is one room.
type peer struct {
	deaf int  // the member that does not get the third message; -1 for none
	loud bool // what is to be echoed goes to all

	mu      sync.Mutex
	members []net.Conn
	seq     int
}

func main() {
	p := new(peer)
	flag.IntVar(&p.deaf, "deaf", -1, "`number` of the member that does not get the third message")
	flag.BoolVar(&p.loud, "loud", false, "send to all what is to be echoed")
	flag.Parse()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	collect := make(chan os.Signal, 1)
	signal.Notify(collect, syscall.SIGUSR1)
	go func() { // ends with the process, as does the next
		for range collect {
			fmt.Fprintln(os.Stderr, "msg=memory")
		}
	}()
	go func() { _ = http.Serve(ln, p) }()
	fmt.Println("listening on " + ln.Addr().String())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, buffered, _, err := ws.UpgradeHTTP(r, w)
	if err != nil {
		return
	}
	defer conn.Close()
	p.mu.Lock()
	p.members = append(p.members, conn)
	p.mu.Unlock()
	for {
		h, err := ws.ReadHeader(buffered)
		if err != nil || h.Length > most {
			return
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(buffered, payload); err != nil {
			return
		}
		ws.Cipher(payload, h.Mask, 0)
		p.mu.Lock()
		switch {
		case h.OpCode == ws.OpPing:
			_ = ws.WriteFrame(conn, ws.NewPongFrame(payload)) // who is gone is found by reading
		case h.OpCode == ws.OpText && r.URL.Path == "/echo" && !p.loud:
			_ = ws.WriteFrame(conn, ws.NewTextFrame(payload))
		case h.OpCode == ws.OpText:
			p.broadcastLocked(ws.NewTextFrame(payload))
		}
		p.mu.Unlock()
	}
}

func (p *peer) broadcastLocked(f ws.Frame) {
	p.seq++
	for i, conn := range p.members {
		if p.seq != 3 || i != p.deaf {
			_ = ws.WriteFrame(conn, f)
		}
	}
}

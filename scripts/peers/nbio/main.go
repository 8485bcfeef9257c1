// Nbio is a plain WebSocket server on lesismal/nbio: clients are in an event loop,
// without goroutines of their own (IOModNonBlocking).
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"

	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"

	"github.com/roost-rt/roost/scripts/peers/peer"
)

// A room is all who are connected at /chat.
type room struct {
	mu      sync.Mutex
	members map[*websocket.Conn]bool
}

func main() {
	logging.SetLevel(logging.LevelError)
	r := &room{members: make(map[*websocket.Conn]bool)}
	mux := http.NewServeMux()
	mux.HandleFunc("/chat", upgrade(r.upgrader()))
	mux.HandleFunc("/echo", upgrade(echo()))

	var addr string
	engine := nbhttp.NewEngine(nbhttp.Config{
		Network: "tcp",
		Addrs:   []string{"127.0.0.1:0"},
		Handler: mux,
		IOMod:   nbhttp.IOModNonBlocking,
		Listen: func(network, address string) (net.Listener, error) {
			ln, err := net.Listen(network, address)
			if err == nil {
				addr = ln.Addr().String()
			}
			return ln, err
		},
	})
	if err := engine.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	peer.Run(addr)
}

func (r *room) upgrader() *websocket.Upgrader {
	u := newUpgrader()
	u.OnOpen(func(c *websocket.Conn) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.members[c] = true
	})
	u.OnClose(func(c *websocket.Conn, _ error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.members, c)
	})
	u.OnMessage(func(_ *websocket.Conn, kind websocket.MessageType, text []byte) {
		if kind == websocket.TextMessage {
			r.broadcast(text)
		}
	})
	return u
}

// broadcast holds the lock, so that all get messages in the same order. A write
// does not wait: what the kernel does not take, nbio keeps.
func (r *room) broadcast(text []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.members {
		_ = c.WriteMessage(websocket.TextMessage, text) // OnClose comes for who is gone
	}
}

func echo() *websocket.Upgrader {
	u := newUpgrader()
	u.OnMessage(func(c *websocket.Conn, kind websocket.MessageType, text []byte) {
		if kind == websocket.TextMessage {
			_ = c.WriteMessage(websocket.TextMessage, text) // no one waits for it any more
		}
	})
	return u
}

// newUpgrader makes one that answers pings, as the library does by itself.
func newUpgrader() *websocket.Upgrader {
	u := websocket.NewUpgrader()
	u.CheckOrigin = func(*http.Request) bool { return true }
	u.MessageLengthLimit = peer.MaxMessage
	return u
}

func upgrade(u *websocket.Upgrader) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = u.Upgrade(w, r, nil) // the client has been told
	}
}

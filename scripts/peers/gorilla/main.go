// Gorilla is a plain WebSocket server on gorilla/websocket, as its chat example
// is: two goroutines for each client of a room, and a queue between them.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"

	"github.com/gorilla/websocket"

	"github.com/roost-rt/roost/scripts/peers/peer"
)

// queued is how many messages may wait for one client, as in the chat example.
const queued = 256

// A room is all who are connected at /chat.
type room struct {
	mu      sync.Mutex
	members map[chan *websocket.PreparedMessage]bool
}

var upgrader = websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}

func main() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	r := &room{members: make(map[chan *websocket.PreparedMessage]bool)}
	mux := http.NewServeMux()
	mux.HandleFunc("/chat", r.chat)
	mux.HandleFunc("/echo", echo)
	go func() { // ends with the process
		fmt.Fprintln(os.Stderr, http.Serve(ln, mux))
		os.Exit(1)
	}()
	peer.Run(ln.Addr().String())
}

// chat reads from one client, who gets what waits for it from another goroutine.
func (r *room) chat(w http.ResponseWriter, req *http.Request) {
	conn, err := upgrader.Upgrade(w, req, nil)
	if err != nil {
		return // the client has been told
	}
	queue := make(chan *websocket.PreparedMessage, queued)
	r.mu.Lock()
	r.members[queue] = true
	r.mu.Unlock()
	go write(conn, queue) // ends with its queue
	read(conn, func(text []byte) error {
		m, err := websocket.NewPreparedMessage(websocket.TextMessage, text)
		if err == nil {
			r.broadcast(m)
		}
		return err
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.removeLocked(queue)
}

// broadcast leaves out no one: a client that is too slow is closed.
func (r *room) broadcast(m *websocket.PreparedMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for queue := range r.members {
		select {
		case queue <- m:
		default:
			r.removeLocked(queue)
		}
	}
}

func (r *room) removeLocked(queue chan *websocket.PreparedMessage) {
	if r.members[queue] {
		delete(r.members, queue)
		close(queue)
	}
}

func write(conn *websocket.Conn, queue chan *websocket.PreparedMessage) {
	defer conn.Close()
	for m := range queue {
		if conn.WritePreparedMessage(m) != nil {
			return // its reader finds out, too
		}
	}
}

// echo answers each message at once, in one goroutine.
func echo(w http.ResponseWriter, req *http.Request) {
	conn, err := upgrader.Upgrade(w, req, nil)
	if err != nil {
		return
	}
	read(conn, func(text []byte) error { return conn.WriteMessage(websocket.TextMessage, text) })
}

// read calls each with every text until one of them or the connection fails. The
// library answers pings meanwhile.
func read(conn *websocket.Conn, each func([]byte) error) {
	defer conn.Close()
	conn.SetReadLimit(peer.MaxMessage)
	for {
		kind, text, err := conn.ReadMessage()
		if err != nil || kind == websocket.TextMessage && each(text) != nil {
			return
		}
	}
}

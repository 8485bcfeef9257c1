package chat

import (
	linked "container/list"
	"net"
	"net/http"
	"sync"
	"syscall"
)

// callers are the connections of a listener apart from clients. While there are as many
// as may be, whoever comes next takes the place of the one that has been for longest
// without a request that is being handled: so strangers keep nobody out by connections
// alone, nor by heads, bodies and answers that take their time.
type callers struct {
	max int

	mu   sync.Mutex                   // guards the rest
	all  map[net.Conn]*linked.Element // nil while a request is handled
	idle linked.List                  // of the others, the longest idle first
}

// A callerKey is the key of a request's connection.
type callerKey struct{}

func newCallers(most int) *callers {
	return &callers{max: most, all: make(map[net.Conn]*linked.Element)}
}

// changed is told what becomes of a connection. One that is hijacked is counted by
// whoever has it.
func (cs *callers) changed(c net.Conn, state http.ConnState) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	switch state {
	case http.StateNew:
		cs.all[c] = cs.idle.PushBack(c)
		if len(cs.all) > cs.max { // at least the new one is idle
			cs.dropLocked(cs.idle.Front().Value.(net.Conn))
		}
	case http.StateClosed, http.StateHijacked:
		cs.forgetLocked(c)
	}
}

func (cs *callers) dropLocked(c net.Conn) {
	cs.forgetLocked(c)
	_ = c.Close() // the server finds out
}

func (cs *callers) forgetLocked(c net.Conn) {
	if at := cs.all[c]; at != nil {
		cs.idle.Remove(at)
	}
	delete(cs.all, c)
}

// during keeps the places of those whose requests h handles.
func (cs *callers) during(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := r.Context().Value(callerKey{}).(net.Conn)
		cs.begin(c)
		defer cs.end(c)
		h.ServeHTTP(w, r)
	})
}

func (cs *callers) begin(c net.Conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if at := cs.all[c]; at != nil { // else it was dropped at the last moment
		cs.idle.Remove(at)
		cs.all[c] = nil
	}
}

func (cs *callers) end(c net.Conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if at, here := cs.all[c]; here && at == nil {
		cs.all[c] = cs.idle.PushBack(c)
	}
}

// asideConns is maxAside where there may be so many open files.
func asideConns(files uint64) int { return int(min(maxAside, max(files/16, 1))) }

// openFiles is how many there may be, and 0 if that cannot be said.
func openFiles() uint64 {
	var limit syscall.Rlimit
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) // then it is zero
	return limit.Cur
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// A tally counts what an attack did and met. It is safe for concurrent use.
type tally struct {
	mu     sync.Mutex // guards the rest
	events map[string]int
	losses
}

// losses counts what well-behaved clients of an attack lost: members of its rooms
// that read all the time.
type losses struct {
	Clients  int `json:"clients"`
	Messages int `json:"messages"`
}

// An outcome is the report of the attacker's process.
type outcome struct {
	Lost losses `json:"lost"`
	Says string `json:"says"` // what happened to the attacker
}

// happened counts n events of a kind.
func (t *tally) happened(what string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.events == nil {
		t.events = make(map[string]int)
	}
	t.events[what] += n
}

// lose counts what well-behaved clients lost.
func (t *tally) lose(clients, messages int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Clients += clients
	t.Messages += messages
}

func (t *tally) outcome() outcome {
	t.mu.Lock()
	defer t.mu.Unlock()
	var parts []string
	for _, what := range slices.SortedFunc(maps.Keys(t.events), func(a, b string) int {
		return cmp.Or(cmp.Compare(t.events[b], t.events[a]), cmp.Compare(a, b))
	}) {
		parts = append(parts, fmt.Sprintf("%d %s", t.events[what], what))
	}
	return outcome{t.losses, strings.Join(parts, ", ")}
}

// leftOpen is the fate of a connection that the server has not ended.
const leftOpen = "left open"

// fate says how a connection ended, in the table's words.
func fate(err error) string {
	var closed *closeError
	switch {
	case err == nil, errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, net.ErrClosed): // we closed it
		return leftOpen
	case errors.As(err, &closed):
		return closed.Error()
	case hungUp(err):
		return "reset"
	case errors.Is(err, context.DeadlineExceeded):
		return "not connected in time"
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}

package chat_test

import (
	"context"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/chat"
)

// A stalled stream takes nothing until it is released.
type stalled chan struct{}

func (s stalled) Write(b []byte) (int, error) { <-s; return len(b), nil }

// Nobody has to read what the server prints for it to start and to end, nor the
// error that it ends with.
func TestStreamsNobodyReads(t *testing.T) {
	never := make(stalled)
	defer close(never)
	for _, tt := range []struct {
		addr string
		want int
	}{{"127.0.0.1:0", 0}, {"256.0.0.1:0", 1}} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		code := make(chan int, 1)
		go func() { code <- chat.Main(ctx, []string{"-addr", tt.addr}, never, never) }()
		select {
		case got := <-code:
			if got != tt.want {
				t.Errorf("-addr %s: exit code %d, want %d", tt.addr, got, tt.want)
			}
		case <-time.After(patience):
			t.Errorf("-addr %s: not ended after %v", tt.addr, patience)
		}
	}
}

package proc_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/proc"
)

// startServer runs a shell script as a server. Its thread stays until the test ends.
func startServer(t *testing.T, ctx context.Context, script string) (*proc.Server, error) {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	s, err := proc.StartServer(ctx, 3, []string{"bash", "-c", script}, 0)
	if err == nil {
		t.Cleanup(func() { s.End(0) })
	}
	return s, err
}

func TestStartServer(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		name, script string
		ctx          context.Context
		addr, want   string
	}{
		{"listens", "echo hello; echo listening on 127.0.0.1:4000; read x", t.Context(), "127.0.0.1:4000", ""},
		{"dies", "echo no such port >&2; exit 3", t.Context(), "", "exit status 3: its last words:\nno such port"},
		{"is not waited for", "read x", cancelled, "", "context canceled"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := startServer(t, test.ctx, test.script)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("StartServer() = %v, want %q", err, test.want)
				}
				return
			}
			if err != nil || s.Addr != test.addr || s.Name != "server process 3" {
				t.Errorf("StartServer() = %+v, %v, want one at %s", s, err, test.addr)
			}
		})
	}
}

// A server that expects the signal is asked to collect, and says what came of it.
func TestServerCollects(t *testing.T) {
	s, err := startServer(t, t.Context(), `trap 'echo msg=memory gc_cycles=3 >&2' USR1; echo listening on x; while :; do read -t 1 x || [ $? -gt 128 ] || exit 0; done`)
	if err != nil {
		t.Fatal(err)
	}
	if s.Garbage() != "" || !s.Collect() {
		t.Fatalf("garbage %q before the first collection, want none, and to be asked", s.Garbage())
	}
	<-s.Collected
	if want := "msg=memory gc_cycles=3"; s.Garbage() != want {
		t.Errorf("Garbage() = %q, want %q", s.Garbage(), want)
	}
	s.Deaf = true
	if s.Collect() {
		t.Error("Collect() of a server that does not answer = true, want that it is not asked")
	}
}

func TestServerLeaves(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(*proc.Server)
		want string
	}{
		{"of its own will", (*proc.Server).Leave, "it ended by itself"},
		{"killed", (*proc.Server).Kill, "signal: killed"},
		{"killed, as it does not leave", func(s *proc.Server) { s.End(0) }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := startServer(t, t.Context(), "echo listening on x; read x; exit 0")
			if err != nil {
				t.Fatal(err)
			}
			if s.Leaving() || !s.Runs() {
				t.Error("it leaves or has ended before it was told to")
			}
			test.end(s)
			select {
			case <-s.Exited:
			case <-time.After(proc.Patience):
				t.Fatal("it does not end")
			}
			if s.Runs() || !strings.Contains(s.Failure().Error(), test.want) {
				t.Errorf("runs %t, Failure() = %v, want %q", s.Runs(), s.Failure(), test.want)
			}
			if !s.Leaving() && test.want != "" {
				t.Error("Leaving() = false of a server that was told to")
			}
		})
	}
}

func TestStartFails(t *testing.T) {
	_, _, err := proc.Start("client process 1", []string{"/no/such/program"}, 0, nil)
	if err == nil || !strings.Contains(err.Error(), "start client process 1: ") || errors.Unwrap(err) == nil {
		t.Errorf("Start() = %v, want an error that says of what", err)
	}
}

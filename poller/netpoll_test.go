package poller

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// netpollVersion is the one that this package was written against. It relies on
// more than netpoll promises; with another version, read these again before
// changing the constant:
//
//   - borrowPoll: connection.operator, an *FDOperator, and that its OnRead, if
//     set, is called with the Poll (poll_default_linux.go, handler);
//   - set, timerFD, Listener: PollDetach once per operator, Free waits for the
//     handler (fd_operator.go, poll_default.go).
const netpollVersion = "v0.7.2"

// This fails when netpoll is updated. That is on purpose: see netpollVersion.
func TestNetpollVersion(t *testing.T) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		t.Fatal("no build information")
	}
	for _, m := range info.Deps {
		if m.Path == "github.com/cloudwego/netpoll" && m.Version != netpollVersion {
			t.Errorf("netpoll %s, but this package was checked against %s: see the comment at netpollVersion", m.Version, netpollVersion)
		}
	}
}

func TestNetpollLoops(t *testing.T) {
	polls, err := netpollLoops()
	if err != nil {
		t.Fatalf("%v: see the comment at netpollVersion", err)
	}
	if len(polls) != runtime.GOMAXPROCS(0) {
		t.Errorf("%d loops, want %d", len(polls), runtime.GOMAXPROCS(0))
	}
}

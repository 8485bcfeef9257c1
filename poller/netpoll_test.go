package poller

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/cloudwego/netpoll"
)

// netpollVersion is the one that this package was written against. It relies on
// more than netpoll promises; with another version, read these again before
// changing the constant:
//
//   - borrowPoll: connection.operator, an *FDOperator, and that its OnRead, if
//     set, is called with the Poll (poll_default_linux.go, handler);
//   - capEvents: defaultPoll.Reset, a func(size, caps int) called to grow;
//   - Conn: OnRead before OnHup, one OnHup after the detach, PollDetach once per
//     operator, Free waits for the handler (fd_operator.go, poll_default.go).
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

// Growth beyond maxEvents is ignored; up to there it is netpoll's own.
func TestCapEvents(t *testing.T) {
	poll := &fakePoll{}
	poll.Reset = func(size, _ int) { poll.size = size }
	if err := capEvents(poll); err != nil {
		t.Fatal(err)
	}
	for size := 128; size <= 1<<17; size *= 2 {
		poll.Reset(size, 32)
	}
	if poll.size != maxEvents {
		t.Errorf("the table has grown to %d events, want %d", poll.size, maxEvents)
	}
	if err := capEvents(&struct{ netpoll.Poll }{}); err == nil {
		t.Error("capEvents of a Poll without Reset = nil, want an error")
	}
}

type fakePoll struct {
	netpoll.Poll
	size  int
	Reset func(size, caps int)
}

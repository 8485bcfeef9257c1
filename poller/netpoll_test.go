package poller

import (
	"reflect"
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
//   - adopt: defaultPoll.fd, that its loop calls Handler with all events and Reset for
//     more room for them, and what its handler finds operators by (getOperator, also in
//     poll_default_linux_race.go);
//   - set.revive, set.watch: Wait keeps nothing from one pass to the next but what is in
//     the Poll; FDOperator.state is 1 while OnRead is not being called (fd_operator.go);
//   - loop, timerFD, Listener: PollDetach once per operator, Free waits for the
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
	sets, err := netpollLoops()
	if err != nil {
		t.Fatalf("%v: see the comment at netpollVersion", err)
	}
	if len(sets) != runtime.GOMAXPROCS(0) {
		t.Errorf("%d loops, want %d", len(sets), runtime.GOMAXPROCS(0))
	}
}

// A pass with many events does not make netpoll's memory grow.
func TestNetpollEvents(t *testing.T) {
	p, err := New(Config{Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	l := p.loops[0]
	before, after := 0, 0
	done := make(chan struct{})
	l.post(func() {
		defer close(done)
		poll := reflect.ValueOf(l.set.poll).Elem()
		before = poll.FieldByName("events").Len()
		poll.FieldByName("Reset").Interface().(func(size, caps int))(2*before, 32) // as its loop does
		after = poll.FieldByName("events").Len()
	})
	<-done
	if before != 128 || after != before {
		t.Errorf("netpoll has room for %d events and then for %d, want 128", before, after)
	}
}

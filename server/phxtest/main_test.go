package phxtest_test

import (
	"fmt"
	"runtime"
	"testing"

	"go.uber.org/goleak"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxtest"
)

// Those of ants' default pool are there from the beginning, and netpoll's loops
// live as long as the process; see package poller.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/cloudwego/netpoll.(*defaultPoll).Wait"),
		goleak.IgnoreAnyFunction("github.com/bytedance/gopkg/util/gopool.(*worker).run.func1"),
	)
}

// serve starts an endpoint with one route at /socket.
func serve(t testing.TB, pattern string, channel phx.ChannelType) *phxtest.Endpoint {
	t.Helper()
	return phxtest.Start(t, phx.Config{Mounts: []phx.Mount{{
		Path: "/socket", Routes: []phx.Route{{Pattern: pattern, Type: &channel}},
	}}})
}

// connect opens a socket at /socket.
func connect(t testing.TB, ep *phxtest.Endpoint) *phxtest.Client {
	t.Helper()
	return phxtest.Connect(t, ep, "/socket", phx.Params{"name": "ann"})
}

// A failing stands in for a test that is expected to fail.
type failing struct {
	testing.TB
	message string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// failure runs a test and returns what it failed with, or "".
func failure(t testing.TB, test func(t testing.TB)) string {
	f := &failing{TB: t}
	done := make(chan struct{})
	go func() { // ends before failure does
		defer close(done)
		test(f)
	}()
	<-done
	return f.message
}

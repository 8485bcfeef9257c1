package main_test

import (
	"io"
	"net"
	"strings"
	"testing"

	"go.uber.org/goleak"

	conformance "github.com/roost-rt/roost/server/conformance"
)

// netpoll's loops live as long as the process, and so does a pool that ants
// starts for itself.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/cloudwego/netpoll.(*defaultPoll).Wait"),
		goleak.IgnoreAnyFunction("github.com/bytedance/gopkg/util/gopool.(*worker).run.func1"),
	)
}

func TestExitCodes(t *testing.T) {
	ours(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	tests := []struct {
		args string
		code int
		says string
	}{
		{"--help", 0, "/__conformance/alive"},
		{"-addr 4000", 2, "want HOST:PORT"},
		{"-addr localhost:99999", 2, "-addr is \"localhost:99999\": want HOST:PORT, such as 127.0.0.1:4000 or :4000, and a port up to 65535"},
		{"-port 4000", 2, "not defined: -port"},
		{"please", 2, `unexpected argument "please"`},
		{"-addr " + taken.Addr().String(), 1, "Another program listens"},
	}
	for _, test := range tests {
		var stderr strings.Builder
		code := conformance.Run(t.Context(), strings.Fields(test.args), io.Discard, &stderr)
		if code != test.code || !strings.Contains(stderr.String(), test.says) {
			t.Errorf("run(%q) = %d, %q, want %d and %q in it", test.args, code, stderr.String(), test.code, test.says)
		}
	}
}

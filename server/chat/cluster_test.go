package chat_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/chat"
)

// What is secret about the cluster comes from files and the environment; flags go
// first. The words of the errors show what has arrived.
func TestClusterFlags(t *testing.T) {
	const url, nowhere = "nats://joe:hush@127.0.0.1:1", "/nowhere/file"
	for _, c := range []struct {
		args  []string
		env   map[string]string
		code  int
		words string
	}{
		{nil, map[string]string{"ROOST_CLUSTER": url}, 1, "NATS server nats://127.0.0.1:1"},
		{[]string{"-cluster", "nats://127.0.0.1:2"}, map[string]string{"ROOST_CLUSTER": url}, 1, "NATS server nats://127.0.0.1:2"},
		{[]string{"-cluster", url, "-cluster-ca", nowhere}, nil, 1, "-cluster-ca: open " + nowhere},
		{nil, map[string]string{"ROOST_CLUSTER": url, "ROOST_CLUSTER_CA": nowhere}, 1, "-cluster-ca: open " + nowhere},
		{nil, map[string]string{"ROOST_CLUSTER": url, "ROOST_CLUSTER_CERT": nowhere, "ROOST_CLUSTER_KEY": nowhere}, 1, "-cluster-cert and -cluster-key: open " + nowhere},
		{nil, map[string]string{"ROOST_CLUSTER": url, "ROOST_CLUSTER_CREDS": nowhere}, 1, "-cluster-creds: stat " + nowhere},
		{nil, map[string]string{"ROOST_CLUSTER": url, "ROOST_CLUSTER_NKEY": nowhere}, 1, "-cluster-nkey " + nowhere},
		{nil, map[string]string{"ROOST_CLUSTER": "redis://joe:hush@127.0.0.1:1"}, 1, "redis: server 127.0.0.1:1: dial"},
		{[]string{"-cluster", "rediss://joe:hush@127.0.0.1:nine"}, nil, 1, "redis: -cluster cannot be read"},
		{[]string{"-cluster", "redis://127.0.0.1:1", "-cluster-ca", nowhere}, nil, 2, "are for NATS"},
		{[]string{"-cluster-creds", nowhere}, nil, 2, "no NATS server: set -cluster or ROOST_CLUSTER"},
	} {
		for name, value := range c.env {
			t.Setenv(name, value)
		}
		var stdout, stderr bytes.Buffer
		code := chat.Main(t.Context(), append([]string{"-addr", "127.0.0.1:0"}, c.args...), &stdout, &stderr)
		if code != c.code || !strings.Contains(stderr.String(), c.words) || strings.Contains(stderr.String(), "hush") {
			t.Errorf("%v %v: exit code %d and %q, want %d and %q", c.args, c.env, code, stderr.String(), c.code, c.words)
		}
		for name := range c.env {
			t.Setenv(name, "") // as good as none
		}
	}
}

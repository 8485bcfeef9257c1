package chat_test

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/chat"
)

// Flags that make no sense are refused, by name, with what to do instead: by config
// check as by a start.
func TestFlagsRefused(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	missing := filepath.Join(t.TempDir(), "missing", "a.sock")
	type refusal struct {
		args string
		code int
		want string
	}
	listening := []refusal{ // what only who listens or connects finds
		{"-addr 192.0.2.1:4000", 1, "-addr is \"192.0.2.1:4000\": listen tcp 192.0.2.1:4000: bind: cannot assign requested address\nThis host does not have that address"},
		{"-addr " + taken.Addr().String(), 1, "-addr is \"" + taken.Addr().String() + "\""},
		{"-addr " + taken.Addr().String(), 1, "Another program listens on " + taken.Addr().String() + ". End it, or choose another port: -addr 127.0.0.1:0"},
		{"-addr unix:" + missing, 1, "no such file or directory\nChoose a path in a directory that exists"},
		{"-pprof " + taken.Addr().String(), 1, "-pprof is \"" + taken.Addr().String() + "\""},
		{"-pprof " + taken.Addr().String(), 1, "or choose another port: -pprof 127.0.0.1:0"},
		{"-admin " + taken.Addr().String(), 1, "or choose another port: -admin 127.0.0.1:0"},
		{"-cluster nats://127.0.0.1:1", 1, "is one running there? Start it, or correct -cluster"},
	}
	for i, tt := range append(listening, []refusal{
		{"-addr 127.0.0.1", 2, `-addr is "127.0.0.1": want HOST:PORT`},
		{"-addr ::1:4000", 2, `-addr is "::1:4000": want HOST:PORT`},
		{"-addr localhost:99999", 2, `-addr is "localhost:99999": want a port from 0, which picks a free one, to 65535`},
		{"-addr 127.0.0.1:-1", 2, `-addr is "127.0.0.1:-1": want a port`},
		{"-addr :no-such-service", 2, `-addr is ":no-such-service": want a port`},
		{"-addr unix:", 2, `-addr is "unix:": want a path`},
		{"-addr unix:/tmp/" + strings.Repeat("x", 120), 2, "at most 107 bytes"},
		{"-pprof 127.0.0.1", 2, `-pprof is "127.0.0.1": want HOST:PORT, such as 127.0.0.1:4000 or :4000` + "\n"},
		{"-pprof 127.0.0.1:99999", 2, `-pprof is "127.0.0.1:99999": want a port`},
		{"-admin 127.0.0.1", 2, `-admin is "127.0.0.1": want HOST:PORT`},
		{"-admin :9000", 2, `-admin is ":9000", which others can reach, and there is no token: set ROOST_ADMIN_TOKEN`},
		{"-admin 0.0.0.0:9000", 2, "there is no token"},
		{"-admin example.com:9000", 2, "there is no token"},
		{"-idle -5s", 2, "-idle is -5s: want a time such as 60s"},
		{"-idle 5", 2, `"5" for flag -idle`},
		{"-ready no-slash", 1, `-ready is "no-slash": it must start with /`},
		{"-drain 0", 2, "-drain is 0s: want a time such as 8s"},
		{"-loops -1", 1, "-loops is -1: it must not be negative"},
		{"-workers -1", 1, "-workers is -1: it must not be negative"},
		{"-outbound-max -1", 1, "-outbound-max is -1: it must not be negative"},
		{"-trusted-proxies 10.0.0.0/8,nonsense", 2, `"nonsense": want addresses or networks`},
		{"-proxy-protocol", 1, "-proxy-protocol is set but -trusted-proxies is empty"},
		{"-max-conns -1", 1, "-max-conns is -1"},
		{"-max-conns-per-ip -1 -trusted-proxies 10.0.0.0/8,::1,127.0.0.1", 1, "-max-conns-per-ip is -1"},
		{"-accept-rate -1", 1, "-accept-rate is -1"},
		{"-hosts chat.example.com,http://a", 1, `-hosts[1] is "http://a"`},
		{"-cluster nats://127.0.0.1:1 -cluster-cert " + missing, 1, "-cluster-cert and -cluster-key belong together"},
		{"-cluster nats://127.0.0.1:1 -cluster-ca " + missing, 1, "-cluster-ca: open " + missing},
		{"-cluster nats://127.0.0.1:x", 1, "-cluster cannot be read: use the form nats://"},
		{"-cluster nats://joe:hush@127.0.0.1:99999", 1, "-cluster cannot be read: use the form nats://"},
		{"-cluster nats://", 1, "-cluster cannot be read: use the form nats://"},
		{"-cluster http://127.0.0.1:4222", 1, "-cluster begins with http: a NATS server is at nats://"},
		{"-cluster nats://a:4222,wss://b", 1, "-cluster has both nats:// and wss://"},
		{"-cluster redis://joe:hush@127.0.0.1:x", 1, "-cluster cannot be read: use the form redis://"},
		{"-cluster redis://joe:hush@127.0.0.1:99999", 1, "-cluster names port 99999"},
		{"-cluster redis://127.0.0.1/a/b", 1, "-cluster cannot be read"},
		{"-cluster nats://127.0.0.1:1 -cluster-creds " + missing, 1, "-cluster-creds: stat " + missing},
		{"-cluster nats://127.0.0.1:1 -cluster-nkey " + missing, 1, "-cluster-nkey " + missing},
		{"-addr 127.0.0.1:4321 -admin 127.0.0.1:4321", 1, `-addr and -admin are both "127.0.0.1:4321"`},
		{"-admin 127.0.0.1:4321 -pprof 127.0.0.1:4321", 1, `-admin and -pprof are both "127.0.0.1:4321"`},
	}...) {
		var stdout, stderr bytes.Buffer
		code := chat.Main(context.Background(), strings.Fields("-addr 127.0.0.1:0 "+tt.args), &stdout, &stderr)
		if got := stderr.String(); code != tt.code || !strings.Contains(got, tt.want) || strings.Contains(got, "phx:") {
			t.Errorf("server %s: code %d and %q, want %d and %q", tt.args, code, got, tt.code, tt.want)
		}
		if i < len(listening) {
			tt.code, tt.want = 0, "OK\n"
		}
		code, out, errs := config(append([]string{"check", "-addr", "127.0.0.1:0"}, strings.Fields(tt.args)...)...)
		if got := out + errs; code != tt.code || !strings.Contains(got, tt.want) || strings.Contains(got, "hush") {
			t.Errorf("server config check %s: code %d and %q, want %d and %q", tt.args, code, got, tt.code, tt.want)
		}
	}
}

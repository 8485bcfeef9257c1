package chat_test

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/roost-rt/roost/server/chat"
)

// config runs the command of that name.
func config(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = chat.Main(context.Background(), append([]string{"config"}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

func TestConfigCommand(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		write(t, path, []byte(text))
		return path
	}
	good := file("good", "addr: :4000\nsecret: "+secret+"\ncluster: redis://a:b@127.0.0.1\n")
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"check -config " + good, 0, "OK\n"},
		{"check", 0, "OK\n"},
		{"print -config " + good, 0, "\naddr: :4000 # " + good + ":1\n"},
		{"print -config " + good, 0, "\nsecret: '[FILTERED]' # " + good + ":2\n"},
		{"print -config " + good, 0, "\ncluster: redis://[FILTERED]@127.0.0.1 # " + good + ":3\n"},
		{"print -addr :5000", 0, "\naddr: :5000 # -addr\n"},
		{"print", 0, "\nhosts: \"\" # default\n"},
		{"print", 0, "\nlog: INFO # default\n"},
		{"check -config " + file("typo", "adr: :4000\n"), 2, "typo:1: adr: no such setting: did you mean addr?"},
		{"check -config " + file("short", "secret: hush\n"), 2, "short:1 has 4 bytes: want at least 20"},
		{"check -config " + file("limit", "max-conns: -1\n"), 1, "-max-conns is -1"},
		{"check -config " + file("tls", "tls-cert: /nowhere\n"), 2, "TLS needs both -tls-cert and -tls-key"},
		{"check -config " + file("idle", "idle: -1s\n"), 2, "-idle is -1s"},
		{"check -secret " + secret, 2, "-secret: all users of this host see arguments: put it into ROOST_SECRET"},
		{"check x", 2, `unexpected argument "x"`},
		{"", 2, "server config: want check or print"},
		{"-help", 0, "usage: server config check|print [flags]"},
		{"check -help", 0, "usage: server config check|print [flags]"},
	} {
		code, stdout, stderr := config(strings.Fields(tt.args)...)
		if text := "\n" + stdout + stderr; code != tt.code || !strings.Contains(text, tt.want) || strings.Contains(text, "hush") || strings.Contains(text, secret) {
			t.Errorf("server config %s: exit code %d and %q, want %d and %q", tt.args, code, text, tt.code, tt.want)
		}
	}
	t.Setenv("ROOST_ADR", ":4000")
	if code, _, stderr := config("check"); code != 0 || stderr != "server config: ROOST_ADR is no setting: did you mean ROOST_ADDR?\n" {
		t.Errorf("a mistyped variable: exit code %d and %q", code, stderr)
	}
}

// Each flag is in one group of the help, which names no other.
func TestHelpHasAllFlags(t *testing.T) {
	known := make(map[string]int)
	for _, g := range chat.Groups {
		for name := range strings.FieldsSeq(g.Flags) {
			known[name]++
		}
	}
	chat.Flags().VisitAll(func(f *flag.Flag) {
		if known[f.Name] != 1 {
			t.Errorf("-%s is in %d groups, want one", f.Name, known[f.Name])
		}
		delete(known, f.Name)
	})
	delete(known, "config") // package settings adds it
	if len(known) > 0 {
		t.Errorf("groups have %v, which are no flags", known)
	}
	var stdout strings.Builder
	if code := chat.Main(t.Context(), []string{"-help"}, &stdout, io.Discard); code != 0 || !strings.Contains(stdout.String(), "\nlimits:\n  -max-conns connections") ||
		!strings.Contains(stdout.String(), "\n  -config file") || !strings.HasPrefix(stdout.String(), "usage: server [flags]\n") {
		t.Errorf("-help: exit code %d and\n%s", code, &stdout)
	}
}

// refused is what a client gets who is too many.
func refused(t *testing.T, addr string) (status int) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode
}

// At SIGHUP the log level and the limits of connections are read again. What takes a
// restart is named, and a file that is no good changes nothing.
func TestReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "roost.yaml")
	write(t, path, []byte("addr: 127.0.0.1:0\nadmin: 127.0.0.1:0\n"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	outR, stdout := io.Pipe()
	var stderr lockedBuffer
	code := make(chan int, 1)
	go func() { // the test waits for it
		code <- chat.Main(ctx, []string{"-config", path, "-idle", "50s"}, stdout, &stderr)
		stdout.Close()
	}()
	line, err := bufio.NewReader(outR).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("the server says %q, %v and %s", line, err, &stderr)
	}
	reload := func(text, logged string) {
		t.Helper()
		write(t, path, []byte(text))
		before := len(stderr.String())
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the log has "+logged, func() bool { return strings.Contains(stderr.String()[before:], logged) })
	}
	s := adminServer{t: t, listen: addr}
	var clients []net.Conn
	connect := func() { t.Helper(); clients = append(clients, s.connect()) }
	connect()

	reload("addr: 127.0.0.1:0\nadmin: 127.0.0.1:0\nmax-conns: 2\nidle: 1s\n", `msg="settings reloaded" changed=[max-conns]`)
	connect()
	if status := refused(t, addr); status != 503 {
		t.Errorf("a third client gets %d, want 503", status)
	}
	if strings.Contains(stderr.String(), "restart") {
		t.Errorf("-idle was given, so the file does not change it:\n%s", &stderr)
	}
	reload("addr: 127.0.0.1:0\nadmin: 127.0.0.1:0\nloops: 3\nmax-conns: 0\n", `restart only" names=[loops]`)
	connect()
	reload("max-conns: -1\n", `msg="settings not reloaded: those from before hold" err="-max-conns is -1`)
	reload("max-conns: 1\nloops: -1\n", `msg="settings not reloaded: those from before hold" err="-loops is -1`)
	reload("max-cons: 1\n", `max-cons: no such setting: did you mean max-conns?`)
	connect()
	reload("addr: 127.0.0.1:0\nadmin: 127.0.0.1:0\nlog: debug\n", "changed=[log]")
	connect()
	eventually(t, "the log has lines for developers", func() bool { return strings.Contains(stderr.String(), "level=DEBUG") })
	for _, c := range clients {
		c.Close()
	}
	cancel()
	if got := <-code; got != 0 {
		t.Errorf("Main = %d, want 0", got)
	}
}

// A clean end waits for clients that do not go as long as -drain says.
func TestDrainTime(t *testing.T) {
	s := runAdmin(t, "-admin", "127.0.0.1:0", "-drain", "50ms")
	client := s.connect() // it never reads
	defer client.Close()
	s.end()
	if got := <-s.code; got != 1 {
		t.Errorf("Main = %d, want 1: a client has not gone", got)
	}
}

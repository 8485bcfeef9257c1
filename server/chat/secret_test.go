package chat_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
	"github.com/roost-rt/roost/server/chat"
)

const secret = "twenty random bytes, at least"

// A secret that is too short, or cannot be read, is refused, and not shown.
func TestSecretRefused(t *testing.T) {
	short, empty := filepath.Join(t.TempDir(), "short"), filepath.Join(t.TempDir(), "empty")
	write(t, short, []byte("hush hush\n"))
	write(t, empty, nil)
	for _, tt := range []struct {
		args []string
		env  map[string]string
		want string
	}{
		{nil, map[string]string{"ROOST_SECRET": "hush hush"}, "ROOST_SECRET has 9 bytes: want at least 20 random ones"},
		{[]string{"-secret-file", short}, map[string]string{"ROOST_SECRET": secret}, "the file of -secret-file has 9 bytes: want at least 20"},
		{nil, map[string]string{"ROOST_SECRET_FILE": short}, "the file of -secret-file has 9 bytes: want at least 20"},
		{[]string{"-secret-file", empty}, nil, "the file of -secret-file has 0 bytes"},
		{[]string{"-secret-file", "/nowhere/file"}, nil, "-secret-file: open /nowhere/file"},
		{nil, map[string]string{"ROOST_CLUSTER_SECRET": "hush hush"}, "ROOST_CLUSTER_SECRET has 9 bytes: want at least 20 random ones"},
		{[]string{"-cluster-secret-file", short}, nil, "the file of -cluster-secret-file has 9 bytes: want at least 20"},
	} {
		for name, value := range tt.env {
			t.Setenv(name, value)
		}
		var stderr bytes.Buffer
		code := chat.Main(t.Context(), append([]string{"-addr", "127.0.0.1:0"}, tt.args...), io.Discard, &stderr)
		if got := stderr.String(); code != 2 || !strings.Contains(got, tt.want) || strings.Contains(got, "hush") {
			t.Errorf("%v %v: exit code %d and %q, want 2 and %q", tt.args, tt.env, code, got, tt.want)
		}
		for name := range tt.env {
			t.Setenv(name, "")
		}
	}
}

// serverArgs is the environment variable that makes the test program a server, with
// these arguments, until its standard input ends: with the test, however that does.
const serverArgs = "ROOST_TEST_SERVER"

func beServer(args string) (code int) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() { // ends with the process
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin) // any end is one
	}()
	return chat.Main(ctx, strings.Fields(args), os.Stdout, os.Stderr)
}

// runServer runs a server in a process of its own until the test ends, and returns
// where it listens and what it logs.
func runServer(t *testing.T, args string) (addr string, logged *lockedBuffer) {
	t.Helper()
	logged = new(lockedBuffer)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverArgs+"=-addr 127.0.0.1:0 "+args)
	cmd.Stderr = logged
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ends with %v, and has logged %s", err, logged)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("the server says %q, %v; want listening on HOST:PORT", line, err)
	}
	return addr, logged
}

// status is the one in the answer to a request of long polling, and its token.
func status(t *testing.T, method, addr, token, body string) (code int, newToken string) {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+addr+"/socket/longpoll?vsn=2.0.0&token="+token, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	var answer struct {
		Status int
		Token  string
	}
	if err := json.NewDecoder(a.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer.Status, answer.Token
}

// Servers of a cluster that have the same secret know each other's sessions of long
// polling. Those that have none are told so.
func TestServersShareSessions(t *testing.T) {
	nats, err := natsserver.Start(natsserver.Config{Addr: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer nats.Close()
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	t.Setenv("ROOST_CLUSTER", nats.URL())
	t.Run("one secret", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "secret")
		write(t, file, []byte(secret+"\n"))
		a, log := runServer(t, "-secret-file "+file+" -cluster-secret-file "+file)
		t.Setenv("ROOST_SECRET", secret)
		t.Setenv("ROOST_CLUSTER_SECRET", secret)
		b, _ := runServer(t, "")
		eventually(t, "one takes what is for a session of the other", func() bool {
			_, token := status(t, "GET", a, "", "")
			code, _ := status(t, "POST", b, token, `[null,"1","phoenix","heartbeat",{}]`)
			return code == http.StatusOK
		})
		if strings.Contains(log.String(), "ROOST_SECRET") {
			t.Errorf("it has a secret, and logs %s", log)
		}
	})
	t.Run("none", func(t *testing.T) {
		_, log := runServer(t, "")
		eventually(t, "the log says what to do", func() bool { return strings.Contains(log.String(), "ROOST_SECRET") })
	})
}

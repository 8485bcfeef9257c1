package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/record"
)

// What a run starts follows from its flags: this program with the role of a server, a
// program of the user's, or nothing beside clients.
func TestCommandsOfARun(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		parent, args string
		server       []string
		apart        bool
	}{
		{"", "", []string{self, serverRole}, false},
		{"roost", "", []string{self, "bench", serverRole}, false},
		{"", "-apart", []string{self, serverRole}, true},
		{"", "-url ws://h", nil, false},
		{"", "-server ./floor", []string{"./floor"}, true}, // other servers are no cluster that we know
		{"", "-server ./floor -one-room", []string{"./floor"}, false},
		{"", "-node ./node", []string{"./node"}, false},
	} {
		o, err := Program{Parent: tt.parent}.parseOptions(strings.Fields(tt.args), io.Discard)
		if err == nil {
			err = o.setCommands()
		}
		clients := []string{self, clientsRole}
		if tt.parent != "" {
			clients = []string{self, "bench", clientsRole}
		}
		if c := o.config; err != nil || !slices.Equal(c.ServerCommand, tt.server) || c.Apart != tt.apart || !slices.Equal(c.ClientCommand, clients) {
			t.Errorf("%s %s: servers by %q, apart: %v, clients by %q, %v, want %q, %v", tt.parent, tt.args, c.ServerCommand, c.Apart, c.ClientCommand, err, tt.server, tt.apart)
		}
	}
	o, err := parse("-server scripts/phoenix/serve")
	if err == nil {
		o.server = "  env  A=b serve -x "
		err = o.setCommands()
	}
	if err != nil || !slices.Equal(o.config.ServerCommand, []string{"env", "A=b", "serve", "-x"}) {
		t.Errorf("a server with arguments: %q, %v", o.config.ServerCommand, err)
	}
}

// Our servers close connections after twice the time between heartbeats, and several are
// one cluster over the NATS server that was named.
func TestFlagsOfOurServers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args    string
		servers int
		want    string
	}{
		{"", 1, "-idle 1m0s"},
		{"-presence count", 1, "-idle 1m0s -presence count"},
		{"-nats nats://h:1", 1, "-idle 1m0s"},
		{"slow -presence full", 1, "-idle 1m0s -outbound-max 65536 -presence full"},
		{"-nats nats://h:1", 2, "-idle 1m0s -cluster nats://h:1"},
	} {
		o, err := parse(tt.args)
		if err != nil {
			t.Fatal(err)
		}
		stop, err := o.configureServers(plan.Plan{Heartbeat: 30 * time.Second, Servers: make([]int, tt.servers)})
		if err != nil {
			t.Fatal(err)
		}
		stop()
		if got := strings.Join(o.config.ServerCommand, " "); got != tt.want {
			t.Errorf("%s, %d servers: they are told %s, want %s", tt.args, tt.servers, got, tt.want)
		}
	}
}

// Without -nats a run has a NATS server of its own, until it ends.
func TestOwnNATS(t *testing.T) {
	t.Parallel()
	url, stop, err := options{}.startNATS()
	if err != nil {
		t.Fatal(err)
	}
	addr := strings.TrimPrefix(url, "nats://")
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatalf("%s: %v, want a server", url, err)
	}
	conn.Close()
	stop()
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Errorf("%s still takes connections after its end", url)
	}
}

// What cannot be done is found before a process is started, with the exit code that
// -help has for it.
func TestRunsThatDoNotBegin(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	t.Setenv(tokenEnv, "")
	const nobody = "127.0.0.1:1"
	if err := os.WriteFile("app.yaml", []byte("rounds: 1\ntopics: [{topic: a}]\nsteps: [{push: a}]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("old", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("old", recordsFile), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"-size 3", exitUsage, "size: must be at least 100 bytes"},
		{"-clients 5 -writers 6", exitUsage, "writers: 6 of 5 clients: there cannot be more of them"},
		{"storm -how never", exitUsage, `how: "never": want drain or kill`},
		{"slow -slow 100", exitUsage, "slow: must be a percentage below 100"},
		{"-presence all", exitUsage, `presence: "all": want full, sample or count`},
		{"storm -url ws://" + nobody, exitUsage, "storm: only servers that were started here can be taken down"},
		{"-drain -1s", exitUsage, "drain: must not be negative"},
		{"-out old", exitUsage, "-out old has a run already: remove it or choose another folder"},
		{"-node /no/such", exitUsage, "-node: could not read Go build info: open /no/such: no such file"},
		{"-size 3 -out old -node /no/such", exitUsage, "size: must be at least 100 bytes, the stamp of a message needs them\n-out old has a run already: remove it or choose another folder\n-node: could not read Go build info: open /no/such"},
		{"-clients 10 -netns yes -url ws://" + nobody, exitUsage, "-netns yes: a separate network namespace cannot reach -url or -nats"},
		{"-clients 10 -url ws://" + nobody, exitBroken, "connection refused: is the server running"},
		{"app.yaml -url ws://" + nobody + "/socket", exitBroken, "app.yaml: the first user does not get through:\n"},
		{"-clients 10 -url ws://h -agents " + nobody, exitBroken, "agent " + nobody + ": dial tcp"},
		{"-clients 2000000000 -netns no -client-tcp kernel", exitBroken, "too many clients"},
		{"-clients 10 -out /dev/null/x", exitBroken, "not a directory"},
		{"-clients 10 -json no/x", exitBroken, "no such file or directory"},
		{"-clients 10 -junit no/x", exitBroken, "no such file or directory"},
	} {
		o, err := parse(tt.args + " -quiet")
		if err != nil {
			t.Errorf("%s: %v", tt.args, err)
			continue
		}
		code, err := coordinate(t.Context(), o)
		if code != tt.code || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: exit code %d, %v, want %d and %q", tt.args, code, err, tt.code, tt.want)
		}
	}
	if made, err := filepath.Glob("results/*"); err != nil || len(made) > 0 {
		t.Errorf("folders %q, %v, want none of runs that did not begin", made, err)
	}
}

// Whoever ends a run before it begins is not told of what did not work out then.
func TestInterruptedBeforeItBegins(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("app.yaml", []byte("rounds: 1\ntopics: [{topic: a}]\nsteps: [{push: a}]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range []string{"-url ws://127.0.0.1:1", "app.yaml -url ws://127.0.0.1:1/socket", "-url ws://127.0.0.1:1 -agents 127.0.0.1:1"} {
		o, err := parse(args + " -quiet -clients 2")
		if err != nil {
			t.Fatal(err)
		}
		if code, err := coordinate(ended, o); code != exitInterrupted || err != nil {
			t.Errorf("%s: exit code %d, %v, want %d and no error", args, code, err, exitInterrupted)
		}
	}
}

// Records are told to who watches, as long as the run lasts: the screen, unless -quiet,
// who scrapes, and a receiver of OTLP.
func TestWatchers(t *testing.T) {
	t.Parallel()
	messages := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what is missing is not found
		messages <- string(body)
		fmt.Fprint(w, "{}")
	}))
	defer receiver.Close()
	state := record.Record{Tick: &record.Tick{AtMs: 7000, Phase: "idle"}}
	for _, tt := range []struct {
		name   string
		o      options
		screen bool
		told   int // of who watches
	}{
		{"nobody", options{quiet: true}, false, 0},
		{"the screen", options{}, true, 1},
		{"who scrapes", options{quiet: true, metrics: "127.0.0.1:0"}, false, 1},
		{"all", options{metrics: "127.0.0.1:0", otlp: receiver.URL}, true, 2},
	} {
		people, err := os.Create(filepath.Join(t.TempDir(), "people"))
		if err != nil {
			t.Fatal(err)
		}
		shown, stop, err := tt.o.watchers(people)
		if err != nil || len(shown) != tt.told {
			t.Fatalf("%s: %d are told, %v, want %d", tt.name, len(shown), err, tt.told)
		}
		for _, show := range shown {
			show(state)
		}
		text, err := os.ReadFile(people.Name())
		if err != nil || strings.Contains(string(text), "7 s idle") != tt.screen {
			t.Errorf("%s: people see %q, %v", tt.name, text, err)
		}
		_, url, said := strings.Cut(string(text), "metrics: ")
		url, _, _ = strings.Cut(url, "\n")
		if said != (tt.o.metrics != "" && !tt.o.quiet) {
			t.Errorf("%s: people see %q", tt.name, text)
		}
		if said {
			answer, err := http.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err != nil || !strings.Contains(string(body), "loadtest_run_seconds 7\n") {
				t.Errorf("%s: %v, metrics\n%s", tt.name, err, body)
			}
		}
		stop()
		if said {
			if _, err := http.Get(url); err == nil {
				t.Errorf("%s: metrics are served after the run", tt.name)
			}
		}
		people.Close()
	}
	if first, last := <-messages, <-messages; strings.Contains(first, "loadtest_run_seconds") || !strings.Contains(last, `"asDouble":7}`) {
		t.Errorf("messages %s and %s, want an empty one and the state", first, last)
	}
}

// A receiver that refuses, and an address that is taken, fail before the run, and leave
// nothing behind.
func TestWatchersThatFail(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.83.0.9:0") // where no other test is
	if err != nil {
		t.Fatal(err)
	}
	free := taken.Addr().String()
	if _, _, err := (options{quiet: true, metrics: free}).watchers(nil); err == nil || !strings.HasPrefix(err.Error(), "metrics: listen tcp "+free) {
		t.Errorf("an address that is taken: %v", err)
	}
	taken.Close()
	refuses := httptest.NewServer(http.NotFoundHandler())
	defer refuses.Close()
	if _, _, err := (options{quiet: true, metrics: free, otlp: refuses.URL}).watchers(nil); err == nil || !strings.Contains(err.Error(), "otlp: HTTP 404") {
		t.Errorf("a receiver that refuses: %v", err)
	}
	again, err := net.Listen("tcp", free)
	if err != nil {
		t.Fatalf("metrics are still served: %v", err)
	}
	again.Close()
}

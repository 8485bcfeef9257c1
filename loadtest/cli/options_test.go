package cli

import (
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
)

// parse parses the arguments of a run, without quotes.
func parse(args string) (options, error) {
	return Program{}.parseOptions(strings.Fields(args), io.Discard)
}

// Each flag sets the field that it is for, and nothing else.
func TestFlagsSetFields(t *testing.T) {
	t.Parallel()
	defaults, err := parse("")
	if err != nil {
		t.Fatal(err)
	}
	pid := strconv.Itoa(os.Getpid())
	for args, set := range map[string]func(o *options){
		"-clients 7":                func(o *options) { o.config.Clients = 7 },
		"-writers 7":                func(o *options) { o.config.Writers = 7 },
		"-messages 7":               func(o *options) { o.config.Messages = 7 },
		"-rate 7.5":                 func(o *options) { o.config.Rate = 7.5 },
		"-size 700":                 func(o *options) { o.config.Size = 700 },
		"-connect-rate 7":           func(o *options) { o.config.ConnectRate = 7 },
		"-connect-rate 0":           func(o *options) {},
		"-drain 7s":                 func(o *options) { o.config.Drain = 7 * time.Second },
		"-late 7s":                  func(o *options) { o.config.Late = 7 * time.Second },
		"-heartbeat 7s":             func(o *options) { o.config.Heartbeat = 7 * time.Second },
		"-topic a":                  func(o *options) { o.config.Topic = "a" },
		"-event a":                  func(o *options) { o.config.Event = "a" },
		"-servers 7":                func(o *options) { o.config.Servers = 7 },
		"-apart":                    func(o *options) { o.config.Apart = true },
		"-presence full":            func(o *options) { o.config.Presence = "full" },
		"-node x":                   func(o *options) { o.config.Node = "x" },
		"-force":                    func(o *options) { o.config.Force = true },
		"-client-tcp tun":           func(o *options) { o.config.ClientTCP = order.TUN },
		"-client-timestamps":        func(o *options) { o.config.Timestamps = true },
		"-netns yes":                func(o *options) { o.netns = yes },
		"-server x":                 func(o *options) { o.server = "x" },
		"-server x -one-room":       func(o *options) { o.server, o.oneRoom = "x", true },
		"-nats nats://h":            func(o *options) { o.nats = "nats://h" },
		"-out a":                    func(o *options) { o.out = "a" },
		"-json a":                   func(o *options) { o.json = "a" },
		"-junit a":                  func(o *options) { o.junit = "a" },
		"-metrics :1":               func(o *options) { o.metrics = ":1" },
		"-otlp http://h":            func(o *options) { o.otlp = "http://h" },
		"-quiet":                    func(o *options) { o.quiet = true },
		"-timeout 7s":               func(o *options) { o.timeout = 7 * time.Second },
		"-url ws://h":               func(o *options) { o.config.URL = "ws://h" },
		"-url ws://h -agents a:1,b": func(o *options) { o.config.URL, o.agents = "ws://h", []string{"a:1", "b"} },
		"-url ws://h -protocol raw": func(o *options) { o.config.URL, o.config.Protocol = "ws://h", plan.Raw },
		"-url ws://h -server-pid " + pid: func(o *options) {
			o.config.URL, o.config.ServerPID = "ws://h", os.Getpid()
		},
		"-header A:b -header C:d": func(o *options) { o.config.Headers = []string{"A:b", "C:d"} },
		"-param a=b -param c=d":   func(o *options) { o.config.Params = []string{"a=b", "c=d"} },
		"-subprotocol a":          func(o *options) { o.config.Subprotocols = []string{"a"} },
		"-auth-token a":           func(o *options) { o.config.AuthToken = "a" },
		"-ca a":                   func(o *options) { o.config.TLS.CA = "a" },
		"-cert a -key b":          func(o *options) { o.config.TLS.Cert, o.config.TLS.Key = "a", "b" },
		"-server-name a":          func(o *options) { o.config.TLS.ServerName = "a" },
		"-insecure":               func(o *options) { o.config.TLS.Insecure = true },
		"-resume":                 func(o *options) { o.config.TLS.Resume = true },
		"chat":                    func(o *options) { o.config.Scenario = plan.Chat },
		"echo -for 7s":            func(o *options) { o.config.Scenario, o.config.For = plan.Echo, 7*time.Second },
		"echo -inflight 7":        func(o *options) { o.config.Scenario, o.config.InFlight = plan.Echo, 7 },
		"storm -how kill":         func(o *options) { o.config.Scenario, o.config.How = "storm", plan.Crash },
		"rooms -rooms 7 -zipf 2":  func(o *options) { o.config.Scenario, o.config.Rooms, o.config.Zipf = "rooms", 7, 2 },
		"churn -churn 7":          func(o *options) { o.config.Scenario, o.config.Churn = "churn", 7 },
		"slow -slow 7":            func(o *options) { o.config.Scenario, o.config.Slow = "slow", 7 },
		"burst -pushers 7 -push 8": func(o *options) {
			o.config.Scenario, o.config.Pushers, o.config.Push = "burst", 7, 8
		},
	} {
		want := defaults
		set(&want)
		if got, err := parse(args); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("loadtest %s: %v,\n%+v, want\n%+v", args, err, got, want)
		}
	}
}

// What contradicts itself, lacks something or is none of what there is, is refused in a
// sentence that says what to do.
func TestRefusedOptions(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-agents h:1": "-agents: only a running server can be tested from other machines: give its -url",
		"-url ws://h -agents h:1 -from 127.0.0.1": "-from and -agents: the agents hold the clients: give -from to each agent",
		"-url ws://h -agents h:1 -client-tcp tun": "-client-tcp and -agents: the agents hold the clients: give -client-tcp to each agent",
		"-url ws://h -agents h:1 -client-tcp bpf": "-client-tcp and -agents: ",
		"-server x -one-room -apart":              "-one-room and -apart exclude each other",
		"-clients 5 6":                            `unexpected argument "6"`,
		"chat echo":                               `unexpected argument "echo"`,
		"-server x -url ws://h":                   "-server and -url exclude each other: one starts a server, the other names a running one",
		"-protocol raw":                           "-protocol raw: Roost has channels: give the -url of another server, or start one with -server",
		"-server-pid 1":                           "-server-pid is for the server of -url; a server that is started here is always measured",
		"-url ws://h -server-pid 2000000000":      "-server-pid 2000000000: no such process",
		"-url ws://h -from 192.0.2.1":             "192.0.2.1 is not an address of this host: ",
		"-url ws://h -from 127.0.0.1,192.0.2.1":   "192.0.2.1 is not an address of this host: ",
		"-url ws://h -from eth0":                  "want an address such as 10.0.0.7, or a prefix such as 2001:db8::/64",
		"-client-tcp x":                           `"x": want kernel, tun, bpf or auto`,
		"-netns maybe":                            "want auto, yes or no",
		"-clients 1k":                             "parse error: want a number such as 1000",
		"-rate many":                              "want a number",
		"-drain 5":                                "want a time such as 500ms",
		"-quiet=perhaps":                          "-quiet",
		"-url":                                    "flag needs an argument: -url",
		"-clients":                                "flag needs an argument: -clients",
		"-clinets 5":                              "-clinets",
		"talk":                                    `no scenario "talk": there are chat, echo,`,
		"none.conf":                               "no file none.conf, and the program includes none of that name: its command list names them",
		"none.yaml":                               "none.yaml: no such file",
		"-slo new_msg.p99<1s":                     "only a scenario file has steps, such as app.yaml",
		"-clients 0":                              "-clients is 0: leave it out for the default",
		"-drain 0s":                               "-drain is 0s: leave it out for the default",
		"rooms -zipf 0":                           "-zipf is 0: leave it out for the default",
		"echo -scenario ../examples/chat.yaml":    "-scenario has no effect in echo, only in app: leave it out",
		"-scenario ../examples/chat.yaml -how drain": "-how has no effect in app, only in storm: leave it out",
		"echo -rooms 5": "-rooms has no effect in echo, only in rooms: leave it out",
		"-inflight 5":   "-inflight has no effect in chat, only in echo: leave it out",
	} {
		if _, err := parse(args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("loadtest %s: %v, want %q", args, err, want)
		}
	}
}

// A threshold may be given several times.
func TestThresholdsAddUp(t *testing.T) {
	t.Parallel()
	o, err := parse("-slo p99<1s -slo lost=0,errors=0")
	if err != nil || o.thresholds.String() != "p99<1s,lost=0,errors=0" {
		t.Errorf("thresholds %s, %v", o.thresholds.String(), err)
	}
}

// confFile makes a scenario file.
func confFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "run.conf")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// A file has flags by their names; the command line comes first, whatever its order,
// and a mistake is said with the name of the file.
func TestScenarioFiles(t *testing.T) {
	t.Parallel()
	file := confFile(t, "# why\nscenario churn\nclients 40\nchurn 20 # a second\nslo lost=0\napart\n")
	o, err := parse(file + " -clients 30 -slo p99<1s")
	if c := o.config; err != nil || c.Scenario != "churn" || c.Clients != 30 || c.Churn != 20 || !c.Apart || o.thresholds.String() != "p99<1s" {
		t.Errorf("%+v, %s, %v, want churn of the file, and 30 clients and the threshold of the command line", c, o.thresholds.String(), err)
	}
	if o, err := parse(confFile(t, "clients 40\n")); err != nil || o.config.Scenario != plan.Chat || o.config.Clients != 40 {
		t.Errorf("%+v, %v, want a chat: the file names no other scenario", o.config, err)
	}
	if o, err := parse("echo-open-10k.conf"); err != nil || o.config.Scenario != plan.Echo || o.config.Rate == 0 {
		t.Errorf("%+v, %v, want the file that comes with the program", o.config, err)
	}
	for text, want := range map[string]string{
		"clients 5\nclients 6\n":          `run.conf: "clients" is there twice`,
		"scenario talk\n":                 `no scenario "talk"`,
		"client 5\n":                      `run.conf: no flag "client"`,
		"clients five\n":                  "run.conf: clients five: parse error",
		"slo p98<1s\n":                    "run.conf: slo p98<1s: threshold",
		"scenario echo\nwriters 2\n":      "-writers has no effect in echo",
		"clients 0\n":                     "-clients is 0: leave it out",
		"protocol raw\n":                  "-protocol raw: Roost has channels",
		"server x\nurl ws://h\n":          "-server and -url exclude each other",
		"scenario chat\nurl ws://h\nrate": "run.conf: rate true: parse error",
	} {
		if _, err := parse(confFile(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a file of %q: %v, want %q", text, err, want)
		}
	}
}

// A run of a scenario file takes its target and thresholds from it, and -url, -rate and
// -for instead of what it says.
func TestOptionsOfAScenarioFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "app.yaml")
	text := `target: {url: "wss://me:secret@h.example:4433/socket?token=abc"}
rounds: 1
topics: [{topic: room:lobby}]
slo: p99<1s
steps: [{push: new_msg, reply: {}}]
`
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	o, err := parse(file + " -slo new_msg.errors=0")
	if err != nil {
		t.Fatal(err)
	}
	c := o.config
	if c.Scenario != plan.App || c.Script == nil || c.ScriptName != file || c.URL != "wss://h.example:4433/socket" || c.ScriptURL != "" {
		t.Errorf("%+v, want the target of the file, without secrets where records have it", c)
	}
	if got := o.thresholds.String(); got != "new_msg.errors=0,p99<1s" || !reflect.DeepEqual(c.SLO, []string{"p99<1s"}) {
		t.Errorf("thresholds %s, of the file %q, want both", got, c.SLO)
	}
	if o, err := parse(file + " -rate 5 -for 7s"); err != nil || o.config.Script.Rate != 5 || time.Duration(o.config.Script.For) != 7*time.Second {
		t.Errorf("%+v, %v, want rounds at the rate of the command line, and for its time", o.config.Script, err)
	}
	if o, err := parse(file + " -url http://other:1/socket?key=k"); err != nil || o.config.URL != "ws://other:1/socket" || o.config.ScriptURL != "http://other:1/socket?key=k" {
		t.Errorf("%+v, %v, want users to connect where -url says", o.config, err)
	}
}

// Addresses for records and people have neither users nor queries.
func TestPublicURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"ws://h:1/socket":                   "ws://h:1/socket",
		"wss://u:p@h/socket/websocket?a=b":  "wss://h/socket/websocket",
		"http://h/socket":                   "ws://h/socket",
		"https://h/socket":                  "wss://h/socket",
		"ws://[::1]:4000/http/socket?http=": "ws://[::1]:4000/http/socket",
		"ws://h:port":                       "",
		"ws://%zz/geheim":                   "",
	} {
		got, err := public(raw)
		if got != want || (err == nil) != (want != "") || err != nil && strings.Contains(err.Error(), "geheim") {
			t.Errorf("public(%q) = %q, %v, want %q", raw, got, err, want)
		}
	}
}

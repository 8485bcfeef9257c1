package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/presence"
)

// The tests below run the files of examples against the real thing, at a small size.

// application starts an application and returns its URL.
func application(t *testing.T, mount phx.Mount) string {
	t.Helper()
	mount.Path = "/socket"
	ep, err := phx.Start(phx.Config{Addr: "127.0.0.1:0", Mounts: []phx.Mount{mount}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ep.Shutdown(context.Background()) }) // the test is over
	return "ws://" + ep.Addr().String() + "/socket"
}

// lobby is the chat of Phoenix's guide.
func lobby() []phx.Route {
	type message struct {
		Body string `json:"body"`
	}
	room := &phx.ChannelType{
		Join: func(*phx.Channel, phx.Payload) (any, error) { return nil, nil },
		In: phx.Events{
			"new_msg": phx.On(func(ch *phx.Channel, m message) (any, error) { return nil, ch.Broadcast("new_msg", m) }),
		},
	}
	return []phx.Route{{Pattern: "room:*", Type: room}}
}

// briefly is an example with other lines, so that it is over soon.
func briefly(t *testing.T, name string, lines map[string]string) (file string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("examples", name))
	if err != nil {
		t.Fatal(err)
	}
	for old, new := range lines {
		if !strings.Contains(string(text), old) {
			t.Fatalf("%s has no %q", name, old)
		}
		text = []byte(strings.ReplaceAll(string(text), old, new))
	}
	file = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile("examples/users.csv")
	if err == nil {
		err = os.WriteFile(filepath.Join(filepath.Dir(file), "users.csv"), table, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// outcome is what a run of a scenario file came to.
type outcome struct {
	steps map[string]record.Step // by name and what
	end   record.End
}

// tryOut makes a run, and wants that nothing is wrong with it.
func tryOut(t *testing.T, file, url string, more ...string) outcome {
	t.Helper()
	c, out := start(t, append([]string{file, "-url", url, "-out", "run"}, more...)...)
	if code := exitCode(t, c.Wait()); code != 0 {
		t.Fatalf("exit code %d, want 0:\n%s", code, out)
	}
	return readOutcome(t, filepath.Join(c.Dir, "run"))
}

func readOutcome(t *testing.T, folder string) outcome {
	t.Helper()
	o := outcome{steps: make(map[string]record.Step)}
	file, err := os.Open(filepath.Join(folder, "records.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	err = record.Read(file, func(r record.Record) error {
		switch {
		case r.Step != nil:
			o.steps[r.Step.Name+": "+r.Step.What] = *r.Step
		case r.End != nil:
			o.end = *r.End
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// allDelivered wants each message at each of so many users.
func (o outcome) allDelivered(t *testing.T, users int64) {
	t.Helper()
	sent := o.steps["push new_msg: push"].OK
	if e := o.end; sent == 0 || e.Joined != users || e.Delivered != sent*users || e.Expected != e.Delivered || e.Lost+e.Unreadable+e.Duplicated != 0 {
		t.Errorf("%d sent to %d users: delivered %d of %d, lost %d, unreadable %d, twice %d", sent, e.Joined, e.Delivered, e.Expected, e.Lost, e.Unreadable, e.Duplicated)
	}
	if heard := o.steps["push new_msg: broadcast"]; heard.OK != sent || len(heard.Failed) > 0 || len(heard.Latency) == 0 {
		t.Errorf("%d senders heard their own, %v failed, want %d", heard.OK, heard.Failed, sent)
	}
}

var brief = map[string]string{"for: 30s": "rounds: 3", "500ms..1500ms": "5ms..20ms"}

// README's "Write a channel", as it stands there.
func TestReadmeExampleUnderLoad(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	program := regexp.MustCompile("(?s)## Write a channel\n\n```go\n(.*?)```").FindSubmatch(text)
	if program == nil {
		t.Fatal("README has no program under Write a channel")
	}
	pid := os.Getpid() // an address of loopback that nobody else has
	addr := fmt.Sprintf("127.%d.%d.%d:4000", 64+pid>>16&63, pid>>8&255, pid&255)
	folder := t.TempDir()
	source := strings.Replace(string(program[1]), "127.0.0.1:4000", addr, 1)
	if err := os.WriteFile(filepath.Join(folder, "main.go"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	app := filepath.Join(folder, "app")
	if out, err := exec.Command("go", "build", "-o", app, filepath.Join(folder, "main.go")).CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	server := exec.CommandContext(t.Context(), app)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the server", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	tryOut(t, briefly(t, "chat.yaml", brief), "ws://"+addr).allDelivered(t, 50)
	c, out := start(t, "-url", "ws://"+addr, "-clients", "40", "-messages", "3", "-rate", "20", "-json", "figures.json")
	if code := exitCode(t, c.Wait()); code != 0 || !strings.Contains(out.String(), "All delivered: 120 messages to 40 clients") {
		t.Errorf("without a scenario file: exit code %d:\n%s", code, out)
	}
}

// The chat of Phoenix's guide, over each transport and version.
func TestChatExamples(t *testing.T) {
	t.Parallel()
	url := application(t, phx.Mount{Routes: lobby(), LongPoll: &phx.LongPoll{}})
	const agent = "count: "
	for _, test := range []struct {
		file  string
		lines map[string]string
	}{
		{"chat.yaml", map[string]string{agent + "50": agent + "30"}},
		{"chat.yaml", map[string]string{agent + "50": agent + "30", "target:\n": "target:\n  vsn: 1.0.0\n"}},
		{"longpoll.yaml", map[string]string{agent + "20": agent + "30"}},
	} {
		t.Run(test.file, func(t *testing.T) {
			t.Parallel()
			lines := map[string]string{"room:lobby": "room:" + strings.ReplaceAll(t.Name(), "#", "-")}
			for _, more := range []map[string]string{brief, test.lines} {
				for old, new := range more {
					lines[old] = new
				}
			}
			tryOut(t, briefly(t, test.file, lines), url).allDelivered(t, 30)
		})
	}
}

// An application behind a login: tokens of a table, a topic for each user, replies
// that are errors on purpose.
func TestLoginExample(t *testing.T) {
	t.Parallel()
	url := application(t, loginApp())
	lines := map[string]string{"for: 30s": "rounds: 6", "200ms..400ms": "1ms", "weight: 3": "weight: 1", "within: 2s": "within: 60s"}
	o := tryOut(t, briefly(t, "login.yaml", lines), url)
	for name, want := range map[string]int64{
		"join me: join": 3, "push note: reply": 18, "push note: broadcast": 18, "push rename: reply": 18,
	} {
		if got := o.steps[name]; got.OK != want || len(got.Failed) > 0 {
			t.Errorf("%s: %d, %v failed, want %d", name, got.OK, got.Failed, want)
		}
	}
	read, ping := o.steps["push read: reply"], o.steps["push ping: reply"]
	if read.OK+ping.OK != 18 || o.steps["join private: join"].OK != ping.OK || o.steps["leave private: leave"].OK != ping.OK {
		t.Errorf("read %d, ping %d, joins %+v, leaves %+v, want 18 in all, and each in its place", read.OK, ping.OK, o.steps["join private: join"], o.steps["leave private: leave"])
	}
}

// Thresholds of steps, those of the file and of the command, are in the verdict, in
// all that is written of it, and in what is made anew of the records.
func TestThresholdsOfScenarioFile(t *testing.T) {
	t.Parallel()
	url := application(t, phx.Mount{Routes: lobby()})
	lines := map[string]string{"for: 30s": "rounds: 2\nslo: [new_msg.errors=0, 'join.p99<1ns']", "500ms..1500ms": "1ms"}
	c, out := start(t, briefly(t, "chat.yaml", lines), "-url", url, "-out", "run", "-junit", "junit.xml", "-slo", "broadcast.ok=100,lost=0")
	const want = "1 of 4 thresholds missed: join.p99<1ns"
	if code := exitCode(t, c.Wait()); code != 99 || !strings.Contains(out.String(), want) {
		t.Fatalf("exit code %d, want 99 and %s:\n%s", code, want, out)
	}
	again, out := start(t, "report", filepath.Join(c.Dir, "run"))
	if code := exitCode(t, again.Wait()); code != 0 {
		t.Fatalf("report: exit code %d:\n%s", code, out)
	}
	for file, parts := range map[string][]string{
		"junit.xml":        {`name="join.p99&lt;1ns"`, `name="new_msg.errors=0"`, `name="broadcast.ok=100"`, `failures="1"`},
		"run/summary.json": {`"text": "join.p99\u003c1ns"`, `"text": "new_msg.errors=0"`, `"text": "broadcast.ok=100"`, `"text": "lost=0"`},
		"run/report.txt":   {want, "met   broadcast.ok=100: it is 100"},
	} {
		text, err := os.ReadFile(filepath.Join(c.Dir, file))
		for _, part := range parts {
			if err != nil || !strings.Contains(string(text), part) {
				t.Errorf("%s: error %v, want %s in it:\n%s", file, err, part, text)
			}
		}
	}
}

// Ctrl-C leaves an account of what was sent by then.
func TestInterruptedExample(t *testing.T) {
	t.Parallel()
	url := application(t, phx.Mount{Routes: lobby()})
	c, out := start(t, briefly(t, "chat.yaml", map[string]string{"500ms..1500ms": "20ms"}), "-url", url, "-out", "run")
	waitFor(t, "messages", func() bool {
		text, _ := os.ReadFile(filepath.Join(c.Dir, "run", "records.jsonl"))
		return strings.Contains(string(text), `"phase":"users"`)
	})
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(t, c.Wait()); code != 130 {
		t.Fatalf("exit code %d, want 130:\n%s", code, out)
	}
	if e := readOutcome(t, filepath.Join(c.Dir, "run")).end; !e.Interrupted || e.Delivered != e.Expected || e.Lost+e.Duplicated > 0 {
		t.Errorf("interrupted %t, delivered %d of %d, lost %d, twice %d", e.Interrupted, e.Delivered, e.Expected, e.Lost, e.Duplicated)
	}
}

// A user whose token is wrong is told of before the run, by name of what to look at.
func TestFirstUserSaysWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ old, new, want string }{
		{"token: \"{{user.socket_token}}\"", "token: wrong", "upgrade: HTTP 403 Forbidden"},
		{"token: \"{{user.join_token}}\"", "token: wrong", "join refused: me: error: unauthorized: check the topic and the payload of the join"},
		{"reason: name is empty", "reason: other", `push rename: reply the response does not match: {"reason":"name is empty"}`},
		{"event: noted, to: self", "event: other, to: self, within: 1s", "push note: broadcast did not come back in 1s; what came is noted on user:ann with the stamp: if it is that, say so"},
		{"text: \"{{stamp}}\"", "other: \"{{stamp}}\"", "what came has no stamp in it, so the application may drop the field"},
		{"push: read", "push: hang", "push hang: reply no reply in 1s; does the application reply to this event"},
	} {
		t.Run(test.new, func(t *testing.T) {
			t.Parallel()
			url := application(t, loginApp()) // of its own: all are the same user
			lines := map[string]string{test.old: test.new, "reply: {}": "reply: {within: 1s}", "to: self": "to: self, within: 3s"}
			if strings.Contains(test.new, "within") {
				delete(lines, "to: self")
			}
			c, out := start(t, briefly(t, "login.yaml", lines), "-url", url, "-out", "run")
			if code := exitCode(t, c.Wait()); code != 1 || !strings.Contains(out.String(), test.want) {
				t.Errorf("exit code %d, want 1 and %q:\n%s", code, test.want, out)
			}
		})
	}
}

// loginApp is an application with tokens.
func loginApp() phx.Mount {
	type note struct {
		Inbox int
		Text  string
	}
	me := &phx.ChannelType{
		Join: func(ch *phx.Channel, p phx.Payload) (any, error) {
			var with struct{ Token string }
			id := strings.TrimPrefix(ch.Topic(), "user:")
			short, _, _ := strings.Cut(strings.ToLower(id), " ")
			if err := p.Decode(&with); err != nil || with.Token != "join-of-"+short {
				return nil, phx.Errorf("unauthorized")
			}
			return map[string]any{"id": id, "inbox": map[string]int{"id": 7}}, nil
		},
		In: phx.Events{
			"note": phx.On(func(ch *phx.Channel, n note) (any, error) {
				if n.Inbox != 7 {
					return nil, phx.Errorf("no such inbox")
				}
				return map[string]int{"saved": 1}, ch.Broadcast("noted", map[string]string{"html": "<p>" + n.Text + "</p>"})
			}),
			"rename": phx.On(func(*phx.Channel, struct{ Name string }) (any, error) { return nil, phx.Errorf("name is empty") }),
			"read":   phx.On(func(*phx.Channel, struct{ Page string }) (any, error) { return map[string]int{"n": 1}, nil }),
			"hang":   phx.On(func(*phx.Channel, struct{ Page string }) (any, error) { return nil, nil }),
		},
	}
	private := &phx.ChannelType{
		Join: func(*phx.Channel, phx.Payload) (any, error) { return nil, nil },
		In:   phx.Events{"ping": phx.On(func(*phx.Channel, struct{}) (any, error) { return map[string]int{}, nil })},
	}
	return phx.Mount{
		Connect: func(_ *phx.Socket, params phx.Params, _ *http.Request) error {
			if token := params.String("token"); !strings.HasPrefix(token, "socket-of-") {
				return errToken
			}
			return nil
		},
		Routes: []phx.Route{{Pattern: "user:*", Type: me}, {Pattern: "room:*", Type: private}},
	}
}

var errToken = errors.New("wrong token")

// Users come and go by stages, and rounds begin at their rate.
func TestStagesExample(t *testing.T) {
	t.Parallel()
	url := application(t, phx.Mount{Routes: lobby()})
	o := tryOut(t, briefly(t, "stages.yaml", map[string]string{"for: 10s": "for: 500ms", "for: 20s": "for: 1s", "users: 50": "users: 5", "users: 200": "users: 20", "rate: 20": "rate: 5", "rate: 60": "rate: 10"}), url)
	// 1 + 5 + 10 + 2 rounds are due, fewer than users: none is skipped, however slow the
	// machine. The last users may be gone before they begin theirs.
	if sent := o.steps["push new_msg: push"].OK; sent == 0 || sent > 19 || o.end.Joined != 20 || o.end.Delivered < sent || o.end.Lost > 0 {
		t.Errorf("%d rounds of %d users, delivered %d, lost %d, want up to 19 of 20", sent, o.end.Joined, o.end.Delivered, o.end.Lost)
	}
}

// Presence: of the own join and of others'.
func TestPresenceExample(t *testing.T) {
	t.Parallel()
	here := presence.New(presence.Config{})
	room := &phx.ChannelType{
		// Tracked behind the state, so that the diff of the own join comes behind it, too.
		Joined: func(ch *phx.Channel, p phx.Payload) error {
			var who struct{ Name string }
			if err := errors.Join(p.Decode(&who), here.PushState(ch)); err != nil {
				return err
			}
			_, err := here.Track(ch, who.Name, map[string]any{})
			return err
		},
	}
	ep, err := phx.Start(phx.Config{Addr: "127.0.0.1:0", Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "room:*", Type: room}}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { here.Close(); _ = ep.Shutdown(context.Background()) }) // the test is over
	if err := here.Attach(ep); err != nil {
		t.Fatal(err)
	}
	lines := map[string]string{"for: 30s": "rounds: 2", "within: 5s": "within: 60s", "200ms..400ms": "5ms..20ms"}
	o := tryOut(t, briefly(t, "presence.yaml", lines), "ws://"+ep.Addr().String()+"/socket")
	for _, name := range []string{"join room:lobby: join", "expect presence_state: event", "expect presence_diff: event", "leave room:lobby: leave"} {
		if got := o.steps[name]; got.OK != 40 || len(got.Failed) > 0 {
			t.Errorf("%s: %d, %v failed, want 40", name, got.OK, got.Failed)
		}
	}
}

func TestBinaryExample(t *testing.T) {
	t.Parallel()
	room := &phx.ChannelType{
		Join: func(*phx.Channel, phx.Payload) (any, error) { return nil, nil },
		In: phx.Events{"upload": func(_ *phx.Channel, p phx.Payload) (any, error) {
			if _, ok := p.Binary(); !ok {
				return nil, phx.Errorf("not binary")
			}
			return map[string]int{}, nil
		}},
	}
	url := application(t, phx.Mount{Routes: []phx.Route{{Pattern: "room:*", Type: room}}})
	o := tryOut(t, briefly(t, "binary.yaml", map[string]string{"for: 10s": "rounds: 2", "wait: 100ms": "wait: 1ms"}), url)
	if got := o.steps["push upload: reply"]; got.OK != 20 {
		t.Errorf("%d uploads, want 20: %+v", got.OK, got)
	}
}

// Binary messages that are broadcast are known by the stamp among their bytes.
func TestBinaryBroadcasts(t *testing.T) {
	t.Parallel()
	room := &phx.ChannelType{
		Join: func(*phx.Channel, phx.Payload) (any, error) { return nil, nil },
		In: phx.Events{"upload": func(ch *phx.Channel, p phx.Payload) (any, error) {
			bytes, ok := p.Binary()
			if !ok {
				return nil, phx.Errorf("not binary")
			}
			return nil, ch.Broadcast("uploaded", phx.Binary(append([]byte{0, 0xff, '"'}, bytes...)))
		}},
	}
	url := application(t, phx.Mount{Routes: []phx.Route{{Pattern: "room:*", Type: room}}})
	o := tryOut(t, briefly(t, "binary.yaml", map[string]string{"for: 10s": "rounds: 2", "wait: 100ms": "wait: 1ms", "reply: {}": "broadcast: {event: uploaded}"}), url)
	if got := o.steps["push upload: broadcast"]; got.OK != 20 || len(got.Failed) > 0 || o.end.Delivered != 200 || o.end.Expected != 200 || o.end.Unreadable > 0 {
		t.Errorf("%d uploads heard, %v failed, %d of %d receipts, %d unreadable, want 20 and 200", got.OK, got.Failed, o.end.Delivered, o.end.Expected, o.end.Unreadable)
	}
}

// The schema is printed whole, and every example is right.
func TestCheck(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("examples/*.yaml")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, file := range files {
		path, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		c, out := start(t, "check", path)
		if code := exitCode(t, c.Wait()); code != 0 || !strings.Contains(out.String(), ": OK: ") {
			t.Errorf("%s: exit code %d:\n%s", file, code, out)
		}
	}
	c, out := start(t, "check", "-schema")
	if code := exitCode(t, c.Wait()); code != 0 || !json.Valid([]byte(out.String())) {
		t.Errorf("the schema: exit code %d:\n%s", code, out)
	}
	c, out = start(t, "check", "none.yaml")
	if code := exitCode(t, c.Wait()); code != 2 || !strings.Contains(out.String(), "none.yaml: no such file") {
		t.Errorf("no file: exit code %d:\n%s", code, out)
	}
}

// Who ends a run while the first client is still waiting for an answer is not told
// that something does not fit.
func TestInterruptedBeforeTheRun(t *testing.T) {
	t.Parallel()
	for _, scenario := range [][]string{{"app.yaml"}, {"chat", "-clients", "3"}} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		folder := t.TempDir()
		c := exec.CommandContext(t.Context(), program, append(scenario, "-url", "ws://"+listener.Addr().String()+"/socket/websocket", "-out", "run")...)
		var out strings.Builder
		c.Dir, c.Stdout, c.Stderr = folder, &out, &out
		if err := os.WriteFile(filepath.Join(folder, "app.yaml"), []byte("topics: [{topic: a}]\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		conn, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil { // it asks, and waits
			t.Fatal(err)
		}
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if code := exitCode(t, c.Wait()); code != 130 || strings.Contains(out.String(), "first user") {
			t.Errorf("%v: exit code %d, want 130:\n%s", scenario, code, out.String())
		}
		conn.Close()
		listener.Close()
	}
}

package gen

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// run runs the program.
func run(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = Main("go run github.com/roost-rt/roost/server/gen", args, &out, &err)
	return code, out.String(), err.String()
}

// module makes a module that requires this one, as users have it: with the same
// versions of everything, so that nothing is downloaded.
func module(t *testing.T) (dir string) {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(t.TempDir(), "app")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	mod := regexp.MustCompile(`(?m)^module .*`).ReplaceAllString(read(t, filepath.Join(root, "go.mod")),
		"module example.com/app\n\nrequire github.com/roost-rt/roost v0.0.0\n\nreplace github.com/roost-rt/roost => "+root)
	write(t, filepath.Join(dir, "go.mod"), mod)
	write(t, filepath.Join(dir, "go.sum"), read(t, filepath.Join(root, "go.sum")))
	return dir
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// goTool runs the go command in a module, offline.
func goTool(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// What is generated compiles, has nothing to complain about, and passes the tests
// that come with it, in which a client joins the channel and connects to the
// socket. All in one package, so that nothing collides.
func TestGeneratedCodeWorks(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a module")
	}
	dir := module(t)
	for _, args := range [][]string{
		{"channel", "Chat"}, {"channel", "HTTPLog"}, {"socket", "User"}, {"socket", "AdminUser"}, {"presence", "Room"}, {"presence", "Chat"},
	} {
		if code, _, stderr := run(append(args, "-dir", dir)...); code != 0 {
			t.Fatalf("gen %v exits with %d: %s", args, code, stderr)
		}
	}
	if out, err := exec.Command("gofmt", "-l", dir).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("gofmt -l: %v, %s", err, out)
	}
	goTool(t, dir, "vet", "./...")
	out := goTool(t, dir, "test", "-v", "./...")
	for _, want := range []string{
		"TestChatAnswersPing", "TestChatBroadcastsShout", "TestChatPushesBroadcasts", "TestHTTPLogAnswersPing",
		"TestUserSocketWantsAToken", "TestAdminUserSocketWantsAToken", "TestRoomShowsWhoIsThere", "TestRoomWantsAUser", "TestChatShowsWhoIsThere",
	} {
		if !strings.Contains(out, "--- PASS: "+want+" ") {
			t.Errorf("%s did not run:\n%s", want, out)
		}
	}
}

// The advice fits what was generated.
func TestAdvice(t *testing.T) {
	tests := []struct {
		args  []string
		files []string
		want  []string
	}{
		{
			[]string{"channel", "ChatRoom"},
			[]string{"chat_room_channel.go", "chat_room_channel_test.go"},
			[]string{`{Pattern: "chat_room:*", Type: ChatRoomChannel()},`, `socket.channel("chat_room:lobby", {})`},
		},
		{
			[]string{"channel", "HTTPLog2Channel"},
			[]string{"http_log2_channel.go", "http_log2_channel_test.go"},
			[]string{`{Pattern: "http_log2:*", Type: HTTPLog2Channel()},`},
		},
		{
			[]string{"socket", "User"},
			[]string{"user_socket.go", "user_socket.mjs", "user_socket_test.go"},
			[]string{`Mounts: []phx.Mount{UserSocket(tokens)}`, `tokens.Sign("user socket", id)`, `import socket from "./user_socket.mjs"`},
		},
		{
			[]string{"presence", "ChatRoomPresence"},
			[]string{"chat_room_presence.go", "chat_room_presence.mjs", "chat_room_presence_test.go"},
			[]string{`{Pattern: "chat_room:*", Type: ChatRoomPresence(here)},`, `import { watch } from "./chat_room_presence.mjs"`},
		},
	}
	for _, tt := range tests {
		dir := filepath.Join(t.TempDir(), "new", "app")
		code, stdout, stderr := run(append(tt.args, "-dir", dir)...)
		if code != 0 || stderr != "" {
			t.Errorf("gen %v exits with %d: %s", tt.args, code, stderr)
		}
		var wrote strings.Builder
		for _, name := range tt.files {
			wrote.WriteString("wrote " + filepath.Join(dir, name) + "\n")
			if text := read(t, filepath.Join(dir, name)); strings.Contains(text, "<%") || strings.HasSuffix(name, ".go") && !strings.HasPrefix(text, "package app\n") {
				t.Errorf("%s is\n%s", name, text)
			}
		}
		if !strings.HasPrefix(stdout, wrote.String()+"\n") {
			t.Errorf("gen %v prints\n%s\nwant first\n%s", tt.args, stdout, wrote.String())
		}
		for _, want := range tt.want {
			if !strings.Contains(stdout, want) {
				t.Errorf("gen %v prints\n%s\nwant in it %s", tt.args, stdout, want)
			}
		}
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{}, {"-h"}, {"--help"}, {"channel", "-help"}, {"socket", "--help"}, {"channel", "Chat", "-h"}} {
		code, stdout, stderr := run(args...)
		if code != 0 || stderr != "" || !strings.HasPrefix(stdout, "usage: go run github.com/roost-rt/roost/server/gen channel [flags] NAME\n") || !strings.Contains(stdout, "-force") {
			t.Errorf("gen %v exits with %d and prints %q and %q", args, code, stdout, stderr)
		}
	}
}

// Wrong arguments and what is there already: nothing is written.
func TestRefusals(t *testing.T) {
	const mine = "package app\n\nfunc TestOther() {}\n\nvar mayJoinChat = 1\n"
	tests := []struct {
		name  string
		there map[string]string // files
		args  []string
		code  int
		want  string
	}{
		{"no name", nil, []string{"channel"}, 2, "want what to generate and its name"},
		{"two names", nil, []string{"channel", "A", "B"}, 2, "want what to generate and its name"},
		{"unknown flag", nil, []string{"channel", "Chat", "-fast"}, 2, "gen: flag provided but not defined: -fast; see -help"},
		{"unknown kind", nil, []string{"page", "Chat"}, 2, `"page" is nothing to generate: there are channel, socket and presence`},
		{"a path as kind", nil, []string{"../templates/channel", "Chat"}, 2, "is nothing to generate"},
		{"lower case", nil, []string{"channel", "chat"}, 2, `"chat" is no name in CamelCase`},
		{"snake case", nil, []string{"channel", "Chat_room"}, 2, `"Chat_room" is no name in CamelCase`},
		{"other letters", nil, []string{"channel", "Größe"}, 2, `"Größe" is no name in CamelCase`},
		{"empty", nil, []string{"channel", ""}, 2, `"" is no name in CamelCase`},
		{"nested", nil, []string{"channel", "Admin.Chat"}, 2, `"Admin.Chat" is nested: in Go that is a package of its own: -dir admin Chat`},
		{"package", nil, []string{"channel", "Chat", "-package", "my-app"}, 2, `-package is "my-app": want a Go identifier`},
		{"the channel", map[string]string{"chat_channel.go": mine}, []string{"channel", "Chat"}, 1, "chat_channel.go exists: choose another name, or overwrite it with -force"},
		{"its test", map[string]string{"chat_channel_test.go": mine}, []string{"channel", "Chat"}, 1, "chat_channel_test.go exists"},
		{"the script", map[string]string{"user_socket.mjs": "mine"}, []string{"socket", "User"}, 1, "user_socket.mjs exists"},
		{"its names", map[string]string{"room.go": mine}, []string{"channel", "Chat"}, 1, "room.go declares mayJoinChat already: choose another name"},
		{"its names, by force", map[string]string{"room.go": mine}, []string{"channel", "Chat", "-force"}, 1, "room.go declares mayJoinChat already"},
		{"another package", map[string]string{"room.go": mine}, []string{"channel", "Room", "-package", "main"}, 1, "are package app, not main"},
		{"broken Go", map[string]string{"room.go": "packag"}, []string{"channel", "Chat"}, 1, "expected 'package'"},
		{"no folder", map[string]string{"file": ""}, []string{"channel", "Chat", "-dir", "DIR/file"}, 1, "not a directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "app")
			if err := os.Mkdir(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			for name, text := range tt.there {
				write(t, filepath.Join(dir, name), text)
			}
			args := []string{"-dir", dir}
			for _, arg := range tt.args {
				args = append(args, strings.ReplaceAll(arg, "DIR", dir))
			}
			code, stdout, stderr := run(args...)
			if code != tt.code || stdout != "" || !strings.Contains(stderr, tt.want) {
				t.Errorf("gen %v exits with %d, want %d; prints %q and %q, want %q", tt.args, code, tt.code, stdout, stderr, tt.want)
			}
			entries, err := os.ReadDir(dir)
			if err != nil || len(entries) != len(tt.there) {
				t.Errorf("the folder has %v, %v", entries, err)
			}
			for name, text := range tt.there {
				if got := read(t, filepath.Join(dir, name)); got != text {
					t.Errorf("%s was changed to %q", name, got)
				}
			}
		})
	}
}

func TestForceOverwrites(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "chat_channel.go"), "package rooms\n\nfunc ChatChannel() {}\n")
	write(t, filepath.Join(dir, "other_test.go"), "package rooms_test\n\nfunc ChatChannel() {}\n")
	if code, _, stderr := run("channel", "ChatChannel", "-force", "-dir", dir); code != 0 {
		t.Fatalf("exits with %d: %s", code, stderr)
	}
	text := read(t, filepath.Join(dir, "chat_channel.go"))
	if !strings.HasPrefix(text, "package rooms\n") || !strings.Contains(text, "func ChatChannel() *phx.ChannelType {") {
		t.Errorf("chat_channel.go is\n%s", text)
	}
}

package settings_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/settings"
)

var program = settings.Program{Prefix: "SETTINGS_", Secrets: []string{"token"}}

// newFlags are an example.
func newFlags() *flag.FlagSet {
	f := flag.NewFlagSet("", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.String("addr", "127.0.0.1:4000", "where to `listen`")
	f.Int("max-conns", 0, "`connections` at most")
	f.Bool("proxy-protocol", false, "whether")
	f.Duration("idle", time.Minute, "how long")
	f.String("hosts", "", "names")
	f.String("cluster", "", "URL")
	f.String("token", "", "secret")
	return f
}

// write writes a file of settings.
func write(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "roost.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The command line comes before the environment, and that before the file; what is
// printed says so, and sets the same when it is read again.
func TestOrder(t *testing.T) {
	path := write(t, `# comments are fine
addr: 127.0.0.1:1
max-conns: 1
idle: 5s
hosts: [a.example, b.example]
proxy-protocol: true
cluster: nats://user:password@10.0.0.1:4222
token: "0123456789"
`)
	t.Setenv("SETTINGS_ADDR", "127.0.0.1:2")
	t.Setenv("SETTINGS_MAX_CONNS", "2")
	t.Setenv("SETTINGS_IDLE", "") // is not set
	v, err := program.Parse(newFlags(), []string{"-config", path, "-max-conns", "3"})
	if err != nil {
		t.Fatal(err)
	}
	var printed bytes.Buffer
	if err := v.Print(&printed); err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(`addr: 127.0.0.1:2 # SETTINGS_ADDR
cluster: nats://[FILTERED]@10.0.0.1:4222 # PATH:7
hosts: a.example,b.example # PATH:5
idle: 5s # PATH:4
max-conns: 3 # -max-conns
proxy-protocol: true # PATH:6
token: '[FILTERED]' # PATH:8
`, "PATH", path)
	if got := printed.String(); got != want {
		t.Errorf("Print writes\n%s\nwant\n%s", got, want)
	}
	if texts := v.Texts(); texts["cluster"] != "nats://user:password@10.0.0.1:4222" || texts["token"] != "0123456789" {
		t.Errorf("Texts() = %v, want nothing masked", texts)
	}
	for name, want := range map[string]string{"addr": "SETTINGS_ADDR", "max-conns": "-max-conns", "idle": path + ":4"} {
		if got := v.From(name); got != want {
			t.Errorf("From(%q) = %q, want %q", name, got, want)
		}
	}
	t.Setenv("SETTINGS_ADDR", "")
	t.Setenv("SETTINGS_MAX_CONNS", "")
	again, err := program.Parse(newFlags(), []string{"-config", write(t, printed.String())})
	if err != nil {
		t.Fatalf("what Print wrote cannot be read: %v", err)
	}
	if got := again.Texts(); got["addr"] != "127.0.0.1:2" || got["max-conns"] != "3" || got["proxy-protocol"] != "true" || got["idle"] != "5s" {
		t.Errorf("what Print wrote sets %v", got)
	}
}

func TestDefaults(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "{}\n"} {
		v, err := program.Parse(newFlags(), []string{"-config", write(t, text)})
		if err != nil || v.From("addr") != "" || v.Texts()["addr"] != "127.0.0.1:4000" {
			t.Errorf("a file with %q: %v, addr from %q", text, err, v.From("addr"))
		}
	}
}

// What is wrong is said with where it is, and with what may have been meant.
func TestMistakes(t *testing.T) {
	for _, tt := range []struct{ file, args, want string }{
		{"adr: x\n", "", ":1: adr: no such setting: did you mean addr?"},
		{"max_conns: 1\n", "", ":1: max_conns: no such setting: did you mean max-conns?"},
		{"addr: :1\n\nmaxconns: 1\n", "", ":3: maxconns: no such setting: did you mean max-conns?"},
		{"nonsense: 1\n", "", "nonsense: no such setting\n"},
		{"config: x\n", "", "config: no such setting"},
		{"max-conns: many\n", "", `:1: max-conns is "many": want a number such as 1000`},
		{"idle: 5\n", "", `:1: idle is "5": want a time such as`},
		{"proxy-protocol: yes\n", "", `proxy-protocol is "yes": want true or false`},
		{"addr: :1\naddr: :2\n", "", ":2: addr: is in line 1 already"},
		{"addr:\n", "", ":1: addr: want a value"},
		{"hosts: []\n", "", ":1: hosts: want a value"},
		{"hosts: {a: b}\n", "", ":1: hosts: want a value, or a list of them"},
		{"hosts: [[a]]\n", "", ":1: hosts: want a value, or a list of them"},
		{"- addr\n", "", ":1: want names and values"},
		{"addr\n", "", ":1: want names and values"},
		{"addr: :1\n---\naddr: :2\n", "", "want one document"},
		{"addr: [\n", "", "yaml: line "},
		{strings.Repeat("#\n", 1<<19) + "addr: :1\n", "", "has more than 1048576 bytes"},
		{"", "-adr x", "no flag -adr: did you mean -addr?; see -help"},
		{"", "-max-conns x", `for flag -max-conns: parse error: want a number such as 1000; see -help`},
		{"", "-nonsense", "no flag -nonsense; see -help"},
		{"", "-token secretive", "-token: all users of this host see arguments: put it into SETTINGS_TOKEN"},
		{"", "-config /nowhere/file", "-config: open /nowhere/file"},
	} {
		args := strings.Fields(tt.args)
		if tt.file != "" {
			args = append(args, "-config", write(t, tt.file))
		}
		_, err := program.Parse(newFlags(), args)
		if err == nil || !strings.Contains(err.Error()+"\n", tt.want) || strings.Contains(err.Error(), "secretive") {
			t.Errorf("%q with the file %.80q: %v, want %s", tt.args, tt.file, err, tt.want)
		}
	}
	t.Setenv("SETTINGS_MAX_CONNS", "x")
	if _, err := program.Parse(newFlags(), nil); err == nil || !strings.Contains(err.Error(), `SETTINGS_MAX_CONNS is "x": want a number such as 1000`) {
		t.Errorf("a number that is none in the environment: %v", err)
	}
	if _, err := program.Parse(newFlags(), []string{"-help"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-help: %v", err)
	}
}

// A variable of another program is no mistake, but one that looks like a setting is said.
func TestStrange(t *testing.T) {
	t.Setenv("SETTINGS_SERVICE_HOST", "10.0.0.1") // as Kubernetes has it
	t.Setenv("SETTINGS_PORT", "tcp://10.0.0.1:4000")
	t.Setenv("SETTINGS_MAXCONNS", "1")
	v, err := program.Parse(newFlags(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(v.Strange(), "; "); got != "SETTINGS_MAXCONNS is no setting: did you mean SETTINGS_MAX_CONNS?" {
		t.Errorf("Strange() = %q", got)
	}
}

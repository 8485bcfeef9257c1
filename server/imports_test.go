package main

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/roost-rt/roost/"

// onlyIn says which packages import a library directly; no others may.
var onlyIn = map[string][]string{
	"github.com/KimMachineGun/automemlimit/memlimit": {"server/chat"},
	"github.com/cilium/ebpf":                         {"loadtest/vtcp/fast"},
	"github.com/cloudwego/netpoll":                   {"poller"},
	"github.com/panjf2000/ants/v2":                   {"poller"},
	"github.com/vmihailenco/msgpack/v5":              {"server/msgpack"},
	"github.com/gobwas/ws":                           {"server/frame", "server/internal/packet", "server/phx"},
	"github.com/gobwas/httphead":                     {"server/phx"},
	"github.com/HdrHistogram/hdrhistogram-go":        {"loadtest/conduct", "loadtest/order", "loadtest/swarm", "loadtest/report", "loadtest/user"},
	"github.com/nats-io/nats.go":                     {"pubsub/cluster"},
	"github.com/nats-io/nats-server/v2/server":       {"pubsub/cluster/natsserver"},
	"github.com/peterbourgon/ff/v3":                  {"loadtest/cli"},
	"github.com/prometheus/client_golang/prometheus": {"loadtest/live", "server/metrics"},
	"github.com/redis/rueidis":                       {"pubsub/redis"},
	"github.com/spf13/cobra":                         {"server/cmd/roost"},
	"go.opentelemetry.io/otel/trace":                 {"server/tracing"},
	"go.opentelemetry.io/otel/sdk/trace":             {"server/tracing/otlp"},
	"go.yaml.in/yaml/v3":                             {"loadtest/script", "server/settings"},
	"golang.org/x/crypto/chacha20poly1305":           {"server/token"},
	"golang.org/x/sys/unix":                          {"poller", "loadtest/agent", "loadtest/cli", "loadtest/conduct", "loadtest/order", "loadtest/proc", "loadtest/user", "loadtest/vtcp/fast", "loadtest/vtcp/tun", "scripts/cost"},
}

// A pkg is a package of this module, or its line in CONTRIBUTING's picture.
type pkg struct {
	name    string   // without the module's
	imports []string // likewise; only those of this module
	others  []string // imports from elsewhere; go list's alone
}

// TestPackagePicture holds CONTRIBUTING's picture of packages to what go list
// says, and the packages to the picture: each has a line with the packages that it
// imports, no more and no fewer, and they all stand below it. So imports go one
// way, and nothing is allowed that nobody uses.
func TestPackagePicture(t *testing.T) {
	drawn, found := readPicture(t), listPackages(t)
	for _, p := range found {
		at := slices.IndexFunc(drawn, func(d pkg) bool { return d.name == p.name })
		if at < 0 {
			t.Errorf("%s is not in CONTRIBUTING's picture. Add a line, above what it imports and below what imports it, with two spaces or more between its parts:\n%s",
				p.name, strings.TrimSpace(p.name+"  what it is  "+strings.Join(p.imports, " ")))
			continue
		}
		if got, want := strings.Join(drawn[at].imports, " "), strings.Join(p.imports, " "); got != want {
			t.Errorf("%s imports %q, but in CONTRIBUTING's picture %q. Is the import right? Then let the line end with it:\n%s", p.name, want, got, want)
		}
		for _, above := range drawn[:at] {
			if slices.Contains(p.imports, above.name) {
				t.Errorf("%s imports %s, which stands above it in CONTRIBUTING's picture. If that makes no circle, move the lines", p.name, above.name)
			}
		}
	}
	for i, d := range drawn {
		same := func(p pkg) bool { return p.name == d.name }
		if !slices.ContainsFunc(found, same) {
			t.Errorf("%s is in CONTRIBUTING's picture and nowhere else. Delete its line", d.name)
		}
		if slices.ContainsFunc(drawn[:i], same) {
			t.Errorf("%s is in CONTRIBUTING's picture twice", d.name)
		}
	}
}

// TestLibraries keeps each library to the packages that know it.
func TestLibraries(t *testing.T) {
	found := listPackages(t)
	for _, p := range found {
		for _, path := range p.others {
			if may, limited := onlyIn[path]; limited && !slices.Contains(may, p.name) {
				t.Errorf("%s imports %s: only %v may, by onlyIn in this file", p.name, path, may)
			}
		}
	}
	for path, may := range onlyIn {
		for _, name := range may {
			if !slices.ContainsFunc(found, func(p pkg) bool { return p.name == name && slices.Contains(p.others, path) }) {
				t.Errorf("%s may import %s and does not: take it out of onlyIn in this file", name, path)
			}
		}
	}
}

// The server of a load test, of which a host has hundreds, links nothing of OpenTelemetry,
// nor of Prometheus: what they make at the start is 0.4 MB for each process.
// Nor does the library, apart from server/tracing.
func TestTracingIsApart(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", module+"loadtest/node", module+"loadtest", module+"server/chat", module+"server/phxtest").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	if strings.Contains(string(out), "go.opentelemetry.io/") {
		t.Errorf("a server that traces nothing links %s", regexp.MustCompile(`go\.opentelemetry\.io/\S+`).Find(out))
	}
	out, err = exec.Command("go", "list", "-deps", module+"loadtest/node", module+"server/chat").Output()
	if err != nil || strings.Contains(string(out), "prometheus") {
		t.Errorf("a server without a board links Prometheus, or go list fails: %v", err)
	}
}

// listPackages asks go list.
func listPackages(t *testing.T) (pkgs []pkg) {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		p := pkg{name: strings.TrimPrefix(fields[0], module)}
		for _, path := range fields[1:] { // sorted by go list
			if name, ours := strings.CutPrefix(path, module); ours {
				p.imports = append(p.imports, name)
			} else {
				p.others = append(p.others, path)
			}
		}
		pkgs = append(pkgs, p)
	}
	return pkgs
}

var (
	picture = regexp.MustCompile("(?s)<!-- packages: .*?-->\n```\n(.*?)```\n")
	column  = regexp.MustCompile(` {2,}`)
)

// readPicture reads the lines of the picture: a package, what it is, and what it
// imports, if anything.
func readPicture(t *testing.T) (pkgs []pkg) {
	t.Helper()
	text, err := os.ReadFile("../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	block := picture.FindSubmatch(text)
	if block == nil {
		t.Fatalf("CONTRIBUTING.md has no picture of packages, or it does not look like %s", picture)
	}
	for line := range strings.Lines(string(block[1])) {
		parts := column.Split(strings.TrimSpace(line), -1)
		switch {
		case parts[0] == "": // between groups
		case len(parts) < 2 || len(parts) > 3:
			t.Errorf("CONTRIBUTING's picture: not two or three parts with two spaces or more between them: %s", line)
		default:
			pkgs = append(pkgs, pkg{name: parts[0], imports: strings.Fields(strings.Join(parts[2:], " "))})
		}
	}
	return pkgs
}

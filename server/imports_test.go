package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/roost-rt/roost/"

// mayImport is the direction of imports: for each package of the project, the
// others that it may import itself. What is not listed may import nothing.
var mayImport = map[string][]string{
	"server":                 {"server/chat"},
	"server/chat":            {"server/phx", "server/web", "pubsub/cluster", "server/asynclog"},
	"server/conformance":     {"server/phx"},
	"server/msgpack":         {"server/wire"},
	"server/msgpack/example": {"server/msgpack", "server/phx", "server/wire"},
	"server/phx":             {"server/wire", "server/frame", "server/token", "server/internal/number", "poller", "pubsub", "server/asynclog"},
	"server/phxtest":         {"server/phx", "server/frame"},
	"server/token":           {"server/internal/number"},
	"pubsub/cluster":         {"pubsub", "server/asynclog"},
	"loadtest":               {"loadtest/swarm", "loadtest/report", "loadtest/record", "loadtest/kernel", "server/chat", "pubsub/cluster/natsserver"},
	"loadtest/kernel":        {},
	"loadtest/swarm":         {"loadtest/record", "loadtest/kernel", "server/wire", "server/frame", "poller"},
	"loadtest/report":        {"loadtest/record"},
	"scripts/attack":         {"server/phx", "server/frame"},
}

// onlyIn says which packages may import a library directly.
var onlyIn = map[string][]string{
	"github.com/KimMachineGun/automemlimit/memlimit": {"server/chat"},
	"github.com/cloudwego/netpoll":                   {"poller"},
	"github.com/panjf2000/ants/v2":                   {"poller"},
	"github.com/vmihailenco/msgpack/v5":              {"server/msgpack"},
	"github.com/gobwas/ws":                           {"server/frame", "server/phx"},
	"github.com/gobwas/httphead":                     {"server/phx"},
	"github.com/HdrHistogram/hdrhistogram-go":        {"loadtest/swarm", "loadtest/report"},
	"github.com/nats-io/nats.go":                     {"pubsub/cluster"},
	"github.com/nats-io/nats-server/v2/server":       {"pubsub/cluster/natsserver"},
	"github.com/peterbourgon/ff/v3":                  {"loadtest"},
	"golang.org/x/crypto/chacha20poly1305":           {"server/token"},
	"golang.org/x/sys/unix":                          {"poller", "loadtest", "loadtest/swarm"},
}

// TestImportDirection holds every package to the picture in CONTRIBUTING.md:
// the pure packages stay pure, and only one knows each library.
func TestImportDirection(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) < len(mayImport) {
		t.Fatalf("go list names %d packages, fewer than the %d that have rules: did one move?", len(lines), len(mayImport))
	}
	for _, line := range lines {
		fields := strings.Fields(line)
		from := strings.TrimPrefix(fields[0], module)
		for _, path := range fields[1:] {
			if to, ours := strings.CutPrefix(path, module); ours && !slices.Contains(mayImport[from], to) {
				t.Errorf("%s imports %s: not in the picture", from, to)
			}
			if may, limited := onlyIn[path]; limited && !slices.Contains(may, from) {
				t.Errorf("%s imports %s: only %v may", from, path, may)
			}
		}
	}
}

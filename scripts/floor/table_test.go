package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// files are two rounds. In the first, Roost has two rooms: the first of all, the
// median of medians and the last of all count. In the second, most was not measured.
var files = map[string]string{
	"roost-1.json": `{"schema":1,"summary":{"clients":100,"joined":99,"lost":1,"duplicated":2,"reordered":3,
		"connect_join_per_second":5000,"server_cpu_us_per_join":20,"server_cpu_us_per_delivery":9,
		"server_bytes_per_client":700.5,"kernel_bytes_per_client":8300,"latency_ms":{"p50":1}},
		"broadcasts":[
		{"room":0,"seq":1,"first_us":1000,"p50_us":2000,"last_us":8000},{"room":1,"seq":1,"first_us":500,"p50_us":4000,"last_us":6000},
		{"room":0,"seq":2,"first_us":1500,"p50_us":5000,"last_us":9000}]}`,
	"server-1.json": `{"summary":{"clients":100,"joined":100,"lost":0,"duplicated":0,"reordered":0,
		"connect_join_per_second":10000,"server_cpu_us_per_join":10,"server_cpu_us_per_delivery":8,
		"server_bytes_per_client":0,"kernel_bytes_per_client":8300},
		"broadcasts":[{"seq":1,"first_us":1000,"p50_us":2000,"last_us":8000}]}`,
	"pairs-1.json": `{"connections":100,"delivered":200,"connect_s":0.005,"server_cpu_us_per_accept":5,
		"slab_before":1000,"slab_connected":801000,
		"rounds":[{"first_ms":0.1,"median_ms":2,"last_ms":4,"server_cpu_us":7},{"first_ms":0.3,"median_ms":4,"last_ms":6,"server_cpu_us":8}]}`,
	"roost-2.json":  `{"summary":{"joined":100,"connect_join_per_second":8000}}`,
	"server-2.json": `{"summary":{"joined":100,"connect_join_per_second":10000}}`,
	"pairs-2.json":  `{"connections":100,"connect_s":0.01,"slab_before":5000,"slab_connected":805000}`,
}

func folder(t *testing.T, without ...string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range without {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const text = `medians, rounds: 2                      Roost  floor server  floor pairs  Roost / server  Roost / pairs
clients asked for                       100    100           100          1               1
clients joined                          99.5   100           100          0.99            0.99
messages lost, duplicated or reordered  6      0             0            -               -
connects and joins a second             6500   10000         15000        0.65            0.53
server CPU for a join, µs               20     10            2.50         2               4
server CPU for a delivery, µs           9      8             7.50         1.12            1.20
broadcast to first receiver, ms         1      1             0.20         1               5
broadcast to median receiver, ms        4      2             3            2               1.33
broadcast to last receiver, ms          8.50   8             5            1.06            1.70
server memory for a client, bytes       700    0             -            -               -
kernel memory for a client, bytes       8300   8300          8000         1               1.04
`

const markdown = `| medians, rounds: 1 | Roost | floor server | floor pairs | Roost / server | Roost / pairs |
|---|--:|--:|--:|--:|--:|
| clients asked for | 100 | 100 | 100 | 1 | 1 |
| clients joined | 99 | 100 | 100 | 0.99 | 0.99 |
| messages lost, duplicated or reordered | 6 | 0 | 0 | - | - |
| connects and joins a second | 5000 | 10000 | 20000 | 0.50 | 0.25 |
`

func TestTable(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), table, folder(t)).CombinedOutput()
	if err != nil || string(out) != text {
		t.Errorf("floor FOLDER: %v, prints\n%s\nwant\n%s", err, out, text)
	}
	out, err = exec.CommandContext(t.Context(), table, "-md", folder(t, "roost-2.json", "server-2.json", "pairs-2.json")).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), markdown) {
		t.Errorf("floor -md FOLDER: %v, prints\n%s\nwant the beginning\n%s", err, out, markdown)
	}
}

func TestTableNamesWhatIsMissing(t *testing.T) {
	for _, test := range []struct {
		dir, want string
	}{
		{t.TempDir(), "round 1: no such round"},
		{folder(t, "pairs-2.json"), "pairs-2.json: "},
	} {
		out, err := exec.CommandContext(t.Context(), table, test.dir).CombinedOutput()
		if err == nil || !strings.Contains(string(out), test.want) {
			t.Errorf("floor FOLDER: %v, prints %q, want an error with %q", err, out, test.want)
		}
	}
}

// Clients without sockets have no pairs beside them, and no clients with sockets.
func TestTableOfClientsWithoutSockets(t *testing.T) {
	for _, test := range []struct{ roost, server, pairs, want string }{
		{"bpf", "bpf", "", "\nclients joined                          1      1             -            1               -\n"},
		{"bpf", "tun", "", "was not where that of the others was"},
		{"kernel", "tun", `{"connections":1}`, "was not where that of the others was"},
		{"tun", "tun", `{"connections":1}`, "was not where that of the others was"},
		{"kernel", "kernel", "", "pairs-1.json: "},
	} {
		dir := t.TempDir()
		for name, text := range map[string]string{
			"roost-1.json":  `{"summary":{"joined":1,"client_tcp":"` + test.roost + `"}}`,
			"server-1.json": `{"summary":{"joined":1,"client_tcp":"` + test.server + `"}}`,
			"pairs-1.json":  test.pairs,
		} {
			if text == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if out, _ := exec.CommandContext(t.Context(), table, dir).CombinedOutput(); !strings.Contains(string(out), test.want) { // it may fail
			t.Errorf("floor FOLDER, %s beside %s: prints %q, want %q", test.roost, test.server, out, test.want)
		}
	}
}

package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// netnsTests asks for the test below. It needs root, ip of iproute2, and makes
// network namespaces that end with it.
const netnsTests = "ROOST_NETNS_TESTS"

// TestAgentsInNetworkNamespaces has three agents in network namespaces of their
// own, as if they were machines: each has an address, ports and a way to the
// server through a bridge. One of them is far away.
func TestAgentsInNetworkNamespaces(t *testing.T) {
	if os.Getenv(netnsTests) != "1" {
		t.Skip("set " + netnsTests + "=1 as root")
	}
	const agents, messages, delay = 3, 20, 100 * time.Millisecond
	name := func(n int) string { return fmt.Sprintf("roost-%d-%d", os.Getpid(), n) } // 0 has server and coordinator
	inside := func(n int, command ...string) []string {
		return append([]string{"ip", "netns", "exec", name(n)}, command...)
	}
	for n := range agents + 1 {
		ip(t, "netns add "+name(n))
		t.Cleanup(func() { ip(t, "netns del "+name(n)) })
		ip(t, "-n "+name(n)+" link set lo up")
	}
	ip(t, "-n "+name(0)+" link add hub type bridge")
	ip(t, "-n "+name(0)+" addr add 10.77.0.254/24 dev hub")
	ip(t, "-n "+name(0)+" link set hub up")
	var addrs []string
	for n := 1; n <= agents; n++ {
		ip(t, fmt.Sprintf("-n %s link add to%d type veth peer name eth netns %s", name(0), n, name(n)))
		ip(t, fmt.Sprintf("-n %s link set to%d master hub up", name(0), n))
		ip(t, fmt.Sprintf("-n %s addr add 10.77.0.%d/24 dev eth", name(n), n))
		ip(t, "-n "+name(n)+" link set eth up")
		addrs = append(addrs, fmt.Sprintf("10.77.0.%d:7000", n))
	}
	out, err := exec.Command("ip", "netns", "exec", name(agents), "tc", "qdisc", "add", "dev", "eth", "root", "netem", "delay", delay.String()).CombinedOutput()
	far := err == nil
	if !far {
		t.Logf("nothing is far away here: %v: %s", err, out)
	}

	t.Setenv("ROOST_AGENT_TOKEN", "s3cret")
	for i, addr := range addrs {
		serve(t, inside(i+1, program, "agent", "-listen", addr)...)
	}
	server := serve(t, inside(0, program, "internal-server", "-addr", "10.77.0.254:0")...)
	c := exec.Command("ip", inside(0, program, "-url", "ws://"+server.addr, "-agents", strings.Join(addrs, ","),
		"-clients", "600", "-messages", strconv.Itoa(messages), "-rate", "10", "-out", "run")[1:]...)
	c.Dir = t.TempDir()
	out, err = c.CombinedOutput()
	t.Logf("%s", out)
	if code := exitCode(t, err); code != 0 {
		t.Fatalf("exit code %d, want 0", code)
	}
	o := readOuting(t, filepath.Join(c.Dir, "run"))
	if e := o.end; e.Joined != 600 || e.Delivered != 600*messages || e.Lost != 0 || e.ClientProcs != agents || len(e.Errors) > 0 {
		t.Errorf("end %+v, want 600 clients in %d processes, %d receipts and no faults", *e, agents, 600*messages)
	}
	o.measured(t, agents)
	page, err := os.ReadFile(filepath.Join(c.Dir, "run", "report.html"))
	if err != nil || strings.Count(string(page), "clock offset ") < agents {
		t.Errorf("the report names %d clock offsets (error %v), want %d", strings.Count(string(page), "clock offset "), err, agents)
	}
	if h, err := hdrhistogram.Decode(o.end.Latency); err != nil {
		t.Error(err)
	} else if near, distant := h.ValueAtPercentile(50), h.ValueAtPercentile(90); far && (near >= delay.Microseconds()/4 || distant < delay.Microseconds()*9/10) {
		// One of three is far away. Means of percentiles would be between both.
		t.Errorf("p50 %d µs, p90 %d µs, want less than a quarter of %v and about as much", near, distant, delay)
	}
	for _, addr := range addrs {
		var ahead, within float64
		note := o.note(t, "info: agent "+addr+": clock offset ")
		_, text, _ := strings.Cut(note, "clock offset ")
		if _, err := fmt.Sscanf(text, "%f ms ± %f ms", &ahead, &within); err != nil || ahead < -within || ahead > within {
			t.Errorf("note %q, want 0 within what it says (error %v): it is one clock", note, err)
		}
	}
}

// TestVirtualAgentsInNetworkNamespaces has two load machines whose clients have their TCP in
// their process, and addresses that no interface has: to the first a prefix is routed by the
// server's host, the second answers ARP for its own. A third forwards nothing, and says so.
func TestVirtualAgentsInNetworkNamespaces(t *testing.T) {
	if os.Getenv(netnsTests) != "1" {
		t.Skip("set " + netnsTests + "=1 as root")
	}
	const clients, messages = 400, 10
	name := func(n int) string { return fmt.Sprintf("roost-tun-%d-%d", os.Getpid(), n) } // 0 has server and coordinator
	inside := func(n int, command ...string) []string {
		return append([]string{"ip", "netns", "exec", name(n)}, command...)
	}
	set := func(n int, setting string) {
		command := inside(n, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/eth/"+setting)
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", setting, err, out)
		}
	}
	for n := range 4 {
		ip(t, "netns add "+name(n))
		t.Cleanup(func() { ip(t, "netns del "+name(n)) })
		ip(t, "-n "+name(n)+" link set lo up")
	}
	ip(t, "-n "+name(0)+" link add hub type bridge")
	ip(t, "-n "+name(0)+" addr add 10.77.0.254/24 dev hub")
	ip(t, "-n "+name(0)+" link set hub up")
	t.Setenv("ROOST_AGENT_TOKEN", "s3cret")
	var addrs []string
	for n, from := range []string{1: "10.99.0.0/24", 2: "10.77.0.64/27", 3: "10.99.1.0/24"} {
		if n == 0 {
			continue
		}
		ip(t, fmt.Sprintf("-n %s link add to%d type veth peer name eth netns %s", name(0), n, name(n)))
		ip(t, fmt.Sprintf("-n %s link set to%d master hub up", name(0), n))
		ip(t, fmt.Sprintf("-n %s addr add 10.77.0.%d/24 dev eth", name(n), n))
		ip(t, "-n "+name(n)+" link set eth up")
		addrs = append(addrs, fmt.Sprintf("10.77.0.%d:7000", n))
		serve(t, inside(n, program, "agent", "-listen", addrs[n-1], "-client-tcp", "tun", "-from", from)...)
	}
	set(1, "forwarding")
	ip(t, "-n "+name(0)+" route add 10.99.0.0/24 via 10.77.0.1")
	set(2, "forwarding")
	set(2, "proxy_arp")

	server := serve(t, inside(0, program, "internal-server", "-addr", "10.77.0.254:0")...)
	run := func(addrs ...string) (folder, text string, err error) {
		c := exec.Command("ip", inside(0, program, "-url", "ws://"+server.addr, "-agents", strings.Join(addrs, ","),
			"-clients", strconv.Itoa(clients), "-messages", strconv.Itoa(messages), "-rate", "10", "-size", "4000", "-out", "run")[1:]...)
		c.Dir = t.TempDir()
		out, err := c.CombinedOutput()
		return filepath.Join(c.Dir, "run"), strings.Join(strings.Fields(string(out)), " "), err
	}
	folder, text, err := run(addrs[0], addrs[1])
	if code := exitCode(t, err); code != 0 || !strings.Contains(text, "their machines forwarded its packets") || !strings.Contains(text, "(-client-tcp tun): the agents say so") {
		t.Fatalf("exit code %d, want 0:\n%s", code, text)
	}
	o := readOuting(t, folder)
	if e := o.end; e.Joined != clients || e.Delivered != clients*messages || e.Lost+e.Duplicated+e.Reordered != 0 || e.ClientProcs != 2 || len(e.Errors) > 0 {
		t.Errorf("end %+v, want %d clients in 2 processes, %d receipts and no faults", *e, clients, clients*messages)
	}
	_, text, err = run(addrs[2])
	if code := exitCode(t, err); code == 0 || !strings.Contains(text, "comes in at eth, which forwards nothing: set sysctl net.ipv4.conf.eth.forwarding=1") {
		t.Errorf("exit code %d of clients that the server cannot reach, want another, and why:\n%s", code, text)
	}
}

// TestPrefixInNetworkNamespace has more clients of one server than a source has ports,
// from addresses of a prefix that is routed to the host and assigned to nothing.
func TestPrefixInNetworkNamespace(t *testing.T) {
	if os.Getenv(netnsTests) != "1" {
		t.Skip("set " + netnsTests + "=1 as root")
	}
	name := fmt.Sprintf("roost-prefix-%d", os.Getpid())
	ip(t, "netns add "+name)
	t.Cleanup(func() { ip(t, "netns del "+name) })
	ip(t, "-n "+name+" link set lo up")
	ip(t, "-n "+name+" -6 route add local 2001:db8:77::/64 dev lo")
	if out, err := exec.Command("ip", "netns", "exec", name, "sh", "-c", "echo 20000 20019 > /proc/sys/net/ipv4/ip_local_port_range").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	server := serve(t, "ip", "netns", "exec", name, program, "internal-server", "-addr", "[::1]:0")
	c := exec.Command("ip", "netns", "exec", name, program, "-url", "ws://"+server.addr, "-from", "2001:db8:77::/64", "-clients", "200", "-messages", "2", "-rate", "10", "-out", "run")
	c.Dir = t.TempDir()
	out, err := c.CombinedOutput()
	if code := exitCode(t, err); code != 0 || !strings.Contains(string(out), "400 messages to 200 clients") {
		t.Errorf("exit code %d, want 0:\n%s", code, out)
	}
}

// ip runs a command of iproute2.
func ip(t *testing.T, args string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", args, err, out)
	}
}

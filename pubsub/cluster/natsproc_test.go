package cluster_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// natsAddrs is the environment variable that makes the test program a NATS server:
// where it listens for nodes, and where it and the others do for each other.
const natsAddrs = "ROOST_TEST_NATS"

// runNATS runs a NATS server of a cluster until its standard input ends, which it does
// with the test, however that ends.
func runNATS(addrs string) error {
	hosts := strings.Split(addrs, " ")
	options := &server.Options{NoSigs: true, NoLog: true, NoSystemAccount: true, MaxPayload: 8 << 20}
	options.Host, options.Port = split(hosts[0])
	options.Cluster.Name = "test"
	options.Cluster.Host, options.Cluster.Port = split(hosts[1])
	for _, other := range hosts[2:] {
		options.Routes = append(options.Routes, &url.URL{Scheme: "nats", Host: other})
	}
	s, err := server.NewServer(options)
	if err != nil {
		return err
	}
	s.Start()
	defer s.WaitForShutdown()
	defer s.Shutdown()
	if !s.ReadyForConnections(startTimeout) {
		return fmt.Errorf("not ready on %s", addrs)
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func split(addr string) (host string, port int) {
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		panic(err)
	}
	return a.IP.String(), a.Port
}

// A process is one NATS server of a cluster, to be killed, stopped and restarted.
type process struct {
	addrs string // what runNATS takes
	cmd   *exec.Cmd
	stdin io.Closer
}

// startNATS starts n NATS servers that are one cluster until the test ends.
func startNATS(t testing.TB, n int) (all []*process) {
	t.Helper()
	for range 5 { // others of this host may take what is free now
		nodes, routes := free(t, n), free(t, n)
		for i := range n {
			p := &process{addrs: strings.Join(append([]string{nodes[i], routes[i]}, routes...), " ")}
			if err := p.run(); err != nil {
				t.Log(err)
				break
			}
			t.Cleanup(func() { p.end(syscall.SIGKILL) })
			all = append(all, p)
		}
		if len(all) == n {
			return all
		}
		for _, p := range all {
			p.end(syscall.SIGKILL)
		}
		all = nil
	}
	t.Fatal("no NATS servers in five attempts")
	return nil
}

// free are addresses on which nobody listens.
func free(t testing.TB, n int) (addrs []string) {
	t.Helper()
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close() // when all are known to differ
		addrs = append(addrs, ln.Addr().String())
	}
	return addrs
}

// url returns the address of the server for nodes.
func (p *process) url() string { return "nats://" + strings.Fields(p.addrs)[0] }

func (p *process) start(t testing.TB) {
	t.Helper()
	if err := p.run(); err != nil {
		t.Fatal(err)
	}
}

func (p *process) run() error {
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), natsAddrs+"="+p.addrs)
	p.cmd.Stderr = os.Stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		p.end(syscall.SIGKILL)
		return fmt.Errorf("NATS server says %q, %w", line, err)
	}
	return nil
}

func (p *process) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// end ends the server: at once, or, with signal 0, after it has said goodbye.
func (p *process) end(sig syscall.Signal) {
	if sig == 0 {
		p.stdin.Close()
	} else {
		_ = p.cmd.Process.Signal(sig) // it may have ended
	}
	_ = p.cmd.Wait() // killed
	p.stdin.Close()
}

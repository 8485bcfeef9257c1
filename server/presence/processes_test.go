package presence_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxclient"
	"github.com/roost-rt/roost/server/presence"
)

// These environment variables make the test program something else, until its standard
// input ends.
const (
	natsAddrs = "ROOST_TEST_NATS" // a NATS server of a cluster: where it listens for nodes and for others, and where others do
	nodeURL   = "ROOST_TEST_NODE" // a node on which bob is in room:a: the URLs of NATS servers
)

func TestMain(m *testing.M) {
	for variable, run := range map[string]func(string) error{natsAddrs: runNATS, nodeURL: runNode} {
		if value := os.Getenv(variable); value != "" {
			if err := run(value); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return
		}
	}
	m.Run()
}

func runNATS(addrs string) error {
	hosts := strings.Split(addrs, " ")
	options := &server.Options{NoSigs: true, NoLog: true, NoSystemAccount: true, MaxPayload: 8 << 20}
	var listen, route *net.TCPAddr
	var failed [2]error
	listen, failed[0] = net.ResolveTCPAddr("tcp", hosts[0])
	route, failed[1] = net.ResolveTCPAddr("tcp", hosts[1])
	if err := errors.Join(failed[:]...); err != nil {
		return err
	}
	options.Host, options.Port = listen.IP.String(), listen.Port
	options.Cluster.Name, options.Cluster.Host, options.Cluster.Port = "test", route.IP.String(), route.Port
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
	if !s.ReadyForConnections(patience) {
		return fmt.Errorf("not ready on %s", addrs)
	}
	return untilEnd()
}

func runNode(nats string) error {
	log := slog.New(slog.DiscardHandler)
	p := presence.New(presence.Config{Logger: log})
	defer p.Close()
	ep, err := phx.Start(phx.Config{
		Addr: "127.0.0.1:0", Logger: log, Adapter: cluster.New(cluster.Config{URL: nats, Node: "bob's", Logger: log}),
		Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "room:*", Type: room(p)}}}},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	bob, err := phxclient.Dial(ctx, "ws://"+ep.Addr().String()+"/socket", phxclient.Config{})
	if err != nil {
		return err
	}
	defer bob.Close()
	if _, err := bob.Channel("room:a", user{"bob"}).Join(ctx); err != nil {
		return err
	}
	return untilEnd()
}

func untilEnd() error {
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// A process is the test program as something else.
type process struct {
	env   string
	cmd   *exec.Cmd
	stdin io.Closer
}

// run starts it, and returns when it is ready.
func (p *process) run() error {
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), p.env)
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
		p.kill()
		return fmt.Errorf("%s: it says %q, %w", p.env, line, err)
	}
	return nil
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	_ = p.cmd.Wait()         // killed
	p.stdin.Close()
}

func startProcess(t *testing.T, env string) *process {
	t.Helper()
	p := &process{env: env}
	if err := p.run(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

// startCluster starts three NATS servers that are one cluster, and returns where nodes
// find them.
func startCluster(t *testing.T) (all []*process, urls []string) {
	t.Helper()
	for range 5 { // others of this host may take what is free now
		addrs := free(t, 6)
		for i := range 3 {
			p := &process{env: natsAddrs + "=" + strings.Join(append([]string{addrs[i], addrs[3+i]}, addrs[3:]...), " ")}
			if err := p.run(); err != nil {
				t.Log(err)
				break
			}
			t.Cleanup(p.kill)
			all, urls = append(all, p), append(urls, "nats://"+addrs[i])
		}
		if len(all) == 3 {
			return all, urls
		}
		for _, p := range all {
			p.kill()
		}
		all, urls = nil, nil
	}
	t.Fatal("no NATS servers in five attempts")
	return nil, nil
}

// free are addresses on which nobody listens.
func free(t *testing.T, n int) (addrs []string) {
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

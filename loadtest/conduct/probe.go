package conduct

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/swarm"
)

// probePatience is how long a server has to answer one client.
const probePatience = 10 * time.Second

// Probe connects one client to the server at c.URL and upgrades, so that a run
// with many does not have to find out that nobody is there. The error says what
// to look at.
func Probe(ctx context.Context, c plan.Config) error {
	t, err := plan.ParseTarget(c.URL)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", t.Addr)
	if err != nil {
		return fmt.Errorf("cannot connect to %s: %w: %s", c.URL, cause(err), whereToLook(err))
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })() // it fails on closed connections, as the next call does
	path := c.Complete().Path(t.Path)
	if _, err = conn.Write(swarm.UpgradeRequest(t.Host, path)); err == nil {
		err = readUpgrade(conn)
	}
	if err != nil {
		return fmt.Errorf("%s does not upgrade to WebSocket at %s: %w", c.URL, path, cause(err))
	}
	return nil
}

func readUpgrade(conn net.Conn) error {
	var head []byte
	for buffer := make([]byte, 1024); ; {
		n, err := conn.Read(buffer)
		head = append(head, buffer[:n]...)
		if _, done, refused := swarm.CheckUpgrade(head); done || refused != nil {
			return refused
		}
		if err != nil {
			return err
		}
	}
}

// cause leaves out of a network error what the sentence around it says.
func cause(err error) error {
	var op *net.OpError
	var call *os.SyscallError
	switch {
	case errors.As(err, &call):
		return call.Err
	case errors.As(err, &op):
		return op.Err
	}
	return err
}

func whereToLook(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "is the server running, and is that its port?"
	case errors.Is(err, context.DeadlineExceeded):
		return "does a firewall drop what is sent there?"
	}
	return "is the address right?"
}

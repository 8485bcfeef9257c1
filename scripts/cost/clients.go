package main

import (
	"context"
	"fmt"
	"io"
	"net/rpc"
	"os"
)

// clients are a crowd in a process of its own.
type clients struct {
	calls *rpc.Client
	end   func()
}

// startClients starts that process, at low priority if asked: what it does would be
// done on other machines.
func startClients(ctx context.Context, low bool) (*clients, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := command(ctx, self, "crowd")
	if low {
		cmd = command(ctx, "nice", "-n", "10", self, "crowd")
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start clients: %w", err)
	}
	calls := rpc.NewClient(struct {
		io.Reader
		io.WriteCloser
	}{out, in})
	return &clients{calls, func() {
		_ = cmd.Process.Kill() // or it has ended
		calls.Close()
		_ = cmd.Wait() // by our signal
	}}, nil
}

// call calls a method of the crowd.
func (c *clients) call(method string, args, answer any) error {
	if err := c.calls.Call("Crowd."+method, args, answer); err != nil {
		return fmt.Errorf("clients: %w", err)
	}
	return nil
}

func (c *clients) connect(addr string, count int, secure bool) error {
	return c.call("Connect", Newcomers{addr, count, secure}, &struct{}{})
}

func (c *clients) join() error { return c.call("Join", struct{}{}, &struct{}{}) }

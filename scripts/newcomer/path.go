package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A path is how far a newcomer has come.
type path struct {
	root, clone, folder string // the repository; its clone, beside what the newcomer makes
	env                 []string

	chat, second, admin, nats string            // free addresses
	replaced                  *strings.Replacer // those of the pages by these

	ctx     context.Context         // of the step
	fail    context.CancelCauseFunc // ends it
	running sync.WaitGroup          // what it has begun
}

func newPath(folder string, cold bool) (*path, error) {
	p := &path{folder: folder, clone: filepath.Join(folder, "roost"), env: os.Environ()}
	for _, address := range []*string{&p.chat, &p.second, &p.admin, &p.nats} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer ln.Close() // when all are found
		*address = ln.Addr().String()
	}
	p.replaced = strings.NewReplacer("127.0.0.1:4000", p.chat, " :4000", " "+p.chat, "127.0.0.1:4001", p.second, "127.0.0.1:9000", p.admin, "127.0.0.1:4222", p.nats)
	root, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return nil, fmt.Errorf("run it in a clone of the repository: %w", err)
	}
	p.root = strings.TrimSpace(string(root))
	p.env = append(p.env, "ROOST="+p.clone, "ROOST_ADDR="+p.chat) // where ./server listens if no flag says it
	if cold {
		p.env = append(p.env, "GOCACHE="+filepath.Join(folder, "build"), "GOMODCACHE="+filepath.Join(folder, "modules"))
	}
	return p, nil
}

// in does a step, and then ends what it has begun.
func (p *path) in(ctx context.Context, s step) (seen string, err error) {
	ctx, end := context.WithTimeout(ctx, s.within)
	p.ctx, p.fail = context.WithCancelCause(ctx)
	defer p.running.Wait()
	defer end()
	if seen, err = s.do(p); err != nil && p.ctx.Err() != nil {
		err = context.Cause(p.ctx) // rather than what came of it
	}
	return seen, err
}

// run runs commands in a folder, and returns what they say.
func (p *path) run(folder, commands string) (string, error) {
	var out bytes.Buffer
	c := p.command(folder, commands)
	c.Stdout, c.Stderr = &out, &out
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("%w:\n%s\n%s", err, commands, &out)
	}
	return out.String(), nil
}

// begin runs commands until the step is over, which fails if they do.
func (p *path) begin(folder, commands string) error {
	var out bytes.Buffer
	c := p.command(folder, commands)
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		return err
	}
	p.running.Go(func() {
		if err := c.Wait(); err != nil {
			p.fail(fmt.Errorf("%w:\n%s\n%s", err, commands, &out)) // changes nothing when the step is over
		}
	})
	return nil
}

// serve is begin, and returns when an address takes connections.
func (p *path) serve(folder, commands, address string) error {
	if err := p.begin(folder, commands); err != nil {
		return err
	}
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.ctx.Done():
			return fmt.Errorf("%s: does not listen: %w", commands, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// command is bash, with what it starts in one group, which the end of the step interrupts.
func (p *path) command(folder, commands string) *exec.Cmd {
	c := exec.CommandContext(p.ctx, "bash", "-ec", commands)
	c.Dir, c.Env = folder, p.env
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGINT) }
	c.WaitDelay = 15 * time.Second // clients are told to leave
	return c
}

// look has a browser look at pages, and returns what it saw.
func (p *path) look(what ...string) (string, error) {
	seen, err := p.run(filepath.Join(p.root, "scripts/js"), "node newcomer.mjs "+strings.Join(what, " "))
	return strings.TrimSpace(seen), err
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/roost-rt/roost/loadtest/proc"
)

// A way is how clients reach Roost.
type way struct {
	name   string
	secure bool                                     // clients speak TLS
	resume bool                                     // and resume sessions
	config func(port int, to, folder string) string // of what is in front; nil for nothing
	start  func(config string) []string             // its command
}

// ways lists all ways, each beside the one that it is compared with.
var ways = []way{
	{name: "ws"},
	{name: "wss", secure: true},
	{name: "wss-resumed", secure: true, resume: true},
	{name: "nginx-ws", config: nginx(false), start: nginxCommand},
	{name: "nginx-wss", secure: true, config: nginx(true), start: nginxCommand},
	{name: "haproxy-ws", config: haproxy(false), start: haproxyCommand},
	{name: "haproxy-wss", secure: true, config: haproxy(true), start: haproxyCommand},
}

func names() (list []string) {
	for _, w := range ways {
		list = append(list, w.name)
	}
	return list
}

// measure starts Roost and what is in front of it anew, and makes one run.
func (w way) measure(ctx context.Context, o options, folder string) (f figure, err error) {
	var args []string
	if w.secure && w.config == nil {
		args = []string{"-tls-cert", certFile(folder), "-tls-key", keyFile(folder)}
	}
	server, err := start(ctx, append([]string{o.server, "-addr", "127.0.0.1:0"}, args...)...)
	if err != nil {
		return f, err
	}
	defer server.end()
	addr, err := server.listens()
	if err != nil {
		return f, err
	}
	front, at, err := w.front(ctx, addr, folder)
	if err != nil {
		return f, err
	}
	defer front.end()
	before := front.usage()
	watched := watch(front)
	summary, err := w.load(ctx, o, at, server.pid(), folder)
	peak := watched()
	if err != nil {
		return f, err
	}
	return summary.figure(o, before, front.usage(), peak), nil
}

// front starts what is in front, if anything, and returns where clients connect to.
func (w way) front(ctx context.Context, to, folder string) (*process, string, error) {
	if w.config == nil {
		return nil, to, nil
	}
	port, err := freePort()
	if err != nil {
		return nil, "", err
	}
	config := filepath.Join(folder, w.name+".conf")
	if err := os.WriteFile(config, []byte(w.config(port, to, folder)), 0o600); err != nil {
		return nil, "", err
	}
	at := "127.0.0.1:" + strconv.Itoa(port)
	front, err := start(ctx, w.start(config)...)
	if err != nil {
		return nil, "", err
	}
	if err := front.answers(ctx, at); err != nil {
		front.end()
		return nil, "", err
	}
	return front, at, nil
}

// load runs the load generator.
func (w way) load(ctx context.Context, o options, at string, server int, folder string) (s summary, err error) {
	url := "ws://" + at
	if w.secure {
		url = "wss://" + at
	}
	args, err := w.scenario(o, folder)
	if err != nil {
		return s, err
	}
	args = append(args, "-url", url, "-server-pid", strconv.Itoa(server), "-clients", strconv.Itoa(o.clients), "-json", "-")
	c := exec.CommandContext(ctx, o.loadtest, args...)
	var figures, said bytes.Buffer
	c.Stdout, c.Stderr = &figures, &said
	if err := c.Run(); err != nil {
		return s, fmt.Errorf("loadtest: %w\n%s", err, &said)
	}
	var result struct{ Summary *summary }
	result.Summary = &s
	return s, json.Unmarshal(figures.Bytes(), &result)
}

// scenario returns the arguments that tell the load generator what clients do. It copies
// a scenario file into the folder of the certificate.
func (w way) scenario(o options, folder string) (args []string, err error) {
	if o.scenario != "" {
		text, err := os.ReadFile(o.scenario)
		if err != nil {
			return nil, err
		}
		file := filepath.Join(folder, filepath.Base(o.scenario))
		return []string{file}, os.WriteFile(file, text, 0o600)
	}
	args = []string{"chat", "-messages", strconv.Itoa(o.messages), "-rate", "2"}
	if w.secure {
		args = append(args, "-ca", certFile(folder))
	}
	if w.resume {
		args = append(args, "-resume")
	}
	return args, nil
}

// watch looks at the memory of a process and its children until the function that it
// returns is called, which tells the most.
func watch(p *process) (most func() int64) {
	if p == nil {
		return func() int64 { return 0 }
	}
	quit, done := make(chan struct{}), make(chan int64)
	go func() { // ends with most
		clock := time.NewTicker(100 * time.Millisecond)
		defer clock.Stop()
		var peak int64
		for {
			select {
			case <-clock.C:
				peak = max(peak, p.usage().RSS)
			case <-quit:
				done <- peak
				return
			}
		}
	}()
	return func() int64 { close(quit); return <-done }
}

// usage returns the usage of a process and its children, nothing if there is none.
func (p *process) usage() (sum usage) {
	if p == nil {
		return sum
	}
	for _, pid := range append([]int{p.pid()}, children(p.pid())...) {
		u := proc.Measure(pid)
		sum.RSS, sum.CPUNs = sum.RSS+u.RSS, sum.CPUNs+u.CPUNs
	}
	return sum
}

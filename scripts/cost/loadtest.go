package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// A summary holds the figures of loadtest that are shown here. A figure is nil if the run
// was too short for it.
type summary struct {
	OK          bool
	Reasons     []string
	Joins       *float64 `json:"connect_join_per_second"`
	CPUJoin     *float64 `json:"server_cpu_us_per_join"`
	CPUDelivery *float64 `json:"server_cpu_us_per_delivery"`
	Echo        struct {
		Replies  *float64 `json:"replies_per_second"`
		CPUReply *float64 `json:"server_cpu_us_per_reply"`
	}
}

// A broadcast is one of a run of loadtest.
type broadcast struct {
	Last float64 `json:"last_us"`
}

func chat(ctx context.Context, t *trial) error {
	s, broadcasts, err := t.loadtest(ctx, "chat", "-messages", strconv.Itoa(t.Broadcasts))
	if err != nil {
		return err
	}
	t.tellIf("connect, upgrade, join", "joins/s", s.Joins)
	t.tellIf("connect, upgrade, join", "µs CPU/join", s.CPUJoin)
	t.tellIf("broadcast, by loadtest", "µs CPU/delivery", s.CPUDelivery)
	var last float64
	for _, b := range broadcasts {
		last += b.Last / 1000 / float64(len(broadcasts))
	}
	t.tell("broadcast, by loadtest", "ms to the last", last)
	return nil
}

func echo(ctx context.Context, t *trial) error {
	s, _, err := t.loadtest(ctx, "echo", "-for", t.Echo.String(), "-inflight", strconv.Itoa(min(256, t.Clients)))
	if err != nil {
		return err
	}
	t.tellIf("echo", "replies/s", s.Echo.Replies)
	t.tellIf("echo", "µs CPU/reply", s.Echo.CPUReply)
	return nil
}

func (t *trial) tellIf(figure, unit string, value *float64) {
	if value != nil {
		t.tell(figure, unit, *value)
	}
}

// loadtest has the load generator measure the server.
func (t *trial) loadtest(ctx context.Context, scenario string, args ...string) (s summary, b []broadcast, err error) {
	folder, err := os.MkdirTemp("", "cost")
	if err != nil {
		return s, nil, err
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "figures.json")
	args = append([]string{scenario, "-json", file, "-server", t.program, "-clients", strconv.Itoa(t.Clients), "-netns", "no"}, args...)
	cmd := command(ctx, t.Loadtest, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it has children
	cmd.WaitDelay = patience
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		return s, nil, fmt.Errorf("loadtest: %w", err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return s, nil, fmt.Errorf("loadtest %s has no figures: %s", scenario, said.String())
	}
	var found struct {
		Summary    summary
		Broadcasts []broadcast
	}
	if err := json.Unmarshal(text, &found); err != nil {
		return s, nil, fmt.Errorf("figures of loadtest: %w", err)
	}
	if !found.Summary.OK {
		return s, nil, fmt.Errorf("loadtest %s: %s", scenario, strings.Join(found.Summary.Reasons, ", "))
	}
	return found.Summary, found.Broadcasts, nil
}

// Curve runs the load test for several sizes of a room and rates of messages,
// and shows how many deliveries a second came of it: what a client has not got
// yet when the next message comes leaves in one write with it, so the curve
// should rise, not fall, where messages come faster than one can be fanned out.
//
//	go run ./scripts/curve -out results/curve
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// A point is the result of one run.
type point struct {
	Clients   int     `json:"clients"`
	Rate      float64 `json:"messages_per_second"` // asked for
	Messages  int     `json:"messages"`
	PerSecond float64 `json:"deliveries_per_second"`
	CPU       float64 `json:"server_cpu_us_per_delivery"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Missing   int64   `json:"missing"`   // expected and not delivered
	Disorder  int64   `json:"disorder"`  // duplicated or reordered
	SlowerBy  float64 `json:"slower_by"` // time from the first message to the last receipt, by the time that sending took
}

func main() {
	clients := flag.String("clients", "1000,10000,100000", "sizes of the room, `N,N,…`")
	rates := flag.String("rates", "0.5,1,2,5,10,20,50,100,200", "messages a second, `R,R,…`")
	seconds := flag.Float64("seconds", 10, "`time` that the messages are sent for, in seconds")
	most := flag.Int("messages", 1000, "largest `number` of messages in a run")
	budget := flag.Float64("deliveries", 40e6, "largest `number` of deliveries in a run: what would be more has fewer messages")
	add := flag.Bool("add", false, "keep the points that -out has already")
	out := flag.String("out", "results/curve", "`folder` for curve.json, curve.md and curve.svg")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: go run ./scripts/curve [flags] [-- loadtest flags]\n\nDeliveries a second by size of the room and messages a second.\n\nflags:")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var points []point
	if *add {
		var err error
		if points, err = read(*out); err != nil {
			fmt.Fprintln(os.Stderr, "curve: -add:", err)
			os.Exit(1)
		}
	}
	if err := run(ctx, points, *clients, *rates, *seconds, *most, *budget, *out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "curve:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, points []point, clients, rates string, seconds float64, most int, budget float64, out string, extra []string) error {
	sizes, err := numbers(clients)
	if err != nil {
		return fmt.Errorf("-clients: %w", err)
	}
	speeds, err := numbers(rates)
	if err != nil {
		return fmt.Errorf("-rates: %w", err)
	}
	folder, err := os.MkdirTemp("", "curve")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	program := filepath.Join(folder, "loadtest")
	if text, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=auto", "-o", program, "./loadtest").CombinedOutput(); err != nil {
		return fmt.Errorf("build ./loadtest: %w\n%s", err, text)
	}
	for _, n := range sizes {
		for _, rate := range speeds {
			p := point{Clients: int(n), Rate: rate}
			p.Messages = max(5, min(int(rate*seconds), most, int(budget/n)))
			err := p.measure(ctx, program, folder, extra)
			if ctx.Err() != nil {
				return errors.Join(context.Cause(ctx), write(out, points))
			}
			if err != nil {
				return err
			}
			fmt.Println(p.row())
			points = append(points, p)
		}
	}
	return write(out, points)
}

func numbers(list string) (values []float64, err error) {
	for text := range strings.SplitSeq(list, ",") {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || v <= 0 {
			return nil, fmt.Errorf("%q: want numbers above 0, such as 1000,10000", text)
		}
		values = append(values, v)
	}
	return values, nil
}

// measure makes one run.
func (p *point) measure(ctx context.Context, program, folder string, extra []string) error {
	file := filepath.Join(folder, "figures.json")
	args := append([]string{"-clients", strconv.Itoa(p.Clients), "-messages", strconv.Itoa(p.Messages),
		"-rate", strconv.FormatFloat(p.Rate, 'g', -1, 64), "-json", file}, extra...)
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it has children to end
	text, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState.ExitCode() != 99 { // what was lost is in the figures
		return fmt.Errorf("loadtest %s: %w\n%s", strings.Join(args, " "), err, text)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var result struct {
		Summary struct {
			Expected   int64   `json:"expected"`
			Delivered  int64   `json:"delivered"`
			Duplicated int64   `json:"duplicated"`
			Reordered  int64   `json:"reordered"`
			PerSecond  float64 `json:"deliveries_per_second"`
			CPU        float64 `json:"server_cpu_us_per_delivery"`
			Latency    struct {
				P50 float64 `json:"p50"`
				P99 float64 `json:"p99"`
			} `json:"latency_ms"`
		} `json:"summary"`
	}
	if err := json.Unmarshal(data, &result); err != nil {
		return fmt.Errorf("read the figures: %w", err)
	}
	s := result.Summary
	p.PerSecond, p.CPU, p.P50, p.P99 = s.PerSecond, s.CPU, s.Latency.P50, s.Latency.P99
	p.Missing, p.Disorder = s.Expected-s.Delivered, s.Duplicated+s.Reordered
	if s.PerSecond > 0 && p.Messages > 1 {
		p.SlowerBy = float64(s.Delivered) / s.PerSecond / (float64(p.Messages-1) / p.Rate)
	}
	return nil
}

// read returns the points of an earlier run.
func read(out string) (points []point, err error) {
	data, err := os.ReadFile(filepath.Join(out, "curve.json"))
	if err != nil {
		return nil, err
	}
	return points, json.Unmarshal(data, &points)
}

const head = "| clients | messages/s | messages | deliveries/s | server CPU µs/delivery | p50 ms | p99 ms | missing | out of order |\n" +
	"|--:|--:|--:|--:|--:|--:|--:|--:|--:|"

func (p point) row() string {
	return fmt.Sprintf("| %d | %g | %d | %.0f | %.1f | %.1f | %.1f | %d | %d |",
		p.Clients, p.Rate, p.Messages, p.PerSecond, p.CPU, p.P50, p.P99, p.Missing, p.Disorder)
}

func write(out string, points []point) error {
	if len(points) == 0 {
		return nil
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(points, "", "\t")
	if err != nil {
		return err
	}
	table := head + "\n"
	for _, p := range points {
		table += p.row() + "\n"
	}
	return errors.Join(
		os.WriteFile(filepath.Join(out, "curve.json"), append(data, '\n'), 0o644),
		os.WriteFile(filepath.Join(out, "curve.md"), []byte(table), 0o644),
		os.WriteFile(filepath.Join(out, "curve.svg"), []byte(chart(points)), 0o644),
	)
}

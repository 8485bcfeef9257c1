package main

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/roost-rt/roost/loadtest/record"
)

// A screen shows how a run goes: one line, redrawn on a terminal, and one line
// a second elsewhere.
type screen struct {
	file     *os.File
	terminal bool
	last     record.Tick
}

func newScreen(file *os.File) *screen {
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return &screen{file: file, terminal: err == nil}
}

func (s *screen) show(r record.Record) {
	switch {
	case r.Tick != nil:
		s.line(s.describe(r.Tick))
		s.last = *r.Tick
	case r.Note != nil && s.terminal:
		fmt.Fprintf(s.file, "\r\x1b[K%s: %s\n", r.Note.Level, r.Note.Message)
	case r.Note != nil:
		fmt.Fprintf(s.file, "%s: %s\n", r.Note.Level, r.Note.Message)
	}
}

func (s *screen) line(text string) {
	if s.terminal {
		fmt.Fprint(s.file, "\r\x1b[K"+text)
		return
	}
	fmt.Fprintln(s.file, text)
}

// end leaves the line.
func (s *screen) end() {
	if s.terminal {
		fmt.Fprintln(s.file)
	}
}

func (s *screen) describe(t *record.Tick) string {
	var failed int64
	for _, n := range t.Errors {
		failed += n
	}
	line := fmt.Sprintf("%3d s %-9s", t.AtMs/1000, t.Phase)
	switch t.Phase {
	case "connect":
		line += fmt.Sprintf(" connected %d, joined %d (%s/s)", t.Connected, t.Joined, s.rate(t, t.Joined-s.last.Joined))
	case "broadcast":
		line += fmt.Sprintf(" sent %d, delivered %d (%s/s), p99 %.1f ms", t.Sent, t.Delivered,
			s.rate(t, t.Delivered-s.last.Delivered), float64(t.P99Us)/1000)
	default:
		line += fmt.Sprintf(" joined %d, delivered %d", t.Joined, t.Delivered)
	}
	return line + fmt.Sprintf(", errors %d; MB: server %d, clients %d, kernel +%d",
		failed, t.ServerRSS/1e6, t.ClientRSS/1e6, t.KernelBytes/1e6)
}

// rate is per second since the last tick.
func (s *screen) rate(t *record.Tick, n int64) string {
	ms := t.AtMs - s.last.AtMs
	if ms <= 0 {
		return "0"
	}
	return strconv.FormatInt(n*1000/ms, 10)
}

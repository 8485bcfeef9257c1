package versus

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

// A measurement is the result of one contender in one round.
type measurement struct {
	round  int
	result *report.Result // of the chat, with the echo; nil if there is nothing to look at
	bills  map[string]record.Memory
	echo   *report.Summary // nil if not measured
	reason string          // why something is missing, "" if nothing is
}

// whole reports whether all clients joined, so that the figures compare with others'.
func (m *measurement) whole() bool {
	if m.result == nil {
		return false
	}
	s := m.result.Summary
	return s.Ended && !s.Interrupted && *s.Joined == *s.Clients
}

// String is for the progress line.
func (m *measurement) String() string {
	if !m.whole() {
		return "FAILED: " + cmp.Or(m.reason, "interrupted")
	}
	var parts []string
	for _, f := range figures() {
		if v := f.of(m); v != nil && f.brief {
			parts = append(parts, f.name+" "+threeDigits(*v)+" "+f.unit)
		}
	}
	line := strings.Join(parts, ", ")
	if m.reason != "" {
		line += "; MISSED: " + m.reason
	}
	return line
}

// measure has one contender serve a chat and then, started anew, an echo.
func (c Contest) measure(ctx context.Context, who contender, clients, round int) *measurement {
	m := &measurement{round: round}
	folder := filepath.Join(c.out, strconv.Itoa(clients), who.name, strconv.Itoa(round))
	flags := []string{"chat", "-messages", strconv.Itoa(c.messages)}
	if c.rate > 0 {
		flags = append(flags, "-rate", strconv.FormatFloat(c.rate, 'g', -1, 64))
	}
	chat, err := c.makeRun(ctx, who, clients, filepath.Join(folder, "chat"), flags...)
	if ctx.Err() != nil {
		return m
	}
	if err == nil {
		err = m.read(chat)
	}
	if err != nil {
		m.reason = err.Error()
		return m
	}
	if c.echo == 0 || !m.whole() {
		return m
	}
	echo, err := c.makeRun(ctx, who, clients, filepath.Join(folder, "echo"), "echo", "-for", c.echo.String())
	if ctx.Err() != nil {
		return m
	}
	if err == nil {
		err = m.readEcho(chat, echo)
	}
	if err != nil && m.reason != "" { // of the chat, which stays
		m.reason += "; "
	}
	if err != nil {
		m.reason += "echo: " + err.Error()
	}
	return m
}

// grace is how long a run that is interrupted has for its report.
const grace = 3 * time.Minute

// makeRun makes one run, a child of ours, and returns its records. It fails if
// there is no end among them.
func (c Contest) makeRun(ctx context.Context, who contender, clients int, folder string, args ...string) ([]record.Record, error) {
	switch {
	case !c.oneRoom: // for all: what many processes of another server are is not known to be more
		args = append(args, "-apart")
	case who.command != "": // ours are one anyway
		args = append(args, "-one-room")
	}
	args = append(args, "-client-tcp", c.clientTCP, "-heartbeat", "30s", // as official clients
		"-clients", strconv.Itoa(clients), "-out", folder)
	if who.command != "" {
		args = append(args, "-server", who.command)
	}
	if who.raw {
		args = append(args, "-protocol", "raw")
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(folder, "run.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()

	// The kernel ties a child's life to the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	command := slices.Concat(c.program.Command, args, c.more)
	child := exec.CommandContext(ctx, command[0], command[1:]...)
	child.Stdout, child.Stderr = log, log
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL} // Ctrl-C is for us
	child.Cancel = func() error { return child.Process.Signal(os.Interrupt) }
	child.WaitDelay = grace
	runErr := child.Run()

	records, readErr := readRecords(filepath.Join(folder, c.program.Records))
	if readErr == nil && len(records) > 0 && records[len(records)-1].End != nil && !c.program.died(runErr) {
		return records, nil
	}
	text, err := os.ReadFile(log.Name())
	if words := c.program.lastWords(text); err == nil && words != "" {
		return nil, errors.New(words)
	}
	return nil, cmp.Or(runErr, readErr, errors.New("the records lack an end"))
}

// died says that a run broke, which is not to miss something.
func (p Program) died(err error) bool {
	var exit *exec.ExitError
	return err != nil && !(errors.As(err, &exit) && exit.ExitCode() == p.Missed)
}

func readRecords(path string) (records []record.Record, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	err = record.Read(file, func(r record.Record) error {
		records = append(records, r)
		return nil
	})
	return records, err
}

// lastWords returns the last output of a run, on one line; "" if that was no error.
func (p Program) lastWords(log []byte) string {
	const most = 300
	mark := p.Name + ": "
	i := bytes.LastIndex(log, []byte(mark))
	if i < 0 {
		return ""
	}
	words := []rune(strings.Join(strings.Fields(string(log[i+len(mark):])), " "))
	if len(words) > most {
		return string(words[:most]) + "…"
	}
	return string(words)
}

// read takes the records of a chat.
func (m *measurement) read(chat []record.Record) (err error) {
	if m.result, err = report.New(chat); err != nil {
		return err
	}
	m.bills = make(map[string]record.Memory)
	for _, bill := range m.result.Memory {
		m.bills[bill.When] = bill
	}
	ok, reasons := report.Verdict(m.result.Summary)
	if ok {
		return nil
	}
	m.reason = strings.Join(reasons, ", ")
	return nil
}

// readEcho takes the records of an echo, and gives the result what they say.
func (m *measurement) readEcho(chat, echo []record.Record) error {
	result, err := report.New(echo)
	if err != nil {
		return err
	}
	if _, reasons := report.Verdict(result.Summary); len(reasons) > 0 {
		return errors.New(strings.Join(reasons, ", "))
	}
	m.echo = &result.Summary
	for _, r := range echo {
		if r.Activity != nil {
			chat = slices.Insert(chat, len(chat)-1, r)
		}
	}
	m.result, err = report.New(chat)
	return err
}

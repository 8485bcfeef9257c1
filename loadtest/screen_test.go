package main_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal makes a pseudoterminal of a width in columns, pty(7).
func openTerminal(t *testing.T, width uint16) (terminal, reader *os.File) {
	t.Helper()
	reader, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudoterminals here: ", err)
	}
	t.Cleanup(func() { reader.Close() })
	fd := int(reader.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: width})
	}
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return terminal, reader
}

// On a terminal the state is redrawn in place, and no line is broken.
func TestLiveView(t *testing.T) {
	const width = 40
	terminal, reader := openTerminal(t, width)
	c := exec.CommandContext(t.Context(), program, "-clients", "50", "-messages", "25", "-rate", "10", "-json", "x")
	c.Dir = t.TempDir()
	c.Stdout = terminal
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	terminal.Close() // the program has its own
	text, _ := io.ReadAll(reader)
	if code := exitCode(t, c.Wait()); code != 0 {
		t.Fatalf("exit code %d, want 0:\n%s", code, text)
	}
	frames := strings.Split(string(text), "\x1b[8F")
	if len(frames) < 2 {
		t.Fatalf("drawn over %d times, want once at least:\n%q", len(frames)-1, text)
	}
	lines := strings.Split(frames[1], "\r\n")
	for i, want := range []string{"s     broadcast", "connected 50", "delivered", "p50", "none", "CPU", "CPU", "kernel     +"} {
		line, cleared := strings.CutSuffix(lines[i], "\x1b[K")
		if !strings.Contains(line, want) || !cleared || len([]rune(line)) >= width {
			t.Errorf("line %d is %q, want less than %d columns with %q, and the rest cleared", i, lines[i], width, want)
		}
	}
}

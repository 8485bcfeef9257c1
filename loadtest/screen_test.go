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

// On a terminal the state is redrawn in place, and no line is broken, also when
// the window becomes narrower meanwhile.
func TestLiveView(t *testing.T) {
	const wide, narrow = 60, 40
	terminal, reader := openTerminal(t, wide)
	c := exec.CommandContext(t.Context(), program, "-clients", "50", "-messages", "50", "-rate", "10", "-json", "x")
	c.Dir = t.TempDir()
	c.Stdout = terminal
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	text := readUntil(t, reader, again)
	if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: narrow}); err != nil {
		t.Fatal(err)
	}
	terminal.Close() // the program has its own
	rest, _ := io.ReadAll(reader)
	if code := exitCode(t, c.Wait()); code != 0 {
		t.Fatalf("exit code %d, want 0:\n%s%s", code, text, rest)
	}
	checkView(t, text, wide)
	_, below, found := strings.Cut(string(rest), "\r\n") // the lines of before stay
	if !found || strings.Index(below, "connected") > strings.Index(below, again) {
		t.Fatalf("after the window became narrower:\n%q\nwant the state below what was there, and then over itself", rest)
	}
	checkView(t, below, narrow)
}

// again is what goes to the first of the lines that are drawn over.
const again = "\x1b[9F"

// readUntil reads from the terminal until the state was drawn over.
func readUntil(t *testing.T, reader io.Reader, mark string) string {
	t.Helper()
	var text strings.Builder
	for buffer := make([]byte, 4096); !strings.Contains(text.String(), mark); {
		n, err := reader.Read(buffer)
		text.Write(buffer[:n])
		if err != nil {
			t.Fatalf("no %q to the end:\n%q", mark, text.String())
		}
	}
	return text.String()
}

// checkView looks at the first state that was drawn over another.
func checkView(t *testing.T, text string, width int) {
	t.Helper()
	_, frame, _ := strings.Cut(text, again)
	lines := strings.Split(frame, "\r\n")
	for i, want := range []string{
		"s     broadcast", "connected  50 (", "joined     50 (", "delivered", "p50", "errors     none", "server     ", "clients    ", "kernel     +",
	} {
		if i >= len(lines) {
			t.Fatalf("%d lines are drawn over, want %q in another:\n%q", len(lines), want, text)
		}
		line, cleared := strings.CutSuffix(lines[i], "\x1b[K")
		if !strings.Contains(line, want) || !cleared || len([]rune(line)) >= width {
			t.Errorf("line %d is %q, want less than %d columns with %q, and the rest cleared", i, lines[i], width, want)
		}
	}
}

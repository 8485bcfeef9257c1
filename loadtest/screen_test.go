package main_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
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
	text := readUntil(t, reader, "s     broadcast", "p50", again) // a whole one with receipts
	if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: narrow}); err != nil {
		t.Fatal(err)
	}
	terminal.Close() // the program has its own
	rest, _ := io.ReadAll(reader)
	if code := exitCode(t, c.Wait()); code != 0 {
		t.Fatalf("exit code %d, want 0:\n%s%s", code, text, rest)
	}
	checkView(t, text, wide)
	checkCleared(t, text+string(rest), narrow)
	_, below, _ := strings.Cut(string(rest), clearDown)
	checkView(t, below, narrow)
}

// again is what goes to the first of the lines that are drawn over.
const again = "\x1b[9F"

const clearDown = "\x1b[J"

// readUntil reads from the terminal until it has marks one after the other.
func readUntil(t *testing.T, reader io.Reader, marks ...string) string {
	t.Helper()
	var text strings.Builder
	missing := func() bool {
		rest, found := text.String(), true
		for _, mark := range marks {
			if _, rest, found = strings.Cut(rest, mark); !found {
				return true
			}
		}
		return false
	}
	for buffer := make([]byte, 4096); missing(); {
		n, err := reader.Read(buffer)
		text.Write(buffer[:n])
		if err != nil {
			t.Fatalf("no %q to the end:\n%q", marks, text.String())
		}
	}
	return text.String()
}

// cleared is what goes up over lines that a change of the size has broken, and
// clears them.
var cleared = regexp.MustCompile(`\x1b\[([0-9]+)F\x1b\[J`)

// checkCleared looks at what became of the state that was drawn before the window
// became narrower: a terminal has broken its lines, and all of these rows go.
func checkCleared(t *testing.T, text string, width int) {
	t.Helper()
	at := cleared.FindStringSubmatchIndex(text)
	if at == nil {
		t.Fatalf("nothing is cleared after the window became narrower:\n%q", text)
	}
	lines := strings.Split(strings.TrimSuffix(text[:at[0]], "\r\n"), "\r\n")
	want := 0
	for _, line := range lines[len(lines)-9:] {
		line = strings.TrimSuffix(strings.TrimPrefix(line, again), "\x1b[K")
		want += (len([]rune(line)) + width - 1) / width
	}
	if got := text[at[2]:at[3]]; got != strconv.Itoa(want) {
		t.Errorf("%s rows are cleared after the window became narrower, want %d:\n%q", got, want, lines[len(lines)-9:])
	}
}

// checkView looks at the first state of the broadcasts that was drawn over
// another.
func checkView(t *testing.T, text string, width int) {
	t.Helper()
	_, frame, _ := strings.Cut(text, again)
	for strings.Contains(frame, again) {
		if first, _, _ := strings.Cut(frame, again); strings.Contains(strings.Split(first, "\r\n")[0], "broadcast") && strings.Contains(first, "p50") {
			break
		}
		_, frame, _ = strings.Cut(frame, again)
	}
	lines := strings.Split(frame, "\r\n")
	for i, want := range []string{
		"s     broadcast", "connected  50", "joined     50", "messages   sent ", "p50", "errors     none", "server     ", "clients    ", "kernel     +",
	} {
		if i >= len(lines) {
			t.Fatalf("%d lines are drawn over, want %q in another:\n%q", len(lines), want, text)
		}
		line, cleared := strings.CutSuffix(lines[i], "\x1b[K")
		if !strings.Contains(line, want) || strings.Contains(line, "(0/s)") || !cleared || len([]rune(line)) >= width {
			t.Errorf("line %d is %q, want less than %d columns with %q, and the rest cleared", i, lines[i], width, want)
		}
	}
}

// Elsewhere there is a line now and then, which says what there is to say of the
// phase.
func TestLinesElsewhere(t *testing.T) {
	for _, test := range []struct {
		args string
		want []string // regular expressions, of lines in order
	}{
		{"-messages 15 -rate 10", []string{
			`s connect +connected 50, joined 50 \([0-9]+/s\), `,
			`s settle +joined 50, sent 0, delivered 0, `,
			`s broadcast connected 50, sent [0-9]+ of 15, delivered [0-9]+ \([0-9]+/s\), p99 [0-9.]+ ms, `,
			`s close +joined 50, sent 15 of 15, delivered 750, `,
		}},
		{"-messages 2 -rate 0.4", []string{`s broadcast connected 50, sent 1 of 2, delivered 50, p99 –, `}},
		{"idle -for 5s -heartbeat 2s", []string{`s idle +joined 50, [0-9]+ heartbeats \([0-9]+/s\), errors 0`, `s close +joined 50, [1-9][0-9]* heartbeats, `}},
		{"burst -push 20000 -pushers 5 -messages 2 -size 200", []string{`s close +joined 50, 5 replies, sent 2 of 2, delivered 100, `}},
		{"rooms -rooms 5 -messages 2 -rate 10", []string{`s close +joined 50, sent 10, delivered 100, `}},
		{"echo -for 1s -rate 50", []string{`s echo +[0-9]+ replies \([0-9]+/s\), p99 [0-9.]+ ms, `, `s close +joined 50, [0-9]+ replies, `}},
	} {
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			c, out := start(t, append(strings.Fields(test.args), "-clients", "50", "-json", "x")...)
			if code := exitCode(t, c.Wait()); code != 0 {
				t.Fatalf("exit code %d, want 0:\n%s", code, out)
			}
			if !regexp.MustCompile("(?s)" + strings.Join(test.want, ".*\n *[0-9]+ ")).MatchString(out.String()) {
				t.Errorf("output:\n%s\nwant in it %q", out, test.want)
			}
		})
	}
}

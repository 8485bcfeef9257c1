package proc

import (
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// CPU time that a process has taken stays taken when it has died.
func TestUsageOfTheDead(t *testing.T) {
	t.Parallel()
	c, stdout, err := Start("shell", []string{"sh", "-c", "n=0; while [ $n -lt 300000 ]; do n=$((n+1)); done; echo; read x"}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	if _, err := io.ReadFull(stdout, make([]byte, 1)); err != nil { // it has worked
		t.Fatal(err)
	}
	alive := c.Usage()
	c.End(10 * time.Second)
	dead := c.Usage()
	if alive.RSS == 0 || alive.CPUNs < 2*tick || dead.CPUNs < alive.CPUNs || dead.RSS != 0 {
		t.Errorf("usage %+v alive and %+v dead, want all of the CPU time and no memory", alive, dead)
	}
}

// The last five lines of a standard error are kept, and each line is told once, whatever
// pieces it comes in.
func TestTail(t *testing.T) {
	t.Parallel()
	const last = ": its last words:\n"
	for _, tt := range []struct {
		name, text string
		each       []string // lines that are told
		want       string   // at the end
	}{
		{"nothing", "", nil, ""},
		{"blank lines", "\n \n\n", []string{"", " ", ""}, ""},
		{"a line", "no port\n", []string{"no port"}, last + "no port"},
		{"no end of the line", "panic: no", nil, last + "panic: no"},
		{"five lines", "1\n2\n3\n4\n5\n", []string{"1", "2", "3", "4", "5"}, last + "1\n2\n3\n4\n5"},
		{"six lines", "1\n2\n3\n4\n5\n6\n", []string{"1", "2", "3", "4", "5", "6"}, last + "2\n3\n4\n5\n6"},
		{"five and a part", "1\n2\n3\n4\n5\n6\n7", []string{"1", "2", "3", "4", "5", "6"}, last + "2\n3\n4\n5\n6\n7"},
	} {
		for size := range len(tt.text) + 1 { // of a piece, and all at once
			var told []string
			words := &tail{each: func(line string) { told = append(told, line) }}
			pieces := []string{tt.text}
			if size > 0 {
				pieces = nil
				for piece := range slices.Chunk([]byte(tt.text), size) {
					pieces = append(pieces, string(piece))
				}
			}
			for _, piece := range pieces {
				if n, err := words.Write([]byte(piece)); n != len(piece) || err != nil {
					t.Fatalf("%s: Write(%q) = %d, %v", tt.name, piece, n, err)
				}
			}
			if !slices.Equal(told, tt.each) || words.String() != tt.want || words.String() != tt.want {
				t.Errorf("%s, %d bytes at a time: told %q, kept %q, want %q, %q", tt.name, size, told, words.String(), tt.each, tt.want)
			}
		}
	}
	words := new(tail) // nobody is told
	if _, err := io.Copy(words, strings.NewReader("a\nb")); err != nil || words.String() != last+"a\nb" {
		t.Errorf("kept %q, %v", words.String(), err)
	}
}

// A line that does not end takes no more than 64 KiB, of which the last are kept.
func TestTailOfAnEndlessLine(t *testing.T) {
	t.Parallel()
	words := new(tail)
	for range 100 {
		if _, err := io.WriteString(words, strings.Repeat("x", 10_000)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(words, "the end"); err != nil {
		t.Fatal(err)
	}
	if n := len(words.part); n > 64<<10 || !strings.HasSuffix(words.String(), "xthe end") {
		t.Errorf("%d bytes are kept, which end in %q", n, words.part[max(0, n-10):])
	}
}

// A child has the processors that it was given, and a process group of its own, which
// Ctrl-C does not reach.
func TestStartedChild(t *testing.T) {
	t.Setenv("GOMAXPROCS", "7")
	for procs, want := range map[int]string{0: "7", 3: "3"} {
		c, stdout, err := Start("shell", []string{"sh", "-c", "echo $GOMAXPROCS $$; cut -d' ' -f5 /proc/$$/stat"}, procs, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(stdout)
		stdout.Close()
		c.End(10 * time.Second)
		if id := strconv.Itoa(c.PID()); err != nil || string(text) != want+" "+id+"\n"+id+"\n" {
			t.Errorf("%d processors: it says %q, %v, want %s and the process %s as its group", procs, text, err, want, id)
		}
	}
}

// A server has said what came of a collection when a line of its log names memory; one
// that nobody waits for is not counted twice.
func TestLogOfAServer(t *testing.T) {
	t.Parallel()
	s := &Server{Collected: make(chan struct{}, 1)}
	for _, step := range []struct {
		line, garbage string
		collected     int
	}{
		{"level=INFO msg=listening", "", 0},
		{"level=INFO msg=memory heap=1", "level=INFO msg=memory heap=1", 1},
		{"level=INFO msg=memory heap=2", "level=INFO msg=memory heap=2", 1},
		{"level=WARN msg=slow", "level=INFO msg=memory heap=2", 1},
	} {
		s.log(step.line)
		if s.Garbage() != step.garbage || len(s.Collected) != step.collected {
			t.Errorf("after %q: %q, %d collections wait, want %q, %d", step.line, s.Garbage(), len(s.Collected), step.garbage, step.collected)
		}
	}
}

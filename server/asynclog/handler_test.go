package asynclog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/roost-rt/roost/server/asynclog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// A gate is a handler that keeps lines, as JSON, and waits while it is locked.
type gate struct {
	sync.Mutex
	slog.Handler
	text   *bytes.Buffer
	inside func(slog.Record) error // in place of the handler, if not nil
}

func newGate() *gate {
	var text bytes.Buffer
	return &gate{Handler: slog.NewJSONHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}), text: &text}
}

func (g *gate) Handle(ctx context.Context, r slog.Record) error {
	g.Lock()
	defer g.Unlock()
	if g.inside != nil {
		if err := g.inside(r); err != nil {
			return err
		}
	}
	return g.Handler.Handle(ctx, r)
}

// lines is what was written.
func (g *gate) lines(t *testing.T) (lines []map[string]any) {
	t.Helper()
	g.Lock()
	defer g.Unlock()
	for line := range bytes.Lines(g.text.Bytes()) {
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		lines = append(lines, m)
	}
	return lines
}

func closeNow(t *testing.T, h *asynclog.Handler) {
	t.Helper()
	if err := h.Close(patience); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// What slog asks of a handler, one that hands on keeps.
func TestSlog(t *testing.T) {
	slogtest.Run(t, func(*testing.T) slog.Handler {
		var text bytes.Buffer
		return &synchronous{text: &text, Handler: asynclog.New(slog.NewJSONHandler(&text, nil), asynclog.Config{})}
	}, func(t *testing.T) map[string]any { return lastLine(t) })
}

// last is the handler under test: slogtest asks for its line by the test alone.
var last *synchronous

type synchronous struct {
	*asynclog.Handler
	text *bytes.Buffer
}

func (s *synchronous) Handle(ctx context.Context, r slog.Record) error {
	last = s
	return s.Handler.Handle(ctx, r)
}
func (s *synchronous) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &synchronous{s.Handler.WithAttrs(attrs).(*asynclog.Handler), s.text}
}
func (s *synchronous) WithGroup(name string) slog.Handler {
	return &synchronous{s.Handler.WithGroup(name).(*asynclog.Handler), s.text}
}

func lastLine(t *testing.T) (line map[string]any) {
	closeNow(t, last.Handler)
	if err := json.Unmarshal(last.text.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	return line
}

// A handler that blocks keeps nobody waiting. Each line is written, or counted by
// the next one.
func TestBlockedHandler(t *testing.T) {
	g := newGate()
	g.Lock()
	h := asynclog.New(g, asynclog.Config{QueueMax: 4096, Rate: 1000})
	log := slog.New(h)
	const n = 900 // of each level
	for i := range n {
		log.Info("joined", "topic", strings.Repeat("x", 50), "i", i)
		log.Error("crashed", "i", i)
	}
	g.Unlock()
	eventually(t, "the queue is empty and takes a line", func() bool {
		log.Warn("later")
		lines := g.lines(t)
		return len(lines) > 0 && lines[len(lines)-1]["msg"] == "later"
	})
	closeNow(t, h)
	written, info, crashed := make(map[string]int), 0, 0
	for _, line := range g.lines(t) {
		written[line["msg"].(string)]++
		if line["msg"] == "log lines dropped" {
			info += int(orZero(line["info"]))
			crashed += int(orZero(line["error"]))
			if line["level"] != "ERROR" {
				t.Errorf("what was lost is said at the level of %v, want that of the worst line", line)
			}
		}
	}
	if written["joined"]+info != n || written["crashed"]+crashed != n || info == 0 || crashed == 0 {
		t.Errorf("written %v, said to be dropped %d and %d: want %d of each kind in all", written, info, crashed, n)
	}
	if size := written["joined"] + written["crashed"]; size > 4096/256+1 {
		t.Errorf("%d lines waited in 4096 bytes", size)
	}
}

// Close waits no longer than it is told to, and what was in the queue is not
// written afterwards.
func TestCloseOfBlockedHandler(t *testing.T) {
	g := newGate()
	g.Lock()
	h := asynclog.New(g, asynclog.Config{})
	log := slog.New(h)
	for range 10 {
		log.Info("line")
	}
	if err := h.Close(time.Millisecond); !errors.Is(err, asynclog.ErrNotWritten) {
		t.Errorf("Close of a handler that blocks = %v, want ErrNotWritten", err)
	}
	g.Unlock()
	closeNow(t, h)
	if n := len(g.lines(t)); n > 1 {
		t.Errorf("%d lines after Close gave up, want the one that was being written at most", n)
	}
}

// So it is when it blocks with what Close itself has to say.
func TestCloseOfBlockedEnd(t *testing.T) {
	g := newGate()
	h := asynclog.New(g, asynclog.Config{Rate: 1})
	log := slog.New(h)
	for range 100 { // most are suppressed
		log.Info("line")
	}
	eventually(t, "what is not is written", func() bool { return len(g.lines(t)) >= 10 })
	g.Lock()
	if err := h.Close(time.Millisecond); !errors.Is(err, asynclog.ErrNotWritten) {
		t.Errorf("Close of a handler that blocks = %v, want ErrNotWritten", err)
	}
	if err := h.Close(time.Millisecond); !errors.Is(err, asynclog.ErrNotWritten) {
		t.Errorf("Close again = %v, want ErrNotWritten", err)
	}
	g.Unlock()
	closeNow(t, h)
}

func orZero(v any) float64 {
	f, _ := v.(float64)
	return f
}

// Lines of one kind that come too often are counted, and the next one of it says
// so. Other kinds are not its concern.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		h := asynclog.New(g, asynclog.Config{Rate: 10})
		log := slog.New(h)
		for range 105 {
			log.Info("joined")
		}
		log.Info("left")
		log.Warn("joined")
		time.Sleep(100 * time.Millisecond)
		log.With("a", 1).Info("joined")
		log.Info("joined")
		synctest.Wait()
		lines := g.lines(t)
		if len(lines) != 103 {
			t.Fatalf("%d lines, want 100 at once, one for each other kind, and one for the time since", len(lines))
		}
		for _, line := range lines[:102] {
			if line["suppressed"] != nil {
				t.Errorf("too early: %v", line)
			}
		}
		if last := lines[102]; last["suppressed"] != 5.0 || last["msg"] != "joined" || last["level"] != "INFO" {
			t.Errorf("%v, want 5 suppressed", last)
		}
		closeNow(t, h)
		lines = g.lines(t)
		if last := lines[len(lines)-1]; last["msg"] != "log lines suppressed" || last["line"] != "joined" || last["suppressed"] != 1.0 {
			t.Errorf("the last line is %v, want that of the 1 that nobody has told of", last)
		}
	})
}

// Messages that are always new do not get past the rate, and take no memory.
func TestRateOfNewKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		h := asynclog.New(g, asynclog.Config{Rate: 1})
		log := slog.New(h)
		for i := range 10_000 {
			log.Info(fmt.Sprint("message ", i))
			log.Info("one that comes often")
		}
		time.Sleep(time.Hour) // all is as new
		log.Info("another")
		synctest.Wait()
		lines := g.lines(t)
		if n := len(lines); n != 255+10+10+1 {
			t.Errorf("%d lines, want one for each kind that has a place, 10 of the others, 10 that come often, 1 later", n)
		}
		if last := lines[len(lines)-1]; last["msg"] != "another" || last["suppressed"] != nil {
			t.Errorf("the last line is %v", last)
		}
		closeNow(t, h)
	})
}

type stringer struct{ text string }

func (s *stringer) String() string { return s.text }

type panicking struct{}

func (*panicking) Error() string { panic("no text") }

// endless panics with itself when it is asked for its text.
type endless struct{}

func (e endless) Error() string { panic(e) }

// A record is complete when it is handed over: what it was made of may change.
// What it shows is bounded, and UTF-8.
func TestKeep(t *testing.T) {
	g := newGate()
	g.Lock()
	h := asynclog.New(g, asynclog.Config{})
	log := slog.New(h)
	s, raw, lent := &stringer{"before"}, json.RawMessage(`{"a":1}`), []byte("lent")
	long := strings.Repeat("ä", 10_000)
	log.Info("line", "stringer", s, "raw", raw, "bytes", lent, "err", fmt.Errorf("bad: %w", errors.New(long)),
		"topic", long, "stack", long, "broken", "a\xffb\xfe", "group", slog.GroupValue(slog.String("topic", "x"+long)),
		"number", int32(7), "nil", nil, "list", []string{"a", "b"}, "late", time.Minute, "panic", &panicking{}, "endless", endless{},
		"much", json.RawMessage(`"`+long+`"`))
	s.text, raw[1], lent[0] = "after", 'x', 'x'
	g.Unlock()
	closeNow(t, h)
	line := g.lines(t)[0]
	for key, want := range map[string]any{
		"stringer": "before", "raw": map[string]any{"a": 1.0}, "bytes": "lent", "broken": "a?b?",
		"number": 7.0, "nil": nil, "list": "[a b]", "late": 60e9, "much": "JSON of 20002 bytes",
		"endless": "asynclog_test.endless, whose text panics",
	} {
		if got := line[key]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
	}
	line["group.topic"] = line["group"].(map[string]any)["topic"]
	for key, limit := range map[string]int{"err": 512, "topic": 512, "group.topic": 512, "stack": 16 << 10} {
		got := line[key].(string)
		if len(got) > limit || len(got) < limit-4 || !strings.HasSuffix(got, "ä…") || !utf8.ValidString(got) {
			t.Errorf("%s has %d bytes and ends with %q, want at most %d and an ellipsis", key, len(got), got[len(got)-8:], limit)
		}
	}
	if got := line["panic"].(string); !strings.Contains(got, "no text") {
		t.Errorf("an Error method that panics is %q", got)
	}
}

// A handler that fails, panics or ends its goroutine loses that line, and no
// other; the next one says so.
func TestFailingHandler(t *testing.T) {
	g := newGate()
	g.inside = func(r slog.Record) error {
		switch r.Message {
		case "fail":
			return errors.New("disk full")
		case "panic":
			panic(endless{})
		case "goexit":
			runtime.Goexit()
		}
		return nil
	}
	h := asynclog.New(g, asynclog.Config{QueueMax: 1024})
	log := slog.New(h)
	for range 20 {
		for _, text := range []string{"fail", "panic", "goexit"} {
			log.Warn(text)
			eventually(t, "the next is written", func() bool {
				n := len(g.lines(t))
				log.Info("next")
				lines := g.lines(t)
				return len(lines) > n || strings.Contains(fmt.Sprint(lines), "log lines dropped")
			})
		}
	}
	closeNow(t, h)
	lost := 0.0
	for _, line := range g.lines(t) {
		if line["msg"] == "log lines dropped" {
			lost += orZero(line["warn"])
		}
	}
	if lost != 60 {
		t.Errorf("%v lines are said to be lost, want 60", lost)
	}
}

// Wrap leaves a logger alone that does not wait already.
func TestWrap(t *testing.T) {
	g := newGate()
	log, closeLog := asynclog.Wrap(slog.New(g), asynclog.Config{})
	same, closeSame := asynclog.Wrap(log.With("a", 1).WithGroup("g"), asynclog.Config{})
	if err := closeSame(0); err != nil {
		t.Errorf("close: %v", err)
	}
	same.Info("line", "b", 2)
	if err := closeLog(patience); err != nil {
		t.Errorf("close: %v", err)
	}
	log.Info("too late")
	if got := fmt.Sprint(g.lines(t)); !strings.Contains(got, "a:1 g:map[b:2] level:INFO msg:line") || strings.Contains(got, "late") {
		t.Errorf("written: %v", got)
	}
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	late := time.After(patience)
	for !condition() {
		select {
		case <-late:
			t.Fatalf("after %v still not: %s", patience, what)
		case <-time.After(time.Millisecond):
		}
	}
}

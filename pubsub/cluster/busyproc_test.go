package cluster_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/cluster"
)

// busyNodes is the environment variable that makes the test program a process of nodes:
// their cluster, the number of the process, and how many there are.
const busyNodes = "ROOST_TEST_NODES"

// A busyOrder is what a process of nodes is to do.
type busyOrder struct {
	URL        string
	First      int // number of the first node
	Nodes      int // of this process
	All        int // of the cluster
	Every      time.Duration
	Size       int           // bytes of a message
	Beat       time.Duration // 0 is that of the Link
	LogLinks   bool
	MaxPatient time.Duration // for what was said to arrive
}

// A busyReport is the outcome. Lost, twice and out of order are counts of all nodes.
type busyReport struct {
	Said         int // by each talker of the process
	Heard        int
	Lost         int
	Twice        int
	OutOfOrder   int
	Reconnects   int
	Repaired     int
	Missed       int
	Dropped      int
	LongestPause time.Duration // that a goroutine of the process has seen
}

// A hearer is a node that checks what it hears: each talker says 0, 1, 2 …
type hearer struct {
	*cluster.Link
	mu     sync.Mutex
	next   map[string]int
	report busyReport
}

func (n *hearer) deliver(m *pubsub.Message) error {
	name, text, _ := strings.Cut(m.Event, " ")
	number, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.report.Heard++
	switch next := n.next[name]; {
	case number > next:
		n.report.OutOfOrder++
		n.next[name] = number + 1
	case number < next:
		n.report.Twice++
	default:
		n.next[name]++
	}
	return nil
}

// runNodes is the main function of a process of nodes. It writes a line for each step and
// goes on to the next when it reads one: it is there; the first node talks; it is silent,
// and writes how much it has said; all have heard as much as the input says, or will not.
func runNodes(text string) error {
	var o busyOrder
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	if o.LogLinks {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	var nodes []*hearer
	for i := range o.Nodes {
		n := &hearer{next: make(map[string]int)}
		n.Link = cluster.New(cluster.Config{URL: o.URL, Node: fmt.Sprintf("n%03d", o.First+i), Beat: o.Beat, Logger: log})
		n.Listen("room:1")
		if err := n.Start(n.deliver, noGap); err != nil {
			return err
		}
		defer n.Close()
		nodes = append(nodes, n)
	}
	end := time.Now().Add(2 * startTimeout)
	for _, n := range nodes {
		for ; len(n.Stats().Peers) < o.All-1; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				return fmt.Errorf("node %s knows %d others, want %d", n.Node(), len(n.Stats().Peers), o.All-1)
			}
		}
	}
	in := bufio.NewScanner(os.Stdin)
	step := func(said any) bool { fmt.Println(said); return in.Scan() }
	if !step("ready") {
		return nil
	}
	enough, said := make(chan struct{}), make(chan busyReport)
	go func() { said <- talkOn(nodes[0], o, enough) }()
	if !step("talking") {
		return nil
	}
	close(enough)
	r := <-said
	if !step(r.Said) {
		return nil
	}
	want := make(map[string]int)
	if err := json.Unmarshal(in.Bytes(), &want); err != nil {
		return err
	}
	for _, n := range nodes {
		n.settle(&r, want, time.Now().Add(o.MaxPatient))
	}
	line, err := json.Marshal(r)
	if err == nil {
		step(string(line))
	}
	return err
}

// talkOn says numbers until enough is closed: one each o.Every, or all that were due while
// the process stood still.
func talkOn(n *hearer, o busyOrder, enough chan struct{}) (r busyReport) {
	ticks := time.NewTicker(o.Every)
	defer ticks.Stop()
	begin := time.Now()
	for last := begin; ; {
		select {
		case <-enough:
			return r
		case <-ticks.C:
		}
		now := time.Now()
		r.LongestPause = max(r.LongestPause, now.Sub(last))
		last = now
		for due := int(now.Sub(begin) / o.Every); r.Said < due; r.Said++ {
			err := n.Broadcast(&pubsub.Message{Topic: "room:1", Event: fmt.Sprintf("%s %d", n.Node(), r.Said), Payload: make([]byte, o.Size)})
			if errors.Is(err, pubsub.ErrOverloaded) {
				break
			}
			if err != nil {
				panic(err)
			}
		}
	}
}

// settle waits until a node has heard all, and adds what it has found to r.
func (n *hearer) settle(r *busyReport, want map[string]int, end time.Time) {
	lost := func() (lost int) {
		n.mu.Lock()
		defer n.mu.Unlock()
		for name, said := range want {
			if name != n.Node() {
				lost += max(said-n.next[name], 0)
			}
		}
		return lost
	}
	for lost() > 0 && time.Now().Before(end) {
		time.Sleep(10 * time.Millisecond)
	}
	r.Lost += lost()
	s := n.Stats()
	n.mu.Lock()
	defer n.mu.Unlock()
	r.Heard += n.report.Heard
	r.Twice += n.report.Twice
	r.OutOfOrder += n.report.OutOfOrder
	r.Reconnects += int(s.Reconnects)
	r.Repaired += int(s.Repaired)
	r.Missed += int(s.Missed)
	r.Dropped += int(s.Dropped)
}

// A busyProcess is a process of nodes.
type busyProcess struct {
	order busyOrder
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
}

func startBusy(t *testing.T, o busyOrder) *busyProcess {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	p := &busyProcess{order: o, cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), busyNodes+"="+string(text), "GOMAXPROCS=1")
	p.cmd.Stderr = os.Stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.lines = bufio.NewScanner(stdout)
	t.Cleanup(func() {
		p.stdin.Close()
		_ = p.cmd.Process.Kill() // or it has ended
		_ = p.cmd.Wait()
	})
	return p
}

// line returns the next line that the process writes.
func (p *busyProcess) line(t *testing.T) string {
	t.Helper()
	if !p.lines.Scan() {
		t.Fatalf("a process of nodes has ended: %v", p.lines.Err())
	}
	return p.lines.Text()
}

func (p *busyProcess) tell(t *testing.T, line string) {
	t.Helper()
	if _, err := fmt.Fprintln(p.stdin, line); err != nil {
		t.Fatal(err)
	}
}

func (p *busyProcess) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

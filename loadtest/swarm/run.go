package swarm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/loadtest/record"
)

// Run makes a run: it starts what the plan says, connects all clients,
// broadcasts, and ends it all again. Each record is given to emit, in order, on
// the calling goroutine.
//
// That messages were lost or clients refused is no error, it is in the records.
// When ctx ends, the run is cut short, and the error is the cause. Any other
// error is a broken run: something could not be started or died. Both still get
// an End, of what was done so far.
func Run(ctx context.Context, cfg Config, plan Plan, emit func(record.Record)) error {
	// The kernel ties a child's life to the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	r := newRun(cfg.complete(), plan, emit)
	defer r.close()
	err := r.stages(ctx)
	if err != nil && ctx.Err() == nil {
		r.note("error", err.Error())
	}
	return errors.Join(err, r.finish(err == nil))
}

// A run is the coordinator's state. It belongs to one goroutine.
type run struct {
	cfg   Config
	plan  Plan
	emit  func(record.Record)
	start int64 // monotonic nanoseconds

	servers []*server
	workers []*worker
	inbox   chan letter
	died    chan error    // what a server died of, nil if that was meant
	quit    chan struct{} // closed when nobody reads the other two
	waiting sync.WaitGroup
	seconds *time.Ticker

	phase       string
	kernelStart int64 // bytes
	interval    *hdrhistogram.Histogram
	rooms       []room
	schedule    schedule // of the broadcasts, once begun
	lastArrival int64    // when a progress last had more receipts, monotonic
	departed    int64    // when servers went down, monotonic
	victims     int      // clients of the one that was killed
	firstDial   int64
	lastJoin    int64
	connectCPU  int64
	castStart   int64 // CPU that the servers had taken when the broadcasts began
	castCPU     int64
}

func newRun(cfg Config, plan Plan, emit func(record.Record)) *run {
	r := &run{
		cfg:         cfg,
		plan:        plan,
		emit:        emit,
		start:       monotonic(),
		inbox:       make(chan letter, 256),
		died:        make(chan error),
		quit:        make(chan struct{}),
		seconds:     time.NewTicker(time.Second),
		phase:       "settle",
		kernelStart: kernelBytes(),
		interval:    newHistogram(2),
	}
	for range plan.Rooms {
		r.rooms = append(r.rooms, room{sent: make([]int, plan.Writers), messages: make(map[place]*message)})
	}
	return r
}

// stages is the run from the first process to the last receipt.
func (r *run) stages(ctx context.Context) error {
	for _, stage := range []func(context.Context) error{
		r.begin,
		func(ctx context.Context) error { return r.memory(ctx, "empty") },
		r.connect,
		func(ctx context.Context) error { return r.memory(ctx, "joined") },
		r.play,
		func(ctx context.Context) error { return r.memory(ctx, "after") },
	} {
		if err := stage(ctx); err != nil {
			return err
		}
	}
	return nil
}

// begin starts all processes and gives the orders.
func (r *run) begin(ctx context.Context) error {
	r.emit(record.Record{Run: r.describe()})
	if r.cfg.ServerPID != 0 {
		r.note("info", "the server's memory is with garbage: only a server that was started here is asked to collect it")
	}
	t := target{path: "/socket/websocket?vsn=2.0.0"}
	addrs := make([]string, len(r.plan.Servers))
	if r.cfg.URL != "" {
		var err error
		if t, err = parseTarget(r.cfg.URL); err != nil {
			return err
		}
		addr, err := t.resolve()
		if err != nil {
			return err
		}
		addrs[0] = addr.String()
	} else {
		for i := range addrs {
			s, err := r.startServer(ctx, i)
			if err != nil {
				return err
			}
			r.servers = append(r.servers, s)
			addrs[i] = s.addr
		}
		t.host = addrs[0]
	}
	t.path = r.cfg.path(t.path)
	r.tellAgents()
	for i, extents := range r.plan.Processes {
		if i == 0 {
			slacken(0) // it has the writer, which should be on time
		} else {
			slacken(r.plan.Slack)
		}
		w, err := r.startWorker(i)
		if err != nil {
			return err
		}
		r.workers = append(r.workers, w)
		o := r.orders(t, addrs, extents)
		o.Clock = r.clock(i)
		if err := w.tell(command{Orders: o}); err != nil {
			return err
		}
	}
	return nil
}

// startServer starts server process i and watches it.
func (r *run) startServer(ctx context.Context, i int, args ...string) (*server, error) {
	slacken(r.plan.Slack)
	s, err := startServer(ctx, i, append(slices.Clone(r.cfg.ServerCommand), args...), r.plan.ServerProcs)
	if err == nil {
		r.waiting.Go(func() { r.watch(s) })
	}
	return s, err
}

// watch passes on that a server died before its time.
func (r *run) watch(s *server) {
	select {
	case <-s.exited:
	case <-r.quit:
		return
	}
	var err error // nil, but news
	if !s.leaving.Load() {
		err = s.failure()
	}
	select {
	case r.died <- err:
	case <-r.quit:
	}
}

func (r *run) describe() *record.Run {
	settings := make(map[string]any)
	text, err := json.Marshal(r.cfg)
	if err == nil {
		err = json.Unmarshal(text, &settings)
	}
	if err != nil { // a Config is numbers and strings
		r.note("warn", fmt.Sprintf("the configuration cannot be recorded: %v", err))
	}
	settings["clients"], settings["messages"], settings["rate"] = r.plan.Clients, r.plan.Messages, r.plan.Rate
	settings["heartbeat_ns"] = r.plan.Heartbeat
	limits, _ := ReadLimits() // the plan was made of them
	return &record.Run{
		Schema:  record.Schema,
		Start:   time.Now().UTC().Format(time.RFC3339),
		Command: append([]string{filepath.Base(os.Args[0])}, os.Args[1:]...), // no folder: go run builds anywhere
		Config:  settings,
		Machine: readMachine(),
		Kernel:  readKernel(limits),
		Plan:    r.plan.Why,
	}
}

// inFlight bounds the connects that all processes have under way together:
// well below the usual backlog of 4,096.
const inFlight = 1024

func (r *run) orders(t target, addrs []string, extents []extent) *orders {
	o := &orders{
		Host:      t.host,
		Target:    t.path,
		Event:     r.cfg.Event,
		PerSource: r.plan.PerSource,
		Window:    max(16, min(256, inFlight/r.plan.Ramping)),
		Heartbeat: r.plan.Heartbeat,
		Report:    r.plan.Report,
		Messages:  r.plan.Messages,
		Writers:   r.plan.Writers,
		Late:      r.cfg.Late,
		Raw:       r.cfg.Protocol == Raw,
		Reconnect: r.cfg.Scenario.reconnects(),
		Writer:    uint32(r.start>>10)<<10 | 1, // another run's writers in the same room have other names
	}
	if r.cfg.Scenario == Slow {
		o.Slow = r.cfg.Slow
	}
	for _, e := range extents {
		o.Shares = append(o.Shares, share{Room: e.Room, Topic: r.topic(e.Room), Addr: addrs[e.Server], First: e.First, Count: e.Count})
	}
	return o
}

// topic is that of a room. Rooms of servers apart may have the same.
func (r *run) topic(room int) string {
	if r.cfg.Scenario != Rooms {
		return r.cfg.Topic
	}
	prefix, _, _ := strings.Cut(r.cfg.Topic, ":")
	return prefix + ":" + strconv.Itoa(room+1)
}

// connect has all clients join, a few processes of them at a time.
func (r *run) connect(ctx context.Context) error {
	r.phase = "connect"
	before := r.serverUsage().cpuNs
	ramping := r.plan.Ramping
	start := r.common()
	for _, w := range r.workers[:ramping] {
		if err := r.ramp(w, start); err != nil {
			return err
		}
	}
	begun := ramping
	err := r.until(ctx, func() bool {
		done := count(r.workers, func(w *worker) bool { return w.joined != nil })
		for ; begun < min(done+ramping, len(r.workers)); begun++ {
			_ = r.ramp(r.workers[begun], monotonic()) // that one is dead is found by reading from it
		}
		return done == len(r.workers)
	})
	r.connectCPU = max(0, r.serverUsage().cpuNs-before) // the dead have none
	return err
}

// ramp has the clients of one process join from a moment on.
func (r *run) ramp(w *worker, start int64) error {
	pace := newPacer(start, r.cfg.ConnectRate/float64(r.plan.Ramping))
	return w.tell(command{Connect: &pace})
}

// headStart is how long after the command the first message is due.
const headStart = 300 * time.Millisecond

// broadcast has the writers write, and waits for what they wrote.
func (r *run) broadcast(ctx context.Context) error {
	if err := r.speak(); err != nil {
		return err
	}
	return r.until(ctx, r.allArrived)
}

// speak has the writers write.
func (r *run) speak() error {
	r.phase = "broadcast"
	r.castStart = r.serverUsage().cpuNs
	r.schedule = schedule{Pace: newPacer(monotonic()+int64(headStart), r.plan.Rate), Rooms: 1, Writers: r.plan.Writers}
	if r.cfg.Scenario == Rooms {
		r.schedule.Rooms = len(r.rooms)
	}
	for w, voices := range r.voices() {
		if err := w.tell(command{Broadcast: &broadcast{Schedule: r.schedule, Size: r.cfg.Size, Voices: voices}}); err != nil {
			return err
		}
	}
	last := voice{r.schedule.Rooms - 1, r.plan.Writers - 1}
	r.lastArrival = r.schedule.of(last).due(r.plan.Messages - 1)
	return nil
}

// voices divides the writers of each room among the processes that hold clients
// of it.
func (r *run) voices() map[*worker][]voice {
	voices := make(map[*worker][]voice)
	for room := range r.rooms {
		holders := slices.DeleteFunc(slices.Clone(r.workers), func(w *worker) bool { return w.joined[room] == 0 })
		switch {
		case len(holders) == 0:
			r.note("error", fmt.Sprintf("nobody joined room %d: nothing is sent there", room))
			continue
		case r.cfg.Scenario == Kill:
			holders = holders[:1] // they stay: the last server is killed
		}
		for writer := range r.plan.Writers {
			w := holders[writer%len(holders)]
			voices[w] = append(voices[w], voice{room, writer})
		}
	}
	return voices
}

// allArrived says that there is nothing to wait for any more.
func (r *run) allArrived() bool {
	all := r.joinedOnce() * int64(r.plan.Messages*r.plan.Writers)
	return r.counts().Delivered >= all || monotonic() > r.lastArrival+int64(r.cfg.Drain)
}

// allSent says that no writer has more to send, or that they are stuck.
func (r *run) allSent() bool {
	unfinished := func(sent int) bool { return sent < r.plan.Messages }
	writing := func(room room) bool { return room.joined > 0 && slices.ContainsFunc(room.sent, unfinished) }
	return !slices.ContainsFunc(r.rooms, writing) || monotonic() > r.lastArrival+int64(r.cfg.Drain)
}

// until takes what comes in until done is true. It fails when ctx ends or
// something dies.
func (r *run) until(ctx context.Context, done func() bool) error {
	for !done() {
		select {
		case l := <-r.inbox:
			if err := r.open(l); err != nil {
				return err
			}
		case err := <-r.died:
			if err != nil {
				return err
			}
		case <-r.seconds.C:
			r.tick()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// close ends what is left of all processes.
func (r *run) close() {
	r.seconds.Stop()
	close(r.quit)
	for _, w := range r.workers {
		r.waiting.Go(w.end)
	}
	for _, s := range r.servers {
		r.waiting.Go(func() { s.end(patience) })
	}
	r.waiting.Wait()
}

func (r *run) note(level, message string) {
	r.emit(record.Record{Note: &record.Note{AtMs: r.since(monotonic()), Level: level, Message: message}})
}

// since is milliseconds from the start of the run.
func (r *run) since(t int64) int64 { return (t - r.start) / 1e6 }

func (r *run) serverUsage() usage {
	var pids []int
	for _, s := range r.servers {
		pids = append(pids, s.cmd.Process.Pid)
	}
	if r.cfg.ServerPID != 0 {
		pids = append(pids, r.cfg.ServerPID)
	}
	return measure(pids)
}

func (r *run) clientUsage() usage {
	var pids []int
	for _, w := range r.workers {
		pids = append(pids, w.pid())
	}
	return measure(pids)
}

func all(workers []*worker, is func(*worker) bool) bool {
	return count(workers, is) == len(workers)
}

func count(workers []*worker, is func(*worker) bool) (n int) {
	for _, w := range workers {
		if is(w) {
			n++
		}
	}
	return n
}

// ms is at least 1 for what took any time: 0 is not measured.
func ms(ns int64) int64 {
	if ns <= 0 {
		return 0
	}
	return cmp.Or(ns/1e6, 1)
}

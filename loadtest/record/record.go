// Package record holds what a load test writes down while it runs: plain
// values, one JSON object a line. The swarm produces records, the report only
// reads them, so a finished run can be analysed again without repeating it.
//
// It is pure: no clock, no goroutines, no I/O but the reader and writer given.
package record

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
)

// A Record is one line of records.jsonl: exactly one field is set.
type Record struct {
	Run       *Run       `json:"run,omitempty"`
	Note      *Note      `json:"note,omitempty"`
	Tick      *Tick      `json:"tick,omitempty"`
	Broadcast *Broadcast `json:"broadcast,omitempty"`
	Memory    *Memory    `json:"memory,omitempty"`
	Activity  *Activity  `json:"activity,omitempty"`
	Generator *Generator `json:"generator,omitempty"`
	Step      *Step      `json:"step,omitempty"`
	Shortfall *Shortfall `json:"shortfall,omitempty"`
	End       *End       `json:"end,omitempty"`
}

// Run opens a run: what was asked for, on which machine, by which commit.
type Run struct {
	Schema  int            `json:"schema"` // of this file; see Schema
	Start   string         `json:"start"`  // RFC 3339
	Command []string       `json:"command"`
	Commit  string         `json:"commit"` // with "+dirty" when the tree was not clean; "unknown" outside git
	Config  map[string]any `json:"config"`
	Machine Machine        `json:"machine"`
	Kernel  []Setting      `json:"kernel"` // settings that bound a run, as they were
	Plan    []string       `json:"plan"`   // sentences: how many processes and addresses, and why
}

// Schema is the version of the records written by this package. A field that
// is added leaves it as it is: programs pass over fields that they do not know,
// and what an old file lacks reads as not measured. A field that goes, or comes
// to mean something else, makes it grow.
const Schema = 1

// Machine is the host that the run was on.
type Machine struct {
	CPU         string `json:"cpu"`
	Cores       int    `json:"cores"`
	MemoryBytes int64  `json:"memory_bytes"`
	OS          string `json:"os"` // kernel name and release
	Go          string `json:"go"`
}

// A Setting is one kernel or process limit.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// A Note is something a reader of the report must know: a limit that stopped
// the ramp, a child that died.
type Note struct {
	AtMs    int64  `json:"at_ms"` // since the start of the run
	Level   string `json:"level"` // "info", "warn" or "error"
	Message string `json:"message"`
}

// A Shortfall is why a run stopped before all its clients had joined, or to its
// end: the limit of the host that was hit, as far as can be told.
type Shortfall struct {
	AtMs     int64  `json:"at_ms"`   // since the start of the run
	Clients  int64  `json:"clients"` // that had joined by then
	Asked    int64  `json:"asked"`
	Limit    string `json:"limit"` // "RLIMIT_NOFILE", a sysctl, "memory", a file of a cgroup, or "the server"; "" if none was found
	Scope    string `json:"scope,omitempty"`
	Evidence string `json:"evidence"`
	Fix      string `json:"fix,omitempty"`
}

// A Tick is the state of the whole run at one moment: at its begin and end, at
// the end of each phase, about once a second, and more often in a short run and
// while servers are down. Counters are totals since the start. Memory and CPU that could not be read
// are 0.
type Tick struct {
	AtMs        int64            `json:"at_ms"`                // since the start of the run
	Phase       string           `json:"phase"`                // "connect", "settle", "broadcast" or "close"; "echo", "idle", "burst" or "storm" in these scenarios
	Connected   int64            `json:"connected"`            // now; of "slow" also those that the server has cut off, until they find out at the end
	Joined      int64            `json:"joined"`               // ever
	Present     int64            `json:"present,omitempty"`    // joined now; 0 if not recorded
	Sent        int64            `json:"sent"`                 // broadcasts sent
	Delivered   int64            `json:"delivered"`            // receipts of them
	Replies     int64            `json:"replies,omitempty"`    // to the pings of echo and the pushes of burst
	Heartbeats  int64            `json:"heartbeats,omitempty"` // answered
	Errors      map[string]int64 `json:"errors,omitempty"`
	ServerRSS   int64            `json:"server_rss"`    // bytes, all server processes
	ServerCPUNs int64            `json:"server_cpu_ns"` // user + system, all server processes, also those that have ended
	ClientRSS   int64            `json:"client_rss"`    // bytes, all client processes
	ClientCPUNs int64            `json:"client_cpu_ns"`
	KernelBytes int64            `json:"kernel_bytes"` // kernel memory (slab and TCP buffers), above the start of the run
	P50Us       int64            `json:"p50_us"`       // latency of receipts since the last tick; 0 if none
	P99Us       int64            `json:"p99_us"`
	LateUs      int64            `json:"late_us,omitempty"` // the latest send since the last tick, after its moment; 0 if none, and before the scenario plays
	LagUs       int64            `json:"lag_us,omitempty"`  // likewise: the longest that an event loop of clients let a connection wait
}

// Generator is how well the load generator kept up while the scenario played, and
// what it left of its hosts. Fields that could not be read are 0 or empty.
type Generator struct {
	AtMs             int64  `json:"at_ms"` // since the start of the run
	Ms               int64  `json:"ms"`    // how long it played; all times below are within that
	Late             []byte `json:"late"`  // HDR histogram as in End: of sends, how long after their moments; empty in a closed loop
	Lag              []byte `json:"lag"`   // likewise: how long event loops of clients let a connection wait, looked at many times a second
	ServerCPUNs      int64  `json:"server_cpu_ns"`
	ClientCPUNs      int64  `json:"client_cpu_ns"`      // all client processes
	ClientMostNs     int64  `json:"client_most_ns"`     // the one that took most
	ClientWaitNs     int64  `json:"client_wait_ns"`     // threads of client processes that were ready and had no processor
	CoordinatorCPUNs int64  `json:"coordinator_cpu_ns"` // 0 if it is a client process itself
	ServerElsewhere  bool   `json:"server_elsewhere,omitempty"`
	LinkDropped      int64  `json:"link_dropped,omitempty"`  // packets between servers and clients without sockets, since the start of the run
	LinkResent       int64  `json:"link_resent,omitempty"`   // likewise: segments that such clients sent again
	LinkRepeated     int64  `json:"link_repeated,omitempty"` // likewise: segments of servers that had come before
	Hosts            []Host `json:"hosts"`                   // of clients
}

// A Host tells what all its processors did, other programs included.
type Host struct {
	Name       string `json:"name,omitempty"` // of an agent; "" is the coordinator's
	Cores      int    `json:"cores"`
	BusyNs     int64  `json:"busy_ns"`
	StolenNs   int64  `json:"stolen_ns,omitempty"`    // of that, by other guests of the same machine
	SoftNs     int64  `json:"soft_ns,omitempty"`      // of that, in interrupts and softirq
	SoftMostNs int64  `json:"soft_most_ns,omitempty"` // of the processor that had most of these
	WaitNs     int64  `json:"wait_ns,omitempty"`      // in which a thread was ready and had no processor
	ShortNs    int64  `json:"short_ns,omitempty"`     // in which a thread waited for memory
	Link       string `json:"link,omitempty"`         // network interface that was used most; "" if no speed is known
	LinkNs     int64  `json:"link_ns,omitempty"`      // in which it sent, or received, at its speed
}

// A Broadcast is one chat message and what became of it at all its receivers.
// Times are counted from the intended send time, so a late sender does not
// hide a wait (no coordinated omission).
type Broadcast struct {
	Room       int   `json:"room"`             // 0 for the only room; one room a server process while servers are no cluster, many in the scenario rooms
	Writer     int   `json:"writer,omitempty"` // of the room's, counted from 0; each numbers its own messages
	Seq        int64 `json:"seq"`
	AtMs       int64 `json:"at_ms"`        // intended send time since the start of the run
	SendLateUs int64 `json:"send_late_us"` // how much later than intended the frame was handed to the kernel
	Expected   int64 `json:"expected"`
	Delivered  int64 `json:"delivered"` // without those that came too late to be waited for; End has them
	FirstUs    int64 `json:"first_us"`
	P50Us      int64 `json:"p50_us"`
	P99Us      int64 `json:"p99_us"`
	LastUs     int64 `json:"last_us"`
}

// Memory is the memory bill at one moment: RSS after the garbage collection
// of every Go process that can be asked for one. Fields that could not be read are 0.
type Memory struct {
	AtMs        int64  `json:"at_ms"`
	When        string `json:"when"` // "empty", "joined" (all clients, idle), "soak" (during the broadcasts) or "after" (after them)
	Clients     int64  `json:"clients"`
	ServerRSS   int64  `json:"server_rss"`
	ClientRSS   int64  `json:"client_rss"`
	KernelBytes int64  `json:"kernel_bytes"` // absolute reading: slab plus TCP buffers of the host

	AvailableBytes int64 `json:"available_bytes,omitempty"` // what the host could still give to new programs
}

// An Activity holds the results of one scenario, except broadcasts.
type Activity struct {
	Name        string `json:"name"`                    // "echo", "idle", "storm", "kill", "churn" and "leave", "slow", or "burst"
	AtMs        int64  `json:"at_ms"`                   // its start, since the start of the run
	Ms          int64  `json:"ms"`                      // its length; of a storm how long there was no server: from the end of the last one until the first listened again
	Count       int64  `json:"count"`                   // replies, heartbeats answered, clients that came back, joined again or left, or slow ones that the server cut off
	CutOff      int64  `json:"cut_off,omitempty"`       // clients that a kill cut off; 0 if not recorded, and in a storm, which spares no one
	ClosedLoop  bool   `json:"closed_loop,omitempty"`   // of "echo": an answer set off the next ping, so none was ever late; false if not recorded
	Stalled     int64  `json:"stalled,omitempty"`       // clients of "slow" that stopped to read; 0 if not recorded
	Retries     int64  `json:"retries,omitempty"`       // attempts to come back that failed
	ServerCPUNs int64  `json:"server_cpu_ns,omitempty"` // in its time; 0 if not measured
	ClientCPUNs int64  `json:"client_cpu_ns,omitempty"`
	Latency     []byte `json:"latency,omitempty"`     // HDR histogram as in End: from the intended send to the reply (also of those under way at the end, which Count lacks), from the order to end, or the kill, to the new join reply, of "churn" from the new join to its reply, of "leave" from the intended leave to the close
	RawLatency  []byte `json:"raw_latency,omitempty"` // of replies, from the actual send
}

// A Step holds the results of one step of a scenario file, of all users together.
type Step struct {
	Name    string           `json:"name"`
	What    string           `json:"what"` // "join", "reply", "broadcast", "event", "leave" or "push", which waits for nothing
	OK      int64            `json:"ok"`
	Failed  map[string]int64 `json:"failed,omitempty"`  // by what was wrong: a status and its reason, or that nothing came in time
	Latency []byte           `json:"latency,omitempty"` // HDR histogram as in End, from the send, or when that was due, to what came
}

// End closes a run. CPU that could not be read is 0, and a histogram of nothing
// may be left empty.
type End struct {
	AtMs         int64            `json:"at_ms"`
	Interrupted  bool             `json:"interrupted"` // by Ctrl-C or an error: the figures hold for what was done so far
	Clients      int64            `json:"clients"`     // asked for
	Joined       int64            `json:"joined"`
	Expected     int64            `json:"expected"` // receipts: for each broadcast, the clients joined to its room
	Delivered    int64            `json:"delivered"`
	Taken        int64            `json:"taken,omitempty"` // of these, by a program in the kernel for a client
	Lost         int64            `json:"lost"`
	Unreadable   int64            `json:"unreadable,omitempty"` // messages that came and are not understood, as far as they may be what is missing: neither delivered nor lost
	Away         int64            `json:"away,omitempty"`       // receipts that are not expected because the client was cut off at the time
	Duplicated   int64            `json:"duplicated"`
	Reordered    int64            `json:"reordered"`
	Late         int64            `json:"late,omitempty"` // receipts, delivered all the same, later than the run's late_ns
	Errors       map[string]int64 `json:"errors,omitempty"`
	ClosedLoop   bool             `json:"closed_loop,omitempty"` // of a scenario file without a rate: users sent when they were free, so nothing was ever late
	Secured      int64            `json:"secured,omitempty"`     // TLS handshakes that were done; 0 without TLS
	Resumed      int64            `json:"resumed,omitempty"`     // of these, that went on with a session of before
	ConnectMs    int64            `json:"connect_ms"`            // first connect to last join reply
	ConnectCPUNs int64            `json:"connect_cpu_ns"`        // server CPU in that time
	BroadcastMs  int64            `json:"broadcast_ms"`          // first intended send to last receipt
	BroadcastCPU int64            `json:"broadcast_cpu_ns"`      // server CPU in that time
	ServerProcs  int              `json:"server_procs"`
	ClientProcs  int              `json:"client_procs"`
	Latency      []byte           `json:"latency"`                 // HDR histogram, V2 compressed encoding, microseconds from intended send to receipt
	RawLatency   []byte           `json:"raw_latency"`             // the same from the actual send
	JoinLatency  []byte           `json:"join_latency"`            // microseconds from connect() to join reply; with a rate of connects, from the moment that one was due
	LostExamples []string         `json:"lost_examples,omitempty"` // "room 0 client 17 missed 3..5": a few, for people
}

// A Writer writes records, one a line. It is not safe for concurrent use.
type Writer struct {
	enc   *json.Encoder
	flush func() error
}

// NewWriter returns a Writer on w. If w has a buffer, as a [bufio.Writer] has, it
// is flushed at each tick: of a run that is killed no more than a second is lost.
func NewWriter(w io.Writer) *Writer {
	flush := func() error { return nil }
	if b, buffered := w.(interface{ Flush() error }); buffered {
		flush = b.Flush
	}
	return &Writer{json.NewEncoder(w), flush}
}

// Write writes one record.
func (w *Writer) Write(r Record) error {
	err := w.enc.Encode(r)
	if err == nil && r.Tick != nil {
		err = w.flush()
	}
	if err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	return nil
}

// maxLine bounds one record: an End with its three histograms is far below.
const maxLine = 16 << 20

// Read calls each for every record of r, in order, until each or the reader fails.
// What begins as gzip does (RFC 1952 §2.3.1) is decompressed. A last line that
// does not end is passed over unless it is whole: its writer was killed.
func Read(r io.Reader, each func(Record) error) error {
	plain, err := decompressed(r)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(plain)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	ended := false // the line, and not only the file
	lines.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		n, line, err := bufio.ScanLines(data, atEOF)
		ended = n > 0 && data[n-1] == '\n'
		return n, line, err
	})
	for n := 1; lines.Scan(); n++ {
		var rec Record
		if !ended && !json.Valid(lines.Bytes()) {
			break
		}
		if err := json.Unmarshal(lines.Bytes(), &rec); err != nil {
			return fmt.Errorf("record %d: %w", n, err)
		}
		if err := each(rec); err != nil {
			return fmt.Errorf("record %d: %w", n, err)
		}
	}
	return lines.Err()
}

// decompressed returns what r holds, which may be compressed.
func decompressed(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	// What cannot be read here, such as a file of one byte, is no gzip.
	if magic, _ := b.Peek(2); string(magic) != "\x1f\x8b" {
		return b, nil
	}
	return gzip.NewReader(b)
}

package swarm

import "time"

// The coordinator and a process of clients exchange lines of JSON, commands one
// way and events the other. Moments are monotonic nanoseconds.

// A command is one of its fields. The first is Orders, the last is Stop; the
// end of the input is a Stop that nobody listens to.
type command struct {
	Orders    *orders    `json:"orders,omitempty"`
	Connect   *pacer     `json:"connect,omitempty"`
	Broadcast *broadcast `json:"broadcast,omitempty"`
	Echo      *echoOrder `json:"echo,omitempty"`
	Churn     *pacer     `json:"churn,omitempty"`  // of the clients that leave
	Resume    bool       `json:"resume,omitempty"` // those that do not read find out what became of them
	Depart    int64      `json:"depart,omitempty"` // servers go down from this moment on
	Move      *move      `json:"move,omitempty"`
	Collect   bool       `json:"collect,omitempty"` // garbage; the answer is Collected
	Report    *inquiry   `json:"report,omitempty"`  // at once; the answer is a Progress that has a moment
	Halt      bool       `json:"halt,omitempty"`    // no more connects, messages, pings and leaves, until the next command; the answer is Halted
	Stop      *stop      `json:"stop,omitempty"`    // the answer is Totals
}

// orders say what a process of clients is to be.
type orders struct {
	Host      string        `json:"host"`   // of the HTTP request
	Target    string        `json:"target"` // path and query
	Event     string        `json:"event"`
	Shares    []share       `json:"shares"`
	PerSource int           `json:"per_source"` // connections from one address to one server; 0 leaves the address to the kernel
	Window    int           `json:"window"`     // connects and joins in flight
	Heartbeat time.Duration `json:"heartbeat"`
	Report    time.Duration `json:"report,omitempty"`    // between two reports; 0 is 250 ms
	Turn      time.Duration `json:"turn,omitempty"`      // when this process has its turn to report, less than Report
	Messages  int           `json:"messages"`            // of each writer
	Writers   int           `json:"writers"`             // of each room
	Writer    uint32        `json:"writer"`              // the name of the first of room 0; the others follow
	Late      time.Duration `json:"late"`                // a receipt after more than this is late
	Tell      time.Duration `json:"tell,omitempty"`      // the receipts of a message are told after this, though some may be missing; 0 waits for them
	Slow      float64       `json:"slow,omitempty"`      // percent of the clients that do not read once they have joined
	Queue     int           `json:"queue,omitempty"`     // bytes that a client may have to send at a time; 0 is the default of the poller
	Raw       bool          `json:"raw,omitempty"`       // plain WebSocket, no Channels
	Reconnect bool          `json:"reconnect,omitempty"` // who has joined and is cut off comes back
	Clock     int64         `json:"clock,omitempty"`     // nanoseconds that the coordinator's clock is ahead
}

// A share is the part of a room's clients that one process holds at one server.
type share struct {
	Room  int    `json:"room"`
	Topic string `json:"topic"`
	Addr  string `json:"addr"`  // of the server, "127.0.0.1:4000"
	First int    `json:"first"` // number of the first one
	Count int    `json:"count"`
}

// broadcast starts some writers.
type broadcast struct {
	Schedule schedule `json:"schedule"`
	Size     int      `json:"size"` // bytes of payload
	Voices   []voice  `json:"voices"`
}

// An inquiry asks for a progress.
type inquiry struct {
	Anew bool `json:"anew,omitempty"` // the latencies of pings so far do not count
	Last bool `json:"last,omitempty"` // an answer sets off no more pings
}

// stop asks for the totals.
type stop struct {
	Sent     [][]int    `json:"sent"`   // by room and writer: what every client should have
	Unsent   [][][]span `json:"unsent"` // likewise: but for these
	Schedule schedule   `json:"schedule"`
}

// An event is one of its fields.
type event struct {
	Progress  *progress `json:"progress,omitempty"`
	Ramped    *ramped   `json:"ramped,omitempty"` // every client has joined or failed
	FanIn     *arrivals `json:"fan_in,omitempty"`
	Sent      *sent     `json:"sent,omitempty"`
	Collected *usage    `json:"collected,omitempty"` // without garbage
	Halted    *halted   `json:"halted,omitempty"`    // all that was sent has been told
	Totals    *totals   `json:"totals,omitempty"`    // the last
}

// counts only ever grow.
type counts struct {
	Connected    int64            `json:"connected"`              // upgraded, each time
	Disconnected int64            `json:"disconnected,omitempty"` // of these, that have ended
	Joined       int64            `json:"joined"`
	Sent         int64            `json:"sent"`
	Unsent       int64            `json:"unsent,omitempty"` // messages that could not be
	Delivered    int64            `json:"delivered"`
	Duplicated   int64            `json:"duplicated"`
	Reordered    int64            `json:"reordered"`
	Late         int64            `json:"late,omitempty"`
	Beats        int64            `json:"beats,omitempty"` // heartbeats answered
	Pings        int64            `json:"pings,omitempty"`
	Replies      int64            `json:"replies,omitempty"`  // to pings
	Left         int64            `json:"left,omitempty"`     // joined clients that were cut off or left, each time
	Gone         int64            `json:"gone,omitempty"`     // of these, that have left of their own will
	Returned     int64            `json:"returned,omitempty"` // that have joined again
	Retries      int64            `json:"retries,omitempty"`  // attempts at it that failed
	Slow         int64            `json:"slow,omitempty"`     // joined clients that read no more
	CutOff       int64            `json:"cut_off,omitempty"`  // of these, by the server
	Errors       map[string]int64 `json:"errors,omitempty"`
}

// progress comes several times a second.
type progress struct {
	counts
	Usage   usage  `json:"usage"`             // of the process
	At      int64  `json:"at,omitempty"`      // the moment of the counts, if it was asked for
	Latency []byte `json:"latency,omitempty"` // histogram of receipts since the last
}

// ramped tells what came of the connects.
type ramped struct {
	Joined    map[int]int64 `json:"joined"` // by room
	Groups    map[int]int   `json:"groups"` // likewise: each tells once of the receipts of a message
	FirstDial int64         `json:"first_dial"`
	LastJoin  int64         `json:"last_join"` // 0: none
}

// arrivals are the receipts of one message in one process.
type arrivals struct {
	voice
	Seq     int    `json:"seq"`
	First   int64  `json:"first"`   // after the intended send
	Last    int64  `json:"last"`    // likewise
	Latency []byte `json:"latency"` // histogram, counted from the intended send
}

// sent is one message that a writer of this process handed to the kernel.
type sent struct {
	voice
	Seq  int   `json:"seq"`
	Late int64 `json:"late"` // nanoseconds after the intended moment
}

// halted has what was measured since the last one: of pings the time from the
// intended send to the answer, of clients that came back the time since Depart,
// of those that left and joined the time that the join took.
type halted struct {
	Latency []byte `json:"latency,omitempty"` // histogram
	Raw     []byte `json:"raw,omitempty"`     // from the actual send
	Leave   []byte `json:"leave,omitempty"`   // from the intended phx_leave to the phx_close
}

// totals are the whole account of one process.
type totals struct {
	counts
	Lost        int64    `json:"lost"`
	Away        int64    `json:"away,omitempty"`         // not received by clients that were cut off at the time
	Examples    []string `json:"examples,omitempty"`     // of loss
	LastReceipt int64    `json:"last_receipt,omitempty"` // 0: none
	Latency     []byte   `json:"latency,omitempty"`
	Raw         []byte   `json:"raw,omitempty"`
	Join        []byte   `json:"join,omitempty"`
}

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
	Depart    int64      `json:"depart,omitempty"` // servers go down from this moment on
	Move      *move      `json:"move,omitempty"`
	Collect   bool       `json:"collect,omitempty"` // garbage; the answer is Collected
	Halt      bool       `json:"halt,omitempty"`    // no more connects, messages and pings, until the next command; the answer is Halted
	Stop      *stop      `json:"stop,omitempty"`    // the answer is Totals
}

// orders say what a process of clients is to be.
type orders struct {
	Host      string        `json:"host"`   // of the HTTP request
	Target    string        `json:"target"` // path and query
	Topic     string        `json:"topic"`
	Event     string        `json:"event"`
	Shares    []share       `json:"shares"`
	PerSource int           `json:"per_source"` // connections from one address to one server; 0 leaves the address to the kernel
	Window    int           `json:"window"`     // connects and joins in flight
	Heartbeat time.Duration `json:"heartbeat"`
	Messages  int           `json:"messages"`            // the most that a room will see
	Writer    uint32        `json:"writer"`              // the name of room 0's; the others follow
	Reconnect bool          `json:"reconnect,omitempty"` // who has joined and is cut off comes back
}

// A share is the part of a room's clients that one process holds at one server.
type share struct {
	Room  int    `json:"room"`
	Addr  string `json:"addr"`  // of the server, "127.0.0.1:4000"
	First int    `json:"first"` // number of the first one in the room
	Count int    `json:"count"`
}

// broadcast starts the writers of some rooms.
type broadcast struct {
	Pace  pacer `json:"pace"`
	Size  int   `json:"size"` // bytes of payload
	Rooms []int `json:"rooms"`
}

// stop asks for the totals.
type stop struct {
	Sent map[int]int `json:"sent"` // by room: what every client should have
	Pace pacer       `json:"pace"` // of all rooms
}

// An event is one of its fields.
type event struct {
	Progress  *progress `json:"progress,omitempty"`
	Ramped    *ramped   `json:"ramped,omitempty"` // every client has joined or failed
	FanIn     *arrivals `json:"fan_in,omitempty"`
	Sent      *sent     `json:"sent,omitempty"`
	Collected bool      `json:"collected,omitempty"`
	Halted    *halted   `json:"halted,omitempty"` // all that was sent has been told
	Totals    *totals   `json:"totals,omitempty"` // the last
}

// counts only ever grow.
type counts struct {
	Connected  int64            `json:"connected"`
	Joined     int64            `json:"joined"`
	Sent       int64            `json:"sent"`
	Delivered  int64            `json:"delivered"`
	Duplicated int64            `json:"duplicated"`
	Reordered  int64            `json:"reordered"`
	Beats      int64            `json:"beats,omitempty"`    // heartbeats answered
	Replies    int64            `json:"replies,omitempty"`  // to pings
	Left       int64            `json:"left,omitempty"`     // joined clients that were cut off, each time
	Returned   int64            `json:"returned,omitempty"` // that have joined again
	Retries    int64            `json:"retries,omitempty"`  // attempts at it that failed
	Errors     map[string]int64 `json:"errors,omitempty"`
}

// progress comes several times a second.
type progress struct {
	counts
	Latency []byte `json:"latency,omitempty"` // histogram of receipts since the last
}

// ramped tells what came of the connects.
type ramped struct {
	Joined    map[int]int64 `json:"joined"` // by room
	FirstDial int64         `json:"first_dial"`
	LastJoin  int64         `json:"last_join"` // 0: none
}

// arrivals are the receipts of one message in one process.
type arrivals struct {
	Room    int    `json:"room"`
	Seq     int    `json:"seq"`
	First   int64  `json:"first"`   // after the intended send
	Last    int64  `json:"last"`    // likewise
	Latency []byte `json:"latency"` // histogram, counted from the intended send
}

// sent is one message that a writer of this process handed to the kernel.
type sent struct {
	Room int   `json:"room"`
	Seq  int   `json:"seq"`
	Late int64 `json:"late"` // nanoseconds after the intended moment
}

// halted has what was measured since the last one: of pings the time from the
// intended send to the answer, of clients that came back the time since Depart.
type halted struct {
	Latency []byte `json:"latency,omitempty"` // histogram
	Raw     []byte `json:"raw,omitempty"`     // from the actual send
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

package order

import (
	"time"

	"github.com/roost-rt/roost/loadtest/script"
)

// A Command is one of its fields. The first is Orders, the last is Stop; the
// end of the input is a Stop whose answer no one reads.
type Command struct {
	Orders    *Orders     `json:"orders,omitempty"`
	Connect   *Pacer      `json:"connect,omitempty"`
	Broadcast *Broadcast  `json:"broadcast,omitempty"`
	Echo      *Echo       `json:"echo,omitempty"`
	Churn     *Pacer      `json:"churn,omitempty"`  // of the clients that leave
	Resume    bool        `json:"resume,omitempty"` // those that do not read find out what became of them
	Depart    int64       `json:"depart,omitempty"` // servers go down from this moment on
	Move      *Move       `json:"move,omitempty"`
	Follow    *Follow     `json:"follow,omitempty"`  // of users; the answer is Followed
	Settle    SentAccount `json:"settle,omitempty"`  // of users: from now on a Progress has what is missing of all this
	Collect   bool        `json:"collect,omitempty"` // garbage; the answer is Collected
	Report    *Inquiry    `json:"report,omitempty"`  // at once; the answer is a Progress that has a moment
	Halt      bool        `json:"halt,omitempty"`    // no more connects, messages, pings and leaves, until the next command; the answer is Halted
	Stop      *Stop       `json:"stop,omitempty"`    // the answer is Totals
}

// Orders say what a process of clients is to be.
type Orders struct {
	Target     Target        `json:"target"`
	Files      PEM           `json:"files,omitzero"` // of Target.TLS
	Event      string        `json:"event"`
	Shares     []Share       `json:"shares"`
	From       Sources       `json:"from,omitempty"`       // what clients connect from; none is PerSource
	TCP        TCP           `json:"tcp,omitempty"`        // of the clients
	Timestamps bool          `json:"timestamps,omitempty"` // their segments have them, if their TCP is not the kernel's, whose setting that is
	PerSource  int           `json:"per_source"`           // connections from one address to one server; 0 leaves the address to the kernel
	Window     int           `json:"window"`               // connects and joins in flight
	Heartbeat  time.Duration `json:"heartbeat"`
	Report     time.Duration `json:"report,omitempty"`    // between two reports; 0 is 250 ms
	Turn       time.Duration `json:"turn,omitempty"`      // when this process has its turn to report, less than Report
	Messages   int           `json:"messages"`            // of each writer
	Writers    int           `json:"writers"`             // of each room
	Writer     uint32        `json:"writer"`              // the name of the first of room 0; the others follow
	Late       time.Duration `json:"late"`                // a receipt after more than this is late
	Tell       time.Duration `json:"tell,omitempty"`      // the receipts of a message are told after this, though some may be missing; 0 waits for them
	Slow       float64       `json:"slow,omitempty"`      // percent of the clients that do not read once they have joined
	Queue      int           `json:"queue,omitempty"`     // bytes that a client may have to send at a time; 0 is the default of the poller
	Raw        bool          `json:"raw,omitempty"`       // plain WebSocket, no Channels
	Reconnect  bool          `json:"reconnect,omitempty"` // who has joined and is cut off comes back
	Clock      int64         `json:"clock,omitempty"`     // nanoseconds that the coordinator's clock is ahead

	// The script holds everything else that its users need, except the times and names
	// above.
	Script    *script.Source `json:"script,omitempty"`
	ScriptURL string         `json:"script_url,omitempty"` // instead of the script's
	Users     int            `json:"users,omitempty"`      // in all processes
}

// MinSize is the least that a Size may be: it leaves room for the largest numbers
// in a payload.
const MinSize = 100

// A Share is the part of a room's clients that one process holds at one server.
type Share struct {
	Room  int      `json:"room"`
	Topic string   `json:"topic"`
	Addrs []string `json:"addrs"` // of the server, "127.0.0.1:4000", by turns
	First int      `json:"first"` // number of the first one
	Count int      `json:"count"`
}

// A Broadcast starts some writers.
type Broadcast struct {
	Schedule Schedule `json:"schedule"`
	Size     int      `json:"size"` // bytes of payload
	Voices   []Voice  `json:"voices"`
}

// An Echo starts the pings of one process.
type Echo struct {
	Pace     Pacer `json:"pace"`      // of an open loop; zero is a closed one
	Pings    int   `json:"pings"`     // of an open loop, at most; 0 is no bound
	InFlight int   `json:"in_flight"` // of a closed loop
	Burst    int   `json:"burst"`     // instead of a loop: pings that each of InFlight clients sends in one go
	Size     int   `json:"size"`      // bytes of payload
}

// A Move sends the clients of a server that is no more elsewhere.
type Move struct {
	From string   `json:"from"`
	To   []string `json:"to"`
}

// Pause is how long a client that has left stays away, or up to 200 ms longer.
const Pause = 300 * time.Millisecond

// An Inquiry asks for a Progress.
type Inquiry struct {
	Anew bool `json:"anew,omitempty"` // the latencies of pings so far do not count
	Last bool `json:"last,omitempty"` // an answer sets off no more pings
}

// A Stop asks for the totals.
type Stop struct {
	Sent     [][]int    `json:"sent"`   // by room and writer: what every client should have
	Unsent   [][][]Span `json:"unsent"` // likewise: except these
	Schedule Schedule   `json:"schedule"`
}

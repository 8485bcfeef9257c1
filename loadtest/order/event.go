package order

// An Event is one of its fields.
type Event struct {
	Progress  *Progress `json:"progress,omitempty"`
	Ramped    *Ramped   `json:"ramped,omitempty"` // every client has joined or failed
	Receipts  *Receipts `json:"receipts,omitempty"`
	Sent      *Sent     `json:"sent,omitempty"`
	Collected *Usage    `json:"collected,omitempty"` // without garbage
	Followed  *Followed `json:"followed,omitempty"`
	Halted    *Halted   `json:"halted,omitempty"` // all that was sent has been told
	Totals    *Totals   `json:"totals,omitempty"` // the last
}

// A Progress comes several times a second.
type Progress struct {
	Counts
	Usage   Usage  `json:"usage"`             // of the process
	At      int64  `json:"at,omitempty"`      // the moment of the counts, if it was asked for
	Latency []byte `json:"latency,omitempty"` // histogram of receipts since the last
	Strain  Strain `json:"strain"`
	Missing *int64 `json:"missing,omitempty"` // receipts, since a Settle
}

// A Strain tells how well a process of clients kept up since it last told, and the state
// of its host at one moment.
type Strain struct {
	Late Sample `json:"late"`          // sends, after the moment that they were meant for; none in a closed loop
	Lag  Sample `json:"lag"`           // what was readable, until the event loop read it
	Link Link   `json:"link,omitzero"` // so far

	// The next are read about once a second: without processors it is not now.
	WaitNs int64 `json:"wait_ns,omitempty"` // in which threads of the process were ready to run and had no processor, so far
	Host   Host  `json:"host,omitzero"`
}

// Ramped tells what came of the connects.
type Ramped struct {
	Joined    map[int]int64 `json:"joined"` // by room
	Groups    map[int]int   `json:"groups"` // likewise: each tells once of the receipts of a message
	FirstDial int64         `json:"first_dial"`
	LastJoin  int64         `json:"last_join"` // 0: none
}

// Receipts are how one message came to the clients of one process.
type Receipts struct {
	Voice
	Seq     int    `json:"seq"`
	First   int64  `json:"first"`   // after the intended send
	Last    int64  `json:"last"`    // likewise
	Latency Sample `json:"latency"` // counted from the intended send
}

// Sent is one message that a writer of this process handed to the kernel.
type Sent struct {
	Voice
	Seq  int   `json:"seq"`
	Late int64 `json:"late"` // nanoseconds after the intended moment
}

// Halted has what was measured since the last one: of pings the time from the
// intended send to the answer, of clients that came back the time since Depart,
// of those that left and joined the time that the join took.
type Halted struct {
	Latency []byte `json:"latency,omitempty"` // histogram
	Raw     []byte `json:"raw,omitempty"`     // from the actual send
	Leave   []byte `json:"leave,omitempty"`   // from the intended phx_leave to the phx_close
	First   int64  `json:"first,omitempty"`   // moment of the first answer to a ping; 0: none
	Last    int64  `json:"last,omitempty"`    // and of the last
}

// Totals are the whole account of one process.
type Totals struct {
	Counts
	Lost        int64     `json:"lost"`
	Away        int64     `json:"away,omitempty"`         // not received by clients that were cut off at the time
	Examples    []string  `json:"examples,omitempty"`     // of loss
	LastReceipt int64     `json:"last_receipt,omitempty"` // 0: none
	Latency     []byte    `json:"latency,omitempty"`
	Raw         []byte    `json:"raw,omitempty"`
	Join        []byte    `json:"join,omitempty"`
	Readings    []Reading `json:"readings,omitempty"` // of a script's meters, in their order
}

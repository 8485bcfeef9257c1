package agent

import (
	"encoding/json"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
)

// A coordinator and an agent exchange lines of JSON over one TCP connection:
// first a greeting and a hello, then requests one way and answers the other.
// Most of these carry a command to a process of the agent, or an event of one.

// version is the version of the whole protocol: the messages below, commands and events.
const version = 5

// A greeting is the first that a coordinator says.
type greeting struct {
	Agent int    `json:"agent"` // version
	Token string `json:"token,omitempty"`
}

// A hello is the answer to it.
type hello struct {
	Agent   int           `json:"agent"`             // version
	Refused string        `json:"refused,omitempty"` // why; nothing follows
	Commit  string        `json:"commit,omitempty"`  // of the agent's program
	Host    kernel.Host   `json:"host"`
	From    order.Sources `json:"from,omitempty"` // what clients connect from
	TCP     order.TCP     `json:"tcp,omitempty"`  // of the clients; "" is KernelTCP
}

// A request is one of its fields.
type request struct {
	Ping  int        `json:"ping,omitempty"` // the answer is a Pong at once
	Start *processOf `json:"start,omitempty"`
	Tell  *line      `json:"tell,omitempty"` // a command
	End   *processOf `json:"end,omitempty"`  // of the commands; the answer is Ended
}

// processOf names a process by the coordinator's number.
type processOf struct {
	Number int `json:"number"`
	Procs  int `json:"procs,omitempty"` // processors for Go at its start; 0 is all
}

// A line is a command to a process or an event of it.
type line struct {
	Process int             `json:"process"`
	Text    json.RawMessage `json:"text"`
}

// An answer is one of its fields.
type answer struct {
	Pong  *pong   `json:"pong,omitempty"`
	Told  *line   `json:"told,omitempty"`  // an event
	Ended *ending `json:"ended,omitempty"` // the last of a process
}

// A pong answers the ping of that number.
type pong struct {
	Number int   `json:"number"`
	At     int64 `json:"at"` // monotonic nanoseconds of the agent
}

// An ending says how a process ended.
type ending struct {
	Process int    `json:"process"`
	Why     string `json:"why"`
}

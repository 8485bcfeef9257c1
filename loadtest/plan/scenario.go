package plan

import (
	"fmt"
	"strings"
)

// A Scenario is the name of what happens once all clients have joined.
type Scenario string

// kinds are all scenarios, in the order in which people will want them.
var kinds = []kind{chat, echo, idle, rooms, churn, slow, storm, kill, burst, soak, app}

// A kind is a scenario in the plan. Fields that it leaves out are as in a chat.
type kind struct {
	name  Scenario
	says  string   // for people: all clients join, then
	flags []string // that do something in it, beside those of all scenarios

	serverFlags []string             // more of our own servers
	complete    func(*Config)        // fills in defaults of its own
	check       func(c Config) error // finds what cannot be meant
	noRaw       string               // why plain WebSocket will not do; "" if it does
	rawPath     string               // what a plain server is asked for; "" is /chat

	shows      []Count                           // how far a run is; nil is Messages
	silent     bool                              // rooms get no messages
	reconnects bool                              // a client that is cut off comes back
	spare      int                               // servers beside those that have room for all clients
	rooms      func(c Config, clients int) []int // sizes of rooms that are spread over all servers, the largest first
	busy       bool                              // a client does as much as its server
	punctual   func(c Config) bool               // all processes send at given moments, not only the writers'
	pace       func(*planner)                    // chooses how much is sent; what was not asked for is 0
	explain    func(p *planner, say func(format string, args ...any))
}

// A Count is something that grows while a run goes on.
type Count string

// Those that show how far a run is.
const (
	Messages   Count = "messages"   // sent, and received by clients
	Replies    Count = "replies"    // to pushes
	Heartbeats Count = "heartbeats" // that were answered
)

// Scenarios are the names of all, in the order in which people will want them.
func Scenarios() (names []Scenario) {
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

// kind returns the kind of that name, a chat if there is none.
func (s Scenario) kind() kind {
	for _, k := range kinds {
		if k.name == s {
			return k
		}
	}
	return chat
}

// UnmarshalText takes the name of a scenario.
func (s *Scenario) UnmarshalText(text []byte) error {
	var names []string
	for _, known := range Scenarios() {
		if string(known) == string(text) {
			*s = known
			return nil
		}
		names = append(names, string(known))
	}
	return fmt.Errorf("no scenario %q: there are %s", text, strings.Join(names, ", "))
}

// MarshalText is the reverse of UnmarshalText.
func (s Scenario) MarshalText() ([]byte, error) { return []byte(s), nil }

// Says goes on from "All clients join; then".
func (s Scenario) Says() string { return s.kind().says }

// Flags are those that do something in the scenario and not in all.
func (s Scenario) Flags() []string { return s.kind().flags }

// ServerFlags returns the flags for our own servers in the scenario.
func (s Scenario) ServerFlags() []string { return s.kind().serverFlags }

// Sends reports whether rooms get messages.
func (s Scenario) Sends() bool { return !s.kind().silent }

// Shows are the counts by which people see how far a run is.
func (s Scenario) Shows() []Count {
	if k := s.kind(); k.shows != nil {
		return k.shows
	}
	return []Count{Messages}
}

// Planned returns how many messages a run sends, as far as its Messages and Writers tell:
// 0 where no one sends any, and where rooms have writers of their own.
func (s Scenario) Planned(messages, writers int64) int64 {
	if k := s.kind(); k.silent || k.rooms != nil {
		return 0
	}
	return messages * writers
}

// Reconnects reports whether a client that is cut off comes back.
func (s Scenario) Reconnects() bool { return s.kind().reconnects }

package plan

import (
	"fmt"
	"strings"
)

// A Scenario is what happens once all clients have joined.
type Scenario string

const (
	Chat  Scenario = "chat"
	Echo  Scenario = "echo"
	Idle  Scenario = "idle"
	Rooms Scenario = "rooms"
	Churn Scenario = "churn"
	Slow  Scenario = "slow"
	Storm Scenario = "storm"
	Kill  Scenario = "kill"
	Soak  Scenario = "soak"
	Burst Scenario = "burst"
)

// Scenarios explains them all, in the order in which people will want them.
var Scenarios = []struct {
	Name Scenario
	Says string
}{
	{Chat, "-writers clients broadcast to all, each -rate messages a second; every receipt of every client is accounted for"},
	{Echo, "clients push and wait for the reply: -inflight at a time as fast as it goes (closed loop), or -rate a second (open loop), for -for"},
	{Idle, "nothing but heartbeats for -for: what does one cost?"},
	{Rooms, "a chat in each of -rooms rooms: the k-th has 1/k^s of the first's clients, -zipf is s"},
	{Churn, "a chat while -churn clients a second leave the room and join again: how long do both take, and do the others lose anything?"},
	{Slow, "a chat in which -slow percent of the clients stop to read: the others must lose nothing, the server should cut these off"},
	{Storm, "all servers are restarted (-how drain) or killed and started again (-how kill), all clients come back, then a chat"},
	{Kill, "a chat during which one of several servers is killed: its clients go to the others"},
	{Burst, "-pushers clients push -push bytes each in one go and read the replies; then -messages of -size bytes come to all in one go: who reads must lose nothing"},
	{Soak, "a chat for -for with a look at the memory every minute: it must not grow by more than 10 %"},
}

// UnmarshalText takes the name of a scenario.
func (s *Scenario) UnmarshalText(text []byte) error {
	var names []string
	for _, known := range Scenarios {
		if string(known.Name) == string(text) {
			*s = known.Name
			return nil
		}
		names = append(names, string(known.Name))
	}
	return fmt.Errorf("no scenario %q: there are %s", text, strings.Join(names, ", "))
}

// MarshalText is the reverse of UnmarshalText.
func (s Scenario) MarshalText() ([]byte, error) { return []byte(s), nil }

// Sends reports whether rooms get messages.
func (s Scenario) Sends() bool { return s != Echo && s != Idle }

// Reconnects reports whether a client that is cut off comes back.
func (s Scenario) Reconnects() bool { return s == Storm || s == Kill }

// How servers go down in the storm scenario.
const (
	Drain = "drain" // as at a deployment: they close their clients, then end
	Crash = "kill"  // SIGKILL
)

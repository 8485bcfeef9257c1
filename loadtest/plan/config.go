package plan

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/script"
)

// A Config says what to do. The zero value is a run of 10,000 clients, but
// needs one of URL and ServerCommand.
type Config struct {
	// Scenario says what happens once all have joined. Empty means Chat.
	Scenario Scenario `json:"scenario"`

	// Protocol is the protocol of clients: Phoenix or Raw. Empty means Phoenix.
	Protocol string `json:"protocol,omitempty"`

	// For is how long Echo, Idle and Soak go on. Zero means 10 s of Echo, a minute
	// of Idle, and an hour of Soak.
	For time.Duration `json:"for_ns,omitempty"`

	// InFlight is how many pings of an Echo without Rate are unanswered at a time,
	// over all clients. Zero means 256.
	InFlight int `json:"in_flight,omitempty"`

	// How is how the servers of a Storm go down: Drain, which is the default, or
	// Crash.
	How string `json:"how,omitempty"`

	// Rooms is how many rooms the scenario of that name has, at most as many as
	// clients. Zero means 100.
	Rooms int `json:"rooms,omitempty"`

	// Zipf says how unequal they are: the k-th largest has 1/k^Zipf of the first's
	// clients beside the one that every room has. Zero means 1; next to 0 all are equal.
	Zipf float64 `json:"zipf,omitempty"`

	// Churn is how many clients a second leave in the scenario of that name, over all.
	// A client whose turn comes while it is still away, or writes, stays, which counts as
	// an error. Zero means one in a hundred.
	Churn float64 `json:"churn,omitempty"`

	// Slow is the part of the clients that do not read in the scenario of that
	// name, in percent below 100. Zero means 5.
	Slow float64 `json:"slow,omitempty"`

	// Pushers is how many clients push in Burst. Zero means 10, or all if there are
	// fewer.
	Pushers int `json:"pushers,omitempty"`

	// Push is how many bytes each of them pushes in one go, in messages of 20 kB.
	// Zero means 16,000,000.
	Push int `json:"push,omitempty"`

	// Servers is the least number of server processes. Zero means as many as the
	// limit of open files asks for.
	Servers int `json:"servers,omitempty"`

	// Clients is how many to connect. Zero means 10,000, or fewer if the
	// machine cannot hold that many, and 1,000 in Burst.
	Clients int `json:"clients"`

	// ClientTCP says whose TCP the clients use, or is AutoTCP. Empty means AutoTCP; see
	// [Config.ChooseTCP].
	ClientTCP order.TCP `json:"client_tcp,omitempty"`

	// Refused is why this host refuses kinds of TCP that it seems to have, as far as
	// they were tried. AutoTCP then takes the next one.
	Refused map[order.TCP]error `json:"-"`

	// Timestamps has clients without sockets offer TCP's timestamps (RFC 7323), as
	// sockets do where net.ipv4.tcp_timestamps says so.
	Timestamps bool `json:"timestamps,omitempty"`

	// Writers is how many clients of each room write. Zero means 1.
	Writers int `json:"writers"`

	// Messages is how many each writer sends. Zero means 20, fewer if that would
	// take more than a minute, but at least 5; what Soak has time for; or 3 in Burst.
	Messages int `json:"messages"`

	// Rate is messages a second of each writer. Zero means 2, or less where that
	// would be more deliveries than about half of what the processors can do. In
	// Burst all come in one go.
	Rate float64 `json:"rate"`

	// Size is the payload of a message in bytes: the JSON object alone, without
	// the Phoenix array around it, the WebSocket header and the mask. Zero
	// means 128, or 16 KiB in Slow, where buffers are to be filled, or 1,200,000 in
	// Burst; the least is 100.
	Size int `json:"size"`

	// ConnectRate bounds the connects a second, over all. Zero means as fast
	// as the server answers. With a rate, the latency of a join counts from the
	// moment at which its connect was due.
	ConnectRate float64 `json:"connect_rate"`

	// Drain is how long nothing may arrive before what is missing is lost.
	// Zero means 10 s.
	Drain time.Duration `json:"drain_ns"`

	// Late is the latency above which a receipt counts as late. Zero means 10 s,
	// which is how long official clients wait for an answer.
	Late time.Duration `json:"late_ns"`

	// Heartbeat is the time between heartbeats of a client. Zero means 30 s, as
	// official clients have it, or longer where clients and servers of one host
	// would be busy with little else.
	Heartbeat time.Duration `json:"heartbeat_ns"`

	// Topic is the topic to join, Event the event to send. Empty means "room:lobby"
	// and "new_msg". The server must broadcast each message under the same event,
	// to the sender, too.
	Topic string `json:"topic"`
	Event string `json:"event"`

	// URL is a running server, "ws://host:port/path" or wss. The path may be
	// missing, then it is "/socket/websocket". Empty starts servers with
	// ServerCommand.
	URL string `json:"url,omitempty"`

	// Greeting holds what clients say when they connect, and TLS how they connect to a
	// wss URL. Target returns both with the URL.
	order.Greeting
	TLS order.TLS `json:"tls,omitzero"`

	// From are the addresses of this machine that clients connect to URL from, by
	// turns. None leaves it to the kernel, which takes one.
	From order.Sources `json:"from,omitempty"`

	// Addrs are the addresses of URL, which clients connect to by turns. Empty means
	// the first family of Resolve.
	Addrs []netip.AddrPort `json:"-"`

	// Script is the scenario file of App, and ScriptName what people call it.
	Script     *script.Source `json:"-"`
	ScriptName string         `json:"script,omitempty"`

	// ScriptURL is where its users connect. Empty means where the script says.
	ScriptURL string `json:"-"`

	// SLO are the thresholds of the scenario file, for who reads the records.
	SLO []string `json:"slo,omitempty"`

	// ServerPID is the process to measure at URL. Zero measures none.
	ServerPID int `json:"server_pid,omitempty"`

	// ServerCommand starts a server. It prints "listening on HOST:PORT" on its
	// standard output when it is ready, collects garbage on SIGUSR1 and says so
	// in a line with "msg=memory", and ends when its standard input does.
	ServerCommand []string `json:"-"`

	// Node is the program of ServerCommand if that is our server and nothing else, as
	// package loadtest/node is. Empty means no such program.
	Node string `json:"node,omitempty"`

	// Apart makes each server process a room of its own, where otherwise several
	// are one cluster, over the NATS server that ServerCommand is told of.
	Apart bool `json:"apart,omitempty"`

	// Presence says how ServerCommand tells clients who is in their room: full, sample or
	// count, as its -presence. Empty means that it does not.
	Presence string `json:"presence,omitempty"`

	// ClientCommand starts a process that calls Serve on its standard input
	// and output. Empty means one process, this one.
	ClientCommand []string `json:"-"`

	// Force makes a plan that is expected to run out of memory.
	Force bool `json:"force,omitempty"`
}

// Complete fills in what does not depend on the machine.
func (c Config) Complete() Config {
	c.Scenario = cmp.Or(c.Scenario, Chat)
	c.InFlight = cmp.Or(c.InFlight, 256)
	c.How = cmp.Or(c.How, Drain)
	if complete := c.Scenario.kind().complete; complete != nil {
		complete(&c)
	}
	c.For = cmp.Or(c.For, 10*time.Second)
	c.Push = cmp.Or(c.Push, 16_000_000)
	c.Rooms = cmp.Or(c.Rooms, 100)
	c.Zipf = cmp.Or(c.Zipf, 1)
	c.Slow = cmp.Or(c.Slow, 5)
	c.Writers = cmp.Or(c.Writers, 1)
	c.Late = cmp.Or(c.Late, 10*time.Second)
	c.Size = cmp.Or(c.Size, 128)
	c.Drain = cmp.Or(c.Drain, 10*time.Second)
	c.Topic = cmp.Or(c.Topic, "room:lobby")
	c.Event = cmp.Or(c.Event, "new_msg")
	return c
}

// Check finds what cannot be meant.
func (c Config) Check() error {
	for _, number := range []struct {
		name     string
		negative bool
	}{
		{"clients", c.Clients < 0}, {"messages", c.Messages < 0}, {"writers", c.Writers < 0}, {"servers", c.Servers < 0}, {"rooms", c.Rooms < 0},
		{"inflight", c.InFlight < 0}, {"pushers", c.Pushers < 0}, {"push", c.Push < 0}, {"rate", c.Rate < 0}, {"connect-rate", c.ConnectRate < 0}, {"churn", c.Churn < 0}, {"zipf", c.Zipf < 0},
		{"for", c.For < 0}, {"drain", c.Drain < 0}, {"late", c.Late < 0}, {"heartbeat", c.Heartbeat < 0},
	} {
		if number.negative {
			return fmt.Errorf("%s: must not be negative", number.name)
		}
	}
	for name, n := range map[string]float64{"rate": c.Rate, "connect-rate": c.ConnectRate, "churn": c.Churn, "zipf": c.Zipf, "slow": c.Slow} {
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return fmt.Errorf("%s: %v is no number", name, n)
		}
	}
	switch {
	case c.Size != 0 && c.Size < order.MinSize:
		return fmt.Errorf("size: must be at least %d bytes, the stamp of a message needs them", order.MinSize)
	case c.Slow < 0 || c.Slow >= 100:
		return errors.New("slow: must be a percentage below 100: somebody has to read")
	case c.How != "" && c.How != Drain && c.How != Crash:
		return fmt.Errorf("how: %q: want %s or %s", c.How, Drain, Crash)
	case !slices.Contains([]string{"", "full", "sample", "count"}, c.Presence):
		return fmt.Errorf("presence: %q: want full, sample or count", c.Presence)
	case c.Clients > 0 && c.Writers > c.Clients:
		return fmt.Errorf("writers: %d of %d clients: there cannot be more of them", c.Writers, c.Clients)
	case c.Scenario.Reconnects() && c.URL != "":
		return fmt.Errorf("%s: only servers that were started here can be taken down: leave -url out", c.Scenario)
	case c.URL == "" && len(c.ServerCommand) == 0:
		return errors.New("url: neither a server nor a command to start one")
	}
	if check := c.Scenario.kind().check; check != nil {
		if err := check(c); err != nil {
			return err
		}
	}
	if err := cmp.Or(c.checkProtocol(), c.checkTCP()); err != nil {
		return err
	}
	return c.checkTarget()
}

package pubsub

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrInvalid is returned by an adapter's deliver for a message that Inspect
	// rejected, and by Broadcast and Send for one that the adapter cannot carry as it is.
	ErrInvalid = errors.New("invalid message")

	// ErrTooLarge is returned for a message too large to send to the other nodes. No
	// subscriber has got it.
	ErrTooLarge = errors.New("message too large for the cluster")

	// ErrUnknownNode is returned for a message to a node that is not in the cluster, or
	// has not been heard of yet.
	ErrUnknownNode = errors.New("unknown node")

	// ErrNotConnected is returned for a message to other nodes before Start and
	// after Close.
	ErrNotConnected = errors.New("not part of the cluster: not started or closed")
)

// An Adapter carries messages to the other nodes of a cluster, once to each
// node, at most once and without waiting (spec §6.4). Messages that one
// goroutine broadcasts to one topic arrive in that order. Message.From is not
// sent.
type Adapter interface {
	// Start joins the cluster. From then on several goroutines call deliver with
	// messages from other nodes; its error means that no subscriber has got the
	// message. gap is called for messages that are lost for good, after the messages
	// before them were delivered. It must not wait.
	Start(deliver func(*Message) error, gap func(Gap)) error

	// Broadcast sends m to all other nodes. It fails with ErrOverloaded when too much
	// waits to be sent, and with ErrInvalid or ErrTooLarge for what cannot be sent. An
	// unreachable cluster is not an error: subscribers of this node still get the
	// message. Lost messages are counted.
	Broadcast(m *Message) error

	// Send sends m to one other node, or fails with ErrUnknownNode or, as Broadcast
	// does, with ErrOverloaded. It keeps no order with Broadcast.
	Send(node string, m *Message) error

	// Node returns the name of this node.
	Node() string

	// Stats returns the state of the adapter, and its counts since Start.
	Stats() AdapterStats

	// Close sends all waiting messages, leaves the cluster and waits for deliver to
	// return.
	Close()
}

// A Watcher is an [Adapter] that reports which other nodes come and go.
type Watcher interface {
	// WatchWith sets the function to call, one event at a time. It is called before
	// Start. told must not wait.
	WatchWith(told func(NodeEvent))
}

// A NodeEvent reports another node that has come or gone.
type NodeEvent struct {
	Node   string // its name
	Change NodeChange
}

// A NodeChange says how a node's state changed. A node that restarts under its
// name is reported down first.
type NodeChange string

const (
	NodeUp    NodeChange = "up"    // it has joined
	NodeDown  NodeChange = "down"  // it has said goodbye, or has fallen silent
	NodeAgain NodeChange = "again" // it was down, but only out of reach: it has not started again
)

// A Counter is an Adapter that can ask the other nodes how many subscriptions a topic
// has there.
type Counter interface {
	// CountWith sets the function that counts for this node. It is called before Start;
	// several goroutines call here.
	CountWith(here func(topic string) int)

	// Count asks all other nodes, and returns the sum of their counts. If ctx is done
	// before all have answered, it returns the sum so far, and a *SilentError.
	Count(ctx context.Context, topic string) (n int, err error)
}

// A Selective adapter brings broadcasts of the topics that this node listens
// to, and perhaps of some others. A broadcast that another node sends after
// Listen has returned arrives, under the promises of [Adapter]. One sent
// shortly before may arrive, too.
type Selective interface {
	// Listen begins to bring the broadcasts of a topic. It must not wait. Several
	// goroutines call it, also before Start, once before each Ignore of the topic.
	Listen(topic string)

	// Ignore reverses Listen. It must not wait.
	Ignore(topic string)
}

// ErrNoCounter is returned when an adapter is not a [Counter].
var ErrNoCounter = errors.New("the adapter cannot ask other nodes for counts")

// A SilentError lists the nodes that have not answered in time.
type SilentError struct {
	Nodes    []string // their names
	Answered int      // how many other nodes have answered
	Err      error    // the context's, or ErrNotConnected if the adapter was closed
}

func (e *SilentError) Error() string {
	return fmt.Sprintf("%d of %d other nodes have not answered: %s: %v",
		len(e.Nodes), len(e.Nodes)+e.Answered, strings.Join(e.Nodes, ", "), e.Err)
}

func (e *SilentError) Unwrap() error { return e.Err }

// A Gap reports messages that were lost between nodes and will not arrive any
// more, one or many in a row.
type Gap struct {
	// Node is the node that sent the messages: this one, if they did not leave it, or
	// "" if it is not known.
	Node string

	// Messages is how many were lost.
	Messages uint64
}

// AdapterStats is the state of an [Adapter] and its counts since Start.
type AdapterStats struct {
	Connected  bool     // to the cluster, right now
	Reconnects uint64   // times that the connection was lost and came back
	Peers      []string // other nodes heard of recently, by name
	Pending    int      // bytes that wait to be sent

	Published uint64 // messages that left this node
	Dropped   uint64 // messages of this node that did not leave: too many waited, or too long
	Received  uint64 // messages of other nodes delivered here
	Repaired  uint64 // of Received, those that had to be sent again
	Missed    uint64 // messages of other nodes that did not reach this one or found it overloaded
	Gaps      uint64 // times that some were missed, one or many in a row
	Invalid   uint64 // messages that cannot be read here, or for which deliver returned ErrInvalid
	Forged    uint64 // messages and other traffic between nodes that came from outside the cluster
}

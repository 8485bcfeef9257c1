package pubsub

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrInvalid is what an adapter's deliver returns for a message that Inspect
	// did not let through.
	ErrInvalid = errors.New("invalid message")

	// ErrTooLarge is returned for a message that the way to the other nodes does
	// not take. The message has gone to nobody.
	ErrTooLarge = errors.New("message too large for the cluster")

	// ErrUnknownNode is returned for a message to a node that is not in the
	// cluster, or of which nothing has been heard yet.
	ErrUnknownNode = errors.New("unknown node")

	// ErrNotConnected is returned for a message to other nodes before Start and
	// after Close.
	ErrNotConnected = errors.New("not part of the cluster: not started or closed")
)

// An Adapter carries messages to the other nodes of a cluster, each node once,
// at most once and without waiting (spec §6.4). What one goroutine broadcasts to one
// topic arrives in that order. Message.From stays behind.
type Adapter interface {
	// Start joins the cluster. From then on deliver is called with what comes from
	// other nodes, by several goroutines; its error means that nobody has got it.
	// gap is told of messages that are lost for good, after those before them were
	// delivered. It must not wait.
	Start(deliver func(*Message) error, gap func(Gap)) error

	// Broadcast sends m to all other nodes. It fails with ErrOverloaded when too
	// much waits to be sent. That the cluster is out of reach is no error:
	// subscribers of this node shall get the message all the same. What is lost is
	// counted.
	Broadcast(m *Message) error

	// Send sends m to one other node, or fails with ErrUnknownNode or, as Broadcast
	// does, with ErrOverloaded. It keeps no
	// order with Broadcast.
	Send(node string, m *Message) error

	// Node is the name of this node.
	Node() string

	// Stats is what the adapter has done since Start.
	Stats() AdapterStats

	// Close sends what waits, leaves the cluster and waits for deliver to return.
	Close()
}

// A Watcher is an Adapter that tells which other nodes come and go.
type Watcher interface {
	// WatchWith says whom to tell, one event after the other. It is called before
	// Start. told must not wait.
	WatchWith(told func(NodeEvent))
}

// A NodeEvent is another node that has come or gone.
type NodeEvent struct {
	Node   string // its name
	Change NodeChange
}

// A NodeChange is what has become of a node. One that starts again under its name has
// gone first.
type NodeChange string

const (
	NodeUp    NodeChange = "up"    // it has come
	NodeDown  NodeChange = "down"  // it has said goodbye, or is not heard of any more
	NodeAgain NodeChange = "again" // it was down, but only out of reach: it has not started again
)

// A Counter is an Adapter that can ask the other nodes how many subscriptions a topic
// has there.
type Counter interface {
	// CountWith says who answers for this node. It is called before Start;
	// here is called by several goroutines.
	CountWith(here func(topic string) int)

	// Count asks all other nodes, and returns what they have together. When ctx is
	// done before all have answered, it returns what was heard, and a *SilentError.
	Count(ctx context.Context, topic string) (n int, err error)
}

// A Selective adapter brings broadcasts of those topics that this node listens to, and
// perhaps of some others. What another node broadcasts after Listen has returned
// arrives, under the promises of Adapter. What one broadcast shortly before may arrive,
// too.
type Selective interface {
	// Listen begins to bring the broadcasts of a topic. It must not wait. It is called
	// by several goroutines, also before Start, once before each Ignore of the topic.
	Listen(topic string)

	// Ignore ends what Listen has begun. It must not wait.
	Ignore(topic string)
}

// ErrNoCounter is returned where an adapter is no Counter.
var ErrNoCounter = errors.New("the adapter cannot ask other nodes for counts")

// A SilentError says which nodes have not answered in time.
type SilentError struct {
	Nodes    []string // their names
	Answered int      // how many other nodes have
	Err      error    // that of the context, or ErrNotConnected if the adapter was closed
}

func (e *SilentError) Error() string {
	return fmt.Sprintf("%d of %d other nodes have not answered: %s: %v",
		len(e.Nodes), len(e.Nodes)+e.Answered, strings.Join(e.Nodes, ", "), e.Err)
}

func (e *SilentError) Unwrap() error { return e.Err }

// A Gap is messages that were lost between nodes and will not come any more, one or
// many in a row.
type Gap struct {
	// Node is the node that has sent them: this one, if they did not leave it, or ""
	// if that is not known.
	Node string

	// Messages is how many there are.
	Messages uint64
}

// AdapterStats is the state of an Adapter and its counts since Start.
type AdapterStats struct {
	Connected  bool     // to the cluster, right now
	Reconnects uint64   // times that the connection was lost and came back
	Peers      []string // other nodes that were heard of lately, by name
	Pending    int      // bytes that wait to be sent

	Published uint64 // messages that left this node
	Dropped   uint64 // messages of this node that did not: too many waited, or too long
	Received  uint64 // messages of other nodes delivered here
	Repaired  uint64 // of those, the ones that had to be sent again
	Missed    uint64 // messages of other nodes that did not reach this one or found it overloaded
	Gaps      uint64 // times that some were missed, one or many in a row
	Invalid   uint64 // messages that nobody here can read, or that deliver returned ErrInvalid for
	Forged    uint64 // messages, and what else nodes send each other, that were not from a node of the cluster
}

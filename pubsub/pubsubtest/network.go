package pubsubtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/roost-rt/roost/pubsub"
)

const (
	// messageSize is how many bytes a waiting message counts beside its texts and payload.
	messageSize = 128

	// overloadPause is the time between two attempts to deliver.
	overloadPause = 5 * time.Millisecond
)

// A Network is a cluster in memory: nodes of one process, for tests of what
// applications do on several. The zero value is usable. Its fields must not be
// changed once it has nodes; its methods may be called from any goroutine.
type Network struct {
	// MaxPending is how many bytes of messages may wait for one node, with 128 bytes
	// for each on top; one message always has room. Further messages are refused with
	// pubsub.ErrOverloaded. Zero means 64 MiB.
	MaxPending int

	// MaxMessage is how many bytes topic, event and payload of a message may have
	// together; larger ones are refused with pubsub.ErrTooLarge. Zero means any
	// number.
	MaxMessage int

	mu    sync.Mutex // guards the nodes' fields, too; never held while one is called
	nodes map[string]*Node
}

// A Node is an adapter of a Network, and a [pubsub.Counter]. A message waits until its
// PubSub has room for it.
type Node struct {
	network *Network // immutable
	name    string   // immutable

	// Set before the node is part of the network.
	deliver func(*pubsub.Message) error
	gap     func(pubsub.Gap)
	here    func(topic string) int
	told    func(pubsub.NodeEvent)

	quit chan struct{} // closed by Close
	done chan struct{} // closed when nothing is delivered any more

	// Guarded by network.mu.
	state   state
	inbox   []parcel
	pending int // bytes in inbox
	news    *sync.Cond
	stats   pubsub.AdapterStats
	changes []pubsub.NodeEvent // to be told
}

// A state is where a Node is in its life.
type state int

const (
	fresh state = iota
	started
	closed
)

// A parcel is a message on its way to one node.
type parcel struct {
	from    string
	message *pubsub.Message
	size    int
}

// Node returns a node that is no part of the network until it is started. Its name
// must be its own.
func (w *Network) Node(name string) *Node {
	return &Node{
		network: w,
		name:    name,
		here:    func(string) int { return 0 },
		told:    func(pubsub.NodeEvent) {},
		quit:    make(chan struct{}),
		done:    make(chan struct{}),
		news:    sync.NewCond(&w.mu),
	}
}

// Node implements [pubsub.Adapter].
func (n *Node) Node() string { return n.name }

// CountWith implements [pubsub.Counter].
func (n *Node) CountWith(here func(topic string) int) { n.here = here }

// WatchWith implements [pubsub.Watcher].
func (n *Node) WatchWith(told func(pubsub.NodeEvent)) { n.told = told }

// changeLocked has others told of a change of n.
func (n *Node) changeLocked(c pubsub.NodeChange) {
	for _, other := range n.othersLocked() {
		other.changes = append(other.changes, pubsub.NodeEvent{Node: n.name, Change: c})
		other.news.Signal()
		if c == pubsub.NodeUp {
			n.changes = append(n.changes, pubsub.NodeEvent{Node: other.name, Change: c})
		}
	}
}

// Start implements [pubsub.Adapter]. It fails when the network has a node of that
// name, or when the node was started before.
func (n *Node) Start(deliver func(*pubsub.Message) error, gap func(pubsub.Gap)) error {
	w := n.network
	w.mu.Lock()
	defer w.mu.Unlock()
	if n.state != fresh {
		return fmt.Errorf("pubsubtest: a Node is started once: %w", pubsub.ErrNotConnected)
	}
	if w.nodes[n.name] != nil {
		return fmt.Errorf("pubsubtest: the network has a node %q: give each its own name", n.name)
	}
	if w.nodes == nil {
		w.nodes = make(map[string]*Node)
	}
	n.deliver, n.gap, n.state = deliver, gap, started
	w.nodes[n.name] = n
	n.changeLocked(pubsub.NodeUp)
	go n.receive() // Close waits for it
	return nil
}

// Close implements [pubsub.Adapter]. Messages that wait to be delivered here are lost.
func (n *Node) Close() {
	w := n.network
	w.mu.Lock()
	before := n.state
	n.state = closed
	if before == started {
		n.changeLocked(pubsub.NodeDown)
		delete(w.nodes, n.name)
		close(n.quit)
		n.news.Signal()
	}
	w.mu.Unlock()
	if before == started {
		<-n.done
	}
}

// Broadcast implements [pubsub.Adapter].
func (n *Node) Broadcast(m *pubsub.Message) error {
	n.network.mu.Lock()
	defer n.network.mu.Unlock()
	return n.postLocked(m, n.othersLocked())
}

// Send implements [pubsub.Adapter].
func (n *Node) Send(node string, m *pubsub.Message) error {
	n.network.mu.Lock()
	defer n.network.mu.Unlock()
	to := n.network.nodes[node]
	if to == nil || to == n {
		return fmt.Errorf("send to node %q: %w", node, pubsub.ErrUnknownNode)
	}
	return n.postLocked(m, []*Node{to})
}

// postLocked puts m into the inboxes of all nodes in to, or of none.
func (n *Node) postLocked(m *pubsub.Message, to []*Node) error {
	bytes := len(m.Topic) + len(m.Event) + len(m.Payload)
	size := bytes + messageSize
	switch most := n.network.MaxMessage; {
	case n.state != started:
		return pubsub.ErrNotConnected
	case most > 0 && bytes > most:
		return fmt.Errorf("%s %s: %w: it has %d bytes and the network takes %d", m.Topic, m.Event, pubsub.ErrTooLarge, bytes, most)
	}
	for _, other := range to {
		if other.pending > 0 && other.pending+size > cmp.Or(n.network.MaxPending, 64<<20) {
			return pubsub.ErrOverloaded
		}
	}
	for _, other := range to {
		other.inbox = append(other.inbox, parcel{n.name, copyOf(m), size})
		other.pending += size
		other.news.Signal()
	}
	n.stats.Published++
	return nil
}

// copyOf returns the message as it arrives: each node has a copy.
func copyOf(m *pubsub.Message) *pubsub.Message {
	return &pubsub.Message{Topic: m.Topic, Event: m.Event, Payload: m.Payload, Binary: m.Binary}
}

func (n *Node) othersLocked() (all []*Node) {
	for _, other := range n.network.nodes {
		if other != n {
			all = append(all, other)
		}
	}
	return all
}

// receive delivers what comes, one message after the other, until the node closes.
func (n *Node) receive() {
	defer close(n.done)
	for {
		p, changes, ok := n.next()
		if !ok {
			return
		}
		for _, c := range changes {
			n.told(c)
		}
		if p.message != nil {
			n.take(p, n.deliverInTime(p.message))
		}
	}
}

// next waits for changes to tell, or a message.
func (n *Node) next() (p parcel, changes []pubsub.NodeEvent, ok bool) {
	n.network.mu.Lock()
	defer n.network.mu.Unlock()
	for len(n.inbox) == 0 && len(n.changes) == 0 && n.state == started {
		n.news.Wait()
	}
	if n.state != started {
		return p, nil, false
	}
	changes, n.changes = n.changes, nil
	if len(n.inbox) == 0 {
		return p, changes, true
	}
	p = n.inbox[0]
	n.inbox[0] = parcel{}
	n.inbox = n.inbox[1:]
	return p, changes, true
}

// deliverInTime delivers m when this node has room for it. Later messages wait until
// then.
func (n *Node) deliverInTime(m *pubsub.Message) error {
	for {
		err := n.deliver(m)
		if !errors.Is(err, pubsub.ErrOverloaded) {
			return err
		}
		select {
		case <-time.After(overloadPause):
		case <-n.quit:
			return err
		}
	}
}

// take counts what became of a message, which has counted as waiting until then.
func (n *Node) take(p parcel, err error) {
	n.network.mu.Lock()
	n.pending -= p.size
	lost := err != nil && !errors.Is(err, pubsub.ErrInvalid)
	switch {
	case err == nil:
		n.stats.Received++
	case lost:
		n.stats.Missed++
		n.stats.Gaps++
	default:
		n.stats.Invalid++
	}
	n.network.mu.Unlock()
	if lost {
		n.gap(pubsub.Gap{Node: p.from, Messages: 1})
	}
}

// Stats implements [pubsub.Adapter]. Pending is always 0: what waits does so at its
// destination.
func (n *Node) Stats() pubsub.AdapterStats {
	n.network.mu.Lock()
	defer n.network.mu.Unlock()
	s := n.stats
	s.Connected = n.state == started
	if s.Connected {
		for _, other := range n.othersLocked() {
			s.Peers = append(s.Peers, other.name)
		}
		slices.Sort(s.Peers)
	}
	return s
}

// Count implements [pubsub.Counter]. It does not wait, so ctx is not needed.
func (n *Node) Count(_ context.Context, topic string) (count int, err error) {
	n.network.mu.Lock()
	nodes, connected := maps.Clone(n.network.nodes), n.state == started
	n.network.mu.Unlock()
	if !connected {
		return 0, pubsub.ErrNotConnected
	}
	for _, other := range nodes {
		if other != n {
			count += other.here(topic)
		}
	}
	return count, nil
}

package swarm

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/proc"
	"github.com/roost-rt/roost/loadtest/vtcp"
	"github.com/roost-rt/roost/loadtest/vtcp/fast"
	"github.com/roost-rt/roost/loadtest/vtcp/tun"
	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/server/frame"
)

// mostWaiting is how many bytes of one client may be unacknowledged, as those that
// wait for a socket, unless the orders say otherwise.
const mostWaiting = 64 << 20

// virtual is the network of clients whose TCP is in user space, behind a TUN
// device. Its loop reads the device. Between packets it has tasks and timers.
type virtual struct {
	fleet  *fleet
	device *tun.Device
	fast   *fastPath     // loop only; nil without one
	began  int64         // order.Now
	done   chan struct{} // closed when the loop has ended

	mu      sync.Mutex // guards the next; held while a packet is written, which never waits
	stack   *vtcp.Stack
	records []vtcp.Record         // by place; the fast path's, while it has one
	slow    map[int]chan struct{} // by place, of clients that do not read: closed when the server has cut them off
	dropped int64                 // packets, as last seen
	gone    bool                  // all of it

	waiting  sync.Mutex // guards the next; taken behind mu, if both
	tasks    []func()
	stopping bool
}

// packet is the largest packet to servers elsewhere, in bytes: Ethernet's.
const packet = 1500

// answered is how long servers wait for acknowledgements at most where the kernel gives nearly
// all of them within the server's write. The others are read, such as what presence tells
// a whole room, and wait in the queue. If the kernel drops an acknowledgement, it is not
// missed for longer.
const answered = 5 * time.Second

// openDevice makes the device of a fleet. Where clients connect from addresses that
// somebody has named, the servers are elsewhere.
func (f *fleet) openDevice() (*tun.Device, error) {
	from := f.orders.From
	switch {
	case len(from) == 0 && f.orders.TCP == order.BPF:
		return tun.Open(tun.Config{Patience: min(patience(f.pending), answered)})
	case len(from) == 0:
		return tun.Open(tun.Config{Patience: patience(f.pending)})
	}
	if err := from.CheckRouted(); err != nil {
		return nil, err
	}
	if most := vtcp.Most(from[0]); f.pending > most {
		return nil, fmt.Errorf("from %s: %d clients: there are addresses and ports for %d", from[0], f.pending, most)
	}
	for _, g := range f.groups {
		for _, remote := range g.remotes {
			if err := tun.CheckWay(remote); err != nil {
				return nil, err
			}
		}
	}
	return tun.Open(tun.Config{Network: from[0], MTU: packet})
}

// patience is how long both ends wait for acknowledgements. Between them nothing is lost,
// but all packets of a broadcast to so many clients stand in one queue, and before them
// what came before: 50 µs each, some five times what it takes to read and answer a small
// one, and a second for large ones.
func patience(clients int) time.Duration {
	return time.Second + time.Duration(clients)*50*time.Microsecond
}

func newVirtual(f *fleet) (*virtual, error) {
	device, err := f.openDevice()
	if err != nil {
		return nil, err
	}
	v := &virtual{
		fleet:  f,
		device: device,
		began:  order.Now(),
		done:   make(chan struct{}),
		slow:   make(map[int]chan struct{}),
	}
	if err := v.makeStack(); err != nil {
		if v.fast != nil {
			v.fast.close()
		}
		_ = device.Close() // err says more
		return nil, err
	}
	if f.orders.TCP == order.TUN {
		proc.KeepUpWithServers()
	}
	go v.run() // until close, which waits for it
	return v, nil
}

// TryTCP finds out whether clients could have a TCP other than the kernel's in this network
// namespace: it makes what that takes, and takes it away again.
func TryTCP(tcp order.TCP) error {
	device, err := tun.Open(tun.Config{})
	if err != nil || tcp != order.BPF {
		if err == nil {
			err = device.Close()
		}
		return err
	}
	path, err := fast.Load(1, device.Network().Addr())
	if err == nil {
		err = errors.Join(path.Attach(device.Index()), path.Close())
	}
	return errors.Join(err, device.Close())
}

// makeStack makes the records of all clients, and what works on them.
func (v *virtual) makeStack() (err error) {
	f, network := v.fleet, v.device.Network().Addr()
	c := vtcp.Config{Network: network, MTU: v.device.MTU(), Partial: true, Send: v.write, Timestamps: f.orders.Timestamps}
	if len(f.orders.From) == 0 { // nothing is lost on the way to servers, but what they answer waits in the queue
		c.Patience = patience(f.pending)
	}
	if f.orders.TCP == order.BPF {
		path, err := fast.Load(max(f.pending, 1), network)
		if err != nil {
			return err
		}
		v.fast, f.batched = &fastPath{fleet: f, path: path}, true
		if err := path.Attach(v.device.Index()); err != nil {
			return err
		}
		c.Records, c.Claim = path.Records(), path.Settle
	} else {
		c.Records = make([]vtcp.Record, f.pending)
	}
	v.records = c.Records
	v.stack, err = vtcp.New(c)
	return err
}

// write sends a packet. One that the device does not take counts as lost on the way: it
// will be sent again.
func (v *virtual) write(packet []byte) { _ = v.device.Write(packet) }

// run is the loop.
func (v *virtual) run() {
	defer close(v.done)
	for {
		// First the moment, then the tasks: one that is added in between cuts the
		// moment short.
		if v.device.Interrupt(time.Now().Add(vtcp.Tick)) != nil || !v.runTasks() {
			return
		}
		v.expire()
		err := v.device.Read(v.take)
		for err == nil {
			err = v.device.Read(v.take)
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			v.fleet.fault(fmt.Sprintf("read the TUN device: %v", err))
			return
		}
	}
}

// runTasks runs those that wait, and reports false once there will be no more.
func (v *virtual) runTasks() bool {
	v.waiting.Lock()
	tasks, goesOn := v.tasks, !v.stopping
	v.tasks = nil
	v.waiting.Unlock()
	for _, task := range tasks {
		task()
	}
	return goesOn
}

// post has the loop run a task. It reports false if the loop has ended.
func (v *virtual) post(task func()) bool {
	v.waiting.Lock()
	defer v.waiting.Unlock()
	return v.postLocked(task)
}

func (v *virtual) postLocked(task func()) bool {
	if v.stopping {
		return false
	}
	v.tasks = append(v.tasks, task)
	return v.device.Interrupt(time.Unix(1, 0)) == nil
}

// expire moves the clock.
func (v *virtual) expire() {
	now := uint32((order.Now() - v.began) / int64(vtcp.Tick))
	v.mu.Lock()
	if v.fast != nil {
		v.fast.path.Stamp(vtcp.Stamp(now)) // nothing is sent in between that has the one before
	}
	v.stack.Advance(now)
	v.mu.Unlock()
	if v.fast != nil {
		v.fast.collectAll()
	}
	for {
		v.mu.Lock()
		e, ok := v.stack.Next()
		v.mu.Unlock()
		if !ok {
			return
		}
		v.serve(e.Client, func() { v.handle(e) })
	}
}

// take takes a packet.
func (v *virtual) take(packet []byte, vouched bool) {
	if due, ok := probed(packet); ok {
		v.fleet.lagged(order.Now() - due)
		return
	}
	v.mu.Lock()
	e := v.stack.Take(packet, vouched)
	// Between two connections a client is not the loop's.
	goes := e.Client >= 0 && (e.Closed || len(e.Data) > 0 || v.records[e.Client].State == vtcp.Established)
	if !goes {
		v.stack.Settle(e.Client, false)
	}
	v.mu.Unlock()
	if goes {
		v.serve(e.Client, func() { v.handle(e) })
	}
}

// serve does something with a client, whose record is not the fast path's meanwhile.
func (v *virtual) serve(i int, do func()) {
	c := v.fleet.client(i)
	if v.fast != nil {
		v.mu.Lock()
		v.stack.Claim(i)
		received := v.records[i].Received
		v.mu.Unlock()
		c.group.caughtUp(c, received)
	}
	do()
	v.mu.Lock()
	defer v.mu.Unlock()
	// A client without a connection may be another goroutine's, which makes one.
	steady := v.fast != nil && v.records[i].State == vtcp.Established && c.steady()
	if steady {
		v.records[i].Received = uint32(c.group.tops[c.group.ledgerAt(c, 0)])
	}
	v.stack.Settle(i, steady)
}

// steady reports whether all that a client waits for is the next broadcast of the
// only writer.
func (c *client) steady() bool {
	return c.phase == joined && len(c.group.speakers) == 1 && c.frames == frame.Decoder{}
}

// handle has a client take what has come to it.
func (v *virtual) handle(e vtcp.Event) {
	if len(e.Data) == 0 && !e.Closed && !e.Expired {
		return
	}
	if v.handleSlow(e) {
		return
	}
	c := v.fleet.client(e.Client)
	conn := (*end)(c)
	if len(e.Data) > 0 {
		if c.data(conn, e.Data); v.state(e.Client) == vtcp.Closed {
			return // the client has ended it
		}
	}
	switch {
	case e.Closed:
		c.closed(conn, e.Err)
	case e.Expired:
		c.timeout(conn)
	}
}

func (v *virtual) state(i int) vtcp.State {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.records[i].State
}

func (v *virtual) dial(c *client) error {
	remote := v.fleet.remote(c)
	if !remote.Addr().Unmap().Is4() {
		return fmt.Errorf("dial %s: a TCP in user space speaks IPv4 alone", remote)
	}
	if !v.post(func() { v.open(c, remote) }) {
		return poller.ErrStopped
	}
	return nil
}

func (v *virtual) open(c *client, remote netip.AddrPort) {
	v.mu.Lock()
	err := v.stack.Dial(c.place(), remote)
	v.records[c.place()].Room = c.group.mark
	v.mu.Unlock()
	if err != nil {
		c.closed(nil, err)
		return
	}
	c.opened((*end)(c))
	c.upgrade((*end)(c))
}

func (v *virtual) connLocked(c *client) connection { return (*end)(c) }

func (v *virtual) link() order.Link {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.gone {
		if n, err := v.device.Dropped(); err == nil { // else it told its last
			v.dropped = n
		}
	}
	c := v.stack.Counts()
	return order.Link{Dropped: v.dropped, Resent: c.Retransmitted, Repeated: c.Repeated}
}

// watch sends packets to the device, which wait for the loop as what servers send
// does, and in the same queue.
func (v *virtual) watch(over <-chan struct{}) {
	p, err := newProber(v.device.Network())
	if err != nil {
		return // then the lag is not measured
	}
	defer p.Close()
	probe(over, p.write)
}

// close ends all connections.
func (v *virtual) close() {
	v.waiting.Lock()
	v.postLocked(v.abort) // if it cannot, the loop has ended
	v.stopping = true
	v.waiting.Unlock()
	<-v.done
	v.link()
	v.mu.Lock()
	v.gone = true
	v.mu.Unlock() // the kernel may take its time, and reports go on meanwhile
	if v.fast != nil {
		v.fast.close()
	}
	_ = v.device.Close() // no one reads or writes any more
}

// enter locks the stack, and reports false if it is gone.
func (v *virtual) enter() bool {
	v.mu.Lock()
	if v.gone {
		v.mu.Unlock()
	}
	return !v.gone
}

// abort ends all connections, and counts the messages that the fast path has taken.
func (v *virtual) abort() {
	for i := range v.fleet.places() {
		v.mu.Lock()
		told := v.records[i].State == vtcp.Closed || v.records[i].State == vtcp.LastAck || v.slow[i] != nil
		v.stack.Abort(i)
		received := v.records[i].Received
		v.mu.Unlock()
		c := v.fleet.client(i)
		if v.fast != nil {
			c.group.caughtUp(c, received)
		}
		if !told {
			c.closed((*end)(c), poller.ErrStopped)
		}
	}
	if v.fast != nil {
		v.fast.collectAll()
	}
}

// An end is a client to its own TCP: there is no more of it than the record.
type end client

func (e *end) virtual() *virtual { return e.group.fleet.network.(*virtual) }

func (e *end) place() int { return (*client)(e).place() }

func (e *end) Send(b []byte) error { return e.send(b, (*vtcp.Stack).Send) }

func (e *end) SendShared(b []byte) error { return e.send(b, (*vtcp.Stack).SendShared) }

func (e *end) send(b []byte, send func(*vtcp.Stack, int, []byte) error) error {
	v, i := e.virtual(), e.place()
	if !v.enter() {
		return poller.ErrStopped
	}
	defer v.mu.Unlock()
	if v.stack.Waiting(i) <= cmp.Or(v.fleet.orders.Queue, mostWaiting) {
		return send(v.stack, i, b)
	}
	v.stack.Abort(i)
	v.post(func() { (*client)(e).closed(e, poller.ErrSlowConsumer) }) // if there is no loop, all have been told
	return poller.ErrSlowConsumer
}

func (e *end) SetDeadline(d time.Duration) {
	if v := e.virtual(); v.enter() {
		defer v.mu.Unlock()
		v.stack.SetDeadline(e.place(), d)
	}
}

// Kill ends the connection. No call of closed follows.
func (e *end) Kill(error) {
	if v := e.virtual(); v.enter() {
		defer v.mu.Unlock()
		v.stack.Abort(e.place())
	}
}

func (e *end) Post(task func()) bool {
	v := e.virtual()
	return v.post(func() { v.serve(e.place(), task) })
}

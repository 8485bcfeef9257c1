package swarm

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/vtcp/fast"
	"github.com/roost-rt/roost/server/frame"
)

// TestFastPath has a server lose and repeat messages to clients for whom the kernel
// takes broadcasts. Each message goes to one client first: once that has read it, the
// kernel knows it.
func TestFastPath(t *testing.T) {
	runtime.LockOSThread() // for good: the thread ends with the goroutine, and with it the namespace
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("a network namespace: %v: run this test as root, as CI does", err)
	}
	if b, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("ip: %v: %s", err, b)
	}
	const clients, messages = 10, 3
	s := newRoom(t)
	f, err := newFleet(order.Orders{
		Target: order.Target{URL: "ws://" + s.addr}, TCP: order.BPF, Event: "new_msg",
		Messages: messages, Writers: 1, Writer: 1, Window: clients, Heartbeat: time.Hour, Late: time.Minute,
		Shares: []order.Share{{Topic: "room:1", Addrs: []string{s.addr}, Count: clients}},
	})
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	defer func() {
		if !closed {
			f.close()
		}
	}()
	f.connect(t.Context(), order.Pacer{})
	members := s.join(clients)
	await := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; runtime.Gosched() {
			f.mu.Lock()
			ok, counts := done(), f.counts.Clone()
			f.mu.Unlock()
			if ok {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("not %s: %+v", what, counts)
			}
		}
	}
	await("joined", func() bool { return f.counts.Joined == clients })

	var delivered int64
	send := func(seq int32, to ...int) { // the first of them first
		for i, n := range to {
			if _, err := members[n].Write(broadcast(seq)); err != nil {
				t.Error(err)
			}
			if i == 0 {
				await("read", func() bool { return f.counts.Delivered > delivered })
			}
		}
		delivered += int64(len(to))
		await("delivered", func() bool { return f.counts.Delivered == delivered })
	}
	send(1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9) // all but the first by the kernel
	send(2, 1, 0, 2, 3, 4, 5, 6, 7, 8)    // likewise
	send(3, 2, 0, 1, 3, 4, 5, 6, 7, 8)    // likewise
	if _, err := members[9].Write(broadcast(3)); err != nil {
		t.Error(err)
	}
	delivered++ // to one who lacks 2, so not by the kernel
	await("delivered", func() bool { return f.counts.Delivered == delivered })
	if _, err := members[4].Write(broadcast(2)); err != nil {
		t.Error(err)
	}
	await("found twice", func() bool { return f.counts.Duplicated == 1 })

	// One that was never sent, again to one client first: the kernel does not take it.
	never := func() int64 { return f.counts.Errors["message that was never sent"] }
	for n := range 9 {
		if _, err := members[n].Write(broadcast(messages + 1)); err != nil {
			t.Error(err)
		}
		await("found never sent", func() bool { return never() == int64(n+1) })
	}

	f.close()
	closed = true
	total := f.total(order.Stop{Sent: [][]int{{messages}}, Unsent: [][][]order.Span{{nil}}})
	if c := total.Counts; c.Delivered != 29 || c.Taken != 9+8+8 || total.Lost != 1 || c.Duplicated != 1 || c.Reordered != 0 || len(c.Errors) != 1 {
		t.Errorf("counts %+v, %d lost; want 29 delivered, of these 25 by the kernel, 1 lost, 1 twice, one kind of error", c, total.Lost)
	}
	if n := f.latency.TotalCount(); n != 29 {
		t.Errorf("%d latencies of 29 receipts", n)
	}
	var receipts []string
	for _, e := range f.events {
		if r := e.Receipts; r != nil {
			receipts = append(receipts, fmt.Sprintf("%d:%d", r.Seq, r.Latency.Count()))
		}
	}
	if got := fmt.Sprint(receipts); got != "[1:10 3:10 2:9]" {
		t.Errorf("receipts by message %s, want those of 1 and 3, and then of 2, which one client lacks", got)
	}
}

// The last receipt of a message may be the kernel's, and be counted after those of the
// next one, which clients have read. It is reported before that.
func TestReportedInOrder(t *testing.T) {
	g := joinedGroup(t, 2)
	f := g.fleet
	f.batched = true
	stamp := func(seq int32) channels.Stamp { return channels.Stamp{Writer: 1, Seq: seq, Intended: 1000, Sent: 1000} }
	receive := func(client int, seq int32) {
		g.received(&g.clients[client], 0, stamp(seq), g.receive(&g.clients[client], 0, seq), 2000)
	}
	receive(0, 1)
	receive(0, 2)
	receive(1, 2) // who has taken 1, which nobody has counted
	counts := fast.Counts{Received: 1, First: 5000, Last: 5000, Latency: make([]uint64, 10)}
	counts.Latency[4] = 1
	f.mu.Lock()
	defer f.mu.Unlock()
	g.takenLocked(stamp(1), counts, fast.Counts{})
	g.completeLocked()
	var told []int
	for _, e := range f.events {
		told = append(told, e.Receipts.Seq)
	}
	if !slices.Equal(told, []int{1, 2}) || f.counts.Delivered != 4 || f.counts.Taken != 1 || f.lastReceipt != 5000 {
		t.Errorf("told %v, counts %+v, last receipt at %d", told, f.counts, f.lastReceipt)
	}
}

var began = order.Now()

// broadcast is a frame with a message of the room's writer, always the same.
func broadcast(seq int32) []byte {
	payload := appendPayload(nil, channels.Stamp{Writer: 1, Seq: seq, Intended: began, Sent: began + 1}, 128)
	return frame.Append(nil, opText, fmt.Appendf(nil, `[null,null,"room:1","new_msg",%s]`, payload))
}

// A room is a server with one topic, that all join.
type room struct {
	t        *testing.T
	listener net.Listener
	addr     string
}

func newRoom(t *testing.T) *room {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &room{t, l, l.Addr().String()}
}

// join waits until so many clients have joined, one after the other.
func (r *room) join(clients int) (members []net.Conn) {
	for range clients {
		c, err := r.listener.Accept()
		if err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { c.Close() })
		if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			r.t.Fatal(err)
		}
		in := bufio.NewReader(c)
		if _, err := http.ReadRequest(in); err != nil {
			r.t.Fatal(err)
		}
		fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept)
		if _, err := in.ReadByte(); err != nil { // of phx_join, the only thing that it says
			r.t.Fatal(err)
		}
		if _, err := c.Write(frame.Append(nil, opText, []byte(`["1","1","room:1","phx_reply",{"status":"ok","response":{}}]`))); err != nil {
			r.t.Fatal(err)
		}
		members = append(members, c)
	}
	return members
}

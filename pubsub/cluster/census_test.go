package cluster_test

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
)

var _ pubsub.Counter = (*cluster.Link)(nil)

// soon returns a context for calls that should not take long.
func soon(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// counting starts a node that has n subscriptions to each topic that begins with room.
func counting(t *testing.T, url, name string, n int) *node {
	t.Helper()
	c := newNode(cluster.Config{URL: url, Node: name, Logger: quiet})
	c.CountWith(func(topic string) int {
		if strings.HasPrefix(topic, "room") {
			return n
		}
		return 0
	})
	if err := c.Start(c.deliver, c.gap); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Every other node is asked, and this one is not.
func TestCount(t *testing.T) {
	s := serve(t, natsserver.Config{})
	a, b, c := counting(t, s.URL(), "a", 1), counting(t, s.URL(), "b", 20), counting(t, s.URL(), "c", 300)
	if n, err := counting(t, serve(t, natsserver.Config{}).URL(), "alone", 7).Count(soon(t, 30*time.Second), "room:1"); n != 0 || err != nil {
		t.Errorf("Count of one that is alone = %d, %v, want 0", n, err)
	}
	meet(t, a, b, c)
	for n, want := range map[*node]int{a: 320, b: 301, c: 21} {
		if got, err := n.Count(soon(t, 30*time.Second), "room:1"); got != want || err != nil {
			t.Errorf("%s: Count = %d, %v, want %d", n.Node(), got, err, want)
		}
	}
	if n, err := a.Count(soon(t, 30*time.Second), "other"); n != 0 || err != nil {
		t.Errorf("Count of another topic = %d, %v, want 0", n, err)
	}
	for _, n := range []*node{a, b, c} {
		if got := n.Stats(); got.Invalid != 0 || got.Missed != 0 {
			t.Errorf("%s: Stats = %+v, want nothing invalid or missed", n.Node(), got)
		}
	}
}

// Many nodes may ask at the same time, while others broadcast.
func TestCountsAtOnce(t *testing.T) {
	s := serve(t, natsserver.Config{})
	a, b := counting(t, s.URL(), "a", 1), counting(t, s.URL(), "b", 2)
	meet(t, a, b)
	failed := make(chan error, 100)
	for range cap(failed) {
		go func() {
			n, err := a.Count(soon(t, 30*time.Second), "room:1")
			if n != 2 && err == nil {
				err = errors.New("another number than 2")
			}
			failed <- err
		}()
		send(t, b, "x")
	}
	for range cap(failed) {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}

// A node that does not answer is named when the time is up, and the others count all the
// same. Nobody waits for one that leaves meanwhile, and answers to other questions do not
// count.
func TestCountOfSilentNode(t *testing.T) {
	s := serve(t, natsserver.Config{})
	nc := outsider(t, s)
	a, b := counting(t, s.URL(), "a", 1), counting(t, s.URL(), "b", 2)
	meet(t, a, b)
	say := func(subject, text string) {
		t.Helper()
		if err := errors.Join(nc.Publish(subject, []byte(text)), nc.Flush()); err != nil {
			t.Fatal(err)
		}
	}
	asked, err := nc.SubscribeSync("roost.default.repair.000000000000002a")
	if err != nil {
		t.Fatal(err)
	}
	say("roost.default.all", hello(1)) // node n1, whose id is 42
	eventually(t, "a knows n1", func() bool { return slices.Contains(a.Stats().Peers, "n1") })

	n, err := a.Count(soon(t, 100*time.Millisecond), "room:1")
	var silent *pubsub.SilentError
	if n != 2 || !errors.As(err, &silent) || !slices.Equal(silent.Nodes, []string{"n1"}) || silent.Answered != 1 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Count = %d, %v, want the 2 of b and that n1 is silent", n, err)
	}
	if want := "1 of 2 other nodes have not answered: n1: context deadline exceeded"; err == nil || err.Error() != want {
		t.Errorf("the error is %q, want %q", err, want)
	}

	for _, end := range []string{"answer", "leave"} {
		got := make(chan int)
		go func() {
			n, err := a.Count(soon(t, 30*time.Second), "room:1")
			if err != nil {
				t.Errorf("Count, and n1 says %s: %v", end, err)
			}
			got <- n
		}()
		m, err := asked.NextMsg(30 * time.Second)
		for err == nil && m.Data[1] != 9 { // what the first Count asked
			m, err = asked.NextMsg(30 * time.Second)
		}
		if end == "answer" {
			if m, err = asked.NextMsg(30 * time.Second); err != nil { // the second
				t.Fatal(err)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		number, want := m.Data[18], 2
		if end == "answer" {
			back := "roost.default.repair." + hex(m.Data[3:11])
			say(back, head(10, 0, number-1)+"\x00\x00"+string(binary.BigEndian.AppendUint64(nil, 1000))) // to the first
			for range 2 {
				say(back, head(10, 0, number)+"\x00\x00"+string(binary.BigEndian.AppendUint64(nil, 40)))
			}
			want = 42
		} else {
			say("roost.default.all", head(6, 0, 1)+"\x00\x00")
		}
		if n := <-got; n != want {
			t.Errorf("Count, and n1 says %s: %d, want %d", end, n, want)
		}
	}
}

// hex returns an id as subjects have it.
func hex(id []byte) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, c := range id {
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}

// A node that is not part of the cluster, or leaves it, gets no count.
func TestCountWithoutLink(t *testing.T) {
	if _, err := cluster.New(cluster.Config{Logger: quiet}).Count(t.Context(), "a"); !errors.Is(err, pubsub.ErrNotConnected) {
		t.Errorf("Count before Start: %v, want %v", err, pubsub.ErrNotConnected)
	}
	s := serve(t, natsserver.Config{})
	nc := outsider(t, s)
	a := counting(t, s.URL(), "a", 1)
	if err := nc.Publish("roost.default.all", []byte(hello(1))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a knows n1", func() bool { return len(a.Stats().Peers) == 1 })
	asked, err := nc.SubscribeSync("roost.default.repair.000000000000002a")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	go func() { _, err := a.Count(context.Background(), "room:1"); failed <- err }()
	if _, err := asked.NextMsg(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	a.Close()
	if err := <-failed; !errors.Is(err, pubsub.ErrNotConnected) {
		t.Errorf("Count while the link closes: %v, want %v", err, pubsub.ErrNotConnected)
	}
	if _, err := a.Count(t.Context(), "a"); !errors.Is(err, pubsub.ErrNotConnected) {
		t.Errorf("Count after Close: %v, want %v", err, pubsub.ErrNotConnected)
	}
}

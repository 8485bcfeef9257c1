package phxclient_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxclient"
)

func TestChannel(t *testing.T) {
	t.Parallel()
	for _, version := range []phxclient.Version{phxclient.V1, phxclient.V2} {
		t.Run(string(version), func(t *testing.T) {
			t.Parallel()
			ep := start(t, rooms())
			ann, bob := dial(t, ep, phxclient.Config{Version: version}), dial(t, ep, phxclient.Config{AuthToken: "bob's"})
			room, other := ann.Channel("room:1", map[string]any{"a": 1}), bob.Channel("room:1", nil)
			messages := read(t, other)
			m, err := room.Join(soon(t))
			if want := `{"join":1,"params":{"a":1}}`; err != nil || string(m.JSON) != want {
				t.Errorf("Join = %s, %v, want %s", m.JSON, err, want)
			}
			join(t, other)
			messages.expect(phxclient.Joined)

			m, err = room.Request(soon(t), "echo", []int{1, 2})
			if err != nil || string(m.JSON) != "[1,2]" {
				t.Errorf("Request = %s, %v, want [1,2]", m.JSON, err)
			}
			_, err = room.Request(soon(t), "refuse", nil)
			if refused := new(phxclient.ReplyError); !errors.As(err, &refused) || string(refused.Response.JSON) != `{"reason":"no"}` {
				t.Errorf("Request = %v, want a ReplyError with the reason no", err)
			}
			if err := room.Push(soon(t), "shout", map[string]any{"n": 7}); err != nil {
				t.Error(err)
			}
			if m := messages.expect("shout"); string(m.JSON) != `{"n":7}` {
				t.Errorf("shout %s, want {\"n\":7}", m.JSON)
			}
			if err := other.Leave(soon(t)); err != nil {
				t.Error(err)
			}
			messages.end()
			if err := other.Push(soon(t), "shout", nil); !errors.Is(err, phxclient.ErrEnded) {
				t.Errorf("Push after Leave = %v, want ErrEnded", err)
			}
			if got := join(t, bob.Channel("room:1", nil)); got != 3 {
				t.Errorf("join %d, want 3", got)
			}
		})
	}
}

func TestBinary(t *testing.T) {
	t.Parallel()
	ep := start(t, rooms())
	c := dial(t, ep, phxclient.Config{})
	room := c.Channel("room:1", nil)
	messages := read(t, room)
	join(t, room)
	messages.expect(phxclient.Joined)
	data := []byte{0, 1, 0xff}
	m, err := room.Request(soon(t), "echo", phxclient.Binary(data))
	if err != nil || !bytes.Equal(m.Binary, data) {
		t.Errorf("Request = %q, %v, want %q", m.Binary, err, data)
	}
	if err := room.Push(soon(t), "shout", phxclient.Binary(nil)); err != nil {
		t.Error(err)
	}
	if m := messages.expect("shout"); m.Binary == nil || len(m.Binary) > 0 || m.Decode(new(int)) == nil {
		t.Errorf("shout %q, want no bytes", m.Binary)
	}
	if err := room.Push(soon(t), strings.Repeat("x", 256), phxclient.Binary(data)); err == nil {
		t.Error("no error for an event that is too long for a binary message")
	}
	old := dial(t, ep, phxclient.Config{Version: phxclient.V1}).Channel("room:1", nil)
	join(t, old)
	if err := old.Push(soon(t), "shout", phxclient.Binary(data)); err == nil {
		t.Error("no error for a binary payload in V1")
	}
}

func TestJoinRefused(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t, rooms()), phxclient.Config{})
	secret := c.Channel("room:secret", nil)
	for range 2 { // it may be tried again
		_, err := secret.Join(soon(t))
		if refused := new(phxclient.ReplyError); !errors.As(err, &refused) || string(refused.Response.JSON) != `{"reason":"unauthorized"}` {
			t.Errorf("Join = %v, want a ReplyError with the reason unauthorized", err)
		}
	}
	if err := secret.Push(soon(t), "echo", nil); !errors.Is(err, phxclient.ErrNotJoined) {
		t.Errorf("Push = %v, want ErrNotJoined", err)
	}
	room := c.Channel("room:1", nil)
	join(t, room)
	for _, taken := range []*phxclient.Channel{room, c.Channel("room:1", nil)} {
		if _, err := taken.Join(soon(t)); !errors.Is(err, phxclient.ErrJoined) {
			t.Errorf("Join = %v, want ErrJoined", err)
		}
	}
	if _, err := c.Channel("room:2", func() {}).Join(soon(t)); err == nil {
		t.Error("no error for parameters that have no JSON")
	}
}

// The server says why a channel has ended: one that crashed joins again, one that was
// closed does not.
func TestChannelEnds(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t, rooms()), phxclient.Config{})
	room := c.Channel("room:1", nil)
	messages := read(t, room)
	first := join(t, room)
	messages.expect(phxclient.Joined)
	if _, err := room.Request(soon(t), "crash", nil); !errors.Is(err, phxclient.ErrLost) {
		t.Errorf("Request = %v, want ErrLost", err)
	}
	if err := room.Push(soon(t), "shout", nil); err != nil { // waits for the next join, or is sent after it
		t.Error(err)
	}
	messages.expect(phxclient.Lost)
	if got := number(t, messages.expect(phxclient.Joined)); got != first+1 {
		t.Errorf("join %d, want %d", got, first+1)
	}
	messages.expect("shout")
	if _, err := room.Request(soon(t), "stop", nil); err != nil {
		t.Error(err)
	}
	messages.end()
	if _, err := room.Request(soon(t), "echo", nil); !errors.Is(err, phxclient.ErrEnded) {
		t.Errorf("Request = %v, want ErrEnded", err)
	}
	if _, err := room.Join(soon(t)); !errors.Is(err, phxclient.ErrEnded) {
		t.Errorf("Join = %v, want ErrEnded", err)
	}
	join(t, c.Channel("room:1", nil))
}

// A request that nobody answers is given up with its context, and one that is not sent
// yet is never sent.
func TestRequestGivenUp(t *testing.T) {
	t.Parallel()
	ep := start(t, rooms())
	c := dial(t, ep, phxclient.Config{})
	room := c.Channel("room:1", nil)
	messages := read(t, room)
	join(t, room)
	messages.expect(phxclient.Joined)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { // ends before the test does
		_, err := room.Request(ctx, "ignore", nil)
		done <- err
	}()
	if _, err := room.Request(soon(t), "echo", nil); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Request = %v, want context.Canceled", err)
	}
	shutdown(t, ep)
	messages.expect(phxclient.Lost)
	if _, err := room.Request(ctx, "echo", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Request = %v, want context.Canceled", err)
	}
	if got := c.Queued(); got != 0 {
		t.Errorf("%d bytes wait to be sent, want none", got)
	}
}

// Too much that nobody reads is dropped as a whole, and the channel joins again: other
// channels do not wait for that.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	cfg := rooms()
	ended := make(chan struct{}, 10)
	cfg.Mounts[0].Routes[0].Type.Terminate = func(*phx.Channel, phx.Reason) { ended <- struct{}{} }
	ep := start(t, cfg)
	c := dial(t, ep, phxclient.Config{InboxMax: 20 << 10})
	slow, other := c.Channel("room:slow", nil), c.Channel("room:other", nil)
	messages, others := read(t, slow), read(t, other)
	first := join(t, slow)
	join(t, other)
	others.expect(phxclient.Joined)
	for i := range 100 {
		if err := ep.Broadcast("room:slow", "n", counted{i}); err != nil {
			t.Fatal(err)
		}
	}
	if err := ep.Broadcast("room:other", "n", nil); err != nil {
		t.Fatal(err)
	}
	others.expect("n")
	<-ended // by the leave or, if the next join was as fast, by that
	if m := messages.expect(phxclient.Lost); !strings.Contains(string(m.JSON), "too much waited") {
		t.Errorf("lost with %s", m.JSON)
	}
	if got := number(t, messages.expect(phxclient.Joined)); got <= first {
		t.Errorf("join %d, want one after %d", got, first)
	}
	if _, err := slow.Request(soon(t), "echo", nil); err != nil {
		t.Error(err)
	}
}

// What came before Messages is dropped, and then all comes in order.
func TestMessagesInOrder(t *testing.T) {
	t.Parallel()
	ep := start(t, rooms())
	room := dial(t, ep, phxclient.Config{InboxMax: 1 << 10}).Channel("room:1", nil)
	join(t, room)
	for i := range 50 { // beyond InboxMax, if it were kept
		if err := room.Push(soon(t), "shout", counted{i}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := room.Request(soon(t), "echo", nil); err != nil { // behind all that
		t.Fatal(err)
	}
	messages := room.Messages(soon(t))
	var got []int
	for i := range 50 {
		if err := room.Push(soon(t), "shout", counted{i}); err != nil {
			t.Fatal(err)
		}
		for m := range messages {
			var c counted
			if err := m.Decode(&c); err != nil {
				t.Fatal(err)
			}
			got = append(got, c.N)
			break
		}
	}
	if !slices.IsSorted(got) || got[0] != 0 || got[49] != 49 {
		t.Errorf("got %v", got)
	}
}

package cluster_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
)

// head is an envelope up to its node, which is "n1".
func head(kind, flags, number byte) string {
	return "\x02" + // version
		string([]byte{kind, flags}) +
		"\x00\x00\x00\x00\x00\x00\x00\x2a" + // id
		"\x00\x00\x00\x00\x00\x00\x00" + string([]byte{number}) +
		"\x02n1"
}

// hello is a beat of node n1, whose next broadcast to room:1 has the number.
func hello(number byte) string { return tell(4, number) }

// tell is an envelope of node n1 with a table.
func tell(kind, number byte) string {
	table := ""
	if number > 1 {
		table = cluster.Row("room:1", uint64(number))
	}
	return head(kind, 0, 0) + "\x00\x00" + table
}

// say is a broadcast of node n1 with the event e.
func say(number byte, e string) string {
	return head(1, 0, number) + "\x06room:1" + string([]byte{byte(len(e))}) + e + "{}"
}

func TestBytesOfABroadcast(t *testing.T) {
	s := serve(t, natsserver.Config{})
	nc := outsider(t, s)
	sub, err := nc.SubscribeSync("roost.blue.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	n := open(t, cluster.Config{URL: s.URL(), Cluster: "blue", Node: "n1", Beat: 1e12})
	if m, err := sub.NextMsg(5e9); err != nil || m.Data[1] != 3 || m.Subject != "roost.blue.all" {
		t.Fatalf("first message = %v, %v, want a join to all", m, err)
	}
	for _, c := range []struct {
		*pubsub.Message
		subject, want string
	}{
		{&pubsub.Message{Topic: "room:1", Event: "msg", Payload: []byte(`{"a":1}`)}, "roost.blue.b.815", head(1, 0, 1) + "\x06room:1\x03msg" + `{"a":1}`},
		{&pubsub.Message{Topic: "room:1", Event: "msg", Payload: []byte{0xff, 0}, Binary: true}, "roost.blue.b.815", head(1, 1, 2) + "\x06room:1\x03msg\xff\x00"},
		{&pubsub.Message{}, "roost.blue.b.217", head(1, 0, 1) + "\x00\x00"}, // numbers are those of the bucket
	} {
		if err := n.Broadcast(c.Message); err != nil {
			t.Fatal(err)
		}
		got, err := sub.NextMsg(5e9)
		if err != nil {
			t.Fatal(err)
		}
		copy(got.Data[3:], "\x00\x00\x00\x00\x00\x00\x00\x2a") // the id is random
		if string(got.Data) != c.want || got.Subject != c.subject {
			t.Errorf("Broadcast(%+v) sends to %s\n%q, want to %s\n%q", c.Message, got.Subject, got.Data, c.subject, c.want)
		}
	}
}

// A node that hears of changes since an edition that it does not know asks for the table,
// and gets it.
func TestBytesOfPulses(t *testing.T) {
	s := serve(t, natsserver.Config{})
	nc := outsider(t, s)
	sub, err := nc.SubscribeSync("roost.default.node.000000000000002a")
	if err != nil {
		t.Fatal(err)
	}
	all, err := nc.SubscribeSync("roost.default.all")
	if err != nil || nc.Flush() != nil {
		t.Fatal(err)
	}
	open(t, cluster.Config{URL: s.URL(), Node: "n2"})
	if err := nc.Publish("roost.default.all", []byte(head(11, 0, 9)+"\x00\x00\x05")); err != nil {
		t.Fatal(err)
	}
	m, err := sub.NextMsg(30e9)
	if err != nil || m.Data[1] != 12 || string(m.Data[11:]) != "\x00\x00\x00\x00\x00\x00\x00\x00\x02n2\x00\x00" {
		t.Fatalf("n1 hears %v, %v, want a question for the table", m, err)
	}
	id := m.Data[3:11]
	for ok := false; !ok; { // the join comes first, and n2 knows no older build
		if m, err = all.NextMsg(30e9); err != nil {
			t.Fatal(err)
		}
		ok = m.Data[1] == 11 && string(m.Data[3:11]) == string(id)
	}
	if want := "\x02n2\x00\x00\x01"; string(m.Data[19:]) != want {
		t.Errorf("n2 says %q, want a pulse that ends in %q: nothing since edition 1", m.Data, want)
	}
	if err := nc.Publish(fmt.Sprintf("roost.default.node.%x", id), []byte(head(12, 0, 0)+"\x00\x00")); err != nil {
		t.Fatal(err)
	}
	for m.Data[1] != 5 {
		if m, err = sub.NextMsg(30e9); err != nil {
			t.Fatalf("no answer from n2: %v", err)
		}
	}
}

func TestDecodeInvalid(t *testing.T) {
	good := say(1, "msg")
	for what, b := range map[string]string{
		"empty":                        "",
		"version 1":                    "\x01" + good[1:],
		"kind 0":                       good[:1] + "\x00" + good[2:],
		"kind 15":                      good[:1] + "\x0f" + good[2:],
		"number beyond 2^62":           good[:11] + "\x40\x00\x00\x00\x00\x00\x00\x01" + good[19:],
		"a broadcast without a number": head(1, 0, 0) + "\x06room:1\x03msg",
		"half a question":              head(7, 0, 1) + "\x00\x00half",
		"a question about no bucket":   head(7, 0, 1) + "\x00\x00" + strings.Repeat("q", 18),
		"more than a verdict":          head(8, 0, 1) + "\x00\x00" + strings.Repeat("\x00", 35),
		"half a table":                 hello(9)[:len(hello(9))-1],
		"a table of no bucket":         head(4, 0, 0) + "\x00\x00\x80\x08\x02\x00",
		"a table that turns back":      head(4, 0, 0) + "\x00\x00\x02\x02\x00\x02\x02\x00",
		"a row that says nothing":      head(4, 0, 0) + "\x00\x00\x02\x01\x00",
		"a pulse of no edition":        head(11, 0, 1) + "\x00\x00",
		"a pulse with half a row":      head(11, 0, 1) + "\x00\x00\x01\x02\x02",
		"half a bucket":                head(13, 0, 1) + "\x00\x00\x00\x01\x00",
		"a seek of no bucket":          head(13, 0, 1) + "\x00\x00\x04\x00",
		"a seek that turns back":       head(13, 0, 1) + "\x00\x00\x00\x02\x00\x02",
		"half a count":                 head(10, 0, 1) + "\x00\x00half",
		"unknown flag":                 good[:2] + "\x02" + good[3:],
		"no node":                      good[:19] + "\x00\x00\x00",
		"node too long":                good[:19] + "\x80\x02" + strings.Repeat("n", 256) + "\x00\x00",
		"node is not UTF-8":            good[:19] + "\x01\xff\x00\x00",
		"topic is not UTF-8":           head(1, 0, 1) + "\x01\xff\x00",
		"event is not UTF-8":           head(1, 0, 1) + "\x00\x01\xff",
		"event too short":              head(1, 0, 1) + "\x00\x05four",
		"length of 2^64 - 1":           head(1, 0, 1) + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"length over 64 bits":          head(1, 0, 1) + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
	} {
		if _, err := cluster.Recode([]byte(b)); !errors.Is(err, cluster.ErrInvalid) {
			t.Errorf("decode(%s) = %v, want errInvalid", what, err)
		}
	}
	whole := head(1, 0, 1) + "\x06room:1\x03msg"
	for i := range whole {
		if _, err := cluster.Recode([]byte(whole[:i])); !errors.Is(err, cluster.ErrInvalid) {
			t.Errorf("decode(%q) = %v, want errInvalid", whole[:i], err)
		}
	}
	if b, err := cluster.Recode([]byte(whole)); err != nil || string(b) != whole {
		t.Errorf("encode(decode(%q)) = %q, %v", whole, b, err)
	}
}

// What can be decoded comes out of encode again, except for lengths that were written
// longer than needed.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"", hello(1), hello(9), say(1, "msg"), head(13, 0, 1) + "\x00\x00\x00\x01\x03\xff", head(2, 1, 0) + "\x00\x00\xff", head(1, 0, 1) + "\x80\x00\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		once, err := cluster.Recode(b)
		if err != nil {
			if !errors.Is(err, cluster.ErrInvalid) {
				t.Fatalf("decode(%q) = %v", b, err)
			}
			return
		}
		if len(once) > len(b) {
			t.Fatalf("decode(%q) made %q", b, once)
		}
		twice, err := cluster.Recode(once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("decode(%q) = %q, %v, want %q", once, twice, err, once)
		}
	})
}

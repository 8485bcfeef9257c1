package packet_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/internal/packet"
	"github.com/roost-rt/roost/server/wire"
)

var log = slog.New(slog.DiscardHandler)

// encode returns the packet of a message.
func encode(t *testing.T, c *packet.Codec, message string, binary bool) []byte {
	t.Helper()
	var got []byte
	err := c.Encode(func(dst []byte) ([]byte, bool, error) { return append(dst, message...), binary, nil },
		func(p []byte) error { got = append([]byte{}, p...); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestForms(t *testing.T) {
	long := strings.Repeat(`<"a">`, 100)
	deflate := packet.Deflate{MinSize: 100}
	var z frame.Deflater
	squeezed, _ := z.Append(nil, ws.OpText, []byte(long))
	quoted, _ := json.Marshal(long)
	for _, tt := range []struct {
		name    string
		form    packet.Form
		message string
		binary  bool
		want    []byte
	}{
		{"text", packet.Framed, "a", false, frame.Append(nil, ws.OpText, []byte("a"))},
		{"binary", packet.Framed, long, true, frame.Append(nil, ws.OpBinary, []byte(long))},
		{"small", packet.Deflated, "a", false, frame.Append(nil, ws.OpText, []byte("a"))},
		{"large", packet.Deflated, long, false, squeezed},
		{"quoted", packet.Quoted, long, false, append(quoted, ',')},
		{"empty", packet.Quoted, "", false, []byte(`"",`)},
		{"quoted binary", packet.Quoted, "a", true, []byte{}},
	} {
		c := packet.New(log, wire.V2{}, tt.form, deflate)
		if got := encode(t, c, tt.message, tt.binary); !bytes.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A broadcast that the version cannot express has no packet, one that the form
// cannot has an empty one: who polls is told of that.
func TestBroadcast(t *testing.T) {
	text := &pubsub.Message{Topic: "a", Event: "e", Payload: []byte(`{}`)}
	binary := &pubsub.Message{Topic: "a", Event: "e", Payload: []byte{1}, Binary: true}
	v1, v2 := packet.New(log, wire.V1{}, packet.Framed, packet.Deflate{}), packet.New(log, wire.V2{}, packet.Quoted, packet.Deflate{})
	if p := v1.Broadcast(binary); p != nil {
		t.Errorf("binary in version 1: %q, want none", p)
	}
	if p := v2.Broadcast(binary); p == nil || len(p) != 0 {
		t.Errorf("binary to who polls: %#v, want an empty packet", p)
	}
	if p := v2.Broadcast(text); string(p) != `"[null,null,\"a\",\"e\",{}]",` {
		t.Errorf("text to who polls: %s", p)
	}
}

func TestEncodeFails(t *testing.T) {
	c := packet.New(log, wire.V2{}, packet.Framed, packet.Deflate{})
	unsent := func([]byte) error { t.Error("sent"); return nil }
	if err := c.Encode(func(dst []byte) ([]byte, bool, error) { return dst, false, errors.ErrUnsupported }, unsent); err != errors.ErrUnsupported {
		t.Errorf("an error: %v", err)
	}
}

// broken is a serializer of the application's that does as it was told.
type broken struct {
	wire.V2
	do func()
}

func (b broken) AppendReply(dst []byte, joinRef, ref wire.Ref, topic, status string, p wire.Payload) ([]byte, bool, error) {
	b.do()
	return b.V2.AppendReply(dst, joinRef, ref, topic, status, p)
}

func (b broken) AppendBroadcast(dst []byte, topic, event string, p wire.Payload) ([]byte, bool, error) {
	b.do()
	return b.V2.AppendBroadcast(dst, topic, event, p)
}

// A serializer of the application's may do anything, which is an error.
func TestForeign(t *testing.T) {
	for _, s := range []wire.Serializer{wire.V1{}, wire.V2{}} {
		if packet.New(log, s, packet.Framed, packet.Deflate{}).Foreign() {
			t.Errorf("%T is foreign", s)
		}
	}
	for name, do := range map[string]func(){"as told": func() { panic("as told") }, "runtime.Goexit": runtime.Goexit} {
		c := packet.New(log, broken{do: do}, packet.Framed, packet.Deflate{})
		if !c.Foreign() {
			t.Error("a serializer that embeds one of ours is not foreign")
		}
		err := c.Encode(func(dst []byte) ([]byte, bool, error) {
			return c.AppendReply(dst, "", "", "a", "ok", wire.Payload{})
		}, func([]byte) error { t.Error("sent"); return nil })
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
		if p := c.Broadcast(&pubsub.Message{Topic: "a", Event: "e", Payload: []byte("{}")}); p != nil {
			t.Errorf("%s: broadcast %q, want none", name, p)
		}
	}
}

// incomparable is a serializer that is no map key.
type incomparable struct {
	wire.V2
	_ []byte
}

// Sockets that need the same share a codec, and so the packets of broadcasts.
func TestCodecs(t *testing.T) {
	all := make(packet.Codecs)
	get := func(s wire.Serializer, f packet.Form, level int) *packet.Codec {
		return all.Get(log, s, f, packet.Deflate{Level: level})
	}
	first := get(wire.V2{}, packet.Framed, 0)
	if get(wire.V2{}, packet.Framed, 9) != first {
		t.Error("frames that are not compressed differ by the level")
	}
	if get(wire.V1{}, packet.Framed, 0) == first || get(wire.V2{}, packet.Quoted, 0) == first {
		t.Error("versions or forms share a codec")
	}
	if get(wire.V2{}, packet.Deflated, 1) == get(wire.V2{}, packet.Deflated, 9) {
		t.Error("levels share a codec")
	}
	if odd := get(incomparable{}, packet.Framed, 0); odd != get(incomparable{}, packet.Framed, 0) {
		t.Error("a serializer that cannot be compared has two codecs")
	}
}

package wire_test

import (
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/wire"
)

var (
	textV2   = []byte(`["11","22","room:lobby","new_msg",{"user":"ann","body":"Hello, world! How are you today?"}]`)
	textV1   = []byte(`{"topic":"room:lobby","event":"new_msg","payload":{"user":"ann","body":"Hello, world! How are you today?"},"ref":"22","join_ref":"11"}`)
	binaryV2 = []byte("\x00\x02\x02\x0a\x07" + "11" + "22" + "room:lobby" + "new_msg" + strings.Repeat("\x00", 48))
	nullV2   = []byte("\x00\x00\x00\x0a\x07" + "room:lobby" + "new_msg" + strings.Repeat("\x00", 48))

	heartbeatV2 = []byte(`[null,"22","phoenix","heartbeat",{}]`)
	heartbeatV1 = []byte(`{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"22"}`)
)

// The costs that a million connections multiply.
func TestAllocs(t *testing.T) {
	var v1 wire.V1
	var v2 wire.V2
	m := decode(t, v2, textV2, false)
	bin := wire.Payload{Data: m.Payload.Data, Binary: true}
	buf := make([]byte, 0, 4096)
	tests := []struct {
		name string
		want float64
		run  func()
	}{
		{"V2.Decode text", 0, func() { _, _ = v2.Decode(textV2, false) }},
		{"V2.Decode binary", 1, func() { _, _ = v2.Decode(binaryV2, true) }}, // the quotes of the refs
		{"V2.Decode binary without refs", 0, func() { _, _ = v2.Decode(nullV2, true) }},
		{"V2.Decode heartbeat", 0, func() { _, _ = v2.Decode(heartbeatV2, false) }},
		{"V1.Decode heartbeat", 0, func() { _, _ = v1.Decode(heartbeatV1, false) }},
		{"V1.Decode", 0, func() { _, _ = v1.Decode(textV1, false) }},
		{"Clone", 1, func() { _ = m.Clone() }},
		{"V2.AppendPush", 0, func() { _, _, _ = v2.AppendPush(buf, m.JoinRef, m.Topic, m.Event, m.Payload) }},
		{"V2.AppendReply", 0, func() { _, _, _ = v2.AppendReply(buf, m.JoinRef, m.Ref, m.Topic, "ok", m.Payload) }},
		{"V2.AppendBroadcast", 0, func() { _, _, _ = v2.AppendBroadcast(buf, m.Topic, m.Event, m.Payload) }},
		{"V2.AppendEnd", 0, func() { _, _, _ = v2.AppendEnd(buf, m.JoinRef, m.Topic, "phx_close", wire.Payload{}) }},
		{"V2.AppendPush binary", 0, func() { _, _, _ = v2.AppendPush(buf, m.JoinRef, m.Topic, m.Event, bin) }},
		{"V2.AppendReply binary", 0, func() { _, _, _ = v2.AppendReply(buf, m.JoinRef, m.Ref, m.Topic, "ok", bin) }},
		{"V2.AppendBroadcast binary", 0, func() { _, _, _ = v2.AppendBroadcast(buf, m.Topic, m.Event, bin) }},
		{"V1.AppendPush", 0, func() { _, _, _ = v1.AppendPush(buf, m.JoinRef, m.Topic, m.Event, m.Payload) }},
		{"V1.AppendReply", 0, func() { _, _, _ = v1.AppendReply(buf, m.JoinRef, m.Ref, m.Topic, "ok", m.Payload) }},
		{"V1.AppendBroadcast", 0, func() { _, _, _ = v1.AppendBroadcast(buf, m.Topic, m.Event, m.Payload) }},
		{"ForVersion", 0, func() { _, _ = wire.ForVersion("2.0.0") }},
	}
	for _, tt := range tests {
		if got := testing.AllocsPerRun(100, tt.run); got != tt.want {
			t.Errorf("%s: %v allocations, want %v", tt.name, got, tt.want)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	large := []byte(`["11","22","room:lobby","new_msg",{"body":"` + strings.Repeat("Hello, world! ", 1170) + `"}]`)
	benchmarks := []struct {
		name   string
		s      wire.Serializer
		data   []byte
		binary bool
	}{
		{"v1-push", wire.V1{}, textV1, false},
		{"v1-heartbeat", wire.V1{}, heartbeatV1, false},
		{"v2-push", wire.V2{}, textV2, false},
		{"v2-push-16KiB", wire.V2{}, large, false},
		{"v2-heartbeat", wire.V2{}, heartbeatV2, false},
		{"v2-binary", wire.V2{}, binaryV2, true},
	}
	for _, bm := range benchmarks {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(bm.data)))
			for b.Loop() {
				if _, err := bm.s.Decode(bm.data, bm.binary); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// From a message's parts to its bytes, into a buffer that has room.
func BenchmarkEncode(b *testing.B) {
	m := decode(b, wire.V2{}, textV2, false)
	text, binary := m.Payload, wire.Payload{Data: make([]byte, 48), Binary: true}
	buf := make([]byte, 0, 4096)
	for _, bm := range []struct {
		name string
		s    wire.Serializer
		p    wire.Payload
	}{
		{"v1", wire.V1{}, text},
		{"v2", wire.V2{}, text},
		{"v2-binary", wire.V2{}, binary},
	} {
		run := func(kind string, encode func() ([]byte, bool, error)) {
			b.Run(bm.name+"-"+kind, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, _, err := encode(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		run("push", func() ([]byte, bool, error) { return bm.s.AppendPush(buf, m.JoinRef, m.Topic, m.Event, bm.p) })
		run("reply", func() ([]byte, bool, error) { return bm.s.AppendReply(buf, m.JoinRef, m.Ref, m.Topic, "ok", bm.p) })
		run("broadcast", func() ([]byte, bool, error) { return bm.s.AppendBroadcast(buf, m.Topic, m.Event, bm.p) })
	}
}

func BenchmarkClone(b *testing.B) {
	m := decode(b, wire.V2{}, textV2, false)
	b.ReportAllocs()
	for b.Loop() {
		_ = m.Clone()
	}
}

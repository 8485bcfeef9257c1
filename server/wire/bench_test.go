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
		{"V1.Decode", 0, func() { _, _ = v1.Decode(textV1, false) }},
		{"Clone", 1, func() { _ = m.Clone() }},
		{"V2.AppendPush", 0, func() { _, _, _ = v2.AppendPush(buf, m.JoinRef, m.Topic, m.Event, m.Payload) }},
		{"V2.AppendReply", 0, func() { _, _, _ = v2.AppendReply(buf, m.JoinRef, m.Ref, m.Topic, "ok", m.Payload) }},
		{"V2.AppendBroadcast", 0, func() { _, _, _ = v2.AppendBroadcast(buf, m.Topic, m.Event, m.Payload) }},
		{"V2.AppendEnd", 0, func() { _, _, _ = v2.AppendEnd(buf, m.JoinRef, m.Topic, "phx_close", wire.Payload{}) }},
		{"V2.AppendPush binary", 0, func() { _, _, _ = v2.AppendPush(buf, m.JoinRef, m.Topic, m.Event, bin) }},
		{"V2.AppendReply binary", 0, func() { _, _, _ = v2.AppendReply(buf, m.JoinRef, m.Ref, m.Topic, "ok", bin) }},
		{"V2.AppendBroadcast binary", 0, func() { _, _, _ = v2.AppendBroadcast(buf, m.Topic, m.Event, bin) }},
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
	large := []byte(`["11","22","room:lobby","new_msg",{"body":"` + strings.Repeat("Hello, world! ", 1000) + `"}]`)
	benchmarks := []struct {
		name   string
		s      wire.Serializer
		data   []byte
		binary bool
	}{
		{"v2", wire.V2{}, textV2, false},
		{"v2 large", wire.V2{}, large, false},
		{"v2 binary", wire.V2{}, binaryV2, true},
		{"v1", wire.V1{}, textV1, false},
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

func BenchmarkAppendReply(b *testing.B) {
	m := decode(b, wire.V2{}, textV2, false)
	for _, s := range []wire.Serializer{wire.V1{}, wire.V2{}} {
		b.Run("v"+s.Version()[:1], func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 4096)
			for b.Loop() {
				if _, _, err := s.AppendReply(buf, m.JoinRef, m.Ref, m.Topic, "ok", m.Payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkClone(b *testing.B) {
	m := decode(b, wire.V2{}, textV2, false)
	b.ReportAllocs()
	for b.Loop() {
		_ = m.Clone()
	}
}

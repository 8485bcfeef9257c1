package msgpack_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/msgpack"
	"github.com/roost-rt/roost/server/wire"
)

// BenchmarkDense decodes what costs the most for a byte of a message: the event loop does
// that with up to 64 KiB of one client.
func BenchmarkDense(b *testing.B) {
	const n = 60 << 10
	array16 := func(elements int, of ...byte) []byte {
		return append([]byte{0x95, 0xc0, 0xc0, 0xa1, 'a', 0xa1, 'e', 0xdc, byte(elements >> 8), byte(elements)}, bytes.Repeat(of, elements)...)
	}
	text := func(s string) []byte { return []byte(`[null,null,"a","e",` + s + `]`) }
	v1 := func(s string) []byte { return []byte(`{"topic":"a","event":"e","ref":null,"payload":` + s + `}`) }
	str := append([]byte{0x95, 0xc0, 0xc0, 0xa1, 'a', 0xa1, 'e', 0xda, byte(n >> 8), byte(n & 255)}, make([]byte, n)...)
	for _, bm := range []struct {
		name string
		s    wire.Serializer
		data []byte
	}{
		{"msgpack-nil", msgpack.Serializer{}, array16(n, 0xc0)},
		{"msgpack-fixnum", msgpack.Serializer{}, array16(n, 1)},
		{"msgpack-empty-maps", msgpack.Serializer{}, array16(n, 0x80)},
		{"msgpack-empty-strings", msgpack.Serializer{}, array16(n, 0xa0)},
		{"msgpack-float32", msgpack.Serializer{}, array16(n/5, 0xca, 0x3f, 0x9d, 0xf3, 0xb6)},
		{"msgpack-controls", msgpack.Serializer{}, str},
		{"v2-empty-arrays", wire.V2{}, text("{\"a\":[" + strings.Repeat("[],", n/3) + "1]}")},
		{"v2-numbers", wire.V2{}, text("{\"a\":[" + strings.Repeat("1,", n/2) + "1]}")},
		{"v2-deep", wire.V2{}, text("{\"a\":" + strings.Repeat("[", 900) + strings.Repeat("1,", n/2) + "1" + strings.Repeat("]", 900) + "}")},
		{"v2-escapes", wire.V2{}, text("{\"a\":\"" + strings.Repeat(`\n`, n/2) + "\"}")},
		{"v2-topic-escapes", wire.V2{}, []byte(`[null,null,"` + strings.Repeat(`\n`, n/2) + `","e",{}]`)},
		{"v2-ref", wire.V2{}, []byte(`[null,` + strings.Repeat("9", n) + `,"a","e",{}]`)},
		{"v2-spaces", wire.V2{}, text("{\"a\":1" + strings.Repeat(" ", n) + "}")},
		{"v1-objects", wire.V1{}, v1("{\"a\":[" + strings.Repeat("{},", n/3) + "1]}")},
		{"v1-fields", wire.V1{}, []byte(`{` + strings.Repeat(`"topic":"a",`, n/12) + `"topic":"a","event":"e","ref":null,"payload":{}}`)},
		{"v1-unknown", wire.V1{}, []byte(`{` + strings.Repeat(`"":1,`, n/5) + `"topic":"a","event":"e","ref":null,"payload":{}}`)},
		{"v1-payloads", wire.V1{}, []byte(`{` + strings.Repeat(`"payload":{},`, n/13) + `"topic":"a","event":"e","ref":null,"payload":{}}`)},
	} {
		b.Run(bm.name, func(b *testing.B) {
			_, binary := bm.s.(msgpack.Serializer)
			b.ReportAllocs()
			b.SetBytes(int64(len(bm.data)))
			for b.Loop() {
				if _, err := bm.s.Decode(bm.data, binary); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(bm.data)), "ns/byte")
		})
	}
}

package wire_test

import (
	"reflect"
	"testing"

	"github.com/roost-rt/roost/server/wire"
)

func TestClone(t *testing.T) {
	tests := []struct {
		name   string
		s      wire.Serializer
		binary bool
		data   string
	}{
		{"v2", wire.V2{}, false, `["11","22","room:a","echo",{"x":1}]`},
		{"v2 null refs", wire.V2{}, false, `[null,null,"t","e",{}]`},
		{"v2 raw topic", wire.V2{}, false, `["11","22",[7],"echo",{}]`},
		{"v1", wire.V1{}, false, `{"topic":"room:a","event":"echo","payload":{"x":1},"ref":"22"}`},
		{"v2 binary", wire.V2{}, true, "\x00\x01\x01\x06\x0312room:abin\x01\x02\x03"},
		{"v2 binary, all empty", wire.V2{}, true, "\x00\x00\x00\x00\x00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := []byte(tt.data)
			clone := decode(t, tt.s, data, tt.binary).Clone()
			clear(data) // what aliases it changes
			want := decode(t, tt.s, []byte(tt.data), tt.binary)
			if !reflect.DeepEqual(clone, want) {
				t.Errorf("Clone of %q = %+v, want %+v", tt.data, clone, want)
			}
			_ = append(clone.Payload.Data, '!')
			if !reflect.DeepEqual(clone, want) {
				t.Errorf("after append to its payload: %+v, want %+v", clone, want)
			}
		})
	}
}

// decode fails the test if data is not a message.
func decode(t testing.TB, s wire.Serializer, data []byte, binary bool) wire.Message {
	t.Helper()
	m, err := s.Decode(data, binary)
	if err != nil {
		t.Fatalf("Decode(%q) = %v", data, err)
	}
	return m
}

// show makes a message readable and comparable.
type show struct {
	JoinRef, Ref, Topic, Event, Payload, RawTopic string
	Binary                                        bool
}

func shown(m wire.Message) show {
	return show{string(m.JoinRef), string(m.Ref), m.Topic, m.Event, string(m.Payload.Data), string(m.RawTopic), m.Payload.Binary}
}

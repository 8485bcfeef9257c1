package packet

import (
	"path"
	"reflect"

	"github.com/roost-rt/roost/server/internal/panics"
	"github.com/roost-rt/roost/server/wire"
)

// ours reports whether a serializer is of this module: those neither wait nor call
// anything of the application's.
func ours(s wire.Serializer) bool {
	of := reflect.TypeOf(wire.V2{}).PkgPath()
	at := reflect.TypeOf(s).PkgPath() // of the type itself, not of what it embeds
	return at == of || at == path.Dir(of)+"/msgpack"
}

// An apart is a serializer of the application's. A panic of an Append method is an error,
// and so is runtime.Goexit: the caller may be serving others, or be in the middle of
// something. Decode is called where neither matters.
type apart struct{ wire.Serializer }

// contain calls append and fails with what has kept it from returning.
func contain(dst []byte, append func() ([]byte, bool, error)) (out []byte, binary bool, err error) {
	if failed := panics.Contain(func() { out, binary, err = append() }); failed != nil {
		return dst, false, failed
	}
	return out, binary, err
}

func (a apart) AppendPush(dst []byte, joinRef wire.Ref, topic, event string, p wire.Payload) ([]byte, bool, error) {
	return contain(dst, func() ([]byte, bool, error) { return a.Serializer.AppendPush(dst, joinRef, topic, event, p) })
}

func (a apart) AppendReply(dst []byte, joinRef, ref wire.Ref, topic, status string, p wire.Payload) ([]byte, bool, error) {
	return contain(dst, func() ([]byte, bool, error) { return a.Serializer.AppendReply(dst, joinRef, ref, topic, status, p) })
}

func (a apart) AppendBroadcast(dst []byte, topic, event string, p wire.Payload) ([]byte, bool, error) {
	return contain(dst, func() ([]byte, bool, error) { return a.Serializer.AppendBroadcast(dst, topic, event, p) })
}

func (a apart) AppendEnd(dst []byte, joinRef wire.Ref, topic, event string, p wire.Payload) ([]byte, bool, error) {
	return contain(dst, func() ([]byte, bool, error) { return a.Serializer.AppendEnd(dst, joinRef, topic, event, p) })
}

// AppendRawTopicReply fails if the serializer has no such method.
func (a apart) AppendRawTopicReply(dst []byte, joinRef, ref wire.Ref, rawTopic []byte, status string, p wire.Payload) ([]byte, bool, error) {
	raw, ok := a.Serializer.(wire.RawTopicReplier)
	if !ok {
		return dst, false, wire.ErrMalformed
	}
	return contain(dst, func() ([]byte, bool, error) {
		return raw.AppendRawTopicReply(dst, joinRef, ref, rawTopic, status, p)
	})
}

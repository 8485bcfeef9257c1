package wire

import "unicode/utf8"

// V1 is the serializer of protocol version 1.0: JSON objects, no binary
// payloads, no join refs towards the client (spec §2.1).
type V1 struct{}

var (
	_ Serializer      = V1{}
	_ RawTopicReplier = V1{}
)

// Version returns "1.0.0".
func (V1) Version() string { return "1.0.0" }

// Decode decodes {"topic":…,"event":…,"payload":…,"ref":…}, and join_ref where
// given. Unknown members are ignored and the last of equal names wins. The kind
// of frame does not matter (spec §2.1). See [Serializer].
func (V1) Decode(data []byte, binary bool) (Message, error) {
	var joinRef, ref, topic, event, payload []byte
	s := scanner{text: data}
	if !utf8.Valid(data) {
		return Message{}, malformed("invalid UTF-8")
	}
	if !s.take('{') {
		return Message{}, malformed("not a JSON object")
	}
	for first := true; !s.take('}'); first = false {
		comma := first || s.take(',')
		name, named := s.key()
		value, valid := s.token()
		if !comma || !named || !valid {
			return Message{}, malformed("invalid JSON at byte %d", s.pos)
		}
		switch viewText(name) {
		case "join_ref":
			joinRef = value
		case "ref":
			ref = value
		case "topic":
			topic = value
		case "event":
			event = value
		case "payload":
			payload = value
		}
	}
	if !s.atEnd() {
		return Message{}, malformed("text after the object")
	}
	if ref == nil || topic == nil || event == nil || payload == nil {
		return Message{}, malformed("topic, event, payload or ref is missing")
	}
	return newMessage(joinRef, ref, topic, event, payload), nil
}

// AppendPush appends {"topic":…,"event":…,"payload":…,"ref":null}; the join ref
// has no place in version 1. See [Serializer].
func (V1) AppendPush(dst []byte, joinRef Ref, topic, event string, p Payload) (out []byte, binary bool, err error) {
	return appendObject(dst, "", topic, event, p)
}

// AppendReply appends a phx_reply with the client's ref. See [Serializer].
func (V1) AppendReply(dst []byte, joinRef, ref Ref, topic, status string, p Payload) (out []byte, binary bool, err error) {
	if p.Binary {
		return dst, false, ErrBinaryUnsupported
	}
	out = append(dst, `{"topic":`...)
	out = appendString(out, topic)
	return appendObjectReply(out, ref, status, p), false, nil
}

// AppendRawTopicReply is AppendReply for a topic that is not a string. See
// [RawTopicReplier].
func (V1) AppendRawTopicReply(dst []byte, joinRef, ref Ref, rawTopic []byte, status string, p Payload) (out []byte, binary bool, err error) {
	if p.Binary {
		return dst, false, ErrBinaryUnsupported
	}
	out = append(dst, `{"topic":`...)
	out = append(out, rawTopic...)
	return appendObjectReply(out, ref, status, p), false, nil
}

// AppendBroadcast appends the same message as AppendPush. See [Serializer].
func (V1) AppendBroadcast(dst []byte, topic, event string, p Payload) (out []byte, binary bool, err error) {
	return appendObject(dst, "", topic, event, p)
}

// AppendEnd appends a message whose ref is the join ref, which is null unless
// the client sent one with its join (spec §1.11). See [Serializer].
func (V1) AppendEnd(dst []byte, joinRef Ref, topic, event string, p Payload) (out []byte, binary bool, err error) {
	return appendObject(dst, joinRef, topic, event, p)
}

// appendObject appends any message of version 1 but a reply.
func appendObject(dst []byte, ref Ref, topic, event string, p Payload) ([]byte, bool, error) {
	switch {
	case p.Binary:
		return dst, false, ErrBinaryUnsupported
	case !p.isMap():
		return dst, false, ErrPayloadNotMap
	}
	dst = append(dst, `{"topic":`...)
	dst = appendString(dst, topic)
	dst = append(dst, `,"event":`...)
	dst = appendString(dst, event)
	dst = append(dst, `,"payload":`...)
	dst = p.appendJSON(dst)
	dst = append(dst, `,"ref":`...)
	dst = appendRef(dst, ref)
	return append(dst, '}'), false, nil
}

// appendObjectReply appends what follows the topic in a reply.
func appendObjectReply(dst []byte, ref Ref, status string, p Payload) []byte {
	dst = append(dst, `,"event":"phx_reply","payload":`...)
	dst = appendResponse(dst, status, p)
	dst = append(dst, `,"ref":`...)
	dst = appendRef(dst, ref)
	return append(dst, '}')
}

package wire

import "unicode/utf8"

// V2 is the serializer of protocol version 2.0, the official client's default:
// JSON arrays in text frames (spec §2.2), and binary frames for binary payloads
// (spec §2.3). The two mix freely on one connection.
type V2 struct{}

var (
	_ Serializer      = V2{}
	_ RawTopicReplier = V2{}
)

// Version returns "2.0.0".
func (V2) Version() string { return "2.0.0" }

// Decode decodes [join_ref, ref, topic, event, payload] from a text frame, a
// push in the binary layout from a binary frame. See [Serializer].
func (V2) Decode(data []byte, binary bool) (Message, error) {
	if binary {
		return decodeBinary(data)
	}
	return decodeArray(data)
}

// decodeArray splits the array into its elements. It does not rely on the frame
// layer for valid UTF-8: a payload may be pasted into the messages of others,
// whose browsers would hang up on us.
func decodeArray(data []byte) (Message, error) {
	var elements [5][]byte
	s := scanner{text: data}
	if !utf8.Valid(data) {
		return Message{}, malformed("invalid UTF-8")
	}
	if !s.take('[') {
		return Message{}, malformed("not a JSON array")
	}
	for i := range elements {
		if i > 0 && !s.take(',') {
			return Message{}, malformed("element %d: no comma at byte %d", i+1, s.pos)
		}
		var ok bool
		if elements[i], ok = s.token(); !ok {
			return Message{}, malformed("element %d: invalid JSON at byte %d", i+1, s.pos)
		}
	}
	for s.take(',') { // more than five elements: the rest is ignored, spec §1.10
		if _, ok := s.token(); !ok {
			return Message{}, malformed("invalid JSON at byte %d", s.pos)
		}
	}
	if !s.take(']') || !s.atEnd() {
		return Message{}, malformed("array does not end at byte %d", s.pos)
	}
	return newMessage(elements[0], elements[1], elements[2], elements[3], elements[4]), nil
}

// AppendPush appends [join_ref,null,topic,event,payload]. See [Serializer].
func (V2) AppendPush(dst []byte, joinRef Ref, topic, event string, p Payload) (out []byte, binary bool, err error) {
	if p.Binary {
		return appendBinary(dst, kindPush, p.Data, joinRef.text(), topic, event)
	}
	return appendArray(dst, joinRef, "", topic, event, p)
}

// AppendReply appends [join_ref,ref,topic,"phx_reply",{"status":…,"response":…}].
// See [Serializer].
func (V2) AppendReply(dst []byte, joinRef, ref Ref, topic, status string, p Payload) (out []byte, binary bool, err error) {
	if p.Binary {
		return appendBinary(dst, kindReply, p.Data, joinRef.text(), ref.text(), topic, status)
	}
	out = appendRefs(dst, joinRef, ref)
	out = appendString(out, topic)
	return appendArrayReply(out, status, p), false, nil
}

// AppendRawTopicReply is AppendReply for a topic that is not a string; binary
// frames have no such topics. See [RawTopicReplier].
func (V2) AppendRawTopicReply(dst []byte, joinRef, ref Ref, rawTopic []byte, status string, p Payload) (out []byte, binary bool, err error) {
	if p.Binary {
		return dst, false, ErrBinaryUnsupported
	}
	out = appendRefs(dst, joinRef, ref)
	out = append(out, rawTopic...)
	return appendArrayReply(out, status, p), false, nil
}

// AppendBroadcast appends [null,null,topic,event,payload]. See [Serializer].
func (V2) AppendBroadcast(dst []byte, topic, event string, p Payload) (out []byte, binary bool, err error) {
	if p.Binary {
		return appendBinary(dst, kindBroadcast, p.Data, topic, event)
	}
	return appendArray(dst, "", "", topic, event, p)
}

// AppendEnd appends [join_ref,join_ref,topic,event,payload]. See [Serializer].
func (V2) AppendEnd(dst []byte, joinRef Ref, topic, event string, p Payload) (out []byte, binary bool, err error) {
	if p.Binary {
		return appendBinary(dst, kindPush, p.Data, joinRef.text(), topic, event) // has no ref
	}
	return appendArray(dst, joinRef, joinRef, topic, event, p)
}

// appendArray appends any message of version 2 but a reply.
func appendArray(dst []byte, joinRef, ref Ref, topic, event string, p Payload) ([]byte, bool, error) {
	if !p.isMap() {
		return dst, false, ErrPayloadNotMap
	}
	dst = appendRefs(dst, joinRef, ref)
	dst = appendString(dst, topic)
	dst = append(dst, ',')
	dst = appendString(dst, event)
	dst = append(dst, ',')
	dst = p.appendJSON(dst)
	return append(dst, ']'), false, nil
}

// appendArrayReply appends what follows the topic in a reply.
func appendArrayReply(dst []byte, status string, p Payload) []byte {
	dst = append(dst, `,"phx_reply",`...)
	dst = appendResponse(dst, status, p)
	return append(dst, ']')
}

// appendRefs appends what precedes the topic.
func appendRefs(dst []byte, joinRef, ref Ref) []byte {
	dst = append(dst, '[')
	dst = appendRef(dst, joinRef)
	dst = append(dst, ',')
	dst = appendRef(dst, ref)
	return append(dst, ',')
}

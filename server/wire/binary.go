package wire

import "unicode/utf8"

// The binary frames of version 2 (spec §2.3): a kind, the sizes of the fields
// in one byte each, the fields, and data up to the end of the frame.
//
//	client push   0  join_ref ref topic event   data
//	server push   0  join_ref     topic event   data
//	server reply  1  join_ref ref topic status  data
//	broadcast     2               topic event   data
//
// Kind 0 has a ref towards the server only.
const (
	kindPush      = 0
	kindReply     = 1
	kindBroadcast = 2
)

// decodeBinary decodes a client push. A ref of size 0 becomes null: Phoenix
// takes it for the empty string, which no join ref equals, and would drop the
// message as stale (spec §2.3).
func decodeBinary(data []byte) (Message, error) {
	const header = 5 // kind, four sizes
	if len(data) < header {
		return Message{}, malformed("binary header of %d bytes, want %d", len(data), header)
	}
	if data[0] != kindPush {
		return Message{}, malformed("binary kind %d", data[0])
	}
	var fields [4][]byte
	rest := data[header:]
	for i := range fields {
		size := int(data[1+i])
		if size > len(rest) {
			return Message{}, malformed("binary field %d of %d bytes, %d are left", i+1, size, len(rest))
		}
		fields[i], rest = rest[:size], rest[size:]
		if !utf8.Valid(fields[i]) {
			return Message{}, malformed("binary field %d: invalid UTF-8", i+1)
		}
	}
	joinRef, ref := quoteRefs(fields[0], fields[1])
	return Message{
		JoinRef: joinRef,
		Ref:     ref,
		Topic:   view(fields[2]),
		Event:   view(fields[3]),
		Payload: Payload{Data: rest[:len(rest):len(rest)], Binary: true},
	}, nil
}

// quoteRefs returns two refs that came without quotes. It allocates once: the
// quotes are not in the input, so there is nothing to alias.
func quoteRefs(joinRef, ref []byte) (Ref, Ref) {
	if len(joinRef)+len(ref) == 0 {
		return "", ""
	}
	buf := make([]byte, 0, len(joinRef)+len(ref)+len(`""""`))
	buf = appendQuoted(buf, joinRef)
	split := len(buf)
	refs := Ref(view(appendQuoted(buf, ref)))
	return refs[:split], refs[split:]
}

func appendQuoted(dst, ref []byte) []byte {
	if len(ref) == 0 {
		return dst
	}
	return appendString(dst, view(ref))
}

// appendBinary appends a frame with the given fields.
func appendBinary(dst []byte, kind byte, data []byte, fields ...string) ([]byte, bool, error) {
	if err := checkFields(fields...); err != nil {
		return dst, false, err
	}
	out := append(dst, kind)
	for _, f := range fields {
		out = append(out, byte(len(f)))
	}
	for _, f := range fields {
		out = append(out, f...)
	}
	return append(out, data...), true, nil
}

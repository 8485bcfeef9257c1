// Package wire turns Phoenix Channels messages into bytes and back.
//
// A [Serializer] is one protocol version: [V1] speaks JSON objects, [V2] JSON
// arrays and binary frames. [ParseQuery] reads the parameters of a connect
// request. The package knows nothing of WebSocket headers or of joined
// channels.
//
// It is pure: no I/O, no goroutines, no clock, no state. Everything in it is
// safe for concurrent use, but decoded messages alias their input (see
// [Message]).
package wire

import (
	"errors"
	"fmt"
	"strings"
)

// Errors for errors.Is: Decode returns only the first, the Append methods only
// the next three.
var (
	// ErrMalformed: the bytes are not a message of this protocol version. The caller
	// should close the connection with 1011 (spec §1.8).
	ErrMalformed = errors.New("wire: malformed message")

	// ErrPayloadNotMap: the JSON payload of a push or broadcast is not an
	// object (spec §2.2).
	ErrPayloadNotMap = errors.New("wire: payload is not a JSON object")

	// ErrBinaryUnsupported: this protocol version has no binary payloads. Skip the
	// subscriber that speaks it, and do not fail the publisher (spec §2.1).
	ErrBinaryUnsupported = errors.New("wire: binary payload not supported")

	// ErrFieldTooLong: a join ref, ref, topic, event or status exceeds the 255
	// bytes a binary frame has room for (spec §2.3).
	ErrFieldTooLong = errors.New("wire: field longer than 255 bytes")

	// ErrNotUTF8: a text is not UTF-8. Browsers would close the connection
	// (RFC 6455 §8.1), so CheckUTF8 comes before an Append method.
	ErrNotUTF8 = errors.New("wire: not UTF-8")
)

// A Serializer is one version of the protocol: it decodes client messages and
// encodes server messages. Implementations must be safe for concurrent use.
//
// The Append methods append one message, without a WebSocket header, to dst and
// return the extended slice; binary tells the opcode to send it with. On error
// they return dst unchanged. They copy everything they keep. Given UTF-8, see
// [CheckUTF8], their output for a text frame is UTF-8.
type Serializer interface {
	// Version is the protocol version in full, such as "2.0.0". Equal versions
	// must encode alike: broadcasts are encoded once per version.
	Version() string

	// Decode decodes one client message that arrived in a binary or a text
	// frame. The message aliases data. Every error wraps ErrMalformed.
	Decode(data []byte, binary bool) (Message, error)

	// AppendPush appends a message to one client that answers nothing.
	AppendPush(dst []byte, joinRef Ref, topic, event string, p Payload) (out []byte, binary bool, err error)

	// AppendReply appends the answer to ref. The payload, which may be any JSON
	// value, becomes the response.
	AppendReply(dst []byte, joinRef, ref Ref, topic, status string, p Payload) (out []byte, binary bool, err error)

	// AppendBroadcast appends a message to all subscribers of topic: the same
	// bytes for everyone, so without any ref.
	AppendBroadcast(dst []byte, topic, event string, p Payload) (out []byte, binary bool, err error)

	// AppendEnd appends phx_close or phx_error, which carry the join ref where
	// others have their ref too (spec §1.11).
	AppendEnd(dst []byte, joinRef Ref, topic, event string, p Payload) (out []byte, binary bool, err error)
}

// A RawTopicReplier is a Serializer whose messages can have a topic that is not
// a string, and that can therefore answer with such a topic (spec §1.10). It is
// optional: a Serializer that never sets Message.RawTopic need not be one.
type RawTopicReplier interface {
	// AppendRawTopicReply is AppendReply with a topic taken from
	// Message.RawTopic. The payload must be JSON.
	AppendRawTopicReply(dst []byte, joinRef, ref Ref, rawTopic []byte, status string, p Payload) (out []byte, binary bool, err error)
}

// Serves reports whether s matches the vsn query parameter (spec §1.2). An
// absent parameter, vsn "", means version 1.0.0. (Phoenix refuses a parameter
// that is present but empty; only the caller can tell.)
//
// As in Phoenix, vsn must be a full semantic version and, for the serializer of
// 2.0.0, match ~> 2.0.0. A pre-release precedes its release, so 2.0.5-rc.1
// matches while 2.0.0-rc.1 does not; build metadata is ignored.
func Serves(s Serializer, vsn string) bool {
	if vsn == "" {
		vsn = "1.0.0"
	}
	version := s.Version()
	series := version[:strings.LastIndexByte(version, '.')+1]
	patch, ok := strings.CutPrefix(vsn, series)
	return ok && isPatchRelease(patch)
}

// ForVersion returns the serializer of this package that matches vsn, as
// defined by [Serves], or false if there is none.
func ForVersion(vsn string) (Serializer, bool) {
	for _, s := range []Serializer{V1{}, V2{}} {
		if Serves(s, vsn) {
			return s, true
		}
	}
	return nil, false
}

// isPatchRelease reports whether patch, the text after "x.y." in a version, is
// well-formed (semver.org, items 2, 9 and 10) and at least x.y.0.
func isPatchRelease(patch string) bool {
	patch, build, hasBuild := strings.Cut(patch, "+")
	patch, pre, hasPre := strings.Cut(patch, "-")
	switch {
	case !isNumeric(patch) || hasLeadingZero(patch):
		return false
	case hasPre && (patch == "0" || !areIdentifiers(pre)):
		return false
	case hasBuild && !areIdentifiers(build):
		return false
	}
	for id := range strings.SplitSeq(pre, ".") {
		if isNumeric(id) && hasLeadingZero(id) {
			return false
		}
	}
	return true
}

func areIdentifiers(s string) bool {
	for id := range strings.SplitSeq(s, ".") {
		if id == "" || strings.Trim(id, digits+letters+"-") != "" {
			return false
		}
	}
	return true
}

func isNumeric(s string) bool      { return s != "" && strings.Trim(s, digits) == "" }
func hasLeadingZero(s string) bool { return len(s) > 1 && s[0] == '0' }

const (
	digits  = "0123456789"
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...)
}

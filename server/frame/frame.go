// Package frame turns bytes into WebSocket frames and back: RFC 6455, with
// permessage-deflate (RFC 7692) without context takeover.
//
// It is pure: given bytes, it returns frames. It reads no connection, starts no
// goroutine, knows no clock, and answers nothing: the caller replies to a ping,
// echoes a Close or sends the code of an [Error].
//
// A [Decoder] belongs to one connection and one goroutine at a time. A [Config]
// and a [Deflater] may be shared by all.
package frame

import (
	"fmt"

	"github.com/gobwas/ws"
)

// A Frame is one whole data message (ws.OpText or ws.OpBinary: reassembled,
// unmasked, inflated) or one control frame.
type Frame struct {
	Op ws.OpCode

	// Large says that this is a message beyond [Config.Inline]: there is no Payload,
	// and [Decoder.TakeLarge] has the message. It is no pointer to that: a fifth word
	// would make every frame 50 ns slower, as the compiler keeps four in registers.
	Large bool

	// Payload is lent: it is valid until the next call of [Decoder.Next], or
	// until the caller reuses the bytes it gave to Next.
	Payload []byte
}

// An Error is a peer's violation that ends the connection.
type Error struct {
	Code   ws.StatusCode // to send in our Close frame
	Reason string        // fits a Close frame
}

func (e *Error) Error() string {
	return fmt.Sprintf("websocket: close %d: %s", e.Code, e.Reason)
}

func protocolError(reason string) *Error {
	return &Error{Code: ws.StatusProtocolError, Reason: reason}
}

func tooBig(reason string) *Error {
	return &Error{Code: ws.StatusMessageTooBig, Reason: reason}
}

// policyViolation is for input that RFC 6455 allows and no client needs (§7.4.1).
func policyViolation(reason string) *Error {
	return &Error{Code: ws.StatusPolicyViolation, Reason: reason}
}

func invalidPayload(reason string) *Error {
	return &Error{Code: ws.StatusInvalidFramePayloadData, Reason: reason}
}

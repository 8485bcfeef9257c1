package frame

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// maxCloseReason is the room that a control frame has beside the code.
const maxCloseReason = ws.MaxControlFramePayloadSize - 2

// ParseClose reads the payload of a Close frame that a [Decoder] returned.
// Without a code in it, code is ws.StatusNoStatusRcvd (RFC 6455 §7.1.5).
func ParseClose(payload []byte) (code ws.StatusCode, reason string) {
	if len(payload) < 2 {
		return ws.StatusNoStatusRcvd, ""
	}
	return ws.StatusCode(binary.BigEndian.Uint16(payload)), string(payload[2:])
}

// AppendClose appends a Close frame without a mask to dst. In the reason,
// U+FFFD replaces bytes that are not UTF-8, which the peer would take for a
// protocol error; the reason is cut to the 123 bytes that fit, between two
// characters. The code [ws.StatusNoStatusRcvd], which must not be sent, makes a
// frame with no payload.
func AppendClose(dst []byte, code ws.StatusCode, reason string) []byte {
	if code == ws.StatusNoStatusRcvd {
		return Append(dst, ws.OpClose, nil)
	}
	reason = strings.ToValidUTF8(reason, "\uFFFD")
	if len(reason) > maxCloseReason {
		end := maxCloseReason
		for end > 0 && !utf8.RuneStart(reason[end]) {
			end--
		}
		reason = reason[:end]
	}
	dst = appendHeader(dst, ws.OpClose, 2+len(reason))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason...)
}

// checkClose checks the payload of a received Close frame (RFC 6455 §5.5.1).
func checkClose(payload []byte) *Error {
	if len(payload) == 0 {
		return nil
	}
	if len(payload) == 1 {
		return protocolError("close payload of one byte")
	}
	if !legalCode(ws.StatusCode(binary.BigEndian.Uint16(payload))) {
		return protocolError("illegal close code")
	}
	if !utf8.Valid(payload[2:]) {
		return invalidPayload("close reason is not UTF-8")
	}
	return nil
}

// legalCode reports whether a peer may send c: spec §1.8, and 1012 to 1014,
// which IANA registered after RFC 6455 §7.4.
func legalCode(c ws.StatusCode) bool {
	return 1000 <= c && c <= 1003 || 1007 <= c && c <= 1014 || 3000 <= c && c <= 4999
}

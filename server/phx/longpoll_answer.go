package phx

import (
	"net/http"
	"strconv"
	"sync"
)

const (
	// pollFields are in the head of each answer. Any page may read it: the origin
	// was checked, and credentials are not allowed.
	pollFields = "Access-Control-Allow-Origin: *\r\nCache-Control: no-store\r\n"

	jsonField = "Content-Type: application/json; charset=utf-8\r\n"
)

// appendHead appends the head of an answer whose body has so many bytes. The
// connection ends with it if it closes (RFC 9112 §9.6).
func appendHead(b []byte, status int, fields string, closes bool, length int) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(status)...)
	b = append(b, "\r\n"+pollFields...)
	b = append(b, fields...)
	if closes {
		b = append(b, "Connection: close\r\n"...)
	}
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, int64(length), 10)
	return append(b, "\r\n\r\n"...)
}

// statusBody is the body of an answer that has only a status, of three digits.
func statusBody(status int) []byte {
	return append(strconv.AppendInt([]byte(`{"status":`), int64(status), 10), '}')
}

// appendPollBody appends the body of an answer to a GET, see pollBodySize. messages
// are elements of a JSON array, in a row.
func appendPollBody(b []byte, status int, token string, messages []byte) []byte {
	b = append(appendPollStart(b, status, token), messages...)
	return append(b, pollEnd...)
}

// pollEnd follows the messages.
const pollEnd = "]}"

// appendPollStart appends what comes before them.
func appendPollStart(b []byte, status int, token string) []byte {
	b = append(b, `{"status":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, `,"token":"`...)
	b = append(b, token...) // needs no escapes
	return append(b, `","messages":[`...)
}

// pollBodySize is the size of the body with messages of so many bytes.
func pollBodySize(token string, messages int) int {
	return len(`{"status":200,"token":"","messages":[]}`) + len(token) + messages
}

// writeAnswer gives write a buffer, which must not be kept, and returns what it does.
func writeAnswer(write func(b []byte) bool) bool {
	buf := answers.Get().(*[]byte)
	defer answers.Put(buf)
	return write((*buf)[:0])
}

// answers is buffers in which answers are made. Most fit into one; a larger one is
// not kept.
var answers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

package phx

import (
	"encoding/binary"
	"errors"
)

// A parcel goes between two nodes when the client of a long-poll session asks a node
// that does not have the session. It holds a request or an answer, a part of one, or its
// outcome.
//
//	byte  0     kind
//	byte  1     1: the body is lines
//	bytes 2-9   start of the request, big endian
//	then        its n, before, status, size, at, each as a uvarint
//	then        node and session, each after its length as a uvarint
//	the rest    part
type parcel struct {
	kind    parcelKind
	lines   bool // messages of the body are lines
	request requestID
	before  uint64 // n of the poll before, if the client has read its answer over the same connection
	status  int    // of an answer
	size    int    // of the body in bytes
	at      int    // where in the body the part begins
	node    string // that sends the parcel
	session string // id
	part    []byte
}

// A requestID identifies a client's request among all of a mount in the cluster.
type requestID struct {
	start uint64 // random: of this start of the node that has the client
	n     uint64
}

// A parcelKind says what a parcel is for.
type parcelKind byte

const (
	// To the node that has the session. The first two may come again.
	parcelPoll parcelKind = iota + 1 // a GET waits
	parcelPost                       // a POST
	parcelBack                       // the GET waits no more, and its answer was lost
	parcelKept                       // the client may have got the answer

	// To the node that has the client.
	parcelWaits  // the request waits
	parcelAnswer // it is answered
	parcelSettle // what has become of the answer?
)

const (
	parcelHead = 10
	maxParcel  = 1 << 30 // more than any number in one that is right
)

var errParcel = errors.New("not a parcel")

// encode makes the bytes of a parcel.
func (p *parcel) encode() []byte {
	b := make([]byte, parcelHead, parcelHead+7*binary.MaxVarintLen64+len(p.node)+len(p.session)+len(p.part))
	b[0] = byte(p.kind)
	if p.lines {
		b[1] = 1
	}
	binary.BigEndian.PutUint64(b[2:], p.request.start)
	for _, n := range [...]uint64{p.request.n, p.before, uint64(p.status), uint64(p.size), uint64(p.at)} {
		b = binary.AppendUvarint(b, n)
	}
	for _, text := range [...]string{p.node, p.session} {
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	return append(b, p.part...)
}

// decodeParcel reads a parcel, whose part stays a part of b. It does not trust b.
func decodeParcel(b []byte) (p parcel, err error) {
	if len(b) < parcelHead || b[0] < byte(parcelPoll) || b[0] > byte(parcelSettle) || b[1] > 1 {
		return p, errParcel
	}
	p.kind, p.lines, p.request.start = parcelKind(b[0]), b[1] == 1, binary.BigEndian.Uint64(b[2:])
	var numbers [5]uint64
	b = b[parcelHead:]
	for i := range numbers {
		n, size := binary.Uvarint(b)
		if size <= 0 || i > 1 && n > maxParcel {
			return p, errParcel
		}
		numbers[i], b = n, b[size:]
	}
	p.request.n, p.before, p.status, p.size, p.at = numbers[0], numbers[1], int(numbers[2]), int(numbers[3]), int(numbers[4])
	for _, text := range [...]*string{&p.node, &p.session} {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return p, errParcel
		}
		*text, b = string(b[size:size+int(n)]), b[size+int(n):]
	}
	if p.part = b; p.at+len(b) > p.size {
		return p, errParcel
	}
	return p, nil
}

// whole reports whether the part is all of the body.
func (p *parcel) whole() bool { return len(p.part) == p.size }

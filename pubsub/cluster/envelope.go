package cluster

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"
)

// An envelope is what crosses from node to node:
//
//	byte   0      version, 2
//	byte   1      kind
//	byte   2      flags; bit 0: the payload is binary; bit 1: signed, see seal
//	bytes  3-10   id of the sending node, big endian
//	bytes  11-18  number, big endian; zero for none; of what has a table, its edition
//	then          node name, topic and event, each after its length as a uvarint
//	then          payload
//	the rest      a seal, if it is signed
type envelope struct {
	kind               kind
	binary             bool
	bucket             uint16 // of the topic, or the one that a question or a verdict is about
	id, number         uint64
	node, topic, event string
	payload            []byte
	rows               []row    // of the table, if it tells one; decoded only
	since              uint64   // edition that they have changed since, of a pulse; decoded only
	seeks              []uint16 // buckets, of a seek; decoded only
	serial             uint64   // of the seal, or 0; decoded only
}

// A kind says what an envelope is for.
type kind byte

const (
	broadcast kind = iota + 1 // to all that listen to the bucket of its topic; has the next number there
	direct                    // to one node; no number
	join                      // to all: here I am, answer; a table
	beat                      // to all: still here; a table
	answer                    // to one that joined; a table
	leave                     // to all: goodbye; a table
	again                     // to one node: send your broadcasts from a number on; a question
	have                      // to the one that asked: what follows; a verdict
	ask                       // to one node: how many subscriptions has the topic; the number of the census
	count                     // to the one that asked: so many; the number of the census
	pulse                     // to all: still here; an edition, as a uvarint, and the rows that have changed since; or a piece
	whole                     // to one node that sends pulses: answer
	seek                      // to all: where are you in these buckets; the number of the seek, and a list
	found                     // to one that seeks: a table of these buckets; the number of the seek; or a piece
	kinds                     // how many there are
)

// carries reports whether there is a message inside.
func (k kind) carries() bool { return k == broadcast || k == direct }

// tells reports whether there is a whole table inside: the numbers of the next broadcasts.
func (k kind) tells() bool { return k >= join && k <= leave }

// inTurn reports whether it has to do with the order of broadcasts.
func (k kind) inTurn() bool { return k != direct && k < again || k == have || k == pulse || k == found }

const (
	version    = 2
	flagBinary = 1
	flagSigned = 2

	kindAt   = 1  // where the kind is
	numberAt = 11 // where the number begins
	headSize = 19
	maxName  = 255

	questionSize = 18 // bytes of payload, after the number: bucket, until, age
	verdictSize  = 34 // bucket, from, until, next, upTo
	countSize    = 8

	// envelopeSize is what a held envelope counts beside what is in it.
	envelopeSize = 256

	// maxCount is the most subscriptions of one node that are believed. Those of all nodes
	// can be added.
	maxCount = 1 << 40

	// maxNumber leaves room to count on. No node gets there.
	maxNumber = 1 << 62
)

// sizes are those of payloads that always have the same.
var sizes = map[kind]int{again: questionSize, have: verdictSize, count: countSize}

// errInvalid is returned for bytes that are no envelope of this version.
var errInvalid = errors.New("not an envelope of version 2")

// encode makes the bytes, of which only the number may be changed: setNumber. There is
// room behind them for a seal.
func (e *envelope) encode() []byte {
	texts := [...]string{e.node, e.topic, e.event}
	size := headSize + len(texts)*binary.MaxVarintLen32 + len(e.payload) + sealSize
	for _, s := range texts {
		size += len(s)
	}
	b := append(make([]byte, 0, size), version, byte(e.kind), 0)
	if e.binary {
		b[2] = flagBinary
	}
	b = binary.BigEndian.AppendUint64(b, e.id)
	b = binary.BigEndian.AppendUint64(b, e.number)
	for _, s := range texts {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return append(b, e.payload...)
}

// size is what a held envelope counts. Topic and event are there twice: the bytes that came
// are kept for the payload.
func (e *envelope) size() int {
	return 2*(len(e.topic)+len(e.event)) + len(e.payload) + envelopeSize
}

// setNumber puts the number into an encoded envelope.
func setNumber(b []byte, number uint64) { binary.BigEndian.PutUint64(b[numberAt:], number) }

// decode reads an envelope. The payload is a part of b. It returns errInvalid
// and does not trust b in any way; what a payload means is not checked.
func decode(b []byte) (envelope, error) {
	if len(b) < headSize || b[0] != version || b[1] < byte(broadcast) || b[1] >= byte(kinds) || b[2]&^flagBinary != 0 {
		return envelope{}, errInvalid
	}
	e := envelope{
		kind:   kind(b[1]),
		binary: b[2] == flagBinary,
		id:     binary.BigEndian.Uint64(b[3:]),
		number: binary.BigEndian.Uint64(b[numberAt:]),
	}
	if e.number > maxNumber {
		return envelope{}, errInvalid
	}
	rest := b[headSize:]
	for _, s := range []*string{&e.node, &e.topic, &e.event} {
		size, n := binary.Uvarint(rest)
		if n <= 0 || size > uint64(len(rest)-n) {
			return envelope{}, errInvalid
		}
		text := rest[n : n+int(size)]
		if !utf8.Valid(text) {
			return envelope{}, errInvalid
		}
		*s, rest = string(text), rest[n+int(size):]
	}
	if e.node == "" || len(e.node) > maxName {
		return envelope{}, errInvalid
	}
	e.payload = rest
	if size, fixed := sizes[e.kind]; fixed && len(rest) != size {
		return envelope{}, errInvalid
	}
	ok := true
	switch {
	case e.kind == broadcast:
		e.bucket, ok = bucketOf(e.topic), e.number > 0
	case e.kind == again || e.kind == have:
		e.bucket = binary.BigEndian.Uint16(rest)
		ok = e.bucket < buckets
	case e.kind == count:
		ok = binary.BigEndian.Uint64(rest) <= maxCount
	case e.kind.tells():
		e.rows, ok = readTable(rest)
	case e.kind == seek:
		e.seeks, ok = readBuckets(rest)
	case e.kind == found:
		e.rows, ok = readTable(rest)
	case e.kind == pulse:
		n := 0
		if e.since, n = binary.Uvarint(rest); n <= 0 {
			return envelope{}, errInvalid
		}
		e.rows, ok = readTable(rest[n:])
	}
	if !ok {
		return envelope{}, errInvalid
	}
	return e, nil
}

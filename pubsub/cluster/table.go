package cluster

import (
	"encoding/binary"
	"time"
)

// appendBuckets adds a list of buckets, each in two bytes, big endian.
func appendBuckets(b []byte, some []uint16) []byte {
	for _, bucket := range some {
		b = binary.BigEndian.AppendUint16(b, bucket)
	}
	return b
}

// readBuckets reads such a list, in which no bucket is before another that is less. It
// reports false for what is none.
func readBuckets(b []byte) (some []uint16, ok bool) {
	if len(b)%2 != 0 {
		return nil, false
	}
	for next := 0; len(b) > 0; b = b[2:] {
		bucket := binary.BigEndian.Uint16(b)
		if int(bucket) < next || bucket >= buckets {
			return nil, false
		}
		next = int(bucket) + 1
		some = append(some, bucket)
	}
	return some, true
}

// A row of a table says where a node is in one bucket. A bucket without a row is at
// the beginning.
//
// Tables have editions, from 1 on, one more with each beat. A pulse tells the rows that
// have changed since an edition, of a few beats ago: who knows that one, or a later one,
// then knows the whole table. Who does not asks that node for it.
// Builds that know no editions send 0; while one of them is here, beats are whole tables.
//
// What the carrier does not take at once is told in pieces: first in envelopes of number 0
// that claim nothing more than their rows, pulses or, where rows may overtake broadcasts,
// found; then in the one that it is all about, with the last rows.
type row struct {
	bucket uint16
	number uint64        // of the next broadcast, 2 or more
	age    time.Duration // of the last one
}

// appendRow adds a row to an encoded table: bucket, number, and age in ms, each as a
// uvarint.
func appendRow(b []byte, r row) []byte {
	b = binary.AppendUvarint(b, uint64(r.bucket))
	b = binary.AppendUvarint(b, r.number)
	return binary.AppendUvarint(b, uint64(max(r.age, 0).Milliseconds()))
}

// pieces encodes a table in pieces of up to room bytes, or of one row. There is one at
// least.
func pieces(rows []row, room int) [][]byte {
	all := [][]byte{nil}
	for _, r := range rows {
		last := all[len(all)-1]
		if longer := appendRow(last, r); len(last) == 0 || len(longer) <= room {
			all[len(all)-1] = longer
		} else {
			all = append(all, appendRow(nil, r))
		}
	}
	return all
}

// maxAge is beyond what a node remembers.
const maxAge = uint64(1 << 40)

// readTable reads an encoded table, whose rows are in the order of buckets. It reports
// false for what is none.
func readTable(b []byte) (rows []row, ok bool) {
	for next := uint64(0); len(b) > 0; {
		var v [3]uint64
		for i := range v {
			x, n := binary.Uvarint(b)
			if n <= 0 {
				return nil, false
			}
			v[i], b = x, b[n:]
		}
		if v[0] < next || v[0] >= buckets || v[1] < 2 || v[1] > maxNumber || v[2] > maxAge {
			return nil, false
		}
		next = v[0] + 1
		rows = append(rows, row{uint16(v[0]), v[1], time.Duration(v[2]) * time.Millisecond})
	}
	return rows, true
}

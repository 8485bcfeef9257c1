package swarm

import "github.com/roost-rt/roost/loadtest/channels"

// appendPayload appends the payload of a message, of size bytes: the JSON object,
// without the array around it and the WebSocket header. The stamp is in the field
// that applications of this kind pass on, though they drop all others.
func appendPayload(dst []byte, s channels.Stamp, size int) []byte {
	end := len(dst) + size - len(`"}`)
	dst = s.Append(append(dst, payloadHead...))
	for len(dst) < end {
		dst = append(dst, 'x')
	}
	return append(dst, `"}`...)
}

const payloadHead = `{"body":"`

// A sighting is the last broadcast that a process has seen. All its clients get
// the same bytes, so one of them has to read them, and the others to compare.
type sighting struct {
	text  []byte
	stamp channels.Stamp
}

func (s *sighting) keep(text []byte, st channels.Stamp) {
	s.text, s.stamp = append(s.text[:0], text...), st
}

// saw notes a broadcast that a client of the group has read.
func (g *group) saw(text []byte, s channels.Stamp) {
	g.fleet.seen.keep(text, s)
	if v, ok := g.fleet.network.(*virtual); ok && v.fast != nil {
		v.fast.add(g, text, s)
	}
}

package vtcp

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"
)

// A Record is the TCP of one client. Its bytes are the same in C: in bpf
// mode the records lie in a map that the kernel's program shares.
type Record struct {
	SndNxt   uint32 // sequence number of the next byte that the client sends
	RcvNxt   uint32 // sequence number of the next byte that it expects
	Received uint32 // number of the last broadcast that it took in order, on either path
	Timer    uint32 // when its deadline ends, in ticks of the stack's clock; 0: none
	Room     uint16 // whose broadcasts the fast path may take for it
	State    State
	Flags    Flags
	Tries    uint8 // how often it has sent its oldest unacknowledged segment again
	_        uint8
	Peer     uint16 // the server that it talks to: where in the stack's list
}

// setFast gives a record to the fast path, after everything else was written to it, or
// takes it away. After taking it away, wait as Config.Claim does.
func (r *Record) setFast(fast bool) {
	word := (*uint32)(unsafe.Pointer(&r.Room)) // Room, State and Flags
	bit := binary.NativeEndian.Uint32([]byte{3: byte(Fast)})
	if fast {
		atomic.OrUint32(word, bit)
	} else {
		atomic.AndUint32(word, ^bit)
	}
}

// Window is the window that clients advertise, in bytes, unless they are stalled.
const Window = 65535

// A State is one of RFC 9293, section 3.3.2. A client never listens. TIME-WAIT
// is left out: who has no port to give to others needs not keep one back, and
// the next connection of the same pair begins at a later sequence number.
type State uint8

const (
	Closed      State = iota // no connection; the client's address answers RST
	SynSent                  // its SYN is out
	Established              // both ends may send
	FinWait                  // the client has closed, the server's FIN has not come
	LastAck                  // the server's FIN has come, the client's is not acknowledged
)

func (s State) String() string {
	return [...]string{"closed", "syn-sent", "established", "fin-wait", "last-ack"}[s]
}

// Flags are bits of a record.
type Flags uint8

const (
	// Fast says that the kernel's program may take a broadcast for this client:
	// it is established and not stalled, has no partial frame and waits for no
	// acknowledgement.
	Fast Flags = 1 << iota

	stalled // the client reads no more: its window is 0
	stamped // both ends send timestamps, RFC 7323
)

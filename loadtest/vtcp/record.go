package vtcp

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

// A State is one of RFC 9293, section 3.3.2. A client never listens, and
// what follows its FIN is one state: it has nothing left to say.
type State uint8

const (
	Closed      State = iota // no connection; the client's address answers RST
	SynSent                  // its SYN is out
	Established              // both ends may send
	CloseWait                // the server's FIN has come, the client's has not gone
	FinWait                  // the client's FIN is out, the server's has not come
	LastAck                  // both FINs are out, the client's is not acknowledged
)

// Flags are what the fast path asks of a record before it takes a packet.
type Flags uint8

// Fast says that the kernel's program may take a broadcast for this client:
// it is established and not stalled, has no partial frame and waits for no
// acknowledgement.
const Fast Flags = 1

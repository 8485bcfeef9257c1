package order

// A TCP is whose TCP clients have.
type TCP string

// Kinds of it. The zero value means KernelTCP.
const (
	KernelTCP TCP = "kernel" // sockets
	TUN       TCP = "tun"    // the process's own, behind a TUN device
	BPF       TCP = "bpf"    // likewise, but a program in the kernel takes most broadcasts
)

// A Link counts the faults between clients whose TCP is in their process and the
// servers. Over loopback, the kernel mends such faults, and tells no one.
type Link struct {
	Dropped  int64 `json:"dropped,omitempty"`  // packets that the device dropped
	Resent   int64 `json:"resent,omitempty"`   // packets of clients that were sent again
	Repeated int64 `json:"repeated,omitempty"` // segments of servers that had come before: their acknowledgement was late, or lost
}

// Add adds another process's.
func (l *Link) Add(o Link) {
	l.Dropped += o.Dropped
	l.Resent += o.Resent
	l.Repeated += o.Repeated
}

package order

// A TCP is whose TCP clients have.
type TCP string

// Kinds of it. The zero value means KernelTCP.
const (
	KernelTCP TCP = "kernel" // sockets
	TUN       TCP = "tun"    // the process's own, behind a TUN device
	BPF       TCP = "bpf"    // likewise, but a program in the kernel takes most broadcasts
)

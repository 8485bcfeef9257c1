// Package fast takes broadcasts for virtual clients inside the kernel: a program
// at the egress of their device counts a packet that carries nothing but the next
// broadcasts for its client, and turns it into the client's acknowledgment. All
// other packets go on to the device.
//
// Memory is shared with the program, and each part has one owner at a time. A
// record is the program's while its flags have [vtcp.Fast]: it may then change
// RcvNxt and Received. To take a record back, clear the flag with an atomic store
// and call [Path.Settle]. To give it away, set the flag with an atomic store, last.
// [Path.Set] does the same for messages.
//
// What it takes is the rule of fast.bpf.c; scripts/bpf builds the objects from
// it. It needs Linux 6.6 (TCX), and root or CAP_BPF and CAP_NET_ADMIN.
package fast

package report

import (
	"cmp"
	"fmt"
)

// Where the clients' TCP was, as the configuration of a run has it.
const (
	kernelTCP = "kernel"
	tunTCP    = "tun"
	bpfTCP    = "bpf"
)

// clientTCP is where it was; "" in records that are older than the choice.
func (r *Result) clientTCP() string {
	if r.Run == nil {
		return ""
	}
	tcp, _ := r.Run.Config["client_tcp"].(string)
	return tcp
}

// tcpSays tells what a virtual link measures more truly than loopback, and what less; ""
// for loopback.
func (r *Result) tcpSays(s Summary) string {
	const both = "The clients' TCP was in their process, behind a network device. More realistic than loopback: " +
		"the server pays for its own TCP and not for the receivers', and the kernel's memory is that of the servers' ends. " +
		"Less realistic: there is no network card and no round trip, so almost nothing waits for its acknowledgement, "
	const elsewhere = "The clients' TCP was in their processes, and their machines forwarded its packets. The server and its network do everything that they do for other clients. " +
		"Less realistic: such clients acknowledge each message at once, report no gaps (SACK), have windows of 64 KB and no congestion control."
	switch s.ClientTCP {
	case tunTCP:
		if url, _ := r.Run.Config["url"].(string); url != "" {
			return elsewhere
		}
		return both + "which comes as soon as the process has read the packet."
	case bpfTCP:
		taken := "Most receipts" // as in records that are older than the count
		if s.Taken > 0 && s.Delivered != nil {
			taken = fmt.Sprintf("%s of %s receipts", count(s.Taken), count(*s.Delivered))
		}
		return both + "which comes within the server's write. " + taken + " come from a program in the kernel: " +
			"they mean that the message left the server complete and in order, not that a process read it. The program's cost is part of the server's CPU."
	}
	return ""
}

// checkTCP refuses sides whose clients had their TCP in different places: figures of
// the one say nothing of the other.
func checkTCP(sides []Side) error {
	first := ""
	for _, s := range sides {
		for _, r := range s.Runs {
			tcp := cmp.Or(r.Summary.ClientTCP, kernelTCP)
			if first = cmp.Or(first, tcp); tcp != first {
				return fmt.Errorf("clients whose TCP is %s and %s load a server differently: make all runs with the same -client-tcp", first, tcp)
			}
		}
	}
	return nil
}

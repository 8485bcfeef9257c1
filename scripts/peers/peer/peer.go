// Package peer is shared by the servers that take part in a load test
// (scripts/peers/README.md).
package peer

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// MaxMessage is the longest message that a peer reads, in bytes.
const MaxMessage = 1 << 20

// Run says that the peer listens at addr, collects its garbage when it is asked
// to, and returns when its standard input ends.
func Run(addr string) {
	collect := make(chan os.Signal, 1)
	signal.Notify(collect, syscall.SIGUSR1)
	go func() { // ends with the process
		for range collect {
			debug.FreeOSMemory()
			fmt.Fprintln(os.Stderr, "msg=memory")
		}
	}()
	fmt.Println("listening on " + addr)
	_, _ = io.Copy(io.Discard, os.Stdin) // however it ends
}

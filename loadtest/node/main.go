// Node is the server of a load test and nothing else: see -node of loadtest, which is
// that server, too. It has neither the reports nor the NATS server of loadtest, nor what
// operators look at. Build it with CGO_ENABLED=0: without a C library it takes 0.1 MB less.
package main

import (
	"os"

	"github.com/roost-rt/roost/server/chat"
)

func main() { os.Exit(chat.Child(os.Args[1:])) }

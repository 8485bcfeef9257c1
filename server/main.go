// Server is the chat server; see package chat and -help. With gen as its first
// argument, it writes channels and sockets to start from; see package gen.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/roost-rt/roost/server/chat"
	"github.com/roost-rt/roost/server/gen"
)

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "gen":
			os.Exit(gen.Main(os.Args[2:], os.Stdout, os.Stderr))
		case "-h", "-help", "--help":
			fmt.Fprint(os.Stderr, "server gen writes a channel or a socket to start from; see server gen -help\n\n")
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(chat.Main(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

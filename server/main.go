// Server is the chat server; see package chat and -help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/roost-rt/roost/server/chat"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(chat.Main(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

package chat

import (
	"flag"
	"log/slog"
	"testing"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/presence"
)

// Groups are those of the help.
var Groups = groups

// Flags are those of the program, without -config.
func Flags() *flag.FlagSet { return new(options).flags() }

// Rooms are the mounts of a server with these flags, and who is seen there.
func Rooms(t *testing.T, args ...string) ([]phx.Mount, *presence.Presence) {
	o, err := parse(args)
	if err != nil {
		t.Fatal(err)
	}
	here := o.people(slog.New(slog.DiscardHandler))
	return o.mounts(NewScores(), here), here
}

// MaxAside is how many connections what ServeAside serves has at most.
var MaxAside = asideConns(openFiles())

// Limits are those of a server with these flags.
func Limits(t *testing.T, args ...string) phx.Limits {
	o, err := parse(args)
	if err != nil {
		t.Fatal(err)
	}
	return o.limits()
}

// ServeAside serves apart from clients.
var ServeAside = serveAside

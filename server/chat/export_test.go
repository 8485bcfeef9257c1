package chat

import "flag"

// Groups are those of the help.
var Groups = groups

// Flags are those of the program, without -config.
func Flags() *flag.FlagSet { return new(options).flags() }

// MaxAside is how many connections what ServeAside serves has at most.
const MaxAside = maxAside

// ServeAside serves apart from clients.
var ServeAside = serveAside

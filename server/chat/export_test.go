package chat

import "flag"

// Groups are those of the help.
var Groups = groups

// Flags are those of the program, without -config.
func Flags() *flag.FlagSet { return new(options).flags() }

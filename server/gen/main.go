// Gen writes Go files to start from; see package internal/gen and -help.
package main

import (
	"os"

	"github.com/roost-rt/roost/server/internal/gen"
)

func main() {
	os.Exit(gen.Main("go run github.com/roost-rt/roost/server/gen", os.Args[1:], os.Stdout, os.Stderr))
}

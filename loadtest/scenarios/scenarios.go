// Package scenarios has the scenario files that come with the load generator.
package scenarios

import "embed"

// Files are those of this folder. They are not to be changed.
//
//go:embed *.conf
var Files embed.FS

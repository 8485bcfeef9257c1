// Package web holds the page of the demo chat: HTML, CSS and one JavaScript
// module, without a framework, a build step or a file from another host.
//
// It is not a web server; hand [Files] to one, for instance [http.FileServerFS].
// The files are part of the program and never change, so every function is safe
// for concurrent use.
//
// phoenix.mjs is the official client, npm phoenix 1.8.16, priv/static/phoenix.mjs
// byte for byte. Its licence is phoenix.LICENSE.md.
package web

import (
	"embed"
	"io/fs"
)

//go:embed index.html chat.css chat.js icon.svg phoenix.mjs phoenix.LICENSE.md
var files embed.FS

// Files returns the page, index.html, with all it refers to beside it.
func Files() fs.FS { return files }

// Package web holds the pages of the demo server: HTML, CSS and JavaScript
// modules, without a framework, a build step or a file from another host. The
// chat is at the root; scores, cursors and tabs are an example each.
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

//go:embed *.html *.css *.js *.mjs *.svg *.md scores cursors tabs
var files embed.FS

// Files returns the pages, each an index.html, with all they refer to.
func Files() fs.FS { return files }

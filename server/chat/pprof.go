package chat

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"strconv"
	"time"
)

// profiles serves profiles of this process at the paths of package net/http/pprof,
// which itself would cost every server 0.5 to 1 MB of resident memory, used or not.
// Whoever gets here sees the program's inside and can slow it down.
func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/{$}", listProfiles)
	mux.HandleFunc("GET /debug/pprof/{name}", serveProfile)
	mux.HandleFunc("GET /debug/pprof/profile", recording(pprof.StartCPUProfile, pprof.StopCPUProfile))
	mux.HandleFunc("GET /debug/pprof/trace", recording(trace.Start, trace.Stop))
	return mux
}

func listProfiles(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, "profile?seconds=30\ntrace?seconds=5")
	for _, p := range pprof.Profiles() {
		fmt.Fprintf(w, "%s?debug=1\n", p.Name())
	}
}

// serveProfile serves what has been counted since the start, such as heap or
// goroutine; with gc=1 after a garbage collection, with debug=1 or 2 as text.
func serveProfile(w http.ResponseWriter, r *http.Request) {
	p := pprof.Lookup(r.PathValue("name"))
	if p == nil {
		http.NotFound(w, r)
		return
	}
	if r.FormValue("gc") == "1" {
		runtime.GC()
	}
	debug, _ := strconv.Atoi(r.FormValue("debug"))
	_ = p.WriteTo(w, debug) // fails if the client is gone
}

// recording serves what happens in the next so many seconds, by default 30.
func recording(start func(io.Writer) error, stop func()) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		seconds, _ := strconv.Atoi(r.FormValue("seconds"))
		if err := start(w); err != nil { // somebody else records
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		defer stop()
		select {
		case <-time.After(time.Duration(cmp.Or(max(seconds, 0), 30)) * time.Second):
		case <-r.Context().Done():
		}
	}
}

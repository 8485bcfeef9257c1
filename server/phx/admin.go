package phx

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strconv"

	"github.com/roost-rt/roost/poller"
)

// AdminHandler shows operators the state of the endpoint, as JSON:
//
//	GET /stats                          Stats, Budgets, LoopLag, and whether the endpoint drains
//	GET /ready                          200, or 503 with the error of Ready
//	GET /ledger                         bytes owed to clients, and counts of ended connections by cause
//	GET /topics?limit=                  topics with the most subscribers on this node, 10,000 at most
//	GET /sockets?id=&topic=&limit=      sockets, each with its channels
//	GET /channels?id=&topic=&limit=     channels, each with its socket
//
// id and topic restrict lists to the sockets with an id and to one topic. limit
// is the maximum number of rows, 100 by default; "more" says that there are
// more. Sockets and channels are written one by one, in no order. An invalid
// limit is answered 400 with {"error": …}.
//
// It does not authenticate callers: serve it where only operators can reach it,
// such as http.ListenAndServe("127.0.0.1:9000", ep.AdminHandler()), or behind a
// handler that does authenticate. It shows no parameters and no payloads.
func (ep *Endpoint) AdminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, r *http.Request) {
		setJSON(w)
		_ = json.NewEncoder(w).Encode(struct { // an operator who is gone needs no answer
			Stats
			Draining bool             `json:"draining"`
			Budgets  []Budget         `json:"budgets"`
			LoopLag  []poller.LoopLag `json:"loop_lag"`
		}{ep.Stats(), ep.Draining(), ep.Budgets(), ep.LoopLag()})
	})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, r *http.Request) {
		if err := ep.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ready\n") // an operator who is gone needs no answer
	})
	mux.HandleFunc("GET /ledger", func(w http.ResponseWriter, r *http.Request) {
		setJSON(w)
		_ = json.NewEncoder(w).Encode(ep.Ledger())
	})
	mux.HandleFunc("GET /topics", ep.listTopics)
	mux.HandleFunc("GET /sockets", func(w http.ResponseWriter, r *http.Request) {
		if limit, ok := limitOf(w, r, mostRows); ok {
			list(w, limit, "sockets", ep.find(r))
		}
	})
	mux.HandleFunc("GET /channels", func(w http.ResponseWriter, r *http.Request) {
		if limit, ok := limitOf(w, r, mostRows); ok {
			list(w, limit, "channels", channelRows(ep.find(r), r.FormValue("topic")))
		}
	})
	return mux
}

// find returns the sockets that a request is about.
func (ep *Endpoint) find(r *http.Request) iter.Seq[SocketInfo] {
	id, topic := r.FormValue("id"), r.FormValue("topic")
	return func(yield func(SocketInfo) bool) {
		for s := range ep.Sockets() {
			on := func(ch ChannelInfo) bool { return ch.Topic == topic }
			if id != "" && s.ID != id || topic != "" && !slices.ContainsFunc(s.Channels, on) {
				continue
			}
			if !yield(s) {
				return
			}
		}
	}
}

// A channelRow is a channel with its socket.
type channelRow struct {
	ChannelInfo
	ID     string `json:"id"`
	Mount  string `json:"mount"`
	Remote string `json:"remote"`
}

// channelRows yields the channels of sockets; topic restricts them unless it is "".
func channelRows(sockets iter.Seq[SocketInfo], topic string) iter.Seq[channelRow] {
	return func(yield func(channelRow) bool) {
		for s := range sockets {
			for _, ch := range s.Channels {
				if (topic == "" || ch.Topic == topic) && !yield(channelRow{ch, s.ID, s.Mount, s.Remote}) {
					return
				}
			}
		}
	}
}

const (
	// mostRows is more than a host has.
	mostRows = 1_000_000_000

	// mostTopics is how many topics may be asked for: they are held at once, to be put in
	// order.
	mostTopics = 10_000
)

// listTopics also answers for package api.
func (ep *Endpoint) listTopics(w http.ResponseWriter, r *http.Request) {
	if limit, ok := limitOf(w, r, mostTopics); ok {
		list(w, limit, "topics", slices.Values(ep.Topics(limit+1)))
	}
}

// limitOf is how many rows a request is for. If it says that badly, it has been
// answered.
func limitOf(w http.ResponseWriter, r *http.Request, most int) (limit int, ok bool) {
	text := cmp.Or(r.FormValue("limit"), "100")
	limit, err := strconv.Atoi(text)
	if err == nil && limit >= 0 && limit <= most {
		return limit, true
	}
	setJSON(w)
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": fmt.Sprintf("limit is %q: want 0 to %d", text, most)})
	return 0, false
}

// list answers with rows, at most limit.
func list[T any](w http.ResponseWriter, limit int, name string, rows iter.Seq[T]) {
	setJSON(w)
	rowsOut := json.NewEncoder(w)
	n, more := 0, false
	fmt.Fprintf(w, "{%q:[", name)
	for row := range rows {
		if more = n == limit; more {
			break
		}
		if n++; n > 1 {
			_, _ = io.WriteString(w, ",")
		}
		if rowsOut.Encode(row) != nil { // the operator is gone
			return
		}
	}
	fmt.Fprintf(w, "],\"more\":%t}\n", more)
}

func setJSON(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
}

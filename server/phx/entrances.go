package phx

import (
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/roost-rt/roost/server/internal/packet"
)

// An entrance is a path at which requests reach a mount.
type entrance struct {
	mount    *mount
	kind     transportKind
	segments []string // of a path with variables, without the first slash
}

// match returns the variables of a path, and whether it is the entrance's.
// Those whose names start with _ are not told (spec §1.1).
func (e *entrance) match(path string) (vars map[string]string, ok bool) {
	i := 0
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if i == len(e.segments) {
			return nil, false
		}
		name, variable := strings.CutPrefix(e.segments[i], ":")
		switch i++; {
		case !variable && segment != name:
			return nil, false
		case variable && segment == "":
			return nil, false
		case variable && name[0] != '_':
			value, err := url.PathUnescape(segment)
			if err != nil {
				return nil, false
			}
			if vars == nil {
				vars = make(map[string]string)
			}
			vars[name] = value
		}
	}
	return vars, i == len(e.segments)
}

// entrances finds the mount of a request.
type entrances struct {
	fixed    map[string]*entrance
	variable []*entrance // in the order of declaration
}

func (ep *Endpoint) newEntrances(mounts []Mount) entrances {
	all, codecs := entrances{fixed: make(map[string]*entrance)}, make(packet.Codecs)
	for _, m := range mounts {
		ready := newMount(&ep.services, codecs, m)
		if m.LongPoll != nil {
			ep.polls[ready] = newPollSessions(ready.services, m.paths()[overLongPoll], *m.LongPoll)
		}
		for kind, path := range m.paths() {
			e := &entrance{mount: ready, kind: kind}
			if strings.Contains(path, "/:") {
				e.segments = strings.Split(path[1:], "/")
				all.variable = append(all.variable, e)
			} else {
				all.fixed[path] = e
			}
		}
	}
	ep.foreign = codecs.Foreign()
	return all
}

// find returns the entrance at a path with the values of its variables, or nil.
// Paths without variables come first.
func (all *entrances) find(path []byte) (*entrance, map[string]string) {
	if e := all.fixed[string(path)]; e != nil {
		return e, nil
	}
	for _, e := range all.variable {
		if vars, ok := e.match(string(path)); ok {
			return e, vars
		}
	}
	return nil, nil
}

// allowsHost is allow, and says in the log what to do if it should have been true.
func (ep *Endpoint) allowsHost(host string) bool {
	if ep.hosts.allow(host) {
		return true
	}
	ep.log.Info("host refused", "host", host,
		"fix", "add it to Config.Hosts if the server has this name, also through a proxy")
	return false
}

// misdirected is the answer to a request for another host (RFC 9110 §15.5.20).
const misdirected = "This server does not have the name that the request is for.\n"

// misdirect answers a request that net/http has read.
func misdirect(w http.ResponseWriter) {
	refuse(w, http.StatusMisdirectedRequest)
	_, _ = io.WriteString(w, misdirected) // who is gone needs no answer
}

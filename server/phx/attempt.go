package phx

import (
	"encoding/json"
	"log/slog"
)

// An attempt is a client that tries to connect, for the log and for telemetry.
type attempt struct {
	mount     *mount
	transport string
	params    Params          // once they are known
	shown     json.RawMessage // of them, in the log
	span      span
}

// attempt begins one when the request is there.
func (m *mount) attempt(transport string) attempt {
	return attempt{mount: m, transport: transport, span: m.span(m.LogConnect, slog.LevelInfo, m.hooks.Connected != nil)}
}

// longQuery is how long a query in bytes is whose parameters are a matter of the event
// loop no more: it may have hundreds, which take a while to read, and longer to be shown.
const longQuery = 256

// take takes the parameters of the query and adds those of the path. If the query is
// longer than longQuery, it must not run on the loop.
func (a *attempt) take(params Params, vars map[string]string) {
	for name, value := range vars {
		params[name] = value
	}
	a.params = params
	if a.span.logged() {
		a.shown = a.mount.cfg.Filter.params(params)
	}
}

// settle says how it ended: with a socket that is open or, if s is nil, with an
// error.
func (a *attempt) settle(s *Socket, err error) {
	m := a.mount
	a.span.end()
	version := a.params.String("vsn")
	if a.span.logged() {
		if a.shown == nil { // there are none
			a.shown = m.cfg.Filter.params(nil)
		}
		text := "connected"
		if err != nil {
			text = "connect refused"
		}
		a.span.line(text, err, "mount", m.Path, "transport", a.transport, "vsn", version, "params", a.shown)
	}
	tellApart(m.services, m.hooks.Connected, ConnectEvent{
		Duration: a.span.took, Mount: m.Path, Transport: a.transport, Version: version, Params: a.params, Socket: s, Err: err,
	})
}

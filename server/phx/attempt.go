package phx

import "log/slog"

// An attempt is a client that tries to connect, for the log and for telemetry.
type attempt struct {
	mount     *mount
	transport string
	params    Params // once they are known
	span      span
}

// attempt begins one when the request is there.
func (m *mount) attempt(transport string) attempt {
	return attempt{mount: m, transport: transport, span: m.span(m.LogConnect, slog.LevelInfo, m.hooks.Connected != nil)}
}

// with are the parameters of a query with those of the path among them.
func with(params Params, vars map[string]string) Params {
	for name, value := range vars {
		params[name] = value
	}
	return params
}

// settle says how it ended: with a socket that is open or, if s is nil, with an
// error.
func (a *attempt) settle(s *Socket, err error) {
	m := a.mount
	a.span.end()
	version := a.params.String("vsn")
	if a.span.logged() {
		text := "connected"
		if err != nil {
			text = "connect refused"
		}
		a.span.line(text, err, "mount", m.Path, "transport", a.transport, "vsn", version, "params", m.cfg.Filter.params(a.params))
	}
	tell(m.services, m.hooks.Connected, ConnectEvent{
		Duration: a.span.took, Mount: m.Path, Transport: a.transport, Version: version, Params: a.params, Socket: s, Err: err,
	})
}

package chat

import (
	"log/slog"
	"maps"
	"slices"

	"github.com/roost-rt/roost/server/phx"
)

// A reloader has settings that changed count while the server runs, as far as they can.
type reloader struct {
	args  []string
	now   map[string]string // settings by name, as they count
	level *slog.LevelVar
	cert  *certificate
	log   *slog.Logger
}

// limits are settings that phx.Endpoint.SetLimits changes.
var limits = []string{"accept-rate", "max-conns", "max-conns-per-ip"}

// reload reads the settings and the certificate again. If anything is wrong with the
// settings, all stay.
func (r *reloader) reload(ep *phx.Endpoint) {
	if r.cert.cert != "" {
		r.cert.reload()
	}
	o, err := parse(r.args)
	if err == nil {
		err = o.checkAll()
	}
	if err != nil {
		r.log.Error("settings not reloaded: those from before hold", "err", inFlags(err))
		return
	}
	var changed, kept []string
	texts := o.values.Texts()
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		switch {
		case texts[name] == r.now[name]:
		case name == "log" || slices.Contains(limits, name):
			changed = append(changed, name)
		default:
			kept = append(kept, name)
		}
	}
	if err := ep.SetLimits(o.limits()); err != nil {
		r.log.Error("settings not reloaded: those from before hold", "err", inFlags(err))
		return
	}
	r.level.Set(min(o.level, r.level.Level())) // what follows is seen by either
	defer r.level.Set(o.level)
	for _, name := range changed {
		r.now[name] = texts[name]
	}
	r.log.Info("settings reloaded", "changed", changed)
	if len(kept) > 0 {
		r.log.Warn("settings that changed, and count after a restart only", "names", kept)
	}
}

// ownFiles are the descriptors of the server itself, as for phx.Config.MaxConns.
const ownFiles = 64

// limits are those of the endpoint. They keep from clients the descriptors of the
// listeners apart from them: when the server is full, it can be asked whether it is.
func (o *options) limits() phx.Limits {
	c := &o.endpoint
	l := phx.Limits{MaxConns: c.MaxConns, MaxConnsPerIP: c.MaxConnsPerIP, AcceptRate: c.AcceptRate}
	apart := 0
	for _, addr := range []string{o.admin.addr, o.outside.addr, o.profiling} {
		if addr != "" {
			apart++
		}
	}
	if files := openFiles(); l.MaxConns == 0 && apart > 0 && 0 < files && files < 1<<31 {
		l.MaxConns = max(int(files)-ownFiles-apart*asideConns(files), 1)
	}
	return l
}

package phx

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/internal/origins"
	"github.com/roost-rt/roost/server/internal/packet"
	"github.com/roost-rt/roost/server/internal/rate"
	"github.com/roost-rt/roost/server/wire"
)

// mount is a Mount ready for use.
type mount struct {
	Mount
	*services
	origins  origins.Policy
	frames   framing                 // of sockets whose serializer is of this module
	foreign  framing                 // of those whose serializer is the application's
	dialects [packet.Forms][]dialect // by form, in the order of Serializers
	tariff   rate.Tariff             // Rates
	asks     bool                    // the application has a say in handshakes: not on the loop
}

func newMount(lent *services, all packet.Codecs, m Mount) *mount {
	m.Idle = cmp.Or(m.Idle, 60*time.Second)
	m.MaxChannels = cmp.Or(m.MaxChannels, 100)
	m.MaxField = cmp.Or(m.MaxField, 1024)
	m.MailboxMax = cmp.Or(m.MailboxMax, 1024)
	switch {
	case m.Raw != nil:
		m.Serializers = []wire.Serializer{nil} // messages are not looked into
	case m.Serializers == nil:
		m.Serializers = []wire.Serializer{wire.V1{}, wire.V2{}}
	}
	out := &mount{Mount: m, services: lent, tariff: m.Rates.tariff(), asks: m.Connect != nil || m.CheckOrigin != nil}
	out.origins, _ = origins.New(m.Origins, lent.cfg.Host, m.CheckOrigin) // Config.check has seen the error
	out.frames, out.foreign = m.framing(maxInline), m.framing(-1)
	forms := [...]bool{packet.Framed: true, packet.Deflated: m.Deflate != nil, packet.Quoted: m.LongPoll != nil}
	var deflate packet.Deflate
	if m.Deflate != nil {
		deflate = packet.Deflate{Level: m.Deflate.Level, MinSize: m.Deflate.MinSize}
	}
	for f, on := range forms {
		for _, s := range m.Serializers {
			if on {
				out.dialects[f] = append(out.dialects[f], dialect{out, all.Get(out.log, s, packet.Form(f), deflate)})
			}
		}
	}
	return out
}

// A framing says what the client of a socket may send.
type framing struct {
	plain, deflated frame.Config // without permessage-deflate, and with it
}

// framing is for sockets whose loop decodes messages of so many bytes itself.
func (m *Mount) framing(inline int64) (f framing) {
	f.plain = frame.Config{MaxFrame: m.MaxFrame, MaxMessage: m.MaxMessage, SkipUTF8: m.SkipUTF8, Inline: inline}
	if m.Deflate != nil {
		f.deflated = f.plain
		f.deflated.Deflate, f.deflated.MaxInflateRatio = true, m.Deflate.MaxInflateRatio
	}
	return f
}

// dialect returns the dialect that a client asks for, nil if there is none (spec
// §1.2).
func (m *mount) dialect(params Params, f packet.Form) *dialect {
	i := 0
	if m.Raw == nil {
		i = m.serializer(params)
	}
	if i < 0 {
		return nil
	}
	d := &m.dialects[f][i]
	d.codec.Use()
	return d
}

// serializer is the index of the one that a client asks for, or -1.
func (m *mount) serializer(params Params) int {
	vsn, given := params["vsn"]
	text, ok := vsn.(string)
	if given && (!ok || text == "") {
		return -1
	}
	return slices.IndexFunc(m.Serializers, func(s wire.Serializer) bool { return wire.Serves(s, text) })
}

// internal is the prefix of the topics on which nodes talk to each other, as package
// presence has them do. No client can join one, whatever its routes match.
const internal = "\x00"

// route is the index of the one for a topic, or -1.
func (m *mount) route(topic string) int {
	if strings.HasPrefix(topic, internal) {
		return -1
	}
	return slices.IndexFunc(m.Routes, func(r Route) bool { return r.matches(topic) })
}

// A transportKind is the transport at a path.
type transportKind uint8

const (
	overWebSocket transportKind = iota
	overLongPoll
)

// paths are where the transports of a mount are found.
func (m *Mount) paths() map[transportKind]string {
	paths := make(map[transportKind]string)
	if m.WebSocketPath != Off {
		paths[overWebSocket] = m.Path + cmp.Or(m.WebSocketPath, "/websocket")
	}
	if m.LongPoll != nil {
		paths[overLongPoll] = m.Path + cmp.Or(m.LongPoll.Path, "/longpoll")
	}
	return paths
}

// checkPaths returns the faults of the paths. seen has the paths of other mounts.
func (m *Mount) checkPaths(field string, seen map[string]string) (errs []error) {
	if !strings.HasPrefix(m.Path, "/") || strings.HasSuffix(m.Path, "/") {
		errs = append(errs, fmt.Errorf("%s.Path is %q: it must start with / and not end with it, such as /socket", field, m.Path))
	}
	paths := m.paths()
	if len(paths) == 0 {
		errs = append(errs, fmt.Errorf("%s has no transport: WebSocketPath is off and LongPoll is nil", field))
	}
	for _, path := range slices.Sorted(maps.Values(paths)) {
		if suffix := strings.TrimPrefix(path, m.Path); !strings.HasPrefix(suffix, "/") || strings.HasSuffix(path, "/") {
			errs = append(errs, fmt.Errorf("%s has a transport at %q: its path must start with / and not end with it, such as /websocket", field, suffix))
		}
		shape := variableShape(path)
		if other, taken := seen[shape]; taken {
			errs = append(errs, fmt.Errorf("%s serves %s, as %s does: every transport needs a path of its own", field, path, other))
		}
		seen[shape] = field
		for segment := range strings.SplitSeq(path, "/") {
			if segment == ":" {
				errs = append(errs, fmt.Errorf("%s.Path is %q: a variable needs a name, such as :org", field, path))
			}
		}
	}
	return errs
}

// variableShape is equal for paths that match the same requests.
func variableShape(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if strings.HasPrefix(s, ":") {
			segments[i] = ":"
		}
	}
	return strings.Join(segments, "/")
}

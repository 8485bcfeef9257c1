package phx_test

import (
	"crypto/tls"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// A mistake in the configuration is found at the start, by name.
func TestConfigErrors(t *testing.T) {
	room := &phx.ChannelType{}
	mount := func(m phx.Mount) phx.Config { m.Path = "/socket"; return phx.Config{Mounts: []phx.Mount{m}} }
	route := func(r phx.Route) phx.Config {
		return mount(phx.Mount{Routes: []phx.Route{{Pattern: "a", Type: room}, r}})
	}
	for _, tt := range []struct {
		cfg  phx.Config
		want string // the beginning
	}{
		{phx.Config{Mounts: []phx.Mount{{Path: "socket"}}}, `Mounts[0].Path is "socket"`},
		{phx.Config{Mounts: []phx.Mount{{Path: "/socket/"}}}, `Mounts[0].Path is "/socket/"`},
		{phx.Config{Mounts: []phx.Mount{{}}}, `Mounts[0].Path is ""`},
		{phx.Config{Mounts: []phx.Mount{{Path: "/a"}, {Path: "/a"}}}, `Mounts[1] serves /a/websocket, as Mounts[0] does`},
		{route(phx.Route{Type: room}), `Mounts[0].Routes[1].Pattern is empty`},
		{route(phx.Route{Pattern: "a*b", Type: room}), `Mounts[0].Routes[1].Pattern is "a*b"`},
		{route(phx.Route{Pattern: "a**", Type: room}), `Mounts[0].Routes[1].Pattern is "a**"`},
		{route(phx.Route{Pattern: "b"}), `Mounts[0].Routes[1].Type is nil`},
		{route(phx.Route{Pattern: "b", Type: &phx.ChannelType{Intercept: []string{"e"}}}), `Mounts[0].Routes[1].Type has Intercept but no Out`},
		{route(phx.Route{Pattern: "b", Type: &phx.ChannelType{StopTimeout: -1}}), `Mounts[0].Routes[1].Type.StopTimeout is -1`},
		{mount(phx.Mount{Raw: &phx.RawType{Middleware: make([]phx.RawMiddleware, 1)}}), `Mounts[0].Raw.Middleware has one that is nil`},
		{route(phx.Route{Pattern: "b", Type: &phx.ChannelType{Middleware: make([]phx.Middleware, 1)}}), `Mounts[0].Routes[1].Type.Middleware has one that is nil`},
		{route(phx.Route{Pattern: "b", Type: &phx.ChannelType{Timeout: -1}}), `Mounts[0].Routes[1].Type.Timeout is -1`},
		{mount(phx.Mount{Raw: &phx.RawType{Timeout: -1}}), `Mounts[0].Raw.Timeout is -1`},
		{phx.Config{Filter: phx.Filter{Keep: []string{"a"}, Discard: []string{"b"}}}, "Filter has both Discard and Keep"},
		{phx.Config{Filter: phx.Filter{Discard: []string{"a", ""}}}, "Filter.Discard has an empty term"},
		{phx.Config{MaxHTTP: -1}, "MaxHTTP is -1"},
		{phx.Config{Workers: -1}, "Workers is -1"},
		{phx.Config{MaxWorkers: -1}, "MaxWorkers is -1"},
		{phx.Config{MaxWorkers: 1, Workers: 2}, "MaxWorkers is 1, fewer than the 2 Workers"},
		{phx.Config{SocketShare: -1}, "SocketShare is -1"},
		{phx.Config{Overdue: -1}, "Overdue is -1"},
		{phx.Config{LogRate: -1}, "LogRate is -1"},
		{phx.Config{MaxConns: -1}, "MaxConns is -1"},
		{phx.Config{MaxConnsPerIP: -1}, "MaxConnsPerIP is -1"},
		{phx.Config{AcceptRate: -1}, "AcceptRate is -1"},
		{phx.Config{ProxyProtocol: true}, "ProxyProtocol is set but TrustedProxies is empty"},
		{phx.Config{ProxyHeader: "X-Real-IP"}, `ProxyHeader is "X-Real-IP"`},
		{phx.Config{TrustedProxies: make([]netip.Prefix, 1)}, "TrustedProxies[0] is not valid"},
		{phx.Config{HandshakeTimeout: -time.Second}, "HandshakeTimeout is -1000000000"},
		{mount(phx.Mount{Idle: -1}), "Mounts[0].Idle is -1"},
		{mount(phx.Mount{MaxChannels: -1}), "Mounts[0].MaxChannels is -1"},
		{mount(phx.Mount{MaxField: -1}), "Mounts[0].MaxField is -1"},
		{mount(phx.Mount{MaxFrame: -1}), "Mounts[0].MaxFrame is -1"},
		{phx.Config{TLS: &tls.Config{}}, "TLS has no certificate"},
		{phx.Config{Addr: "4000"}, `Addr is "4000": want host:port`},
		{phx.Config{Addr: "unix:"}, `Addr is "unix:": want host:port`},
		{phx.Config{Addr: "127.0.0.1:nowhere"}, ""},
	} {
		ep, err := phx.Start(tt.cfg)
		if err == nil {
			shutdown(t, ep)
			t.Errorf("Start(%+v) = nil, want an error with %q", tt.cfg, tt.want)
			continue
		}
		if text := strings.TrimPrefix(err.Error(), "phx: configuration: "); !strings.HasPrefix(text, tt.want) {
			t.Errorf("Start: %q, want %q", text, tt.want)
		}
	}
}

// The first route that matches wins, by bytes and not by length.
func TestRoutes(t *testing.T) {
	named := func(name string) *phx.ChannelType {
		return &phx.ChannelType{Join: func(*phx.Channel, phx.Payload) (any, error) { return name, nil }}
	}
	ep := start(t,
		phx.Route{Pattern: "foo*", Type: named("foo*")},
		phx.Route{Pattern: "food*", Type: named("food*")},
		phx.Route{Pattern: "room:*", Type: named("room:*")},
		phx.Route{Pattern: "room", Type: named("room")})
	c := dial(t, ep)
	for topic, want := range map[string]string{"food:1": "foo*", "foo": "foo*", "room:": "room:*", "room:1": "room:*", "room": "room"} {
		c.say(`["1","2","` + topic + `","phx_join",{}]`)
		c.want(`["1","2","` + topic + `","phx_reply",{"status":"ok","response":"` + want + `"}]`)
	}
	for _, topic := range []string{"Room:1", "roo", "rooms"} {
		c.say(`["1","2","` + topic + `","phx_join",{}]`)
		c.want(`[null,"2","` + topic + `","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`)
	}
}

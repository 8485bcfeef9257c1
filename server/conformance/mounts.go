package main

import (
	"context"
	"net/http"
	"time"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/presence"
)

// general are the mounts of our own suites.
func general(here *presence.Presence) []phx.Mount {
	room := phx.Route{Pattern: "room:*", Type: room()}
	base := phx.Mount{
		Connect: connect("users_socket:"),
		Routes: append(field(), room,
			phx.Route{Pattern: "lobby", Type: room.Type},
			phx.Route{Pattern: "intercept:*", Type: intercept()},
			phx.Route{Pattern: "phxtest:*", Type: phxtest()},
			phx.Route{Pattern: "presence:*", Type: present(here)},
		),
		Origins: []string{phx.AnyOrigin},
	}
	socket, zipped, fast, small, origin, sub, auth, limited := base, base, base, base, base, base, base, base
	polls := &phx.LongPoll{}
	socket.Path, socket.LongPoll = "/socket", polls
	zipped.Path, zipped.Deflate = "/socketz", &phx.Deflate{}
	fast.Path, fast.Idle, fast.LongPoll = "/fast", time.Second, &phx.LongPoll{Window: 300 * time.Millisecond}
	small.Path, small.MaxFrame, small.MaxMessage = "/small", 65_536, 65_536
	origin.Path, origin.Origins, origin.LongPoll = "/origin", fromExample, polls
	sub.Path, sub.Subprotocols = "/sub", []string{"mqtt", "phx.v2"}
	auth.Path, auth.AuthToken, auth.Connect, auth.LongPoll = "/auth", true, withToken, polls
	limited.Path, limited.MaxChannels, limited.LongPoll = "/limited", 3, polls
	limited.Routes = []phx.Route{room}
	return append([]phx.Mount{socket, zipped, fast, small, origin, sub, auth, limited}, echoes()...)
}

// echoes are the mounts that send back what comes.
func echoes() []phx.Mount {
	const size = 16 << 20
	plain := phx.Mount{
		Path:       "/echo",
		Raw:        &phx.RawType{In: func(s *phx.RawSocket, data []byte, binary bool) error { return s.Push(data, binary) }},
		Origins:    []string{phx.AnyOrigin},
		MaxFrame:   size + 14, // with its header
		MaxMessage: size,
	}
	zipped := plain
	zipped.Path, zipped.Deflate = "/echoz", &phx.Deflate{MaxInflateRatio: 1032} // 16 MiB of one letter must pass
	return []phx.Mount{plain, zipped}
}

// integration are the mounts of Phoenix's own integration tests.
func integration(ctx context.Context) []phx.Mount {
	return append(webSockets(), longPolls(ctx)...)
}

func webSockets() []phx.Mount {
	room := phx.Route{Pattern: "room:*", Type: wsRoom()}
	ws := phx.Mount{
		Path:    "/ws",
		Connect: connect("user_sockets:"),
		Routes:  []phx.Route{room, {Pattern: "custom:*", Type: custom()}},
		Origins: fromExample,
		Idle:    time.Second,
	}
	admin, limited, sip, info := ws, ws, ws, ws
	admin.Path = "/ws/admin"
	limited.Path, limited.MaxChannels = "/ws/limited", 1
	limited.Routes = []phx.Route{room}
	sip.Path, sip.Subprotocols = "/ws/sip", []string{"sip"}
	info.Path, info.Connect = "/ws/connect_info", connectInfo
	info.Routes = []phx.Route{room}
	return []phx.Mount{ws, admin, limited, sip, info}
}

// longPolls returns the mounts for the tests of long polling. The transports of /lp
// differ in the origins that they allow, so they are two mounts.
func longPolls(ctx context.Context) []phx.Mount {
	lp := phx.Mount{
		Path:          "/lp",
		Connect:       connect("user_sockets:"),
		Routes:        []phx.Route{{Pattern: "room:*", Type: lpRoom()}},
		Origins:       fromExample,
		WebSocketPath: phx.Off,
		LongPoll:      &phx.LongPoll{Window: time.Second},
	}
	ws, info, slow := lp, lp, lp
	ws.WebSocketPath, ws.LongPoll, ws.Origins = "", nil, []string{phx.AnyOrigin}
	info.Path, info.Connect = "/lp/connect_info", connectPollInfo
	slow.Path, slow.Connect, slow.Routes = "/lp/slow", nil, nil
	slow.LongPoll = &phx.LongPoll{Window: 200 * time.Millisecond}
	slow.Raw = &phx.RawType{In: func(*phx.RawSocket, []byte, bool) error {
		<-ctx.Done() // it must not return, and not outlive the server
		return nil
	}}
	return []phx.Mount{lp, ws, info, slow}
}

// connect accepts clients, except those that ask to be refused. The parameter
// user_id, after a prefix, becomes the id of the socket.
func connect(prefix string) func(*phx.Socket, phx.Params, *http.Request) error {
	return func(s *phx.Socket, params phx.Params, _ *http.Request) error {
		switch "true" {
		case params.String("reject"), params.String("custom_error"):
			return &phx.RefuseError{}
		case params.String("ratelimit"):
			return &phx.RefuseError{Status: http.StatusTooManyRequests, Body: "Too many requests"}
		}
		s.Assign("user_id", params["user_id"])
		if id := params.String("user_id"); id != "" {
			s.SetID(prefix + id)
		}
		return nil
	}
}

// withToken is the Connect of clients that have an auth token.
func withToken(s *phx.Socket, _ phx.Params, r *http.Request) error {
	if token, _ := phx.AuthToken(r); token != "s3cret+/=" {
		return &phx.RefuseError{}
	}
	s.Assign("user_id", "auth")
	return nil
}

// fromExample is the origin list "//example.com": that host, any scheme and port.
var fromExample = []string{"//example.com"}

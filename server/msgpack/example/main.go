// Example is a server whose clients choose between JSON and MessagePack:
// everybody in a room:* gets each shout, in their own format, and the sender of
// an echo gets it back. It listens on -addr until it is killed.
package main

import (
	"flag"
	"log"

	"github.com/roost-rt/roost/server/msgpack"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/wire"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:4000", "`HOST:PORT` to listen on")
	flag.Parse()
	room := &phx.ChannelType{In: phx.Events{
		"echo":  func(_ *phx.Channel, p phx.Payload) (any, error) { return p, nil },
		"shout": func(ch *phx.Channel, p phx.Payload) (any, error) { return phx.OK, ch.Broadcast("shout", p) },
	}}
	ep, err := phx.Start(phx.Config{
		Addr: *addr,
		Mounts: []phx.Mount{{
			Path:        "/socket",
			Routes:      []phx.Route{{Pattern: "room:*", Type: room}},
			Serializers: []wire.Serializer{wire.V1{}, wire.V2{}, msgpack.Serializer{}},
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on %s", ep.Addr())
	select {}
}

package phx

import (
	"context"
	"net/netip"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"github.com/roost-rt/roost/server/http1"
	"github.com/roost-rt/roost/server/wire"
)

// What every client and every join costs at least, in bytes.
const (
	SocketSize  = unsafe.Sizeof(Socket{})
	ChannelSize = unsafe.Sizeof(Channel{})
)

// Feed does what the event loop does with bytes from the client. Nothing may come
// from the client meanwhile.
func (s *Socket) Feed(data []byte) {
	for len(data) > 0 {
		data, _ = s.decode(data, s, maxInline)
	}
}

// Pass does what the event loop does with bytes from the client in one pass: it returns
// the bytes that are left for the next.
func (s *Socket) Pass(data []byte) (rest []byte) {
	done := make(chan []byte)
	s.conn().Post(func() {
		rest, _ := s.decode(data, s, maxInline)
		done <- rest
	})
	return <-done
}

// Incoming is how many bytes the endpoint holds of what is not whole yet.
func (ep *Endpoint) Incoming() int { return int(ep.incoming.held.Load()) }

// Expire does what the event loop does when the deadline passes of a message that has
// been coming for so long.
func (s *Socket) Expire(after time.Duration) {
	c := s.conn()
	c.Post(func() {
		if mark := s.decoder.Mark(); mark != nil {
			*mark -= uint32(after.Milliseconds())
			s.timeout(c)
		}
	})
}

// MailboxBytes returns the bytes of the jobs that wait for the channel.
func (ch *Channel) MailboxBytes() int {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.mailbox.Bytes()
}

// Pages is how many connections the HTTP handler has.
func (ep *Endpoint) Pages() int { return int(ep.http.places.open.Load()) }

// IdlePages is how many connections of the HTTP handler wait for a request.
func (ep *Endpoint) IdlePages() int {
	ep.http.places.mu.Lock()
	defer ep.http.places.mu.Unlock()
	return ep.http.places.idle.Len()
}

// Visits is how many connections of an address are counted.
func (ep *Endpoint) Visits(addr string) int {
	a := ep.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	if v := a.visitors[netip.MustParseAddr(addr)]; v != nil {
		return v.conns
	}
	return 0
}

// HasExtra reports whether the channel keeps what not all have.
func (ch *Channel) HasExtra() bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.extra != nil
}

// PayloadOf is a JSON payload.
func PayloadOf(text string) Payload { return Payload{wire.Payload{Data: []byte(text)}} }

// ParseProxy is parseProxy.
var ParseProxy = parseProxy

// Listeners is how many are served.
func (ep *Endpoint) Listeners() int {
	ep.listening.mu.Lock()
	defer ep.listening.mu.Unlock()
	return len(ep.listening.all)
}

// Upgrade returns what happens on the loop from an upgrade's head to its answer,
// for the connection of the only socket. It reports whether there is a socket.
func (ep *Endpoint) Upgrade() func(head []byte) bool {
	c, asks := ep.sockets()[0].conn(), &asking{ctx: context.Background()} // for Connect
	return func(head []byte) bool {
		parsed, err := http1.Parse(head)
		e, vars := ep.entrances.find(parsed.Path)
		if err != nil || string(parsed.Method) != "GET" {
			return false
		}
		u := upgrades.Get().(*upgrade)
		defer upgrades.Put(u)
		*u = upgrade{conn: c, requests: &requests{endpoint: ep}, asking: asks, mount: e.mount, vars: vars, head: parsed, output: u.output[:0]}
		u.run()
		return u.socket != nil
	}
}

// HoldUnpackers keeps the turns busy that work of which there is too much for an event
// loop has, until release is called.
func (ep *Endpoint) HoldUnpackers() (release func()) {
	over, held := make(chan struct{}), make(chan struct{})
	n := (runtime.GOMAXPROCS(0) + 1) / 2
	for range n {
		ep.unpackers.Go(turnFunc(func() { held <- struct{}{}; <-over }))
	}
	for range n {
		<-held
	}
	return sync.OnceFunc(func() { close(over) })
}

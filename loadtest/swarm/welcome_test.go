package swarm

import (
	"testing"
	"time"

	"github.com/roost-rt/roost/server/frame"
)

// A deaf connection takes everything.
type deaf struct{}

func (deaf) Send([]byte) error         { return nil }
func (deaf) SendShared([]byte) error   { return nil }
func (deaf) SetDeadline(time.Duration) {}
func (deaf) Kill(error)                {}
func (deaf) Post(func()) bool          { return true }

// The first client of a group reads the answer to its join, and the others compare:
// they come in without a decoder, and only while they wait for it.
func TestWelcome(t *testing.T) {
	const clients = 200
	g := joinedGroup(t, clients)
	f := g.fleet
	g.topic = "room:lobby"
	g.joined, f.pending, f.slots = 0, clients+1, make(chan struct{}, clients)
	welcome := frame.Append(nil, opText, []byte(`["1","1","room:lobby","phx_reply",{"status":"ok","response":{"any":["thing"]}}]`))
	next := 0
	join := func() {
		c := &g.clients[next]
		next++
		f.slots <- struct{}{}
		c.phase, c.joinedOnce = joining, false
		c.data(deaf{}, welcome)
		if c.phase != joined {
			t.Fatalf("client %d is in phase %d, want it joined", c.number, c.phase)
		}
	}
	join()
	if got := testing.AllocsPerRun(clients-3, join); got > 0 {
		t.Errorf("a join allocates %v times, want 0", got)
	}
	g.clients[0].data(deaf{}, welcome)
	if g.joined != int64(next) || f.counts.Joined != int64(next) {
		t.Errorf("%d and %d joined, want %d", g.joined, f.counts.Joined, next)
	}
}

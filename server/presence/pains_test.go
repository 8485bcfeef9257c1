package presence_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxtest"
	"github.com/roost-rt/roost/server/presence"
)

// However many come to a room at once, each gets a bounded number of messages: if each
// were told of each, there would be N² (Phoenix's flood).
func TestNoFlood(t *testing.T) {
	t.Parallel()
	const crowd = 2000
	for _, only := range []bool{false, true} {
		log := slog.New(slog.DiscardHandler)
		p := presence.New(presence.Config{MaxFull: 200, Window: time.Hour, MaxPerChannel: crowd, SampleOnly: func(string) bool { return only }, Logger: log})
		t.Cleanup(p.Close)
		room := &phx.ChannelType{In: phx.Events{"come": func(ch *phx.Channel, _ phx.Payload) (any, error) {
			for i := range crowd {
				if _, err := p.Track(ch, fmt.Sprint("user ", i), nil); err != nil {
					return nil, err
				}
			}
			return phx.OK, nil
		}}}
		ep := phxtest.Start(t, phx.Config{Logger: log, Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: room}}}}})
		phxtest.Connect(t, ep, "/socket", nil).Join("room:a", nil).Push("come", nil).ExpectReply("ok", nil)
		if n := p.Stats().Diffs; n > 102 { // each of the first hundred may be a diff of its own
			t.Errorf("%d diffs for %d who came (sample only: %t)", n, crowd, only)
		}
		if n := p.Count("room:a"); n != crowd {
			t.Errorf("%d are counted of %d", n, crowd)
		}
		p.TellAt(time.Now().Add(2 * time.Hour))
		if s := p.Stats(); s.DiffBytes > 40*crowd {
			t.Errorf("each client gets %d bytes for %d who came (sample only: %t)", s.DiffBytes, crowd, only)
		}
	}
}

// List, Get and Count answer while the application's own functions block (in Phoenix
// they time out behind a busy tracker).
func TestListsAnswer(t *testing.T) {
	t.Parallel()
	var cfg presence.Config
	called, free := make(chan struct{}, 64), make(chan struct{})
	cfg.Changed = func(presence.Diff) {
		called <- struct{}{}
		<-free
	}
	ep, p := start(t, cfg)
	ann := join(t, ep, "ann")
	<-called
	bob := join(t, ep, "bob")
	if len(p.List("room:a")) != 2 || p.Get("room:a", "bob") == nil || p.Count("room:a") != 2 {
		t.Error("not both are there")
	}
	bob.ExpectPush("presence_state", phxtest.Where(func(s map[string]entry) bool { return len(s) == 2 }))
	bob.Leave()
	eventually(t, "bob has left", func() bool { return p.Count("room:a") == 1 })
	close(free)
	next(t, ann, "ann")
}

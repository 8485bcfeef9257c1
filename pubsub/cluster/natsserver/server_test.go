package natsserver_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

var quiet = slog.New(slog.DiscardHandler)

func TestServer(t *testing.T) {
	s, err := natsserver.Start(natsserver.Config{Addr: "127.0.0.1:0", Token: "sesame", MaxPayload: 12345, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	if got := nc.MaxPayload(); got != 12345 {
		t.Errorf("MaxPayload = %d, want 12345", got)
	}
	nc.Close()
	if nc, err := nats.Connect(strings.Replace(s.URL(), "sesame", "guess", 1)); err == nil {
		nc.Close()
		t.Error("a wrong token is good enough")
	}
}

func TestStartErrorsSayWhatToDo(t *testing.T) {
	s, err := natsserver.Start(natsserver.Config{Addr: "127.0.0.1:0", Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []struct {
		cfg   natsserver.Config
		words string
	}{
		{natsserver.Config{Addr: strings.TrimPrefix(s.URL(), "nats://")}, "choose another Config.Addr"},
		{natsserver.Config{Addr: ":0"}, "set Config.Token"},
		{natsserver.Config{Addr: "192.0.2.1:0"}, "set Config.Token"},
		{natsserver.Config{Addr: "here"}, "Config.Addr"},
		{natsserver.Config{Addr: "127.0.0.1:65536"}, "from 0 to 65535"},
		{natsserver.Config{MaxPayload: -1}, "Config.MaxPayload"},
		{natsserver.Config{MaxPayload: 1 << 30}, "Config.MaxPayload"},
	} {
		c.cfg.Logger = quiet
		s, err := natsserver.Start(c.cfg)
		if err == nil {
			s.Close()
			t.Errorf("Start(%+v) succeeds, want an error with %q", c.cfg, c.words)
		} else if !strings.Contains(err.Error(), c.words) {
			t.Errorf("Start(%+v) = %q, want %q in it", c.cfg, err, c.words)
		}
	}
}

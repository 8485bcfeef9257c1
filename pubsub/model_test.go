package pubsub_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/roost-rt/roost/pubsub"
)

// A member is an inbox, and what the model knows about it.
type member struct {
	inbox
	since int // messages published before it came
}

// A model publishes to one topic whose audience comes and goes, and knows what each
// member must get.
type model struct {
	t         *testing.T
	rand      *rand.Rand
	pool      line
	ps        *pubsub.PubSub
	published []string
	members   []*member
}

func newModel(t *testing.T, seed uint64, shards int) *model {
	m := &model{t: t, rand: rand.New(rand.NewPCG(seed, seed))}
	m.ps = pubsub.New(pubsub.Config{Shards: shards}, &m.pool)
	return m
}

func (m *model) join() {
	in := &member{since: len(m.published)}
	m.ps.Subscribe("a", in)
	m.members = append(m.members, in)
}

// leave ends one subscription. By then the member has got the first of the messages due
// to it; it may still get those of the batch on its way.
func (m *model) leave() {
	i := m.rand.IntN(len(m.members))
	in := m.members[i]
	m.ps.Unsubscribe(in)
	m.members = slices.Delete(m.members, i, i+1)
	if got, due := in.got(), m.published[in.since:]; len(got) > len(due) || !slices.Equal(got, due[:len(got)]) {
		m.t.Fatalf("who came after %d messages and has left got %v", in.since, got)
	}
}

func (m *model) publish() {
	e := fmt.Sprint(len(m.published))
	m.published = append(m.published, e)
	publish(m.t, m.ps, "a", e)
}

// step does one thing at random. There are at most crowd members.
func (m *model) step(crowd int) {
	switch m.rand.IntN(8) {
	case 0, 1, 2:
		if len(m.members) < crowd {
			m.join()
		}
	case 3, 4:
		if len(m.members) > 0 {
			m.leave()
		}
	case 5, 6:
		for range m.rand.IntN(4) * m.rand.IntN(40) { // often more than a batch
			m.publish()
		}
	case 7:
		m.pool.step()
	}
}

// check delivers everything and compares.
func (m *model) check() {
	m.t.Helper()
	m.pool.run()
	for _, in := range m.members {
		if got, due := in.got(), m.published[in.since:]; !slices.Equal(got, due) {
			m.t.Fatalf("who came after %d of %d messages got %v", in.since, len(m.published), got)
		}
	}
	if got, want := m.ps.Subscribers("a"), len(m.members); got != want {
		m.t.Fatalf("Subscribers = %d, want %d", got, want)
	}
}

// seeds are as many as there is time for.
func seeds() uint64 {
	if testing.Short() {
		return 2
	}
	return 6
}

// Each subscriber gets everything that is published while it is there, once and in
// order, whoever comes and goes and however much waits meanwhile.
func TestModel(t *testing.T) {
	for seed := range seeds() {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			m := newModel(t, seed, 1)
			for range seed % 2 * 1200 { // more than one turn serves, or none
				m.join()
			}
			for range 200 {
				m.step(1500)
				if m.rand.IntN(100) == 0 {
					m.check()
				}
			}
			for len(m.members) > 0 {
				m.leave()
				m.step(0)
			}
			m.check()
			m.join()
			m.publish()
			m.check()
		})
	}
}

// tide has members come or go, and everything else happen meanwhile, until there are as
// many as given.
func (m *model) tide(members int) {
	for len(m.members) != members {
		for range m.rand.IntN(100) {
			switch {
			case len(m.members) < members:
				m.join()
			case len(m.members) > members:
				m.leave()
			}
		}
		for range m.rand.IntN(3) {
			m.step(members)
		}
		if m.rand.IntN(10) == 0 {
			m.check()
			m.forget()
		}
	}
}

// forget drops the messages that members have got.
func (m *model) forget() {
	for _, in := range m.members {
		in.events, in.since = nil, len(m.published)
	}
}

// The same holds while a topic becomes a crowd, is spread over all shards, and becomes
// small again. It leaves nothing behind.
func TestCrowdModel(t *testing.T) {
	for seed := range seeds() {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			m := newModel(t, seed, 2+int(seed%3))
			most := 0
			for range 4 {
				m.tide(pubsub.Split + m.rand.IntN(2*pubsub.Split))
				most = max(most, len(pubsub.Parts(m.ps, "a")))
				m.tide(m.rand.IntN(pubsub.Split / 2))
			}
			if most < 2 {
				t.Error("the topic has never had two parts")
			}
			m.tide(0)
			m.check()
			if n := pubsub.Topics(m.ps); n != 0 {
				t.Errorf("%d topics are left, want 0", n)
			}
		})
	}
}

package chat

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// Scores is the example of server push: simulated football matches that the
// server plays, a minute every second while somebody watches. Clients send
// nothing but their join of scores:1, scores:2 or scores:3.
//
// It has one goroutine, [Scores.Run], however many people watch.
type Scores struct {
	watched chan struct{} // of one: somebody is the first to watch

	mu       sync.Mutex // guards the rest
	matches  map[string]*match
	watchers int
}

// match goes to watchers: the whole each time, so that an update too few or too many
// does no harm.
type match struct {
	Home   string `json:"home"`
	Away   string `json:"away"`
	Score  [2]int `json:"score"`  // home, away
	Minute int    `json:"minute"` // 0 to 90, which is full time
	Goals  []goal `json:"goals"`  // oldest first

	rest int        // minutes until the next kick-off, once it is over
	dice *rand.Rand // seeded: every server plays the same matches
}

type goal struct {
	Minute int `json:"minute"`
	Side   int `json:"side"` // 0 home, 1 away
}

const (
	fullTime = 90
	pause    = 10 // minutes between matches
)

// NewScores is three matches before kick-off.
func NewScores() *Scores {
	kickOff := func(home, away string, seed uint64) *match {
		return &match{Home: home, Away: away, Goals: []goal{}, dice: rand.New(rand.NewPCG(seed, 0))}
	}
	return &Scores{watched: make(chan struct{}, 1), matches: map[string]*match{
		"scores:1": kickOff("Robins", "Owls", 1),
		"scores:2": kickOff("Magpies", "Swifts", 2),
		"scores:3": kickOff("Herons", "Wrens", 3),
	}}
}

// Type is the channel of scores:*. A join is answered with the match as it
// stands; from then on, "update" has it every minute.
func (s *Scores) Type() *phx.ChannelType {
	return &phx.ChannelType{Join: s.join, Terminate: s.leave}
}

func (s *Scores) join(ch *phx.Channel, _ phx.Payload) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.matches[ch.Topic()]
	if !ok {
		return nil, phx.Errorf("no such match")
	}
	if s.watchers++; s.watchers == 1 {
		select {
		case s.watched <- struct{}{}:
		default: // Run has yet to hear of one before
		}
	}
	return m.copy(), nil
}

func (s *Scores) leave(*phx.Channel, phx.Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers--
}

func (s *Scores) isWatched() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watchers > 0
}

// Run plays a minute every second while somebody watches, until ctx is done.
func (s *Scores) Run(ctx context.Context, ep *phx.Endpoint) {
	seconds := time.NewTicker(time.Second)
	defer seconds.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.watched:
			seconds.Reset(time.Second)
		case <-seconds.C:
			if s.isWatched() {
				s.PlayMinute(ep)
			} else {
				seconds.Stop()
			}
		}
	}
}

// PlayMinute plays one minute of every match and broadcasts what became of it.
func (s *Scores) PlayMinute(ep *phx.Endpoint) {
	for topic, m := range s.playMinute() {
		_ = ep.LocalBroadcast(topic, "update", m) // every node plays; overloaded: the next one makes up for it
	}
}

func (s *Scores) playMinute() map[string]match {
	s.mu.Lock()
	defer s.mu.Unlock()
	played := make(map[string]match, len(s.matches))
	for topic, m := range s.matches {
		m.playMinute()
		played[topic] = m.copy()
	}
	return played
}

func (m *match) playMinute() {
	switch {
	case m.rest > 1:
		m.rest--
	case m.rest == 1:
		m.rest, m.Minute, m.Score, m.Goals = 0, 0, [2]int{}, []goal{}
	default:
		m.Minute++
		if m.dice.IntN(fullTime) < 3 { // three goals a match, give or take
			side := m.dice.IntN(2)
			m.Score[side]++
			m.Goals = append(m.Goals, goal{m.Minute, side})
		}
		if m.Minute == fullTime {
			m.rest = pause
		}
	}
}

// copy is the match as it stands, safe to encode while play goes on.
func (m *match) copy() match {
	c := *m
	c.Goals = slices.Clone(m.Goals)
	return c
}

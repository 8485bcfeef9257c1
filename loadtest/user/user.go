package user

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/script"
)

// joinTimeout is how long a user has from connect to upgrade.
const joinTimeout = 30 * time.Second

// Why a connection ends. The text is the kind of error in the records.
var (
	errHeartbeat = errors.New("heartbeat not answered")
	errCrashed   = errors.New("channel crashed on the server (phx_error)")
	errLeft      = errors.New("channel closed by the server (phx_close)")
	errStopped   = errors.New("the run is over")
)

// A user goes through the steps of the script. Its life has a goroutine, and each
// of its connections another one, which reads.
type user struct {
	crew  *crew         // immutable
	scope *script.Scope // of the life's goroutine
	due   int64         // when the round was due; 0 once something was sent in it; likewise
	tried bool          // to connect; likewise
	known bool          // has joined once; likewise

	mu      sync.Mutex // guards the rest
	account account
	topics  []topic // of the script's
	ref     int
	waits   map[string]*wait
	copies  map[stamped]chan int64
	last    map[sequence]int32 // message, of this connection
	inbox   []channels.Message // of events that steps expect
	news    chan struct{}      // has a value when inbox has more
	resting context.CancelFunc // ends the rounds; nil before the first life
	leaves  chan struct{}      // closed when the user is to disconnect
	idled   chan struct{}      // closed when it is not within its rounds; nil before the first life
	ended   chan struct{}      // closed at the end of its life
}

// A topic is one that the user has joined, or not.
type topic struct {
	name    string
	joinRef string // "" if it has not
}

// A wait is for a reply. If it is one to a join, the stay there begins with it.
type wait struct {
	reply chan reply
	joins int   // topic of the script's; -1 for other replies
	as    topic // that it is then
}

type reply struct {
	channels.Answer
	at int64
}

// A stamped is a message that its sender waits for.
type stamped struct {
	place string // "" for one that is owed to no one else
	seq   int32
}

// A sequence is the messages of a user over one channel to one place. They come in order.
type sequence struct {
	topic int // of the script's
	place string
}

func newUser(c *crew, n int) *user {
	return &user{
		crew:    c,
		scope:   &script.Scope{Script: c.script, N: n, Saved: make(map[string]json.RawMessage)},
		account: newAccount(),
		topics:  make([]topic, len(c.script.Topics)),
		waits:   make(map[string]*wait),
		copies:  make(map[stamped]chan int64),
		last:    make(map[sequence]int32),
		news:    make(chan struct{}, 1),
	}
}

// start begins a life, once the last one is over. Its join counts from the moment
// intended. It has a slot.
func (u *user) start(intended int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	before := u.ended
	rounds, rest := context.WithCancel(u.crew.ctx)
	u.resting, u.leaves, u.idled, u.ended = rest, make(chan struct{}), make(chan struct{}), make(chan struct{})
	l := &life{user: u, rounds: rounds, leaves: u.leaves, idled: u.idled, intended: intended, slot: true}
	ended := u.ended
	u.crew.active.Go(func() {
		defer close(ended)
		if before != nil {
			<-before
		}
		l.live()
	})
}

// rest ends the rounds after the step that is under way.
func (u *user) rest() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.resting != nil {
		u.resting()
	}
}

// stop ends the rounds likewise, and then the connection.
func (u *user) stop() {
	u.rest()
	u.mu.Lock()
	defer u.mu.Unlock()
	close(u.leaves)
}

// idle is closed when the user is not within its rounds.
func (u *user) idle() <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.idled == nil {
		none := make(chan struct{})
		close(none)
		return none
	}
	return u.idled
}

// A life is a user from its start to its stop, with all its connections.
type life struct {
	*user
	rounds   context.Context // ends when no more rounds are to be made
	leaves   chan struct{}
	idled    chan struct{}
	intended int64
	slot     bool
	joined   bool // once
	rested   bool // idled is closed
}

// backoff is how long a user waits before it tries to come back, as the official
// client does.
func backoff(tries int) time.Duration {
	steps := [...]time.Duration{10, 50, 100, 150, 200, 250, 500, 1000, 2000, 5000}
	return steps[min(tries, len(steps)-1)] * time.Millisecond
}

func (l *life) live() {
	defer l.settle()
	for tries := 0; ; tries++ {
		s, err := l.arrive()
		if err == nil {
			tries = 0
			err = l.stay(s)
			l.depart(s, err)
		} else if l.joined {
			l.crew.count(func(c *order.Counts) { c.Retries++ })
		}
		if !l.goesOn(err) {
			return
		}
		timer := time.NewTimer(backoff(tries))
		select {
		case <-timer.C:
		case <-l.leaves:
			timer.Stop()
			return
		case <-l.crew.ctx.Done():
			timer.Stop()
			return
		}
		l.intended = l.crew.now()
	}
}

// goesOn counts why a connection ended, and reports whether another one is made:
// who was never let in does not try again.
func (l *life) goesOn(err error) bool {
	if err == nil || l.crew.ctx.Err() != nil {
		return false
	}
	l.crew.fault(kind(err))
	return l.joined
}

// settle notes that the rounds are over.
func (l *life) settle() {
	if !l.rested {
		l.rested = true
		close(l.idled)
	}
}

// arrive connects and joins the topics.
func (l *life) arrive() (s *session, err error) {
	defer func() { l.arrived(err) }()
	if s, err = l.user.connect(); err != nil {
		return nil, err
	}
	for i, t := range l.crew.script.Topics {
		if t.Later {
			continue
		}
		outcome, err := l.user.join(s, i, t.Meter)
		if err == nil && outcome != "" {
			err = refused(t.As, outcome)
		}
		if err != nil {
			l.depart(s, err)
			return nil, err
		}
	}
	return s, nil
}

// arrived counts the first attempt.
func (l *life) arrived(err error) {
	c := l.crew
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.slot {
		l.slot = false
		<-c.slots
	}
	if err == nil {
		order.Observe(c.joinLatency, now-l.intended)
		if l.known {
			c.counts.Returned++
		} else {
			l.known = true
			c.joined++
			c.counts.Joined++
			c.lastJoin = max(c.lastJoin, now)
		}
		l.joined = true
	}
	if c.firstDial == 0 {
		c.firstDial = l.intended
	}
	if !l.tried {
		l.tried = true
		c.settleLocked()
	}
}

// stay goes through the steps until the user is told to go, which is no error.
func (l *life) stay(s *session) error {
	select {
	case <-l.crew.begin:
		if err := l.goRound(s); err != nil {
			return err
		}
		l.settle()
	case <-l.rounds.Done():
		l.settle()
	case <-s.gone:
		return s.err
	}
	select {
	case <-l.leaves:
		return nil
	case <-s.gone:
		return s.err
	case <-l.crew.ctx.Done():
		return nil
	}
}

// goRound makes the rounds.
func (l *life) goRound(s *session) error {
	script := l.crew.script
	for len(script.Steps) > 0 && (script.Rounds == 0 || l.scope.Round < script.Rounds) && l.rounds.Err() == nil {
		if l.crew.tickets != nil {
			select {
			case l.due = <-l.crew.tickets:
			case <-l.rounds.Done():
				return nil
			case <-s.gone:
				return s.err
			}
		}
		l.scope.Round++
		if err := l.goThrough(s, script.Steps); err != nil {
			return err
		}
	}
	if len(script.Steps) == 0 || script.Rounds == 0 {
		select {
		case <-l.rounds.Done():
		case <-s.gone:
			return s.err
		}
	}
	return nil
}

// depart ends a connection. err is why, nil if the user wanted to.
func (l *life) depart(s *session, err error) {
	grace := leaving
	if err != nil {
		grace = cutOff
	}
	l.mu.Lock()
	was := false
	for i := range l.topics {
		was = l.outLocked(i, grace) || was
	}
	clear(l.waits)
	clear(l.copies)
	clear(l.last)
	l.inbox = nil
	l.mu.Unlock()
	s.end(errStopped)
	<-s.gone
	l.crew.count(func(c *order.Counts) {
		c.Disconnected++
		if was && l.joined && !l.crew.stopping {
			c.Left++
			if err == nil {
				c.Gone++
			}
		}
	})
}

// A session is one connection.
type session struct {
	conn transport
	gone chan struct{} // closed when nothing more will come
	err  error         // why; to be read once gone is closed
	stop func() bool

	mu      sync.Mutex // guards the rest
	beat    *time.Timer
	why     error // that we ended it
	waiting bool  // for the answer to a heartbeat
}

// end hangs up. The first reason counts.
func (s *session) end(why error) {
	s.mu.Lock()
	if s.why == nil {
		s.why = why
	}
	s.mu.Unlock()
	s.conn.close()
}

// connect opens a transport, and reads from it from then on.
func (u *user) connect() (*session, error) {
	ctx, cancel := context.WithTimeoutCause(u.crew.ctx, joinTimeout, errors.New("not connected in 30 s"))
	defer cancel()
	conn, err := u.crew.open(ctx, u.crew.targets, u.crew.script, u.scope)
	if err != nil {
		return nil, err
	}
	s := &session{conn: conn, gone: make(chan struct{})}
	u.crew.count(func(c *order.Counts) { c.Connected++ })
	s.stop = context.AfterFunc(u.crew.ctx, func() { s.end(errStopped) })
	u.crew.active.Go(func() { u.read(s) })
	if conn.beats() {
		every := u.crew.script.Target.Heartbeat.Or(script.Time(30 * time.Second))
		first := every/2 + rand.N(every/2+1) // so that not all beat at a time
		s.mu.Lock()
		s.beat = time.AfterFunc(first, func() { u.heartbeat(s, every) })
		s.mu.Unlock()
	}
	return s, nil
}

// heartbeat sends one, or finds that the last was not answered.
func (u *user) heartbeat(s *session, every time.Duration) {
	s.mu.Lock()
	late := s.waiting
	s.waiting = true
	s.mu.Unlock()
	if late {
		s.end(errHeartbeat)
		return
	}
	data, _, err := encode(u.crew.script.Target.Vsn, channels.Message{Ref: u.nextRef(), Topic: "phoenix", Event: "heartbeat"})
	if err == nil && s.conn.send(data, false) == nil { // else the reader finds out
		s.mu.Lock()
		defer s.mu.Unlock()
		s.beat.Reset(every)
	}
}

func (u *user) nextRef() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ref++
	return strconv.Itoa(u.ref)
}

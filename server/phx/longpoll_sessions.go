package phx

import (
	"bytes"
	"cmp"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/server/token"
	"github.com/roost-rt/roost/server/wire"
)

const (
	pollSalt   = "phx long poll"
	pollMaxAge = 14 * 24 * time.Hour // of session tokens, spec §3.3
)

// pollSessions are the long-poll sessions of a mount.
type pollSessions struct {
	*services
	tokens      *token.Tokens
	window      time.Duration
	nodeTimeout time.Duration
	max         int
	poller      *poller.Poller // its backlog includes the sessions'
	pressed     atomic.Bool    // the backlog is full, and relieve is due
	sweeps      time.Duration  // from one look at who is owed too much to the next
	slow        atomic.Int64   // sessions that ended as slow consumers
	path        string         // of its requests
	others      *others        // nil without other nodes
	answerers   []*answerer    // one for each processor
	next        atomic.Uint32  // of them, round robin

	mu      sync.Mutex         // guards the rest
	places  int                // taken: by sessions, and by those that Connect is asked about
	taken   map[netip.Addr]int // of them, by household
	byID    map[string]*pollSession
	byToken map[string]*pollSession // as most requests have the token that the session made
	idle    *time.Timer             // calls checkIdle; nil without sessions
}

func newPollSessions(lent *services, path string, cfg LongPoll) *pollSessions {
	tokens, _ := token.New(lent.cfg.Secret, token.Config{MaxAge: pollMaxAge}) // Config.check has seen the error
	_, _ = tokens.Sign(pollSalt, "")                                          // derives the key, which takes its time: not on the loop
	return &pollSessions{
		services:    lent,
		tokens:      tokens,
		window:      cmp.Or(cfg.Window, 10*time.Second),
		nodeTimeout: cmp.Or(cfg.NodeTimeout, 2*time.Second),
		max:         cmp.Or(cfg.MaxSessions, 100_000),
		sweeps:      cmp.Or(lent.cfg.WriteTimeout, 10*time.Second) / 10,
		path:        path,
		answerers:   newAnswerers(lent),
		taken:       make(map[netip.Addr]int),
		byID:        make(map[string]*pollSession),
		byToken:     make(map[string]*pollSession),
	}
}

func (p *pollSessions) nextAnswerer() *answerer {
	return p.answerers[p.next.Add(1)%uint32(len(p.answerers))]
}

// seek returns the session whose token a request has, or where that session is, or the
// parameters of the query unless that is long. Clients put the token into a header or,
// up to 1.8.16, behind the parameters of the application. One of those may have the same
// name: the last one counts, and one that is no session token is just a parameter (spec
// §3.3). In a long query a token must not need escapes, and none does. last is the
// session of the request before, which may be the same, or nil.
func (p *pollSessions) seek(header, query []byte, last *pollSession) (*pollSession, *farSession, Params, error) {
	signed := header
	if len(header) == 0 {
		signed = lastToken(query)
	}
	if s := p.known(signed, last); s != nil {
		return s, nil, nil, nil
	}
	if len(query) > longQuery {
		s, far := p.find(string(signed))
		return s, far, nil, nil
	}
	params, err := wire.ParseQuery(string(query))
	if err != nil {
		return nil, nil, nil, err
	}
	if len(header) == 0 {
		signed = []byte(Params(params).String("token"))
	}
	if s, far := p.find(string(signed)); s != nil || far != nil {
		return s, far, nil, nil
	}
	return nil, nil, params, nil
}

// tokenField is the name of the header.
const tokenField = "x-phoenix-longpoll-token"

// has reports whether a request has the token of a session.
func (p *pollSessions) has(r *http.Request) bool {
	s, far, _, err := p.seek([]byte(r.Header.Get(tokenField)), []byte(r.URL.RawQuery), nil)
	return err == nil && (s != nil || far != nil)
}

// lastToken is the last parameter called token, as it stands in the query.
func lastToken(query []byte) []byte {
	for len(query) > 0 {
		i := bytes.LastIndexByte(query, '&')
		if value, found := bytes.CutPrefix(query[i+1:], []byte("token=")); found {
			return value
		}
		query = query[:max(i, 0)]
	}
	return nil
}

// known returns the session that has made a token itself, which need not be verified
// again, or nil.
func (p *pollSessions) known(signed []byte, last *pollSession) *pollSession {
	s := last
	if s == nil || s.polls != p || s.token != string(signed) {
		p.mu.Lock()
		s = p.byToken[string(signed)]
		p.mu.Unlock()
	}
	if s == nil || time.Since(p.started)-time.Duration(s.made)*time.Second > pollMaxAge {
		return nil
	}
	return s
}

// find returns the session of a token, or where that is, or neither. Other nodes hear
// nothing of a token that is not good.
func (p *pollSessions) find(signed string) (*pollSession, *farSession) {
	data, err := p.tokens.Verify(pollSalt, signed, pollMaxAge)
	if err != nil {
		return nil, nil
	}
	text, _ := data.(string)
	id, node, far := strings.Cut(text, "@")
	if far && p.others != nil && node != p.pubsub.Node() {
		return nil, &farSession{node: node, id: id, token: signed}
	}
	return p.byIDOf(id), nil
}

// sign makes the token of a session. Other nodes find this one by it.
func (p *pollSessions) sign(id string) string {
	if p.others != nil {
		id += "@" + p.pubsub.Node()
	}
	signed, _ := p.tokens.Sign(pollSalt, id) // a short string can be signed
	return signed
}

// byIDOf is the session of an id, or nil.
func (p *pollSessions) byIDOf(id string) *pollSession {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byID[id]
}

// reserve takes a place for one more session of a client, if there is one. No client
// has more than are free; see places.
func (p *pollSessions) reserve(client netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	free := p.max - p.places
	if free <= 0 || client.IsValid() && p.taken[client] >= free || p.draining.Load() {
		return false
	}
	p.places++
	p.taken[client]++
	return true
}

// release gives a place back.
func (p *pollSessions) release(client netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.places--
	if p.taken[client]--; p.taken[client] == 0 {
		delete(p.taken, client)
	}
}

// add makes a session known. It fails once the endpoint drains: nothing would end the
// session any more.
func (p *pollSessions) add(s *pollSession) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.draining.Load() {
		return false
	}
	p.byID[s.id], p.byToken[s.token] = s, s
	if p.idle == nil {
		p.idle = time.AfterFunc(p.patience(), p.checkIdle)
	}
	return true
}

func (p *pollSessions) remove(s *pollSession) {
	p.mu.Lock()
	delete(p.byID, s.id)
	delete(p.byToken, s.token)
	if len(p.byID) == 0 && p.idle != nil {
		p.idle.Stop()
		p.idle = nil
	}
	p.mu.Unlock()
}

// patience is how long after a GET the next one may come: spec §3.5, and by how
// much the answer to the first may be late.
func (p *pollSessions) patience() time.Duration { return p.window*3/2 + 200*time.Millisecond }

// checkIdle ends the sessions for which there was no GET for that long. It looks as
// often, like Phoenix, so the end comes within twice that. Timers of their own would
// take 150 bytes of each session.
func (p *pollSessions) checkIdle() {
	for _, s := range p.all() {
		s.checkIdle()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.idle != nil {
		p.idle.Reset(p.patience())
	}
}

// watchBacklog has relieve called in a while if the backlog is full.
func (p *pollSessions) watchBacklog() {
	if used, most := p.poller.Backlog(); used > most && p.pressed.CompareAndSwap(false, true) {
		time.AfterFunc(p.sweeps, p.relieve)
	}
}

// relieve ends the sessions whose clients let more wait than their share while the
// backlog is full, as long as it is: they have as much time as connections have to take
// something.
func (p *pollSessions) relieve() {
	for _, s := range p.all() {
		s.sweep(2 * p.sweeps)
	}
	p.pressed.Store(false)
	p.watchBacklog()
}

func (p *pollSessions) all() []*pollSession {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Values(p.byID))
}

// eachPolled calls do for the socket of every long-poll session.
func (ep *Endpoint) eachPolled(do func(*Socket)) {
	for _, p := range ep.polls {
		for _, s := range p.all() {
			do(s.socket)
		}
	}
}

// slowPolled is how many long-poll sessions ended as slow consumers.
func (ep *Endpoint) slowPolled() (n int) {
	for _, p := range ep.polls {
		n += int(p.slow.Load())
	}
	return n
}

// polled is how many long-poll sessions there are, those included that begin or
// have not quite ended.
func (ep *Endpoint) polled() (n int) {
	for _, p := range ep.polls {
		p.mu.Lock()
		n += p.places
		p.mu.Unlock()
	}
	return n
}

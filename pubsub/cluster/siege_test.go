package cluster

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roost-rt/roost/pubsub"
)

// An air carries what nodes say to those that listen, at once, and remembers it.
type air struct {
	mu      sync.Mutex
	conns   []*airConn
	said    []said
	loses   func(kind) bool // or nil
	refused int             // envelopes that were too large
}

// What was said is a subject and an envelope.
type said struct {
	subject string
	data    []byte
}

// An airConn is a node's connection.
type airConn struct {
	*air
	Session
	limit    int64 // bytes that it takes at once; 0 is any number
	subjects map[string]bool
}

// A carrier connects one node.
type airCarrier struct {
	*air
	limit int64
}

func (c airCarrier) Connect(s Session) (Conn, error) {
	n := &airConn{air: c.air, Session: s, limit: c.limit, subjects: make(map[string]bool)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns = append(c.conns, n)
	for _, subject := range s.Subjects {
		n.subjects[subject] = true
	}
	return n, nil
}

func (n *airConn) Publish(subject string, data []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.limit > 0 && int64(len(data)) > n.limit {
		n.refused++
		return pubsub.ErrTooLarge
	}
	n.said = append(n.said, said{subject, bytes.Clone(data)})
	if n.loses == nil || !n.loses(kind(data[kindAt])) {
		n.carryLocked(subject, data)
	}
	return nil
}

// carryLocked brings an envelope to all that listen, as whoever sent it hears it, too.
func (a *air) carryLocked(subject string, data []byte) {
	for _, n := range a.conns {
		if n.subjects[subject] {
			n.Receive(subject, bytes.Clone(data))
		}
	}
}

// say is what an outsider sends.
func (a *air) say(subject string, data []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.carryLocked(subject, data)
}

// lose says which envelopes are lost from now on.
func (a *air) lose(loses func(kind) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.loses = loses
}

func (n *airConn) Listen(subjects []string) error { return n.listen(subjects, true) }
func (n *airConn) Ignore(subjects []string) error { return n.listen(subjects, false) }

func (n *airConn) listen(subjects []string, on bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, subject := range subjects {
		n.subjects[subject] = on
	}
	return nil
}

func (*airConn) Flush(time.Duration) error { return nil }
func (*airConn) Renew() error              { return nil }
func (*airConn) Dropped(string) int        { return 0 }
func (n *airConn) Limit() int64            { return n.limit }

func (n *airConn) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns = slices.DeleteFunc(n.conns, func(other *airConn) bool { return other == n })
}

// A siege is three nodes, and somebody who sends what he likes to whom he likes.
type siege struct {
	*air
	t     *testing.T
	nodes []*besieged
	sent  int // broadcasts of each node to each topic
}

// A besieged node keeps the events that it has got, by topic.
type besieged struct {
	*Link
	mu  sync.Mutex
	got map[string][]string
}

func (n *besieged) deliver(m *pubsub.Message) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.got[m.Topic] = append(n.got[m.Topic], m.Event)
	return nil
}

// of are the events of another node to a topic, from a number on.
func (n *besieged) of(node, topic string, from int) (events []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.got[topic] {
		var number int
		if who, rest, _ := strings.Cut(e, " "); who != node || len(rest) != 6 {
			continue
		} else if _, err := fmt.Sscanf(rest, "%06d", &number); err == nil && number >= from {
			events = append(events, e)
		}
	}
	return events
}

var siegeTopics = []string{"room:1", "room:2", "room:3"}

func newSiege(t *testing.T, secret string) *siege {
	s := &siege{air: new(air), t: t}
	for _, name := range []string{"a", "b", "c"} {
		s.nodes = append(s.nodes, s.node(Config{Node: name, Secret: secret}, 0, siegeTopics[:1]))
	}
	for _, topic := range siegeTopics[1:] { // of a bucket of its own, it is sought
		for _, n := range s.nodes {
			n.Listen(topic)
		}
	}
	time.Sleep(time.Second)
	return s
}

// mostBesieged is how many others a node knows here: with so many as usual, an attack by
// more takes long.
const mostBesieged = 100

// node starts a node that listens to some topics.
func (s *siege) node(cfg Config, limit int64, topics []string) *besieged {
	cfg.Carrier, cfg.Logger = airCarrier{s.air, limit}, slog.New(slog.DiscardHandler)
	n := &besieged{got: make(map[string][]string), Link: New(cfg)}
	for _, topic := range topics {
		n.Listen(topic)
	}
	n.peers.most = mostBesieged
	if err := n.Start(n.deliver, func(pubsub.Gap) {}); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// talk has each node broadcast to each topic, some beats long.
func (s *siege) talk(beats int) {
	for range beats {
		for _, n := range s.nodes {
			for _, topic := range siegeTopics {
				s.tell(n, topic)
			}
		}
		s.sent++
		time.Sleep(5 * time.Second)
	}
}

func (s *siege) tell(n *besieged, topic string) {
	m := &pubsub.Message{Topic: topic, Event: fmt.Sprintf("%s %06d", n.Node(), s.sent), Payload: []byte("{}")}
	if err := n.Broadcast(m); err != nil {
		s.t.Errorf("Broadcast = %v", err)
	}
}

// wantAll checks that each node has got what the others have broadcast from a number on,
// once and in order.
func (s *siege) wantAll(from int) {
	s.t.Helper()
	for _, n := range s.nodes {
		for _, other := range s.nodes {
			for _, topic := range siegeTopics {
				if n == other {
					continue
				}
				var want []string
				for i := from; i < s.sent; i++ {
					want = append(want, fmt.Sprintf("%s %06d", other.Node(), i))
				}
				if got := n.of(other.Node(), topic, from); !slices.Equal(got, want) {
					s.t.Errorf("%s got of %s in %s %d events, %q, want %d: %q", n.Node(), other.Node(), topic, len(got), brief(got), len(want), brief(want))
				}
			}
		}
	}
}

func brief(all []string) []string { return all[:min(len(all), 12)] }

// recorded is what the nodes have said so far, one envelope of each kind and subject.
func (s *siege) recorded() (all []said) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := make(map[string]bool)
	for _, m := range slices.Backward(s.said) {
		if key := fmt.Sprint(m.subject, m.data[1]); !known[key] {
			known[key] = true
			all = append(all, said{m.subject, bytes.Clone(m.data)})
		}
	}
	return all
}

// takeSaid returns all that the nodes have said since it was called last.
func (a *air) takeSaid() (all []said) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all, a.said = a.said, nil
	return all
}

// forged are envelopes of a node, or what says to be one, of all kinds.
func (s *siege) forged(id uint64, name string, number uint64, payload []byte) (all []said) {
	for k := broadcast - 1; k <= kinds; k++ {
		e := envelope{kind: k, id: id, node: name, number: number, topic: "room:1", event: "forged", payload: payload}
		subjects := []string{s.nodes[0].all, s.nodes[0].Bucket("room:1")}
		for _, n := range s.nodes {
			subjects = append(subjects, n.subject(n.id), n.repairs(n.id))
		}
		for _, subject := range subjects {
			all = append(all, said{subject, e.encode()})
		}
	}
	return all
}

func (s *siege) sayAll(all []said) {
	for _, m := range all {
		s.say(m.subject, m.data)
	}
}

// An attack that is strict does no harm while it lasts, either, although nobody signs: it
// says nothing in the name of a node that it could have said itself.
type attack struct {
	name   string
	strict bool
	do     func(*siege)
}

var attacks = []attack{
	{"cut off", true, func(s *siege) {
		for _, m := range s.recorded() {
			for i := range m.data {
				if _, err := decode(m.data[:i]); err != nil {
					s.say(m.subject, m.data[:i])
				}
			}
		}
	}},
	{"a bit flipped", false, func(s *siege) {
		for _, m := range s.recorded() {
			for i := s.sent % 3; i < 8*len(m.data); i += 3 {
				m.data[i/8] ^= 1 << (i % 8)
				s.say(m.subject, m.data)
				m.data[i/8] ^= 1 << (i % 8)
			}
		}
	}},
	{"other versions", true, func(s *siege) {
		for _, m := range s.recorded() {
			for _, v := range []byte{0, 1, 3, 255} {
				m.data[0] = v
				s.say(m.subject, m.data)
			}
		}
	}},
	{"numbers", false, func(s *siege) {
		for _, n := range s.nodes {
			for _, number := range []uint64{0, 1, 1 << 62, 1<<62 + 1, math.MaxUint64} {
				for _, payload := range [][]byte{
					nil, bytes.Repeat([]byte{0xff}, verdictSize), make([]byte, verdictSize), make([]byte, questionSize), make([]byte, countSize),
					binary.AppendUvarint(nil, math.MaxUint64), binary.AppendUvarint(nil, 1<<31),
					appendRow(nil, row{bucketOf("room:1"), maxNumber, 0}), appendRow([]byte{0}, row{bucketOf("room:1"), maxNumber, 0}),
					bytes.Repeat([]byte{0x7f}, countSize), bytes.Repeat([]byte{0x3f}, verdictSize),
				} {
					s.sayAll(s.forged(n.id, n.Node(), number, payload))
				}
			}
		}
	}},
	{"a jump", false, func(s *siege) {
		for _, n := range s.nodes {
			for i := range uint64(20) {
				for _, m := range s.forged(n.id, n.Node(), 1<<60-i, []byte("{}")) {
					if m.data[1] == byte(broadcast) {
						s.say(m.subject, m.data)
					}
				}
			}
		}
	}},
	{"replays", true, func(s *siege) {
		s.mu.Lock()
		all := slices.DeleteFunc(slices.Clone(s.said), func(m said) bool { return m.data[1] == byte(direct) })
		s.mu.Unlock()
		for range 3 {
			s.sayAll(all)
			slices.Reverse(all)
		}
	}},
	{"our own id", true, func(s *siege) {
		for i, n := range s.nodes {
			for _, m := range s.forged(n.id, s.nodes[(i+1)%3].Node(), 1<<40, nil) {
				if m.subject == n.subject(n.id) || m.subject == n.repairs(n.id) {
					s.say(m.subject, m.data)
				}
			}
		}
	}},
	{"two of one name", true, func(s *siege) {
		for i := range uint64(100) {
			for _, n := range s.nodes {
				e := envelope{kind: []kind{join, beat, pulse}[i%3], id: 7 + i%2, node: n.Node(), payload: []byte{0}[:i%3/2]}
				s.say(n.all, e.encode())
			}
		}
	}},
	{"goodbyes", true, func(s *siege) {
		for _, n := range s.nodes {
			e := envelope{kind: leave, id: n.id, node: n.Node(), number: 1 << 50}
			s.say(n.all, e.encode())
		}
	}},
	{"editions", true, func(s *siege) {
		for _, n := range s.nodes {
			for _, k := range []kind{beat, answer, join} {
				e := envelope{kind: k, id: n.id, node: n.Node()} // of an older build
				s.say(n.all, e.encode())
				e.number = 1 << 60
				s.say(n.all, e.encode())
			}
			e := envelope{kind: pulse, id: n.id, node: n.Node(), number: 1 << 61, payload: []byte{0}}
			s.say(n.all, e.encode())
		}
	}},
	{"invented nodes", true, func(s *siege) {
		for i := range uint64(1000) {
			var table []byte
			for _, topic := range siegeTopics {
				table = appendRow(table, row{bucketOf(topic), 2 + i, time.Minute})
			}
			e := envelope{kind: join, id: 1<<32 + i, node: fmt.Sprint("invented ", i), number: i, payload: table}
			s.say(s.nodes[0].all, e.encode())
			if i%100 == 0 { // and the others go on
				time.Sleep(time.Millisecond)
			}
		}
	}},
	{"questions", true, func(s *siege) {
		for i := range uint64(500) {
			for _, n := range s.nodes {
				q := question{until: math.MaxUint64, bucket: bucketOf(siegeTopics[i%3]), age: math.MaxInt64}
				e := envelope{kind: again, id: 9, node: "curious"}
				q.put(&e)
				s.say(n.repairs(n.id), e.encode())
				e = envelope{kind: seek, id: 9, node: "curious", number: i, payload: appendBuckets(nil, []uint16{1, 2, 3})}
				s.say(n.all, e.encode())
			}
		}
	}},
}

// Whatever comes from other nodes, or from those who say to be some: no node falls over, or
// takes memory without end, and when it is over each hears the others as before. If they
// sign, or if nobody speaks in their names, they lose nothing while it lasts, and have
// nothing twice.
func TestSiege(t *testing.T) {
	for _, secret := range []string{"", "an example of a secret"} {
		for _, a := range attacks {
			t.Run(fmt.Sprintf("%s, signed %t", a.name, secret != ""), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newSiege(t, secret)
					s.talk(4)
					before := heap()
					a.do(s)
					if grown := heap() - before; grown > 64<<20 {
						t.Errorf("%d MiB more than before", grown>>20)
					}
					s.talk(3)
					a.do(s)
					time.Sleep(time.Minute)
					from := s.sent
					s.talk(10)
					if a.strict || secret != "" {
						from = 0
					}
					s.wantAll(from)
					for _, n := range s.nodes {
						n.Close()
						if got := n.Stats(); secret != "" && got.Missed+got.Dropped > 0 {
							t.Errorf("%s: Stats = %+v, want nothing lost", n.Node(), got)
						}
					}
				})
			})
		}
	}
}

// Nodes that somebody has invented do not keep out those that come later: they are
// forgotten once they have fallen silent.
func TestTooManyNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSiege(t, "")
		for i := range uint64(mostBesieged + 1) {
			e := envelope{kind: join, id: 1<<32 + i, node: fmt.Sprint("invented ", i)}
			s.say(s.nodes[0].all, e.encode())
		}
		time.Sleep(time.Millisecond)
		if n := len(s.nodes[0].Stats().Peers); n != mostBesieged {
			t.Errorf("%d nodes are known, want %d", n, mostBesieged)
		}
		late := s.node(Config{Node: "late"}, 0, siegeTopics)
		s.nodes = append(s.nodes, late)
		s.talk(6)
		from := s.sent
		s.talk(4)
		s.wantAll(from)
		for _, n := range s.nodes {
			if got := n.Stats().Peers; len(got) != 3 {
				t.Errorf("%s knows %d nodes, %q, want the 3 others", n.Node(), len(got), brief(got))
			}
		}
		for _, n := range s.nodes {
			n.Close()
		}
	})
}

// What is said in the name of a node about editions is forgotten with its next pulse: it
// is asked for its table when something is missing, and whole tables are not sent for ever.
func TestForgedEdition(t *testing.T) {
	for what, forged := range map[string]envelope{
		"beyond all":       {kind: pulse, number: 1 << 61, payload: []byte{0}},
		"an older build's": {kind: beat},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSiege(t, "")
				a, b := s.nodes[0], s.nodes[1]
				s.talk(4)
				forged.id, forged.node = a.id, a.Node()
				s.say(a.all, forged.encode())
				s.talk(2)
				s.takeSaid()
				s.talk(2)
				if slices.ContainsFunc(s.takeSaid(), func(m said) bool { return m.data[kindAt] == byte(beat) }) {
					t.Error("a whole table is sent with a beat, want pulses")
				}
				from := s.sent
				s.lose(func(kind) bool { return true })
				s.tell(a, "room:1")
				s.sent++
				time.Sleep(30 * time.Second) // no pulse tells of it any more
				s.lose(nil)
				time.Sleep(time.Minute)
				if got := b.of("a", "room:1", from); len(got) != 1 {
					t.Errorf("b got %q, want what it has missed", got)
				}
				for _, n := range s.nodes {
					n.Close()
				}
			})
		})
	}
}

// Who holds broadcasts counts all that is in them, and does not move all others for one
// that comes last, whatever its number.
func TestHeldIsBounded(t *testing.T) {
	var s sequence
	s.beginRepair()
	s.next = 1
	const room = 1 << 20
	e := envelope{kind: broadcast, topic: string(make([]byte, 100_000)), event: string(make([]byte, 100_000))}
	for e.number = 2; e.number < 100; e.number++ {
		s.take(&e, room, time.Time{})
	}
	if n := len(s.held); n == 0 || n > 5 {
		t.Errorf("%d broadcasts of 200 kB are held in 1 MiB", n)
	}
	s = sequence{next: 1}
	s.beginRepair()
	for e = (envelope{kind: broadcast, number: 1 << 14}); e.number > 1; e.number-- {
		s.take(&e, math.MaxInt, time.Time{})
	}
	if n := len(s.held); n > disorder+1 {
		t.Errorf("%d broadcasts in the reverse order are held, want %d", n, disorder+1)
	}
}

// A node that owes many answers sends its own messages between them, and one to each
// question, however often it was asked.
func TestAnswersDoNotHoldUpMessages(t *testing.T) {
	l := New(Config{Logger: slog.New(slog.DiscardHandler)})
	conn := &airConn{air: new(air)}
	l.conn, l.up = conn, true
	l.outbox.setOpen(true)
	for i := range uint64(100) {
		e := envelope{kind: again, id: i}
		(&question{bucket: 1}).put(&e)
		l.note(&e)
		l.note(&e)
	}
	if err := l.Broadcast(&pubsub.Message{Topic: "room:1"}); err != nil {
		t.Fatal(err)
	}
	said := func() (haves, broadcasts int) {
		for _, m := range conn.said {
			switch kind(m.data[kindAt]) {
			case have:
				haves++
			case broadcast:
				broadcasts++
			}
		}
		return haves, broadcasts
	}
	s := sender{Link: l}
	s.work()
	if haves, broadcasts := said(); haves != repairBudget || broadcasts != 1 {
		t.Errorf("%d answers and %d messages leave at first, want %d and 1", haves, broadcasts, repairBudget)
	}
	for range 100 {
		select {
		case <-l.outbox.wake:
			s.work()
		default:
		}
	}
	if haves, _ := said(); haves != 100 {
		t.Errorf("%d answers, want one to each of 100", haves)
	}
}

// heap is how many bytes are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

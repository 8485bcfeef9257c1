package cluster

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A pair is a node that sends, and another node's view of it, with a lossy network between
// them.
type pair struct {
	*rand.Rand
	t      *testing.T
	outbox *outbox
	peers  *peers
	lossy  bool

	topics []string
	from   map[uint16]uint64   // number of the first broadcast that has to come, by bucket
	got    map[uint16][]uint64 // that came since
	tables int                 // whole ones that were asked for
	rows   int                 // in pulses
}

func newPair(t *testing.T, seed uint64) *pair {
	w := &pair{
		Rand: rand.New(rand.NewPCG(seed, 0)), t: t, outbox: newOutbox(1<<20, 1<<20), lossy: true,
		peers: &peers{
			beat: 5 * time.Second, maxWait: time.Hour, maxBytes: 1 << 20, window: time.Hour, most: maxPeers,
			byID: make(map[uint64]*peer), ears: make(map[uint16]ear), open: make(map[place]struct{}),
		},
		from: make(map[uint16]uint64), got: make(map[uint16][]uint64),
	}
	w.outbox.setOpen(true)
	for i := range 8 {
		w.topics = append(w.topics, fmt.Sprint("room:", i))
	}
	return w
}

func (w *pair) topic() string { return w.topics[w.IntN(len(w.topics))] }

func (w *pair) lost() bool { return w.lossy && w.IntN(2) == 0 }

// answered reports whether neither a question nor its answer is lost.
func (w *pair) answered() bool {
	asked, told := !w.lost(), !w.lost()
	return asked && told
}

// publish sends one broadcast.
func (w *pair) publish(topic string) {
	e := envelope{kind: broadcast, id: 1, node: "a", topic: topic}
	if _, err := w.outbox.put(letter{kind: broadcast, bucket: bucketOf(topic), data: e.encode(), since: time.Now()}, true); err != nil {
		w.t.Fatal(err)
	}
}

// beat announces that the node is still here.
func (w *pair) beat() {
	e := envelope{kind: pulse, id: 1, node: "a"}
	w.outbox.putNotice(letter{kind: pulse, data: e.encode(), since: time.Now()}, math.MaxInt)
}

// carry has the network take some of what waits, and lose some of that.
func (w *pair) carry(most int) {
	for range most {
		l, ok := w.outbox.head()
		if !ok {
			return
		}
		w.outbox.pop(true, l.data)
		if _, listens := w.from[l.bucket]; !w.lost() && (l.kind == pulse || listens) {
			w.hear(l.data)
		}
	}
}

// lose has the network lose what waits.
func (w *pair) lose() {
	for l, ok := w.outbox.head(); ok; l, ok = w.outbox.head() {
		w.outbox.pop(true, l.data)
	}
}

// hear does what the other node does with an envelope.
func (w *pair) hear(data []byte) {
	e, err := decode(data)
	if err != nil {
		w.t.Fatal(err)
	}
	if e.kind == pulse {
		w.rows += len(e.rows)
	}
	h := w.peers.hear(&e, time.Now())
	if h.due {
		w.deliver(&e)
	}
	if h.behind {
		w.tables++
		w.answer()
	}
	w.catchUp(&h.news)
}

func (w *pair) catchUp(n *news) {
	if n.lost > 0 {
		w.t.Errorf("%d broadcasts are given up, want all: they are kept", n.lost)
	}
	for i := range n.ready {
		w.deliver(&n.ready[i])
	}
	if !n.asks || w.lost() {
		return
	}
	v, part := w.outbox.look(n.question, time.Now())
	e := envelope{kind: have, id: 1, node: "a"}
	v.put(&e)
	w.hear(e.encode())
	for _, l := range part {
		if !w.lost() {
			w.hear(l.data)
		}
	}
}

func (w *pair) deliver(e *envelope) { w.got[e.bucket] = append(w.got[e.bucket], e.number) }

// answer sends the whole table, as after a join.
func (w *pair) answer() {
	e := envelope{kind: answer, id: 1, node: "a"}
	rows, edition := w.outbox.table()
	e.payload, e.number = pieces(rows, math.MaxInt)[0], edition
	if w.answered() {
		w.hear(e.encode())
	}
}

// listen begins to listen to a topic, and asks where the other is there.
func (w *pair) listen(topic string) {
	b := bucketOf(topic)
	if _, listens := w.from[b]; listens {
		return
	}
	w.peers.listen(map[uint16]time.Time{b: time.Now()})
	w.from[b] = w.outbox.buckets[b].put + 1
	if w.IntN(2) == 0 { // and it leaves before the carrier knows
		w.publish(topic)
		w.lose()
	}
	w.found(w.peers.listening([]uint16{b}, time.Now()), b)
}

// found answers a seek.
func (w *pair) found(number uint64, b uint16) {
	e := envelope{kind: found, id: 1, node: "a", number: number, payload: pieces(w.outbox.rows([]uint16{b}), math.MaxInt)[0]}
	if w.answered() {
		w.hear(e.encode())
	}
}

func (w *pair) ignore(topic string) {
	b := bucketOf(topic)
	w.peers.ignore([]uint16{b})
	delete(w.from, b)
	delete(w.got, b)
}

// chase asks again for what is missing.
func (w *pair) chase() {
	for _, at := range w.peers.troubled() {
		n := w.peers.chase(at, time.Now())
		w.catchUp(&n)
	}
}

// The network may lose any broadcasts, pulses, tables, questions and answers. Once it
// loses no more, a few beats bring everything that was sent since the node listens, in
// order.
func TestPulsesConverge(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			w := newPair(t, seed)
			for range 200 {
				time.Sleep(time.Duration(w.IntN(2000)) * time.Millisecond)
				switch w.IntN(8) {
				case 0, 1, 2:
					w.publish(w.topic())
				case 3:
					w.beat()
				case 4:
					w.chase()
				case 5:
					w.listen(w.topic())
				case 6:
					if w.IntN(4) == 0 {
						w.ignore(w.topic())
					}
				}
				w.carry(w.IntN(4))
			}
			w.lossy = false
			for range 4 {
				time.Sleep(w.peers.beat)
				w.beat()
				w.carry(math.MaxInt)
				for range 4 {
					time.Sleep(askEvery)
					w.chase()
				}
			}
			for b, from := range w.from {
				got, want := w.got[b], w.outbox.buckets[b].put
				if len(got) > 0 {
					from = min(from, got[0]) // which was under way
				}
				for i := range want + 1 - from {
					if i >= uint64(len(got)) || got[i] != from+i {
						t.Errorf("seed %d, bucket %d: got %v, want %d to %d", seed, b, got, from, want)
						break
					}
				}
			}
		})
	}
}

// A node asks for a table if it begins to listen to a bucket and misses the answer, or if
// it may have missed a change, and never otherwise, however long nothing changes.
func TestTablesAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPair(t, 1)
		w.lossy = false
		pulses := func(n, tables int) {
			t.Helper()
			for range n {
				time.Sleep(w.peers.beat)
				w.beat()
				w.carry(math.MaxInt)
				w.chase()
			}
			if w.tables != tables {
				t.Errorf("%d tables asked for, want %d", w.tables, tables)
			}
		}
		w.answer()
		pulses(20, 0)
		w.listen("room:1")
		w.publish("room:1")
		pulses(20, 0)
		if w.rows != repeats {
			t.Errorf("%d rows told, want the one that changed %d times", w.rows, repeats)
		}
		for range 2 * repeats { // and nothing has changed
			w.beat()
		}
		w.lose()
		pulses(20, 0)

		w.peers.listening([]uint16{bucketOf("room:2")}, time.Now())
		pulses(20, 1)

		w.publish("room:1")
		w.beat()
		w.answer() // which overtakes both
		for range repeats - 1 {
			w.beat()
		}
		w.lose()
		pulses(20, 2)
		if got := len(w.got[bucketOf("room:1")]); got < 2 || uint64(got) != w.outbox.buckets[bucketOf("room:1")].put {
			t.Errorf("%d broadcasts came, want all", got)
		}
	})
}

// The answer to a seek tells at once what was sent after a subscriber came and before the
// carrier brings it. If that answer is lost, the node does not conclude that nothing was
// sent, and what was sent before the subscriber came does not come.
func TestFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPair(t, 1)
		w.lossy = false
		topics := []string{"room:1", "room:2", "room:3"}
		for _, topic := range topics {
			w.publish(topic)
			w.publish(topic)
		}
		w.lose()
		w.answer()
		time.Sleep(time.Second)
		for i, topic := range topics {
			b := bucketOf(topic)
			w.from[b] = 3
			w.peers.listen(map[uint16]time.Time{b: time.Now()})
			w.publish(topic)
			w.lose()
			number := w.peers.listening([]uint16{b}, time.Now())
			if i != 1 { // that is lost
				w.found(number, b)
			}
		}
		time.Sleep(settle)
		w.chase()
		if got := w.got[bucketOf("room:1")]; !slices.Equal(got, []uint64{3}) {
			t.Errorf("got %v, want 3, which the answer tells of", got)
		}
		w.publish("room:2")
		w.carry(1)
		if got := w.got[bucketOf("room:2")]; !slices.Equal(got, []uint64{3, 4}) {
			t.Errorf("got %v, want 3 and 4: nobody has told of those before", got)
		}
	})
}

// Beats are whole tables while a node is here whose build knows no editions.
func TestOlderBuilds(t *testing.T) {
	w := newPair(t, 1)
	for _, c := range []struct {
		kind   kind
		number uint64 // the edition
		want   bool
	}{{join, 0, true}, {broadcast, 1, true}, {beat, 0, true}, {join, 1, false}, {answer, 0, true}, {leave, 0, false}} {
		e := envelope{kind: c.kind, id: 2, node: "b", number: c.number}
		w.peers.hear(&e, time.Now())
		if got := w.peers.needWhole(); got != c.want {
			t.Errorf("after kind %d of edition %d: needWhole = %t, want %t", c.kind, c.number, got, c.want)
		}
	}
}

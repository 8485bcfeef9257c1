package phx

import (
	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/wire"
)

// turnBudget is how many jobs a channel does before others have their turn.
const turnBudget = 16

// A mailbox is the work of one channel, done one job at a time, in order. It
// owns no goroutine: the first job asks the pool for a turn. It is guarded by
// Channel.mu.
type mailbox struct {
	last  *job  // whose next is the first: a ring, as every channel pays for each word here
	n     int32 // of jobs, and one for the claim while a turn is queued or running
	bytes int32 // of the messages and broadcasts in it
}

// mailboxBytes is how many bytes of messages may wait before no more are taken,
// but for one message of any size.
const mailboxBytes = 16 << 20

// full reports whether a message must not be pushed any more.
func (m *mailbox) full(max int) bool { return m.len() >= max || m.bytes >= mailboxBytes }

// len is how many jobs wait.
func (m *mailbox) len() int { return max(int(m.n)-1, 0) } // without the claim there are none

// A job is something for a channel's callbacks.
type job struct {
	next    *job
	kind    jobKind
	message wire.Message // of jobJoin, jobMessage and jobLeave; owned
	body    any          // of the others; of jobJoin the *Channel to be replaced
}

// size is the payload of a message or broadcast in bytes.
func (j *job) size() int32 {
	switch b := j.body.(type) {
	case *pubsub.Message:
		return int32(len(b.Payload))
	case *Broadcast:
		return int32(len(b.Payload.body.Data))
	}
	return int32(len(j.message.Payload.Data))
}

type jobKind uint8

const (
	jobJoin      jobKind = iota
	jobMessage           // a client message
	jobLeave             // phx_leave
	jobOut               // an intercepted broadcast: *pubsub.Message
	jobInfo              // what Channel.Send was given
	jobTerminate         // the connection has ended: Reason
	jobHandOver          // another join takes the place: *handOver
)

// push appends a job and reports whether the caller has to ask for a turn.
func (m *mailbox) push(j *job) (ask bool) {
	if m.last == nil {
		j.next = j
	} else {
		j.next, m.last.next = m.last.next, j
	}
	m.last = j
	m.bytes += j.size()
	ask = m.n == 0
	if ask {
		m.n++ // the claim
	}
	m.n++
	return ask
}

// pop takes the first job, or drops the claim when there is none.
func (m *mailbox) pop() *job {
	if m.last == nil {
		m.n = 0
		return nil
	}
	j := m.last.next
	if j == m.last {
		m.last = nil
	} else {
		m.last.next = j.next
	}
	j.next = nil
	m.n--
	m.bytes -= j.size()
	return j
}

// takeMessages takes the client messages out and leaves the other jobs, each in
// their order.
func (m *mailbox) takeMessages() (messages *job) {
	tail := &messages
	for range m.len() {
		j := m.pop()
		if j.kind == jobMessage || j.kind == jobLeave {
			*tail, tail = j, &j.next
		} else {
			m.push(j) // there is a claim: turns are what calls this
		}
	}
	return messages
}

// clear drops all jobs. The claim stays with the turn that has it.
func (m *mailbox) clear() { m.last, m.n, m.bytes = nil, min(m.n, 1), 0 }

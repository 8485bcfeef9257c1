package phx

import "github.com/roost-rt/roost/server/wire"

// turnBudget is how many jobs a channel does before others have their turn.
const turnBudget = 16

// A mailbox is the work of one channel, done one job at a time, in order. It
// owns no goroutine: the first job asks the pool for a turn. It is guarded by
// Channel.mu.
type mailbox struct {
	first, last *job
	n           int32
	bytes       int32 // of the messages in it
	claimed     bool  // a turn is queued or running
}

// mailboxBytes is how many bytes of messages may wait before no more are taken,
// but for one message of any size.
const mailboxBytes = 16 << 20

// full reports whether a message must not be pushed any more.
func (m *mailbox) full(max int) bool { return int(m.n) >= max || m.bytes >= mailboxBytes }

// A job is something for a channel's callbacks.
type job struct {
	next    *job
	kind    jobKind
	message wire.Message // of jobJoin, jobMessage and jobLeave; owned
	body    any          // of the others; of jobJoin the *Channel to be replaced
}

// size is the payload of a client's message in bytes.
func (j *job) size() int32 { return int32(len(j.message.Payload.Data)) }

type jobKind uint8

const (
	jobJoin      jobKind = iota
	jobMessage           // a client message
	jobLeave             // phx_leave
	jobOut               // an intercepted broadcast: *pubsub.Message
	jobInfo              // what Channel.Send was given
	jobTerminate         // the connection has ended: Reason
	jobHandOver          // another join takes the place: *Channel
)

// push appends a job and reports whether the caller has to ask for a turn.
func (m *mailbox) push(j *job) (ask bool) {
	if m.last == nil {
		m.first = j
	} else {
		m.last.next = j
	}
	m.last = j
	m.n++
	m.bytes += j.size()
	ask = !m.claimed
	m.claimed = true
	return ask
}

// pop takes the first job, or drops the claim when there is none.
func (m *mailbox) pop() *job {
	j := m.first
	if j == nil {
		m.claimed = false
		return nil
	}
	m.first, j.next = j.next, nil
	if m.first == nil {
		m.last = nil
	}
	m.n--
	m.bytes -= j.size()
	return j
}

// takeMessages takes the client messages out and leaves the other jobs, each in
// their order.
func (m *mailbox) takeMessages() (messages *job) {
	all := m.first
	m.clear()
	tail := &messages
	for j := all; j != nil; {
		next := j.next
		j.next = nil
		if j.kind == jobMessage || j.kind == jobLeave {
			*tail, tail = j, &j.next
		} else {
			m.push(j) // there is a claim: turns are what calls this
		}
		j = next
	}
	return messages
}

// clear drops all jobs. The claim stays with the turn that has it.
func (m *mailbox) clear() { m.first, m.last, m.n, m.bytes = nil, nil, 0, 0 }

package phx

import (
	"github.com/roost-rt/roost/poller/lane"
	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/wire"
)

// mailboxBytes is how many bytes of messages may wait before no more are taken, except
// for one message of any size.
const mailboxBytes = 16 << 20

// jobOverhead is the memory that a job needs beside the bytes of its client or publisher,
// for the job itself and its place in the mailbox.
const jobOverhead = 192

// A mailbox holds the jobs that wait for the callbacks of one channel. Its lock guards it.
type mailbox = lane.Lane[job]

// A job is something for a channel's callbacks.
type job interface {
	do(ch *Channel) // turn only
	bytes() int     // what it holds
}

// mailboxRoom is how many bytes of messages each mailbox has room for, however full
// others are.
const mailboxRoom = 64 << 10

// full reports whether a message must not be pushed any more.
func full[J any](l *lane.Lane[J], max int) bool {
	return l.Len() >= max || l.Bytes() >= mailboxBytes
}

// crowded reports whether the mailboxes of all clients hold too much for one to
// hold so many bytes.
func (lent *services) crowded(bytes int) bool {
	return bytes > mailboxRoom && lent.overfull()
}

// overfull reports whether mailboxes hold too much to keep jobs that no client waits for.
// A client that has hung up leaves such jobs, and could come again and leave more.
func (lent *services) overfull() bool {
	return lent.workers.Held() >= int64(lent.cfg.MailboxesMax)
}

// shared reports whether a job holds no more than others do: a broadcast, which is
// there once for all who get it, or a message of the server's own.
func shared(j job) bool {
	switch j.(type) {
	case outJob, infoJob:
		return true
	}
	return false
}

type (
	// joinJob is the first of every channel.
	joinJob struct {
		message  wire.Message // owned, until it is answered
		replaces *Channel     // whose place the channel takes, or nil; until it is answered
	}
	messageJob  struct{ wire.Message }    // a client message; owned
	leaveJob    struct{ wire.Message }    // phx_leave; owned
	outJob      struct{ *pubsub.Message } // an intercepted broadcast
	infoJob     struct{ msg any }         // what Channel.Send was given
	handOverJob struct{ *handOver }       // another join takes the place

	// endJob is behind the last message of a client whose connection has ended.
	endJob struct {
		why   Reason
		again bool // it has let others pass
	}
)

func (j *joinJob) bytes() int    { return messageBytes(&j.message) }
func (j *messageJob) bytes() int { return messageBytes(&j.Message) }
func (j *leaveJob) bytes() int   { return messageBytes(&j.Message) }
func (j outJob) bytes() int      { return jobOverhead + len(j.Topic) + len(j.Event) + len(j.Payload) }
func (j infoJob) bytes() int     { return infoBytes(j.msg) }
func (j *endJob) bytes() int     { return jobOverhead }
func (j handOverJob) bytes() int { return jobOverhead }

// messageBytes counts every part: a client may make any of them the large one.
func messageBytes(m *wire.Message) int {
	return jobOverhead + len(m.JoinRef) + len(m.Ref) + len(m.Topic) + len(m.RawTopic) + len(m.Event) + len(m.Payload.Data)
}

// infoBytes returns the size of a message of the server's own, as far as it is known.
func infoBytes(msg any) int {
	if b, ok := msg.(*Broadcast); ok {
		return broadcastBytes(b)
	}
	return jobOverhead
}

func broadcastBytes(b *Broadcast) int {
	return jobOverhead + len(b.Topic) + len(b.Event) + len(b.Payload.body.Data)
}

// takeMessages takes the client messages out of the mailbox.
func (ch *Channel) takeMessages() *mailbox {
	taken := new(mailbox)
	ch.mailbox.Take(taken, isMessage)
	return taken
}

// messageOf is the client message of a job for which isMessage.
func messageOf(j job) wire.Message {
	if leave, ok := j.(*leaveJob); ok {
		return leave.Message
	}
	return j.(*messageJob).Message
}

func isMessage(j job) bool {
	switch j.(type) {
	case *messageJob, *leaveJob:
		return true
	}
	return false
}

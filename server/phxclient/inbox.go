package phxclient

import (
	"context"
	"errors"
	"iter"
)

var errSlow = errors.New("too much waited to be read")

// Messages yields the messages of the server, except replies, with [Joined] and [Lost]
// in their places among them. It ends when the context is done, or when the channel has
// ended and everything is read.
//
// Call it before Join to miss nothing: messages before the first call are dropped. From
// then on messages wait until they are read, within Config.InboxMax; beyond that they are
// dropped, and the channel joins again. Several readers share the messages: each message
// goes to one of them.
func (ch *Channel) Messages(ctx context.Context) iter.Seq[Message] {
	ch.client.mu.Lock()
	defer ch.client.mu.Unlock()
	ch.listens = true
	return func(yield func(Message) bool) {
		for {
			m, ok := ch.next(ctx)
			if !ok || !yield(m) {
				return
			}
		}
	}
}

// next waits for a message.
func (ch *Channel) next(ctx context.Context) (Message, bool) {
	for ctx.Err() == nil {
		m, ok, last := ch.take()
		if ok || last {
			return m, ok
		}
		select {
		case <-ch.more:
		case <-ch.over:
		case <-ctx.Done():
		}
	}
	return Message{}, false
}

// take takes the first message. The last is there, or was, when the channel has ended.
func (ch *Channel) take() (m Message, ok, last bool) {
	ch.client.mu.Lock()
	defer ch.client.mu.Unlock()
	last = ch.state == ended
	if len(ch.inbox) == 0 {
		return m, false, last
	}
	m, ch.inbox[0] = ch.inbox[0], Message{}
	ch.inbox = ch.inbox[1:]
	ch.size -= m.size()
	if len(ch.inbox) > 0 {
		ch.moreUp() // for others who read
	}
	return m, true, last
}

// deliverLocked puts a message in the inbox. If there is no room, it drops all messages
// and the channel joins again, so that no one mistakes a part for the whole.
func (ch *Channel) deliverLocked(m Message) {
	if !ch.listens {
		return
	}
	if ch.size > 0 && ch.size+m.size() > ch.client.cfg.InboxMax {
		ch.inbox, ch.size = nil, 0
		if ch.state == joined {
			ch.leaveLocked()
			ch.retryLocked(errSlow)
			return
		}
	}
	ch.inbox = append(ch.inbox, m)
	ch.size += m.size()
	ch.moreUp()
}

func (ch *Channel) moreUp() {
	select {
	case ch.more <- struct{}{}:
	default: // somebody looks already
	}
}

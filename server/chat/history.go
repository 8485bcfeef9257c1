package chat

import (
	"bytes"
	"container/list"
	"encoding/json"
	"sync"
	"time"
)

// What a history remembers at most; what is beyond it goes, the oldest first.
const (
	historyRooms    = 256
	historyMessages = 50      // of each room
	historyBytes    = 4 << 10 // of one message; a longer one is not kept
)

// A history keeps the last sayings in the rooms, on this node alone. Several goroutines
// may use it.
type history struct {
	mu    sync.Mutex
	rooms map[string]*list.Element // of *past, by topic
	order list.List                // the room that was last spoken in comes first
}

type past struct {
	topic    string
	messages []saying // the oldest first
}

// A saying is a message and when it was said, in milliseconds since 1970.
type saying struct {
	At      int64           `json:"at"`
	Message json.RawMessage `json:"message"`
}

// add keeps a copy of the message.
func (h *history) add(topic string, message []byte) {
	if len(message) > historyBytes {
		return
	}
	said := saying{time.Now().UnixMilli(), bytes.Clone(message)}
	h.mu.Lock()
	defer h.mu.Unlock()
	room := h.room(topic)
	if len(room.messages) == historyMessages {
		room.messages = room.messages[1:]
	}
	room.messages = append(room.messages, said)
}

// room finds the room or makes it, in place of the one that has been silent for
// longest if there are too many.
func (h *history) room(topic string) *past {
	if known := h.rooms[topic]; known != nil {
		h.order.MoveToFront(known)
		return known.Value.(*past)
	}
	if h.rooms == nil {
		h.rooms = make(map[string]*list.Element)
	}
	if len(h.rooms) == historyRooms {
		silent := h.order.Remove(h.order.Back()).(*past)
		delete(h.rooms, silent.topic)
	}
	made := &past{topic: topic}
	h.rooms[topic] = h.order.PushFront(made)
	return made
}

// of returns the sayings on the topic, the oldest first.
func (h *history) of(topic string) []saying {
	h.mu.Lock()
	defer h.mu.Unlock()
	known := h.rooms[topic]
	if known == nil {
		return []saying{}
	}
	return append([]saying{}, known.Value.(*past).messages...)
}

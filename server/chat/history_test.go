package chat

import (
	"fmt"
	"strings"
	"testing"
)

func TestHistoryIsBounded(t *testing.T) {
	var h history
	for i := range 2 * historyMessages {
		h.add("room:a", fmt.Appendf(nil, `{"n":%d}`, i))
	}
	said := h.of("room:a")
	if len(said) != historyMessages {
		t.Fatalf("%d messages are kept, want %d", len(said), historyMessages)
	}
	first, last := string(said[0].Message), string(said[len(said)-1].Message)
	if first != `{"n":50}` || last != `{"n":99}` {
		t.Errorf("from %s to %s are kept, want the last ones", first, last)
	}

	h.add("room:b", []byte(`"`+strings.Repeat("x", historyBytes)+`"`))
	if said := h.of("room:b"); len(said) != 0 {
		t.Errorf("a message of %d bytes is kept", len(said[0].Message))
	}

	for i := range historyRooms {
		h.add("room:a", []byte(`{}`)) // never silent
		h.add(fmt.Sprintf("room:%d", i), []byte(`{}`))
	}
	if len(h.rooms) != historyRooms || h.order.Len() != historyRooms {
		t.Errorf("%d rooms are kept in a list of %d, want %d", len(h.rooms), h.order.Len(), historyRooms)
	}
	if len(h.of("room:0")) != 0 || len(h.of("room:a")) == 0 {
		t.Error("the room that was silent for longest was not the one that went")
	}
}

// What comes later must not change what was told before.
func TestHistoryIsCopied(t *testing.T) {
	var h history
	message := []byte(`{"n":1}`)
	h.add("room:a", message)
	before := h.of("room:a")
	copy(message, `{"n":2}`)
	for range historyMessages {
		h.add("room:a", []byte(`{}`))
	}
	if got := string(before[0].Message); got != `{"n":1}` {
		t.Errorf("got %s", got)
	}
}

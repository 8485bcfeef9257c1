package chat

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/roost-rt/roost/server/phx"
)

// Boards is the example of collaboration: whoever joins board:NAME sees the
// others' pointers move.
//
//	join     {"name": …} is answered with {"id": …}
//	people   all who are on the board, to the newcomer
//	enter    a newcomer, to the others
//	leave    {"id": …}, to the others, however the connection ended
//	move     binary, big endian: x and y as uint16, 0 to 65535 across the board.
//	         The others get the mover's id, a uint32, before them
//
// A board exists as long as somebody is on it.
type Boards struct {
	mu     sync.Mutex // guards the rest
	lastID uint32
	boards map[string][]*pointer // by topic, who came first first
}

type pointer struct {
	ID   uint32 `json:"id"`
	Name string `json:"name"`
	X    uint16 `json:"x"`
	Y    uint16 `json:"y"`
}

// maxPointers is how many may be on one board: each sends to all.
const maxPointers = 50

// NewBoards has no boards yet.
func NewBoards() *Boards { return &Boards{boards: make(map[string][]*pointer)} }

// Type is the channel of board:*.
func (b *Boards) Type() *phx.ChannelType {
	return &phx.ChannelType{
		Join:      phx.On(b.join),
		Info:      b.enter,
		In:        phx.Events{"move": b.move},
		Terminate: b.leave,
	}
}

type newcomer struct {
	Name string `json:"name"`
}

func (n newcomer) Validate() error { return checkText("name", n.Name, 32) }

// join takes a place on the board. Telling the others has to wait until the join
// is answered: enter does.
func (b *Boards) join(ch *phx.Channel, n newcomer) (any, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	board := b.boards[ch.Topic()]
	if len(board) >= maxPointers {
		return nil, phx.Errorf("the board is full")
	}
	if err := ch.Send(nil); err != nil { // before taking the place: only who has joined leaves
		return nil, err
	}
	b.lastID++
	me := &pointer{ID: b.lastID, Name: n.Name, X: 1 << 15, Y: 1 << 15}
	b.boards[ch.Topic()] = append(board, me)
	ch.Assign("me", me)
	return map[string]uint32{"id": me.ID}, nil
}

func (b *Boards) enter(ch *phx.Channel, _ any) error {
	me := ch.Value("me").(*pointer)
	b.mu.Lock()
	defer b.mu.Unlock() // held while sending, so that no leave overtakes the list
	return errors.Join(
		ch.Push("people", map[string]any{"people": b.boards[ch.Topic()]}),
		ch.BroadcastFrom("enter", me),
	)
}

func (b *Boards) move(ch *phx.Channel, p phx.Payload) (any, error) {
	at, isBinary := p.Binary()
	if !isBinary || len(at) != 4 {
		return nil, phx.Errorf("a move must be 4 bytes: x and y")
	}
	me := ch.Value("me").(*pointer)
	b.mu.Lock()
	me.X, me.Y = binary.BigEndian.Uint16(at), binary.BigEndian.Uint16(at[2:])
	b.mu.Unlock()
	moved := append(binary.BigEndian.AppendUint32(nil, me.ID), at...)
	return nil, ch.BroadcastFrom("move", phx.Binary(moved))
}

func (b *Boards) leave(ch *phx.Channel, _ phx.Reason) {
	me := ch.Value("me").(*pointer)
	b.mu.Lock()
	defer b.mu.Unlock()
	others := slices.DeleteFunc(b.boards[ch.Topic()], func(p *pointer) bool { return p == me })
	b.boards[ch.Topic()] = others
	if len(others) == 0 {
		delete(b.boards, ch.Topic())
	}
	_ = ch.BroadcastFrom("leave", map[string]uint32{"id": me.ID}) // overloaded: a ghost stays on some screens until they rejoin
}

// checkText says what is wrong with a text that a client sent as field.
func checkText(field, text string, maxRunes int) error {
	switch {
	case strings.TrimSpace(text) == "":
		return errors.New(field + " is empty")
	case utf8.RuneCountInString(text) > maxRunes:
		return errors.New(field + " is too long")
	}
	return nil
}

package frame

import (
	"bytes"
	"math"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// A Large is a message beyond [Config.Inline] that has arrived but is not yet
// put together, inflated and checked. It owns its memory and may go to another
// goroutine.
type Large struct {
	op         ws.OpCode
	compressed bool
	checked    bool // if it is text, it is UTF-8
	payload    Parts
}

// Finish does the remaining work, with the [Config] given to Next. The caller
// owns the payload until Release. The error is an *[Error].
func (m *Large) Finish(cfg *Config) (payload []byte, err error) {
	payload, fault := m.finish(cfg, cfg.maxInflated(m.size()), cfg.maxBlocks())
	if fault != nil {
		return nil, fault
	}
	return payload, nil
}

// Release releases the memory of the message for reuse: the result of Finish
// must not be used any more.
func (m *Large) Release() { m.payload.Release() }

// Binary reports whether it is binary, and not text.
func (m *Large) Binary() bool { return m.op == ws.OpBinary }

// Compressed says that Finish inflates the message, or has inflated it.
func (m *Large) Compressed() bool { return m.compressed }

// Held returns how many bytes of memory the message takes.
func (m *Large) Held() int { return m.payload.Held() }

func (m *Large) size() int { return m.payload.Len() }

func (m *Large) finish(cfg *Config, limit int64, blocks int) (payload []byte, err *Error) {
	payload = m.payload.Join()
	if m.compressed {
		if payload, err = inflate(payload, limit, blocks); err != nil {
			return nil, err
		}
	}
	if m.op == ws.OpText && !m.checked && !cfg.SkipUTF8 && !utf8.Valid(payload) {
		return nil, errNotUTF8()
	}
	return payload, nil
}

// deliver is the end of a message: a Frame with its payload, or the message
// itself if that is large, or has many blocks for what it inflates to: on the budget it
// would count for no more than that. lent says that m does not own its memory.
func (d *Decoder) deliver(cfg *Config, m *Large, budget int, lent bool) (f Frame, ok bool, err *Error) {
	limit, inline := cfg.maxInflated(m.size()), cfg.inline(budget)
	if int64(m.size()) <= inline {
		blocks := cfg.maxBlocks()
		if inline < math.MaxInt32 { // less than all: others are to be served
			blocks = min(blocks, inlineBlocks)
		}
		payload, err := m.finish(cfg, min(limit, inline), blocks)
		grew := err != nil && err.Code == ws.StatusMessageTooBig && inline < limit
		split := err != nil && err.Code == ws.StatusPolicyViolation && blocks < cfg.maxBlocks()
		if !grew && !split {
			return Frame{Op: m.op, Payload: payload}, err == nil, err
		}
	}
	large := *m // a copy, that only large ones go to the heap
	if lent {
		large.payload.last = bytes.Clone(m.payload.last)
	}
	d.p = &partial{large: &large}
	return Frame{Op: m.op, Large: true}, true, nil
}

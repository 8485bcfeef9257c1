package frame

import (
	"math"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// A Decoder is the receiving side of one connection. The zero value is ready.
//
// It is one pointer, nil while no frame and no message is pending, so that an
// idle connection costs one word.
type Decoder struct {
	p *partial
}

// A partial holds the state of a Decoder between two calls of Next.
type partial struct {
	head  [ws.MaxHeaderSize]byte // a header cut short
	nhead int                    // its bytes so far

	// The frame whose payload is arriving.
	inFrame bool
	header  ws.Header
	taken   int64  // bytes of its payload so far
	control []byte // they, if it is a control frame

	// The message whose frames are arriving.
	message Large // so far; its op is ws.OpContinuation outside a message
	frames  int   // of it so far, and the control frames between them
	text    textChecker

	large *Large // that was returned and not taken yet; nothing else then
	over  bool   // after a Close frame or an error
	mark  uint32 // see Mark
}

func (p *partial) inMessage() bool {
	return p != nil && p.message.op != ws.OpContinuation
}

// Next takes the next frame out of *data and moves *data past it. Without ok
// all of *data was consumed and more is needed:
//
//	for {
//		f, ok, err := d.Next(&cfg, &data)
//		if err != nil {
//			return err // an *Error: send its code, then hang up
//		}
//		if !ok {
//			break
//		}
//		handle(f)
//	}
//
// Next unmasks in place: it overwrites *data. A frame that lies whole in *data
// is neither copied nor allocated for. Only a partial frame is kept, in memory
// that grows with the bytes that have arrived, not with the length in its
// header.
//
// After a Close frame or an error, everything further is consumed and ignored
// (RFC 6455 §5.5.1, §7.1.7).
func (d *Decoder) Next(cfg *Config, data *[]byte) (f Frame, ok bool, err error) {
	budget := math.MaxInt
	return d.NextWithin(cfg, data, &budget)
}

const (
	// FrameCost is the least cost of a frame for [Decoder.NextWithin], in bytes.
	FrameCost = 1 << 10

	// leastInline is how long a message may be that NextWithin finishes itself, even if
	// that is more than what is left of the budget.
	leastInline = 16 << 10

	// inlineBlocks is how many DEFLATE blocks a message may have that NextWithin finishes,
	// beside those that its length pays for. A block that brings its codes takes a
	// microsecond, and ten bytes.
	inlineBlocks = 4
)

// NextWithin is [Decoder.Next] for a caller with others to serve. For each frame
// that it has finished, including fragments, control frames and empty frames, it
// takes FrameCost off *budget, or the length of the payload if that is more, when
// inflated. Once nothing is left of the budget it takes nothing more out of *data.
// A message longer than 16 KiB and than what is left is Large, and so is one of many
// DEFLATE blocks for its length.
func (d *Decoder) NextWithin(cfg *Config, data *[]byte, budget *int) (f Frame, ok bool, err error) {
	for len(*data) > 0 && *budget > 0 {
		if d.p != nil && d.p.over {
			*data = (*data)[len(*data):]
			break
		}
		f, ok, fault := d.step(cfg, data, *budget)
		if fault != nil {
			d.p = &partial{over: true}
			return Frame{}, false, fault
		}
		if d.p == nil || !d.p.inFrame && d.p.nhead == 0 {
			*budget -= max(FrameCost, len(f.Payload))
		}
		if ok {
			return f, true, nil
		}
	}
	return Frame{}, false, nil
}

// step goes on to the end of a frame or of *data, whichever comes first.
func (d *Decoder) step(cfg *Config, data *[]byte, budget int) (f Frame, ok bool, err *Error) {
	if d.p != nil && d.p.inFrame {
		return d.payload(cfg, data, budget)
	}
	h, ok, err := d.header(cfg, data)
	if !ok || err != nil {
		return Frame{}, false, err
	}
	if unfragmented(h) && h.Length <= int64(len(*data)) {
		return d.whole(cfg, h, data, budget)
	}
	d.begin(cfg, h)
	return d.payload(cfg, data, budget)
}

// header takes a header out of *data, or keeps the part of it that is there.
func (d *Decoder) header(cfg *Config, data *[]byte) (h ws.Header, ok bool, err *Error) {
	b, kept := *data, 0
	if d.p != nil && d.p.nhead > 0 {
		kept = d.p.nhead
		b = d.p.head[:kept+copy(d.p.head[kept:], *data)]
	}
	h, size, err := parseHeader(b)
	if err != nil {
		return h, false, err
	}
	if size == 0 {
		p := d.state()
		p.nhead = copy(p.head[:], b)
		*data = (*data)[len(*data):]
		return h, false, nil
	}
	if d.p != nil {
		d.p.nhead = 0
	}
	*data = (*data)[size-kept:]
	return h, true, checkHeader(cfg, d.p, h, size)
}

// whole takes an unfragmented frame whose payload is all in *data.
func (d *Decoder) whole(cfg *Config, h ws.Header, data *[]byte, budget int) (f Frame, ok bool, err *Error) {
	payload := take(data, int(h.Length))
	if h.Masked {
		ws.Cipher(payload, h.Mask, 0)
	}
	if h.OpCode.IsControl() {
		return d.controlFrame(h.OpCode, payload)
	}
	d.p = nil
	compressed := cfg.compressed(h)
	if compressed || h.Length > cfg.inline(budget) {
		return d.deliver(cfg, &Large{op: h.OpCode, compressed: compressed, payload: Parts{last: payload}}, budget, true)
	}
	if h.OpCode == ws.OpText && !cfg.SkipUTF8 && !utf8.Valid(payload) {
		return Frame{}, false, errNotUTF8()
	}
	return Frame{Op: h.OpCode, Payload: payload}, true, nil
}

// begin makes h the frame whose payload is arriving.
func (d *Decoder) begin(cfg *Config, h ws.Header) {
	p := d.state()
	p.inFrame, p.header, p.taken = true, h, 0
	if h.OpCode == ws.OpText || h.OpCode == ws.OpBinary {
		p.message.op, p.message.compressed = h.OpCode, cfg.compressed(h)
	}
}

// payload takes what *data has of the payload of the current frame.
func (d *Decoder) payload(cfg *Config, data *[]byte, budget int) (f Frame, ok bool, err *Error) {
	p := d.p
	h := &p.header
	chunk := take(data, int(min(h.Length-p.taken, int64(len(*data)))))
	if h.Masked {
		ws.Cipher(chunk, h.Mask, int(p.taken&3))
	}
	p.taken += int64(len(chunk))
	p.inFrame = p.taken < h.Length

	if h.OpCode.IsControl() {
		p.control = append(p.control, chunk...)
		if p.inFrame {
			return Frame{}, false, nil
		}
		payload := p.control
		p.control = nil
		return d.controlFrame(h.OpCode, payload)
	}

	// Text is checked as it comes, to fail before the rest is paid for.
	m := &p.message
	m.checked = m.op == ws.OpText && !m.compressed && !cfg.SkipUTF8
	if m.checked && !p.text.write(chunk) {
		return Frame{}, false, errNotUTF8()
	}
	m.payload.Add(chunk)
	if p.inFrame || !h.Fin {
		return Frame{}, false, nil
	}
	d.p = nil // the buffer is the caller's from here on
	if m.checked && !p.text.complete() {
		return Frame{}, false, errNotUTF8()
	}
	return d.deliver(cfg, m, budget, false)
}

// controlFrame finishes a control frame, which may have come inside a message.
func (d *Decoder) controlFrame(op ws.OpCode, payload []byte) (f Frame, ok bool, err *Error) {
	if op == ws.OpClose {
		if err := checkClose(payload); err != nil {
			return Frame{}, false, err
		}
		d.p = &partial{over: true}
	} else if !d.p.inMessage() {
		d.p = nil
	}
	return Frame{Op: op, Payload: payload}, true, nil
}

// Held returns how many bytes of memory d keeps of an incomplete message.
func (d *Decoder) Held() int {
	if d.p == nil {
		return 0
	}
	return d.p.message.Held()
}

// TakeLarge returns the message of a Frame that is Large, before the next call of
// Next.
func (d *Decoder) TakeLarge() *Large {
	m := d.p.large
	d.p = nil
	return m
}

// Mark returns a word that the caller may use while one frame or message is
// incomplete, such as for the time it began. It is zero at first. It is nil
// while no frame or message is incomplete.
func (d *Decoder) Mark() *uint32 {
	if d.p == nil || d.p.over {
		return nil
	}
	return &d.p.mark
}

// Received returns how many payload bytes of an incomplete message have
// arrived.
func (d *Decoder) Received() int {
	if d.p == nil {
		return 0
	}
	return d.p.message.size()
}

// Drop discards d's state. Everything further is ignored, as after a Close
// frame.
func (d *Decoder) Drop() { d.p = &partial{over: true} }

func (d *Decoder) state() *partial {
	if d.p == nil {
		d.p = &partial{}
	}
	return d.p
}

// take moves *data past its first n bytes and returns these, with no capacity
// to append into what follows.
func take(data *[]byte, n int) []byte {
	b := (*data)[:n:n]
	*data = (*data)[n:]
	return b
}

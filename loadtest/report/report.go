package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/loadtest/record"
)

// A Result is one run, read and summed up.
type Result struct {
	Summary    Summary
	Run        *record.Run // nil if the records lack it
	Memory     []record.Memory
	Broadcasts []record.Broadcast // by time, room, writer and number
	Notes      []record.Note
	Curve      []CurvePoint // of the latency from the intended send; empty if not measured

	ticks        []record.Tick
	activities   []record.Activity
	watched      *record.Generator // nil if the generator was not watched
	steps        []*record.Step
	shortfall    *record.Shortfall // nil if it did not stop short, or does not say
	rooms        int
	writers      int         // the most that a room has
	end          *record.End // nil if the run did not finish
	latency, raw *hdrhistogram.Histogram
	joinLatency  *hdrhistogram.Histogram
	wayBack      *hdrhistogram.Histogram // of clients that were cut off
}

// Load reads the records of a run, one JSON object a line, or of several that were
// put one after another: each begins with its [record.Run]. They may be compressed
// with gzip. There is always one result, if only of no records.
func Load(r io.Reader) ([]*Result, error) {
	runs := make([][]record.Record, 1)
	err := record.Read(r, func(rec record.Record) error {
		if rec.Run != nil && len(runs[len(runs)-1]) > 0 {
			runs = append(runs, nil)
		}
		last := &runs[len(runs)-1]
		*last = append(*last, rec)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load records: %w", err)
	}
	results := make([]*Result, len(runs))
	for i, records := range runs {
		if results[i], err = New(records); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// New sums up the records of one run. Records of a run that died early are
// welcome, even none at all. It fails on records of another schema and on a
// histogram that cannot be decoded.
func New(records []record.Record) (*Result, error) {
	r := &Result{Memory: []record.Memory{}, Broadcasts: []record.Broadcast{}, Notes: []record.Note{}, Curve: []CurvePoint{}}
	for _, rec := range records {
		r.add(rec)
	}
	if r.Run != nil {
		if err := checkSchema("records", r.Run.Schema, record.Schema); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(r.Broadcasts, func(a, b record.Broadcast) int {
		return cmp.Or(cmp.Compare(a.AtMs, b.AtMs), cmp.Compare(a.Room, b.Room), cmp.Compare(a.Writer, b.Writer), cmp.Compare(a.Seq, b.Seq))
	})
	if err := r.decodeLatencies(); err != nil {
		return nil, err
	}
	r.countSenders()
	r.Summary = r.summarize()
	var err error
	if r.Summary.Generator, err = r.generator(r.Summary.LatencyMs); err != nil {
		return nil, err
	}
	for _, k := range kinds() {
		if k.read == nil {
			continue
		}
		if err := k.read(r, &r.Summary); err != nil {
			return nil, err
		}
	}
	r.Summary.Queue = queueOf(r.waits())
	if r.Summary.Others, err = r.others(); err != nil {
		return nil, err
	}
	for _, p := range telling(r.latency) {
		r.Curve = append(r.Curve, CurvePoint{p, thousandth(r.latency.ValueAtPercentile(p))})
	}
	return r, nil
}

func (r *Result) add(rec record.Record) {
	switch {
	case rec.Run != nil:
		r.Run = rec.Run
	case rec.Note != nil:
		r.Notes = append(r.Notes, *rec.Note)
	case rec.Tick != nil:
		r.ticks = append(r.ticks, *rec.Tick)
	case rec.Broadcast != nil:
		r.Broadcasts = append(r.Broadcasts, bounded(*rec.Broadcast))
	case rec.Memory != nil:
		r.Memory = append(r.Memory, *rec.Memory)
	case rec.Activity != nil:
		r.activities = append(r.activities, *rec.Activity)
	case rec.Generator != nil:
		r.watched = rec.Generator
	case rec.Step != nil:
		r.steps = append(r.steps, rec.Step)
	case rec.Shortfall != nil:
		r.shortfall = rec.Shortfall
	case rec.End != nil:
		r.end = rec.End
	}
}

func (r *Result) decodeLatencies() error {
	sends, end, back := r.sends(), cmp.Or(r.end, new(record.End)), cmp.Or(r.activity(storm, kill), new(record.Activity))
	for _, h := range []struct {
		name string
		from []byte
		to   **hdrhistogram.Histogram
	}{
		{"latency", sends.latency, &r.latency},
		{"raw_latency", sends.raw, &r.raw},
		{"join_latency", end.JoinLatency, &r.joinLatency},
		{back.Name, back.Latency, &r.wayBack},
	} {
		decoded, err := decode(h.name, h.from)
		if err != nil {
			return err
		}
		*h.to = decoded
	}
	return nil
}

// decode returns nil for a histogram of nothing.
func decode(name string, encoded []byte) (*hdrhistogram.Histogram, error) {
	if len(encoded) == 0 {
		return nil, nil
	}
	h, err := hdrhistogram.Decode(encoded)
	switch {
	case err != nil:
		return nil, fmt.Errorf("decode histogram %s: %w", name, err)
	case h.TotalCount() == 0:
		return nil, nil
	}
	return h, nil
}

// A stretch is the part of a run in which clients sent, with the latencies of
// what they sent, encoded.
type stretch struct {
	fromMs, lengthMs int64
	latency, raw     []byte
}

// sends is the stretch of the pings or else of the broadcasts. A run has but one
// of them.
func (r *Result) sends() stretch {
	if a := r.activity(echo.name); a != nil {
		if a.ClosedLoop { // every send was meant for when it was
			return stretch{a.AtMs, a.Ms, a.RawLatency, nil}
		}
		return stretch{a.AtMs, a.Ms, a.Latency, a.RawLatency}
	}
	if r.end == nil {
		return stretch{}
	}
	s := stretch{0, r.end.BroadcastMs, r.end.Latency, r.end.RawLatency}
	if r.end.ClosedLoop {
		s.latency, s.raw = r.end.RawLatency, nil
	}
	if len(r.Broadcasts) > 0 {
		s.fromMs = r.Broadcasts[0].AtMs
	}
	return s
}

// memory returns the last bill taken at the named moment.
func (r *Result) memory(when string) (bill record.Memory, ok bool) {
	for _, m := range r.Memory {
		if m.When == when {
			bill, ok = m, true
		}
	}
	return bill, ok
}

package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/roost-rt/roost/loadtest/record"
)

// Schema is the version of the output of WriteJSON; see the package comment for
// its promises.
const Schema = 1

// A document is the JSON of a run.
type document struct {
	Schema     int                `json:"schema"`
	Summary    judged             `json:"summary"`
	Run        *record.Run        `json:"run"`
	Memory     []record.Memory    `json:"memory"`
	Broadcasts []record.Broadcast `json:"broadcasts"`
	Notes      []record.Note      `json:"notes"`
	Curve      []CurvePoint       `json:"latency_curve"`
}

// judged is a summary with its verdict, which [Verdict] makes anew of one that is
// read.
type judged struct {
	OK      bool     `json:"ok"`
	Reasons []string `json:"reasons"`
	Summary
}

func (s Summary) judged() judged {
	ok, reasons := Verdict(s)
	return judged{ok, append([]string{}, reasons...), s}
}

// WriteJSON writes the figures and what they rest on, indented, in an order
// that never changes. Ticks and histograms stay in the records.
func (r *Result) WriteJSON(w io.Writer) error {
	err := writeJSON(w, document{Schema, r.Summary.judged(), r.Run, r.Memory, r.Broadcasts, r.Notes, r.Curve})
	if err != nil {
		return fmt.Errorf("write JSON report: %w", err)
	}
	return nil
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// ReadJSON reads what WriteJSON wrote. The result has the figures but neither
// ticks nor histograms: its charts over time say "not measured". It fails on
// another schema.
func ReadJSON(r io.Reader) (*Result, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read JSON report: %w", err)
	}
	// The schema first: a field of another one may have another type.
	var head struct {
		Schema  *int            `json:"schema"`
		Summary json.RawMessage `json:"summary"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("read JSON report: %w", err)
	}
	if head.Schema == nil || head.Summary == nil {
		return nil, errors.New("read JSON report: not a summary of a load test: it lacks schema or summary")
	}
	if err := checkSchema("JSON report", *head.Schema, Schema); err != nil {
		return nil, err
	}
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("read JSON report: %w", err)
	}
	result := &Result{Summary: d.Summary.Summary, Run: d.Run, Memory: d.Memory, Broadcasts: d.Broadcasts, Notes: d.Notes, Curve: d.Curve}
	for i, b := range result.Broadcasts {
		result.Broadcasts[i] = bounded(b)
	}
	result.countSenders()
	return result, nil
}

func checkSchema(what string, got, want int) error {
	switch {
	case got > want:
		return fmt.Errorf("%s: schema %d, this program reads schema %d; a newer one wrote it", what, got, want)
	case got < want:
		return fmt.Errorf("%s: schema %d, this program reads schema %d; an older one wrote it", what, got, want)
	}
	return nil
}

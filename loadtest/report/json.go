package report

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/roost-rt/roost/loadtest/record"
)

// WriteJSON writes the figures and what they rest on, indented, in an order
// that never changes. Ticks stay in the records.
func (r *Result) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	err := enc.Encode(struct {
		Schema     int                `json:"schema"`
		Summary    Summary            `json:"summary"`
		Run        *record.Run        `json:"run"`
		Memory     []record.Memory    `json:"memory"`
		Broadcasts []record.Broadcast `json:"broadcasts"`
		Notes      []record.Note      `json:"notes"`
	}{Schema, r.Summary, r.Run, r.Memory, r.Broadcasts, r.Notes})
	if err != nil {
		return fmt.Errorf("write JSON report: %w", err)
	}
	return nil
}

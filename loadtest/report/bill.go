package report

import (
	"fmt"
	"slices"
	"time"

	"github.com/roost-rt/roost/loadtest/record"
)

// A bill is a stacked bar: memory by who holds it.
type bill struct {
	Label, Total string
	Parts        []billPart
	Below        string // a line more; "" for none
}

type billPart struct {
	Class, Name, Value string
	Width              string // percent of the widest bar of its group
}

// A holding is one part before it is scaled. Nil means not measured.
type holding struct {
	class, name string
	bytes       *float64
}

func holdings(server, client, kernel *float64) []holding {
	return []holding{{"blue", "server", server}, {"orange", "client", client}, {"teal", "kernel", kernel}}
}

// perClientBill returns the cost of one more client; nil if nothing was measured.
func (s Summary) perClientBill() []bill {
	all := holdings(s.ServerBytesPerClient, s.ClientBytesPerClient, s.KernelBytesPerClient)
	if !slices.ContainsFunc(all, holding.measured) && s.MemorySays == "" {
		return nil
	}
	b := newBill("one client", all, width(all))
	b.Below = s.MemorySays
	return []bill{b}
}

// totalBills returns what the whole host held at each moment.
func (r *Result) totalBills() []bill {
	var bills []bill
	var widest float64
	for _, m := range r.Memory {
		widest = max(widest, width(held(m)))
	}
	for _, m := range telltale(r.Memory) {
		label := moment(m)
		if m.Clients > 0 {
			label += fmt.Sprintf(", %s clients", count(m.Clients))
		}
		b := newBill(label, held(m), widest)
		b.Below = fmt.Sprintf("all processes %s · left on the host %s", show(processes(m), size), show(reading(m.AvailableBytes), size))
		bills = append(bills, b)
	}
	return bills
}

// soak is the moment of the bills that are many.
const soak = "soak"

// moment says when a bill was taken; a soak has many.
func moment(m record.Memory) string {
	if m.When != soak {
		return m.When
	}
	return soak + " " + (time.Duration(m.AtMs) * time.Millisecond).Round(time.Second).String()
}

// telltale are the bills worth a bar: of a soak the first, the highest and the
// last.
func telltale(all []record.Memory) (some []record.Memory) {
	first, highest, last := -1, -1, -1
	for i, m := range all {
		if m.When != soak {
			continue
		}
		if first < 0 {
			first, highest = i, i
		}
		if width(held(m)) > width(held(all[highest])) {
			highest = i
		}
		last = i
	}
	for i, m := range all {
		if m.When != soak || i == first || i == highest || i == last {
			some = append(some, m)
		}
	}
	return some
}

func held(m record.Memory) []holding {
	return holdings(reading(m.ServerRSS), reading(m.ClientRSS), reading(m.KernelBytes))
}

// processes returns what all processes of the run held; nil unless all were read.
func processes(m record.Memory) *float64 {
	return sum(reading(m.ServerRSS), reading(m.ClientRSS))
}

// sum is nil if a part of it is.
func sum(parts ...*float64) *float64 {
	total := 0.0
	for _, part := range parts {
		if part == nil {
			return nil
		}
		total += *part
	}
	return &total
}

func newBill(label string, all []holding, widest float64) bill {
	b := bill{Label: label}
	total := 0.0
	for _, h := range all {
		part := billPart{Class: h.class, Name: h.name, Value: show(h.bytes, size), Width: "0"}
		if h.measured() {
			total += *h.bytes
			part.Width = cent(h.width() / max(widest, 1))
		}
		b.Parts = append(b.Parts, part)
	}
	b.Total = size(total)
	return b
}

func (h holding) measured() bool { return h.bytes != nil }

// width returns a length that a bar can show: a small run may end with less than it began.
func (h holding) width() float64 {
	if h.bytes == nil {
		return 0
	}
	return max(0, *h.bytes)
}

func width(all []holding) (bytes float64) {
	for _, h := range all {
		bytes += h.width()
	}
	return bytes
}

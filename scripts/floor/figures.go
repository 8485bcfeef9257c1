package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// A round is one run of each.
type round struct{ roost, server, pairs figures }

// A figure is one number, or none if it was not measured.
type figure []float64

// figures holds the measurements of a run: milliseconds, microseconds of CPU, bytes.
type figures struct {
	clients, joined, missing   figure
	connects                   figure // and joins a second
	joinCPU, deliveryCPU       figure // of the server, for each
	first, middle, last        figure // receiver of a broadcast
	serverMemory, kernelMemory figure // for each client
}

// A row is one line of the table.
type row struct {
	name string
	of   func(figures) figure
}

var rows = []row{
	{"clients asked for", func(f figures) figure { return f.clients }},
	{"clients joined", func(f figures) figure { return f.joined }},
	{"messages lost, duplicated or reordered", func(f figures) figure { return f.missing }},
	{"connects and joins a second", func(f figures) figure { return f.connects }},
	{"server CPU for a join, µs", func(f figures) figure { return f.joinCPU }},
	{"server CPU for a delivery, µs", func(f figures) figure { return f.deliveryCPU }},
	{"broadcast to first receiver, ms", func(f figures) figure { return f.first }},
	{"broadcast to median receiver, ms", func(f figures) figure { return f.middle }},
	{"broadcast to last receiver, ms", func(f figures) figure { return f.last }},
	{"server memory for a client, bytes", func(f figures) figure { return f.serverMemory }},
	{"kernel memory for a client, bytes", func(f figures) figure { return f.kernelMemory }},
}

// errNoRound: there is no file of it.
var errNoRound = errors.New("no such round")

// errMixed: figures of clients with sockets do not compare with figures of others.
var errMixed = errors.New("the TCP of the clients was not where that of the others was")

// readRound fails with errNoRound if there is nothing of it, not if a part is
// missing. Pairs are missing where clients had no sockets.
func readRound(folder fs.FS, number int) (r round, err error) {
	if found, err := fs.Glob(folder, fmt.Sprintf("*-%d.json", number)); err != nil || len(found) == 0 {
		return r, fmt.Errorf("round %d: %w", number, errNoRound)
	}
	var roost, server load
	var both pairs
	for _, part := range []struct {
		name string
		into any
	}{{"roost", &roost}, {"server", &server}, {"pairs", &both}} {
		name := fmt.Sprintf("%s-%d.json", part.name, number)
		text, err := fs.ReadFile(folder, name)
		if part.into == &both && roost.virtual() && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = json.Unmarshal(text, part.into)
		}
		if err != nil {
			return r, fmt.Errorf("%s: %w", name, err)
		}
	}
	if roost.Summary.ClientTCP != server.Summary.ClientTCP || roost.virtual() && both.Connections > 0 {
		return r, fmt.Errorf("round %d: %w", number, errMixed)
	}
	return round{roost.figures(), server.figures(), both.figures()}, nil
}

// A load holds the fields of loadtest -json that are used here.
type load struct {
	Summary struct {
		Clients, Joined             *float64
		Lost, Duplicated, Reordered *float64
		Connects                    *float64 `json:"connect_join_per_second"`
		JoinCPU                     *float64 `json:"server_cpu_us_per_join"`
		DeliveryCPU                 *float64 `json:"server_cpu_us_per_delivery"`
		ServerBytes                 *float64 `json:"server_bytes_per_client"`
		KernelBytes                 *float64 `json:"kernel_bytes_per_client"`
		ClientTCP                   string   `json:"client_tcp"`
	}
	Broadcasts []struct {
		Seq    int64
		First  float64 `json:"first_us"`
		Middle float64 `json:"p50_us"`
		Last   float64 `json:"last_us"`
	}
}

// virtual says that clients had no sockets.
func (l *load) virtual() bool { return l.Summary.ClientTCP != "" && l.Summary.ClientTCP != "kernel" }

func (l *load) figures() figures {
	s := &l.Summary
	f := figures{
		clients: optional(s.Clients), joined: optional(s.Joined), connects: optional(s.Connects),
		joinCPU: optional(s.JoinCPU), deliveryCPU: optional(s.DeliveryCPU),
		serverMemory: optional(s.ServerBytes), kernelMemory: optional(s.KernelBytes),
	}
	if s.Lost != nil && s.Duplicated != nil && s.Reordered != nil {
		f.missing = figure{*s.Lost + *s.Duplicated + *s.Reordered}
	}
	// Rooms apart get the same message at the same moment: one broadcast.
	type rooms struct{ first, middle, last []float64 }
	bySeq := make(map[int64]*rooms)
	for _, b := range l.Broadcasts {
		r := bySeq[b.Seq]
		if r == nil {
			r = &rooms{}
			bySeq[b.Seq] = r
		}
		r.first, r.middle, r.last = append(r.first, b.First), append(r.middle, b.Middle), append(r.last, b.Last)
	}
	var first, middle, last []float64
	for _, r := range bySeq {
		first = append(first, slices.Min(r.first)/1000)
		middle = append(middle, median(r.middle)/1000)
		last = append(last, slices.Max(r.last)/1000)
	}
	f.first, f.middle, f.last = medianOf(first), medianOf(middle), medianOf(last)
	return f
}

// pairs holds the fields of floor pairs -json that are used here. That command fails if
// anything is missing.
type pairs struct {
	Connections   float64
	ConnectS      float64 `json:"connect_s"`
	AcceptCPU     float64 `json:"server_cpu_us_per_accept"`
	SlabBefore    float64 `json:"slab_before"`
	SlabConnected float64 `json:"slab_connected"`
	Rounds        []struct {
		First     float64 `json:"first_ms"`
		Middle    float64 `json:"median_ms"`
		Last      float64 `json:"last_ms"`
		ServerCPU float64 `json:"server_cpu_us"`
	}
}

func (p *pairs) figures() figures {
	if p.Connections == 0 {
		return figures{}
	}
	var cpu, first, middle, last []float64
	for _, r := range p.Rounds {
		cpu = append(cpu, r.ServerCPU)
		first, middle, last = append(first, r.First), append(middle, r.Middle), append(last, r.Last)
	}
	return figures{
		clients: figure{p.Connections}, joined: figure{p.Connections}, missing: figure{0},
		connects: figure{p.Connections / p.ConnectS}, joinCPU: figure{p.AcceptCPU}, deliveryCPU: medianOf(cpu),
		first: medianOf(first), middle: medianOf(middle), last: medianOf(last),
		kernelMemory: figure{(p.SlabConnected - p.SlabBefore) / p.Connections},
	}
}

func optional(v *float64) figure {
	if v == nil {
		return nil
	}
	return figure{*v}
}

func medianOf(values []float64) figure {
	if len(values) == 0 {
		return nil
	}
	return figure{median(values)}
}

// median is of at least one value.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

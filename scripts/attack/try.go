package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	// warmUp is how long bystanders ping before they are measured.
	warmUp = 300 * time.Millisecond

	// mayWork is how long one pass of an event loop may work.
	mayWork = 10 * time.Millisecond

	// tolerated is how much the bystanders' p99 may be beyond twice its quiet value.
	tolerated = 20 * time.Millisecond
)

// A row tells the effects of one attack.
type row struct {
	Attack   string  `json:"attack"`
	Says     string  `json:"says"`
	Before   latency `json:"before"`
	During   latency `json:"during"`
	After    latency `json:"after"`
	Loop     latency `json:"loop"`     // during: of heartbeats, which the event loop answers
	Newcomer latency `json:"newcomer"` // during: from connecting to the answer of a join
	Passes   passes  `json:"passes"`   // during: of the event loops, as the server says
	RSS      [3]int  `json:"rss_mb"`   // before, largest, at the end
	CPU      float64 `json:"cpu"`      // processors that the server took during
	Logged   int64   `json:"log_bytes"`
	Lost     losses  `json:"lost"` // of bystanders and the attack's own readers
	Attacker string  `json:"attacker"`
	Rounds   int     `json:"rounds"` // 1, or 3 if the first was too slow: the median one, with the median of passes
	Harm     string  `json:"harm"`   // "" if there was none

	certain []string // of the harm: what no other round takes back
}

// passes are the longest of an event loop, from one look at its connections to the
// next: what one took, and what one had of a processor. Below 2 ms they are 0.
type passes struct {
	Longest time.Duration `json:"longest_ns"`
	Worked  time.Duration `json:"worked_ns"`
	Moved   uint64        `json:"moved"` // since the start: what these worked is unknown
}

// A latency is a distribution of samples in ms.
type latency struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

// try runs one attack, and twice more if it was too slow: three seconds of one run are
// often those of other guests of the host. Of times the medians count then, of all other
// harm what was done once.
func (c *config) try(ctx context.Context, a attack) (row, error) {
	r, err := c.once(ctx, a)
	if err != nil || r.slow() == nil {
		return r, err
	}
	rounds := []row{r}
	for range 2 {
		if r, err = c.once(ctx, a); err != nil {
			return row{}, err
		}
		rounds = append(rounds, r)
	}
	return median(rounds), nil
}

// median is the round with the median p99, with the median passes and the certain harm of all.
func median(rounds []row) row {
	of := func(figure func(r row) float64) row {
		slices.SortFunc(rounds, func(a, b row) int { return cmp.Compare(figure(a), figure(b)) })
		return rounds[len(rounds)/2]
	}
	worked := of(func(r row) float64 { return ms(r.Passes.Worked) }).Passes.Worked
	longest := of(func(r row) float64 { return ms(r.Passes.Longest) }).Passes.Longest
	m := of(func(r row) float64 { return r.During.P99 })
	m.Rounds, m.Passes.Worked, m.Passes.Longest, m.certain = len(rounds), worked, longest, nil
	for _, r := range rounds {
		for _, harm := range r.certain {
			if !slices.Contains(m.certain, harm) {
				m.certain = append(m.certain, harm)
			}
		}
		m.Lost = losses{max(m.Lost.Clients, r.Lost.Clients), max(m.Lost.Messages, r.Lost.Messages)}
	}
	m.Harm = strings.Join(append(m.certain, m.slow()...), ", ")
	return m
}

// once runs one attack.
func (c *config) once(ctx context.Context, a attack) (row, error) {
	self, err := os.Executable()
	if err != nil {
		return row{}, err
	}
	s, err := start(cmp.Or(c.Server, self), a.deaf)
	if err != nil {
		return row{}, err
	}
	r := row{Attack: a.name, Says: a.says, Rounds: 1}
	err = c.observe(ctx, s, self, &r)
	gone := s.gone()
	inTime := s.end()
	if err != nil {
		return row{}, err
	}
	r.Logged = s.logged
	r.judge(c, gone, inTime)
	return r, nil
}

// observe measures the bystanders before, during and after the attack.
func (c *config) observe(ctx context.Context, s *server, self string, r *row) error {
	pinging, stop := context.WithCancel(ctx)
	defer stop()
	b, err := settle(pinging, s.addr, c.Bystanders)
	if err != nil {
		return err
	}
	sleepUntil(ctx, time.Now().Add(warmUp))
	before := time.Now()
	sleepUntil(ctx, before.Add(c.Quiet))
	r.RSS[0] = s.takePeak()
	s.passes()
	busy, during := s.cpu(), time.Now()
	o, err := s.strike(ctx, self, r.Attack, c.For)
	after := time.Now()
	r.Passes = s.passes()
	r.CPU = max(0, (s.cpu()-busy).Seconds()/after.Sub(during).Seconds())
	sleepUntil(ctx, after.Add(c.Quiet))
	end := time.Now()
	stop()
	b.await()
	r.RSS[1], r.RSS[2] = s.takePeak(), s.rss()
	lost, samples := b.result()
	if err != nil {
		return err
	}
	r.Before, r.During, r.After = within(samples, before, during), within(samples, during, after), within(samples, after, end)
	r.Loop = within(slices.DeleteFunc(samples, func(s sample) bool { return !s.loop }), during, after)
	r.Newcomer = within(b.came, during, after)
	r.Lost = losses{lost.Clients + o.Lost.Clients + b.turned, lost.Messages + o.Lost.Messages}
	r.Attacker = o.Says
	return ctx.Err()
}

// within is the distribution of the samples meant for that time.
func within(samples []sample, from, to time.Time) latency {
	var took []time.Duration
	for _, s := range samples {
		if !s.intended.Before(from) && s.intended.Before(to) {
			took = append(took, s.took)
		}
	}
	if len(took) == 0 {
		return latency{}
	}
	slices.Sort(took)
	at := func(part float64) float64 { return ms(took[min(len(took)-1, int(part*float64(len(took))))]) }
	return latency{len(took), at(.5), at(.99), ms(took[len(took)-1])}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// judge says what harm was done.
func (r *row) judge(c *config, gone, inTime bool) {
	say := func(format string, args ...any) { r.certain = append(r.certain, fmt.Sprintf(format, args...)) }
	if gone {
		say("server ended")
	}
	if r.Lost != (losses{}) {
		say("lost")
	}
	if grown := r.RSS[1] - r.RSS[0]; grown > c.MaxGrowth {
		say("RSS +%d MB", grown)
	}
	if !inTime {
		say("deaf to SIGTERM")
	}
	r.Harm = strings.Join(append(r.certain, r.slow()...), ", ")
}

// slow says what took too long, nil if nothing did.
func (r *row) slow() (harm []string) {
	if limit := ms(tolerated) + 2*r.Before.P99; r.During.P99 > limit {
		harm = append(harm, fmt.Sprintf("p99 > %.0f ms", limit))
	}
	if r.Passes.Worked > mayWork {
		harm = append(harm, fmt.Sprintf("pass of %s ms", short(ms(r.Passes.Worked))))
	}
	return harm
}

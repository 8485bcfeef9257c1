package conduct

import (
	"context"
	"time"
)

// looks is how many bills of memory a soak has at least, and lookEvery the
// longest time between them.
const (
	looks     = 16
	lookEvery = time.Minute
)

var soak = part{play: (*run).soak}

// soak is a long chat with a bill of memory every now and then.
func (r *run) soak(ctx context.Context) error {
	if err := r.speak(); err != nil {
		return err
	}
	every := min(r.cfg.For/looks, lookEvery)
	start, end := r.casting.schedule.Pace.Start, r.lastArrival
	for next := start + int64(every); next <= end; next += int64(every) {
		if err := r.pass(ctx, next); err != nil {
			return err
		}
		if err := r.bill(ctx, "soak"); err != nil {
			return err
		}
	}
	return r.until(ctx, r.allArrived)
}

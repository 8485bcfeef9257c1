package asynclog

import (
	"log/slog"
	"strings"
	"time"
)

const (
	// burst is how many seconds' worth of one kind may come at once.
	burst = 10

	// maxKinds is how many kinds are told apart at a time. The others of a level,
	// if texts that are never the same are used as messages, are one kind.
	maxKinds = 256
)

// rates limits how many lines of each kind there are. It is not safe for
// concurrent use.
type rates struct {
	perSecond float64
	kinds     map[kindKey]*kind
}

type kindKey struct {
	level   slog.Level
	message string // "" for all that have no place of their own
}

// A kind is a token bucket.
type kind struct {
	kindKey
	tokens     float64
	at         time.Time // of tokens
	suppressed int       // lines since the last that was written
}

func newRates(perSecond int) rates {
	return rates{float64(perSecond), make(map[kindKey]*kind)}
}

// take returns the kind of a line that may be written, nil if it may not.
func (r *rates) take(level slog.Level, message string, now time.Time) *kind {
	k := r.kind(kindKey{level, message[:min(len(message), maxText)]}, now)
	k.tokens, k.at = r.tokens(k, now), now
	if k.tokens < 1 {
		k.suppressed++
		return nil
	}
	k.tokens--
	return k
}

// tokens is how many lines of a kind may be written now.
func (r *rates) tokens(k *kind, now time.Time) float64 {
	return min(k.tokens+now.Sub(k.at).Seconds()*r.perSecond, burst*r.perSecond)
}

func (r *rates) kind(key kindKey, now time.Time) *kind {
	if k := r.kinds[key]; k != nil {
		return k
	}
	if len(r.kinds) >= maxKinds && key.message != "" {
		r.forget(now)
		if len(r.kinds) >= maxKinds {
			return r.kind(kindKey{key.level, ""}, now)
		}
	}
	key.message = strings.Clone(key.message) // it may be lent, or the beginning of much
	k := &kind{kindKey: key, tokens: burst * r.perSecond, at: now}
	r.kinds[key] = k
	return k
}

// forget makes room: a kind with a full bucket, and nothing to say, is as good as
// a new one.
func (r *rates) forget(now time.Time) {
	for key, k := range r.kinds {
		if k.suppressed == 0 && r.tokens(k, now) >= burst*r.perSecond {
			delete(r.kinds, key)
		}
	}
}

// takeLeft returns the kinds that have something to say, and forgets it.
func (r *rates) takeLeft() (kinds []kind) {
	for _, k := range r.kinds {
		if k.suppressed > 0 {
			kinds = append(kinds, *k)
			k.suppressed = 0
		}
	}
	return kinds
}

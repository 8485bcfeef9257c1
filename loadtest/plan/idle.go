package plan

import (
	"cmp"
	"fmt"
	"time"
)

// Idle is heartbeats and nothing else.
const Idle Scenario = "idle"

var idle = kind{
	name:     Idle,
	says:     "nothing but heartbeats for -for: measures the cost of one",
	flags:    []string{"for"},
	complete: func(c *Config) { c.For = cmp.Or(c.For, time.Minute) },
	check: func(c Config) error {
		if every := cmp.Or(c.Heartbeat, beat); c.For > 0 && c.For < every {
			return fmt.Errorf("for: in %v no client sends a heartbeat, because the first comes after %v: set -heartbeat or a longer -for", c.For, every)
		}
		return nil
	},
	shows:  []Count{Heartbeats},
	silent: true,
}

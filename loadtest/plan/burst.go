package plan

import (
	"cmp"
	"fmt"
)

// Burst is much at once, both ways.
const Burst Scenario = "burst"

// PushSize is the payload of a push of Burst, in bytes.
const PushSize = 20_000

// Pushes is how many messages each pusher of Burst pushes.
func (c Config) Pushes() int { return atLeast(c.Push, PushSize) }

var burst = kind{
	name:  Burst,
	says:  "-pushers clients push -push bytes each at once and read the replies; then all get -messages of -size bytes at once: clients that read must lose nothing",
	flags: []string{"messages", "writers", "late", "size", "pushers", "push", "event", "drain"},
	shows: []Count{Replies, Messages},
	noRaw: "a plain WebSocket is for pushes or for broadcasts, and this needs both",
	complete: func(c *Config) {
		c.Clients, c.Messages = cmp.Or(c.Clients, 1000), cmp.Or(c.Messages, 3)
		c.Size = cmp.Or(c.Size, 1_200_000)
		c.Pushers = cmp.Or(c.Pushers, min(10, c.Clients))
	},
	check: func(c Config) error {
		if c.Clients > 0 && c.Pushers > c.Clients {
			return fmt.Errorf("pushers: %d of %d clients: there cannot be more of them", c.Pushers, c.Clients)
		}
		return nil
	},
	pace: func(p *planner) { p.Rate = 0 }, // at once
	explain: func(p *planner, say func(format string, args ...any)) {
		say("Before that, %s push %s bytes each in one go, in messages of %s, and read the replies.",
			plural(p.config.Pushers, "client", "clients"), grouped(p.config.Push), grouped(PushSize))
	},
}

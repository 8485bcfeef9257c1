package plan

import (
	"cmp"
	"time"
)

// Soak is a long chat.
const Soak Scenario = "soak"

var soak = kind{
	name:     Soak,
	says:     "a chat for -for that checks the memory every minute: it must not grow by more than 10 %",
	flags:    chatFlags("for"),
	complete: func(c *Config) { c.For = cmp.Or(c.For, time.Hour) },
	pace: func(p *planner) {
		if p.Messages == 0 {
			p.Messages = max(1, int(p.config.For.Seconds()*p.Rate))
		}
	},
}

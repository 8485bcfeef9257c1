package plan

import (
	"cmp"
	"strconv"
)

// Slow is a chat in which some clients do not read.
const Slow Scenario = "slow"

// heldBack is how many bytes a server of ours may hold for a slow client. The server's
// default is so large that a run would take long to reach it.
const heldBack = 64 << 10

var slow = kind{
	name:        Slow,
	says:        "a chat in which -slow percent of the clients stop reading: the others must lose nothing, and the server should cut off the slow ones",
	flags:       chatFlags("slow"),
	serverFlags: []string{"-outbound-max", strconv.Itoa(heldBack)},
	complete:    func(c *Config) { c.Size = cmp.Or(c.Size, 16<<10) },
	explain: func(p *planner, say func(format string, args ...any)) {
		say("%v %% of the clients stop reading once they have joined.", p.config.Slow)
		if p.config.URL == "" {
			say("Servers queue up to %d KiB for such a client (-outbound-max) instead of 1 MiB, so that they cut it off sooner.", heldBack>>10)
		}
	},
}

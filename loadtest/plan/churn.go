package plan

import "github.com/roost-rt/roost/loadtest/order"

// Churn is a chat while clients leave and join.
const Churn Scenario = "churn"

var churn = kind{
	name:     Churn,
	says:     "a chat while -churn clients a second leave the room and join again: measures how long both take, and what the others lose",
	flags:    chatFlags("churn"),
	noRaw:    noTopics,
	punctual: func(Config) bool { return true },
	explain: func(p *planner, say func(format string, args ...any)) {
		say("%s clients a second leave, and join again %v later.", perSecond(p.Churn), order.Pause)
	},
}

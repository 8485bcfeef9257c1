package plan

// Echo is pushes and their replies.
const Echo Scenario = "echo"

var echo = kind{
	name:     Echo,
	says:     "clients push and wait for the reply: -inflight at a time as fast as possible (closed loop), or -rate a second (open loop), for -for",
	flags:    []string{"inflight", "for", "rate", "size", "drain"},
	rawPath:  "/echo",
	shows:    []Count{Replies},
	silent:   true,
	busy:     true,
	punctual: func(c Config) bool { return c.Rate > 0 },
}

package plan

import (
	"cmp"
	"errors"
	"fmt"
)

// App does what a scenario file says, for any application.
const App Scenario = "app"

var app = kind{
	name:     App,
	says:     "users do what a scenario file says, for any application with channels: loadtest app.yaml (loadtest/examples has some)",
	flags:    []string{"scenario", "rate", "for", "late", "drain"},
	noRaw:    noTopics,
	shows:    []Count{Replies, Messages},
	silent:   true,
	busy:     true,
	punctual: func(Config) bool { return true },
	complete: func(c *Config) {
		if s, err := c.Script.Script(); err == nil { // else check says so
			c.Clients = cmp.Or(c.Clients, s.Count())
			c.ConnectRate = cmp.Or(c.ConnectRate, s.Users.Connect)
			c.For = cmp.Or(c.For, s.Length())
		}
	},
	explain: func(p *planner, say func(format string, args ...any)) {
		if s, err := p.config.Script.Script(); err == nil { // check has said so
			say("By %s, %s.", p.config.ScriptName, s)
		}
	},
	check: func(c Config) error {
		if c.Script == nil {
			return errors.New("app: say which scenario file, such as app.yaml")
		}
		s, err := c.Script.Script()
		if err != nil {
			return fmt.Errorf("%s: %w", c.ScriptName, err)
		}
		if err := s.Fits(c.Clients); err != nil {
			return fmt.Errorf("%s: %w", c.ScriptName, err)
		}
		return nil
	},
}

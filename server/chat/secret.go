package chat

import (
	"fmt"
	"os"
	"strings"

	"github.com/roost-rt/roost/server/phx"
)

// fewestSecret is how many bytes phx.Config.Secret has at least.
const fewestSecret = 20

// readSecret takes the secret from a file, or else as it was given. It is empty without
// either.
func (o *options) readSecret() error {
	text, from := o.secret, o.values.From("secret")
	if o.secretFile != "" {
		read, err := os.ReadFile(o.secretFile)
		if err != nil {
			return fmt.Errorf("-secret-file: %w", err)
		}
		text, from = string(read), "the file of -secret-file"
	}
	o.endpoint.Secret = strings.TrimSpace(text) // editors end a file with a newline
	if n := len(o.endpoint.Secret); n < fewestSecret && (n > 0 || o.secretFile != "") {
		return fmt.Errorf("%s has %d bytes: want at least %d random ones, as openssl rand -hex 32 makes them", from, n, fewestSecret)
	}
	return nil
}

// warnNoSecret says what is amiss in a cluster whose servers have a secret each.
func warnNoSecret(cfg *phx.Config) {
	if cfg.Adapter != nil && cfg.Secret == "" {
		cfg.Logger.Warn("other servers of the cluster do not know the long-poll sessions of this one: clients lose them unless all their requests come here",
			"fix", "give all servers the same ROOST_SECRET, as openssl rand -hex 32 makes one, or -secret-file")
	}
}

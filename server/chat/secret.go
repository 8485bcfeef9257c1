package chat

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/roost-rt/roost/server/phx"
)

// fewestSecret is how many bytes phx.Config.Secret has at least.
const fewestSecret = 20

// secretFlag is the flag of the file that phx.Config.Secret is in. The secret itself
// is no flag: arguments are shown by ps.
func secretFlag(flags *flag.FlagSet) *string {
	return flags.String("secret-file", "", "`file` of the secret that signs sessions of long polling, at least 20 random bytes, the same on all servers of a cluster; it may also be in ROOST_SECRET. Default one of this server's own")
}

// readSecret returns the secret of a file or, if there is none, of the environment.
// It is empty without either.
func readSecret(file string) (string, error) {
	text, from := os.Getenv("ROOST_SECRET"), "ROOST_SECRET"
	if file != "" {
		read, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("-secret-file: %w", err)
		}
		text, from = string(read), "the file of -secret-file"
	}
	secret := strings.TrimSpace(text) // editors end a file with a newline
	if n := len(secret); n < fewestSecret && (n > 0 || file != "") {
		return "", fmt.Errorf("%s has %d bytes: want at least %d random ones, as openssl rand -hex 32 makes them", from, n, fewestSecret)
	}
	return secret, nil
}

// warnNoSecret says what is amiss in a cluster whose servers have a secret each.
func warnNoSecret(cfg *phx.Config) {
	if cfg.Adapter != nil && cfg.Secret == "" {
		cfg.Logger.Warn("other servers of the cluster do not know the long-poll sessions of this one: clients lose them unless all their requests come here",
			"fix", "give all servers the same ROOST_SECRET, as openssl rand -hex 32 makes one, or -secret-file")
	}
}

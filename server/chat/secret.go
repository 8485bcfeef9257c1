package chat

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/roost-rt/roost/server/phx"
)

// fewestSecret is how many bytes phx.Config.Secret has at least, and cluster.Config.Secret.
const fewestSecret = 20

// readSecrets takes each secret from a file, or else as it was given. It is empty without
// either.
func (o *options) readSecrets() (err error) {
	o.endpoint.Secret, err = o.readSecret("secret", o.secret, o.secretFile)
	link, linkErr := o.readSecret("cluster-secret", o.clusterSecret, o.clusterSecretFile)
	o.link.Secret = link
	return errors.Join(err, linkErr)
}

// readSecret reads a secret. Its flag is called name, and the flag for its file name-file.
func (o *options) readSecret(name, text, file string) (string, error) {
	from := o.values.From(name)
	if file != "" {
		read, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("-%s-file: %w", name, err)
		}
		text, from = string(read), fmt.Sprintf("the file of -%s-file", name)
	}
	text = strings.TrimSpace(text) // editors end a file with a newline
	if n := len(text); n < fewestSecret && (n > 0 || file != "") {
		return "", fmt.Errorf("%s has %d bytes: want at least %d random ones, as openssl rand -hex 32 makes them", from, n, fewestSecret)
	}
	return text, nil
}

// warnNoSecret says what is amiss in a cluster whose servers have a secret each.
func warnNoSecret(cfg *phx.Config) {
	if cfg.Adapter != nil && cfg.Secret == "" {
		cfg.Logger.Warn("other servers of the cluster do not know the long-poll sessions of this one: clients lose them unless all their requests come here",
			"fix", "give all servers the same ROOST_SECRET, as openssl rand -hex 32 makes one, or -secret-file")
	}
}

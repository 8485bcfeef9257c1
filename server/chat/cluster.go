package chat

import (
	"errors"
	"flag"
	"slices"
	"strings"

	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/redis"
)

// clusterFlags adds the flags of a cluster. Secrets come from a file or the environment,
// because ps shows arguments.
func clusterFlags(flags *flag.FlagSet, cfg *cluster.Config) {
	flags.StringVar(&cfg.URL, "cluster", "", "`URL` of a NATS or Redis server, such as nats://127.0.0.1:4222 or redis://127.0.0.1:6379: servers that share one form a cluster, with the same rooms. Put a URL with a password into ROOST_CLUSTER")
	flags.StringVar(&cfg.CA, "cluster-ca", "", "`file` with the certificates that sign the NATS server's, PEM; default the system's")
	flags.StringVar(&cfg.Cert, "cluster-cert", "", "`file` with the certificate that the NATS server asks for, PEM")
	flags.StringVar(&cfg.Key, "cluster-key", "", "`file` with the private key of -cluster-cert, PEM")
	flags.StringVar(&cfg.Creds, "cluster-creds", "", "`file` with NATS credentials, as nsc writes them")
	flags.StringVar(&cfg.NKey, "cluster-nkey", "", "`file` with the seed of a NATS user")
}

// checkCluster says what is wrong with the flags of a cluster, and completes them.
func (o *options) checkCluster() (err error) {
	cfg := &o.link
	if cfg.URL == "" && cfg.Credentials != (cluster.Credentials{}) {
		err = errors.Join(err, errors.New("credentials for a cluster, but no NATS server: set -cluster or ROOST_CLUSTER"))
	}
	return errors.Join(err, overRedis(cfg))
}

// redisSchemes are the schemes of URLs for package redis.
var redisSchemes = []string{"redis", "rediss", "valkey", "valkeys", "unix"}

// overRedis has Redis connect the nodes, if the URL names a Redis server.
func overRedis(cfg *cluster.Config) error {
	scheme, _, _ := strings.Cut(cfg.URL, "://")
	if !slices.Contains(redisSchemes, scheme) {
		return nil
	}
	if cfg.Credentials != (cluster.Credentials{}) {
		return errors.New("-cluster-ca, -cluster-cert, -cluster-key, -cluster-creds and -cluster-nkey are for NATS: put user and password of Redis into ROOST_CLUSTER")
	}
	cfg.Carrier = redis.New(redis.Config{URL: cfg.URL})
	return nil
}

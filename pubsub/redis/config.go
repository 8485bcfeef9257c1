// Package redis connects nodes over Redis 6 or newer, or a server that speaks its
// protocol: its [Carrier] carries the messages of package cluster, which numbers them,
// asks for missing ones, counts them and knows the nodes, as over NATS.
//
//	link := cluster.New(cluster.Config{Carrier: redis.New(redis.Config{URL: "redis://10.0.0.5:6379"})})
//
// Nothing is stored. The Redis channels that nodes listen and publish to are the subjects
// of package cluster, with one PUBLISH for each broadcast. If the sender listens, Redis
// brings it back, and the sender ignores it.
//
// Redis drops a client that does not read for a while (client-output-buffer-limit
// pubsub: 32 MiB, or 8 MiB for a minute). The node connects again, and asks the others
// for what it has missed. In a Redis Cluster every server passes on what is published,
// so each node uses one of them as long as it answers, unless Config.Sharded is set.
//
// Whoever may publish to these channels may broadcast to every client: Redis has to
// be private or ask for a password, or the nodes sign (cluster.Config.Secret). A node
// reads what an outsider publishes before it knows: Redis's proto-max-bulk-len of
// "16mb" keeps that small.
package redis

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
	"unicode"

	"github.com/redis/rueidis"

	"github.com/roost-rt/roost/pubsub/cluster"
)

const (
	dialTimeout = 5 * time.Second  // for connection, TLS and subscriptions
	pingEvery   = time.Second      // while nothing comes
	ioTimeout   = 10 * time.Second // for an answer; then the link counts as lost
	bufferSize  = 64 << 10         // each for reading and writing
)

// A Config says where Redis is. The zero value uses one on the same host.
type Config struct {
	// URL is the Redis server: "redis://user:password@host:6379", with rediss over
	// TLS. Further servers of a Redis Cluster are added with ?addr=host:port&addr=…, and
	// Sentinels' master is named by ?master_set=. Empty means redis://127.0.0.1:6379.
	// Logs and errors show it without user and password.
	URL string `json:"-"`

	// TLS is used for a URL that begins with rediss. Nil means that the server's
	// certificate is signed by one that the system trusts.
	TLS *tls.Config `json:"-"`

	// Sharded publishes with SPUBLISH, which Redis Cluster 7 and newer pass on to the
	// replicas of one shard only, not to all servers. All nodes need the same.
	Sharded bool

	// MaxMessage is how many bytes a message between nodes may have. Larger ones are
	// refused with pubsub.ErrTooLarge. It has to stay well below Redis's
	// client-output-buffer-limit. Zero means 8 MiB, more than a client can send.
	MaxMessage int
}

// A Carrier is a [cluster.Carrier] over Redis.
type Carrier struct{ cfg Config }

// New returns a Carrier for one Link.
func New(cfg Config) *Carrier {
	cfg.URL = cmp.Or(cfg.URL, "redis://127.0.0.1:6379")
	cfg.MaxMessage = cmp.Or(cfg.MaxMessage, 8<<20)
	return &Carrier{cfg}
}

// Check returns the error that Connect would return whatever the network does.
func (c *Carrier) Check() error {
	_, err := c.cfg.options("")
	return err
}

// options returns the options of the Redis client.
func (c *Config) options(node string) (rueidis.ClientOption, error) {
	o, err := rueidis.ParseURL(c.URL)
	if err != nil {
		// The error is left out: it shows the password.
		return o, errors.New("redis: Config.URL cannot be read: use the form redis://user:password@host:6379")
	}
	for _, addr := range o.InitAddress {
		_, port, notTCP := net.SplitHostPort(addr) // a Unix socket
		if _, err := net.LookupPort("tcp", port); notTCP == nil && err != nil {
			return o, fmt.Errorf("redis: Config.URL names port %s: use one from 1 to 65535", port)
		}
	}
	if c.MaxMessage < 0 {
		return o, fmt.Errorf("redis: Config.MaxMessage is %d: use 0 for the default", c.MaxMessage)
	}
	if o.TLSConfig != nil && c.TLS != nil {
		name := o.TLSConfig.ServerName
		o.TLSConfig = c.TLS.Clone()
		o.TLSConfig.ServerName = cmp.Or(o.TLSConfig.ServerName, name)
	}
	o.ClientName = "roost-" + strings.Map(inClientName, node)
	o.Dialer.Timeout, o.Dialer.KeepAlive, o.ConnWriteTimeout = dialTimeout, pingEvery, ioTimeout
	o.ReadBufferEachConn, o.WriteBufferEachConn = bufferSize, bufferSize
	o.PipelineMultiplex = -1 // one connection keeps the order
	// Each server of a cluster passes on what is not sharded.
	o.ForceSingleClient = o.Sentinel.MasterSet == "" && !c.Sharded
	o.DisableCache = true
	o.DisableRetry = true // what may have been sent is not sent twice
	return o, nil
}

// inClientName replaces what Redis does not take in the name of a client.
func inClientName(r rune) rune {
	if r > unicode.MaxASCII || r <= ' ' || r == unicode.MaxASCII {
		return '-'
	}
	return r
}

// explain says what to do about an error of Connect.
func explain(o *rueidis.ClientOption, s *cluster.Session, err error) error {
	advice := "is one running there? Start it, or correct Config.URL"
	if answer, ok := rueidis.IsRedisErr(err); ok {
		advice = "put user and password into Config.URL"
		if strings.HasPrefix(answer.Error(), "NOPERM") {
			advice = fmt.Sprintf("let this user publish and subscribe: ACL SETUSER NAME &%s.* +publish +subscribe +spublish +ssubscribe", s.Cluster)
		}
	}
	return fmt.Errorf("redis: server %s: %w: %s", strings.Join(o.InitAddress, ","), err, advice)
}
